//! Which ports offer TLS, and how.

use std::collections::BTreeMap;

use super::{Fix, edits, evidence, listed, looked, places, upper};
use crate::check::{could_not_tell, not_applicable, pass};
use crate::facts::{Known, MailProtocol, TlsPort, TlsVersion};
use crate::plan::Change;
use crate::postfix::{Role, Service};
use crate::{Check, Finding, Judged, Outcome, Remedy, Server, Severity, Untold};

pub(super) static TLS_028: Check = Check {
    id: "TLS-028",
    title: "STARTTLS is not offered where it should be",
    severity: Severity::High,
    why: "Passwords and mail go readable through every network in between.",
    proof: "The capabilities that ports without TLS at once announce; without them, the effective security level of every service.",
    fix: "Set smtpd_tls_security_level = may at port 25 and encrypt at port 587, and ssl = required in Dovecot.",
    references: &["RFC 3207", "RFC 8314"],
    judge: tls_028,
};

pub(super) static TLS_030: Check = Check {
    id: "TLS-030",
    title: "Ports that begin with TLS are missing",
    severity: Severity::Medium,
    why: "At ports 587 and 143 somebody in between can hide the offer of TLS; at 465 and 993 there is nothing to hide.",
    proof: "The ports that listen: 465 beside 587, 993 beside 143, 995 beside 110.",
    fix: "Switch on the service submissions of Postfix and the listeners imaps and pop3s of Dovecot.",
    references: &["RFC 8314 section 3.3"],
    judge: tls_030,
};

pub(super) static TLS_031: Check = Check {
    id: "TLS-031",
    title: "Port 25 refuses mail without TLS from the whole Internet",
    severity: Severity::Medium,
    why: "Lawful mail from senders without TLS is lost; RFC 3207 forbids it for a server that the MX record names.",
    proof: "The effective smtpd_tls_security_level at port 25, `encrypt` there.",
    fix: "Set it to may at port 25, and publish MTA-STS or DANE for senders that can do better.",
    references: &["RFC 3207 section 4"],
    judge: tls_031,
};

pub(super) static TLS_032: Check = Check {
    id: "TLS-032",
    title: "A port that should begin with TLS does not",
    severity: Severity::High,
    why: "Mail programs that expect TLS from the first byte cannot connect, and those that are tried by hand send passwords readable.",
    proof: "A greeting in the clear at ports 465, 993 or 995; without one, smtpd_tls_wrappermode of the service at 465.",
    fix: "Add -o smtpd_tls_wrappermode=yes to the service, or ssl = yes to the listener.",
    references: &["RFC 8314 section 3"],
    judge: tls_032,
};

pub(super) static TLS_034: Check = Check {
    id: "TLS-034",
    title: "One port has weaker TLS than the others",
    severity: Severity::Medium,
    why: "An attacker takes the weakest door; a difference that nobody wants is mostly a forgotten override.",
    proof: "Versions and classes of cipher suites of every port and address, compared among the ports of the same program where clients log in.",
    fix: "Take the override of that service out.",
    references: &[
        "https://english.ncsc.nl/publications/publications/2021/january/19/it-security-guidelines-for-transport-layer-security-2.1",
    ],
    judge: tls_034,
};

const OFFER: Fix = Fix {
    advice: "Offer TLS.",
    postfix: &["smtpd_tls_security_level = may"],
    dovecot: &[("ssl", "required")],
};

fn tls_028(server: &Server<'_>) -> Judged {
    let asked: Vec<_> = server.facts.tls.iter().filter(|port| port.starttls).collect();
    let without: Vec<_> = asked.iter().copied().filter(|port| port.offered == Known::Is(false)).collect();
    if let Some(first) = without.first() {
        let summary = format!("STARTTLS is not offered at {}.", places(without.iter().copied()));
        let finding = Finding::new(Severity::High, "", summary);
        let finding =
            finding.all_seen(without.iter().map(|port| evidence(&port.place(), "STARTTLS is not announced")));
        let smtp = |port: &&TlsPort| port.service == MailProtocol::Smtp;
        let remedy = edits(server, "TLS-028", without.iter().any(smtp), !without.iter().all(smtp), OFFER);
        return Ok(finding.cause(level_cause(server, first.port)).remedy(remedy).into());
    }
    if !asked.is_empty() && asked.iter().all(|port| port.offered == Known::Is(true)) {
        return pass(format!("STARTTLS is offered at {}", places(asked.into_iter())));
    }
    starttls_by_settings(server)
}

fn level_cause(server: &Server<'_>, port: u16) -> String {
    let cause = || {
        let postfix = server.postfix().ok()?;
        let service = postfix.smtpd().find(|service| postfix.port(service) == Some(port))?;
        let level = postfix.in_service(service, "smtpd_tls_security_level").ok()?;
        Some(format!("smtpd_tls_security_level = {} ({})", level.written, level.place))
    };
    cause().unwrap_or_default()
}

fn starttls_by_settings(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    let mut without = Vec::new();
    let mut with = Vec::new();
    for service in public(server, |role| matches!(role, Role::Mx | Role::Submission))? {
        let level = postfix.in_service(service, "smtpd_tls_security_level")?;
        let seen = evidence(&level.place, &format!("smtpd_tls_security_level = {}", level.written));
        let label = postfix.label(service);
        match postfix.tls_required(service)? {
            None => without.push((label, seen)),
            Some(_) => with.push(label),
        }
    }
    let ssl = server
        .dovecot()
        .ok()
        .filter(|dovecot| dovecot.setting("ssl") == Some("no") && !dovecot.protocols().is_empty());
    if let Some(dovecot) = ssl {
        without.push(("Dovecot".to_owned(), evidence(&dovecot.place("ssl"), &dovecot.line("ssl"))));
    }
    if without.is_empty() {
        return if with.is_empty() {
            not_applicable("no service of Postfix is open to others")
        } else {
            pass(format!("TLS is offered at {}", listed(with.into_iter())))
        };
    }
    let names = listed(without.iter().map(|(label, _)| label.clone()));
    let cause = without.first().map(|(_, seen)| seen.seen.clone()).unwrap_or_default();
    let of_dovecot = without.iter().any(|(label, _)| label == "Dovecot");
    let of_postfix = without.iter().any(|(label, _)| label != "Dovecot");
    let finding = Finding::new(Severity::High, "", format!("{} offers no TLS.", upper(&names))).cause(cause);
    let finding = finding.all_seen(without.into_iter().map(|(_, seen)| seen));
    Ok(finding.remedy(edits(server, "TLS-028", of_postfix, of_dovecot, OFFER)).into())
}

/// The services of Postfix that receive mail from others.
fn public<'s>(server: &'s Server<'_>, wanted: impl Fn(Role) -> bool) -> Result<Vec<&'s Service>, Untold> {
    let postfix = server.postfix()?;
    Ok(postfix.smtpd().filter(|service| wanted(postfix.role(service))).collect())
}

fn tls_030(server: &Server<'_>) -> Judged {
    let listeners = server.facts.host.listeners.get()?;
    let own = |address: &str| address.starts_with("127.") || address == "::1";
    let open = |port: u16| {
        listeners.iter().any(|one| one.protocol == "tcp" && one.port == port && !own(&one.address))
    };
    let pairs = [(587, 465, "submissions"), (143, 993, "imaps"), (110, 995, "pop3s")];
    let missing: Vec<_> = pairs.iter().filter(|(old, new, _)| open(*old) && !open(*new)).collect();
    if missing.is_empty() {
        let with: Vec<_> =
            pairs.iter().filter(|(_, new, _)| open(*new)).map(|(_, new, _)| new.to_string()).collect();
        return match with.is_empty() {
            true => not_applicable("no port for users is open"),
            false => pass(format!("open ports that begin with TLS: {}", with.join(", "))),
        };
    }
    let names = listed(missing.iter().map(|(_, new, name)| format!("{new} ({name})")));
    let finding = Finding::new(Severity::Medium, "", format!("Nobody listens at port {names}."));
    let finding = finding.all_seen(
        missing
            .iter()
            .map(|(old, new, _)| evidence("listening sockets", &format!("{old} is open, {new} is not"))),
    );
    let mut remedy =
        Remedy::new("Open the ports that begin with TLS, and tell users to use them.").prove("ss -ltn");
    if missing.iter().any(|(_, new, _)| *new == 465) {
        remedy = remedy
            .change(Change::Service {
                service: "submissions/inet".to_owned(),
                line: Some("submissions inet n - y - - smtpd".to_owned()),
            })
            .changes(SUBMISSIONS.map(|(name, value)| Change::overriding("submissions/inet", name, value)));
    }
    Ok(finding.remedy(remedy).into())
}

/// What the service on port 465 differs in from the one on 25.
const SUBMISSIONS: [(&str, &str); 5] = [
    ("syslog_name", "postfix/submissions"),
    ("smtpd_tls_wrappermode", "yes"),
    ("smtpd_sasl_auth_enable", "yes"),
    ("smtpd_client_restrictions", "permit_sasl_authenticated,reject"),
    ("smtpd_relay_restrictions", "permit_sasl_authenticated,reject"),
];

fn tls_031(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    let services = public(server, |role| role == Role::Mx)?;
    if services.is_empty() {
        return not_applicable("Postfix does not listen at port 25 for others");
    }
    for service in &services {
        if postfix.tls_required(service)? == Some(true) {
            let level = postfix.in_service(service, "smtpd_tls_security_level")?;
            let written = format!("smtpd_tls_security_level = {}", level.written);
            let summary = format!(
                "{} refuses mail from senders without TLS ({written}).",
                upper(&postfix.label(service))
            );
            let finding = Finding::new(Severity::Medium, "port 25", summary)
                .cause(written.clone())
                .seen(level.place, written);
            let finding = finding.all_seen(
                level.beats.map(|beaten| evidence(&beaten.place, &format!("beaten: {}", beaten.value))),
            );
            return Ok(finding.remedy(edits(server, "TLS-031", true, false, OFFER)).into());
        }
    }
    pass("mail without TLS is taken at port 25")
}

fn tls_032(server: &Server<'_>) -> Judged {
    let implicit: Vec<_> = server.facts.tls.iter().filter(|port| !port.starttls).collect();
    let plain: Vec<_> =
        implicit.iter().filter_map(|port| Some((*port, port.plain_greeting.known()?))).collect();
    if !plain.is_empty() {
        let ports: Vec<_> = plain.iter().map(|(port, _)| *port).collect();
        let summary = format!("TLS does not begin at once at {}.", places(ports.iter().copied()));
        let finding = Finding::new(Severity::High, "", summary);
        let finding = finding.all_seen(
            plain.iter().map(|(port, said)| evidence(&port.place(), &format!("`{said}` in the clear"))),
        );
        let remedy =
            Remedy::new("Have the service begin with TLS.").prove("openssl s_client -connect localhost:465");
        return Ok(finding.remedy(remedy).into());
    }
    if !implicit.is_empty() && implicit.iter().all(|port| port.offered == Known::Is(true)) {
        return pass(format!("TLS begins with the first byte at {}", places(implicit.into_iter())));
    }
    let postfix = server.postfix()?;
    let Some(service) = postfix.smtpd().find(|service| postfix.port(service) == Some(465)) else {
        return not_applicable("nobody listens at port 465");
    };
    let mode = postfix.in_service(service, "smtpd_tls_wrappermode")?;
    let written = format!("smtpd_tls_wrappermode = {}", mode.written);
    if postfix.is_on(service, "smtpd_tls_wrappermode")? {
        return pass(format!("{}: {written}", mode.place));
    }
    let summary = format!("{} does not begin with TLS.", upper(&postfix.label(service)));
    let finding =
        Finding::new(Severity::High, "port 465", summary).cause(written.clone()).seen(mode.place, written);
    Ok(finding.remedy(wrap(service)).into())
}

fn wrap(service: &Service) -> Remedy {
    Remedy::new("Have the service begin with TLS.")
        .change(Change::overriding(service.key(), "smtpd_tls_wrappermode", "yes"))
        .prove("openssl s_client -connect localhost:465")
}

/// What makes TLS weaker than it could be, for a comparison.
fn weaknesses(port: &TlsPort) -> Vec<String> {
    let old = TlsVersion::ALL.into_iter().filter(|version| *version < TlsVersion::Tls12);
    let old = old.filter(|version| port.accepts(*version) == Ok(true)).map(|version| version.to_string());
    let classes = port.suites.values().flat_map(|suites| &suites.accepted).filter_map(|suite| suite.class());
    let classes = classes.filter(|class| *class <= crate::facts::SuiteClass::Static);
    let classes: std::collections::BTreeSet<_> = classes.map(|class| format!("{class:?} suites")).collect();
    old.chain(classes).collect()
}

fn tls_034(server: &Server<'_>) -> Judged {
    let ports: Vec<_> = looked(server)?.into_iter().filter(|port| !port.is_mx()).collect();
    let mut programs: BTreeMap<bool, Vec<(&TlsPort, Vec<String>)>> = BTreeMap::new();
    for port in ports {
        if let Some(why) = &port.stopped {
            return could_not_tell(format!("{}: {why}", port.place()));
        }
        let smtp = port.service == MailProtocol::Smtp;
        programs.entry(smtp).or_default().push((port, weaknesses(port)));
    }
    if programs.values().all(|ports| ports.len() < 2) {
        return not_applicable("there are no two ports of a program to compare");
    }
    let findings = programs.values().filter(|ports| ports.len() > 1).filter_map(|ports| odd_one_out(ports));
    Ok(Outcome::of(findings.collect(), "all ports of a program have the same TLS"))
}

fn odd_one_out(ports: &[(&TlsPort, Vec<String>)]) -> Option<Finding> {
    let least = ports.iter().map(|(_, weak)| weak.len()).min()?;
    let odd: Vec<_> = ports.iter().filter(|(_, weak)| weak.len() > least).collect();
    let (first, _) = odd.first()?;
    let summary = format!(
        "TLS is weaker than at other ports of the same program at {}.",
        places(odd.iter().map(|(port, _)| *port))
    );
    let finding = Finding::new(Severity::Medium, format!("{}", first.service), summary);
    let finding = finding.all_seen(ports.iter().map(|(port, weak)| {
        let seen = if weak.is_empty() { "nothing weak".to_owned() } else { weak.join(", ") };
        evidence(&format!("{} at {}", port.place(), port.address), &seen)
    }));
    let remedy = Remedy::new(
        "Take the override of this service out: `-o smtpd_tls_...` in master.cf, or `protocol ... { ssl_... }` in Dovecot's configuration.",
    );
    Some(finding.remedy(remedy.prove("mailward audit --only TLS-034")))
}
