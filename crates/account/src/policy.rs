//! Which passwords are taken.

use core::fmt;

use zxcvbn::matching::patterns::MatchPattern;
use zxcvbn::zxcvbn;

use crate::Password;

/// What a password must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Characters at the least.
    pub min_length: usize,
    /// The least strength that zxcvbn gives, 0 to 4.
    pub min_strength: u8,
}

impl Default for Policy {
    fn default() -> Self {
        // NIST SP 800-63B-4, 3.1.1.2: 15 characters where a password is all there is, as it is here; zxcvbn's 3 is "safely unguessable", ten
        // to the eighth guesses and more. Length alone says little, so the two meet at twelve.
        Self { min_length: 12, min_strength: 3 }
    }
}

/// What is wrong with a password. It never tells the password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Weakness {
    /// Too few characters.
    Short {
        /// How many it has.
        has: usize,
        /// How many it must have.
        needs: usize,
    },
    /// One of the words that everybody tries first, perhaps turned round, in capitals, or with digits for letters.
    Common,
    /// It holds the account's own name, or its domain's.
    OwnName {
        /// Which.
        name: String,
    },
    /// Too few guesses find it.
    Guessable {
        /// Its strength by zxcvbn, 0 to 4.
        strength: u8,
        /// What it must be.
        needs: u8,
        /// What zxcvbn says of it.
        advice: String,
    },
    /// It is in the list of stolen passwords.
    Breached {
        /// How often it was seen there.
        times: u64,
    },
}

/// Guesses within which everybody tries a password: the ten thousand commonest, each in a few spellings.
const TRIED_FIRST: u64 = 50_000;

/// Parts of a name that are shorter are in many words by chance.
const SHORTEST_PART: usize = 4;

impl Policy {
    /// All that is wrong with a password for an account. That it was stolen before is for those who have the list to say.
    #[must_use]
    pub fn weaknesses(&self, password: &Password, name: &str) -> Vec<Weakness> {
        let text = password.reveal();
        let parts = parts(name);
        let inputs: Vec<&str> = core::iter::once(name).chain(parts.iter().map(String::as_str)).collect();
        let judged = zxcvbn(text, &inputs);
        let mut found = Vec::new();
        let has = text.chars().count();
        if has < self.min_length {
            found.push(Weakness::Short { has, needs: self.min_length });
        }
        if judged.guesses() <= TRIED_FIRST || is_one_word(&judged, has) {
            found.push(Weakness::Common);
        }
        let plain = unmasked(text);
        found.extend(
            parts
                .into_iter()
                .find(|part| plain.contains(&unmasked(part)))
                .map(|name| Weakness::OwnName { name }),
        );
        let strength = u8::from(judged.score());
        if strength < self.min_strength {
            let advice = judged.feedback().map(advice).unwrap_or_default();
            found.push(Weakness::Guessable { strength, needs: self.min_strength, advice });
        }
        found
    }
}

/// Whether the whole of it is one word of zxcvbn's lists, or one repeated.
fn is_one_word(judged: &zxcvbn::Entropy, length: usize) -> bool {
    let [only] = judged.sequence() else { return false };
    let whole = only.token.chars().count() == length;
    let is_word = match &only.pattern {
        MatchPattern::Dictionary(_) => true,
        MatchPattern::Repeat(repeat) => {
            matches!(repeat.base_matches.as_slice(), [base] if matches!(base.pattern, MatchPattern::Dictionary(_)))
        }
        _ => false,
    };
    whole && is_word
}

/// The words of a name that a password must not hold: `alice` and `example` of `alice@mail.example.org`.
fn parts(name: &str) -> Vec<String> {
    let lower = name.to_lowercase();
    let (local, domain) = lower.split_once('@').unwrap_or((&lower, ""));
    let labels = domain.rsplit_once('.').map_or(domain, |(labels, _top)| labels);
    let words = core::iter::once(local).chain(local.split(['.', '-', '_'])).chain(labels.split(['.', '-']));
    let mut parts: Vec<String> =
        words.filter(|word| word.chars().count() >= SHORTEST_PART).map(str::to_owned).collect();
    parts.dedup();
    parts
}

/// In lower case, with the letters for which digits and signs commonly stand.
fn unmasked(text: &str) -> String {
    let letter = |c: char| match c {
        '0' => 'o',
        '1' | '!' | '|' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    };
    text.to_lowercase().chars().map(letter).collect()
}

fn advice(feedback: &zxcvbn::feedback::Feedback) -> String {
    let warning = feedback.warning().map(|warning| warning.to_string());
    let all = warning.into_iter().chain(feedback.suggestions().iter().map(ToString::to_string));
    all.collect::<Vec<_>>().join(" ")
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { has, needs } => {
                write!(f, "it has {has} characters; {needs} are needed (accounts.min-length)")
            }
            Self::Common => f.write_str("it is one of the words that everybody tries first"),
            Self::OwnName { name } => {
                write!(f, "it holds \"{name}\", which is part of the account's own name")
            }
            Self::Guessable { strength, needs, advice } => write!(
                f,
                "its strength is {strength} of 4; {needs} is needed (accounts.min-strength). {advice}"
            ),
            Self::Breached { times } => {
                write!(f, "it was stolen somewhere before: it is in the list of such passwords {times} times")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weaknesses(text: &str, policy: Policy) -> Vec<Weakness> {
        policy.weaknesses(&Password::new(text.as_bytes()).unwrap(), "alice.miller@mail.example.org")
    }

    #[test]
    fn good_ones_are_taken() {
        for text in [
            "Lighthouse-19-fern-mottled",
            "correct horse battery staple",
            "k7mx-93qd-wert-zpqa-8a2f",
            "ünter dem Birnbaum 1904",
        ] {
            assert_eq!(weaknesses(text, Policy::default()), [], "{text}");
        }
    }

    #[test]
    fn each_weakness_is_told() {
        let has = |text: &str, is: fn(&Weakness) -> bool| weaknesses(text, Policy::default()).iter().any(is);
        assert!(has("Kq7-vbz", |weakness| matches!(weakness, Weakness::Short { has: 7, needs: 12 })));
        assert!(has("trustno1", |weakness| *weakness == Weakness::Common));
        assert!(has("passwordpassword", |weakness| *weakness == Weakness::Common));
        assert!(has(
            "Tr0mbone-M1ller-Xq",
            |weakness| matches!(weakness, Weakness::OwnName { name } if name == "miller")
        ));
        assert!(has(
            "qz-EXAMPLE-vb-7731",
            |weakness| matches!(weakness, Weakness::OwnName { name } if name == "example")
        ));
        assert!(has("aaaaaaaaaaaaaaaa", |weakness| matches!(weakness, Weakness::Guessable { .. })));
        assert!(has("qwertyuiop12345", |weakness| matches!(weakness, Weakness::Guessable { .. })));
    }

    #[test]
    fn a_weakness_never_tells_the_password() {
        for text in ["trustno1", "alice.miller", "qwertyuiop12345", "Summer2024!"] {
            for weakness in weaknesses(text, Policy::default()) {
                assert!(!weakness.to_string().contains(text) || text == "alice.miller", "{weakness}");
            }
        }
    }

    #[test]
    fn parts_of_a_name_are_its_words() {
        assert_eq!(
            parts("alice.miller@mail.example.org"),
            ["alice.miller", "alice", "miller", "mail", "example"]
        );
        assert_eq!(parts("bob@x.org"), Vec::<String>::new());
        assert_eq!(parts("postmaster"), ["postmaster"]);
    }
}
