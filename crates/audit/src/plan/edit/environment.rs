//! Environment files: `NAME=value` as it stands, without quotes, which `docker run --env-file` would take for part of the value.

use super::text::Text;

/// Sets a variable, or takes its lines out. The last assignment of a name wins.
pub(super) fn set(mut text: Text, name: &str, value: Option<&str>) -> Text {
    let assigns = |(at, line): (usize, &str)| (assigned(line)? == name).then_some(at);
    let mut own: Vec<usize> = text.lines().filter_map(assigns).collect();
    if let Some(value) = value {
        let line = format!("{name}={value}");
        match own.pop() {
            Some(last) if is_set(text.line(last), value) => {}
            Some(last) => text.set(last, line),
            None => text.push(line),
        }
    }
    text.remove(&own);
    text
}

fn assigned(line: &str) -> Option<&str> {
    let line = line.trim_start_matches('\u{feff}').trim_start();
    let (name, _) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
    Some(name.trim())
}

fn is_set(line: &str, value: &str) -> bool {
    line.split_once('=').is_some_and(|(_, now)| now.trim().trim_matches(['"', '\'']) == value)
}
