//! `name=value; name=value`, the form of DKIM, DMARC, MTA-STS and TLS-RPT records (RFC 6376 3.2).

/// A list of tags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags {
    /// The tags, in order, names in lower case, values without blanks around them.
    pub all: Vec<(String, String)>,
    /// What is wrong with the list's form.
    pub problems: Vec<String>,
}

impl Tags {
    /// Reads a list.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut tags = Self::default();
        let last = text.split(';').count() - 1;
        for (position, part) in text.split(';').enumerate() {
            match part.trim() {
                "" if position == last => {}
                "" => tags.problems.push(format!("an empty tag at place {}", position + 1)),
                part => tags.push(part),
            }
        }
        tags
    }

    fn push(&mut self, part: &str) {
        let Some((name, value)) = part.split_once('=') else {
            self.problems.push(format!("`{part}` has no `=`"));
            return;
        };
        let name = name.trim().to_ascii_lowercase();
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            self.problems.push(format!("`{name}` is no name of a tag"));
        } else if self.get(&name).is_some() {
            self.problems.push(format!("tag `{name}` twice"));
        } else {
            self.all.push((name, value.trim().to_owned()));
        }
    }

    /// The value of a tag.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all.iter().find(|(tag, _)| tag == name).map(|(_, value)| value.as_str())
    }

    /// Whether this is the first tag.
    #[must_use]
    pub fn begins_with(&self, name: &str, value: &str) -> bool {
        self.all.first().is_some_and(|(tag, found)| tag == name && found == value)
    }
}
