//! A few guesses at stored passwords: what attackers try first. Not a cracker; the point is to find `winter2025` before they do.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use sha_crypt::{PasswordVerifier, ShaCrypt};
use sha2::{Digest, Sha256, Sha512};

use super::Stored;

/// What lists of stolen passwords have most, and what installers and manuals suggest.
const COMMON: &[&str] = &[
    "123456",
    "password",
    "123456789",
    "12345678",
    "12345",
    "qwerty",
    "1234567890",
    "1234567",
    "111111",
    "123123",
    "abc123",
    "password1",
    "1234",
    "000000",
    "iloveyou",
    "admin",
    "welcome",
    "letmein",
    "changeme",
    "secret",
    "qwerty123",
    "1q2w3e4r",
    "1qaz2wsx",
    "qwertz",
    "passw0rd",
    "p@ssw0rd",
    "P@ssw0rd",
    "Password1",
    "Password123",
    "password123",
    "Passwort1",
    "passwort",
    "hallo123",
    "hallo",
    "geheim",
    "test",
    "test123",
    "test1234",
    "testtest",
    "guest",
    "demo",
    "default",
    "temp",
    "temp123",
    "user",
    "mail",
    "email",
    "mailserver",
    "postfix",
    "dovecot",
    "root",
    "toor",
    "admin123",
    "administrator",
    "master",
    "monkey",
    "dragon",
    "football",
    "sunshine",
    "princess",
    "shadow",
    "superman",
    "azerty",
    "motdepasse",
    "bonjour",
    "contraseña",
    "qwe123",
    "asdfgh",
    "asdf1234",
    "zaq12wsx",
    "654321",
    "666666",
    "888888",
    "987654321",
    "aa123456",
    "login",
    "server",
    "office",
    "company",
    "internet",
    "computer",
    "start123",
    "sommer",
    "winter",
    "welcome1",
    "Welcome1",
    "Welcome123",
    "letmein1",
    "changeme123",
    "ChangeMe",
    "trustno1",
    "whatever",
    "michael",
    "charlie",
    "jordan",
    "hunter2",
    "starwars",
    "pokemon",
    "samsung",
    "google",
    "info",
    "info123",
    "sales",
    "support",
    "backup",
    "scanner",
    "printer",
    "noreply",
    "webmaster",
    "postmaster",
    "nimda",
    "pass",
    "pass123",
    "pass1234",
];

const SEASONS: &[&str] = &[
    "spring",
    "summer",
    "autumn",
    "fall",
    "winter",
    "fruehling",
    "frühling",
    "sommer",
    "herbst",
    "january",
    "december",
];

/// How many years back a season goes.
const YEARS: i16 = 3;

/// Tries each guess on all accounts before the next one, until the time is over. An account whose guesses were not all tried stays
/// unjudged, unless one was right.
pub(super) fn all(accounts: &mut [Stored], year: i16, time: Duration) {
    let end = Instant::now() + time;
    let guesses: Vec<Vec<String>> = accounts.iter().map(|stored| words(&stored.account.name, year)).collect();
    let most = guesses.iter().map(Vec::len).max().unwrap_or(0);
    for round in 0..most {
        for (stored, guesses) in accounts.iter_mut().zip(&guesses) {
            let Some(guess) = guesses.get(round).filter(|_| stored.account.guessed.is_none()) else {
                continue;
            };
            if Instant::now() >= end {
                return;
            }
            stored.account.guessed = match verify(&stored.account.scheme, &stored.secret, guess) {
                Some(true) => Some(true),
                Some(false) if round + 1 == guesses.len() => Some(false),
                _ => None,
            };
        }
    }
}

/// The guesses for a name, the likeliest first, each once.
fn words(name: &str, year: i16) -> Vec<String> {
    let (local, domain) = name.split_once('@').unwrap_or((name, ""));
    let labels = domain.split('.').next_back().map_or(0, |top| domain.len() - top.len());
    let organisation =
        domain.get(..labels).unwrap_or_default().trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let mut words: Vec<String> = [local, organisation, name, domain].map(str::to_owned).to_vec();
    for word in [local, organisation].into_iter().filter(|word| !word.is_empty()) {
        words.extend(["1", "12", "123", "1234", "!", "123!"].map(|end| format!("{word}{end}")));
        words.extend((0..YEARS).map(|back| format!("{word}{}", year - back)));
        words.push(word.chars().rev().collect());
    }
    let seasons =
        (0..YEARS).flat_map(|back| SEASONS.iter().map(move |season| format!("{season}{}", year - back)));
    let (common, rest) = COMMON.split_at_checked(30).unwrap_or((COMMON, &[]));
    words.extend(common.iter().map(|word| (*word).to_owned()));
    words.extend(seasons);
    words.extend(rest.iter().map(|word| (*word).to_owned()));
    each_once(words.into_iter().flat_map(|word| [capitalised(&word), word]))
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn each_once(words: impl Iterator<Item = String>) -> Vec<String> {
    let mut known = HashSet::new();
    words.filter(|word| !word.is_empty() && known.insert(word.clone())).collect()
}

/// Whether a password is the stored one; none for schemes that are not tried.
fn verify(scheme: &str, secret: &str, guess: &str) -> Option<bool> {
    match scheme {
        "PLAIN" | "CLEAR" | "CLEARTEXT" => Some(secret == guess),
        "SHA256-CRYPT" | "SHA512-CRYPT" if secret.starts_with('$') => {
            Some(ShaCrypt::default().verify_password(guess.as_bytes(), secret).is_ok())
        }
        "SHA256" | "SSHA256" => {
            salted(secret, 32, |salt| Sha256::digest([guess.as_bytes(), salt].concat()).to_vec())
        }
        "SHA512" | "SSHA512" => {
            salted(secret, 64, |salt| Sha512::digest([guess.as_bytes(), salt].concat()).to_vec())
        }
        _ => None,
    }
}

/// Hash and salt in base64, as Dovecot stores them.
fn salted(secret: &str, length: usize, hash: impl Fn(&[u8]) -> Vec<u8>) -> Option<bool> {
    let stored = base64(secret)?;
    let (kept, salt) = stored.split_at_checked(length)?;
    Some(hash(salt) == kept)
}

/// RFC 4648 section 4.
fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let (mut bits, mut held) = (0_u32, 0_u32);
    for c in text.trim_end_matches('=').bytes() {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.extend(u8::try_from((bits >> held) & 0xff).ok());
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_are_what_attackers_try() {
        let words = words("bob@mail.example.net", 2026);
        for word in
            ["bob", "Bob123", "example", "example2025", "winter2025", "Winter2025", "password", "bob2024"]
        {
            assert!(words.iter().any(|known| known == word), "{word}");
        }
        assert!(words.len() < 400, "{} guesses", words.len());
    }

    /// Hashes that `doveadm pw -p winter2025` made.
    #[test]
    fn schemes_are_verified() {
        let cases = [
            ("PLAIN", "winter2025"),
            ("SHA256-CRYPT", "$5$gt4dVQhzFqmiaI..$Fbe5lbOOeCNtLsxKBA4NSnTI0eDxqbiatU4X9eYTGR0"),
            (
                "SHA512-CRYPT",
                "$6$RN6fWZeiCEk4j.v/$1FvBZjUg7BDPfPz08iNenQuf5Bkq/yCZ7mAtiRXFITVMK2v6IqohbICakYEkEYMfz4HsN.zuPibRdnkhWPKwX1",
            ),
            ("SHA256", "t5WjzUVMa6knGKMh1Zc1AQNDtJUyGAj8fIa0iy7MR3E="),
            ("SSHA256", "EEsdB+3nXjbBRJ9kU/pdLwdKLYvKo79Eu4mHGHZPSJRYItiC"),
            (
                "SHA512",
                "oXmpoPPCiOBR9UTBkdE/8TKW/sM8+ucMalVUZM9zRetTl9zaE2EDBUl/2dssDRtEHpplbKtv9Zh0hd8mGoENEg==",
            ),
            (
                "SSHA512",
                "uKo6AIScf3+IoY+a5hGmmwAo7pAbnoS5JWI/LyNnJVH/Mvmg0VcQbAPcEXKyGVMiM02nCf7fT2hS8YyAZ7S42aqmDXc=",
            ),
        ];
        for (scheme, secret) in cases {
            assert_eq!(verify(scheme, secret, "winter2025"), Some(true), "{scheme}");
            assert_eq!(verify(scheme, secret, "winter2024"), Some(false), "{scheme}");
        }
        assert_eq!(verify("BLF-CRYPT", "$2y$05$x", "winter2025"), None);
        assert_eq!(verify("SHA512-CRYPT", "!LOCKED!$6$a$b", "winter2025"), None);
        assert_eq!(verify("SSHA256", "short", "winter2025"), None);
    }

    #[test]
    fn base64_is_decoded() {
        assert_eq!(base64("Zm9vYmFy").unwrap(), b"foobar");
        assert_eq!(base64("Zm9vYg==").unwrap(), b"foob");
        assert_eq!(base64("?"), None);
    }
}
