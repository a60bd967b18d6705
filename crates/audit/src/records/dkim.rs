//! DKIM key records (RFC 6376 3.6.1, RFC 8463).

use super::base64;
use super::der::Key;
use super::tags::Tags;

/// A key record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The key; none if it is revoked or cannot be read.
    pub key: Option<Key>,
    /// Whether `p=` is empty: the key is revoked.
    pub revoked: bool,
    /// Whether the domain only tests DKIM (`t=y`).
    pub testing: bool,
    /// Whether `d=` and `i=` must be the same domain (`t=s`).
    pub strict: bool,
    /// What is wrong with it.
    pub problems: Vec<String>,
}

impl Record {
    /// Reads a record.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let tags = Tags::read(text);
        let mut record = Self { problems: tags.problems.clone(), ..Self::default() };
        record.version(&tags);
        record.services(&tags);
        let flags: Vec<_> = tags.get("t").unwrap_or_default().split(':').map(str::trim).collect();
        record.testing = flags.contains(&"y");
        record.strict = flags.contains(&"s");
        record.key(tags.get("k").unwrap_or("rsa"), tags.get("p"));
        record
    }

    fn version(&mut self, tags: &Tags) {
        match tags.get("v") {
            Some(value) if value != "DKIM1" => self.problems.push(format!("v={value} is not v=DKIM1")),
            Some(_) if !tags.begins_with("v", "DKIM1") => {
                self.problems.push("v=DKIM1 is not the first tag".to_owned());
            }
            _ => {}
        }
    }

    fn services(&mut self, tags: &Tags) {
        let lists = |tag: &str, wanted: &[&str]| {
            tags.get(tag).is_some_and(|list| !list.split(':').any(|item| wanted.contains(&item.trim())))
        };
        if lists("s", &["*", "email"]) {
            self.problems.push("s= does not name `email`, so the key is not for mail".to_owned());
        }
        if lists("h", &["sha256"]) {
            self.problems.push("h= does not allow sha256".to_owned());
        }
    }

    fn key(&mut self, kind: &str, published: Option<&str>) {
        let Some(published) = published else {
            self.problems.push("no p= tag, so there is no key".to_owned());
            return;
        };
        self.revoked = published.is_empty();
        if self.revoked {
            return;
        }
        let octets = base64::decode(published);
        self.key = octets.as_deref().and_then(|octets| match kind {
            "rsa" => Key::public(octets).filter(|key| matches!(key, Key::Rsa { .. })),
            "ed25519" => (octets.len() == 32).then(|| Key::Ed25519(octets.to_vec())),
            _ => None,
        });
        if !matches!(kind, "rsa" | "ed25519") {
            self.problems.push(format!("k={kind} is no known type of key"));
        } else if octets.is_none() {
            self.problems
                .push("p= is no base64: cut off, or with a character that does not belong".to_owned());
        } else if self.key.is_none() {
            self.problems.push(format!("p= holds no {kind} key"));
        }
    }
}

/// Whether a TXT record at a selector is meant as a key record.
#[must_use]
pub fn is_meant(text: &str) -> bool {
    let text: String = text.to_ascii_lowercase().split_whitespace().collect();
    text.starts_with("v=dkim") || text.contains("p=") || text.contains("k=rsa")
}
