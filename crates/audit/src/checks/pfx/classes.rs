//! Which domains the server is for.

use std::collections::BTreeMap;

use super::{advise, and, mend};
use crate::check::{could_not_tell, not_applicable, pass};
use crate::postfix::Class;
use crate::{Check, Evidence, Finding, Judged, Outcome, Server, Severity};

pub(super) static PFX_019: Check = Check {
    id: "PFX-019",
    title: "A domain is in several address classes",
    severity: Severity::Low,
    why: "Only the first class counts, so mail goes to users of the system, or is refused as unknown, instead of to the mailboxes \
          that were meant.",
    proof: "The effective mydestination, virtual_alias_domains, virtual_mailbox_domains and relay_domains, with their files and \
            tables.",
    fix: "Leave each domain in one class.",
    references: &["https://www.postfix.org/ADDRESS_CLASS_README.html"],
    judge: pfx_019,
};

pub(super) static PFX_031: Check = Check {
    id: "PFX-031",
    title: "The host has no mail domain, but takes mail from the network",
    severity: Severity::Medium,
    why: "A mail service that nobody needs from outside is one more that robots try.",
    proof: "The effective inet_interfaces, and the domains of all address classes other than the host's own name.",
    fix: "Set inet_interfaces = loopback-only.",
    references: &["CIS benchmark of the distribution: mail transfer agent in local-only mode"],
    judge: pfx_031,
};

fn pfx_019(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    let mut classes: BTreeMap<String, Vec<(Class, String)>> = BTreeMap::new();
    let mut known = false;
    for class in Class::ALL {
        let domains = postfix.domains(None, class)?;
        // In tables of aliases, names without an at sign are local parts too.
        let of_aliases = class == Class::VirtualAlias && postfix.explicit("virtual_alias_domains").is_none();
        for (name, place) in domains.named {
            known = true;
            if of_aliases && !name.contains('.') {
                continue;
            }
            let entry = classes.entry(name).or_default();
            if !entry.iter().any(|(earlier, _)| *earlier == class) {
                entry.push((class, place));
            }
        }
    }
    // relay_domains was $mydestination before compatibility level 2.
    let by_default = postfix.explicit("relay_domains").is_none();
    classes.retain(|_, classes| {
        classes.retain(|(class, _)| *class != Class::Relay || !by_default);
        classes.len() > 1
    });
    let mut findings = Vec::new();
    for (domain, classes) in &classes {
        let names: Vec<String> = classes.iter().map(|(class, _)| class.parameter().to_owned()).collect();
        let wins = names.first().cloned().unwrap_or_default();
        let summary = format!("{domain} is in {}; only {wins} counts", and(&names));
        let evidence = classes.iter().map(|(class, place)| Evidence {
            place: place.clone(),
            seen: format!("{} has {domain}", class.parameter()),
        });
        findings.push(
            Finding::new(Severity::Low, domain, summary)
                .cause(wins.clone())
                .all_seen(evidence)
                .remedy(advise(server, "Leave the domain in one class.", &[], &wins)),
        );
    }
    if !known {
        return could_not_tell("no domain of any class is known");
    }
    Ok(Outcome::of(findings, "no domain that is known is in two classes"))
}

fn pfx_031(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    let mut reachable = super::reachable(postfix).peekable();
    if postfix.services().is_empty() {
        return could_not_tell("the services of master.cf are not known");
    }
    if reachable.peek().is_none() {
        return pass("only this machine hands in mail");
    }
    if server.dovecot().is_ok() {
        return not_applicable("Dovecot serves mailboxes here");
    }
    let host = postfix.need("myhostname")?;
    let own = |name: &str| {
        name == host
            || name.starts_with("localhost")
            || !name.contains('.')
            || host.starts_with(&format!("{name}."))
    };
    for class in Class::ALL {
        let domains = postfix.domains(None, class)?;
        let more = domains.named.iter().find(|(name, _)| !own(name));
        if let Some((name, place)) = more {
            return pass(format!("it takes mail for {name} ({place})"));
        }
        if let Some(element) = domains.unread.first() {
            return could_not_tell(format!("which domains {element} has is not known"));
        }
    }
    let relays = postfix.need("relayhost")?;
    let interfaces = postfix.in_main("inet_interfaces")?;
    let labels: Vec<String> = reachable.map(|service| postfix.label(service)).collect();
    let summary = format!("No mail domain is served here, but {} is open to the network", and(&labels));
    let old = format!("inet_interfaces = {}", interfaces.written);
    let mut finding = Finding::new(Severity::Medium, "", summary)
        .cause(interfaces.place.clone())
        .seen(interfaces.place.clone(), interfaces.to_string())
        .seen("mydestination", postfix.need("mydestination")?);
    if !relays.is_empty() {
        finding = finding.seen("relayhost", relays);
    }
    Ok(finding
        .remedy(
            mend(
                "Listen for programs of this machine only.",
                &[&old],
                &["inet_interfaces = loopback-only"],
                "inet_interfaces",
            )
            .apply("postfix stop && postfix start"),
        )
        .into())
}
