//! The services of master.cf. See master(5).

use core::fmt;

use super::text::{logical_lines, unbraced, words};

/// A service of master.cf.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// Its name as written: `smtp`, `587`, `127.0.0.1:10025`.
    pub name: String,
    /// Where it can be reached.
    pub kind: Kind,
    /// The address it is bound to; none if it listens where `inet_interfaces` says, or is not on the network.
    pub host: Option<String>,
    /// The port of an `inet` service; none where the name is no known one.
    pub port: Option<u16>,
    /// Whether it is private to the mail system.
    pub private: bool,
    /// Whether it runs in the chroot.
    pub chroot: bool,
    /// How many processes it may have; 0 is no limit; none is `default_process_limit`.
    pub limit: Option<u32>,
    /// The program: `smtpd`.
    pub command: String,
    /// What the program is told other than `-o`: `-v`, `user=vmail`, `argv=...`.
    pub arguments: Vec<String>,
    /// Its `-o name=value`, in order; the last one of a name wins.
    pub overrides: Vec<(String, String)>,
    /// Its line in master.cf, where that text is known.
    pub line: Option<usize>,
}

/// Where a service can be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// On the network.
    Inet,
    /// At a socket, a datagram socket, or a pipe in the file system.
    #[default]
    Unix,
    /// Through `postscreen`, which passes connections on.
    Pass,
}

impl Service {
    /// The override of a parameter, as written.
    #[must_use]
    pub fn overridden(&self, parameter: &str) -> Option<&str> {
        self.overrides.iter().rev().find(|(name, _)| name == parameter).map(|(_, value)| value.as_str())
    }

    /// The name and type, as `postconf -P` writes them: `submission/inet`.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}/{}", self.name, self.kind)
    }

    /// How many `-v` it has.
    #[must_use]
    pub fn verbosity(&self) -> usize {
        let flags = self.arguments.iter().filter_map(|argument| argument.strip_prefix('-'));
        flags.filter(|flags| flags.bytes().all(|b| b == b'v')).map(str::len).sum()
    }

    fn read(text: &str, line: Option<usize>) -> Option<Self> {
        let words = words(text);
        let [name, kind, private, _unprivileged, chroot, _wakeup, limit, command, arguments @ ..] =
            words.as_slice()
        else {
            return None;
        };
        let kind = match *kind {
            "inet" => Kind::Inet,
            "pass" => Kind::Pass,
            "unix" | "fifo" | "unix-dgram" => Kind::Unix,
            _ => return None,
        };
        let (host, port) = if kind == Kind::Inet { endpoint(name) } else { (None, None) };
        let (arguments, overrides) = told(arguments);
        Some(Self {
            name: (*name).to_owned(),
            kind,
            host,
            port,
            // Fields left at "-" have the defaults of master(5).
            private: *private != "n" && kind != Kind::Inet,
            chroot: *chroot == "y",
            limit: limit.parse().ok(),
            command: command.rsplit('/').next().unwrap_or(command).to_owned(),
            arguments,
            overrides,
            line,
        })
    }
}

/// The services that a text has: that of master.cf, or what `postconf -M` printed.
#[must_use]
pub(super) fn read(text: &str, lines_count: bool) -> Vec<Service> {
    let lines = logical_lines(text);
    lines
        .iter()
        .filter_map(|logical| Service::read(&logical.text, lines_count.then_some(logical.line)))
        .collect()
}

fn endpoint(name: &str) -> (Option<String>, Option<u16>) {
    let (host, port) = match name.rsplit_once(':') {
        Some((host, port)) => (host.trim_matches(['[', ']']), port),
        None => ("", name),
    };
    ((!host.is_empty()).then(|| host.to_owned()), port_number(port))
}

/// The port of a name in services(5).
fn port_number(name: &str) -> Option<u16> {
    match name {
        "smtp" => Some(25),
        "submission" => Some(587),
        "submissions" | "smtps" | "ssmtp" | "urd" => Some(465),
        "lmtp" => Some(24),
        "qmqp" => Some(628),
        number => number.parse().ok(),
    }
}

fn told(words: &[&str]) -> (Vec<String>, Vec<(String, String)>) {
    let (mut arguments, mut overrides) = (Vec::new(), Vec::new());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let setting = match word.strip_prefix("-o") {
            Some("") => words.next().copied(),
            Some(joined) => Some(joined),
            None => None,
        };
        match setting.and_then(|setting| unbraced(setting).split_once('=')) {
            Some((name, value)) => overrides.push((name.trim().to_owned(), value.trim().to_owned())),
            None => arguments.push((*word).to_owned()),
        }
    }
    (arguments, overrides)
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inet => "inet",
            Self::Unix => "unix",
            Self::Pass => "pass",
        })
    }
}
