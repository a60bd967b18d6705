//! Who may write as whom: tables as Postfix has them, of sender logins or of aliases.

use std::collections::{HashMap, HashSet};

/// Who owns which address. Where no table is known, nobody owns anything, and nobody is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owners(HashMap<String, Vec<String>>);

impl Owners {
    /// Takes in a table as postmap(1) reads it: an address, or `@domain`, and who owns it. That is an account
    /// (`smtpd_sender_login_maps`), or where its mail goes (`virtual_alias_maps`).
    pub fn add(&mut self, table: &str) {
        let mut last: Option<String> = None;
        for line in table.lines().filter(|line| !line.trim_start().starts_with('#')) {
            let is_continued = line.starts_with(char::is_whitespace);
            let mut words =
                line.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty());
            if !is_continued {
                last = words.next().map(str::to_ascii_lowercase);
            }
            let Some(address) = &last else { continue };
            let owners = words.map(str::to_ascii_lowercase);
            self.0.entry(address.clone()).or_default().extend(owners);
        }
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an account may write as a sender: as itself, and as what is its own, or comes to it by aliases.
    #[must_use]
    pub fn may(&self, user: &str, sender: &str) -> bool {
        let (user, sender) = (user.to_ascii_lowercase(), sender.to_ascii_lowercase());
        let mut waiting = vec![plain(&sender)];
        let mut seen: HashSet<String> = HashSet::new();
        while let Some(address) = waiting.pop() {
            if address == user || local(&address) == user {
                return true;
            }
            let all = |key: &str| self.0.get(key).into_iter().flatten();
            let domain = address.rsplit_once('@').map(|(_, domain)| format!("@{domain}"));
            // Postfix takes the domain's entry where the address has none.
            let owners = if self.0.contains_key(&address) { Some(address.clone()) } else { domain };
            let new = owners.iter().flat_map(|key| all(key)).filter(|owner| seen.insert((*owner).clone()));
            waiting.extend(new.cloned());
        }
        false
    }
}

/// The address without what a person adds to it behind a `+`.
fn plain(address: &str) -> String {
    match address.rsplit_once('@') {
        Some((local, domain)) => {
            let name = local.split('+').next().filter(|name| !name.is_empty()).unwrap_or(local);
            format!("{name}@{domain}")
        }
        None => address.to_owned(),
    }
}

fn local(address: &str) -> &str {
    address.rsplit_once('@').map_or(address, |(local, _)| local)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_say_who_owns_what() {
        let mut owners = Owners::default();
        owners.add(
            "# addresses\n\nsales@example.com alice@example.com,\n\tBob@example.com\n@shop.example alice@example.com\n\
             all@example.com sales@example.com\nloop@example.com loop@example.com\ninfo@shop.example erin\n",
        );
        for (user, sender, may) in [
            ("alice@example.com", "alice@example.com", true),
            ("alice@example.com", "Alice+news@Example.com", true),
            ("alice", "alice@example.com", true),
            ("alice@example.com", "bob@example.com", false),
            ("alice@example.com", "sales@example.com", true),
            ("bob@example.com", "sales@example.com", true),
            ("erin@example.com", "sales@example.com", false),
            ("bob@example.com", "all@example.com", true),
            ("alice@example.com", "anything@shop.example", true),
            ("alice@example.com", "info@shop.example", false),
            ("erin", "info@shop.example", true),
            ("erin", "loop@example.com", false),
            ("erin", "boss@elsewhere.example", false),
        ] {
            assert_eq!(owners.may(user, sender), may, "{user} as {sender}");
        }
    }
}
