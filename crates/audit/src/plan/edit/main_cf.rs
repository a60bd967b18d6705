//! `main.cf`: the last assignment of a parameter wins; it stays where it is and takes the new value, earlier ones go.

use super::text::{Text, same};

/// Sets a parameter, or takes its assignments out.
pub(super) fn set(mut text: Text, name: &str, value: Option<&str>, equals: &str) -> Text {
    let assigns = |lines: &Vec<usize>| {
        let joined = text.joined(lines);
        joined.split_once('=').is_some_and(|(known, _)| known.trim() == name)
    };
    let mut own: Vec<_> = text.logical().into_iter().filter(assigns).collect();
    if let Some(value) = value {
        let line = format!("{name}{equals}{value}").trim_end().to_owned();
        match own.pop() {
            None => text.push(line),
            Some(last) => replace(&mut text, &mut own, &last, value, line),
        }
    }
    text.remove(&own.concat());
    text
}

/// The assignment that holds says `value`; the lines that continue it are gone, too.
fn replace(text: &mut Text, gone: &mut Vec<Vec<usize>>, lines: &[usize], value: &str, line: String) {
    let joined = text.joined(lines);
    let (Some((_, now)), Some((first, rest))) = (joined.split_once('='), lines.split_first()) else { return };
    if !same(now, value) {
        text.set(*first, line);
        gone.push(rest.to_vec());
    }
}

/// What a parameter is set to, its lines joined.
pub(super) fn get(text: &Text, name: &str) -> Option<String> {
    let logical = text.logical();
    let values = logical.iter().rev().filter_map(|lines| {
        let joined = text.joined(lines);
        let (known, value) = joined.split_once('=')?;
        (known.trim() == name).then(|| value.trim().to_owned())
    });
    values.into_iter().next()
}
