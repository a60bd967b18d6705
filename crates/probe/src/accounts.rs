//! Accounts, without their secrets: names, schemes and work factors from the files that hold passwords. A hash leaves this module only
//! as a digest under a key that nobody keeps.

mod guess;

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;
use std::{fs, io};

pub use mailward_account::Format;
use mailward_audit::dovecot::{Database, Dovecot};
use mailward_audit::facts::{Account, Deployment};
use mailward_audit::{Facts, Known};
use mailward_host::run::Limits;
use sha2::{Digest, Sha256};

use crate::{Place, Tree};

/// How long guessing may take in all.
pub(crate) const GUESSING: Duration = Duration::from_secs(60);

/// A hundred thousand accounts.
const LARGEST: usize = 16 << 20;

/// A file of accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The file, as the mail server sees it.
    pub path: String,
    /// How its lines are written.
    pub format: Format,
    /// Whether its accounts open everybody's mailbox.
    pub master: bool,
    /// The scheme of passwords that name none.
    pub scheme: String,
}

/// A key for digests: good for one collection, then forgotten.
#[derive(Clone, Debug)]
pub struct Key([u8; 32]);

impl Key {
    /// A new one. The standard library seeds its hash tables from the system's random numbers.
    #[must_use]
    pub fn random() -> Self {
        let mut key = [0; 32];
        for part in key.chunks_exact_mut(8) {
            part.copy_from_slice(&RandomState::new().hash_one("accounts").to_ne_bytes());
        }
        Self(Sha256::digest(key).into())
    }
}

/// A line that holds an account, its secret included: never leaves this module.
struct Stored {
    account: Account,
    secret: String,
}

/// The passwd-file of docker-mailserver before it is worked up, which knows nothing of alias logins.
const DMS_ACCOUNTS: &str = "/tmp/docker-mailserver/postfix-accounts.cf";
const DMS_MASTERS: &str = "/tmp/docker-mailserver/dovecot-masters.cf";

/// The files that hold accounts: what docker-mailserver is given, or what Dovecot's configuration names.
#[must_use]
pub fn sources(facts: &Facts) -> Vec<Source> {
    let bars = |path: &str, master| Source {
        path: path.to_owned(),
        format: Format::Bars,
        master,
        scheme: "SHA512-CRYPT".to_owned(),
    };
    if facts.about.deployment == Deployment::DockerMailserver {
        return vec![bars(DMS_ACCOUNTS, false), bars(DMS_MASTERS, true)];
    }
    let Ok(dovecot) = Dovecot::read(facts) else { return Vec::new() };
    dovecot.passdbs().iter().filter(|passdb| !passdb.denies()).filter_map(passwd_file).collect()
}

/// A path with variables (`%d`) is many files, of which nobody knows the names.
fn passwd_file(passdb: &Database) -> Option<Source> {
    let path = passdb.path().filter(|path| passdb.driver == "passwd-file" && !path.contains('%'))?;
    Some(Source {
        path: path.to_owned(),
        format: Format::Colons,
        master: passdb.is_master(),
        scheme: passdb.scheme().unwrap_or("CRYPT").to_owned(),
    })
}

/// Collects the accounts of all sources, and tries guessable passwords for as long as `guess` allows; none are tried without it.
pub fn collect(
    facts: &Facts,
    read: &dyn Fn(&str) -> Known<String>,
    guess: Option<Duration>,
) -> Known<Vec<Account>> {
    let sources = sources(facts);
    if sources.is_empty() {
        let why = "no file holds the accounts: neither docker-mailserver's nor a passwd-file of Dovecot's";
        return Known::Unread(why.to_owned());
    }
    let key = Key::random();
    let mut stored = Vec::new();
    let mut missing = None;
    for source in &sources {
        match read(&source.path) {
            Known::Is(text) => stored.extend(lines(&text, source, &key)),
            // A master file is there only where somebody wants one.
            Known::Absent if source.master => {}
            Known::Absent => missing = Some(format!("{} does not exist", source.path)),
            Known::Unread(why) => missing = Some(why),
            Known::Unasked => missing = Some(format!("{} was not read", source.path)),
        }
    }
    if let Some(why) = missing.filter(|_| stored.is_empty()) {
        return Known::Unread(why);
    }
    if let Some(time) = guess {
        guess::all(&mut stored, year(&facts.about.taken), time);
    }
    Known::Is(stored.into_iter().map(|stored| stored.account).collect())
}

/// The text of a file of accounts, as the mail server sees it. It holds secrets: it is for [`collect`] alone.
pub(crate) fn text(tree: &Tree, path: &str) -> Known<String> {
    let Some(host) = tree.host(path) else { return inside(tree.place(), path) };
    let read = || match fs::metadata(&host)? {
        file if file.is_file() && file.len() <= LARGEST as u64 => fs::read(&host),
        _ => Err(io::Error::other("it is no file, or too large")),
    };
    match read() {
        Ok(bytes) => Known::Is(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Known::Absent,
        Err(error) => Known::Unread(format!("cannot read {path}: {error}")),
    }
}

fn inside(place: &Place, path: &str) -> Known<String> {
    let limits = Limits { timeout: Duration::from_secs(5), max_output: LARGEST };
    match place.raw(&["cat", path], limits) {
        Known::Is(output) if output.status.success() => {
            Known::Is(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        Known::Is(output) => {
            let error = String::from_utf8_lossy(&output.stderr);
            let missing = error.contains("No such file");
            if missing {
                Known::Absent
            } else {
                Known::Unread(format!("cannot read {path}: {}", error.trim()))
            }
        }
        Known::Unread(why) => Known::Unread(why),
        Known::Absent | Known::Unasked => Known::Unread(format!("cannot read {path}")),
    }
}

/// The accounts of a file, without their secrets.
#[must_use]
pub fn read(text: &str, source: &Source, key: &Key) -> Vec<Account> {
    lines(text, source, key).into_iter().map(|stored| stored.account).collect()
}

/// As [`read`], with guessable passwords tried for as long as `time` allows: in the order in which attackers try them, and each on
/// all accounts before the next.
#[must_use]
pub fn read_guessing(text: &str, source: &Source, key: &Key, year: i16, time: Duration) -> Vec<Account> {
    let mut stored = lines(text, source, key);
    guess::all(&mut stored, year, time);
    stored.into_iter().map(|stored| stored.account).collect()
}

fn year(taken: &str) -> i16 {
    taken.get(..4).and_then(|year| year.parse().ok()).unwrap_or(2026)
}

fn lines(text: &str, source: &Source, key: &Key) -> Vec<Stored> {
    let numbered = (1..).zip(text.lines());
    let held = numbered.filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    held.filter_map(|(number, line)| stored(line, number, source, key)).collect()
}

fn stored(line: &str, number: u32, source: &Source, key: &Key) -> Option<Stored> {
    let separator = if source.format == Format::Bars { '|' } else { ':' };
    let mut fields = line.split(separator);
    let (name, password) = (fields.next()?.trim(), fields.next().unwrap_or_default().trim());
    let extra = match source.format {
        Format::Bars => fields.next().unwrap_or_default().to_owned(),
        Format::Colons => fields.skip(5).collect::<Vec<_>>().join(":"),
        Format::Limits => String::new(),
    };
    if name.is_empty() {
        return None;
    }
    let (scheme, secret) = parted(password, &source.scheme);
    let scheme = detected(&scheme, secret);
    let account = Account {
        name: name.to_owned(),
        place: format!("{}:{number}", source.path),
        cost: cost(&scheme, secret),
        empty: secret.is_empty(),
        locked: secret.starts_with(['!', '*']),
        digest: if secret.is_empty() { String::new() } else { digest(key, &scheme, secret) },
        scheme,
        guessed: None,
        master: source.master,
        extra: extra.split_whitespace().filter(|field| is_harmless(field)).map(str::to_owned).collect(),
    };
    Some(Stored { account, secret: secret.to_owned() })
}

/// The scheme in capitals, and what follows it.
fn parted<'a>(password: &'a str, default: &str) -> (String, &'a str) {
    let named = password.strip_prefix('{').and_then(|rest| rest.split_once('}'));
    match named {
        Some((scheme, secret)) => (scheme.to_ascii_uppercase(), secret),
        None => (default.to_ascii_uppercase(), password),
    }
}

/// What `CRYPT` is here: crypt(5) tells by the first characters.
fn detected(scheme: &str, secret: &str) -> String {
    const PREFIXES: [(&str, &str); 11] = [
        ("$1$", "MD5-CRYPT"),
        ("$2a$", "BLF-CRYPT"),
        ("$2b$", "BLF-CRYPT"),
        ("$2y$", "BLF-CRYPT"),
        ("$5$", "SHA256-CRYPT"),
        ("$6$", "SHA512-CRYPT"),
        ("$7$", "SCRYPT"),
        ("$y$", "YESCRYPT"),
        ("$gy$", "YESCRYPT"),
        ("$argon2id$", "ARGON2ID"),
        ("$argon2i$", "ARGON2I"),
    ];
    if scheme != "CRYPT" {
        return scheme.to_owned();
    }
    let known = PREFIXES.iter().find(|(prefix, _)| secret.starts_with(prefix)).map(|(_, scheme)| *scheme);
    let old = || {
        let crypted = |c: char| c.is_ascii_alphanumeric() || "./".contains(c);
        (secret.len() == 13 && secret.chars().all(crypted)).then_some("DES-CRYPT")
    };
    known.or_else(old).unwrap_or(scheme).to_owned()
}

/// The work factor that stands in a hash: rounds, cost, KiB of memory.
fn cost(scheme: &str, secret: &str) -> u64 {
    let part = |number: usize| secret.split('$').nth(number).unwrap_or_default();
    let after = |key: &str| secret.split(['$', ',']).find_map(|part| part.strip_prefix(key)?.parse().ok());
    match scheme {
        // glibc's and Dovecot's default.
        "SHA256-CRYPT" | "SHA512-CRYPT" => after("rounds=").unwrap_or(5000),
        "BLF-CRYPT" => part(2).parse().unwrap_or(0),
        "PBKDF2" => part(3).parse().unwrap_or(0),
        _ if scheme.starts_with("ARGON2") => after("m=").unwrap_or(0),
        _ => 0,
    }
}

fn digest(key: &Key, scheme: &str, secret: &str) -> String {
    let mut hash = Sha256::new();
    for part in [key.0.as_slice(), scheme.as_bytes(), b"\0", secret.as_bytes()] {
        hash.update(part);
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// Whether an extra field may be told: none that may hold a password or key.
fn is_harmless(field: &str) -> bool {
    let name = field.split('=').next().unwrap_or(field).to_ascii_lowercase();
    !["pass", "key", "secret", "token"].iter().any(|word| name.contains(word) && name != "nopassword")
}
