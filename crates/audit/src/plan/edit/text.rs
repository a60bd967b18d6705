//! A text as lines that keep their own ends.

use core::fmt;
use core::ops::Range;

/// A text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Text {
    lines: Vec<Line>,
    /// How a new line ends: as the first one does.
    end: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    body: String,
    end: &'static str,
}

impl Text {
    pub(super) fn read(text: &str) -> Self {
        let lines: Vec<_> = text.split_inclusive('\n').map(Line::read).collect();
        let end = lines.first().map_or("\n", |line| line.end);
        Self { lines, end: if end.is_empty() { "\n" } else { end } }
    }

    /// The lines without their ends, numbered from 0.
    pub(super) fn lines(&self) -> impl DoubleEndedIterator<Item = (usize, &str)> {
        self.lines.iter().enumerate().map(|(at, line)| (at, line.body.as_str()))
    }

    pub(super) fn line(&self, at: usize) -> &str {
        self.lines.get(at).map_or("", |line| line.body.as_str())
    }

    pub(super) const fn len(&self) -> usize {
        self.lines.len()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub(super) fn set(&mut self, at: usize, body: String) {
        if let Some(line) = self.lines.get_mut(at) {
            line.body = body;
        }
    }

    /// Puts lines in before line `at`, or behind all.
    pub(super) fn insert(&mut self, at: usize, bodies: impl IntoIterator<Item = String>) {
        let at = at.min(self.lines.len());
        let end = self.end;
        if at == self.lines.len()
            && let Some(last) = self.lines.last_mut()
            && last.end.is_empty()
        {
            last.end = end;
        }
        self.lines.splice(at..at, bodies.into_iter().map(|body| Line { body, end }));
    }

    pub(super) fn push(&mut self, body: impl Into<String>) {
        self.insert(self.lines.len(), [body.into()]);
    }

    /// Takes lines out.
    pub(super) fn remove(&mut self, gone: &[usize]) {
        let mut at = 0;
        self.lines.retain(|_| {
            at += 1;
            !gone.contains(&(at - 1))
        });
    }

    /// Takes a part out, as a text of its own.
    pub(super) fn take(&mut self, range: Range<usize>) -> Self {
        let range = range.start.min(self.lines.len())..range.end.min(self.lines.len());
        Self { lines: self.lines.splice(range, []).collect(), end: self.end }
    }

    /// Puts a text in before line `at`, or behind all.
    pub(super) fn put(&mut self, at: usize, text: Self) {
        let end = self.end;
        let whole = |line: Line| Line { end: if line.end.is_empty() { end } else { line.end }, ..line };
        let at = at.min(self.lines.len());
        self.lines.splice(at..at, text.lines.into_iter().map(whole));
    }

    /// The logical lines of Postfix's files, each as the numbers of its lines: those that begin with a blank continue one; empty
    /// lines and comments count for nothing, in between too.
    pub(super) fn logical(&self) -> Vec<Vec<usize>> {
        let mut found: Vec<Vec<usize>> = Vec::new();
        for (at, line) in self.lines() {
            let content = line.trim();
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            match found.last_mut() {
                Some(last) if line.starts_with(char::is_whitespace) => last.push(at),
                // A continuation of nothing.
                None if line.starts_with(char::is_whitespace) => {}
                _ => found.push(vec![at]),
            }
        }
        found
    }

    /// A logical line's text.
    pub(super) fn joined(&self, lines: &[usize]) -> String {
        lines.iter().map(|at| self.line(*at).trim()).collect::<Vec<_>>().join(" ")
    }
}

impl Line {
    fn read(line: &str) -> Self {
        let (body, end) = match line.strip_suffix('\n') {
            Some(body) => body.strip_suffix('\r').map_or((body, "\n"), |body| (body, "\r\n")),
            None => (line, ""),
        };
        Self { body: body.to_owned(), end }
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| write!(f, "{}{}", line.body, line.end))
    }
}

/// Whether two values are the same but for blanks, which no program here distinguishes.
pub(super) fn same(one: &str, other: &str) -> bool {
    one.split_whitespace().eq(other.split_whitespace())
}
