//! fail2ban's patterns: Python's regular expressions with tags, as an engine here runs them.

use fancy_regex::{Regex, RegexBuilder};

/// Backtracking beyond this is taken for no match; honest lines need a few hundred steps.
const MOST_STEPS: usize = 50_000;

/// What `<HOST>` stands for: an address of either family, perhaps in brackets, or a name.
const HOST: &str =
    r"\[?(?:::[fF]{4,6}:)?(?P<host>(?:\d{1,3}\.){3}\d{1,3}|[0-9A-Fa-f:]{2,}(?:\.[\d.]+)?|[\w.^_-]*\w)\]?";

/// A filter: what its lines look like and which it counts.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    prefix: Option<Regex>,
    fail: Vec<Regex>,
    ignore: Vec<Regex>,
    /// The patterns that count, as they are written.
    pub patterns: Vec<String>,
    /// Patterns that could not be understood; without them nothing can be said of what the filter misses.
    pub broken: Vec<String>,
}

impl Filter {
    /// A filter of patterns as fail2ban resolved them.
    #[must_use]
    pub fn new<'a>(
        prefix: Option<&str>,
        fail: impl IntoIterator<Item = &'a str>,
        ignore: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let mut filter = Self::default();
        filter.prefix = prefix.filter(|prefix| !prefix.is_empty()).and_then(|prefix| filter.compiled(prefix));
        filter.patterns = fail.into_iter().map(str::to_owned).collect();
        filter.fail = filter.patterns.clone().iter().filter_map(|pattern| filter.compiled(pattern)).collect();
        filter.ignore = ignore.into_iter().filter_map(|pattern| filter.compiled(pattern)).collect();
        filter
    }

    /// Whether it has no pattern at all: a jail for bans by hand.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.fail.is_empty() && self.broken.is_empty()
    }

    /// The source that it would count a line against.
    #[must_use]
    pub fn counts(&self, line: &str) -> Option<String> {
        let line = without_time(line);
        let content = match &self.prefix {
            None => line,
            Some(prefix) => {
                let found = prefix.captures(line).ok()??;
                found.name("content").map_or(line, |content| content.as_str())
            }
        };
        if self.ignore.iter().any(|pattern| pattern.is_match(content).unwrap_or(false)) {
            return None;
        }
        self.fail.iter().find_map(|pattern| {
            let found = pattern.captures(content).ok()??;
            Some(found.name("host")?.as_str().to_owned())
        })
    }

    fn compiled(&mut self, pattern: &str) -> Option<Regex> {
        let compiled = RegexBuilder::new(&translated(pattern)).backtrack_limit(MOST_STEPS).build();
        if compiled.is_err() {
            self.broken.push(pattern.to_owned());
        }
        compiled.ok()
    }
}

/// A line as fail2ban gives it to its patterns: with its time cut out.
fn without_time(line: &str) -> &str {
    let first = line.split(' ').next().unwrap_or_default();
    let rfc3339 = first.len() >= 19 && first.as_bytes().get(4) == Some(&b'-') && first.contains('T');
    if rfc3339 {
        return line.get(first.len()..).unwrap_or(line);
    }
    // `Oct 10 01:33:12 host`
    let bytes = line.as_bytes();
    let rfc3164 = bytes.get(3) == Some(&b' ') && bytes.get(9) == Some(&b':') && bytes.get(12) == Some(&b':');
    if rfc3164 { line.get(15..).unwrap_or(line) } else { line }
}

/// A pattern in the syntax of the engine here: tags replaced, and what means something else in brackets escaped.
fn translated(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 128);
    let mut rest = pattern;
    let mut class = false;
    let mut opened = false;
    while let Some(char) = rest.chars().next() {
        let mut step = char.len_utf8();
        match char {
            '\\' => {
                let next = rest.get(1..).and_then(|rest| rest.chars().next());
                step += next.map_or(0, char::len_utf8);
                match next {
                    // Python takes these for the character itself; the engine for the edge of a word.
                    Some(edge @ ('<' | '>')) => out.push(edge),
                    Some('Z') if !class => out.push_str(r"\z"),
                    Some(other) => out.extend(['\\', other]),
                    None => out.push_str(r"\\"),
                }
                opened = false;
            }
            '[' if class => {
                opened = false;
                out.push_str(r"\[");
            }
            '[' => {
                class = true;
                opened = true;
                out.push('[');
                if rest.get(1..).is_some_and(|rest| rest.starts_with('^')) {
                    out.push('^');
                    step += 1;
                }
            }
            ']' if class && opened => {
                out.push_str(r"\]");
                opened = false;
            }
            ']' => {
                class = false;
                out.push(']');
            }
            '&' | '~' if class => out.extend(['\\', char]),
            '<' if !class => match tag(rest) {
                Some((length, replacement)) => {
                    step = length;
                    out.push_str(&replacement);
                }
                None => out.push('<'),
            },
            _ => {
                opened = false;
                out.push(char);
            }
        }
        rest = rest.get(step..).unwrap_or_default();
    }
    out
}

/// A tag at the start of a text: its length and what it stands for.
fn tag(text: &str) -> Option<(usize, String)> {
    let end = text.find('>')?;
    let name = text.get(1..end)?;
    let replacement = match name {
        "HOST" | "ADDR" | "IP4" | "IP6" | "DNS" => HOST.to_owned(),
        "SUBNET" | "CIDR" => format!("{HOST}(?:/\\d+)?"),
        "F-CONTENT" => "(?P<content>".to_owned(),
        "F-ID" => "(?P<host>".to_owned(),
        _ if name.starts_with("/F-") => ")".to_owned(),
        _ if name.starts_with("F-") && name.ends_with('/') => String::new(),
        _ if name.starts_with("F-") => "(?:".to_owned(),
        _ => return None,
    };
    Some((end + 1, replacement))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_is_translated() {
        assert_eq!(translated(r"^[^[]*\[x\]"), r"^[^\[]*\[x\]");
        assert_eq!(translated(r"[]a&&b]\<\Z"), r"[\]a\&\&b]<\z");
        assert_eq!(translated("user=<<F-USER>[^>]*</F-USER>>"), "user=<(?:[^>]*)>");
    }

    #[test]
    fn sources_of_both_families_are_found_and_time_is_cut() {
        let filter = Filter::new(
            Some(r"^\s*\S+ p(?:\[\d+\])?: <F-CONTENT>.+</F-CONTENT>$"),
            [r"^bad from \[<HOST>\](?! ok)$"],
            ["fine"],
        );
        assert!(filter.broken.is_empty(), "{:?}", filter.broken);
        for (line, source) in [
            ("2025-10-10T01:33:12.345678+02:00 mail p[7]: bad from [192.0.2.1]", Some("192.0.2.1")),
            ("Oct 10 01:33:12 mail p: bad from [2001:db8::7]", Some("2001:db8::7")),
            ("Oct 10 01:33:12 mail p: bad from [::ffff:192.0.2.1]", Some("192.0.2.1")),
            ("Oct 10 01:33:12 mail p: bad from [192.0.2.1] ok", None),
            ("Oct 10 01:33:12 mail q: bad from [192.0.2.1]", None),
        ] {
            assert_eq!(filter.counts(line).as_deref(), source, "{line}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_told() {
        assert_eq!(Filter::new(None, ["(", "a<HOST>"], []).broken, ["("]);
    }
}
