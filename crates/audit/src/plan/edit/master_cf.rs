//! `master.cf`: services, and what they override of `main.cf`.

use core::ops::Range;

use super::Clash;
use super::text::{Text, same};
use crate::postfix::parts;

/// A word of a service: where it stands, and what it says.
struct Word {
    line: usize,
    range: Range<usize>,
    text: String,
}

/// An override: the words it is written with, and what it says.
struct Override {
    parts: Vec<(usize, Range<usize>)>,
    name: String,
    value: String,
}

/// Sets an override of a service, or takes it out.
pub(super) fn set(
    file: &str,
    mut text: Text,
    service: &str,
    name: &str,
    value: Option<&str>,
) -> Result<Text, Clash> {
    let Some(lines) = find(&text, service) else {
        return match value {
            Some(_) => Err(Clash::Nowhere { file: file.to_owned(), thing: format!("service {service}") }),
            None => Ok(text),
        };
    };
    let (_, overrides) = told(words(file, &text, &lines)?);
    let mut own: Vec<_> = overrides.into_iter().filter(|known| known.name == name).collect();
    let mut cut: Vec<(usize, Range<usize>, String)> = Vec::new();
    let mut new = None;
    if let Some(value) = value {
        match own.pop() {
            None => new = Some(format!("  {}", written(name, value))),
            Some(last) if same(&last.value, value) => {}
            Some(last) => {
                let mut parts = last.parts.into_iter();
                cut.extend(parts.next().map(|(line, range)| (line, range, written(name, value))));
                cut.extend(parts.map(|(line, range)| (line, range, String::new())));
            }
        }
    }
    let gone = own.into_iter().flat_map(|known| known.parts);
    cut.extend(gone.map(|(line, range)| (line, range, String::new())));
    if let (Some(new), Some(last)) = (new, lines.last()) {
        text.insert(last + 1, [new]);
    }
    Ok(replaced(text, cut))
}

/// Puts a service's line in, in place of its old one whose overrides stay; or takes it out of use.
pub(super) fn service(file: &str, mut text: Text, service: &str, line: Option<&str>) -> Result<Text, Clash> {
    match (line, find(&text, service)) {
        (Some(line), Some(lines)) => return anew(file, text, &lines, line),
        (Some(line), None) => text.push(line),
        (None, _) => {
            for at in all(&text, service).concat() {
                let commented = format!("#{}", text.line(at));
                text.set(at, commented);
            }
        }
    }
    Ok(text)
}

fn anew(file: &str, mut text: Text, lines: &[usize], line: &str) -> Result<Text, Clash> {
    let (plain, overrides) = told(words(file, &text, lines)?);
    if plain.iter().map(|word| word.text.as_str()).eq(line.split_whitespace()) {
        return Ok(text);
    }
    let Some(first) = lines.first() else { return Ok(text) };
    let beside = overrides.iter().filter(|known| known.parts.iter().any(|(at, _)| at == first));
    let new = beside.fold(line.trim_end().to_owned(), |new, known| {
        format!("{new} {}", written(&known.name, &known.value))
    });
    let split = overrides.iter().filter(|known| known.parts.iter().any(|(at, _)| at == first));
    let split = split.flat_map(|known| known.parts.iter().cloned());
    let cut: Vec<_> = plain
        .into_iter()
        .map(|word| (word.line, word.range))
        .chain(split)
        .filter(|(at, _)| at != first)
        .map(|(at, range)| (at, range, String::new()))
        .collect();
    text.set(*first, new);
    Ok(replaced(text, cut))
}

/// The words of a service without its overrides.
pub(super) fn line_of(text: &Text, service: &str) -> Option<Vec<String>> {
    let lines = find(text, service)?;
    let (plain, _) = told(words("master.cf", text, &lines).ok()?);
    Some(plain.into_iter().map(|word| word.text).collect())
}

/// The lines of a service; of the last one, where there are several.
fn find(text: &Text, service: &str) -> Option<Vec<usize>> {
    all(text, service).pop()
}

fn all(text: &Text, service: &str) -> Vec<Vec<usize>> {
    let is = |lines: &Vec<usize>| {
        let joined = text.joined(lines);
        let mut words = joined.split_whitespace();
        words.next().zip(words.next()).is_some_and(|(name, kind)| format!("{name}/{kind}") == service)
    };
    text.logical().into_iter().filter(is).collect()
}

/// The words of a logical line: separated by blanks, except inside braces.
fn words(file: &str, text: &Text, lines: &[usize]) -> Result<Vec<Word>, Clash> {
    let mut words = Vec::new();
    for line in lines {
        let body = text.line(*line);
        let (parts, depth) = parts(body, char::is_whitespace);
        words.extend(parts.into_iter().map(|range| Word {
            line: *line,
            text: body.get(range.clone()).unwrap_or_default().to_owned(),
            range,
        }));
        if depth > 0 {
            return Err(unreadable(file, text, *line));
        }
    }
    match words.last() {
        // An option without a setting, which Postfix does not start with.
        Some(word) if word.text == "-o" => Err(unreadable(file, text, word.line)),
        _ => Ok(words),
    }
}

fn unreadable(file: &str, text: &Text, line: usize) -> Clash {
    Clash::Unreadable { file: file.to_owned(), line: line + 1, text: text.line(line).to_owned() }
}

/// The words that are no override, and the overrides.
fn told(words: Vec<Word>) -> (Vec<Word>, Vec<Override>) {
    let (mut plain, mut overrides) = (Vec::new(), Vec::new());
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let (parts, setting) = match word.text.strip_prefix("-o") {
            None => {
                plain.push(word);
                continue;
            }
            Some("") => match words.next() {
                Some(value) if value.line == word.line => {
                    (vec![(word.line, word.range.start..value.range.end)], value.text)
                }
                Some(value) => (vec![(word.line, word.range), (value.line, value.range)], value.text),
                None => (vec![(word.line, word.range)], String::new()),
            },
            Some(joined) => (vec![(word.line, word.range.clone())], joined.to_owned()),
        };
        let setting = crate::postfix::unbraced(&setting);
        let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
        overrides.push(Override { parts, name: name.trim().to_owned(), value: value.trim().to_owned() });
    }
    (plain, overrides)
}

/// An override as it is written: a value with a blank in it needs braces (master(5), Postfix 3.0).
fn written(name: &str, value: &str) -> String {
    if value.contains(char::is_whitespace) {
        format!("-o {{ {name} = {value} }}")
    } else {
        format!("-o {name}={value}")
    }
}

/// A value without blanks, which docker-mailserver's `postfix-master.cf` does not take.
pub(super) fn unspaced(file: &str, value: &str) -> Result<String, Clash> {
    let elements: Vec<_> = value.split(',').map(str::trim).collect();
    let joined = elements.join(",");
    if joined.contains(char::is_whitespace) {
        return Err(Clash::Unwritable {
            file: file.to_owned(),
            what: value.to_owned(),
            why: "docker-mailserver takes no value with a blank in it",
        });
    }
    Ok(joined)
}

/// The text with parts of its lines replaced; lines of which nothing is left are gone.
fn replaced(mut text: Text, mut parts: Vec<(usize, Range<usize>, String)>) -> Text {
    // From the end, so that what stands before keeps its place.
    parts.sort_by_key(|part| std::cmp::Reverse((part.0, part.1.start)));
    let mut gone = Vec::new();
    for (line, range, new) in parts {
        let body = text.line(line);
        let before = body.get(..range.start).unwrap_or_default();
        let after = body.get(range.end..).unwrap_or_default();
        let before = if new.is_empty() && after.trim().is_empty() { before.trim_end() } else { before };
        let after = if new.is_empty() { after.trim_start() } else { after };
        let body = format!("{before}{new}{after}");
        if body.trim().is_empty() {
            gone.push(line);
        }
        text.set(line, body);
    }
    text.remove(&gone);
    text
}
