//! Lookup tables: what a key finds. See DATABASE_README, access(5), cidr_table(5), regexp_table(5).
//!
//! Indexed tables (`hash:`, `lmdb:`) are read from the text that they are made of; that the index is older than it is for a check
//! to find. What is in databases and behind sockets is not known here.

use std::net::IpAddr;

use fancy_regex::{Regex, RegexBuilder};
use mailward_model::Network;

use super::{Postfix, elements, logical_lines, unbraced};
use crate::Untold;
use crate::check::could_not_tell;

/// A lookup table.
#[derive(Debug)]
pub struct Table {
    /// As it is written: `hash:/etc/postfix/access`.
    pub name: String,
    /// Its type: `hash`.
    pub kind: String,
    /// Its file; empty if it has none.
    pub path: String,
    /// Its entries, in order.
    pub entries: Vec<Entry>,
}

/// An entry of a table.
#[derive(Debug)]
pub struct Entry {
    /// What it matches, as written.
    pub key: String,
    /// What it finds, as written.
    pub value: String,
    /// The line of its file; 0 if it has none.
    pub line: usize,
    matches: Matches,
}

#[derive(Debug)]
enum Matches {
    Key,
    Everything,
    Network {
        network: Network,
        not: bool,
    },
    Pattern {
        pattern: Box<Regex>,
        not: bool,
    },
    /// A pattern or network that cannot be understood.
    Unknown,
}

impl Table {
    /// What a key finds. Letters match in either case, as Postfix folds keys.
    ///
    /// # Errors
    /// When an entry before could match, but cannot be understood.
    pub fn find(&self, key: &str) -> Result<Option<&Entry>, Untold> {
        for entry in &self.entries {
            match entry.matches(key) {
                Some(true) => return Ok(Some(entry)),
                Some(false) => {}
                None => return could_not_tell(format!("{} cannot be understood", self.place(entry))),
            }
        }
        Ok(None)
    }

    /// Whether it looks at whole addresses only, and never at their parts.
    #[must_use]
    pub fn whole_only(&self) -> bool {
        matches!(self.kind.as_str(), "pcre" | "regexp" | "cidr" | "tcp" | "static")
    }

    /// Where an entry stands: `/etc/postfix/access:3`.
    #[must_use]
    pub fn place(&self, entry: &Entry) -> String {
        if self.path.is_empty() { self.name.clone() } else { format!("{}:{}", self.path, entry.line) }
    }

    /// The networks whose addresses it finds something for.
    pub(super) fn networks(&self) -> Result<Vec<Network>, Untold> {
        let network = |entry: &Entry| match &entry.matches {
            Matches::Network { network, not: false } => Some(*network),
            Matches::Key => entry.key.parse().ok(),
            _ => None,
        };
        let networks: Option<Vec<_>> = self.entries.iter().map(network).collect();
        networks.map_or_else(|| could_not_tell(format!("{} is no list of networks", self.name)), Ok)
    }
}

impl Entry {
    fn matches(&self, key: &str) -> Option<bool> {
        match &self.matches {
            Matches::Key => Some(self.key.eq_ignore_ascii_case(key)),
            Matches::Everything => Some(true),
            Matches::Network { network, not } => {
                let address: IpAddr = key.parse().ok()?;
                Some(network.contains(address) != *not)
            }
            Matches::Pattern { pattern, not } => Some(pattern.is_match(key).ok()? != *not),
            Matches::Unknown => None,
        }
    }

    /// The network that it matches, in a `cidr:` table.
    #[must_use]
    pub const fn network(&self) -> Option<Network> {
        match &self.matches {
            Matches::Network { network, not: false } => Some(*network),
            _ => None,
        }
    }
}

impl Postfix<'_> {
    /// A table by its name, `type:name`.
    ///
    /// # Errors
    /// When its content is not known.
    pub fn table(&self, name: &str) -> Result<Table, Untold> {
        let expanded = self.expanded(None, name);
        let expanded = unbraced(&expanded);
        let expanded = expanded.strip_prefix("proxy:").unwrap_or(expanded);
        let Some((kind, rest)) = expanded.split_once(':') else {
            return could_not_tell(format!("{name} is no table"));
        };
        let (path, entries) = match kind {
            "static" => (String::new(), vec![everything(unbraced(rest))]),
            "inline" => (String::new(), inline(unbraced(rest))),
            "fail" => return could_not_tell(format!("{name} always fails")),
            _ if !rest.starts_with('/') => return could_not_tell(format!("what {name} holds is not known")),
            "hash" | "btree" | "lmdb" | "cdb" | "dbm" | "sdbm" | "texthash" => {
                (rest.to_owned(), keyed(&self.file(rest)?))
            }
            "cidr" => (rest.to_owned(), cidr(&self.file(rest)?)),
            "pcre" | "regexp" => (rest.to_owned(), patterns(&self.file(rest)?)),
            _ => return could_not_tell(format!("what {name} holds is not known")),
        };
        Ok(Table { name: name.to_owned(), kind: kind.to_owned(), path, entries })
    }

    /// The text of a file.
    pub(super) fn file(&self, path: &str) -> Result<String, Untold> {
        match self.facts.text(path)? {
            Some(text) => Ok(text.to_owned()),
            None => could_not_tell(format!("{path} does not exist")),
        }
    }

    /// The elements of a file of names, without its comments.
    pub(super) fn list_file(&self, path: &str) -> Result<String, Untold> {
        let text = self.file(path)?;
        Ok(logical_lines(&text).into_iter().map(|line| line.text).collect::<Vec<_>>().join(" "))
    }
}

fn everything(value: &str) -> Entry {
    Entry { key: String::new(), value: value.to_owned(), line: 0, matches: Matches::Everything }
}

fn inline(list: &str) -> Vec<Entry> {
    let pairs = elements(list).into_iter().filter_map(|pair| unbraced(pair).split_once('='));
    let entry = |(key, value): (&str, &str)| Entry {
        key: key.trim().to_owned(),
        value: value.trim().to_owned(),
        line: 0,
        matches: Matches::Key,
    };
    pairs.map(entry).collect()
}

fn keyed(text: &str) -> Vec<Entry> {
    let lines = logical_lines(text);
    let entry = |line: &super::Logical| {
        let (key, value) = key_and_value(&line.text);
        Entry { key, value, line: line.line, matches: Matches::Key }
    };
    lines.iter().map(entry).collect()
}

/// A key may stand in double quotes (Postfix 3.2).
fn key_and_value(line: &str) -> (String, String) {
    let quoted = line.strip_prefix('"').and_then(|rest| rest.split_once('"'));
    let (key, value) = quoted.or_else(|| line.split_once(char::is_whitespace)).unwrap_or((line, ""));
    (key.to_owned(), value.trim().to_owned())
}

fn cidr(text: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut conditions = 0_usize;
    for line in logical_lines(text) {
        let (pattern, value) = key_and_value(&line.text);
        let (not, network) = match pattern.strip_prefix('!') {
            Some(network) => (true, network),
            None => (false, pattern.as_str()),
        };
        if condition(&pattern, &mut conditions) {
            continue;
        }
        let plain = network.trim_matches(['[', ']']).replace(']', "");
        let matches = match plain.parse() {
            Ok(network) if conditions == 0 => Matches::Network { network, not },
            _ => Matches::Unknown,
        };
        entries.push(Entry { key: pattern, value, line: line.line, matches });
    }
    entries
}

/// `if` and `endif` nest; what is between them is not judged.
fn condition(pattern: &str, depth: &mut usize) -> bool {
    match pattern.to_ascii_lowercase().as_str() {
        "if" => *depth += 1,
        "endif" => *depth = depth.saturating_sub(1),
        _ => return false,
    }
    true
}

fn patterns(text: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut conditions = 0_usize;
    for line in logical_lines(text) {
        let first = line.text.split([' ', '\t', '/', '!']).next().unwrap_or_default();
        if condition(first, &mut conditions) {
            continue;
        }
        let (key, value, matches) = match delimited(&line.text) {
            Some((key, pattern, not, value)) => {
                let known = pattern.filter(|_| conditions == 0);
                let matches = known.map_or(Matches::Unknown, |pattern| Matches::Pattern { pattern, not });
                (key, value, matches)
            }
            None => (line.text.clone(), String::new(), Matches::Unknown),
        };
        entries.push(Entry { key, value, line: line.line, matches });
    }
    entries
}

type Delimited = (String, Option<Box<Regex>>, bool, String);

/// `!/pattern/flags value`, with any character that is no letter or digit in place of the slash.
fn delimited(line: &str) -> Option<Delimited> {
    let (not, rest) = match line.strip_prefix('!') {
        Some(rest) => (true, rest.trim_start()),
        None => (false, line),
    };
    let delimiter = rest.chars().next().filter(|c| !c.is_alphanumeric())?;
    let body = rest.get(delimiter.len_utf8()..)?;
    let end = unescaped(body, delimiter)?;
    let pattern = body.get(..end)?;
    let after = body.get(end + delimiter.len_utf8()..)?;
    let (flags, value) = after.split_once(char::is_whitespace).unwrap_or((after, ""));
    // Case does not matter unless the flag toggles it.
    let folded = flags.matches('i').count() % 2 == 0;
    let regex = RegexBuilder::new(pattern).case_insensitive(folded).backtrack_limit(100_000).build().ok();
    let key = format!("{}{delimiter}{pattern}{delimiter}", if not { "!" } else { "" });
    Some((key, regex.map(Box::new), not, value.trim().to_owned()))
}

fn unescaped(text: &str, delimiter: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == delimiter => return Some(at),
            _ => {}
        }
    }
    None
}
