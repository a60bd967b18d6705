//! `$name` and its relatives in values, as mac_expand(3) of Postfix has them: `$name`, `$(name)`, `${name}`,
//! `${name?then}`, `${name:else}`, `${name?{then}:{else}}`, `${{left} == {right} ? {then} : {else}}` and `$$`.
//!
//! Ends on every text: values that name one another in a circle, or double one another, run out of steps, and then stay as they
//! are written. Postfix itself gives up at a depth of 100.

use super::version::Version;

const DEPTH: usize = 100;
const STEPS: usize = 2_000;
const LONGEST: usize = 1 << 18;

/// The text with its macros replaced by what `value` says of them; what it does not know is empty.
#[must_use]
pub fn expand(text: &str, value: &dyn Fn(&str) -> Option<String>) -> String {
    let mut expansion = Expansion { value, steps: STEPS, written: 0 };
    expansion.text(text, DEPTH)
}

struct Expansion<'a> {
    value: &'a dyn Fn(&str) -> Option<String>,
    steps: usize,
    written: usize,
}

/// What a macro's braces hold.
enum Form<'a> {
    Name(&'a str),
    Chosen { test: Test<'a>, yes: Option<&'a str>, no: Option<&'a str> },
}

enum Test<'a> {
    NotEmpty(&'a str),
    Compared { left: &'a str, operator: &'a str, right: &'a str },
}

impl Expansion<'_> {
    fn text(&mut self, text: &str, depth: usize) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            out.push_str(before);
            self.written += before.len() + 1;
            let (body, tail) = match macro_body(after) {
                Some(found) if depth > 0 && self.steps > 0 && self.written < LONGEST => found,
                _ => {
                    out.push('$');
                    rest = after.strip_prefix('$').unwrap_or(after);
                    continue;
                }
            };
            self.steps -= 1;
            out.push_str(&self.form(body, depth - 1));
            rest = tail;
        }
        self.written += rest.len();
        out.push_str(rest);
        out
    }

    fn form(&mut self, body: &str, depth: usize) -> String {
        match form(body) {
            Some(Form::Name(name)) => self.name(name, depth),
            Some(Form::Chosen { test, yes, no }) => {
                let chosen = if self.holds(&test, depth) { yes } else { no };
                chosen.map(|text| self.text(text, depth)).unwrap_or_default()
            }
            None => format!("${{{body}}}"),
        }
    }

    fn name(&mut self, name: &str, depth: usize) -> String {
        let value = (self.value)(name).unwrap_or_default();
        self.text(&value, depth)
    }

    fn holds(&mut self, test: &Test<'_>, depth: usize) -> bool {
        match test {
            // As written, not as it expands.
            Test::NotEmpty(name) => (self.value)(name).is_some_and(|value| !value.is_empty()),
            Test::Compared { left, operator, right } => {
                let (left, right) = (self.text(left, depth), self.text(right, depth));
                compared(&left, operator, &right)
            }
        }
    }
}

fn compared(left: &str, operator: &str, right: &str) -> bool {
    let (sign, order) = match operator.strip_suffix("level") {
        Some(sign) => (sign, Version::parse(left).cmp(&Version::parse(right))),
        None => (operator, numbers(left, right).unwrap_or_else(|| left.cmp(right))),
    };
    match sign {
        "==" => order.is_eq(),
        "!=" => order.is_ne(),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        _ => order.is_ge(),
    }
}

fn numbers(left: &str, right: &str) -> Option<core::cmp::Ordering> {
    Some(left.parse::<u64>().ok()?.cmp(&right.parse().ok()?))
}

/// What follows a `$` and belongs to it, without its brackets, and the rest.
fn macro_body(after: &str) -> Option<(&str, &str)> {
    match after.chars().next()? {
        '{' => balanced(after),
        '(' => after.get(1..)?.split_once(')'),
        _ => {
            let end = name_length(after);
            (end > 0).then(|| after.split_at_checked(end)).flatten()
        }
    }
}

fn name_length(text: &str) -> usize {
    text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len())
}

/// What stands in the braces that a text begins with, and what follows them.
fn balanced(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return Some((text.get(1..at)?, text.get(at + 1..)?));
        }
    }
    None
}

fn form(body: &str) -> Option<Form<'_>> {
    let body = body.trim();
    if body.starts_with('{') {
        let (left, rest) = balanced(body)?;
        let rest = rest.trim_start();
        let operator = rest.get(..rest.find(|c: char| c == '{' || c.is_whitespace())?)?;
        known_operator(operator)?;
        let (right, rest) = balanced(rest.get(operator.len()..)?.trim_start())?;
        let (yes, no) = choices(rest.trim_start())?;
        let test = Test::Compared { left: left.trim(), operator, right: right.trim() };
        return Some(Form::Chosen { test, yes, no });
    }
    let (name, rest) = body.split_at_checked(name_length(body))?;
    let rest = rest.trim_start();
    if name.is_empty() {
        return None;
    }
    if rest.is_empty() {
        return Some(Form::Name(name));
    }
    let (yes, no) = choices(rest)?;
    Some(Form::Chosen { test: Test::NotEmpty(name), yes, no })
}

fn known_operator(operator: &str) -> Option<()> {
    matches!(operator.trim_end_matches("level"), "==" | "!=" | "<" | "<=" | ">" | ">=").then_some(())
}

type Choices<'a> = (Option<&'a str>, Option<&'a str>);

/// `?then`, `:else`, `?{then}:{else}`.
fn choices(text: &str) -> Option<Choices<'_>> {
    if let Some(no) = text.strip_prefix(':') {
        return Some((None, Some(chosen(no))));
    }
    let yes = text.strip_prefix('?')?;
    match balanced(yes.trim_start()).filter(|_| yes.trim_start().starts_with('{')) {
        Some((yes, rest)) => Some((Some(yes.trim()), rest.trim_start().strip_prefix(':').map(chosen))),
        None => Some((Some(yes), None)),
    }
}

fn chosen(text: &str) -> &str {
    match balanced(text.trim_start()) {
        Some((inner, _)) if text.trim_start().starts_with('{') => inner.trim(),
        _ => text,
    }
}
