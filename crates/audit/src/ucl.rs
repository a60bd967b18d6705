//! Rspamd's language (libucl), as far as somebody has to find a block in a file: names, values, blocks, lists, and the lines that
//! they stand on. Macros such as `.include` are passed over.

use core::ops::RangeInclusive;

/// Blocks within blocks that nobody writes any more.
const DEEPEST: usize = 32;

/// What has a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Its name, without quotes.
    pub name: &'a str,
    /// What it is.
    pub value: Value<'a>,
    /// Its lines, from 0.
    pub lines: RangeInclusive<usize>,
}

/// What stands behind a name, or in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A number, a word, a string.
    Text(&'a str),
    /// `{ ... }`
    Block(Vec<Entry<'a>>),
    /// `[ ... ]`
    List(Vec<Value<'a>>),
}

/// The entries of a file; what is not understood is passed over.
#[must_use]
pub fn read(text: &str) -> Vec<Entry<'_>> {
    let tokens = tokens(text);
    Reader { tokens: &tokens, at: 0 }.entries(0)
}

/// The first entry of a name.
#[must_use]
pub fn find<'e, 'a>(entries: &'e [Entry<'a>], name: &str) -> Option<&'e Entry<'a>> {
    entries.iter().find(|entry| entry.name == name)
}

impl<'a> Value<'a> {
    /// The entries of a block; none of anything else.
    #[must_use]
    pub fn block(&self) -> &[Entry<'a>] {
        if let Self::Block(entries) = self { entries } else { &[] }
    }

    /// The text, if it is one.
    #[must_use]
    pub const fn text(&self) -> Option<&'a str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    Mark(char),
}

/// Words and marks with their lines.
fn tokens(text: &str) -> Vec<(Token<'_>, usize)> {
    let mut tokens = Vec::new();
    let (mut rest, mut line) = (text, 0);
    while let Some(first) = rest.chars().next() {
        let (length, token) = token(first, rest);
        if let Some(token) = token {
            tokens.push((token, line));
        }
        let (taken, left) = rest.split_at_checked(length).unwrap_or((rest, ""));
        line += taken.matches('\n').count();
        rest = left;
    }
    tokens
}

/// How much of a text its first token takes, and the token, if it is no blank and no comment.
fn token(first: char, rest: &str) -> (usize, Option<Token<'_>>) {
    match first {
        '#' => (rest.find('\n').unwrap_or(rest.len()), None),
        '/' if rest.starts_with("/*") => (rest.find("*/").map_or(rest.len(), |end| end + 2), None),
        '"' | '\'' => quoted(first, rest),
        '{' | '}' | '[' | ']' | ';' | ',' | '=' => (1, Some(Token::Mark(first))),
        _ if first.is_whitespace() => (first.len_utf8(), None),
        _ => {
            let ends = |c: char| c.is_whitespace() || "{}[];,=".contains(c);
            let length = rest.find(ends).unwrap_or(rest.len());
            (length, rest.get(..length).map(Token::Word))
        }
    }
}

/// A string, whose quote a backslash protects.
fn quoted(quote: char, rest: &str) -> (usize, Option<Token<'_>>) {
    let mut protected = false;
    let end = rest.char_indices().skip(1).find(|(_, c)| {
        let ends = *c == quote && !protected;
        protected = *c == '\\' && !protected;
        ends
    });
    let end = end.map_or(rest.len(), |(at, _)| at);
    ((end + 1).min(rest.len()), rest.get(1..end).map(Token::Word))
}

struct Reader<'t, 'a> {
    tokens: &'t [(Token<'a>, usize)],
    at: usize,
}

impl<'a> Reader<'_, 'a> {
    fn next(&mut self) -> Option<(Token<'a>, usize)> {
        let token = self.tokens.get(self.at).copied();
        self.at += usize::from(token.is_some());
        token
    }

    fn peek(&self) -> Option<Token<'a>> {
        self.tokens.get(self.at).map(|(token, _)| *token)
    }

    /// The line of what was read last.
    fn line(&self) -> usize {
        self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(0, |(_, line)| *line)
    }

    /// Entries up to the end of their block.
    fn entries(&mut self, depth: usize) -> Vec<Entry<'a>> {
        let mut entries = Vec::new();
        while let Some((token, line)) = self.next() {
            match token {
                Token::Mark('}') => break,
                Token::Word(name) if name.starts_with('.') => self.pass_line(line),
                Token::Word(name) => entries.extend(self.entry(name.trim_end_matches(':'), line, depth)),
                Token::Mark(_) => {}
            }
        }
        entries
    }

    fn entry(&mut self, name: &'a str, line: usize, depth: usize) -> Option<Entry<'a>> {
        if depth > DEEPEST {
            return None;
        }
        if matches!(self.peek(), Some(Token::Mark('=') | Token::Word(":"))) {
            self.next();
        }
        let value = match self.next()?.0 {
            Token::Mark('{') => Value::Block(self.entries(depth + 1)),
            Token::Mark('[') => Value::List(self.items(depth + 1)),
            // `domain "example.org" { ... }` is a block within a block.
            Token::Word(inner) if self.peek() == Some(Token::Mark('{')) => {
                Value::Block(self.entry(inner, self.line(), depth + 1).into_iter().collect())
            }
            Token::Word(text) => Value::Text(text),
            Token::Mark(_) => return None,
        };
        Some(Entry { name, value, lines: line..=self.line() })
    }

    /// Items up to the end of their list.
    fn items(&mut self, depth: usize) -> Vec<Value<'a>> {
        let mut items = Vec::new();
        while let Some((token, _)) = self.next() {
            match token {
                Token::Mark(']') => break,
                Token::Mark('{') if depth < DEEPEST => items.push(Value::Block(self.entries(depth + 1))),
                Token::Mark('[') if depth < DEEPEST => items.push(Value::List(self.items(depth + 1))),
                Token::Word(text) => items.push(Value::Text(text)),
                Token::Mark(_) => {}
            }
        }
        items
    }

    fn pass_line(&mut self, line: usize) {
        while self.tokens.get(self.at).is_some_and(|(_, at)| *at == line) {
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"# a comment { with a brace
enabled = true;
.include(try=true) "$LOCAL_CONFDIR/x.conf"
domain {
    example.com {
        path = "/a/b.key"; # behind
        selector = "mail";
    }
    "example.net": { selectors [ { path = '/c', selector: x }, { path = "/d" } ] }
}
domain "example.org" { selector = one }
"#;

    #[test]
    fn blocks_are_found_with_their_lines() {
        let entries = read(TEXT);
        let names: Vec<_> = entries.iter().map(|entry| entry.name).collect();
        assert_eq!(names, ["enabled", "domain", "domain"]);
        let domains = entries.get(1).unwrap().value.block();
        let com = find(domains, "example.com").unwrap();
        assert_eq!(com.lines, 4..=7);
        assert_eq!(find(com.value.block(), "path").unwrap().value.text(), Some("/a/b.key"));
        let Value::List(items) =
            &find(find(domains, "example.net").unwrap().value.block(), "selectors").unwrap().value
        else {
            panic!("{domains:?}")
        };
        let selectors: Vec<_> =
            items.iter().filter_map(|item| find(item.block(), "selector")?.value.text()).collect();
        assert_eq!((items.len(), selectors), (2, vec!["x"]));
        let org = find(entries.get(2).unwrap().value.block(), "example.org").unwrap();
        assert_eq!(find(org.value.block(), "selector").unwrap().value.text(), Some("one"));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read(text in "[a-z.{}\\[\\];,=\"'#/* \n\\\\ä]{0,80}") {
            let _ = read(&text);
        }
    }

    #[test]
    fn what_never_ends_ends() {
        for text in ["a { b [ c", "\"open", "}}}]]", "/* x", &"a{".repeat(5000), &"[".repeat(5000)] {
            let _ = read(text);
        }
    }
}
