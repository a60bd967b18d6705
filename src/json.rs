//! JSON that stays on one line for every reader, and steers no terminal: some split lines at U+0085, U+2028 and U+2029, some obey
//! U+009B as they obey ESC [, and marks of direction show text in another order than it has.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// Writes a value compactly, with such characters escaped.
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
        while let Some(at) = rest.find(is_escaped) {
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

fn is_escaped(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_steers_a_terminal_is_escaped_and_read_back() {
        let text = "a\u{9b}31m\u{7f}\u{202e}\u{2066}\u{200f}b";
        let json = super::to_string(&text).unwrap();
        assert_eq!(json, r#""a\u009b31m\u007f\u202e\u2066\u200fb""#);
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }

    #[test]
    fn line_separators_are_escaped_and_read_back() {
        let text = "a\u{2028}b\u{85}\u{2029}c\n\"é\"";
        let json = super::to_string(&text).unwrap();
        assert_eq!(json, r#""a\u2028b\u0085\u2029c\n\"é\"""#);
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }
}
