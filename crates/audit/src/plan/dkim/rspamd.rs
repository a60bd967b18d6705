//! Rspamd: a block for each domain says where its keys are (<https://rspamd.com/doc/modules/dkim_signing.html>).

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

/// The keys that a file's blocks name.
#[must_use]
pub fn named(text: &str) -> Vec<Signing> {
    let entries = ucl::read(text);
    let section = ucl::find(&entries, "dkim_signing").map_or(&*entries, |section| section.value.block());
    let selector = ucl::find(section, "selector").and_then(|entry| entry.value.text()).unwrap_or("dkim");
    let default = ucl::find(section, "path").and_then(|entry| entry.value.text());
    let default = (selector, default.unwrap_or("/var/lib/rspamd/dkim/$domain.$selector.key"));
    domains(&entries).into_iter().flat_map(|domain| keys_of(domain, default)).collect()
}

/// The blocks of domains.
fn domains<'e, 'a>(entries: &'e [Entry<'a>]) -> Vec<&'e Entry<'a>> {
    let section = ucl::find(entries, "dkim_signing").map_or(entries, |section| section.value.block());
    section.iter().filter(|entry| entry.name == "domain").flat_map(|entry| entry.value.block()).collect()
}

fn keys_of(domain: &Entry<'_>, (selector, path): (&str, &str)) -> Vec<Signing> {
    let text = |block: &[Entry<'_>], name| {
        ucl::find(block, name).and_then(|entry| entry.value.text().map(str::to_owned))
    };
    let signing = |block: &[Entry<'_>]| {
        let selector = text(block, "selector").unwrap_or_else(|| selector.to_owned());
        let path = text(block, "path").unwrap_or_else(|| path.to_owned());
        let path = path.replace("$domain", domain.name).replace("$selector", &selector);
        let (domain, line) = (domain.name.to_ascii_lowercase(), domain.lines.start() + 1);
        Signing { domain, selector, path, line }
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
        let names = |file: &&&str| text(file).is_some_and(|text| !named(text).is_empty());
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

    pub(super) fn switch(
        &self,
        domain: &str,
        old: &[&SigningKey],
        new: &SigningKey,
    ) -> Result<Vec<Change>, String> {
        let entries = ucl::read(&self.text);
        let block = domains(&entries).into_iter().find(|entry| entry.name.eq_ignore_ascii_case(domain));
        let mut keys: Vec<(String, String)> = named(&self.text)
            .into_iter()
            .filter(|key| key.domain == domain && !old.iter().any(|old| old.selector == key.selector))
            .map(|key| (key.selector, key.path))
            .collect();
        // Keys that were found by their names alone go on signing beside a new one of another kind only when they are named.
        keys.push((new.selector.clone(), new.place.clone()));
        let Some(block) = block else { return Ok(vec![self.added(&entries, domain, &keys)]) };
        let lines = self.lines_of(block).ok_or_else(|| {
            format!(
                "{}:{}: the block of {domain} shares its lines with others; give it lines of its own",
                self.file,
                block.lines.start() + 1
            )
        })?;
        let indent = lines.first().map_or(0, |line| line.len() - line.trim_start().len());
        Ok(vec![lines_changed(self.file, &lines, &written(domain, &keys, indent))])
    }

    /// The lines of a block that has them for itself.
    fn lines_of(&self, block: &Entry<'_>) -> Option<Vec<&str>> {
        let all: Vec<&str> = self.text.lines().collect();
        let lines = all.get(block.lines.clone())?.to_vec();
        let first = lines.first()?.trim_start().trim_start_matches('"');
        let last = lines.last()?.trim();
        let others =
            block.value.block().iter().any(|entry| !matches!(entry.name, "path" | "selector" | "selectors"));
        (lines.len() > 1 && first.starts_with(block.name) && matches!(last, "}" | "};") && !others)
            .then_some(lines)
    }

    /// A block for a domain that has none.
    fn added(&self, entries: &[Entry<'_>], domain: &str, keys: &[(String, String)]) -> Change {
        let own = entries.iter().find(|entry| entry.name == "domain").and_then(|entry| {
            let line = self.text.lines().nth(*entry.lines.start())?;
            line.trim_end().ends_with('{').then_some(line)
        });
        if let Some(head) = own {
            let block = written(domain, keys, 4);
            let lines: Vec<String> = core::iter::once(head.to_owned()).chain(block).collect();
            return lines_changed(self.file, &[head], &lines);
        }
        let start = if self.docker && self.text.trim().is_empty() { &DMS[..] } else { &[] };
        let mut lines: Vec<String> = start.iter().map(|line| (*line).to_owned()).collect();
        lines.push("domain {".to_owned());
        lines.extend(written(domain, keys, 4));
        lines.push("}".to_owned());
        lines_changed(self.file, &[], &lines)
    }
}

fn lines_changed(file: &str, remove: &[&str], add: &[String]) -> Change {
    let add: Vec<&str> = add.iter().map(String::as_str).collect();
    Change::lines(file, remove, &add)
}

/// The block of a domain.
fn written(domain: &str, keys: &[(String, String)], indent: usize) -> Vec<String> {
    let blank = " ".repeat(indent);
    let pair = |(selector, path): &(String, String), more: &str| {
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
