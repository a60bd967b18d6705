//! Where mail goes: aliases of Postfix's tables and of docker-mailserver's files, the domains that are served, and what exists in
//! them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::account_names;
use crate::check::could_not_tell;
use crate::dms::CONFIG;
use crate::facts::Deployment;
use crate::postfix::{Postfix, elements, logical_lines};
use crate::{Server, Untold};

/// An alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Alias {
    /// The address in lower case: `info@example.org`; `@example.org` for all of a domain, `root` for a local name.
    pub(super) address: String,
    /// Where its mail goes: addresses in lower case, `|command`, `/file`, `:include:/file`.
    pub(super) targets: Vec<String>,
    /// Where it stands: file and line.
    pub(super) place: String,
    /// Whether it is of aliases(5), where commands run.
    pub(super) local: bool,
}

/// All that is known of where mail goes.
#[derive(Clone, Debug, Default)]
pub(super) struct Routes {
    /// The aliases, in the order of their files.
    pub(super) aliases: Vec<Alias>,
    /// Tables that could not be looked into.
    pub(super) unread: Vec<String>,
    /// Domains whose addresses are mailboxes of accounts.
    pub(super) mailbox_domains: BTreeSet<String>,
    /// Domains whose addresses are users of the system, and their aliases.
    pub(super) local_domains: BTreeSet<String>,
    /// Whether all domains are known.
    pub(super) domains_known: bool,
    /// Addresses that have a mailbox, where they are known.
    mailboxes: Option<BTreeSet<String>>,
    delimiters: String,
}

/// Types of tables whose source is a text beside them.
const TEXTS: [&str; 8] = ["hash", "texthash", "btree", "lmdb", "cdb", "dbm", "sdbm", "unionmap"];

impl Routes {
    /// Reads them.
    ///
    /// # Errors
    /// When neither Postfix nor docker-mailserver tells anything.
    pub(super) fn read(server: &Server<'_>) -> Result<Self, Untold> {
        let mut routes =
            Self { delimiters: "+".to_owned(), mailboxes: account_names(server), ..Self::default() };
        if server.facts.about.deployment == Deployment::DockerMailserver && routes.read_dms(server).is_ok() {
            return Ok(routes);
        }
        let postfix = server.postfix()?;
        routes.delimiters = postfix.value("recipient_delimiter").unwrap_or_default();
        routes.read_postfix(server, postfix);
        Ok(routes)
    }

    /// The files of the config volume, from which everything else is made. Domains are those of accounts and aliases.
    fn read_dms(&mut self, server: &Server<'_>) -> Result<(), Untold> {
        let virtuals = server.facts.text(&format!("{CONFIG}/postfix-virtual.cf"))?;
        self.table(virtuals.unwrap_or_default(), &format!("{CONFIG}/postfix-virtual.cf"));
        if let Ok(Some(text)) = server.facts.text(&format!("{CONFIG}/postfix-aliases.cf")) {
            self.local_table(text, &format!("{CONFIG}/postfix-aliases.cf"));
        }
        if let Ok(Some(text)) = server.facts.text(&format!("{CONFIG}/postfix-regexp.cf")) {
            self.patterns(text, &format!("{CONFIG}/postfix-regexp.cf"));
        }
        let aliases = self.aliases.iter().filter(|alias| !alias.local).map(|alias| alias.address.as_str());
        let names = self.mailboxes.iter().flatten().map(String::as_str).chain(aliases);
        self.mailbox_domains = names.filter_map(|name| Some(name.rsplit_once('@')?.1.to_owned())).collect();
        self.domains_known = self.mailboxes.is_some();
        Ok(())
    }

    fn read_postfix(&mut self, server: &Server<'_>, postfix: &Postfix) {
        for map in elements(&postfix.value("virtual_alias_maps").unwrap_or_default()) {
            self.map(server, map, false);
        }
        for map in elements(&postfix.value("alias_maps").unwrap_or_else(|| "hash:/etc/aliases".to_owned())) {
            self.map(server, map, true);
        }
        let list = |name: &str| postfix.value(name).unwrap_or_default();
        self.domains_known = true;
        self.local_domains = self.domains(server, &list("mydestination"));
        self.mailbox_domains = self.domains(server, &list("virtual_mailbox_domains"));
        if postfix.explicit("virtual_alias_domains").is_some() {
            let own = self.domains(server, &list("virtual_alias_domains"));
            self.mailbox_domains.extend(own);
        }
        // virtual(5): a bare domain as a key makes it a domain of aliases.
        let bare = self
            .aliases
            .iter()
            .filter(|alias| !alias.local && !alias.address.contains('@') && alias.address.contains('.'));
        let bare: Vec<_> = bare.map(|alias| alias.address.clone()).collect();
        self.mailbox_domains.extend(bare);
        self.mailbox_maps(server, &list("virtual_mailbox_maps"));
    }

    fn map(&mut self, server: &Server<'_>, map: &str, local: bool) {
        let map = map.strip_prefix("proxy:").unwrap_or(map);
        let (kind, path) = map.split_once(':').unwrap_or(("hash", map));
        let text = server.facts.text(path).ok().flatten();
        match (kind, text) {
            ("pcre" | "regexp", Some(text)) => self.patterns(text, path),
            (_, Some(text)) if TEXTS.contains(&kind) && local => self.local_table(text, path),
            (_, Some(text)) if TEXTS.contains(&kind) => self.table(text, path),
            // /etc/aliases that is known not to exist holds nothing.
            _ if TEXTS.contains(&kind) && matches!(server.facts.file(path), Ok(None)) => {}
            _ => self.unread.push(map.to_owned()),
        }
    }

    /// Addresses of mailboxes that are listed beside the accounts.
    fn mailbox_maps(&mut self, server: &Server<'_>, maps: &str) {
        for map in elements(maps) {
            let (kind, path) = map.split_once(':').unwrap_or(("", map));
            let text = server.facts.text(path).ok().flatten().filter(|_| TEXTS.contains(&kind));
            let Some(text) = text else { continue };
            let keys = logical_lines(text)
                .into_iter()
                .filter_map(|line| Some(line.text.split_whitespace().next()?.to_ascii_lowercase()));
            self.mailboxes.get_or_insert_default().extend(keys);
        }
    }

    /// The domains of a list: names, and the first words of the lines of files and tables.
    fn domains(&mut self, server: &Server<'_>, list: &str) -> BTreeSet<String> {
        let mut domains = BTreeSet::new();
        for element in elements(list) {
            let path = match element.split_once(':') {
                Some((kind, path)) if TEXTS.contains(&kind) => path,
                Some(_) => {
                    self.domains_known = false;
                    continue;
                }
                None if element.starts_with('/') => element,
                None => {
                    domains.insert(element.to_ascii_lowercase());
                    continue;
                }
            };
            match server.facts.text(path) {
                Ok(Some(text)) => domains.extend(
                    logical_lines(text)
                        .into_iter()
                        .filter_map(|line| Some(line.text.split_whitespace().next()?.to_ascii_lowercase())),
                ),
                _ => self.domains_known = false,
            }
        }
        domains
    }

    /// virtual(5): `address target, target`.
    fn table(&mut self, text: &str, path: &str) {
        for line in logical_lines(text) {
            let Some((address, targets)) = line.text.split_once(char::is_whitespace) else { continue };
            let targets = elements(targets).into_iter().map(str::to_ascii_lowercase).collect();
            self.aliases.push(Alias {
                address: address.to_ascii_lowercase(),
                targets,
                place: format!("{path}:{}", line.line),
                local: false,
            });
        }
    }

    /// aliases(5): `name: target, "|command with words"`.
    fn local_table(&mut self, text: &str, path: &str) {
        for line in logical_lines(text) {
            let Some((address, targets)) = line.text.split_once(':') else { continue };
            self.aliases.push(Alias {
                address: address.trim_matches(|c: char| c == '"' || c.is_whitespace()).to_ascii_lowercase(),
                targets: quoted_list(targets),
                place: format!("{path}:{}", line.line),
                local: true,
            });
        }
    }

    /// Of patterns, one that takes a whole domain is told; what others match is not.
    fn patterns(&mut self, text: &str, path: &str) {
        for line in logical_lines(text) {
            let Some((pattern, target)) = line.text.rsplit_once(char::is_whitespace) else { continue };
            let bare = pattern.trim().trim_matches('/').trim_start_matches('^').trim_end_matches('$');
            let all = ["(.*)@", "(.+)@", ".*@", ".+@", "@"].iter().find_map(|any| bare.strip_prefix(any));
            match all {
                Some(domain) => self.aliases.push(Alias {
                    address: format!("@{}", domain.replace("\\.", ".").to_ascii_lowercase()),
                    targets: vec![target.to_ascii_lowercase()],
                    place: format!("{path}:{}", line.line),
                    local: false,
                }),
                None => self.unread.push(format!("{path}:{}", line.line)),
            }
        }
    }

    /// Whether a domain is served here.
    pub(super) fn serves(&self, domain: &str) -> bool {
        self.mailbox_domains.contains(domain) || self.local_domains.contains(domain)
    }

    /// Whether a target is an address elsewhere.
    pub(super) fn is_outside(&self, target: &str) -> bool {
        let is_path = target.starts_with(['|', '/', ':', '"']);
        target
            .rsplit_once('@')
            .is_some_and(|(_, domain)| !is_path && !domain.is_empty() && !self.serves(domain))
    }

    /// Whether an address has a mailbox of its own.
    pub(super) fn is_mailbox(&self, address: &str) -> bool {
        self.mailboxes.as_ref().is_some_and(|mailboxes| mailboxes.contains(address))
    }

    /// Whether mail for an address of a served domain arrives somewhere.
    ///
    /// # Errors
    /// When what exists is not known.
    pub(super) fn exists(&self, address: &str) -> Result<bool, Untold> {
        let Some((local, domain)) = address.rsplit_once('@') else { return Ok(true) };
        let base = local
            .split(|c| self.delimiters.contains(c))
            .next()
            .filter(|base| !base.is_empty())
            .unwrap_or(local);
        let names = [address.to_owned(), format!("{base}@{domain}"), format!("@{domain}")];
        if names.iter().any(|name| self.is_mailbox(name) || self.has_alias(name)) {
            return Ok(true);
        }
        if self.local_domains.contains(domain)
            && self.aliases.iter().any(|alias| alias.local && alias.address == base)
        {
            return Ok(true);
        }
        if self.mailboxes.is_none() && self.mailbox_domains.contains(domain) {
            return could_not_tell("which mailboxes exist is not known");
        }
        if let Some(map) = self.unread.first() {
            return could_not_tell(format!("{map} may hold the address, and was not looked into"));
        }
        Ok(false)
    }

    fn has_alias(&self, address: &str) -> bool {
        self.aliases.iter().any(|alias| !alias.local && alias.address == address)
    }

    /// Circles of aliases, each once, with where one of them stands. An alias to itself is how a copy is kept.
    pub(super) fn circles(&self) -> BTreeMap<Vec<String>, String> {
        let mut circles = BTreeMap::new();
        for local in [false, true] {
            let mut ways = BTreeMap::<&str, Vec<&str>>::new();
            let own: Vec<_> = self.aliases.iter().filter(|alias| alias.local == local).collect();
            for alias in &own {
                ways.entry(&alias.address).or_default().extend(alias.targets.iter().map(String::as_str));
            }
            for alias in own {
                if let Some(circle) = circle(&ways, &alias.address) {
                    let mut members = circle;
                    members.sort_unstable();
                    circles.entry(members).or_insert_with(|| alias.place.clone());
                }
            }
        }
        circles
    }
}

/// The shortest way from an address back to itself over others: breadth first.
fn circle(ways: &BTreeMap<&str, Vec<&str>>, start: &str) -> Option<Vec<String>> {
    let mut from = BTreeMap::<&str, &str>::new();
    let mut next = VecDeque::from([start]);
    while let Some(at) = next.pop_front() {
        for target in ways.get(at).into_iter().flatten().filter(|target| **target != at) {
            if *target == start {
                let back = std::iter::successors(Some(at), |at| from.get(at).copied());
                return Some(back.map(str::to_owned).collect());
            }
            if ways.contains_key(target) && !from.contains_key(target) {
                from.insert(target, at);
                next.push_back(target);
            }
        }
    }
    None
}

/// A list of aliases(5): commas separate, double quotes hold together.
fn quoted_list(list: &str) -> Vec<String> {
    let mut quoted = false;
    let parts = list.split(|c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    });
    let items = parts.map(|part| part.replace('"', "").trim().to_owned()).filter(|item| !item.is_empty());
    items
        .map(|item| if item.starts_with(['|', '/', ':']) { item } else { item.to_ascii_lowercase() })
        .collect()
}
