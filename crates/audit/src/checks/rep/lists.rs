//! The lists that Postfix asks.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use super::in_use;
use crate::check::pass;
use crate::facts::Dns;
use crate::plan::Change;
use crate::postfix::Service;
use crate::records::dnsbl::{
    Effect, Meaning, Scope, Use, allows, broad, clean_test, gone, listed_test, meaning,
};
use crate::{Check, Evidence, Finding, Judged, Remedy, Server, Severity};

fn evidence(list: &Use, place: &str, what: &str) -> Evidence {
    let seen = if what.is_empty() { list.text.clone() } else { format!("{}: {what}", list.text) };
    Evidence { place: place.to_owned(), seen }
}

/// Takes entries out, or puts others in their place: the whole setting before and after, wherever it stands.
fn edit(
    server: &Server<'_>,
    advice: &str,
    found: &[(&Use, &str)],
    instead: impl Fn(&Use) -> Option<String>,
) -> Remedy {
    let places: BTreeSet<&str> = found.iter().map(|(_, place)| *place).collect();
    let mut remedy = Remedy::new(advice);
    for place in &places {
        let (parameter, at) = place.split_once(' ').unwrap_or((place, ""));
        let Some((service, old)) = value_at(server, parameter, at.trim_matches(['(', ')'])) else { continue };
        let there = found.iter().filter(|(_, other)| other == place);
        let new = there
            .fold(entries(&old), |all, (list, _)| replaced(all, list, instead(list).as_deref()))
            .join(", ");
        remedy = remedy.change(match service {
            Some(service) => Change::overriding(service, parameter, new),
            None => Change::parameter(parameter, new),
        });
    }
    let parameter = places.first().and_then(|place| place.split(' ').next()).unwrap_or_default();
    remedy.prove(format!("postconf -h {parameter}"))
}

/// The value that a place gives a parameter, with the service that it is an option of.
fn value_at(server: &Server<'_>, parameter: &str, at: &str) -> Option<(Option<String>, String)> {
    let postfix = server.postfix().ok()?;
    let service = postfix.services().iter().find(|service| service.place() == at);
    let effective = match service {
        Some(service) => postfix.in_service(service, parameter),
        None => postfix.in_main(parameter),
    };
    Some((service.map(Service::key), effective.ok()?.value))
}

/// The elements of a list; a restriction and its argument are one.
fn entries(value: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for word in value.split([',', ' ', '\t', '\n']).filter(|word| !word.is_empty()) {
        match all.last_mut() {
            Some(last) if takes_zone(last) => *last = format!("{last} {word}"),
            _ => all.push(word.to_owned()),
        }
    }
    all
}

fn takes_zone(word: &str) -> bool {
    let named = ["reject_rbl_client", "permit_dnswl_client", "permit_rhswl_client"].contains(&word);
    named || word.starts_with("reject_rhsbl_") && !word.contains(' ')
}

fn replaced(all: Vec<String>, list: &Use, instead: Option<&str>) -> Vec<String> {
    let change = |entry: String| if entry == list.text { instead.map(str::to_owned) } else { Some(entry) };
    all.into_iter().filter_map(change).collect()
}

fn answer<'a>(dns: &'a Dns, name: &str) -> Option<&'a [String]> {
    dns.records("A", name).ok()
}

pub(super) static REP_003: Check = Check {
    id: "REP-003",
    title: "A block list that is dead is still asked",
    severity: Severity::Medium,
    why: "Every connection waits for an answer that means nothing; when its zone is sold or parked, it lists everybody.",
    proof: "Lists known to have closed, and lists that do not list the test point 127.0.0.2.",
    fix: "Take it out.",
    references: &["RFC 5782 5", "RFC 6471 3.4"],
    judge: rep_003,
};

/// Why a list is dead, if it is.
fn dead(dns: &Dns, list: &Use) -> Option<String> {
    if let Some(when) = gone(&list.zone) {
        return Some(when.to_owned());
    }
    let testable = list.scope == Scope::Address && list.effect != Effect::Permit && !is_of_friends(list);
    let silent = answer(dns, &listed_test(&list.zone)).is_some_and(<[String]>::is_empty);
    (testable && silent).then(|| "does not list its test point".to_owned())
}

/// Lists of good senders need no test point.
const fn is_of_friends(list: &Use) -> bool {
    matches!(list.effect, Effect::Score(..0) | Effect::Permit)
}

fn rep_003(server: &Server<'_>) -> Judged {
    let lists = in_use(server)?;
    let dns = &server.facts.dns;
    let found: Vec<(&Use, &str, String)> =
        lists.iter().filter_map(|(list, place)| Some((list, place.as_str(), dead(dns, list)?))).collect();
    let Some((first, _, why)) = found.first() else {
        return pass("no list that is asked is known to be dead");
    };
    let pairs: Vec<(&Use, &str)> = found.iter().map(|(list, place, _)| (*list, *place)).collect();
    Ok(Finding::new(Severity::Medium, "", format!("Postfix asks {}, which is dead ({why})", first.zone))
        .cause(pairs.first().map_or("", |(_, place)| place.split(' ').next().unwrap_or_default()))
        .all_seen(found.iter().map(|(list, place, why)| evidence(list, place, why)))
        .remedy(edit(server, "Take it out.", &pairs, |_| None))
        .into())
}

pub(super) static REP_004: Check = Check {
    id: "REP-004",
    title: "A block list that is asked lists everybody",
    severity: Severity::Critical,
    why: "All mail is refused.",
    proof: "The test point that no list may list, 127.0.0.1, is listed.",
    fix: "Take it out at once.",
    references: &["RFC 6471 3.4", "RFC 5782 5"],
    judge: rep_004,
};

fn rep_004(server: &Server<'_>) -> Judged {
    let lists = in_use(server)?;
    let dns = &server.facts.dns;
    dns.resolver.get()?;
    let found: Vec<(&Use, &str)> = lists
        .iter()
        .filter(|(list, _)| list.scope == Scope::Address && !is_of_friends(list))
        .filter(|(list, _)| {
            let answer = answer(dns, &clean_test(&list.zone)).unwrap_or_default();
            let counts = counted(list, answer);
            counts && matches!(meaning(&list.zone, answer), Meaning::Listed(_) | Meaning::Strange(_))
        })
        .map(|(list, place)| (list, place.as_str()))
        .collect();
    let Some((first, _)) = found.first() else {
        let asked = lists.iter().any(|(list, _)| answer(dns, &clean_test(&list.zone)).is_some());
        return if asked {
            pass("no list that is asked lists everybody")
        } else {
            crate::check::could_not_tell("no list answered")
        };
    };
    Ok(Finding::new(Severity::Critical, "", format!("{} lists every address", first.zone))
        .all_seen(found.iter().map(|(list, place)| {
            let codes = answer(dns, &clean_test(&list.zone)).unwrap_or_default().join(", ");
            evidence(list, place, &format!("lists 127.0.0.1 ({codes})"))
        }))
        .remedy(edit(server, "Take it out at once.", &found, |_| None))
        .into())
}

/// Whether an answer counts as a listing here.
fn counted(list: &Use, records: &[String]) -> bool {
    let mut codes = records.iter().filter_map(|record| record.parse::<Ipv4Addr>().ok());
    match &list.filter {
        Some(filter) => codes.any(|code| allows(filter, code)),
        None => codes.next().is_some(),
    }
}

pub(super) static REP_005: Check = Check {
    id: "REP-005",
    title: "A block list's refusal to answer counts as a listing",
    severity: Severity::Critical,
    why: "The list does not serve this resolver and says so with 127.255.255.x, which then counts against every sender.",
    proof: "The list's answer about its test point, and the filter of the entry.",
    fix: "Ask through a resolver of your own, and give the entry a filter: `zen.spamhaus.org=127.0.0.[2..11]`.",
    references: &["https://www.spamhaus.org/faqs/dnsbl-usage/", "RFC 6471"],
    judge: rep_005,
};

fn rep_005(server: &Server<'_>) -> Judged {
    let lists = in_use(server)?;
    let dns = &server.facts.dns;
    dns.resolver.get()?;
    let mut asked = false;
    let mut found: Vec<(&Use, &str)> = Vec::new();
    for (list, place) in &lists {
        asked |= answer(dns, &listed_test(&list.zone)).is_some();
        if refuses(dns, list) {
            found.push((list, place));
        }
    }
    if !asked {
        return crate::check::could_not_tell("no list answered");
    }
    let Some((first, _)) = found.first() else {
        return pass("no list refuses this resolver in a way that counts");
    };
    Ok(Finding::new(
        Severity::Critical,
        "",
        format!("{} refuses this resolver, and that counts as a listing", first.zone),
    )
    .all_seen(found.iter().map(|(list, place)| {
        evidence(
            list,
            place,
            &format!("answers {}", answer(dns, &listed_test(&list.zone)).unwrap_or_default().join(", ")),
        )
    }))
    .remedy(edit(server, "Run a resolver of your own, and give the entry a filter.", &found, |list| {
        Some(filtered(list))
    }))
    .into())
}

/// Whether a list refuses to answer here, and that counts: REP-005.
fn refuses(dns: &Dns, list: &Use) -> bool {
    let records = answer(dns, &listed_test(&list.zone)).unwrap_or_default();
    matches!(meaning(&list.zone, records), Meaning::Refused(_)) && counted(list, records)
}

/// An entry with a filter that every list's listings pass and no refusal does.
fn filtered(list: &Use) -> String {
    let filter = if list.zone.ends_with("spamhaus.org") { "127.0.0.[2..11]" } else { "127.0.0.[2..254]" };
    let bare = list.text.split(['=', '*']).next().unwrap_or(&list.text);
    match list.effect {
        Effect::Score(weight) if weight != 1 => format!("{bare}={filter}*{weight}"),
        _ => format!("{bare}={filter}"),
    }
}

pub(super) static REP_006: Check = Check {
    id: "REP-006",
    title: "Any answer of a block list counts as a listing",
    severity: Severity::Medium,
    why: "Lists also answer with errors, and parked zones with anything; without `=127.0.0.x` each of them counts.",
    proof: "Entries of `postscreen_dnsbl_sites` and `reject_rbl_client` without a filter.",
    fix: "Name the answers that count: `zen.spamhaus.org=127.0.0.[2..11]`.",
    references: &["postconf(5) postscreen_dnsbl_sites", "RFC 5782 2.1"],
    judge: rep_006,
};

fn rep_006(server: &Server<'_>) -> Judged {
    let lists = in_use(server)?;
    let dns = &server.facts.dns;
    let found: Vec<(&Use, &str)> = lists
        .iter()
        .filter(|(list, _)| list.filter.is_none() && !is_of_friends(list) && !refuses(dns, list))
        .map(|(list, place)| (list, place.as_str()))
        .collect();
    if found.is_empty() {
        return pass("every list has a filter");
    }
    // A score is one voice among several; a rejection is final.
    let rejects = found.iter().any(|(list, _)| list.effect == Effect::Reject);
    let severity = if rejects { Severity::Medium } else { Severity::Low };
    let zones: BTreeSet<&str> = found.iter().map(|(list, _)| list.zone.as_str()).collect();
    let zones: Vec<&str> = zones.into_iter().collect();
    Ok(Finding::new(
        severity,
        "",
        format!("any answer of {} counts as a listing: no =127.0.0.x filter", zones.join(", ")),
    )
    .cause(found.first().map_or("", |(_, place)| place.split(' ').next().unwrap_or_default()))
    .all_seen(found.iter().map(|(list, place)| evidence(list, place, "")))
    .remedy(edit(server, "Give every entry a filter.", &found, |list| {
        gone(&list.zone).is_none().then(|| filtered(list))
    }))
    .into())
}

pub(super) static REP_007: Check = Check {
    id: "REP-007",
    title: "A block list that lists whole networks decides alone",
    severity: Severity::Low,
    why: "Mail of people who did nothing is refused because of their neighbours.",
    proof: "Lists known to be broad, at reject, or with a weight that reaches postscreen's threshold.",
    fix: "Give it a small weight in postscreen, so that another list has to agree.",
    references: &["M3AAWG", "RFC 6471 2.2.2"],
    judge: rep_007,
};

fn rep_007(server: &Server<'_>) -> Judged {
    let lists = in_use(server)?;
    let threshold = server
        .postfix()?
        .value("postscreen_dnsbl_threshold")
        .and_then(|value| value.parse().ok())
        .unwrap_or(1);
    let decides = |effect: Effect| match effect {
        Effect::Reject => true,
        Effect::Score(weight) => weight >= threshold,
        Effect::Permit => false,
    };
    let found: Vec<(&Use, &str, &str)> = lists
        .iter()
        .filter(|(list, _)| decides(list.effect) && gone(&list.zone).is_none())
        .filter_map(|(list, place)| Some((list, place.as_str(), broad(&list.zone)?)))
        .collect();
    let Some((first, _, why)) = found.first() else { return pass("no broad list decides alone") };
    let pairs: Vec<(&Use, &str)> = found.iter().map(|(list, place, _)| (*list, *place)).collect();
    Ok(Finding::new(Severity::Low, "", format!("{} decides alone, and {why}", first.zone))
        .all_seen(found.iter().map(|(list, place, why)| evidence(list, place, why)))
        .remedy(edit(server, "Give it a small weight in postscreen_dnsbl_sites.", &pairs, |_| None))
        .into())
}

pub(super) static REP_008: Check = Check {
    id: "REP-008",
    title: "The same block list is asked at several layers",
    severity: Severity::Low,
    why: "It costs twice, and an exception made in one layer is refused by the other.",
    proof: "Zones in `postscreen_dnsbl_sites` and in smtpd's restrictions.",
    fix: "Ask in postscreen only.",
    references: &["https://www.postfix.org/POSTSCREEN_README.html"],
    judge: rep_008,
};

fn rep_008(server: &Server<'_>) -> Judged {
    let lists = in_use(server)?;
    let mut found: Vec<(&Use, &str)> = Vec::new();
    for (list, place) in &lists {
        let screens = |other: &Use| other.zone == list.zone && matches!(other.effect, Effect::Score(_));
        if list.effect == Effect::Reject && lists.iter().any(|(other, _)| screens(other)) {
            found.push((list, place));
        }
    }
    let Some((first, _)) = found.first() else { return pass("every list is asked at one layer") };
    Ok(Finding::new(Severity::Low, "", format!("{} is asked by postscreen and again by smtpd", first.zone))
        .all_seen(found.iter().map(|(list, place)| evidence(list, place, "also in postscreen_dnsbl_sites")))
        .remedy(edit(server, "Ask in postscreen only.", &found, |_| None))
        .into())
}
