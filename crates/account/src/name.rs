//! The names of new accounts.

use std::fmt;

/// The longest address that fits into a path of 256 bytes with its angle brackets (RFC 5321, 4.5.3.1.3).
const LONGEST: usize = 254;

/// The longest local part (RFC 5321, 4.5.3.1.1).
const LONGEST_LOCAL: usize = 64;

/// A name that an account may be given: what Dovecot takes as a user name by default (`auth_username_chars`), in lower case, because
/// Dovecot looks users up in lower case (`auth_username_format`). Nothing in it means anything to a file, a path or a pattern.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(String);

/// A name that no account may be given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// There is nothing.
    #[error("the name is empty; give a mail address such as alice@example.org")]
    Empty,
    /// Longer than a mail address may be.
    #[error(
        "the name has {length} bytes; an address has at most 254, and at most 64 before its @ (RFC 5321)"
    )]
    TooLong {
        /// Its length.
        length: usize,
    },
    /// A character that Dovecot or a file of accounts would stumble over.
    #[error(
        "the name has {character:?}; Dovecot takes letters, digits and the characters . - _ in user names (auth_username_chars)"
    )]
    Character {
        /// The first one.
        character: char,
    },
    /// No address and no plain user name.
    #[error(
        "{name} is no mail address: dots stand between letters, one @ between user and domain; such as alice@example.org"
    )]
    Shape {
        /// The name.
        name: String,
    },
    /// Only addresses are accounts here.
    #[error("{name} has no domain; give the whole address, such as {name}@example.org")]
    NoDomain {
        /// The name.
        name: String,
    },
}

impl Name {
    /// Reads a name; capitals become small.
    ///
    /// # Errors
    /// When no account may have it.
    pub fn new(text: &str) -> Result<Self, NameError> {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || ".-_@".contains(c);
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if let Some(character) = text.chars().find(|c| !is_allowed(*c)) {
            return Err(NameError::Character { character });
        }
        let name = Self(text.to_ascii_lowercase());
        if name.0.len() > LONGEST || name.local().len() > LONGEST_LOCAL {
            return Err(NameError::TooLong { length: text.len() });
        }
        let sound = is_dotted(name.local(), 1) && name.domain().is_none_or(|domain| is_dotted(domain, 2));
        if sound { Ok(name) } else { Err(NameError::Shape { name: name.0 }) }
    }

    /// The same, if it is a whole mail address.
    ///
    /// # Errors
    /// When it has no domain.
    pub fn whole(self) -> Result<Self, NameError> {
        if self.domain().is_some() { Ok(self) } else { Err(NameError::NoDomain { name: self.0 }) }
    }

    /// All of it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is before the `@`.
    #[must_use]
    pub fn local(&self) -> &str {
        self.0.split_once('@').map_or(&self.0, |(local, _)| local)
    }

    /// What is after the `@`.
    #[must_use]
    pub fn domain(&self) -> Option<&str> {
        self.0.split_once('@').map(|(_, domain)| domain)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a text is words with dots between them, `least` or more; a word neither begins nor ends with a hyphen, so that no program
/// takes a name for an option.
fn is_dotted(text: &str, least: usize) -> bool {
    let words: Vec<_> = text.split('.').collect();
    let is_word = |word: &&str| {
        !word.is_empty() && !word.starts_with('-') && !word.ends_with('-') && !word.contains('@')
    };
    words.len() >= least && words.iter().all(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_and_user_names_are_names() {
        for (text, name) in [
            ("alice@example.org", "alice@example.org"),
            ("Alice.B_c-d@Mail.Example.ORG", "alice.b_c-d@mail.example.org"),
            ("alice", "alice"),
            ("7@1.example", "7@1.example"),
        ] {
            assert_eq!(Name::new(text).unwrap().as_str(), name);
        }
        let name = Name::new("a.b@example.org").unwrap();
        assert_eq!((name.local(), name.domain()), ("a.b", Some("example.org")));
    }

    #[test]
    fn whatever_a_file_or_a_program_would_stumble_over_is_refused() {
        let long = format!("{}@example.org", "a".repeat(65));
        let huge = "a".repeat(65_536);
        for text in [
            "",
            "a b@example.org",
            "a\nb@example.org",
            "a|b@example.org",
            "a:b@example.org",
            "a/b@example.org",
            "../a@example.org",
            "a..b@example.org",
            ".a@example.org",
            "a.@example.org",
            "a@b@example.org",
            "@example.org",
            "a@",
            "a@example",
            "a@.org",
            "a@example..org",
            "a@-x.org",
            "-a@example.org",
            "a*@example.org",
            "a?@example.org",
            "a%d@example.org",
            "ä@example.org",
            "a\0@example.org",
            "a@exämple.org",
            "a+b@example.org",
            "#a@example.org",
            "a\r@example.org",
            "a\u{202e}@example.org",
            "..",
            ".",
            "@",
            &long,
            &huge,
        ] {
            assert!(Name::new(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn where_only_addresses_are_accounts_a_domain_is_asked_for() {
        assert!(Name::new("alice").unwrap().whole().is_err());
        assert!(Name::new("alice@example.org").unwrap().whole().is_ok());
    }

    proptest! {
        #[test]
        fn a_name_means_nothing_to_a_path_a_file_or_a_pattern(text in "\\PC{0,80}|[a-z.@/|:*-]{0,40}") {
            if let Ok(name) = Name::new(&text) {
                let name = name.as_str();
                prop_assert!(!name.contains(['/', '|', ':', '*', '?', '%', '\n', ' ', '\\', '\'', '"', '$']));
                prop_assert!(!name.contains("..") && !name.starts_with(['-', '.', '@', '#']));
                prop_assert!(Name::new(name).is_ok_and(|again| again.as_str() == name));
            }
        }
    }
}
