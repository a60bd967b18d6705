//! Configuration files as they stand: which line set a value, and which lines it beat.

use std::collections::BTreeMap;

use super::block::Line;
use crate::Facts;
use crate::facts::Known;

/// Includes deeper than this are a circle.
const DEPTH: u8 = 16;

/// A line that sets something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The sections it is in, the outermost first: `protocol imap`.
    pub scope: Vec<String>,
    /// The setting, as it stands there.
    pub key: String,
    /// Its value.
    pub value: String,
}

impl Assignment {
    /// Where it stands: `/etc/dovecot/conf.d/10-ssl.conf:6`.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }

    /// What it says: `ssl = yes`.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{} = {}", self.key, self.value)
    }
}

/// Everything that a configuration file and what it includes set, in the order in which Dovecot reads it.
pub(crate) fn assignments(facts: &Facts, main: &str) -> Vec<Assignment> {
    let mut reader = Reader { files: texts(facts), found: Vec::new() };
    reader.read(main, &mut Vec::new(), 0);
    reader.found
}

/// The texts that are known, by path.
fn texts(facts: &Facts) -> BTreeMap<&str, &str> {
    let known = |file: &'_ Known<crate::facts::File>| file.known().is_some();
    let files = facts.files.iter().filter(|(_, file)| known(file));
    files.filter_map(|(path, file)| Some((path.as_str(), file.known()?.text.known()?.as_str()))).collect()
}

struct Reader<'a> {
    files: BTreeMap<&'a str, &'a str>,
    found: Vec<Assignment>,
}

impl Reader<'_> {
    fn read(&mut self, path: &str, scope: &mut Vec<String>, depth: u8) {
        let Some(text) = self.files.get(path).copied() else { return };
        for (number, line) in (1..).zip(text.lines()) {
            match Line::read(line) {
                Line::Open(kind, name) => scope.push(format!("{kind} {name}").trim_end().to_owned()),
                Line::Close => drop(scope.pop()),
                Line::Set(key, value) => self.found.push(Assignment {
                    file: path.to_owned(),
                    line: number,
                    scope: scope.clone(),
                    key: key.to_owned(),
                    value,
                }),
                Line::Include(pattern) if depth < DEPTH => self.include(path, pattern, scope, depth),
                Line::Include(_) | Line::Blank | Line::Other => {}
            }
        }
    }

    /// Files that a pattern names, in the order of their names; relative to the file that includes them.
    fn include(&mut self, from: &str, pattern: &str, scope: &mut Vec<String>, depth: u8) {
        let directory = from.rsplit_once('/').map_or("", |(directory, _)| directory);
        let pattern =
            if pattern.starts_with('/') { pattern.to_owned() } else { format!("{directory}/{pattern}") };
        let named: Vec<_> = self.files.keys().copied().filter(|path| matches(&pattern, path)).collect();
        for path in named {
            self.read(path, scope, depth + 1);
        }
    }
}

/// Whether a path matches a pattern of glob(7), of which configurations use `*`.
fn matches(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<_>, Vec<_>) = (pattern.split('/').collect(), path.split('/').collect());
    pattern.len() == path.len() && pattern.iter().zip(&path).all(|(part, name)| part_matches(part, name))
}

fn part_matches(pattern: &str, name: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else { return pattern == name };
    let Some(rest) = name.strip_prefix(head) else { return false };
    // A leading dot is not matched by a star (glob(7)).
    if head.is_empty() && rest.starts_with('.') {
        return false;
    }
    (0..=rest.len()).any(|at| rest.get(at..).is_some_and(|rest| part_matches(tail, rest)))
}
