//! `fail2ban-client -d`: the configuration as fail2ban itself resolved it.

use std::collections::BTreeMap;

use super::literal::Literal;
use super::pattern::Filter;
use super::{Jail, Origin, seconds};

/// What a dump says.
#[derive(Clone, Debug, Default)]
pub(super) struct Dump {
    pub(super) jails: Vec<Jail>,
    pub(super) errors: Vec<String>,
    pub(super) ipv6: Option<String>,
}

/// A jail's patterns before they are compiled.
#[derive(Default)]
struct Patterns {
    prefix: Option<String>,
    fail: Vec<String>,
    ignore: Vec<String>,
}

pub(super) fn read(text: &str) -> Dump {
    let mut dump = Dump::default();
    let mut patterns: BTreeMap<String, Patterns> = BTreeMap::new();
    for line in text.lines() {
        let Some(command) = Literal::read(line) else { continue };
        take(&mut dump, &mut patterns, command.items());
    }
    for jail in &mut dump.jails {
        let Some(found) = patterns.get(&jail.name) else { continue };
        let fail = found.fail.iter().map(String::as_str);
        jail.filter = Filter::new(found.prefix.as_deref(), fail, found.ignore.iter().map(String::as_str));
    }
    dump
}

fn take(dump: &mut Dump, patterns: &mut BTreeMap<String, Patterns>, command: &[Literal]) {
    let words: Vec<&str> = command.iter().map_while(Literal::text).collect();
    match words.as_slice() {
        ["config-error", error, ..] => dump.errors.push((*error).to_owned()),
        ["set", "allowipv6", value, ..] => dump.ipv6 = Some((*value).to_owned()),
        ["add", name, ..] => {
            dump.jails.push(Jail { name: (*name).to_owned(), origin: Origin::Resolved, ..Jail::default() });
        }
        ["set" | "multi-set", name, key, ..] => {
            let Some(jail) = dump.jails.iter_mut().find(|jail| jail.name == *name) else { return };
            let values: Vec<&str> = command
                .get(3..)
                .unwrap_or_default()
                .iter()
                .flat_map(Literal::items)
                .filter_map(Literal::text)
                .collect();
            if let Some(ports) = ports(command).filter(|_| *key == "action") {
                jail.ports = ports;
            }
            set(jail, patterns.entry((*name).to_owned()).or_default(), key, &values);
        }
        _ => {}
    }
}

/// The ports among the parameters of an action: a list of pairs.
fn ports(command: &[Literal]) -> Option<String> {
    let parameters = command.get(4)?.items().iter();
    let named = |pair: &&Literal| pair.items().first().and_then(Literal::text) == Some("port");
    parameters.filter(named).find_map(|pair| pair.items().get(1)?.text().map(str::to_owned))
}

fn set(jail: &mut Jail, patterns: &mut Patterns, key: &str, values: &[&str]) {
    let first = values.first().copied().unwrap_or_default();
    let owned = || values.iter().map(|value| (*value).to_owned());
    match key {
        "prefregex" => patterns.prefix = Some(first.to_owned()),
        "addfailregex" => patterns.fail.extend(owned()),
        "addignoreregex" => patterns.ignore.extend(owned()),
        "maxretry" => jail.max_retry = first.parse().unwrap_or(jail.max_retry),
        "findtime" => jail.find_time = seconds(first).unwrap_or(jail.find_time),
        "bantime" => jail.ban_time = seconds(first).unwrap_or(jail.ban_time),
        "bantime.increment" => jail.grows = first.eq_ignore_ascii_case("true"),
        "addignoreip" => jail.ignored.extend(owned()),
        // The second word says where to begin to read.
        "addlogpath" => jail.logs.push(first.to_owned()),
        "addjournalmatch" => jail.journal = true,
        "addaction" => jail.actions.push(first.to_owned()),
        _ => {}
    }
}
