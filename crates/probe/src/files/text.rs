//! Which texts are kept, and with what taken out of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use mailward_audit::facts::Said;
use mailward_audit::{Facts, Known};

use crate::secret;

/// Configuration is small; what is larger is a table of data.
pub(crate) const LARGEST: u64 = 256 << 10;

/// Files that hold secrets, by what the configuration says of them; others are known by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Secrets {
    accounts: BTreeSet<String>,
    relays: BTreeSet<String>,
}

/// What names a file of accounts in Dovecot's configuration.
const ACCOUNTS: [&str; 3] = ["args =", "passwd_file_path", "_password_file"];
/// What names a table of passwords of relays in Postfix's.
const RELAYS: [&str; 1] = ["sasl_password_maps"];

impl Secrets {
    /// Those that Postfix and Dovecot name.
    pub(crate) fn of(said: &BTreeMap<String, Known<Said>>) -> Self {
        let text = |line| said.get(line).and_then(Known::known).map_or("", |said| said.stdout.as_str());
        Self {
            accounts: paths_in(text("doveconf -n"), &ACCOUNTS),
            relays: paths_in(text("postconf -n"), &RELAYS),
        }
    }

    /// Those that files of configuration name.
    pub(crate) fn named_in(texts: &[String]) -> Self {
        let all = |words: &[&str]| texts.iter().flat_map(|text| paths_in(text, words)).collect();
        Self { accounts: all(&ACCOUNTS), relays: all(&RELAYS) }
    }

    /// Takes the same files under their other names, too.
    pub(crate) fn also_as(&mut self, other: impl Fn(&str) -> Option<PathBuf>) {
        for set in [&mut self.accounts, &mut self.relays] {
            let more: Vec<String> =
                set.iter().filter_map(|path| Some(other(path)?.to_string_lossy().into_owned())).collect();
            set.extend(more);
        }
    }

    /// Whether a file is a secret in whole, so that nothing of it is to be read at all.
    pub(crate) fn whole(path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path);
        let ends = [
            ".key", "-key.pem", "_key.pem", ".private", ".p12", ".pfx", ".jks", ".db", ".cdb", ".lmdb",
            ".dir", ".pag", ".sqlite", ".sqlite3", ".kdbx",
        ];
        let names = [
            "shadow",
            "shadow-",
            "gshadow",
            "gshadow-",
            "acme.json",
            "private_key.json",
            "sasldb2",
            "key.pem",
        ];
        name.starts_with("privkey")
            || name.starts_with("id_")
            || (name.starts_with("ssh_host_") && !name.ends_with(".pub"))
            || ends.iter().any(|end| name.ends_with(end))
            || names.contains(&name)
            || path.contains("/private/")
            || path.contains("/.ssh/")
    }

    /// What is kept of a file.
    pub(crate) fn kept(&self, path: &str, bytes: Vec<u8>) -> Known<String> {
        let Ok(text) = String::from_utf8(bytes) else {
            return Known::Unread("it is no text".to_owned());
        };
        if text.contains('\0') {
            return Known::Unread("it is no text".to_owned());
        }
        let name = path.rsplit('/').next().unwrap_or(path);
        Known::Is(match name {
            "postfix-accounts.cf" | "dovecot-masters.cf" => secret::accounts_redacted(&text, '|'),
            _ if self.relays.contains(path)
                || name.contains("sasl_passwd")
                || name == "postfix-sasl-password.cf" =>
            {
                secret::relay_redacted(&text)
            }
            // A file that Dovecot's `args` name may also be a configuration of SQL or LDAP.
            _ if is_accounts(name) || (self.accounts.contains(path) && !has_settings(&text)) => {
                secret::accounts_redacted(&text, ':')
            }
            // Continued over lines, so that a line does not show what it belongs to.
            _ if path.contains("/fail2ban/filter.d/") => text,
            _ => secret::redacted(&text),
        })
    }
}

/// Paths in the lines with one of these words.
fn paths_in(text: &str, words: &[&str]) -> BTreeSet<String> {
    let lines = text.lines().filter(|line| words.iter().any(|word| line.contains(word)));
    lines.flat_map(super::named::paths).collect()
}

/// Hides the secrets in texts that are shown to people.
#[derive(Debug)]
pub struct Mask(Secrets);

impl Mask {
    /// One that knows which files hold secrets, by what the server's configuration says of them.
    #[must_use]
    pub fn of(facts: &Facts) -> Self {
        Self(Secrets::of(&facts.said))
    }

    /// A file's text without its secrets.
    #[must_use]
    pub fn text(&self, path: &str, text: &str) -> String {
        if Secrets::whole(path) {
            return "***\n".to_owned();
        }
        self.0.kept(path, text.as_bytes().to_vec()).known().cloned().unwrap_or_else(|| "***\n".to_owned())
    }
}

/// Whether a file of this name holds accounts with their passwords.
pub(crate) fn is_accounts(name: &str) -> bool {
    ["userdb", "masterdb", "users", "passwd", "master-users", "passwd.masterusers"].contains(&name)
        || [".passwd", ".users", "-passwd", "_passwd", ".pwd", ".htpasswd"]
            .iter()
            .any(|end| name.ends_with(end))
}

fn has_settings(text: &str) -> bool {
    text.lines().any(|line| !line.starts_with('#') && line.contains(" = "))
}
