//! What can be changed on a mail server, in the words of its programs.

use serde::{Deserialize, Serialize};

/// One change. It says what shall be so, not how a file gets there: the same change is a line of `main.cf` on Debian and a line of
/// an override file on docker-mailserver (see [`Layout`](super::Layout)).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Change {
    /// A parameter of `main.cf`.
    Parameter {
        /// Its name.
        name: String,
        /// Its value; none leaves it to its default.
        value: Option<String>,
    },
    /// An override of a parameter in `master.cf`, `-o name=value`.
    Override {
        /// The service, as `postconf -P` writes it: `submission/inet`.
        service: String,
        /// The parameter.
        name: String,
        /// Its value; none leaves it to `main.cf`.
        value: Option<String>,
    },
    /// A service of `master.cf`.
    Service {
        /// The service, as `postconf -M` writes it: `submission/inet`.
        service: String,
        /// Its line, without overrides; none takes it out of use.
        line: Option<String>,
    },
    /// A setting of Dovecot, in the words of the version that is there.
    Dovecot {
        /// The blocks that it stands in, the outermost first: `protocol imap`; `service imap-login`, `inet_listener imap`.
        blocks: Vec<String>,
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
    /// A variable of docker-mailserver's environment.
    Variable {
        /// Its name.
        name: String,
        /// Its value; none leaves it to its default.
        value: Option<String>,
    },
    /// A setting of any other program, in a file of its own syntax: `name = value` in sections for fail2ban and systemd,
    /// `name = value;` for amavis and Rspamd, `name value` for `OpenDKIM`, `ClamAV`, `SpamAssassin` and the like.
    Setting {
        /// The file, as the mail server's programs see it.
        file: String,
        /// The section that it stands in; empty in files without sections.
        section: String,
        /// Its name as written: `maxretry`, `$final_virus_destiny`, `score BAYES_99`.
        name: String,
        /// Its value as written; none leaves it to its default.
        value: Option<String>,
    },
    /// Lines of a text file: a table, a drop-in, a script.
    Lines {
        /// The file, as the mail server's programs see it.
        file: String,
        /// Lines to take out, as they stand; the change is refused if one is not there.
        remove: Vec<String>,
        /// Lines to put in: in place of the first one taken out, or at the end.
        add: Vec<String>,
    },
    /// Who owns a file or directory, and who may do what with it.
    Access {
        /// The file, as the mail server's programs see it.
        file: String,
        /// Permission bits; none leaves them.
        mode: Option<u32>,
        /// The owner's name; none leaves it.
        owner: Option<String>,
        /// The group's name; none leaves it.
        group: Option<String>,
    },
    /// A new private key, which is made when the plan is prepared. A file that is there already stays as it is.
    Key {
        /// The file, as the mail server's programs see it.
        file: String,
        /// Its kind.
        algorithm: Algorithm,
        /// Whose it is, who alone may read it; none is the owner of its folder.
        owner: Option<String>,
    },
    /// A file that nobody reads any more.
    Remove {
        /// The file, as the mail server's programs see it.
        file: String,
    },
}

/// Kinds of keys that mail is signed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// RSA of 2048 bit, which every receiver verifies.
    Rsa,
    /// Ed25519 (RFC 8463), which some receivers verify, and Rspamd alone signs with.
    Ed25519,
}

impl Algorithm {
    /// Its name in a record's `k=`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rsa => "rsa",
            Self::Ed25519 => "ed25519",
        }
    }
}

impl Change {
    /// A parameter of `main.cf` with a value.
    #[must_use]
    pub fn parameter(name: &str, value: impl Into<String>) -> Self {
        Self::Parameter { name: name.to_owned(), value: Some(value.into()) }
    }

    /// A parameter of `main.cf` left to its default.
    #[must_use]
    pub fn unset(name: &str) -> Self {
        Self::Parameter { name: name.to_owned(), value: None }
    }

    /// What a line of `main.cf` says: `name = value`; none if it is no assignment, or leaves something to the reader (`...`, `<the
    /// table>`).
    #[must_use]
    pub fn assigned(line: &str) -> Option<Self> {
        let (name, value) = line.split_once('=')?;
        let open = line.contains("...") || line.contains('…') || value.trim_start().starts_with('<');
        (!open).then(|| Self::parameter(name.trim(), value.trim()))
    }

    /// An override of a service, which is named as `postconf -P` does.
    #[must_use]
    pub fn overriding(service: impl Into<String>, name: &str, value: impl Into<String>) -> Self {
        Self::Override { service: service.into(), name: name.to_owned(), value: Some(value.into()) }
    }

    /// A setting of Dovecot.
    #[must_use]
    pub fn dovecot(blocks: &[&str], name: &str, value: impl Into<String>) -> Self {
        let blocks = blocks.iter().map(|block| (*block).to_owned()).collect();
        Self::Dovecot { blocks, name: name.to_owned(), value: value.into() }
    }

    /// A variable of docker-mailserver.
    #[must_use]
    pub fn variable(name: &str, value: impl Into<String>) -> Self {
        Self::Variable { name: name.to_owned(), value: Some(value.into()) }
    }

    /// A setting of another program.
    #[must_use]
    pub fn setting(file: impl Into<String>, section: &str, name: &str, value: impl Into<String>) -> Self {
        Self::Setting {
            file: file.into(),
            section: section.to_owned(),
            name: name.to_owned(),
            value: Some(value.into()),
        }
    }

    /// Lines taken out of a file, and others put in.
    #[must_use]
    pub fn lines(file: impl Into<String>, remove: &[&str], add: &[&str]) -> Self {
        let owned = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
        Self::Lines { file: file.into(), remove: owned(remove), add: owned(add) }
    }

    /// The permission bits of a file.
    #[must_use]
    pub fn mode(file: impl Into<String>, mode: u32) -> Self {
        Self::Access { file: file.into(), mode: Some(mode), owner: None, group: None }
    }

    /// What it is about: two changes with the same target want to set the same thing.
    #[must_use]
    pub fn target(&self) -> String {
        match self {
            Self::Parameter { name, .. } => name.clone(),
            Self::Override { service, name, .. } => format!("{service}/{name}"),
            Self::Service { service, .. } => service.clone(),
            Self::Dovecot { blocks, name, .. } => {
                blocks.iter().map(|block| format!("{block} / ")).collect::<String>() + name
            }
            Self::Variable { name, .. } => format!("${name}"),
            Self::Setting { file, section, name, .. } => format!("{file} [{section}] {name}"),
            // Lines of one file are as many targets as there are lines.
            Self::Lines { file, remove, add } => format!("{file}: {} {}", remove.join("|"), add.join("|")),
            Self::Access { file, .. } => format!("access to {file}"),
            Self::Key { file, .. } | Self::Remove { file } => file.clone(),
        }
    }
}

/// A program whose configuration is changed: it checks what it is to read, and is told to read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Program {
    /// Postfix.
    Postfix,
    /// Dovecot.
    Dovecot,
    /// docker-mailserver as a whole: its container is made anew.
    Container,
    /// `OpenDKIM`.
    Opendkim,
    /// `OpenDMARC`.
    Opendmarc,
    /// Rspamd.
    Rspamd,
    /// `SpamAssassin`.
    Spamassassin,
    /// amavis.
    Amavis,
    /// `ClamAV`.
    Clamav,
    /// fail2ban.
    Fail2ban,
    /// logrotate.
    Logrotate,
    /// rsyslog.
    Rsyslog,
    /// systemd.
    Systemd,
    /// Nobody: what is in the file holds at once.
    Nobody,
}

impl Program {
    /// The command that makes it read what was changed, as a person types it; none for who reads it anyway.
    #[must_use]
    pub const fn command(self) -> Option<&'static str> {
        Some(match self {
            Self::Postfix => "postfix reload",
            Self::Dovecot => "doveadm reload",
            Self::Container => "docker compose up -d --force-recreate",
            Self::Opendkim => "systemctl restart opendkim",
            Self::Opendmarc => "systemctl restart opendmarc",
            Self::Rspamd => "systemctl restart rspamd",
            Self::Spamassassin => "systemctl restart spamd",
            Self::Amavis => "systemctl restart amavis",
            Self::Clamav => "systemctl restart clamav-daemon",
            Self::Fail2ban => "fail2ban-client reload",
            Self::Rsyslog => "systemctl restart rsyslog",
            Self::Systemd => "systemctl daemon-reload",
            Self::Logrotate | Self::Nobody => return None,
        })
    }
}
