//! For whom mail is taken, and from which senders.

use super::{talks, trusted_source};
use crate::check::{could_not_tell, not_applicable, pass};
use crate::facts::{MailService, Tried};
use crate::plan::Change;
use crate::plan::asking::everywhere;
use crate::postfix::restrictions::Verdict;
use crate::postfix::{Class, Postfix, Role, Service, boolean};
use crate::{Check, Finding, Judged, Remedy, Server, Severity, Untold};

pub(super) static SMT_017: Check = Check {
    id: "SMT-017",
    title: "Strangers may send as our own domain",
    severity: Severity::Medium,
    why: "Mail that claims to come from a colleague is believed; no honest server on the Internet sends it here.",
    proof: "The lists of the service on port 25, evaluated for a stranger whose envelope sender is in one of our domains; whether SPF or DMARC is evaluated in front; and MAIL and RCPT with such a sender.",
    fix: "Evaluate SPF and DMARC with enforcement, or refuse own domains in check_sender_access behind permit_sasl_authenticated.",
    references: &["RFC 9989", "RFC 7208 section 8.4"],
    judge: smt_017,
};

pub(super) static SMT_021: Check = Check {
    id: "SMT-021",
    title: "Mail for addresses that do not exist is taken",
    severity: Severity::Medium,
    why: "The server has to bounce it later, to senders that are mostly forged: that lands on block lists, and fills the queue.",
    proof: "Empty recipient maps, luser_relay, smtpd_reject_unlisted_recipient = no on port 25, wildcards in alias tables; and RCPT of a mailbox that nobody has.",
    fix: "Name all recipients in local_recipient_maps, virtual_mailbox_maps or relay_recipient_maps, or set reject_unverified_recipient.",
    references: &["RFC 5321 section 3.6.2", "https://www.postfix.org/LOCAL_RECIPIENT_README.html"],
    judge: smt_021,
};

pub(super) static SMT_022: Check = Check {
    id: "SMT-022",
    title: "Bounces to us are refused",
    severity: Severity::Medium,
    why: "Every mail system sends its reports with an empty sender: users never hear that their mail did not arrive, and servers that call back take no mail from here.",
    proof: "The lists of the service on port 25, evaluated for an empty sender and a local recipient; and MAIL FROM:<>.",
    fix: "Take out the rule that refuses the empty sender.",
    references: &["RFC 5321 section 4.5.5"],
    judge: smt_022,
};

pub(super) static SMT_023: Check = Check {
    id: "SMT-023",
    title: "Mail to postmaster or abuse is refused",
    severity: Severity::Medium,
    why: "Whoever wants to tell that the server is misused writes there; some block lists look whether somebody answers.",
    proof: "RCPT of postmaster and abuse in each domain; else the alias tables and mailboxes of the configuration.",
    fix: "Make aliases for postmaster and abuse that lead to somebody who reads them.",
    references: &["RFC 5321 section 4.5.1", "RFC 2142"],
    judge: smt_023,
};

fn port_25<'p>(postfix: &'p Postfix<'_>) -> Option<&'p Service> {
    postfix.smtpd().find(|service| postfix.role(service) == Role::Mx)
}

/// What was tried with every domain under `name@domain`, from an address that is not trusted.
fn tried<'s>(server: &'s Server<'_>, name: &'s str) -> impl Iterator<Item = (String, &'s Tried)> {
    talks(server, MailService::Smtp).flat_map(move |talk| {
        let same = move |tried: &&Tried| tried.name.split_once('@').is_some_and(|(first, _)| first == name);
        talk.tried.iter().filter(same).map(|tried| (talk.place(), tried))
    })
}

fn smt_017(server: &Server<'_>) -> Judged {
    let mut finding = Finding::new(Severity::Medium, "", "Strangers may send as our own domains");
    let mut told = false;
    for talk in talks(server, MailService::Smtp).filter(|talk| trusted_source(server, talk) == Some(false)) {
        for tried in talk.tried.iter().filter(|tried| tried.name.starts_with("from-own@")) {
            told = true;
            if tried.is_yes() {
                finding =
                    finding.seen(format!("{}, {}", talk.place(), tried.sent.join(", ")), tried.reply.clone());
            }
        }
    }
    let judged = server.postfix().and_then(|postfix| own_sender(postfix));
    match judged {
        Ok(Ok(shown)) if finding.evidence.is_empty() => return pass(shown),
        Ok(Ok(_)) => {}
        Ok(Err((place, seen))) => finding = finding.cause(place.clone()).seen(place, seen),
        Err(why) if !told => return Err(why),
        Err(_) => {}
    }
    if finding.evidence.is_empty() {
        return pass("own domains are refused as senders from outside");
    }
    let remedy = Remedy::new("Refuse own domains as senders of strangers; mailing lists and forwarders that rewrite nothing keep their own sender.")
        .add("/etc/postfix/main.cf", &["smtpd_sender_restrictions = permit_mynetworks, permit_sasl_authenticated, check_sender_access inline:{ <your domain>=REJECT }"])
        .apply("postfix reload")
        .prove("postconf -h smtpd_sender_restrictions");
    Ok(finding.remedy(remedy).into())
}

/// What keeps strangers from our own domain as a sender, or that nothing does.
fn own_sender(postfix: &Postfix<'_>) -> Result<Result<String, (String, String)>, Untold> {
    let Some(service) = port_25(postfix) else { return not_applicable("Postfix does not serve port 25") };
    if let Some(guard) = sender_policy(postfix, service)? {
        return Ok(Ok(guard));
    }
    let domains = postfix.own_domains();
    let domain = domains.iter().find(|domain| domain.contains('.')).cloned();
    let Some(domain) = domain else { return not_applicable("the server has no mail domain") };
    let (sender, recipient) = (format!("somebody@{domain}"), format!("postmaster@{domain}"));
    let client = super::relay::outsider(postfix, service)?;
    let ruling = postfix.ruling(service, &super::relay::from_outside(client, &sender, &recipient))?;
    let end = ruling.decisive().map(ToString::to_string).unwrap_or_default();
    match ruling.verdict {
        Verdict::Accepted if ruling.doubts.is_empty() => {
            let list = postfix.in_service(service, "smtpd_sender_restrictions")?;
            Ok(Err((
                list.place,
                format!("a stranger's MAIL FROM:<{sender}> is taken, and neither SPF nor DMARC is evaluated"),
            )))
        }
        Verdict::Accepted => could_not_tell(format!(
            "it hangs on {}",
            ruling.doubts.iter().map(|doubt| doubt.rule.as_str()).collect::<Vec<_>>().join(", ")
        )),
        _ => Ok(Ok(end)),
    }
}

/// A policy service or milter that knows SPF or DMARC, or rspamd.
fn sender_policy(postfix: &Postfix<'_>, service: &Service) -> Result<Option<String>, Untold> {
    let milters = postfix.in_service(service, "smtpd_milters")?.value;
    if !milters.is_empty() {
        return Ok(Some(format!("milters look at the sender: {milters}")));
    }
    for list in [
        "smtpd_sender_restrictions",
        "smtpd_recipient_restrictions",
        "smtpd_relay_restrictions",
        "smtpd_client_restrictions",
    ] {
        let rules = postfix.rules_of(service, list)?;
        let policy = rules
            .iter()
            .find(|rule| rule.name == "check_policy_service")
            .and_then(|rule| rule.argument.clone());
        if let Some(policy) = policy.filter(|policy| policy.contains("spf")) {
            return Ok(Some(format!("{list}: check_policy_service {policy}")));
        }
    }
    Ok(None)
}

fn smt_021(server: &Server<'_>) -> Judged {
    let mut finding = Finding::new(Severity::Medium, "", "Mail for addresses that do not exist is taken");
    let mut told = false;
    for (place, tried) in tried(server, "mailward-audit-no-such-mailbox-7c1f").chain(tried(server, "nobody"))
    {
        told = true;
        if tried.is_yes() && tried.sent.last().is_some_and(|line| line.starts_with("RCPT")) {
            finding = finding.seen(format!("{place}, {}", tried.sent.join(", ")), tried.reply.clone());
        }
    }
    let judged = server.postfix().and_then(|postfix| unlisted(postfix));
    match judged {
        Ok(found) => finding = finding.all_set(found),
        Err(why) if !told => return Err(why),
        Err(_) => {}
    }
    if finding.evidence.is_empty() {
        return pass("recipients that do not exist are refused while the client waits");
    }
    let remedy = Remedy::new("Let Postfix know every recipient, so that it refuses the others.")
        .changes(listed(server))
        .prove("postmap -q nobody-here@<your domain> <your table of mailboxes>");
    Ok(finding.remedy(remedy).into())
}

/// The check of recipients switched on; what recipients there are, is another matter.
fn listed(server: &Server<'_>) -> Vec<Change> {
    const NAME: &str = "smtpd_reject_unlisted_recipient";
    let Ok(postfix) = server.postfix() else { return Vec::new() };
    let off = port_25(postfix).is_some_and(|service| postfix.is_on(service, NAME) == Ok(false));
    if off { everywhere(server, NAME, "yes") } else { Vec::new() }
}

/// Settings on port 25 because of which unknown recipients are taken.
fn unlisted(postfix: &Postfix<'_>) -> Result<Vec<(String, String)>, Untold> {
    let Some(service) = port_25(postfix) else { return not_applicable("Postfix does not serve port 25") };
    let mut found = Vec::new();
    let reject = postfix.in_service(service, "smtpd_reject_unlisted_recipient")?;
    let explicit = ["smtpd_recipient_restrictions", "smtpd_relay_restrictions"].iter().any(|list| {
        postfix.rules_of(service, list).is_ok_and(|rules| {
            rules.iter().any(|rule| {
                matches!(rule.name.as_str(), "reject_unlisted_recipient" | "reject_unverified_recipient")
            })
        })
    });
    if boolean(&reject.value) == Some(false) && !explicit {
        found.push((
            reject.place,
            format!("{}: smtpd_reject_unlisted_recipient = no", postfix.label(service)),
        ));
    }
    let classes = [
        (Class::Local, "local_recipient_maps"),
        (Class::VirtualMailbox, "virtual_mailbox_maps"),
        (Class::Relay, "relay_recipient_maps"),
    ];
    for (class, parameter) in classes {
        let serves = postfix
            .domains(Some(service), class)
            .is_ok_and(|domains| domains.named.iter().any(|(name, _)| name.contains('.')));
        let maps = postfix.in_service(service, parameter)?;
        if serves && maps.value.trim().is_empty() && !explicit {
            found
                .push((maps.place, format!("{parameter} is empty: every address of these domains is taken")));
        }
    }
    let luser = postfix.in_main("luser_relay")?;
    if !luser.value.trim().is_empty() {
        found.push((luser.place, format!("luser_relay = {}", luser.value)));
    }
    Ok(found)
}

/// Whether RCPT was refused because of who writes: Postfix waits for the recipient (smtpd_delay_reject).
fn is_of_client(tried: &Tried) -> bool {
    ["Sender address rejected", "Helo command rejected", "Client host rejected"]
        .iter()
        .any(|refusal| tried.reply.contains(refusal))
}

fn smt_022(server: &Server<'_>) -> Judged {
    let mut finding = Finding::new(Severity::Medium, "", "Mail with an empty sender is refused");
    let mut told = false;
    for (place, tried) in tried(server, "postmaster") {
        told = true;
        // 530: nothing is taken without TLS (RFC 3207 section 4), whoever sends.
        let refused_sender = tried.code() >= 500
            && tried.code() != 530
            && (tried.sent.last().is_some_and(|line| line.starts_with("MAIL"))
                || tried.reply.contains("<>: Sender address rejected"));
        if refused_sender {
            finding = finding.seen(format!("{place}, {}", tried.sent.join(", ")), tried.reply.clone());
        }
    }
    let judged = server.postfix().and_then(|postfix| {
        let Some(service) = port_25(postfix) else { return not_applicable("Postfix does not serve port 25") };
        let own = postfix.own_domains().into_iter().find(|domain| domain.contains('.'));
        let own = own.or_else(|| postfix.value("myhostname"));
        let Some(own) = own else { return could_not_tell("no domain of this server is known") };
        let recipient = format!("postmaster@{own}");
        let client = super::relay::outsider(postfix, service)?;
        let from = |sender| postfix.ruling(service, &super::relay::from_outside(client, sender, &recipient));
        let (empty, other) = (from("")?, from("somebody@sender.example")?);
        let only_empty = empty.verdict == Verdict::Refused && other.verdict == Verdict::Accepted;
        Ok(only_empty.then(|| empty.decisive().map(|end| (end.place.clone(), end.to_string()))).flatten())
    });
    match judged {
        Ok(Some((place, seen))) => finding = finding.cause(place.clone()).seen(place, seen),
        Err(why) if !told => return Err(why),
        _ => {}
    }
    if finding.evidence.is_empty() {
        return pass("an empty sender is taken");
    }
    let remedy = Remedy::new("Take the rule out, or let its table say DUNNO for <>.").apply("postfix reload");
    Ok(finding.remedy(remedy).into())
}

fn smt_023(server: &Server<'_>) -> Judged {
    let mut finding = Finding::new(Severity::Medium, "", "Mail to postmaster or abuse is refused");
    let mut told = 0;
    for role in ["postmaster", "abuse"] {
        for (place, tried) in tried(server, role) {
            let of_recipient = tried.sent.last().is_some_and(|line| line.starts_with("RCPT"));
            if !of_recipient || matches!(tried.code(), 400..=499) || is_of_client(tried) {
                continue;
            }
            told += 1;
            if tried.code() >= 500 {
                finding = finding.seen(format!("{place}, {}", tried.sent.join(", ")), tried.reply.clone());
            }
        }
    }
    if told == 0 {
        return of_configuration(server);
    }
    if finding.evidence.is_empty() {
        return pass("postmaster and abuse are taken in every domain");
    }
    Ok(finding.remedy(aliases()).into())
}

fn aliases() -> Remedy {
    Remedy::new("Lead both to somebody who reads them.")
        .add("/etc/aliases", &["postmaster: root", "abuse: postmaster"])
        .apply("newaliases")
        .prove("postmap -q abuse hash:/etc/aliases")
}

/// Without a probe: whether a mailbox or an alias has them.
fn of_configuration(server: &Server<'_>) -> Judged {
    let missing = crate::checks::acc::missing_roles(server)?;
    if missing.is_empty() {
        return pass("postmaster and abuse have a mailbox or an alias in every domain");
    }
    let missing = missing.join(", ");
    let finding = Finding::new(Severity::Medium, "", format!("No mailbox and no alias for {missing}"))
        .cause("virtual_alias_maps")
        .seen("accounts and aliases", format!("no entry for {missing}"));
    Ok(finding.remedy(aliases()).into())
}
