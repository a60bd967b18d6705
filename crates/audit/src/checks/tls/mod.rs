//! TLS: protocol, cipher, key exchange.

mod exchange;
mod flaws;
mod ports;
mod settings;
mod suites;
mod versions;

use std::collections::BTreeSet;

use crate::check::{could_not_tell, not_applicable};
use crate::facts::{Fetched, Known, MailProtocol, TlsPort};
use crate::plan::Change;
use crate::plan::asking::everywhere;
use crate::{Check, Evidence, Finding, Judged, NotYet, Outcome, Remedy, Server, Severity, Untold};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[
    &versions::TLS_001,
    &versions::TLS_002,
    &versions::TLS_003,
    &versions::TLS_004,
    &suites::TLS_005,
    &suites::TLS_006,
    &suites::TLS_007,
    &suites::TLS_008,
    &suites::TLS_009,
    &suites::TLS_010,
    &suites::TLS_011,
    &exchange::TLS_012,
    &exchange::TLS_013,
    &exchange::TLS_014,
    &exchange::TLS_015,
    &suites::TLS_016,
    &flaws::TLS_017,
    &settings::TLS_018,
    &flaws::TLS_019,
    &flaws::TLS_020,
    &flaws::TLS_021,
    &flaws::TLS_022,
    &exchange::TLS_023,
    &flaws::TLS_024,
    &flaws::TLS_025,
    &flaws::TLS_026,
    &flaws::TLS_027,
    &ports::TLS_028,
    &flaws::TLS_029,
    &ports::TLS_030,
    &ports::TLS_031,
    &ports::TLS_032,
    &settings::TLS_033,
    &ports::TLS_034,
    &settings::TLS_035,
    &settings::TLS_036,
    &settings::TLS_037,
];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[];

/// What mends a weakness of a service: settings of Postfix and of Dovecot, the latter in the words of 2.3 and of 2.4.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fix {
    pub(crate) advice: &'static str,
    pub(crate) postfix: &'static [&'static str],
    pub(crate) dovecot: &'static [(&'static str, &'static str)],
}

/// What the ports that were looked at showed.
#[derive(Debug)]
pub(crate) struct Seen<'a> {
    /// Ports that have the weakness, and what was seen there.
    pub(crate) weak: Vec<(&'a TlsPort, String)>,
    /// Ports that do not.
    pub(crate) right: Vec<&'a TlsPort>,
}

/// The ports that speak TLS.
pub(crate) fn looked<'a>(server: &Server<'a>) -> Result<Vec<&'a TlsPort>, Untold> {
    let all = &server.facts.tls;
    let ports: Vec<_> = all.iter().filter(|port| port.offered == Known::Is(true)).collect();
    match (ports.is_empty(), all.first()) {
        (false, _) => Ok(ports),
        (true, None) => could_not_tell("no TLS port was looked at"),
        (true, Some(_)) => match all.iter().find_map(|port| port.stopped.as_deref()) {
            Some(why) => could_not_tell(why),
            None => not_applicable("no port speaks TLS"),
        },
    }
}

/// Looks at every port that speaks TLS: what shows the weakness there, if it has it.
///
/// # Errors
/// When no port has it and it could not be told of one, or of all of them it does not make sense.
pub(crate) fn see<'a>(
    server: &Server<'a>,
    look: impl Fn(&TlsPort) -> Result<Option<String>, Untold>,
) -> Result<Seen<'a>, Untold> {
    let mut seen = Seen { weak: Vec::new(), right: Vec::new() };
    let mut untold = Vec::new();
    for port in looked(server)? {
        match look(port) {
            Ok(Some(shown)) => seen.weak.push((port, shown)),
            Ok(None) => seen.right.push(port),
            Err(why) => untold.push(why),
        }
    }
    if seen.weak.is_empty() {
        let unknown = untold.iter().find(|why| matches!(why, Untold::CouldNotTell(_)));
        if let Some(why) = unknown.or_else(|| untold.first().filter(|_| seen.right.is_empty())) {
            return Err(why.clone());
        }
    }
    Ok(seen)
}

/// One finding for all ports that have the weakness, or a pass. `says` is the sentence before "at port 25 (smtp, STARTTLS)".
pub(crate) fn outcome(
    server: &Server<'_>,
    check: &'static Check,
    seen: &Seen<'_>,
    (client, mx): (Severity, Severity),
    says: &str,
    fix: Fix,
) -> Judged {
    if seen.weak.is_empty() {
        return Ok(Outcome::Pass(format!("seen at {}", places(seen.right.iter().copied()))));
    }
    let ports = || seen.weak.iter().map(|(port, _)| *port);
    let severity = ports().map(|port| severity(server, port, client, mx)).max().unwrap_or(client);
    let summary = format!("{says} at {}.", places(ports()));
    let evidence = seen.weak.iter().map(|(port, shown)| evidence(&port.place(), shown));
    let finding = Finding::new(severity, "", summary).all_seen(evidence);
    Ok(finding.remedy(remedy(server, check.id, ports(), fix)).into())
}

/// How bad it is at a port: other servers that fail at port 25 send without any TLS, unless the domain promised TLS.
pub(crate) fn severity(server: &Server<'_>, port: &TlsPort, client: Severity, mx: Severity) -> Severity {
    if port.is_mx() && !promised(server) { mx } else { client }
}

/// Whether a domain promised TLS to other servers, by DANE or by an MTA-STS policy in force.
pub(crate) fn promised(server: &Server<'_>) -> bool {
    let dns = &server.facts.dns;
    let dane = dns.answers.iter().any(|(question, answer)| {
        let records = answer.known().is_some_and(|answer| answer.authenticated && !answer.records.is_empty());
        records && question.starts_with("TLSA _25.")
    });
    let enforced = |fetched: &Fetched| {
        fetched.body.lines().any(|line| line.split_whitespace().collect::<String>() == "mode:enforce")
    };
    dane || dns.fetched.values().filter_map(Known::known).any(enforced)
}

/// What to do: edits for the programs behind these ports.
pub(crate) fn remedy<'a>(
    server: &Server<'_>,
    id: &str,
    ports: impl Iterator<Item = &'a TlsPort>,
    fix: Fix,
) -> Remedy {
    let smtp: BTreeSet<_> =
        ports.map(|port| matches!(port.service, MailProtocol::Smtp | MailProtocol::Lmtp)).collect();
    edits(server, id, smtp.contains(&true), smtp.contains(&false), fix)
}

/// What to do: changes of Postfix, of Dovecot, or of both.
pub(crate) fn edits(server: &Server<'_>, id: &str, postfix: bool, dovecot: bool, fix: Fix) -> Remedy {
    let of_postfix = fix.postfix.iter().filter(|_| postfix).filter_map(|line| line.split_once('='));
    let of_postfix = of_postfix.flat_map(|(name, value)| everywhere(server, name.trim(), value.trim()));
    let of_dovecot = fix.dovecot.iter().filter(|_| dovecot);
    let of_dovecot = of_dovecot.map(|(name, value)| dovecot_setting(server, name, value));
    Remedy::new(fix.advice)
        .changes(of_postfix)
        .changes(of_dovecot)
        .prove(format!("mailward audit --only {id}"))
}

/// A setting of Dovecot, given in the words of 2.4, in those of the version that is here.
fn dovecot_setting(server: &Server<'_>, name: &str, value: &str) -> Change {
    match server.dovecot() {
        Ok(dovecot) => dovecot.change::<&str>(&[], name, value),
        Err(_) => Change::dovecot(&[], name, value),
    }
}

pub(crate) fn evidence(place: &str, seen: &str) -> Evidence {
    Evidence { place: place.to_owned(), seen: seen.to_owned() }
}

/// The names of ports in a row.
pub(crate) fn places<'a>(ports: impl Iterator<Item = &'a TlsPort>) -> String {
    let names: BTreeSet<_> = ports.map(|port| (port.port, port.place())).collect();
    listed(names.into_iter().map(|(_, name)| name))
}

/// Words in a row: `a, b and c`.
pub(crate) fn listed(words: impl Iterator<Item = String>) -> String {
    let mut words: Vec<_> = words.collect();
    let Some(last) = words.pop() else { return String::new() };
    if words.is_empty() { last } else { format!("{} and {last}", words.join(", ")) }
}

/// With a capital at the beginning of a sentence.
pub(crate) fn upper(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The version of OpenSSL that the mail server uses.
///
/// # Errors
/// When it is not known.
fn openssl(server: &Server<'_>) -> Result<(u32, u32), Untold> {
    let said = server.facts.output("openssl version").ok().filter(|said| said.starts_with("OpenSSL"));
    let said = said.and_then(|said| said.split_whitespace().nth(1)).map(str::to_owned);
    let Some(version) = said.or_else(|| packaged(server)) else {
        return could_not_tell("the version of OpenSSL is not known");
    };
    // Debian writes 1.1.1n-0+deb11u5, and before an epoch's colon what does not matter here.
    let version = version.rsplit(':').next().unwrap_or_default();
    let digits = |part: &str| part.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok();
    let mut numbers = version.split('.').map(digits);
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor)) => Ok((major, minor)),
        _ => could_not_tell(format!("the version of OpenSSL is `{version}`")),
    }
}

/// The version of OpenSSL that the package manager knows.
fn packaged(server: &Server<'_>) -> Option<String> {
    let packages = server.facts.host.packages.known()?;
    let names = ["libssl3", "libssl3t64", "libssl1.1", "libssl", "openssl", "openssl-libs"];
    let found = names.iter().find_map(|name| packages.iter().find(|package| package.name == *name))?;
    Some(found.version.clone())
}
