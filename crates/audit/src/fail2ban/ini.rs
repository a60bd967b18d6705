//! Jail and filter files: sections of `key = value`, with lines that go on and values that name others.

use std::collections::BTreeMap;

/// Sections by name, keys by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Ini {
    sections: Vec<(String, BTreeMap<String, String>)>,
}

/// Names within names; honest files nest three deep.
const DEEPEST: usize = 8;

impl Ini {
    pub(super) fn read(text: &str) -> Self {
        let mut ini = Self::default();
        let mut key = String::new();
        for line in text.lines() {
            let trimmed = line.trim();
            if trimmed.is_empty() || trimmed.starts_with('#') || trimmed.starts_with(';') {
                continue;
            }
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.trim_end().strip_suffix(']')) {
                ini.sections.push((name.trim().to_owned(), BTreeMap::new()));
                key.clear();
                continue;
            }
            let Some((_, values)) = ini.sections.last_mut() else { continue };
            if line.starts_with([' ', '\t']) && !key.is_empty() {
                if let Some(value) = values.get_mut(&key) {
                    value.push('\n');
                    value.push_str(trimmed);
                }
            } else if let Some((name, value)) = trimmed.split_once('=') {
                key = name.trim().to_owned();
                let value = value.split(" ;").next().unwrap_or_default().trim();
                values.insert(key.clone(), value.to_owned());
            }
        }
        ini
    }

    /// The names of its sections, in order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.sections.iter().map(|(name, _)| name.as_str())
    }

    /// A key of a section, or of `[DEFAULT]`, with what it names put in; the last section of a name wins.
    pub(super) fn get(&self, section: &str, key: &str) -> Option<String> {
        self.raw(section, key).map(|value| self.filled(section, value, 0))
    }

    fn raw(&self, section: &str, key: &str) -> Option<&str> {
        let of = |name: &str| {
            self.sections
                .iter()
                .rev()
                .filter(move |(own, _)| own == name)
                .find_map(|(_, values)| values.get(key))
        };
        of(section).or_else(|| of("DEFAULT")).map(String::as_str)
    }

    fn filled(&self, section: &str, value: &str, depth: usize) -> String {
        let mut out = String::new();
        let mut rest = value;
        while let Some((before, after)) = rest.split_once("%(") {
            out.push_str(before);
            let Some((name, tail)) = after.split_once(")s") else {
                out.push_str("%(");
                rest = after;
                continue;
            };
            match self.raw(section, name) {
                Some(inner) if depth < DEEPEST => out.push_str(&self.filled(section, inner, depth + 1)),
                // What fail2ban's own common.conf defines: the beginning of a line up to the program's text.
                None if name == "__prefix_line" => out.push_str(r"\s*(?:\S+ )?\S+?(?:\[\d+\])?: "),
                _ => {}
            }
            rest = tail;
        }
        out + rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_go_on_and_name_each_other() {
        let text = "[DEFAULT]\nx = 1 ; note\n[a]\n# no\ny = p%(x)sq\n    second\n[b]\nx = 2\ny = %(x)s%(gone)s\n[a]\nz=%(z)s\n";
        let ini = Ini::read(text);
        assert_eq!(ini.get("a", "y").as_deref(), Some("p1q\nsecond"));
        assert_eq!(ini.get("b", "y").as_deref(), Some("2"));
        assert_eq!(ini.get("a", "x").as_deref(), Some("1"));
        assert_eq!(ini.get("c", "y"), None);
        assert!(ini.get("a", "z").is_some());
    }
}
