//! Text that cannot steer the medium it is shown in.

use core::fmt;

/// Text in which everything invisible is written out: an attacker chose parts of it. Control bytes would steer a
/// terminal, and characters that turn the direction of writing or have no width would make it read as something else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown(String);

impl Shown {
    /// The escaped text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// At most so many characters; an ellipsis stands for the rest.
    #[must_use]
    pub fn clipped(self, most: usize) -> Self {
        match self.0.char_indices().nth(most) {
            None => self,
            Some(_) => Self(self.0.chars().take(most.saturating_sub(1)).chain(['…']).collect()),
        }
    }
}

impl From<&str> for Shown {
    fn from(text: &str) -> Self {
        if !text.chars().any(is_invisible) {
            return Self(text.to_owned());
        }
        let mut shown = String::with_capacity(text.len() + 8);
        for c in text.chars() {
            if is_invisible(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
        }
        Self(shown)
    }
}

impl From<String> for Shown {
    fn from(text: String) -> Self {
        if text.chars().any(is_invisible) { Self::from(text.as_str()) } else { Self(text) }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Control characters, and Unicode's format characters and separators (general categories Cc, Cf, Zl, Zp), tags and
/// variation selectors.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{34f}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}'
            | '\u{600}'..='\u{605}' | '\u{6dd}' | '\u{70f}' | '\u{8e2}' | '\u{110bd}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_invisible_stays() {
        for (given, shown) in [
            ("alice@example.org", "alice@example.org"),
            ("Jürgen 漢字", "Jürgen 漢字"),
            ("\u{1b}[31mred\r\n", "\\u{1b}[31mred\\r\\n"),
            ("abc\u{202e}gpj.exe", "abc\\u{202e}gpj.exe"),
            ("ad\u{200b}min", "ad\\u{200b}min"),
            ("\u{9b}2J", "\\u{9b}2J"),
        ] {
            assert_eq!(Shown::from(given).as_str(), shown);
            assert_eq!(Shown::from(given.to_owned()).as_str(), shown);
        }
    }

    #[test]
    fn clipping_counts_characters() {
        assert_eq!(Shown::from("äöüß").clipped(4).as_str(), "äöüß");
        assert_eq!(Shown::from("äöüßx").clipped(4).as_str(), "äöü…");
    }
}
