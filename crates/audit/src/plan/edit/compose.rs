//! The mail server's `environment:` in a compose file.

use super::Clash;
use super::text::Text;
use crate::dms::Compose;

/// Sets a variable that the file sets, takes it out, or puts it in behind the others.
pub(super) fn set(file: &str, text: &str, name: &str, value: Option<&str>) -> Result<Text, Clash> {
    let nowhere = |thing: &str| Clash::Nowhere { file: file.to_owned(), thing: thing.to_owned() };
    let compose = Compose::read(file, text, &[]).ok().flatten();
    let compose = compose.ok_or_else(|| nowhere("service with docker-mailserver"))?;
    let known = compose.environment();
    let line_of = |place: &str| place.rsplit(':').next()?.parse::<usize>().ok()?.checked_sub(1);
    let mut own: Vec<_> = known.iter().filter(|set| set.name == name).collect();
    let mut text = Text::read(text);
    if let Some(value) = value {
        let last = own.pop();
        if last.is_some_and(|set| set.value == value) {
            return Ok(text);
        }
        let model = last.or_else(|| known.last()).and_then(|set| line_of(&set.place));
        let Some(at) = model else { return Err(nowhere("`environment:` with a variable in it")) };
        let line = written(text.line(at), name, value);
        let line = line.ok_or_else(|| Clash::Unreadable {
            file: file.to_owned(),
            line: at + 1,
            text: text.line(at).to_owned(),
        })?;
        match last {
            Some(_) => text.set(at, line),
            None => text.insert(at + 1, [line]),
        }
    }
    let gone: Vec<_> = own.iter().filter_map(|set| line_of(&set.place)).collect();
    text.remove(&gone);
    Ok(text)
}

/// An assignment in the style of another line: `- NAME=value`, or `NAME: "value"`; none if that line holds more than one.
fn written(model: &str, name: &str, value: &str) -> Option<String> {
    let content = model.trim_start();
    let indent = model.get(..model.len() - content.len())?;
    if content.starts_with(['{', '[']) || content.starts_with("environment") {
        return None;
    }
    let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
    Some(match content.strip_prefix('-') {
        Some(_) if value.contains([' ', '#', ':', '"']) => format!("{indent}- \"{name}={quoted}\""),
        Some(_) => format!("{indent}- {name}={value}"),
        None => format!("{indent}{name}: \"{quoted}\""),
    })
}
