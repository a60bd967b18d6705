//! The text of main.cf and of files written like it, and how Postfix splits its lists. See postconf(5), "FILE FORMAT".

use core::ops::Range;

/// An assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The parameter.
    pub name: String,
    /// What it is set to, with its lines joined.
    pub value: String,
    /// The line it begins at, counted from 1.
    pub line: usize,
}

/// A logical line: one that begins with text, with those after it that begin with a blank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logical {
    /// Its text.
    pub text: String,
    /// The line it begins at, counted from 1.
    pub line: usize,
}

/// What a file like main.cf holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MainCf {
    /// Its assignments, in order.
    pub assignments: Vec<Assignment>,
    /// Its lines that are none: at the first one every Postfix program gives up.
    pub broken: Vec<Logical>,
}

impl MainCf {
    /// Reads a text.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut read = Self::default();
        for logical in logical_lines(text) {
            match assignment(&logical) {
                Some(assignment) => read.assignments.push(assignment),
                None => read.broken.push(logical),
            }
        }
        read
    }

    /// The assignments of a parameter; the last one wins.
    pub fn of<'a>(&'a self, name: &'a str) -> impl DoubleEndedIterator<Item = &'a Assignment> {
        self.assignments.iter().filter(move |assignment| assignment.name == name)
    }
}

fn assignment(logical: &Logical) -> Option<Assignment> {
    let (name, value) = logical.text.split_once('=')?;
    let (name, value) = (name.trim(), value.trim());
    let sound = !name.is_empty() && !name.contains(char::is_whitespace);
    sound.then(|| Assignment { name: name.to_owned(), value: value.to_owned(), line: logical.line })
}

/// The logical lines of a text. Empty lines and comments are skipped, between a line and its continuation too.
#[must_use]
pub fn logical_lines(text: &str) -> Vec<Logical> {
    let mut lines: Vec<Logical> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let stripped = line.trim();
        if stripped.is_empty() || stripped.starts_with('#') {
            continue;
        }
        match lines.last_mut() {
            Some(last) if line.starts_with(char::is_whitespace) => {
                last.text.push(' ');
                last.text.push_str(stripped);
            }
            _ => lines.push(Logical { text: stripped.to_owned(), line: index + 1 }),
        }
    }
    lines
}

/// The elements of a list: separated by commas and blanks, except inside braces.
#[must_use]
pub fn elements(list: &str) -> Vec<&str> {
    split(list, |c| c == ',' || c.is_ascii_whitespace())
}

/// The words of a line: separated by blanks, except inside braces.
#[must_use]
pub(super) fn words(line: &str) -> Vec<&str> {
    split(line, |c| c.is_ascii_whitespace())
}

fn split(text: &str, separates: impl Fn(char) -> bool) -> Vec<&str> {
    parts(text, separates).0.into_iter().filter_map(|range| text.get(range)).collect()
}

/// Where the parts lie, separated except inside braces, and how many braces were not closed.
pub(crate) fn parts(text: &str, separates: impl Fn(char) -> bool) -> (Vec<Range<usize>>, usize) {
    let (mut parts, mut start, mut depth) = (Vec::new(), None, 0_usize);
    for (at, c) in text.char_indices() {
        if depth == 0 && separates(c) {
            parts.extend(start.take().map(|start| start..at));
            continue;
        }
        start.get_or_insert(at);
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    parts.extend(start.map(|start| start..text.len()));
    (parts, depth)
}

/// What stands between a pair of braces around the whole text, without blanks at its ends; the text itself if there is none.
#[must_use]
pub fn unbraced(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).map_or(text, str::trim)
}

/// Whether a value means yes; none if it is no boolean.
#[must_use]
pub fn boolean(value: &str) -> Option<bool> {
    match value.trim() {
        yes if yes.eq_ignore_ascii_case("yes") => Some(true),
        no if no.eq_ignore_ascii_case("no") => Some(false),
        _ => None,
    }
}

/// A time in seconds: `5d`, `300s`, and a number without a unit in `unit`; none if it is no time.
#[must_use]
pub fn seconds(value: &str, unit: char) -> Option<u64> {
    let value = value.trim();
    let digits = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    let (number, written) = value.split_at_checked(digits)?;
    let mut written = written.chars();
    let unit = written.next().unwrap_or(unit);
    let factor = match (unit, written.next()) {
        ('s', None) => 1,
        ('m', None) => 60,
        ('h', None) => 3600,
        ('d', None) => 86_400,
        ('w', None) => 604_800,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}
