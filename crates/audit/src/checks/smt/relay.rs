//! Who may send mail to strangers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{internet_services, talks, trusted_source};
use crate::check::{could_not_tell, not_applicable, pass};
use crate::facts::{MailService, Talk, Tried};
use crate::plan::asking::lists;
use crate::plan::list;
use crate::postfix::restrictions::{Doubt, Request, Ruling, Verdict};
use crate::postfix::{Class, Origin, Postfix, Role, Service, elements};
use crate::{Check, Evidence, Finding, Judged, Outcome, Remedy, Server, Severity};

pub(super) static SMT_001: Check = Check {
    id: "SMT-001",
    title: "The server relays mail for anybody",
    severity: Severity::Critical,
    why: "Strangers send their mail through the server; within hours it is on every block list, and nobody takes its mail any more.",
    proof: "The restriction lists of every service that the Internet reaches, evaluated for a client from outside without login and a foreign recipient; and RCPT of foreign recipients in eight spellings, without DATA.",
    fix: "Set smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination, and take out the override that empties it.",
    references: &["RFC 5321 section 7.9", "https://www.postfix.org/SMTPD_ACCESS_README.html#relay"],
    judge: smt_001,
};

pub(super) static SMT_002: Check = Check {
    id: "SMT-002",
    title: "Who names a certain sender may relay",
    severity: Severity::Critical,
    why: "The envelope sender is what a client says it is: a table that permits by sender makes the server relay for everybody who knows or guesses the name.",
    proof: "The restriction lists evaluated for a client from outside and a foreign recipient, once for every sender that an access table in front of reject_unauth_destination names.",
    fix: "Ask the table in smtpd_sender_restrictions, or let it say DUNNO instead of OK.",
    references: &["https://www.postfix.org/SMTPD_ACCESS_README.html"],
    judge: smt_002,
};

pub(super) static SMT_003: Check = Check {
    id: "SMT-003",
    title: "Mail for domains that are not ours is relayed",
    severity: Severity::Critical,
    why: "A whole top-level domain in relay_domains, or permit_mx_backup, lets others make the server carry mail for names that nobody here chose.",
    proof: "The elements of relay_domains (a name without a dot, a wildcard, mydestination of before Postfix 3.0), and permit_mx_backup in the lists.",
    fix: "List exactly the domains that this server is a backup for, and take permit_mx_backup out.",
    references: &["postconf(5), relay_domains", "postconf(5), permit_mx_backup"],
    judge: smt_003,
};

pub(super) static SMT_030: Check = Check {
    id: "SMT-030",
    title: "Networks that strangers are in count as our own",
    severity: Severity::High,
    why: "Whoever is in mynetworks relays without a login and passes most checks; behind container networks and proxies that may be the whole Internet.",
    proof: "Each network of the effective mynetworks, also where mynetworks_style implies it: how wide it is, and whether it is public or a container's.",
    fix: "Set mynetworks to this host's own addresses (127.0.0.0/8 [::1]/128), and let everybody else log in.",
    references: &[
        "https://www.postfix.org/BASIC_CONFIGURATION_README.html#relay_from",
        "postconf(5), mynetworks",
    ],
    judge: smt_030,
};

/// Clients that are nobody's (RFC 5737, RFC 3849).
const OUTSIDERS: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::new(198, 51, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 200)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x200)),
];

/// A client that the service does not take for one of its own: that strangers are in `mynetworks` is SMT-030's.
pub(super) fn outsider(postfix: &Postfix<'_>, service: &Service) -> Result<IpAddr, crate::Untold> {
    let networks = postfix.networks(Some(service))?;
    let stranger = OUTSIDERS.into_iter().find(|client| networks.contains(*client) == Some(false));
    Ok(stranger.unwrap_or(OUTSIDERS[0]))
}

/// A mail of somebody outside who is not logged in.
pub(super) fn from_outside<'r>(client: IpAddr, sender: &'r str, recipient: &'r str) -> Request<'r> {
    Request {
        client,
        client_name: "mx.sender.example",
        helo: "mx.sender.example",
        login: None,
        encrypted: true,
        sender,
        recipient,
    }
}

/// What a service says to a stranger who writes to a stranger.
fn to_stranger(postfix: &Postfix<'_>, service: &Service, sender: &str) -> Result<Ruling, crate::Untold> {
    let client = outsider(postfix, service)?;
    postfix.ruling(service, &from_outside(client, sender, "somebody@recipient.example"))
}

/// A policy service that might refuse (greylisting, SPF, quota) is no guard against relaying.
fn relays(ruling: &Ruling) -> bool {
    let may_refuse = |doubt: &Doubt| doubt.rule.starts_with("check_policy_service");
    ruling.verdict == Verdict::Accepted && ruling.doubts.iter().all(may_refuse) && !by_network(ruling)
}

/// Whether it is `mynetworks` that admits everybody, which is SMT-030's to say.
fn by_network(ruling: &Ruling) -> bool {
    let rule = ruling.decisive().and_then(|end| end.rule.as_deref());
    rule == Some("permit_mynetworks")
}

fn smt_001(server: &Server<'_>) -> Judged {
    let mut evidence = probed(server);
    let mut doubts = Vec::new();
    let mut shown = Vec::new();
    let mut cause = String::new();
    let of_postfix = server.postfix().and_then(|postfix| {
        for service in internet_services(postfix)? {
            let ruling = to_stranger(postfix, service, "somebody@sender.example")?;
            let label = postfix.label(service);
            let end = ruling.decisive().map_or_else(|| "no list refuses".to_owned(), ToString::to_string);
            if relays(&ruling) {
                if cause.is_empty() {
                    cause.clone_from(&end);
                }
                evidence.push(Evidence {
                    place: label,
                    seen: format!("{end}: a stranger's mail to a stranger is taken"),
                });
            } else if ruling.verdict == Verdict::Accepted {
                doubts.extend(
                    ruling.doubts.iter().map(|doubt| format!("{label}: {} ({})", doubt.rule, doubt.why)),
                );
            } else {
                shown.push(format!("{label}: {end}"));
            }
        }
        Ok(())
    });
    if !evidence.is_empty() {
        let finding =
            Finding::new(Severity::Critical, "", "The server takes mail from strangers for strangers")
                .cause(cause)
                .all_seen(evidence)
                .remedy(closed(server));
        return Ok(finding.into());
    }
    match of_postfix {
        Err(why) if !probes_told(server) => Err(why),
        _ if !doubts.is_empty() => could_not_tell(doubts.join("; ")),
        _ if shown.is_empty() && !probes_told(server) => {
            not_applicable("no service for mail is reachable from the network")
        }
        _ if shown.is_empty() => pass("every foreign recipient was refused"),
        _ => pass(shown.join("; ")),
    }
}

fn closed(server: &Server<'_>) -> Remedy {
    Remedy::new("Let only own networks and logged-in users relay, and take overrides of it out of master.cf.")
        .changes(lists(server, "smtpd_relay_restrictions", refusing))
        .prove("postconf -h smtpd_relay_restrictions")
}

/// A list that ends in the refusal of foreign recipients, and in which nothing lets everybody pass before.
fn refusing(list: &str) -> String {
    const OPEN: [&str; 4] = ["permit", "permit_mx_backup", "permit_naked_ip_address", "check_relay_domains"];
    let refuses = |piece: &str| {
        ["reject", "defer", "reject_unauth_destination", "defer_unauth_destination"].contains(&piece)
    };
    let closed = list::without(list, |piece| OPEN.contains(&piece));
    if list::pieces(&closed).iter().any(|piece| refuses(piece)) {
        closed
    } else {
        list::behind(&closed, |_| false, "reject_unauth_destination")
    }
}

/// Foreign recipients that were taken on port 25, from an address that the server does not trust.
fn probed(server: &Server<'_>) -> Vec<Evidence> {
    let taken = |talk: &Talk| -> Vec<Evidence> {
        let shapes = talk.tried.iter().filter(|tried| tried.name.starts_with("relay-"));
        shapes
            .filter(|tried| tried.is_yes() && tried.sent.last().is_some_and(|line| line.starts_with("RCPT")))
            .map(|tried| Evidence {
                place: format!("{}, {}", talk.place(), tried.sent.join(", ")),
                seen: tried.reply.clone(),
            })
            .collect()
    };
    talks(server, MailService::Smtp)
        .filter(|talk| trusted_source(server, talk) == Some(false))
        .flat_map(taken)
        .collect()
}

/// Whether a probe from an address that is not trusted saw foreign recipients refused.
fn probes_told(server: &Server<'_>) -> bool {
    talks(server, MailService::Smtp)
        .any(|talk| trusted_source(server, talk) == Some(false) && talk.tried.iter().any(refuses_relaying))
}

/// Whether a foreign recipient was refused because of the recipient. Postfix says "Relay access denied" (5xx, or 454 with
/// Debian's `defer_unauth_destination`), others "relay not permitted"; a sender of our own may have been refused for itself.
fn refuses_relaying(tried: &Tried) -> bool {
    let of_recipient = tried.sent.last().is_some_and(|line| line.starts_with("RCPT"));
    let says_so = tried.code() >= 400 && tried.reply.to_ascii_lowercase().contains("relay");
    let nothing_else = tried.code() >= 500 && tried.name == "relay-empty-sender";
    tried.name.starts_with("relay-") && of_recipient && (says_so || nothing_else)
}

fn smt_002(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    let services = internet_services(postfix)?;
    if services.is_empty() {
        return not_applicable("no service for mail is reachable from the network");
    }
    let mut finding =
        Finding::new(Severity::Critical, "", "Whoever says he is one of these senders may relay");
    let (mut asked, mut unread) = (0, Vec::new());
    for service in services {
        for (table, sender) in senders(postfix, service, &mut unread)? {
            asked += 1;
            // Without the table it is SMT-001's.
            if relays(&to_stranger(postfix, service, "somebody@sender.example")?) {
                continue;
            }
            let ruling = to_stranger(postfix, service, &sender)?;
            if relays(&ruling) {
                let end = ruling.decisive().map(ToString::to_string).unwrap_or_default();
                if finding.cause.is_empty() {
                    finding.cause.clone_from(&end);
                }
                finding = finding
                    .seen(table, format!("{}: MAIL FROM:<{sender}> relays: {end}", postfix.label(service)));
            }
        }
    }
    if !finding.evidence.is_empty() {
        let remedy = Remedy::new("Let the table answer DUNNO, or ask it in smtpd_sender_restrictions, where OK does not permit relaying.")
            .apply("postfix reload");
        return Ok(finding.remedy(remedy).into());
    }
    if !unread.is_empty() {
        return could_not_tell(format!("tables that are not known: {}", unread.join(", ")));
    }
    pass(format!("none of {asked} senders in access tables lets a stranger relay"))
}

/// Senders that tables in the relay and recipient lists name, with the table's entry.
fn senders(
    postfix: &Postfix<'_>,
    service: &Service,
    unread: &mut Vec<String>,
) -> Result<Vec<(String, String)>, crate::Untold> {
    let mut senders = Vec::new();
    for list in ["smtpd_relay_restrictions", "smtpd_recipient_restrictions"] {
        for rule in postfix.rules_of(service, list)? {
            if rule.name == "reject_unauth_destination" {
                break;
            }
            if rule.name != "check_sender_access" {
                continue;
            }
            let name = rule.argument.clone().unwrap_or_default();
            match postfix.table(&name) {
                Ok(table) => senders
                    .extend(table.entries.iter().map(|entry| (table.place(entry), as_sender(&entry.key)))),
                Err(_) => unread.push(name),
            }
        }
    }
    Ok(senders)
}

/// A key of access(5) as an address that it matches.
fn as_sender(key: &str) -> String {
    match key {
        "<>" => String::new(),
        key if key.starts_with('.') => format!("somebody@host{key}"),
        key if key.ends_with('@') => format!("{key}sender.example"),
        key if key.contains('@') => key.to_owned(),
        domain => format!("somebody@{domain}"),
    }
}

fn smt_003(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    let services = internet_services(postfix)?;
    let mut finding =
        Finding::new(Severity::Critical, "", "Mail for domains that nobody here chose is relayed");
    for service in &services {
        for list in ["smtpd_relay_restrictions", "smtpd_recipient_restrictions"] {
            if postfix.rules_of(service, list)?.iter().any(|rule| rule.name == "permit_mx_backup") {
                let effective = postfix.in_service(service, list)?;
                if effective.origin != Origin::Default
                    && postfix.value("permit_mx_backup_networks").unwrap_or_default().is_empty()
                {
                    finding = finding.seen(
                        effective.place,
                        format!("{}: {list} has permit_mx_backup: whoever lists this server as an MX has his mail relayed", postfix.label(service)),
                    );
                }
            }
        }
    }
    let relay = postfix.in_main("relay_domains")?;
    for domain in elements(&relay.value).into_iter().filter(|domain| is_too_wide(domain)) {
        finding = finding.seen(relay.place.clone(), format!("relay_domains holds {domain}"));
    }
    if finding.evidence.is_empty() {
        let known =
            postfix.domains(None, Class::Relay).map(|domains| domains.named.len()).unwrap_or_default();
        return pass(format!("relay_domains names {known} domains, and no list permits by MX"));
    }
    let remedy = Remedy::new("Name exactly the domains that are relayed for.")
        .changes(lists(server, "relay_domains", |list| list::without(list, is_too_wide)))
        .changes(lists(server, "smtpd_relay_restrictions", refusing))
        .changes(lists(server, "smtpd_recipient_restrictions", |list| {
            list::without(list, |piece| piece == "permit_mx_backup")
        }))
        .prove("postconf -h relay_domains");
    Ok(finding.cause(relay.place).remedy(remedy).into())
}

/// A name without a dot is a top-level domain, of which all subdomains match.
fn is_too_wide(domain: &str) -> bool {
    let table_or_name = domain.contains([':', '/', '$', '!']);
    !table_or_name
        && (domain == "*" || !domain.trim_start_matches('.').contains('.'))
        && domain != "localhost"
}

fn smt_030(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    let mut evidence: Vec<Evidence> = Vec::new();
    let mut severity = Severity::Medium;
    let mut services = internet_services(postfix)?;
    services.dedup_by_key(|service| service.overridden("mynetworks").map(str::to_owned));
    let mut shown = Vec::new();
    for service in &services {
        let networks = postfix.networks(Some(service))?;
        for entry in networks.entries.iter().filter(|entry| !entry.not) {
            shown.push(entry.written.clone());
            let Some((what, worse)) = too_wide(&entry.network) else { continue };
            severity = severity.max(worse);
            let seen = Evidence { place: networks.place.clone(), seen: format!("{}: {what}", entry.written) };
            if !evidence.contains(&seen) {
                evidence.push(seen);
            }
        }
    }
    if services.is_empty() {
        return not_applicable("no service for mail is reachable from the network");
    }
    if evidence.is_empty() {
        shown.sort();
        shown.dedup();
        return pass(if shown.is_empty() {
            "mynetworks is empty".to_owned()
        } else {
            format!("mynetworks is {}", shown.join(" "))
        });
    }
    let cause = evidence.first().map(|seen| seen.place.clone()).unwrap_or_default();
    let finding = Finding::new(severity, "", "mynetworks holds networks that strangers may be in")
        .cause(cause)
        .all_seen(evidence);
    let remedy = Remedy::new("Trust this host alone; whoever else sends through it logs in.")
        .changes(lists(server, "mynetworks", own_networks))
        .prove("postconf -h mynetworks");
    Ok(Outcome::from(finding.remedy(remedy)))
}

/// The networks that may be trusted, and this host in any case.
fn own_networks(list: &str) -> String {
    let wide = |piece: &str| {
        let network = piece.replace(['[', ']'], "").parse::<mailward_model::Network>();
        network.is_ok_and(|network| too_wide(&network).is_some())
    };
    let kept = list::without(list, wide);
    if kept.is_empty() { "127.0.0.0/8, [::ffff:127.0.0.0]/104, [::1]/128".to_owned() } else { kept }
}

/// Why a network is too wide to be trusted, and how bad that is. An own public address, a loopback network and a
/// private network are what people have reasons for.
fn too_wide(network: &mailward_model::Network) -> Option<(&'static str, Severity)> {
    let prefix = network.prefix();
    match network.address() {
        IpAddr::V4(ip) if ip.is_loopback() => None,
        IpAddr::V4(_) if prefix == 0 => Some(("the whole Internet", Severity::Critical)),
        // Docker's own pools begin at 172.17.0.0/16; userland proxies let everybody in from there.
        IpAddr::V4(ip) if ip.octets()[0] == 172 && ip.is_private() && prefix < 32 => {
            Some(("a network that containers use: behind a proxy every client is in it", Severity::High))
        }
        IpAddr::V4(ip) if ip.is_private() || ip.is_link_local() => (prefix < 16)
            .then_some(("a whole private range, with all that is attached to it", Severity::Medium)),
        IpAddr::V4(_) => (prefix < 29).then_some(("public addresses of many hosts", Severity::High)),
        IpAddr::V6(ip) if ip.is_loopback() || ip.is_unicast_link_local() || ip.is_unique_local() => None,
        IpAddr::V6(_) if prefix == 0 => Some(("the whole Internet", Severity::Critical)),
        IpAddr::V6(_) => (prefix < 64).then_some(("public addresses of many networks", Severity::High)),
    }
}

/// Whether the service is one at which strangers hand in mail.
pub(super) fn faces_strangers(postfix: &Postfix<'_>, service: &Service) -> bool {
    matches!(postfix.role(service), Role::Mx | Role::Submission | Role::Other)
}
