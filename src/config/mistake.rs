//! Mistakes in the configuration, each with its place, what was given, and what would be right.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use mailward_model::Text;
use serde::Serialize;

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Mistake {
    /// From 1.
    pub(crate) line: usize,
    /// From 1, in characters.
    pub(crate) column: usize,
    /// What is wrong.
    pub(crate) problem: String,
    /// What would be right; empty where the problem says it.
    pub(crate) help: String,
    /// The line as it stands in the file.
    pub(crate) given: String,
    /// How many characters of it are wrong, at least 1.
    pub(crate) width: usize,
}

impl Mistake {
    /// With the file's name, the line and a mark under what is wrong.
    pub(crate) fn shown<'a>(&'a self, path: &'a Path) -> impl fmt::Display + 'a {
        Shown { mistake: self, path }
    }
}

struct Shown<'a> {
    mistake: &'a Mistake,
    path: &'a Path,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mistake { line, column, problem, help, given, width } = self.mistake;
        writeln!(f, "{}:{line}:{column}: {problem}", self.path.display())?;
        let margin = line.to_string().len().max(3);
        writeln!(f, "  {line:>margin$} | {given}")?;
        writeln!(f, "  {:margin$} | {:before$}{}", "", "", "^".repeat(*width), before = column - 1)?;
        if help.is_empty() { Ok(()) } else { writeln!(f, "  {:margin$} = {help}", "") }
    }
}

/// Collects mistakes over a text.
#[derive(Debug)]
pub(super) struct Mistakes<'a> {
    text: &'a str,
    found: Vec<(Range<usize>, Mistake)>,
}

impl<'a> Mistakes<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, found: Vec::new() }
    }

    /// Something is wrong with these bytes of the text.
    pub(super) fn add(&mut self, at: Range<usize>, problem: impl Into<String>, help: impl Into<String>) {
        let start = floor(self.text, at.start);
        let before = self.text.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line_text = self.text.get(line_start..).unwrap_or_default().lines().next().unwrap_or_default();
        let column = self.text.get(line_start..start).unwrap_or_default().chars().count() + 1;
        let rest = line_text.chars().count().saturating_sub(column - 1);
        let wide = self.text.get(start..floor(self.text, at.end)).unwrap_or_default().chars().count();
        let mistake = Mistake {
            line: before.matches('\n').count() + 1,
            column,
            problem: escaped(&problem.into()),
            help: escaped(&help.into()),
            given: escaped(&line_text.replace('\t', " ")),
            width: wide.min(rest).max(1),
        };
        self.found.push((at, mistake));
    }

    /// What stands there, on one line and not too long.
    pub(super) fn given(&self, at: Range<usize>) -> String {
        let text = self.text.get(floor(self.text, at.start)..floor(self.text, at.end)).unwrap_or_default();
        let line = text.lines().next().unwrap_or_default();
        let short: String = line.chars().take(60).collect();
        let more = if short.len() < text.trim_end().len() { "…" } else { "" };
        format!("{}{more}", Text::from(short.as_str()))
    }

    /// Whether something is wrong in a line already.
    pub(super) fn is_wrong(&self, at: &Range<usize>) -> bool {
        let line = |place: usize| {
            self.text.get(..floor(self.text, place)).unwrap_or_default().matches('\n').count() + 1
        };
        self.found.iter().any(|(_, mistake)| mistake.line == line(at.start))
    }

    /// All of them, in the order of the file.
    pub(super) fn finish(mut self) -> Vec<Mistake> {
        self.found.sort_by_key(|(at, _)| at.start);
        self.found.into_iter().map(|(_, mistake)| mistake).collect()
    }
}

/// The file may be anybody's: nothing in it steers a terminal.
fn escaped(text: &str) -> String {
    Text::from(text).to_string()
}

/// The place, or the last one before it where a character begins.
fn floor(text: &str, place: usize) -> usize {
    let mut place = place.min(text.len());
    while !text.is_char_boundary(place) {
        place -= 1;
    }
    place
}

/// The name that somebody may have meant.
pub(super) fn meant<'n>(given: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let given = given.to_lowercase().replace('_', "-");
    names
        .into_iter()
        .map(|name| (distance(&given, name), name))
        .filter(|(far, name)| *far <= (name.chars().count() / 3).max(1))
        .min()
        .map(|(_, name)| name)
}

/// How many characters must be changed, left out, put in, or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut previous = None;
    for (row, x) in a.chars().enumerate() {
        let mut next = vec![row + 1];
        for (place, y) in b.iter().enumerate() {
            let at = |line: &[usize], place: usize| line.get(place).copied().unwrap_or(usize::MAX - 1);
            let mut least = (at(&next, place) + 1)
                .min(at(&last, place + 1) + 1)
                .min(at(&last, place) + usize::from(x != *y));
            let swapped = place > 0 && previous == Some(*y) && b.get(place - 1) == Some(&x);
            if swapped {
                least = least.min(at(&before, place - 1) + 1);
            }
            next.push(least);
        }
        (before, last, previous) = (last, next, Some(x));
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, far) in [
            ("mode", "mode", 0),
            ("moed", "mode", 1),
            ("mod", "mode", 1),
            ("modes", "mode", 1),
            ("node", "mode", 1),
            ("", "mode", 4),
            ("files", "rules", 2),
        ] {
            assert_eq!(distance(a, b), far, "{a} {b}");
            assert_eq!(distance(b, a), far, "{b} {a}");
        }
    }

    #[test]
    fn only_near_names_are_suggested() {
        let names = ["mode", "state-directory", "socket"];
        for (given, name) in [
            ("moed", Some("mode")),
            ("State_Directory", Some("state-directory")),
            ("statedir", None),
            ("port", None),
            ("sockets", Some("socket")),
        ] {
            assert_eq!(meant(given, names), name, "{given}");
        }
    }
}
