//! Sieve scripts (RFC 5228), as far as it takes to see what they do with mail.

/// A command, a test in its arguments, and what is in its braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Command {
    /// Its name in lower case: `if`, `redirect`.
    pub(super) name: String,
    /// Its arguments and tests.
    pub(super) words: Vec<Word>,
    /// What is in its braces.
    pub(super) block: Vec<Command>,
    /// The line it begins on.
    pub(super) line: u32,
}

/// A part of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// An identifier, tag or number: `header`, `:contains`, `10K`.
    Plain(String),
    /// A string.
    Text(String),
}

/// What a script does with a message, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Action<'a> {
    /// The command.
    pub(super) command: &'a Command,
    /// The `if`s around it, the outermost first, those that always hold left out.
    pub(super) conditions: Vec<&'a Command>,
}

enum Token {
    Word(Word),
    Mark(char),
}

/// Blocks deeper than this are nobody's filter.
const DEPTH: usize = 32;

/// Reads a script. What is no Sieve ends it.
pub(super) fn parse(text: &str) -> Vec<Command> {
    block(&mut tokens(text).into_iter(), 0)
}

fn block(tokens: &mut std::vec::IntoIter<(Token, u32)>, depth: usize) -> Vec<Command> {
    let mut commands = Vec::new();
    let mut current: Option<Command> = None;
    while let Some((token, line)) = tokens.next() {
        match (token, &mut current) {
            (Token::Word(Word::Plain(name)), None) => {
                let name = name.to_ascii_lowercase();
                current = Some(Command { name, words: Vec::new(), block: Vec::new(), line });
            }
            (Token::Word(word), Some(command)) => command.words.push(word),
            (Token::Mark('{'), _) => {
                let inner = if depth < DEPTH { block(tokens, depth + 1) } else { Vec::new() };
                commands.extend(current.take().map(|command| Command { block: inner, ..command }));
            }
            (Token::Mark('}'), _) => break,
            (Token::Mark(_), _) => commands.extend(current.take()),
            (Token::Word(Word::Text(_)), None) => {}
        }
    }
    commands.extend(current);
    commands
}

/// All that a script does, with its conditions.
pub(super) fn actions(commands: &[Command]) -> Vec<Action<'_>> {
    let mut found = Vec::new();
    gather(commands, &[], &mut found);
    found
}

fn gather<'a>(commands: &'a [Command], conditions: &[&'a Command], found: &mut Vec<Action<'a>>) {
    for command in commands {
        match command.name.as_str() {
            "if" | "elsif" | "else" => {
                let mut inner = conditions.to_vec();
                if command.name != "if" || !always(command) {
                    inner.push(command);
                }
                gather(&command.block, &inner, found);
            }
            _ => found.push(Action { command, conditions: conditions.to_vec() }),
        }
    }
}

/// Whether a test holds for every message: `true`, or a match with nothing or everything.
fn always(command: &Command) -> bool {
    let plain = |word: &str| {
        command
            .words
            .iter()
            .any(|found| matches!(found, Word::Plain(plain) if plain.eq_ignore_ascii_case(word)))
    };
    let last = command.texts().last();
    if plain("not") || plain("allof") {
        return false;
    }
    plain("true") || (plain(":contains") && last == Some("")) || (plain(":matches") && last == Some("*"))
}

impl Command {
    /// The strings among its words.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.words.iter().filter_map(|word| match word {
            Word::Text(text) => Some(text.as_str()),
            Word::Plain(_) => None,
        })
    }

    /// Whether it has a tag: `:copy`.
    pub(super) fn has(&self, tag: &str) -> bool {
        self.words.iter().any(|word| matches!(word, Word::Plain(plain) if plain.eq_ignore_ascii_case(tag)))
    }

    /// How it is written: `redirect :copy "x@example.org"`.
    pub(super) fn written(&self) -> String {
        let words = self.words.iter().map(|word| match word {
            Word::Plain(plain) => plain.clone(),
            Word::Text(text) => format!("\"{text}\""),
        });
        std::iter::once(self.name.clone()).chain(words).collect::<Vec<_>>().join(" ")
    }
}

fn tokens(text: &str) -> Vec<(Token, u32)> {
    let mut found = Vec::new();
    let mut rest = text;
    let mut line = 1;
    while let Some(first) = rest.chars().next() {
        let (token, length) = token(rest, first);
        found.extend(token.map(|token| (token, line)));
        let (read, after) = rest.split_at(length);
        line += u32::try_from(read.matches('\n').count()).unwrap_or(0);
        rest = after;
    }
    found
}

/// The token that a text begins with, if it is one, and its length, which ends at a character's border.
fn token(rest: &str, first: char) -> (Option<Token>, usize) {
    let until = |end: &str, from: usize| {
        let found = rest.get(from..).and_then(|after| after.find(end));
        found.map_or(rest.len(), |at| from + at + end.len())
    };
    match first {
        '#' => (None, until("\n", 0)),
        '/' if rest.starts_with("/*") => (None, until("*/", 2)),
        '"' => quoted(rest),
        _ if rest.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("text:")) => {
            let length = until("\n.", 5);
            let said = rest.get(5..length).unwrap_or_default();
            (Some(Token::Word(Word::Text(said.trim_end_matches('.').trim().to_owned()))), length)
        }
        '{' | '}' | ';' => (Some(Token::Mark(first)), 1),
        c if c.is_whitespace() || "()[],".contains(c) => (None, first.len_utf8()),
        _ => {
            let end =
                rest.find(|c: char| c.is_whitespace() || "()[],;{}\"#".contains(c)).unwrap_or(rest.len());
            let length = end.max(first.len_utf8());
            (rest.get(..length).map(|word| Token::Word(Word::Plain(word.to_owned()))), length)
        }
    }
}

fn quoted(rest: &str) -> (Option<Token>, usize) {
    let mut text = String::new();
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => {
                text.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return (Some(Token::Word(Word::Text(text))), at + 1),
            _ => text.push(c),
        }
    }
    (None, rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a script does: the action, `if` its conditions.
    fn check(cases: &[(&str, &[&str])]) {
        for (script, expected) in cases {
            let commands = parse(script);
            let shown: Vec<_> = actions(&commands)
                .iter()
                .filter(|action| action.command.name != "require")
                .map(|action| {
                    let conditions =
                        action.conditions.iter().map(|condition| format!(" <- {}", condition.written()));
                    action.command.written() + &conditions.collect::<String>()
                })
                .collect();
            assert_eq!(shown, *expected, "{script}");
        }
    }

    #[test]
    fn actions_have_their_conditions() {
        check(&[
            (
                "require [\"copy\"];\n# a\nredirect :copy \"a@example.net\";",
                &["redirect :copy \"a@example.net\""],
            ),
            (
                "if header :contains [\"subject\"] [\"invoice\", \"bank\"] { discard; stop; }",
                &[
                    "discard <- if header :contains \"subject\" \"invoice\" \"bank\"",
                    "stop <- if header :contains \"subject\" \"invoice\" \"bank\"",
                ],
            ),
            ("if true { redirect \"a@example.net\"; }", &["redirect \"a@example.net\""]),
            ("if header :matches \"from\" \"*\" { discard; }", &["discard"]),
            (
                "if not header :contains \"from\" \"\" { discard; }",
                &["discard <- if not header :contains \"from\" \"\""],
            ),
            (
                "if address \"from\" \"a\" { keep; } else { discard; }",
                &["keep <- if address \"from\" \"a\"", "discard <- else"],
            ),
            ("vacation text:\nI am; away { }\n.\n;\ndiscard;", &["vacation \"I am; away { }\"", "discard"]),
            ("/* redirect \"x\"; */ fileinto \"a \\\" b\";", &["fileinto \"a \" b\""]),
            ("redirect \"open", &["redirect"]),
            ("}}}", &[]),
        ]);
    }

    #[test]
    fn lines_are_counted() {
        let commands = parse("# one\n\nif true {\n  redirect \"a@example.net\";\n}\n");
        let lines: Vec<_> = actions(&commands).iter().map(|action| action.command.line).collect();
        assert_eq!(lines, [4]);
    }

    proptest::proptest! {
        /// Whatever a script holds, it ends, and every line number is one of its lines.
        #[test]
        fn any_text_is_read(text in "([a-z;{}()\"#/*: .\\\\\n]|if |true|redirect|text:|é){0,100}") {
            let commands = parse(&text);
            let lines = u32::try_from(text.lines().count()).unwrap();
            for action in actions(&commands) {
                assert!((1..=lines.max(1)).contains(&action.command.line));
            }
        }
    }
}
