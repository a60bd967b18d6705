//! The tree that `doveconf` prints, and that configuration files hold.

use std::collections::BTreeMap;

/// A section: `service auth { ... }`, or the whole configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// Its first word: `service`; empty for the whole.
    pub kind: String,
    /// What follows it: `auth`, `192.0.2.0/24`; empty where it has no name.
    pub name: String,
    /// Its own settings, in order.
    pub settings: Vec<(String, String)>,
    /// The sections in it, in order.
    pub blocks: Vec<Block>,
}

/// A line of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    /// Nothing, or a comment.
    Blank,
    /// `kind name {`.
    Open(&'a str, String),
    /// `}`.
    Close,
    /// `key = value`.
    Set(&'a str, String),
    /// `!include path`.
    Include(&'a str),
    /// What Dovecot would refuse.
    Other,
}

/// Sections that narrow where their settings hold; all others make things of their own.
const FILTERS: [&str; 4] = ["protocol", "local", "remote", "local_name"];

/// Sections without a name that are things of their own: two of them are two things.
const THINGS: [&str; 6] = ["passdb", "userdb", "namespace", "service", "inet_listener", "plugin"];

impl Block {
    /// Reads what `doveconf` printed.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut open = vec![Self::default()];
        for line in text.lines() {
            match Line::read(line) {
                Line::Open(kind, name) => {
                    open.push(Self { kind: kind.to_owned(), name, ..Self::default() });
                }
                Line::Close => close(&mut open),
                Line::Set(key, value) => {
                    if let Some(block) = open.last_mut() {
                        block.settings.push((key.to_owned(), value));
                    }
                }
                _ => {}
            }
        }
        while open.len() > 1 {
            close(&mut open);
        }
        open.pop().unwrap_or_default()
    }

    /// What a setting of this very section is, the last one if there are several.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.settings.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The sections of a kind in it.
    pub fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Self> {
        self.blocks.iter().filter(move |block| block.kind == kind)
    }

    /// How it is written: `protocol imap`.
    #[must_use]
    pub fn title(&self) -> String {
        if self.name.is_empty() { self.kind.clone() } else { format!("{} {}", self.kind, self.name) }
    }

    /// Whether it narrows where its settings hold.
    #[must_use]
    pub fn narrows(&self) -> bool {
        FILTERS.contains(&self.kind.as_str())
    }

    /// Its settings by name, with those of `plugin` (2.3), of named filters (2.4: `ssl_server { cert_file }` is
    /// `ssl_server_cert_file`) and of lists (2.4: `protocols { imap = yes }` is `protocols = imap`).
    pub(crate) fn flat(&self) -> BTreeMap<String, String> {
        let mut all: BTreeMap<_, _> = self.settings.iter().cloned().collect();
        for block in self.blocks.iter().filter(|block| block.kind == "plugin") {
            all.extend(block.settings.iter().cloned());
        }
        for block in self.blocks.iter().filter(|block| block.name.is_empty() && !block.is_thing()) {
            let listed =
                block.settings.iter().filter(|(_, value)| value == "yes").map(|(key, _)| key.as_str());
            all.entry(block.kind.clone()).or_insert_with(|| listed.collect::<Vec<_>>().join(" "));
            for (key, value) in block.flat() {
                all.insert(format!("{}_{key}", block.kind), value);
            }
        }
        all
    }

    fn is_thing(&self) -> bool {
        self.narrows() || THINGS.contains(&self.kind.as_str())
    }
}

fn close(open: &mut Vec<Block>) {
    if open.len() > 1
        && let Some(done) = open.pop()
        && let Some(parent) = open.last_mut()
    {
        parent.blocks.push(done);
    }
}

impl<'a> Line<'a> {
    /// Reads a line.
    pub(crate) fn read(line: &'a str) -> Self {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return Self::Blank;
        }
        if line.starts_with('}') {
            return Self::Close;
        }
        if let Some(rest) = line.strip_prefix("!include") {
            return Self::Include(uncommented(rest.strip_prefix("_try").unwrap_or(rest)).trim());
        }
        match line.split_once('=') {
            // A key has no blank; what has one is a section whose name holds a `=`.
            Some((key, value)) if is_key(key.trim()) => Self::Set(key.trim(), unquoted(value)),
            _ => Self::section(uncommented(line).trim()),
        }
    }

    fn section(line: &'a str) -> Self {
        let Some(head) = line.strip_suffix('{').map(str::trim) else { return Self::Other };
        let (kind, name) = head.split_once(char::is_whitespace).unwrap_or((head, ""));
        Self::Open(kind, unquoted(name))
    }
}

/// What `doveconf` printed, once a setting is changed.
pub(crate) fn with(printed: &str, blocks: &[String], name: &str, value: &str) -> String {
    let mut tree = Block::parse(printed);
    // `$name` is the value so far.
    let before = tree.get(name).unwrap_or_default().to_owned();
    let value = value.replace(&format!("${name}"), &before);
    crate::plan::edit::put(&mut tree, blocks, name, value.trim());
    let comments = printed.lines().take_while(|line| line.starts_with('#'));
    comments.map(|line| format!("{line}\n")).collect::<String>() + &tree.to_string()
}

impl core::fmt::Display for Block {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for (name, value) in &self.settings {
            writeln!(f, "{name} = {}", crate::plan::edit::quoted(value))?;
        }
        for block in &self.blocks {
            writeln!(f, "{} {{\n{block}}}", block.title())?;
        }
        Ok(())
    }
}

/// Whether a line is one that [`Block::parse`] keeps, or nothing.
pub(crate) fn is_understood(line: &str) -> bool {
    matches!(Line::read(line), Line::Open(..) | Line::Close | Line::Set(..)) || line.trim().is_empty()
}

fn is_key(key: &str) -> bool {
    !key.is_empty() && !key.contains(char::is_whitespace)
}

/// What stands before a comment: `#` after a blank begins one.
fn uncommented(text: &str) -> &str {
    let comment = text.char_indices().find(|(at, c)| {
        *c == '#'
            && text
                .get(..*at)
                .is_some_and(|before| before.ends_with(char::is_whitespace) || before.is_empty())
    });
    comment.and_then(|(at, _)| text.get(..at)).unwrap_or(text)
}

/// A value as Dovecot takes it: without quotes, escapes and a comment behind it.
fn unquoted(text: &str) -> String {
    let text = text.trim();
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''));
    let Some(quote) = quote else { return without_comment(text) };
    let mut value = String::new();
    let mut rest = text.chars().skip(1);
    while let Some(c) = rest.next() {
        match c {
            '\\' => value.extend(rest.next()),
            c if c == quote => return value,
            c => value.push(c),
        }
    }
    text.to_owned()
}

/// `doveconf` shows what it hides as a comment, which is the value then.
fn without_comment(text: &str) -> String {
    if text.starts_with("# hidden") { text.to_owned() } else { uncommented(text).trim_end().to_owned() }
}
