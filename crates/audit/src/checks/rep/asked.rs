//! Whether anybody asks the lists of the DNS before a stranger's mail is taken.

use crate::check::{could_not_tell, not_applicable, pass};
use crate::facts::Dns;
use crate::plan::{Change, asking};
use crate::postfix::{Postfix, Role, Service, Version};
use crate::records::dnsbl::{Meaning, clean_test, listed_test, meaning, used};
use crate::{Check, Finding, Judged, Remedy, Server, Severity};

pub(super) static REP_011: Check = Check {
    id: "REP-011",
    title: "No list of the DNS is asked about who comes to port 25",
    severity: Severity::Info,
    why: "Most spam comes from addresses that are known for it: postscreen turns them away before an smtpd is started, and lets \
          known good servers through.",
    proof: "postscreen_dnsbl_sites and the restrictions of port 25; whether this server's resolver gets true answers from the lists, by \
            the address 127.0.0.2 that every one of them lists.",
    fix: "postscreen with weights, filters for the answers, and dnswl.org against errors. Spamhaus is free for small, non-commercial use \
          alone: https://www.spamhaus.org/blocklists/dnsbl-fair-use-policy/.",
    references: &["Postfix POSTSCREEN_README", "postconf(5) postscreen_dnsbl_sites", "RFC 5782 5"],
    judge: rep_011,
};

/// Lists, which of their answers count, and how much: what two lists say, or Spamhaus alone, is enough.
const SITES: [(&str, &str, i32); 3] = [
    ("zen.spamhaus.org", "127.0.0.[2..11]", 3),
    ("bl.spamcop.net", "127.0.0.2", 2),
    ("psbl.surriel.com", "127.0.0.2", 1),
];
/// Servers that are known to be good, with the trust that the last octet says; 255 is its refusal to answer.
const GOOD: &str = "list.dnswl.org=127.0.[0..255].[1..3]*-2";
const ENOUGH: &str = "3";

fn rep_011(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    let mut open = postfix.services().iter().filter(|service| is_open(postfix, service));
    let Some(service) = open.next() else { return not_applicable("no service takes mail on port 25") };
    let lists = used(server)?;
    let ignores = postfix.value("postscreen_dnsbl_action").is_some_and(|action| action == "ignore");
    let screens = service.command == "postscreen";
    let asks = |place: &str| !place.starts_with("postscreen") || screens && !ignores;
    if let Some((list, place)) = lists.iter().find(|(_, place)| asks(place)) {
        return pass(format!("{place}: {}", list.text));
    }
    let answering: Vec<_> = SITES.iter().filter(|(zone, ..)| answers(&server.facts.dns, zone)).collect();
    if !answering.iter().any(|(zone, ..)| *zone == "zen.spamhaus.org") {
        return could_not_tell(
            "the lists give this resolver no true answers, so to ask them would be of no use; run a resolver of your own first (unbound)",
        );
    }
    let sites: Vec<String> = answering
        .iter()
        .map(|(zone, filter, weight)| format!("{zone}={filter}*{weight}"))
        .chain([GOOD.to_owned()])
        .collect();
    let finding = Finding::new(
        Severity::Info,
        "",
        "nobody asks the lists of the DNS who comes to port 25; Spamhaus' is free for small, non-commercial use",
    )
    .cause("postscreen_dnsbl_sites")
    .seen(postfix.label(service), format!("{}, {}", service.command, if lists.is_empty() { "and no list" } else { IGNORED }))
    .seen("dig 2.0.0.127.zen.spamhaus.org", "answers truly here");
    let remedy = Remedy::new("Let postscreen ask, with weights.").prove("postconf -h postscreen_dnsbl_sites");
    // Lists that somebody chose stay as they are: what they say has to count.
    if !lists.is_empty() {
        let change = Change::parameter("postscreen_dnsbl_action", "enforce");
        return Ok(finding.remedy(remedy.change(change)).into());
    }
    let in_front = if screens { Some(Vec::new()) } else { screened(server, postfix, service) };
    let remedy = match in_front {
        Some(changes) => remedy.changes(changes).changes(weighted(postfix, &sites.join(", "))),
        // Its options belong to smtpd, which is elsewhere then: which of them stay is a person's decision.
        None => remedy
            .add("/etc/postfix/master.cf", &["smtp inet n - y - 1 postscreen", "smtpd pass - - y - - smtpd"]),
    };
    Ok(finding.remedy(remedy).into())
}

const IGNORED: &str = "and what the lists say is ignored (postscreen_dnsbl_action)";

/// Whether strangers come to a service: port 25, from everywhere.
fn is_open(postfix: &Postfix<'_>, service: &Service) -> bool {
    matches!(service.command.as_str(), "smtpd" | "postscreen") && postfix.role(service) == Role::Mx
}

/// Whether a list lists what it must, and not what it must not.
fn answers(dns: &Dns, zone: &str) -> bool {
    let said = |name: &str| dns.records("A", name).ok().map(|records| meaning(zone, records));
    matches!(said(&listed_test(zone)), Some(Meaning::Listed(_)))
        && said(&clean_test(zone)) == Some(Meaning::Clean)
}

/// postscreen in front of smtpd; none where smtpd has options of its own, or does not run on this host's own master.cf.
fn screened(server: &Server<'_>, postfix: &Postfix<'_>, service: &Service) -> Option<Vec<Change>> {
    let words = asking::service_line(server, postfix, service)?;
    let [name, kind, private, unprivileged, chroot, ..] = words.as_slice() else { return None };
    if !service.overrides.is_empty() || !service.arguments.is_empty() {
        return None;
    }
    let helper = |name: &str, kind: &str, rest: &str| Change::Service {
        service: format!("{name}/{kind}"),
        line: Some(format!("{name} {kind} - - {chroot} {rest}")),
    };
    let front = format!("{name} {kind} {private} {unprivileged} {chroot} - 1 postscreen");
    Some(vec![
        helper("smtpd", "pass", "- - smtpd"),
        helper("dnsblog", "unix", "- 0 dnsblog"),
        helper("tlsproxy", "unix", "- 0 tlsproxy"),
        Change::Service { service: service.key(), line: Some(front) },
    ])
}

/// Who is asked, and what follows.
fn weighted(postfix: &Postfix<'_>, sites: &str) -> Vec<Change> {
    // Postfix 3.6 gave it this name.
    let new = postfix.version().is_ok_and(|version| version >= Version(3, 6, 0));
    let good =
        if new { "postscreen_dnsbl_allowlist_threshold" } else { "postscreen_dnsbl_whitelist_threshold" };
    [
        ("postscreen_dnsbl_sites", sites),
        ("postscreen_dnsbl_threshold", ENOUGH),
        ("postscreen_dnsbl_action", "enforce"),
        ("postscreen_greet_action", "enforce"),
        (good, "-2"),
    ]
    .map(|(name, value)| Change::parameter(name, value))
    .to_vec()
}
