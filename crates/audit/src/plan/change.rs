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
