//! OpenDKIM: KeyTable says where keys are, SigningTable whose mail is signed with which (opendkim.conf(5)).

use super::record_name;
use crate::dms::CONFIG;
use crate::facts::{Deployment, SigningKey};
use crate::plan::{Change, list};
use crate::{Facts, Server};

const CONF: &str = "/etc/opendkim.conf";
/// Where OpenDKIM listens for Postfix, whose smtpd is in a chroot and sees no socket outside of it.
const SOCKET: &str = "inet:8891@localhost";
const MILTER: &str = "inet:127.0.0.1:8891";

/// OpenDKIM's tables.
pub(super) struct Tables {
    /// The folder of the tables and keys, as we write them.
    folder: String,
    /// The same, as OpenDKIM reads it.
    read: String,
    keys: String,
    pub(super) signing: String,
    key_lines: Vec<String>,
    signing_lines: Vec<String>,
    /// Whether patterns such as `*@example.org` are understood.
    patterns: bool,
    /// What sets it up where it has no tables yet.
    setup: Vec<Change>,
    owner: Option<String>,
}

impl Tables {
    pub(super) fn of(server: &Server<'_>) -> Self {
        let facts = server.facts;
        if facts.about.deployment == Deployment::DockerMailserver {
            let folder = format!("{CONFIG}/opendkim");
            let (keys, signing) = (format!("{folder}/KeyTable"), format!("{folder}/SigningTable"));
            return Self::at(facts, folder, keys, signing);
        }
        let conf = facts.text(CONF).ok().flatten().unwrap_or_default();
        let path =
            |name| setting(conf, name).map(|table| table.rsplit_once(':').map_or(table, |(_, path)| path));
        if let (Some(keys), Some(signing)) = (path("KeyTable"), path("SigningTable")) {
            let folder = keys.rsplit_once('/').map_or("/etc/opendkim", |(folder, _)| folder).to_owned();
            let patterns = setting(conf, "SigningTable").is_some_and(|table| table.starts_with("refile:"));
            let tables = Self::at(facts, folder, keys.to_owned(), signing.to_owned());
            return Self { patterns, owner: owner(conf), ..tables };
        }
        let there = facts.below("/etc/opendkim").next().is_some();
        let folder = if there { "/etc/opendkim" } else { "/etc/dkimkeys" }.to_owned();
        let (keys, signing) = (format!("{folder}/KeyTable"), format!("{folder}/SigningTable"));
        let tables = Self::at(facts, folder, keys, signing);
        Self { setup: set_up(server, conf, &tables), owner: owner(conf), ..tables }
    }

    fn at(facts: &Facts, folder: String, keys: String, signing: String) -> Self {
        let lines = |path: &str| -> Vec<String> {
            let text = facts.text(path).ok().flatten().unwrap_or_default();
            text.lines().map(str::to_owned).collect()
        };
        Self {
            read: folder.replacen(&format!("{CONFIG}/opendkim"), "/etc/opendkim", 1),
            key_lines: lines(&keys),
            signing_lines: lines(&signing),
            folder,
            keys,
            signing,
            patterns: true,
            setup: Vec::new(),
            owner: None,
        }
    }

    /// Where a new key goes, and whose it is.
    pub(super) fn place(&self, domain: &str, selector: &str) -> (String, Option<String>) {
        (format!("{}/keys/{domain}/{selector}.private", self.folder), self.owner.clone())
    }

    /// A key's name in KeyTable, if it has one.
    fn name<'t>(&'t self, key: &SigningKey) -> Option<&'t str> {
        let value = format!("{}:{}:", key.domain, key.selector);
        self.key_lines.iter().find_map(|line| {
            let (name, rest) = line.trim().split_once(char::is_whitespace)?;
            rest.trim().to_ascii_lowercase().starts_with(&value).then_some(name)
        })
    }

    pub(super) fn switch(
        &self,
        domain: &str,
        old: &[&SigningKey],
        new: &SigningKey,
    ) -> Result<Vec<Change>, String> {
        let mut changes = self.setup.clone();
        let name = self.name(new).map_or_else(|| record_name(new), str::to_owned);
        if self.name(new).is_none() {
            changes.push(self.named(&name, new));
        }
        let names: Vec<&str> = old.iter().filter_map(|key| self.name(key)).collect();
        let own = |line: &str| line.split_whitespace().next().is_some_and(|pattern| is_for(pattern, domain));
        let lines: Vec<&String> =
            self.signing_lines.iter().filter(|line| uses(line, &names) || own(line)).collect();
        if lines.is_empty() && !old.is_empty() && self.setup.is_empty() {
            return Err(format!("{} has no line for the key that signs for {domain}", self.signing));
        }
        changes
            .extend(lines.iter().map(|line| Change::lines(&self.signing, &[line], &[&renamed(line, &name)])));
        if lines.is_empty() {
            let pattern = if self.patterns { format!("*@{domain}") } else { domain.to_owned() };
            changes.push(Change::lines(&self.signing, &[], &[&format!("{pattern} {name}")]));
        }
        Ok(changes)
    }

    /// The line of KeyTable that names a key.
    fn named(&self, name: &str, key: &SigningKey) -> Change {
        let place = key.place.replacen(&self.folder, &self.read, 1);
        let line = format!("{name} {}:{}:{place}", key.domain, key.selector);
        Change::lines(&self.keys, &[], &[&line])
    }

    /// Where a key is that OpenDKIM reads from a copy: docker-mailserver makes one of its volume.
    pub(super) fn lasting(&self, place: &str) -> String {
        place.replacen(&self.read, &self.folder, 1)
    }

    /// What takes a key's line out of KeyTable, if there is one.
    pub(super) fn unnamed(&self, key: &SigningKey) -> Option<Change> {
        let name = self.name(key)?;
        let line = self.key_lines.iter().find(|line| line.split_whitespace().next() == Some(name))?;
        Some(Change::lines(&self.keys, &[line], &[]))
    }
}

/// The value of a setting: the last that is not commented.
fn setting<'a>(conf: &'a str, name: &str) -> Option<&'a str> {
    let lines = conf.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let mut values = lines.filter_map(|line| {
        let (key, value) = line.split_once(char::is_whitespace)?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    });
    values.next_back()
}

/// Whom OpenDKIM becomes before it reads a key, and who alone may own it then (`RequireSafeKeys`).
fn owner(conf: &str) -> Option<String> {
    setting(conf, "UserID").map(|user| user.split(':').next().unwrap_or(user).to_owned())
}

/// Whether a line of SigningTable signs with one of these.
fn uses(line: &str, names: &[&str]) -> bool {
    let mut words = line.split_whitespace();
    let is_comment = line.trim_start().starts_with('#');
    !is_comment && words.nth(1).is_some_and(|name| names.contains(&name))
}

/// Whether a pattern of SigningTable takes in all mail of a domain, and no other.
fn is_for(pattern: &str, domain: &str) -> bool {
    pattern.strip_prefix("*@").unwrap_or(pattern).eq_ignore_ascii_case(domain)
}

/// The line with another key; its pattern and blanks stay.
fn renamed(line: &str, name: &str) -> String {
    let end = line.trim_end();
    let start = end.rfind(char::is_whitespace).map_or("", |at| end.get(..=at).unwrap_or_default());
    format!("{start}{name}")
}

/// Tables where there were none: the one key of `Domain`, `Selector` and `KeyFile` becomes a line, and Postfix is told of OpenDKIM.
fn set_up(server: &Server<'_>, conf: &str, tables: &Tables) -> Vec<Change> {
    let refile = format!("refile:{}", tables.signing);
    let mut changes = vec![
        Change::setting(CONF, "", "KeyTable", &tables.keys),
        Change::setting(CONF, "", "SigningTable", refile),
    ];
    if let [Some(domains), Some(selector), Some(file)] =
        ["Domain", "Selector", "KeyFile"].map(|name| setting(conf, name))
    {
        for domain in domains.split(',').map(str::trim).filter(|domain| domain.contains('.')) {
            let name = format!("{selector}._domainkey.{domain}");
            changes.push(Change::lines(&tables.keys, &[], &[&format!("{name} {domain}:{selector}:{file}")]));
        }
        changes.extend(["Domain", "Selector", "KeyFile"].map(|name| Change::Setting {
            file: CONF.to_owned(),
            section: String::new(),
            name: name.to_owned(),
            value: None,
        }));
    }
    changes.extend(milter(server, conf));
    changes
}

/// OpenDKIM where Postfix reaches it, if Postfix does not know of it.
fn milter(server: &Server<'_>, conf: &str) -> Vec<Change> {
    let Ok(postfix) = server.postfix() else { return Vec::new() };
    let milters = |name: &str| postfix.value(name).unwrap_or_default();
    let socket = setting(conf, "Socket").unwrap_or_default();
    let path = socket.rsplit_once(':').map_or(socket, |(_, path)| path);
    let known = |list: &str| {
        list.contains("opendkim") || list.contains("8891") || (path.starts_with('/') && list.contains(path))
    };
    let names = ["smtpd_milters", "non_smtpd_milters"];
    if names.iter().any(|name| known(&milters(name))) {
        return Vec::new();
    }
    let mut changes = vec![Change::setting(CONF, "", "Socket", SOCKET)];
    changes.extend(names.map(|name| {
        let list = postfix.written(None, name).unwrap_or_default();
        Change::parameter(name, list::first(&list, MILTER))
    }));
    // Mail without a signature is better than no mail while OpenDKIM is down.
    if postfix.explicit("milter_default_action").is_none() {
        changes.push(Change::parameter("milter_default_action", "accept"));
    }
    changes
}
