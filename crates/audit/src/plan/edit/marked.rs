//! Files that a person keeps, with a part of ours at their end: `# BEGIN Mailward` to `# END Mailward`.

use super::main_cf;
use super::text::{Text, same};

const BEGIN: &str = "# BEGIN Mailward";
const END: &str = "# END Mailward";

/// A file in which a part is ours.
pub(super) struct Marked {
    /// Everything else.
    pub(super) rest: Text,
    /// Ours, without the marks.
    pub(super) own: Text,
    /// Before which line of the rest it stands, if it is there.
    at: Option<usize>,
}

impl Marked {
    pub(super) fn read(mut text: Text) -> Self {
        let begins = |line: &str| line.trim() == BEGIN;
        let ends = |line: &str| line.trim() == END;
        let begin_of = |end: usize| text.lines().take(end).filter(|(_, line)| begins(line)).last();
        let part =
            text.lines().filter(|(_, line)| ends(line)).find_map(|(end, _)| Some((begin_of(end)?.0, end)));
        let Some((begin, end)) = part else { return Self::without(text) };
        let mut own = text.take(begin..end + 1);
        own.remove(&[0, own.len() - 1]);
        Self { rest: text, own, at: Some(begin) }
    }

    fn without(rest: Text) -> Self {
        Self { rest, own: Text::read(""), at: None }
    }

    /// Whether nothing that counts stands behind it.
    pub(super) fn is_last(&self) -> bool {
        self.at.is_some_and(|at| {
            self.rest.lines().skip(at).all(|(_, line)| line.trim().is_empty() || line.trim().starts_with('#'))
        })
    }

    /// Puts it at the end.
    pub(super) fn move_to_end(&mut self) {
        self.at = None;
    }

    /// The line of the file that our first line is, from 1.
    pub(super) fn first_line(&self) -> usize {
        self.at.map_or(1, |at| at + 2)
    }

    pub(super) fn into_text(self) -> Text {
        let Self { mut rest, own, at } = self;
        if own.is_empty() {
            return rest;
        }
        let at = at.unwrap_or(rest.len());
        rest.insert(at, [BEGIN.to_owned(), END.to_owned()]);
        rest.put(at + 1, own);
        rest
    }
}

/// Sets a name in our part, and takes what was said of it elsewhere out, so that one value stands.
pub(super) fn set(text: Text, name: &str, value: Option<&str>, equals: &str) -> Text {
    let mut marked = Marked::read(text.clone());
    let outside = main_cf::get(&marked.rest, name);
    if let (Some(wanted), Some(now), None) = (value, &outside, main_cf::get(&marked.own, name))
        && same(wanted, now)
    {
        // The person said so himself.
        return text;
    }
    if outside.is_some() {
        marked.at = marked.at.map(|at| at - lines_of(&marked.rest, name, at));
        marked.rest = main_cf::set(marked.rest, name, None, equals);
    }
    let own = main_cf::set(marked.own.clone(), name, value, equals);
    if own == marked.own && outside.is_none() {
        return text;
    }
    marked.own = own;
    marked.into_text()
}

/// How many lines before line `at` assign a name.
fn lines_of(text: &Text, name: &str, at: usize) -> usize {
    let logical = text.logical();
    let own = logical
        .iter()
        .filter(|lines| text.joined(lines).split_once('=').is_some_and(|(known, _)| known.trim() == name));
    own.flatten().filter(|line| **line < at).count()
}
