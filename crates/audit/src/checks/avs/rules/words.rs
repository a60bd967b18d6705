//! Words in a rule's pattern that are not bound to their ends, and common words that hold them.

/// Common words of English that hold words which rules look for.
const COMMON: &str = "\
    specialist socialist accredited adulterate alphabet ambience ambient analysis analyst analyze approach assassin assignment assistant associate \
    assume between better blotter caterpillar candidate carefree cashier cashmere circumstance class cocktail commercialise \
    competition cucumber debtor discount document embankment enrich essex exclusive exercise extra following \
    freedom freelance freeze freight friedrich gynecologist hotel ideal indebted industrial inform insurance invalidating marigold \
    materialistic middlesex mishit moneyed password peacock photo pillow prizefight racialist replica reshot richard \
    scunthorpe sextant shiitake shot sloane somalia somatic spill surebet sussex swing \
    terrestrial therapist title titular trialist update updating validating wholesale window winter wristwatches";

/// A rule with a pattern.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rule<'a> {
    /// Its name.
    pub(super) name: &'a str,
    line: &'a str,
    /// Where its pattern begins in the line.
    start: usize,
    pattern: &'a str,
}

impl<'a> Rule<'a> {
    /// `body NAME /pattern/flags`, `header NAME Subject =~ /pattern/flags`. Web addresses are made of parts of words, so `uri` is none.
    pub(super) fn read(line: &'a str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let kind = words.next()?;
        let name = words.next()?;
        if !matches!(kind, "body" | "rawbody" | "full" | "header") || name.starts_with("eval:") {
            return None;
        }
        let after = line.find(name)? + name.len();
        let start = after + line.get(after..)?.find('/')? + 1;
        let rest = line.get(start..)?;
        let end = unescaped(rest, '/')?;
        // What looks around, or changes how it is read on the way, is left to its author.
        let pattern = rest.get(..end)?;
        let plain = pattern
            .match_indices("(?")
            .all(|(at, _)| pattern.get(at + 2..).is_some_and(|rest| rest.starts_with(':')));
        plain.then_some(Self { name, line, start, pattern })
    }

    /// The words that are inside of common ones.
    pub(super) fn inside(&self) -> Vec<(String, &'static str)> {
        self.loose().into_iter().map(|(word, holder)| (word.text.to_ascii_lowercase(), holder)).collect()
    }

    /// The line with these words bound to their ends.
    pub(super) fn bound(&self) -> String {
        let mut new = self.line.to_owned();
        for (word, _) in self.loose().into_iter().rev() {
            let at = self.start + word.at;
            let right = if word.right { "" } else { "\\b" };
            let left = if word.left { "" } else { "\\b" };
            new.replace_range(at..at + word.text.len(), &format!("{left}{}{right}", word.text));
        }
        new
    }

    fn loose(&self) -> Vec<(Word<'a>, &'static str)> {
        words(self.pattern).into_iter().filter_map(|word| Some((word, holder(&word)?))).collect()
    }
}

/// A common word that holds this one where it is not bound.
fn holder(word: &Word<'_>) -> Option<&'static str> {
    let text = word.text.to_ascii_lowercase();
    let holds = |common: &&str| {
        common.match_indices(&text).any(|(at, _)| {
            let left = at > 0;
            let right = at + text.len() < common.len();
            (left || right) && !(left && word.left) && !(right && word.right)
        })
    };
    if text.len() < 3 { None } else { COMMON.split_whitespace().find(holds) }
}

/// A word of a pattern, and whether something binds it to its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Word<'a> {
    text: &'a str,
    at: usize,
    left: bool,
    right: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    /// Letters.
    Word(&'a str, usize),
    /// What is no letter for sure: `\b`, a blank.
    Edge,
    Open,
    Close,
    Bar,
    /// What may be a letter, or repeats what is before it.
    Other,
}

/// The words of which it is known what is around them.
fn words(pattern: &str) -> Vec<Word<'_>> {
    let tokens = tokens(pattern);
    let before = |at: usize| edge(tokens.iter().take(at).rev(), Token::Open, Token::Close);
    let behind = |at: usize| edge(tokens.iter().skip(at + 1), Token::Close, Token::Open);
    let found = tokens.iter().enumerate().filter_map(|(number, token)| match token {
        Token::Word(text, at) => Some(Word { text, at: *at, left: before(number)?, right: behind(number)? }),
        _ => None,
    });
    found.collect()
}

/// Whether an edge is next, going through the ends of groups; none where something else is.
fn edge<'t, 'a: 't>(
    tokens: impl Iterator<Item = &'t Token<'a>>,
    leaves: Token<'a>,
    enters: Token<'a>,
) -> Option<bool> {
    // Groups that another branch of this one opens and closes again, and whether we pass over that branch.
    let (mut depth, mut passing) = (0_usize, false);
    for token in tokens {
        match token {
            Token::Bar => passing = true,
            token if *token == leaves && depth == 0 => passing = false,
            token if *token == leaves => depth -= 1,
            token if *token == enters && passing => depth += 1,
            _ if passing => {}
            Token::Edge => return Some(true),
            _ => return None,
        }
    }
    Some(false)
}

fn tokens(pattern: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(rest) = pattern.get(at..).filter(|rest| !rest.is_empty()) {
        let (length, token) = token(rest, at);
        tokens.push(token);
        at += length;
    }
    tokens
}

fn token(rest: &str, at: usize) -> (usize, Token<'_>) {
    let first = rest.chars().next().unwrap_or_default();
    let second = rest.chars().nth(1).unwrap_or_default();
    match first {
        '\\' => {
            let edge = matches!(second, 'b' | 'W' | 's' | 'A' | 'z' | 'Z')
                || second.is_ascii_punctuation() && second != '_';
            (1 + second.len_utf8(), if edge { Token::Edge } else { Token::Other })
        }
        '(' if rest.starts_with("(?:") => (3, Token::Open),
        '(' => (1, Token::Open),
        ')' => (1, Token::Close),
        '|' => (1, Token::Bar),
        '^' | '$' => (1, Token::Edge),
        '[' => (unescaped(rest, ']').map_or(rest.len(), |end| end + 1), Token::Other),
        '.' | '*' | '+' | '?' | '{' => (1, Token::Other),
        _ if first.is_ascii_alphabetic() => {
            let length = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
            (length, rest.get(..length).map_or(Token::Other, |word| Token::Word(word, at)))
        }
        _ if first.is_ascii_digit() || !first.is_ascii() || first == '_' => (first.len_utf8(), Token::Other),
        _ => (1, Token::Edge),
    }
}

/// Where a character stands that no backslash protects.
fn unescaped(text: &str, wanted: char) -> Option<usize> {
    let mut protected = false;
    let found = text.char_indices().find(|(_, c)| {
        let is_it = *c == wanted && !protected;
        protected = *c == '\\' && !protected;
        is_it
    });
    found.map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, inside: &[&str], bound: &str) {
        let Some(rule) = Rule::read(line) else {
            assert!(inside.is_empty(), "{line} is no rule");
            return;
        };
        let found: Vec<String> =
            rule.inside().iter().map(|(word, holder)| format!("{word} {holder}")).collect();
        assert_eq!(found, inside, "{line}");
        assert_eq!(rule.bound(), bound, "{line}");
    }

    #[test]
    fn words_inside_of_words_are_found_and_bound() {
        let specialist = &["cialis specialist"][..];
        check("body X /viagra|cialis|pharmacy/i", specialist, r"body X /viagra|\bcialis\b|pharmacy/i");
        check("  body X /(?:viagra|cialis)/i # y", specialist, r"  body X /(?:viagra|\bcialis\b)/i # y");
        check("header X Subject =~ /buy cialis/", &[], "header X Subject =~ /buy cialis/");
        check(r"body X /\bcialis/", &[], r"body X /\bcialis/");
        check(r"body X /\bsomat/", &["somat somatic"], r"body X /\bsomat\b/");
        check(r"body X /\b(?:viagra|(cheap|cialis))\b/i", &[], r"body X /\b(?:viagra|(cheap|cialis))\b/i");
        check(r"body X /\b(?:viagra|cialis)|sex/i", &["sex essex"], r"body X /\b(?:viagra|cialis)|\bsex\b/i");
        check(r"rawbody X /cialis\/specialist/", &[], r"rawbody X /cialis\/specialist/");
    }

    #[test]
    fn what_is_not_understood_is_left_alone() {
        for line in [
            "uri X /cialis/",
            "body X eval:check()",
            "score X 3.0",
            "meta X (A && B)",
            "body X /c[i1]alis/",
            "body X /cialis+/",
            "body X /(?!spe)cialis/",
            "body X /.cialis./",
            "body X /(?:cialis)?/",
            "body X /cialis",
            "body",
            "# body X /cialis/",
        ] {
            check(line, &[], line);
        }
    }

    proptest::proptest! {
        /// Whatever is in it, the bound rule finds nothing loose any more, and loses nothing.
        #[test]
        fn binding_is_enough(pattern in "[a-z|().*+\\\\\\[\\] ?:]{0,12}(cialis|sex|date)[a-z|().*+\\\\\\[\\] ?:]{0,12}") {
            let line = format!("body X /{pattern}/i");
            if let Some(rule) = Rule::read(&line) {
                let bound = rule.bound();
                proptest::prop_assert_eq!(bound.replace("\\b", ""), line.replace("\\b", ""));
                let again = Rule::read(&bound).unwrap();
                proptest::prop_assert!(again.inside().is_empty(), "{} {:?}", bound, again.inside());
            }
        }
    }
}
