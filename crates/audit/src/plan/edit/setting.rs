//! Settings of programs other than Postfix and Dovecot.

use core::ops::Range;

use super::Format;
use super::lines::is_true;
use super::text::Text;

/// Sets a setting, or takes its lines out.
pub(super) fn set(format: Format, mut text: Text, section: &str, name: &str, value: Option<&str>) -> Text {
    let part = match (format, value) {
        (Format::Sections, Some(_)) => Some(part_of(&mut text, section)),
        (Format::Sections, None) => find(&text, section),
        _ => Some(0..text.len()),
    };
    let Some(part) = part else { return text };
    let sets = |(at, line): (usize, &str)| {
        (part.contains(&at) && value_of(format, line, name).is_some()).then_some(at)
    };
    let mut own: Vec<usize> = text.lines().filter_map(sets).collect();
    if let Some(value) = value {
        match own.pop() {
            Some(last) if value_of(format, text.line(last), name) == Some(value) => {}
            Some(last) => {
                own.extend(continued(format, &text, last));
                text.set(last, format.line(name, value));
            }
            None => {
                let at = end(format, &text, &part);
                text.insert(at, [format.line(name, value)]);
            }
        }
    }
    let more: Vec<_> = own.iter().flat_map(|at| continued(format, &text, *at)).collect();
    text.remove(&[own, more].concat());
    text
}

/// What a line sets a name to; none if it does not.
fn value_of<'a>(format: Format, line: &'a str, name: &str) -> Option<&'a str> {
    let line = line.trim();
    if line.starts_with(['#', ';']) {
        return None;
    }
    let rest = match format {
        // Names of OpenDKIM, OpenDMARC and clamd have no case.
        Format::Words => {
            let head = line.get(..name.len()).filter(|head| head.eq_ignore_ascii_case(name))?;
            line.get(head.len()..).filter(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))?
        }
        _ => line.strip_prefix(name)?.trim_start().strip_prefix('=')?,
    };
    let rest = rest.trim();
    if format != Format::Statements {
        return Some(rest);
    }
    // A statement that goes on in the next line stays; one behind it wins.
    let statement = rest.rsplit_once('#').map_or(rest, |(statement, _)| statement).trim_end();
    statement.strip_suffix(';').or_else(|| rest.strip_suffix(';')).map(str::trim_end)
}

/// The lines that continue a line: in files with sections those that begin with a blank.
fn continued(format: Format, text: &Text, at: usize) -> Vec<usize> {
    if format != Format::Sections {
        return Vec::new();
    }
    let more = text.lines().skip(at + 1);
    more.take_while(|(_, line)| line.starts_with(char::is_whitespace) && !line.trim().is_empty())
        .map(|(at, _)| at)
        .collect()
}

impl Format {
    /// How a setting is written.
    pub(crate) fn line(self, name: &str, value: &str) -> String {
        match self {
            Self::Words => format!("{name} {value}").trim_end().to_owned(),
            Self::Statements => format!("{name} = {value};"),
            _ => format!("{name} = {value}").trim_end().to_owned(),
        }
    }
}

/// The lines below a section's head; the last one of that name is the one that counts.
fn find(text: &Text, section: &str) -> Option<Range<usize>> {
    let is_head = |line: &str| line.trim_start().starts_with('[') && line.trim_end().ends_with(']');
    let is_own = |line: &str| line.trim().trim_matches(['[', ']']).trim() == section;
    let (head, _) = text.lines().rev().find(|(_, line)| is_head(line) && is_own(line))?;
    let next = text.lines().skip(head + 1).find(|(_, line)| is_head(line));
    Some(head + 1..next.map_or(text.len(), |(at, _)| at))
}

fn part_of(text: &mut Text, section: &str) -> Range<usize> {
    find(text, section).unwrap_or_else(|| {
        text.push(format!("[{section}]"));
        text.len()..text.len()
    })
}

/// Where a new line goes: behind the last line that says something.
fn end(format: Format, text: &Text, part: &Range<usize>) -> usize {
    let last = text.lines().rev().find(|(at, line)| part.contains(at) && !line.trim().is_empty());
    match last {
        Some((at, line)) if format == Format::Statements && is_true(line) => at,
        Some((at, _)) if format == Format::Sections => at + 1,
        None if format == Format::Sections => part.start,
        _ => part.end,
    }
}
