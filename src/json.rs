//! JSON that stays on one line for every reader: some split lines at U+0085, U+2028 and U+2029, too.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// Writes a value compactly, with those three characters escaped.
pub(crate) fn to_writer(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    value.serialize(&mut Serializer::with_formatter(out, OneLine)).map_err(io::Error::from)
}

/// A value as text.
pub(crate) fn to_string(value: &impl Serialize) -> io::Result<String> {
    let mut text = Vec::new();
    to_writer(&mut text, value)?;
    String::from_utf8(text).map_err(io::Error::other)
}

struct OneLine;

impl Formatter for OneLine {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(['\u{85}', '\u{2028}', '\u{2029}']) {
            let (before, after) = rest.split_at(at);
            out.write_all(before.as_bytes())?;
            let mut chars = after.chars();
            let code = chars.next().map_or(0, u32::from);
            write!(out, "\\u{code:04x}")?;
            rest = chars.as_str();
        }
        out.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn line_separators_are_escaped_and_read_back() {
        let text = "a\u{2028}b\u{85}\u{2029}c\n\"é\"";
        let json = super::to_string(&text).unwrap();
        assert_eq!(json, r#""a\u2028b\u0085\u2029c\n\"é\"""#);
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }
}
