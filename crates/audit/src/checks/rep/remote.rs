//! How lists and other servers answer.

use std::collections::BTreeMap;

use super::in_use;
use crate::check::{not_applicable, pass};
use crate::checks::dns::slow;
use crate::facts::{Dns, Known, Queued};
use crate::records::dnsbl::{gone, listed_test};
use crate::{Check, Evidence, Finding, Judged, Remedy, Server, Severity};

pub(super) static REP_009: Check = Check {
    id: "REP-009",
    title: "A block list takes over a second to answer",
    severity: Severity::Medium,
    why: "Every connection waits for it, and what times out counts as not listed.",
    proof: "How long the answer about the list's test point took.",
    fix: "Ask through a resolver on the server, and take lists out that are slow even then.",
    references: &["https://www.postfix.org/POSTSCREEN_README.html"],
    judge: rep_009,
};

/// Milliseconds.
const SLOW: u32 = 1000;

fn rep_009(server: &Server<'_>) -> Judged {
    let lists = in_use(server)?;
    let dns = &server.facts.dns;
    dns.resolver.get()?;
    if slow(server).is_ok_and(|slow| !slow.is_empty()) {
        return not_applicable("the resolver is slow with everything");
    }
    let mut asked = false;
    let mut slow: BTreeMap<&str, String> = BTreeMap::new();
    for (list, _) in lists.iter().filter(|(list, _)| gone(&list.zone).is_none()) {
        let how = match dns.answers.get(&Dns::question("A", &listed_test(&list.zone))) {
            Some(Known::Is(answer)) if answer.millis > SLOW => format!("{} ms", answer.millis),
            Some(Known::Unread(why)) => why.clone(),
            Some(Known::Is(_)) => {
                asked = true;
                continue;
            }
            _ => continue,
        };
        asked = true;
        slow.insert(&list.zone, how);
    }
    if !asked {
        return crate::check::could_not_tell("no list was asked");
    }
    let Some((first, _)) = slow.first_key_value() else { return pass("every list answers within a second") };
    Ok(Finding::new(Severity::Medium, "", format!("{first} takes over a second to answer"))
        .all_seen(
            slow.iter().map(|(zone, how)| Evidence {
                place: format!("dig A {}", listed_test(zone)),
                seen: how.clone(),
            }),
        )
        .remedy(
            Remedy::new("Run a resolver on the server; take the list out if it stays slow.")
                .apply("apt-get install unbound && systemctl enable --now unbound")
                .prove(format!("time dig +short A {}", listed_test(first))),
        )
        .into())
}

pub(super) static REP_010: Check = Check {
    id: "REP-010",
    title: "Other servers say that this one is blocked",
    severity: Severity::High,
    why: "Mail to them waits and then bounces.",
    proof: "Reasons of messages in the queue that speak of block lists and reputation.",
    fix: "Follow the reason's link: find what was sent, stop it, ask for removal.",
    references: &["RFC 5782", "RFC 3463"],
    judge: rep_010,
};

/// Words with which servers say so.
const WORDS: &[&str] = &[
    "blocked using",
    "block list",
    "blocklist",
    "blacklist",
    "blocked by",
    "is blocked",
    "are blocked",
    "spamhaus",
    "reputation",
    "listed at",
    "listed in",
    "barracuda",
    "proofpoint.com/ip",
    "s3140",
    "s3150",
    "unsolicited mail",
];

fn rep_010(server: &Server<'_>) -> Judged {
    let queue = server.facts.host.queue.get()?;
    let blocked = |message: &&Queued| {
        let reason = message.reason.to_ascii_lowercase();
        reason.contains(" said: ") && WORDS.iter().any(|word| reason.contains(word))
    };
    let mut by_server: BTreeMap<&str, (&str, u64)> = BTreeMap::new();
    for message in queue.messages.iter().filter(blocked) {
        let remote = message.reason.trim_start_matches("host ").split(['[', ' ']).next().unwrap_or_default();
        by_server.entry(remote).or_insert((message.reason.as_str(), 0)).1 += 1;
    }
    let Some((first, _)) = by_server.first_key_value() else {
        return pass("no reason in the queue speaks of a block list");
    };
    Ok(Finding::new(Severity::High, "", format!("{first} and maybe others say that this server is blocked"))
        .all_seen(by_server.iter().map(|(remote, (reason, count))| Evidence {
            place: format!("postqueue -j: {count} messages for {remote}"),
            seen: (*reason).to_owned(),
        }))
        .remedy(
            Remedy::new("Find what was sent and stop it, then ask for removal.")
                .apply("postqueue -j")
                .prove("postqueue -f && sleep 60 && postqueue -p"),
        )
        .into())
}
