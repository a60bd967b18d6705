//! Lookup tables: stale, in clear over the network, too wide, or read by nobody.

use std::collections::BTreeSet;

use super::advise;
use crate::check::{not_applicable, pass};
use crate::facts::{File, Known};
use crate::postfix::{MainCf, Postfix, Table, TableEntry, elements, logical_lines, unbraced};
use crate::{Check, Finding, Judged, Outcome, Remedy, Server, Severity};

pub(super) static PFX_024: Check = Check {
    id: "PFX-024",
    title: "A lookup table is older than the text it is made of, or missing",
    severity: Severity::Medium,
    why: "Postfix reads the index, so what was added to the text since does not hold; where the index is missing, mail waits.",
    proof: "When each text and its index were changed last, for every indexed table that the configuration names.",
    fix: "Run postmap on the table, newaliases for aliases.",
    references: &["https://www.postfix.org/DATABASE_README.html"],
    judge: pfx_024,
};

pub(super) static PFX_025: Check = Check {
    id: "PFX-025",
    title: "Lookups go over the network in clear",
    severity: Severity::Medium,
    why: "Addresses, and in many setups the password of the database, are readable on the way, and answers can be forged.",
    proof: "Hosts and TLS settings of the mysql, pgsql and ldap tables that the configuration names.",
    fix: "Use a socket of this machine, or TLS: tls_CAfile (mysql), sslmode=verify-full (pgsql), ldaps or start_tls (ldap).",
    references: &["mysql_table(5)", "pgsql_table(5)", "ldap_table(5)"],
    judge: pfx_025,
};

pub(super) static PFX_032: Check = Check {
    id: "PFX-032",
    title: "A table blocks far too wide a range, or nothing reads it",
    severity: Severity::Medium,
    why: "A range of millions of addresses turns away honest senders for ever, and a list that no setting names blocks nobody.",
    proof: "The size of each range in the tables of client restrictions and postscreen_access_list, and tables of blocks below the \
            directory of main.cf that no setting names.",
    fix: "Name single addresses with a date, or leave bans to a program that lifts them; delete or name the table.",
    references: &["cidr_table(5)", "access(5)"],
    judge: pfx_032,
};

/// A table that the configuration names: type, path, and the parameter.
type Named = (String, String, String);

/// All tables with a file, once each.
fn named_tables(postfix: &Postfix<'_>) -> Vec<Named> {
    let mut named = BTreeSet::new();
    let of_services = postfix.services().iter().flat_map(|service| {
        service.overrides.iter().map(|(name, value)| (name.clone(), postfix.expanded(Some(service), value)))
    });
    let of_main = postfix.set().map(|(name, value)| (name.to_owned(), postfix.expanded(None, value)));
    let defaults =
        ["alias_maps"].into_iter().filter_map(|name| Some((name.to_owned(), postfix.value(name)?)));
    for (parameter, value) in of_main.chain(of_services).chain(defaults) {
        for (kind, path) in tables_in(&value, 3) {
            if !named.iter().any(|(known, at, _): &Named| *known == kind && *at == path) {
                named.insert((kind, path, parameter.clone()));
            }
        }
    }
    named.into_iter().collect()
}

fn tables_in(value: &str, depth: usize) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for element in elements(value) {
        let element = element.trim_start_matches("proxy:");
        if let Some((kind, path)) = element.split_once(':').filter(|(_, path)| path.starts_with('/')) {
            found.push((kind.to_owned(), path.to_owned()));
        } else if element.contains('{') && depth > 0 {
            let inner = element.split_once(':').map_or(element, |(_, inner)| inner);
            if inner.len() < element.len() || unbraced(element).len() < element.len() {
                found.extend(tables_in(unbraced(inner), depth - 1));
            }
        }
    }
    found
}

fn index_of(kind: &str, path: &str) -> Option<String> {
    match kind {
        "hash" | "btree" => Some(format!("{path}.db")),
        "lmdb" => Some(format!("{path}.lmdb")),
        "cdb" => Some(format!("{path}.cdb")),
        _ => None,
    }
}

/// Caches that Postfix keeps itself have no text.
fn is_cache(parameter: &str) -> bool {
    ["_cache", "_cache_map", "_cache_database", "_database", "address_verify_map"]
        .iter()
        .any(|end| parameter.ends_with(end))
        && parameter != "alias_database"
}

fn pfx_024(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    let (mut findings, mut looked) = (Vec::new(), 0);
    let mut unknown = None;
    let named = named_tables(postfix);
    for (kind, path, parameter) in named.iter().filter(|(.., parameter)| !is_cache(parameter)) {
        let text_only = matches!(kind.as_str(), "texthash" | "cidr" | "pcre" | "regexp");
        let Some(index) = index_of(kind, path).or_else(|| text_only.then(String::new)) else { continue };
        let text = server.facts.file(path);
        if text_only {
            match text {
                Ok(Some(_)) => looked += 1,
                Ok(None) => findings.push(missing(kind, path, path, parameter)),
                Err(why) => unknown = Some(why),
            }
            continue;
        }
        match (text, server.facts.file(&index)) {
            (Ok(Some(text)), Ok(Some(index))) if text.modified > index.modified => {
                findings.push(stale(kind, path, parameter, text, index));
            }
            (Ok(text), Ok(None)) => {
                // A server that was just installed has neither aliases nor their index.
                if text.is_some() || parameter != "alias_database" {
                    findings.push(missing(kind, path, &index, parameter));
                }
            }
            (Ok(None), Ok(Some(_))) => findings.push(no_source(kind, path, parameter)),
            (Ok(_), Ok(_)) => looked += 1,
            (Err(why), _) | (_, Err(why)) => unknown = Some(why),
        }
    }
    match unknown {
        Some(why) if findings.is_empty() => Err(why),
        _ if findings.is_empty() && looked == 0 => not_applicable("no setting names a table with a file"),
        _ => Ok(Outcome::of(findings, format!("{looked} tables are as new as their texts"))),
    }
}

fn rebuild(kind: &str, path: &str, parameter: &str) -> Remedy {
    let command = if parameter.starts_with("alias_") {
        "newaliases".to_owned()
    } else {
        format!("postmap {kind}:{path}")
    };
    Remedy::new("Make the index anew.").apply(command).prove(format!("ls -l --time-sort {path}*"))
}

fn stale(kind: &str, path: &str, parameter: &str, text: &File, index: &File) -> Finding {
    let late = text.modified - index.modified;
    let seen = format!("changed {late} seconds after its index was made");
    Finding::new(
        Severity::Medium,
        path,
        format!("{path} was changed after its index was made, so the change does not hold"),
    )
    .cause(path)
    .seen(path, seen)
    .seen(parameter, format!("{kind}:{path}"))
    .remedy(rebuild(kind, path, parameter))
}

fn missing(kind: &str, path: &str, what: &str, parameter: &str) -> Finding {
    Finding::new(
        Severity::Medium,
        path,
        format!("{what} does not exist, so whatever asks {kind}:{path} fails, and mail waits"),
    )
    .cause(parameter)
    .seen(what, "does not exist")
    .seen(parameter, format!("{kind}:{path}"))
    .remedy(rebuild(kind, path, parameter))
}

fn no_source(kind: &str, path: &str, parameter: &str) -> Finding {
    Finding::new(
        Severity::Low,
        path,
        format!("{path} does not exist, so nobody can see or change what its index holds"),
    )
    .cause(path)
    .seen(path, "does not exist")
    .seen(parameter, format!("{kind}:{path}"))
    .remedy(Remedy::new("Write the text that the index should hold.").apply(format!("postmap {kind}:{path}")))
}

fn pfx_025(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    let named = named_tables(postfix);
    let far = named.iter().filter(|(kind, ..)| matches!(kind.as_str(), "mysql" | "pgsql" | "ldap"));
    let (mut findings, mut asked, mut unknown) = (Vec::new(), 0, None);
    for (kind, path, parameter) in far {
        asked += 1;
        let text = match server.facts.text(path) {
            Ok(Some(text)) => text,
            Ok(None) => continue,
            Err(why) => {
                unknown = Some(why);
                continue;
            }
        };
        let settings = MainCf::read(text);
        let hosts = open_hosts(kind, &settings);
        if let Some((line, host)) = hosts.first() {
            let summary = format!("{kind}:{path} asks {host} over the network without TLS");
            let add = match kind.as_str() {
                "ldap" => "start_tls = yes",
                "mysql" => "tls_CAfile = /etc/ssl/certs/ca-certificates.crt",
                _ => "hosts = postgresql://db.example.org/mail?sslmode=verify-full",
            };
            findings.push(
                Finding::new(Severity::Medium, path, summary)
                    .cause(format!("{path}:{line}"))
                    .seen(format!("{path}:{line}"), host.clone())
                    .seen(parameter.clone(), format!("{kind}:{path}"))
                    .remedy(
                        Remedy::new("Ask over TLS.")
                            .add(path, &[add])
                            .apply("postfix reload")
                            .prove(format!("postmap -q test {kind}:{path}")),
                    ),
            );
        }
    }
    match unknown {
        Some(why) if findings.is_empty() => Err(why),
        _ if asked == 0 => not_applicable("no setting names a table of a database or directory"),
        _ => Ok(Outcome::of(findings, "lookups stay on this machine, or use TLS")),
    }
}

/// The hosts that are asked in clear, each with its line.
fn open_hosts(kind: &str, settings: &MainCf) -> Vec<(usize, String)> {
    let value = |name: &str| settings.of(name).next_back().map(|line| line.value.clone()).unwrap_or_default();
    let secured = match kind {
        "ldap" => value("start_tls").eq_ignore_ascii_case("yes"),
        "mysql" => ["tls_CAfile", "tls_CApath", "tls_cert_file"].iter().any(|name| !value(name).is_empty()),
        _ => false,
    };
    let name = if kind == "ldap" { "server_host" } else { "hosts" };
    let Some(line) = settings.of(name).next_back().filter(|_| !secured) else { return Vec::new() };
    let open = |host: &&str| {
        let encrypted =
            host.starts_with("ldaps:") || host.contains("sslmode=require") || host.contains("sslmode=verify");
        !encrypted && !is_local(host)
    };
    elements(&line.value).into_iter().filter(open).map(|host| (line.line, host.to_owned())).collect()
}

fn is_local(host: &str) -> bool {
    let host = ["ldap://", "ldapi://", "postgresql://", "inet:"]
        .iter()
        .fold(host, |host, scheme| host.strip_prefix(scheme).unwrap_or(host));
    let host = host.rsplit('@').next().unwrap_or(host);
    host.starts_with("unix:")
        || host.starts_with('/')
        || host.starts_with("%2")
        || host.starts_with("localhost")
        || host.starts_with("127.")
        || host.starts_with("[::1]")
}

/// Actions that turn a client away.
fn refuses(action: &str) -> bool {
    let word = action.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
    matches!(word.as_str(), "REJECT" | "DROP" | "DEFER" | "DISCARD")
        || word.starts_with(['4', '5']) && word.len() == 3
}

/// Addresses of IPv4 that a range holds as a power of two: `/8` is 24.
fn width(table: &Table, entry: &TableEntry) -> Option<(u32, String)> {
    if let Some(network) = entry.network() {
        let bits = if network.address().is_ipv4() {
            32 - u32::from(network.prefix())
        } else {
            56_u32.saturating_sub(u32::from(network.prefix()))
        };
        return Some((bits, network.to_string()));
    }
    let octets = entry.key.split('.').filter(|octet| octet.parse::<u8>().is_ok()).count();
    let whole = octets == entry.key.split('.').count() && !table.whole_only();
    (whole && octets < 4).then(|| (32 - 8 * u32::try_from(octets).unwrap_or(4), entry.key.clone()))
}

/// From here on a range is that of a whole provider or country: `/12`, in IPv6 `/36`.
const FAR_TOO_WIDE: u32 = 20;

fn pfx_032(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    let client = [
        "_client_restrictions",
        "postscreen_access_list",
        "_recipient_restrictions",
        "_sender_restrictions",
        "_relay_restrictions",
    ];
    let named = named_tables(postfix);
    let (mut findings, mut unknown) = (Vec::new(), None);
    for (kind, path, parameter) in &named {
        let access = client.iter().any(|end| parameter.ends_with(end));
        if !access || !matches!(kind.as_str(), "cidr" | "hash" | "texthash" | "lmdb" | "btree" | "cdb") {
            continue;
        }
        let table = match postfix.table(&format!("{kind}:{path}")) {
            Ok(table) => table,
            Err(why) => {
                unknown = Some(why);
                continue;
            }
        };
        for entry in table.entries.iter().filter(|entry| refuses(&entry.value)) {
            let Some((bits, range)) = width(&table, entry).filter(|(bits, _)| *bits >= FAR_TOO_WIDE) else {
                continue;
            };
            let place = table.place(entry);
            let line = format!("{} {}", entry.key, entry.value);
            let summary =
                format!("{path} turns away all of {range} ({} addresses or networks)", 1_u64 << bits.min(32));
            findings.push(
                Finding::new(Severity::Medium, format!("{path} {range}"), summary)
                    .cause(place.clone())
                    .seen(place, line.clone())
                    .seen(postfix.place(parameter), format!("{parameter} uses {kind}:{path}"))
                    .remedy(
                        Remedy::new("Name the addresses that did harm, and when.")
                            .edit(path, &[&line], &[])
                            .apply(format!("postmap {kind}:{path}; postfix reload")),
                    ),
            );
        }
    }
    findings.extend(unread(server, postfix, &named));
    match unknown {
        Some(why) if findings.is_empty() => Err(why),
        _ if findings.is_empty() && named.is_empty() => {
            pass("no table turns clients away, and none lies unread")
        }
        _ => Ok(Outcome::of(
            findings,
            "no range that is turned away is wider than a /12, and every table is read",
        )),
    }
}

/// Tables of blocks beside main.cf that no setting names.
fn unread(server: &Server<'_>, postfix: &Postfix<'_>, named: &[Named]) -> Vec<Finding> {
    let directory = postfix.directory();
    let shipped = ["main.cf", "master.cf", "dynamicmaps.cf", "postfix-files", "makedefs.out", "access"];
    let texts: Vec<&str> =
        server.facts.below(directory).filter_map(|(_, file)| file.text.known().map(String::as_str)).collect();
    let values: Vec<&str> = postfix.set().map(|(_, value)| value).collect();
    let mut findings = Vec::new();
    for (path, file) in server.facts.below(directory) {
        let name = path.rsplit('/').next().unwrap_or(path);
        let Known::Is(text) = &file.text else { continue };
        let aside = shipped.contains(&name)
            || name.ends_with(".proto")
            || name.ends_with('~')
            || name.ends_with(".bak");
        let is_named = named.iter().any(|(_, at, _)| at == path)
            || values.iter().any(|value| value.contains(name))
            || texts.iter().any(|other| *other != text.as_str() && other.contains(path));
        if aside || is_named {
            continue;
        }
        let blocks = logical_lines(text).into_iter().filter(|line| is_block(&line.text)).count();
        if blocks == 0 || blocks < logical_lines(text).len() / 2 {
            continue;
        }
        let first = logical_lines(text).into_iter().find(|line| is_block(&line.text));
        let (line, seen) = first.map_or((1, String::new()), |line| (line.line, line.text));
        findings.push(
            Finding::new(
                Severity::Medium,
                path,
                format!("{path} is written to turn clients away, but no setting names it"),
            )
            .cause(path)
            .seen(format!("{path}:{line}"), seen)
            .seen("postconf -n", format!("names no {name}"))
            .remedy(advise(
                server,
                "Name it in postscreen_access_list or smtpd_client_restrictions, or delete it.",
                &[&format!("smtpd_client_restrictions = check_client_access cidr:{path}")],
                "smtpd_client_restrictions",
            )),
        );
    }
    findings
}

/// `192.0.2.0/24 REJECT`.
fn is_block(line: &str) -> bool {
    let Some((key, action)) = line.split_once(char::is_whitespace) else { return false };
    let address = key.split('/').next().unwrap_or(key).trim_matches(['[', ']']);
    refuses(action.trim()) && address.parse::<std::net::IpAddr>().is_ok()
}
