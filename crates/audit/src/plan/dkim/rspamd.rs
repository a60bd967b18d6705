//! Rspamd: a block for each domain says where its keys are (<https://rspamd.com/doc/modules/dkim_signing.html>).

use std::collections::{BTreeMap, BTreeSet};

use super::Switch;
use crate::dms::CONFIG;
use crate::facts::{Deployment, Facts, SigningKey};
use crate::plan::{Algorithm, Change};
use crate::ucl::{self, Entry, Value};

/// Whom Rspamd runs as, on Debian and in docker-mailserver.
const USER: &str = "_rspamd";

/// Files that say with which keys Rspamd signs. The later one wins.
pub const FILES: [&str; 3] = [
    "/etc/rspamd/local.d/dkim_signing.conf",
    "/etc/rspamd/override.d/dkim_signing.conf",
    "/tmp/docker-mailserver/rspamd/override.d/dkim_signing.conf",
];

/// The selector where none is set.
pub const SELECTOR: &str = "dkim";

/// What docker-mailserver's own `setup config dkim` writes before the domains.
const DMS: [&str; 10] = [
    "enabled = true;",
    "sign_authenticated = true;",
    "sign_local = false;",
    "try_fallback = false;",
    "use_domain = \"header\";",
    "use_redis = false;",
    "use_esld = true;",
    "allow_username_mismatch = true;",
    "check_pubkey = true;",
    "allow_hdrfrom_mismatch = false;",
];

/// A key that a block names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signing {
    /// Whose mail it signs.
    pub domain: String,
    /// The selector.
    pub selector: String,
    /// The private key's file.
    pub path: String,
    /// The line at which the domain's block begins, from 1.
    pub line: usize,
}

/// The keys that the blocks of one of [`FILES`] name.
#[must_use]
pub fn named(file: &str, text: &str) -> Vec<Signing> {
    let entries = ucl::read(text);
    let section = section(&entries);
    if is_list(file, section) {
        return Vec::new();
    }
    domains(section).into_iter().flat_map(|domain| keys_of(domain, defaults(section))).collect()
}

/// The keys that the maps of a file give to domains that have no block: `selector_map` and `path_map`, each a file with a domain and its
/// value in a line.
#[must_use]
pub fn mapped(text: &str, read: &dyn Fn(&str) -> Option<String>) -> Vec<Signing> {
    let entries = ucl::read(text);
    let section = section(&entries);
    let (selector, path) = defaults(section);
    let [selectors, paths] = ["selector_map", "path_map"].map(|name| map(section, name, read));
    let domains: BTreeSet<&String> = selectors.keys().chain(paths.keys()).collect();
    let signing = |domain: &String| {
        let selector = selectors.get(domain).map_or(selector, String::as_str);
        let path = paths.get(domain).map_or(path, String::as_str);
        Signing::new(domain, selector, path, 1)
    };
    domains.into_iter().map(signing).collect()
}

/// A map of a file on this server.
fn map(section: &[Entry<'_>], name: &str, read: &dyn Fn(&str) -> Option<String>) -> BTreeMap<String, String> {
    let named = ucl::find(section, name).and_then(|entry| entry.value.text()).unwrap_or_default();
    let path = named.trim_start_matches("file://").replace("$LOCAL_CONFDIR", "/etc/rspamd");
    let text =
        Some(path).filter(|path| path.starts_with('/')).and_then(|path| read(&path)).unwrap_or_default();
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let pair = |line: &str| {
        let (domain, value) = line.split_once(char::is_whitespace)?;
        Some((domain.to_ascii_lowercase(), value.trim().to_owned()))
    };
    lines.filter_map(pair).collect()
}

/// The selector that a file sets for all domains.
#[must_use]
pub fn selector(text: &str) -> Option<String> {
    let entries = ucl::read(text);
    ucl::find(section(&entries), "selector")?.value.text().map(str::to_owned)
}

/// Selector and path where nothing else is said.
fn defaults<'a>(section: &[Entry<'a>]) -> (&'a str, &'a str) {
    let text = |name| ucl::find(section, name).and_then(|entry| entry.value.text());
    (
        text("selector").unwrap_or(SELECTOR),
        text("path").unwrap_or("/var/lib/rspamd/dkim/$domain.$selector.key"),
    )
}

impl Signing {
    fn new(domain: &str, selector: &str, path: &str, line: usize) -> Self {
        let path = path.replace("$domain", domain).replace("$selector", selector);
        Self { domain: domain.to_ascii_lowercase(), selector: selector.to_owned(), path, line }
    }
}

/// Whether blocks of an earlier file count for nothing beside this one: the section in `override.d` takes the place of theirs.
#[must_use]
pub fn names_any(text: &str) -> bool {
    ucl::find(section(&ucl::read(text)), "domain").is_some()
}

/// What is said of signing.
fn section<'e, 'a>(entries: &'e [Entry<'a>]) -> &'e [Entry<'a>] {
    ucl::find(entries, "dkim_signing").map_or(entries, |section| section.value.block())
}

/// Two sections `domain`, which are one in `local.d` (`duplicate=merge` in modules.d/dkim_signing.conf). In `override.d` they are a list,
/// in which Rspamd 3.4 finds no domain: nobody's mail is signed.
fn is_list(file: &str, section: &[Entry<'_>]) -> bool {
    replaces(file) && section.iter().filter(|entry| entry.name == "domain").count() > 1
}

/// Whether what stands in a file takes the place of what stands elsewhere, and is not merged with it.
fn replaces(file: &str) -> bool {
    file.contains("/override.d/")
}

/// The blocks of domains.
fn domains<'e, 'a>(section: &'e [Entry<'a>]) -> Vec<&'e Entry<'a>> {
    section.iter().filter(|entry| entry.name == "domain").flat_map(|entry| entry.value.block()).collect()
}

fn keys_of(domain: &Entry<'_>, (selector, path): (&str, &str)) -> Vec<Signing> {
    let text = |block: &[Entry<'_>], name| {
        ucl::find(block, name).and_then(|entry| entry.value.text().map(str::to_owned))
    };
    let signing = |block: &[Entry<'_>]| {
        let selector = text(block, "selector").unwrap_or_else(|| selector.to_owned());
        let path = text(block, "path").unwrap_or_else(|| path.to_owned());
        Signing::new(domain.name, &selector, &path, domain.lines.start() + 1)
    };
    let block = domain.value.block();
    let several = match ucl::find(block, "selectors").map(|entry| &entry.value) {
        Some(Value::List(items)) => items.iter().map(Value::block).collect(),
        Some(Value::Block(one)) => vec![one.as_slice()],
        _ => Vec::new(),
    };
    let alone = block.iter().any(|entry| matches!(entry.name, "selector" | "path")) || several.is_empty();
    alone.then_some(block).into_iter().chain(several).map(signing).collect()
}

/// The file that we write, and its text.
pub(super) struct Config {
    docker: bool,
    file: &'static str,
    text: String,
}

impl Config {
    /// The file that names keys already, the last one of several.
    pub(super) fn of(facts: &Facts) -> Self {
        let docker = facts.about.deployment == Deployment::DockerMailserver;
        let [local, own, volume] = FILES;
        let candidates = if docker { vec![volume] } else { vec![own, local] };
        let text = |file: &str| facts.text(file).ok().flatten();
        let names = |file: &&&str| text(file).is_some_and(names_any);
        let file = candidates.iter().find(names).or(candidates.last()).copied().unwrap_or(local);
        Self { docker, file, text: text(file).unwrap_or_default().to_owned() }
    }

    /// Where a new key goes, and whose it is.
    pub(super) fn place(
        &self,
        domain: &str,
        selector: &str,
        algorithm: Algorithm,
    ) -> (String, Option<String>) {
        let file = match (self.docker, algorithm) {
            (false, _) => format!("/var/lib/rspamd/dkim/{domain}.{selector}.key"),
            (true, Algorithm::Rsa) => {
                format!("{CONFIG}/rspamd/dkim/rsa-2048-{selector}-{domain}.private.txt")
            }
            (true, Algorithm::Ed25519) => {
                format!("{CONFIG}/rspamd/dkim/ed25519-{selector}-{domain}.private.txt")
            }
        };
        (file, Some(USER.to_owned()))
    }

    /// What makes new keys sign: one change of the file, for all of them.
    pub(super) fn switch(&self, all: &[Switch<'_>]) -> Vec<Result<Vec<Change>, String>> {
        let mut text = self.text.clone();
        let mut done: BTreeMap<&str, Result<(), String>> = BTreeMap::new();
        for domain in all.iter().map(|one| &*one.new.domain) {
            if !done.contains_key(domain) {
                let written = self.signing(&text, domain, &keys_after(all, domain));
                done.insert(domain, written.map(|new| text = new));
            }
        }
        let lines = |text: &str| text.lines().map(str::to_owned).collect();
        let change =
            Change::Lines { file: self.file.to_owned(), remove: lines(&self.text), add: lines(&text) };
        let of = |one: &Switch<'_>| done.get(&*one.new.domain).cloned().unwrap_or(Ok(()));
        all.iter().map(|one| of(one).map(|()| vec![change.clone()])).collect()
    }

    /// The text in which a domain's mail is signed with these keys.
    fn signing(&self, text: &str, domain: &str, keys: &[Named<'_>]) -> Result<String, String> {
        let entries = ucl::read(text);
        let section = section(&entries);
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let refused = |at: usize, why: &str| Err(format!("{}:{}: {why}", self.file, at + 1));
        let head = section.iter().find(|entry| entry.name == "domain").map(|entry| *entry.lines.start());
        if is_list(self.file, section) {
            let why = "with more than one section `domain` in this file Rspamd signs for nobody; put their blocks into one";
            return refused(head.unwrap_or_default(), why);
        }
        let is_own = |entry: &&Entry<'_>| entry.name.eq_ignore_ascii_case(domain);
        if let Some(block) = domains(section).into_iter().find(is_own) {
            let start = *block.lines.start();
            if !has_own_lines(&lines, block) {
                let why =
                    format!("the block of {domain} shares its lines with others; give it lines of its own");
                return refused(start, &why);
            }
            let indent = lines.get(start).map_or(0, |line| line.len() - line.trim_start().len());
            lines.splice(block.lines.clone(), written(domain, keys, indent));
        } else if let Some(head) = head.filter(|head| lines.get(*head).is_some_and(|line| is_head(line))) {
            lines.splice(head + 1..head + 1, written(domain, keys, 4));
        } else if let Some(head) = head.filter(|_| replaces(self.file)) {
            return refused(
                head,
                "the section `domain` begins with more than `domain {`; give that a line of its own",
            );
        } else {
            let start = if self.docker && text.trim().is_empty() { &DMS[..] } else { &[] };
            lines.extend(start.iter().map(|line| (*line).to_owned()));
            lines.push("domain {".to_owned());
            lines.extend(written(domain, keys, 4));
            lines.push("}".to_owned());
        }
        Ok(lines.join("\n") + "\n")
    }
}

/// A selector and the file of its key.
type Named<'a> = (&'a str, &'a str);

/// The keys that sign a domain's mail after the switches: those that go on, and the new ones.
fn keys_after<'a>(all: &[Switch<'a>], domain: &str) -> Vec<Named<'a>> {
    let own = || all.iter().filter(|one| one.new.domain == domain);
    let is_old = |key: &&&SigningKey| own().any(|one| one.old.iter().any(|old| old.selector == key.selector));
    let kept = own().take(1).flat_map(|one| one.kept.iter().filter(|key| !is_old(key)).copied());
    kept.chain(own().map(|one| one.new)).map(|key| (&*key.selector, &*key.place)).collect()
}

/// Whether a block has its lines for itself, and says of keys alone.
fn has_own_lines(lines: &[String], block: &Entry<'_>) -> bool {
    let line = |at: &usize| lines.get(*at).map_or("", |line| line.trim());
    let (first, last) = (line(block.lines.start()), line(block.lines.end()));
    let is_of_keys = |entry: &Entry<'_>| matches!(entry.name, "path" | "selector" | "selectors");
    block.lines.start() < block.lines.end()
        && first.trim_start_matches('"').starts_with(block.name)
        && matches!(last, "}" | "};" | "},")
        && block.value.block().iter().all(is_of_keys)
}

/// Whether a line begins the section, and nothing else.
fn is_head(line: &str) -> bool {
    let name = line.trim().strip_suffix('{').map(|name| name.trim_end_matches([' ', '\t', '=', ':']));
    name.is_some_and(|name| name.trim_matches('"') == "domain")
}

/// The block of a domain.
fn written(domain: &str, keys: &[Named<'_>], indent: usize) -> Vec<String> {
    let blank = " ".repeat(indent);
    let pair = |(selector, path): &Named<'_>, more: &str| {
        [format!("{blank}{more}path = \"{path}\";"), format!("{blank}{more}selector = \"{selector}\";")]
    };
    let mut lines = vec![format!("{blank}{domain} {{")];
    match keys {
        [one] => lines.extend(pair(one, "    ")),
        several => {
            lines.push(format!("{blank}    selectors ["));
            for key in several {
                lines.push(format!("{blank}        {{"));
                lines.extend(pair(key, "            "));
                lines.push(format!("{blank}        }},"));
            }
            lines.push(format!("{blank}    ]"));
        }
    }
    lines.push(format!("{blank}}}"));
    lines
}
