//! Python's literals, in which `fail2ban-client -d` prints its commands: lists of strings and numbers.

/// A literal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Literal {
    /// A string, or a number or name as it is written.
    Text(String),
    /// A list or tuple.
    List(Vec<Literal>),
}

/// The deepest nesting that fail2ban prints is four.
const DEEPEST: usize = 16;

impl Literal {
    /// A literal that fills the text; none if it is something else.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut reader = Reader { rest: text.trim() };
        let literal = reader.literal(0)?;
        reader.rest.is_empty().then_some(literal)
    }

    /// Its text; none for a list.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::List(_) => None,
        }
    }

    /// Its items; a text is a list of itself.
    pub(super) fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            Self::Text(_) => std::slice::from_ref(self),
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn literal(&mut self, depth: usize) -> Option<Literal> {
        self.blank();
        match self.rest.chars().next()? {
            '[' if depth < DEEPEST => self.list(']', depth),
            '(' if depth < DEEPEST => self.list(')', depth),
            quote @ ('\'' | '"') => self.string(quote),
            _ => self.word(),
        }
    }

    fn list(&mut self, end: char, depth: usize) -> Option<Literal> {
        self.skip(1);
        let mut items = Vec::new();
        loop {
            self.blank();
            if self.rest.starts_with(end) {
                self.skip(1);
                return Some(Literal::List(items));
            }
            items.push(self.literal(depth + 1)?);
            self.blank();
            if self.rest.starts_with(',') {
                self.skip(1);
            } else if !self.rest.starts_with(end) {
                return None;
            }
        }
    }

    fn string(&mut self, quote: char) -> Option<Literal> {
        self.skip(1);
        let mut text = String::new();
        let mut chars = self.rest.char_indices();
        while let Some((at, char)) = chars.next() {
            match char {
                '\\' => text.push(escaped(&mut chars)?),
                _ if char == quote => {
                    self.rest = self.rest.get(at + 1..)?;
                    return Some(Literal::Text(text));
                }
                _ => text.push(char),
            }
        }
        None
    }

    fn word(&mut self) -> Option<Literal> {
        let end = self.rest.find([',', ']', ')', ' ']).unwrap_or(self.rest.len());
        let word = self.rest.get(..end).filter(|word| !word.is_empty())?.to_owned();
        self.skip(end);
        Some(Literal::Text(word))
    }

    fn blank(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }
}

/// The character that an escape stands for.
fn escaped(chars: &mut std::str::CharIndices<'_>) -> Option<char> {
    let (_, char) = chars.next()?;
    let digits = match char {
        'n' => return Some('\n'),
        't' => return Some('\t'),
        'r' => return Some('\r'),
        'x' => 2,
        'u' => 4,
        'U' => 8,
        other => return Some(other),
    };
    let hex: String = chars.by_ref().take(digits).map(|(_, digit)| digit).collect();
    u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_python_prints_is_read() {
        let read = Literal::read(r#"['set', "it's", 6, ['a\\n', 'b\'', (1, None)], '\x41', []]"#).unwrap();
        let items = read.items();
        assert_eq!(items[1].text(), Some("it's"));
        assert_eq!(items[2].text(), Some("6"));
        assert_eq!(items[3].items()[0].text(), Some("a\\n"));
        assert_eq!(items[3].items()[1].text(), Some("b'"));
        assert_eq!(items[4].text(), Some("A"));
        assert!(items[5].items().is_empty());
        for broken in ["['a'", "[1 2]", "'a", "", "['a']x"] {
            assert_eq!(Literal::read(broken), None, "{broken}");
        }
        assert_eq!(Literal::read(&"[".repeat(100_000)), None);
    }
}
