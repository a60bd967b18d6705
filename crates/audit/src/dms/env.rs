//! Environment files as docker compose reads them.

/// An assignment of an environment file, or of `environment:` of a compose file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The variable.
    pub name: String,
    /// Its value without quotes.
    pub value: String,
    /// Where it stands: `mailserver.env:12`.
    pub place: String,
    /// The line as it stands, which a remedy takes out.
    pub line: String,
}

/// The assignments of a file, in its order; the last of a name wins.
pub(super) fn read(file: &str, text: &str) -> Vec<Assignment> {
    text.lines()
        .enumerate()
        .filter_map(|(number, line)| assignment(&format!("{file}:{}", number + 1), line))
        .collect()
}

fn assignment(place: &str, line: &str) -> Option<Assignment> {
    let line = line.trim_start_matches('\u{feff}');
    let content = line.trim_start();
    let content = content.strip_prefix("export ").unwrap_or(content);
    if content.starts_with('#') {
        return None;
    }
    let (name, value) = content.split_once('=')?;
    let name = name.trim_end();
    let named = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    named.then(|| Assignment {
        name: name.to_owned(),
        value: unquoted(value),
        place: place.to_owned(),
        line: line.to_owned(),
    })
}

/// A value without quotes, or without the comment that a blank and `#` begin.
fn unquoted(value: &str) -> String {
    let value = value.trim();
    for quote in ['"', '\''] {
        if let Some((inner, _)) = value.strip_prefix(quote).and_then(|rest| rest.split_once(quote)) {
            return inner.to_owned();
        }
    }
    let comment = value.find(" #").or_else(|| value.starts_with('#').then_some(0));
    comment.map_or(value, |at| value.get(..at).unwrap_or(value)).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_what_compose_makes_of_them() {
        let text = "# A=0\nA=1\n  export B = two words \nC=\"a # b\" # c\nD=x # y\nE='it'\nF=\nno assignment\nG=#h\n9-x=1\n";
        let read: Vec<_> =
            read("f", text).into_iter().map(|a| format!("{} {}={}", a.place, a.name, a.value)).collect();
        assert_eq!(
            read,
            ["f:2 A=1", "f:3 B=two words", "f:4 C=a # b", "f:5 D=x", "f:6 E=it", "f:7 F=", "f:9 G="]
        );
    }
}
