//! The effective configuration of Dovecot 2.3 and 2.4: what `doveconf -n` prints over the defaults of its version, under the
//! names of both generations, and the lines of the configuration files that set it.

mod block;
mod database;
mod listener;
mod names;
mod scheme;
mod source;

use std::collections::BTreeMap;
use std::fmt;

use crate::facts::Known;
use crate::plan::Change;
use crate::{Facts, Untold};

pub use block::Block;
pub use database::Database;
pub use listener::{Listener, Socket};
pub use names::{is_yes, seconds};
pub use scheme::{Strength, strength};
pub use source::Assignment;

pub(crate) use block::{is_understood, with};
pub(crate) use names::{before_2_4, since_2_4};

/// Where the configuration is when `doveconf` does not say so.
const MAIN: &str = "/etc/dovecot/dovecot.conf";

/// A version: 2.3.19.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u16, pub u16, pub u16);

/// The effective configuration of Dovecot.
#[derive(Clone, Debug)]
pub struct Dovecot {
    version: Version,
    main: String,
    root: Block,
    all: Scope,
    narrower: Vec<Scope>,
    defaults: BTreeMap<String, String>,
    assignments: Vec<Assignment>,
}

/// Settings that hold for some connections.
#[derive(Clone, Debug, Default)]
struct Scope {
    filters: Vec<String>,
    settings: BTreeMap<String, String>,
}

/// A value, and for whom it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value<'a> {
    /// For whom: `protocol imap`, `local 192.0.2.0/24`; empty for all.
    pub scope: String,
    /// The value.
    pub value: &'a str,
    /// Whether it is Dovecot's own default.
    pub default: bool,
}

impl Dovecot {
    /// Reads it from what `doveconf` said.
    ///
    /// # Errors
    /// When there is no Dovecot, or its configuration could not be read.
    pub fn read(facts: &Facts) -> Result<Self, Untold> {
        if facts.said.get("doveconf -n") == Some(&Known::Absent) {
            return Err(Untold::NotApplicable("there is no Dovecot here".to_owned()));
        }
        let said = facts.output("doveconf -n")?;
        let Some((version, main)) = header(said) else {
            return Err(Untold::CouldNotTell("`doveconf -n` did not say its version".to_owned()));
        };
        let root = Block::parse(said);
        let mut defaults = names::defaults(version >= Version(2, 4, 0));
        if let Ok(own) = facts.output("doveconf -d") {
            defaults.extend(names::both(Block::parse(own).flat()));
        }
        let assignments = source::assignments(facts, main);
        let all = Scope { filters: Vec::new(), settings: names::both(root.flat()) };
        Ok(Self {
            version,
            main: main.to_owned(),
            narrower: narrower(&root, &[]),
            root,
            all,
            defaults,
            assignments,
        })
    }

    /// Its version.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// Whether it has the settings of 2.4.
    #[must_use]
    pub fn is_modern(&self) -> bool {
        self.version >= Version(2, 4, 0)
    }

    /// Its main configuration file.
    #[must_use]
    pub fn main(&self) -> &str {
        &self.main
    }

    /// The whole of `doveconf -n`.
    #[must_use]
    pub const fn root(&self) -> &Block {
        &self.root
    }

    /// What a setting is called here; everything else takes the names of both generations.
    #[must_use]
    pub fn name<'a>(&self, name: &'a str) -> &'a str {
        names::called(name, self.is_modern())
    }

    /// What a setting is for all who have no value of their own; none where neither the configuration nor a default is known.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.explicit(name).or_else(|| self.default(name))
    }

    /// What the configuration sets it to for all, if it does.
    #[must_use]
    pub fn explicit(&self, name: &str) -> Option<&str> {
        self.all.settings.get(name).map(String::as_str)
    }

    /// What Dovecot has by itself.
    #[must_use]
    pub fn default(&self, name: &str) -> Option<&str> {
        self.defaults.get(name).map(String::as_str)
    }

    /// Whether a setting says yes.
    #[must_use]
    pub fn is_on(&self, name: &str) -> bool {
        self.setting(name).is_some_and(is_yes)
    }

    /// What a setting is in a protocol: `imap`, `pop3`, `sieve`, `lmtp`.
    #[must_use]
    pub fn in_protocol(&self, protocol: &str, name: &str) -> Option<&str> {
        let own = self.narrower.iter().rev().filter(|scope| scope.is_protocol(protocol));
        own.filter_map(|scope| scope.settings.get(name))
            .map(String::as_str)
            .next()
            .or_else(|| self.setting(name))
    }

    /// All that a setting is: for all, then for each protocol and network that has a value of its own.
    #[must_use]
    pub fn values(&self, name: &str) -> Vec<Value<'_>> {
        let all = self.setting(name).map(|value| Value {
            scope: String::new(),
            value,
            default: self.explicit(name).is_none(),
        });
        let narrower = self.narrower.iter().filter_map(|scope| {
            let value = scope.settings.get(name)?;
            Some(Value { scope: scope.filters.join(" "), value, default: false })
        });
        all.into_iter().chain(narrower).collect()
    }

    /// The protocols that are served: `imap`, `lmtp`, `sieve`.
    #[must_use]
    pub fn protocols(&self) -> Vec<String> {
        self.setting("protocols").unwrap_or_default().split_whitespace().map(str::to_owned).collect()
    }

    /// Whether a protocol is served.
    #[must_use]
    pub fn serves(&self, protocol: &str) -> bool {
        self.protocols().iter().any(|served| served == protocol)
    }

    /// Its password databases, in the order in which they are asked.
    #[must_use]
    pub fn passdbs(&self) -> Vec<Database> {
        self.root.of("passdb").map(Database::of).collect()
    }

    /// Its user databases, in the order in which they are asked.
    #[must_use]
    pub fn userdbs(&self) -> Vec<Database> {
        self.root.of("userdb").map(Database::of).collect()
    }

    /// Every socket that it listens on.
    #[must_use]
    pub fn listeners(&self) -> Vec<Listener> {
        Listener::all(&self.root, &self.protocols(), self.setting("listen").unwrap_or("*, ::"))
    }

    /// The lines that set something for all, in the order in which they are read: the last one won. Empty where the files were
    /// not collected.
    #[must_use]
    pub fn history(&self, name: &str) -> Vec<&Assignment> {
        let other = names::other(name);
        let is = |assignment: &&Assignment| {
            let own = assignment.key == name || other.is_some_and(|other| assignment.key == other);
            own && (assignment.scope.is_empty() || assignment.scope == ["plugin"])
        };
        self.assignments.iter().filter(is).collect()
    }

    /// All lines of its configuration files, in the order in which they are read. Empty where they were not collected.
    #[must_use]
    pub fn assignments(&self) -> &[Assignment] {
        &self.assignments
    }

    /// What a setting is for the connections of a scope of [`Value`]: its own value, that of its protocol, or that of all.
    #[must_use]
    pub fn in_scope(&self, scope: &str, name: &str) -> Option<&str> {
        let exact = self.narrower.iter().rev().filter(|narrower| narrower.filters.join(" ") == scope);
        let own = exact.filter_map(|narrower| narrower.settings.get(name)).map(String::as_str).next();
        let protocol = scope.rsplit_once("protocol ").map(|(_, protocol)| protocol);
        own.or_else(|| protocol.and_then(|protocol| self.in_protocol(protocol, name)))
            .or_else(|| self.setting(name))
    }

    /// Where a setting gets its value for all: file and line if they are known.
    #[must_use]
    pub fn place(&self, name: &str) -> String {
        match self.history(name).last() {
            Some(winner) => winner.place(),
            None if self.explicit(name).is_some() => "doveconf -n".to_owned(),
            None => format!("default of Dovecot {}", self.version),
        }
    }

    /// Where a setting gets its value in a scope of [`Value`].
    #[must_use]
    pub fn place_in(&self, scope: &str, name: &str) -> String {
        if scope.is_empty() {
            return self.place(name);
        }
        let other = names::other(name);
        let own = |line: &&Assignment| {
            line.scope.join(" ") == scope
                && (line.key == name || other.is_some_and(|other| line.key == other))
        };
        let line = self.assignments.iter().rev().find(own);
        line.map_or_else(
            || format!("doveconf -n, {scope} {{ }}"),
            |line| format!("{} ({scope})", line.place()),
        )
    }

    /// How a value of 2.4 is written here: `auth_allow_cleartext` `no` is `disable_plaintext_auth = yes` in 2.3.
    #[must_use]
    pub fn spelled(&self, name: &str, value: &str) -> String {
        let (name, value) = names::spelled(name, value, self.is_modern());
        format!("{name} = {value}")
    }

    /// The change that sets a setting, both in the words of 2.4, in a section of this version.
    #[must_use]
    pub fn change<B: AsRef<str>>(&self, blocks: &[B], name: &str, value: &str) -> Change {
        let (name, value) = names::spelled(name, value, self.is_modern());
        let blocks: Vec<&str> = blocks.iter().map(AsRef::as_ref).collect();
        Change::dovecot(&blocks, &name, value)
    }

    /// The sections that have a value of their own, each with those around it, and that value.
    #[must_use]
    pub fn narrower(&self, name: &str) -> Vec<(&[String], &str)> {
        let scopes = self.narrower.iter();
        scopes
            .filter_map(|scope| Some((scope.filters.as_slice(), scope.settings.get(name)?.as_str())))
            .collect()
    }

    /// A setting as it stands here: `disable_plaintext_auth = no`, under the name that this generation has.
    #[must_use]
    pub fn line(&self, name: &str) -> String {
        let name = self.name(name);
        format!("{name} = {}", self.setting(name).unwrap_or_default())
    }
}

impl Scope {
    fn is_protocol(&self, protocol: &str) -> bool {
        let [filter] = self.filters.as_slice() else { return false };
        filter.strip_prefix("protocol ").is_some_and(|name| match name.strip_prefix('!') {
            Some(other) => other != protocol,
            None => name == protocol,
        })
    }
}

/// The sections that narrow, with all they are in.
fn narrower(block: &Block, outer: &[String]) -> Vec<Scope> {
    let mut scopes = Vec::new();
    for inner in block.blocks.iter().filter(|inner| inner.narrows()) {
        let filters: Vec<_> = outer.iter().cloned().chain([inner.title()]).collect();
        scopes.push(Scope { filters: filters.clone(), settings: names::both(inner.flat()) });
        scopes.extend(narrower(inner, &filters));
    }
    scopes
}

/// Version and main file, from `# 2.3.19.1 (9b53102964): /etc/dovecot/dovecot.conf`.
fn header(text: &str) -> Option<(Version, &str)> {
    text.lines().take_while(|line| line.starts_with('#')).find_map(|line| {
        let (version, rest) = line.strip_prefix("# ")?.split_once(' ')?;
        let mut numbers = version.split(['.', '-']).map(str::parse);
        let mut next = || numbers.next().and_then(Result::ok);
        let version = Version(next()?, next()?, next().unwrap_or(0));
        Some((version, rest.split_once(": ").map_or(MAIN, |(_, main)| main.trim())))
    })
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}
