//! What a stranger is told and allowed before any mail.

use super::{internet_services, talks, trusted_source};
use crate::check::{could_not_tell, not_applicable, pass};
use crate::facts::{MailService, Talk};
use crate::plan::asking::{everywhere, lists, lists_of_role};
use crate::plan::{Change, list};
use crate::postfix::{Kind, Networks, Origin, Postfix, Role, Service, elements};
use crate::{Check, Finding, Judged, Remedy, Server, Severity, Untold};

pub(super) static SMT_007: Check = Check {
    id: "SMT-007",
    title: "VRFY tells which addresses exist",
    severity: Severity::Low,
    why: "Address lists are made by asking VRFY for one name after the other, without sending any mail.",
    proof: "The effective disable_vrfy_command of the services that are reachable; and the answer to VRFY.",
    fix: "Set disable_vrfy_command = yes.",
    references: &["RFC 5321 section 7.3"],
    judge: smt_007,
};

pub(super) static SMT_008: Check = Check {
    id: "SMT-008",
    title: "EXPN or ETRN is accepted from strangers",
    severity: Severity::Low,
    why: "EXPN lists the members of an alias; ETRN lets strangers start deliveries as often as they like.",
    proof: "The answers to EXPN and EHLO; the effective smtpd_etrn_restrictions and smtpd_discard_ehlo_keywords.",
    fix: "Set smtpd_etrn_restrictions = reject, and smtpd_discard_ehlo_keywords = etrn, silent-discard.",
    references: &["RFC 5321 section 7.3", "RFC 1985"],
    judge: smt_008,
};

pub(super) static SMT_009: Check = Check {
    id: "SMT-009",
    title: "Strangers may claim another client's address (XCLIENT, XFORWARD)",
    severity: Severity::Critical,
    why: "Whoever may use XCLIENT is whom he says he is: he walks past every ban, block list and rate, and into mynetworks.",
    proof: "The networks of the effective smtpd_authorized_xclient_hosts and smtpd_authorized_xforward_hosts; and XCLIENT or XFORWARD in the answer to EHLO.",
    fix: "List the addresses of your own proxies and filters alone.",
    references: &["https://www.postfix.org/XCLIENT_README.html"],
    judge: smt_009,
};

pub(super) static SMT_010: Check = Check {
    id: "SMT-010",
    title: "PROXY headers are believed from anybody",
    severity: Severity::High,
    why: "A PROXY header names the client's address; believed from anybody, it makes bans hit the innocent and lets the guilty into mynetworks.",
    proof: "The effective smtpd_upstream_proxy_protocol and postscreen_upstream_proxy_protocol of services that are reachable, and Dovecot's listeners with haproxy and haproxy_trusted_networks.",
    fix: "Let the service listen on the proxy's network alone, and name the proxy in haproxy_trusted_networks.",
    references: &["postconf(5), smtpd_upstream_proxy_protocol"],
    judge: smt_010,
};

pub(super) static SMT_011: Check = Check {
    id: "SMT-011",
    title: "The greeting names the product or its version",
    severity: Severity::Info,
    why: "It saves an attacker a look; a version also saves him the try.",
    proof: "The effective smtpd_banner, and the greeting itself.",
    fix: "Set smtpd_banner = $myhostname ESMTP.",
    references: &["postconf(5), smtpd_banner"],
    judge: smt_011,
};

pub(super) static SMT_012: Check = Check {
    id: "SMT-012",
    title: "The server's name in greeting and HELO is no full name, or not its own",
    severity: Severity::Medium,
    why: "Many servers refuse mail from a client whose HELO name is no full name, or leads nowhere.",
    proof: "The effective myhostname and smtp_helo_name, the name in the greeting, and what the DNS says about it.",
    fix: "Set myhostname to the name that the server's address has in the DNS.",
    references: &["RFC 5321 section 4.1.1.1"],
    judge: smt_012,
};

pub(super) static SMT_013: Check = Check {
    id: "SMT-013",
    title: "Mail is taken without HELO, or with one that is no name",
    severity: Severity::Low,
    why: "Much of what sends spam says no HELO or a false one, and no honest server does: refusing it costs nothing.",
    proof: "The effective smtpd_helo_required and smtpd_helo_restrictions of the service on port 25; and MAIL without HELO, and RCPT after a malformed one.",
    fix: "Set smtpd_helo_required = yes, and smtpd_helo_restrictions = permit_mynetworks, reject_invalid_helo_hostname, reject_non_fqdn_helo_hostname.",
    references: &["RFC 5321 section 4.1.4"],
    judge: smt_013,
};

pub(super) static SMT_028: Check = Check {
    id: "SMT-028",
    title: "Strangers get delivery reports for mail that arrived",
    severity: Severity::Info,
    why: "A success report tells a spammer that the address exists, and may name internal servers.",
    proof: "DSN in the answer to EHLO on port 25, or the effective smtpd_discard_ehlo_keywords.",
    fix: "Set smtpd_discard_ehlo_keywords = silent-discard, dsn for the service on port 25.",
    references: &["RFC 3461 section 10.2"],
    judge: smt_028,
};

/// The services on port 25.
fn mx<'p>(postfix: &'p Postfix<'_>) -> Vec<&'p Service> {
    let role = |service: &&Service| postfix.role(service) == crate::postfix::Role::Mx;
    postfix.smtpd().filter(role).collect()
}

/// A word that EHLO offers on port 25, with where it was seen.
fn keyword(server: &Server<'_>, name: &str) -> Option<(String, String)> {
    talks(server, MailService::Smtp).find_map(|talk| {
        let lines = talk.plain.known()?;
        let line = lines.iter().find(|line| {
            line.split_ascii_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case(name))
        })?;
        Some((format!("{}, EHLO", talk.place()), line.clone()))
    })
}

fn discards(postfix: &Postfix<'_>, service: &Service, keyword: &str) -> Result<bool, Untold> {
    let discarded = postfix.in_service(service, "smtpd_discard_ehlo_keywords")?.value;
    Ok(elements(&discarded).iter().any(|word| word.eq_ignore_ascii_case(keyword)))
}

fn smt_007(server: &Server<'_>) -> Judged {
    let mut finding = Finding::new(Severity::Low, "", "VRFY tells strangers which addresses exist");
    let mut told = false;
    for talk in talks(server, MailService::Smtp) {
        if let Some(tried) = talk.tried("vrfy") {
            told = true;
            if matches!(tried.code(), 250..=252) {
                finding = finding.seen(format!("{}, VRFY postmaster", talk.place()), tried.reply.clone());
            }
        }
    }
    let judged = server.postfix().and_then(|postfix| {
        let services = internet_services(postfix)?;
        for service in &services {
            if !postfix.is_on(service, "disable_vrfy_command")? {
                let effective = postfix.in_service(service, "disable_vrfy_command")?;
                return Ok(Some((
                    effective.place,
                    format!("{}: disable_vrfy_command = no", postfix.label(service)),
                )));
            }
        }
        Ok(None)
    });
    match judged {
        Ok(Some((place, seen))) => finding = finding.cause("disable_vrfy_command").seen(place, seen),
        Err(why) if !told => return Err(why),
        _ => {}
    }
    if finding.evidence.is_empty() {
        return pass("VRFY is refused");
    }
    let remedy = Remedy::new("Switch VRFY off.")
        .changes(everywhere(server, "disable_vrfy_command", "yes"))
        .prove("postconf -h disable_vrfy_command");
    Ok(finding.remedy(remedy).into())
}

fn smt_008(server: &Server<'_>) -> Judged {
    let mut finding = Finding::new(Severity::Low, "", "Strangers may use EXPN or ETRN");
    let mut told = false;
    for talk in talks(server, MailService::Smtp) {
        if let Some(tried) = talk.tried("expn") {
            told = true;
            if matches!(tried.code(), 250..=252) {
                finding = finding.seen(format!("{}, EXPN postmaster", talk.place()), tried.reply.clone());
            }
        }
    }
    let judged = server.postfix().and_then(|postfix| {
        for service in mx(postfix) {
            let rules = postfix.in_service(service, "smtpd_etrn_restrictions")?;
            let refuses = elements(&rules.value).contains(&"reject");
            if !refuses && !discards(postfix, service, "etrn")? {
                let seen = format!(
                    "{}: ETRN is offered, smtpd_etrn_restrictions = {}",
                    postfix.label(service),
                    rules.value
                );
                return Ok(Some((rules.place, seen)));
            }
        }
        Ok(None)
    });
    match judged {
        Ok(Some((place, seen))) => finding = finding.cause("smtpd_etrn_restrictions").seen(place, seen),
        Err(why) if !told => return Err(why),
        _ => {}
    }
    if finding.evidence.is_empty() {
        return pass("EXPN and ETRN are refused");
    }
    let remedy = Remedy::new("Refuse ETRN, and do not offer it.")
        .changes(everywhere(server, "smtpd_etrn_restrictions", "reject"))
        .changes(lists(server, "smtpd_discard_ehlo_keywords", |list| with_keywords(list, "etrn")))
        .prove("postconf -h smtpd_etrn_restrictions");
    Ok(finding.remedy(remedy).into())
}

/// Keywords that EHLO does not offer, without a line in the log each time.
fn with_keywords(list: &str, keyword: &str) -> String {
    let silent = list::behind(list, |_| false, "silent-discard");
    list::behind(&silent, |_| false, keyword)
}

fn smt_009(server: &Server<'_>) -> Judged {
    let mut finding = Finding::new(Severity::Critical, "", "Strangers may claim another client's address");
    let mut told = false;
    for talk in talks(server, MailService::Smtp).filter(|talk| trusted_source(server, talk) == Some(false)) {
        told = true;
        let lines = talk.plain.known().into_iter().flatten();
        for line in lines.filter(|line| line.starts_with("XCLIENT") || line.starts_with("XFORWARD")) {
            finding = finding.seen(format!("{}, EHLO from {}", talk.place(), talk.source), line.clone());
        }
    }
    let judged = server.postfix().and_then(|postfix| {
        let mut found = Vec::new();
        for service in internet_services(postfix)? {
            for parameter in ["smtpd_authorized_xclient_hosts", "smtpd_authorized_xforward_hosts"] {
                let networks = postfix.clients(service, parameter)?;
                found.extend(wide(&networks).map(|written| {
                    (
                        networks.place.clone(),
                        format!("{}: {parameter} holds {written}", postfix.label(service)),
                    )
                }));
            }
        }
        Ok(found)
    });
    match judged {
        Ok(found) => finding = finding.all_set(found),
        Err(why) if !told => return Err(why),
        Err(_) => {}
    }
    if finding.evidence.is_empty() {
        return pass("nobody but single trusted hosts may use XCLIENT and XFORWARD");
    }
    let remedy = Remedy::new("Name your own proxies and filters alone.")
        .changes(everywhere(server, "smtpd_authorized_xclient_hosts", ""))
        .changes(everywhere(server, "smtpd_authorized_xforward_hosts", ""))
        .prove("postconf -h smtpd_authorized_xclient_hosts smtpd_authorized_xforward_hosts");
    Ok(finding.remedy(remedy).into())
}

/// Networks of more than a few hosts that are not this machine's own.
fn wide(networks: &Networks) -> impl Iterator<Item = &str> {
    let many = |entry: &&crate::postfix::NetworkEntry| {
        let network = entry.network;
        let bits = if network.address().is_ipv4() { 32 } else { 128 };
        !entry.not && !network.address().is_loopback() && bits - network.prefix() > 8
    };
    networks.entries.iter().filter(many).map(|entry| entry.written.as_str())
}

fn smt_010(server: &Server<'_>) -> Judged {
    let mut finding = Finding::new(Severity::High, "", "PROXY headers are believed from anybody");
    let postfix = server.postfix();
    if let Ok(postfix) = &postfix {
        let listening = postfix
            .services()
            .iter()
            .filter(|service| service.kind == Kind::Inet && !postfix.loopback_only(service));
        for service in listening.filter(|service| matches!(service.command.as_str(), "smtpd" | "postscreen"))
        {
            let parameter = format!("{}_upstream_proxy_protocol", service.command);
            let Ok(effective) = postfix.in_service(service, &parameter) else { continue };
            if !effective.value.is_empty()
                && effective.origin != Origin::Default
                && !on_private_address(service)
            {
                finding.cause.clone_from(&effective.place);
                finding = finding.seen(
                    effective.place,
                    format!("{}: {parameter} = {}", postfix.label(service), effective.value),
                );
            }
        }
    }
    let dovecot = server.dovecot();
    if let Ok(dovecot) = &dovecot {
        let trusted = dovecot.setting("haproxy_trusted_networks").unwrap_or_default();
        let all = trusted.split_whitespace().any(|network| matches!(network, "0.0.0.0/0" | "::/0"));
        if all {
            finding =
                finding.cause("haproxy_trusted_networks").seen("doveconf haproxy_trusted_networks", trusted);
        }
    }
    if finding.evidence.is_empty() {
        return match (postfix, dovecot) {
            (Err(why), Err(_)) => Err(why),
            _ => pass("no service believes a PROXY header of strangers"),
        };
    }
    let remedy = Remedy::new("Let only the proxy's own network reach the service.").apply("postfix reload");
    Ok(finding.remedy(remedy).into())
}

fn on_private_address(service: &Service) -> bool {
    let host = service
        .host
        .as_deref()
        .and_then(|host| host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().ok());
    host.is_some_and(|ip| match ip {
        std::net::IpAddr::V4(ip) => ip.is_private() || ip.is_loopback(),
        std::net::IpAddr::V6(ip) => ip.is_unique_local() || ip.is_loopback(),
    })
}

/// Names of programs and systems in a greeting; `ESMTP Postfix` is Postfix's own default.
const PRODUCTS: [&str; 9] =
    ["postfix", "exim", "sendmail", "debian", "ubuntu", "centos", "red hat", "freebsd", "docker"];

fn telling(greeting: &str) -> Option<&'static str> {
    let greeting = greeting.to_ascii_lowercase();
    PRODUCTS.into_iter().find(|product| greeting.contains(product))
}

fn smt_011(server: &Server<'_>) -> Judged {
    let mut finding = Finding::new(Severity::Info, "", "The greeting names the product");
    let mut told = None;
    for talk in talks(server, MailService::Smtp).chain(talks(server, MailService::Submission)) {
        let greeting = talk.greeting.known().cloned().unwrap_or_default();
        if telling(without_name(&greeting)).is_some() {
            finding = finding.seen(talk.place(), greeting.clone());
        }
        told = Some(greeting);
    }
    match server
        .postfix()
        .and_then(|postfix| Ok((postfix.in_main("smtpd_banner")?, postfix.value("mail_version"))))
    {
        Ok((banner, version)) => {
            let versioned = version.filter(|version| banner.value.contains(version.as_str()));
            if telling(without_name(&format!("220 {}", banner.value))).is_some() || versioned.is_some() {
                finding.cause = "smtpd_banner".to_owned();
                finding = finding.seen(banner.place, format!("smtpd_banner = {}", banner.written));
            }
            told.get_or_insert(banner.value);
        }
        Err(why) if told.is_none() => return Err(why),
        Err(_) => {}
    }
    if finding.evidence.is_empty() {
        return pass(format!("the greeting is: {}", told.unwrap_or_default()));
    }
    let remedy = Remedy::new("Greet with the name alone.")
        .changes(everywhere(server, "smtpd_banner", "$myhostname ESMTP"))
        .prove("postconf -h smtpd_banner");
    Ok(finding.remedy(remedy).into())
}

/// A greeting without its code and the server's name, which may hold anything.
fn without_name(greeting: &str) -> &str {
    let rest = greeting.get(4..).unwrap_or_default().trim_start();
    rest.split_once(' ').map_or("", |(_, rest)| rest)
}

/// The name in a greeting: `220 mail.example.org ESMTP`.
fn greeted_name(talk: &Talk) -> Option<&str> {
    talk.greeting.known()?.get(4..)?.split_ascii_whitespace().next()
}

fn smt_012(server: &Server<'_>) -> Judged {
    let mut names: Vec<(String, String)> = talks(server, MailService::Smtp)
        .filter_map(|talk| Some((format!("{}, greeting", talk.place()), greeted_name(talk)?.to_owned())))
        .collect();
    let postfix = server.postfix();
    if let Ok(postfix) = &postfix {
        for parameter in ["myhostname", "smtp_helo_name"] {
            if let Ok(effective) = postfix.in_main(parameter) {
                names.push((format!("{}, {parameter}", effective.place), effective.value));
            }
        }
    }
    if names.is_empty() {
        return Err(postfix
            .err()
            .unwrap_or_else(|| Untold::CouldNotTell("no name of the server is known".to_owned())));
    }
    let mut finding =
        Finding::new(Severity::Medium, "", "The server calls itself by a name that is not its own");
    for (place, name) in &names {
        if let Some(wrong) = wrong_name(server, name) {
            if finding.cause.is_empty() {
                finding.cause.clone_from(place);
            }
            finding = finding.seen(place.clone(), format!("{name}: {wrong}"));
        }
    }
    if finding.evidence.is_empty() {
        let shown = names.first().map(|(_, name)| name.clone()).unwrap_or_default();
        return pass(format!("the server calls itself {shown}"));
    }
    let remedy = Remedy::new("Call the server by the name that its address has in the DNS.")
        .add("/etc/postfix/main.cf", &["myhostname = <the name that the PTR record of your address gives>"])
        .apply("postfix reload")
        .prove("postconf -h myhostname");
    Ok(finding.remedy(remedy).into())
}

fn wrong_name(server: &Server<'_>, name: &str) -> Option<&'static str> {
    if name.starts_with('[') {
        return None;
    }
    if !name.contains('.') {
        return Some("no full name");
    }
    if [".local", ".localdomain", ".lan", ".internal", ".invalid"].iter().any(|end| name.ends_with(end)) {
        return Some("a name that the Internet does not know");
    }
    let v4 = server.facts.dns.answer("A", name).ok()?;
    let v6 = server.facts.dns.answer("AAAA", name).ok()?;
    let none = |answer: &crate::facts::Answer| {
        answer.records.is_empty() && matches!(answer.code.as_str(), "NOERROR" | "NXDOMAIN")
    };
    (none(v4) && none(v6)).then_some("the DNS has no address for it")
}

fn smt_013(server: &Server<'_>) -> Judged {
    let mut finding =
        Finding::new(Severity::Low, "", "Mail is taken without HELO, or with one that is no name");
    let mut told = false;
    for talk in talks(server, MailService::Smtp) {
        // An address that is trusted is let pass on purpose.
        let names: &[&str] = if trusted_source(server, talk) == Some(false) {
            &["mail-without-helo", "malformed-helo"]
        } else {
            &["mail-without-helo"]
        };
        for tried in names.iter().filter_map(|name| talk.tried(name)) {
            told = true;
            if tried.is_yes() {
                finding =
                    finding.seen(format!("{}, {}", talk.place(), tried.sent.join(", ")), tried.reply.clone());
            }
        }
    }
    let judged = server.postfix().and_then(|postfix| helo_rules(postfix, &mut finding));
    match judged {
        Err(why) if !told => return Err(why),
        Ok(0) if !told => return not_applicable("Postfix does not serve port 25"),
        _ => {}
    }
    if finding.evidence.is_empty() {
        return pass("HELO is required, and must be a name");
    }
    let remedy = Remedy::new("Require HELO, and refuse what is no name.")
        .changes(everywhere(server, "smtpd_helo_required", "yes"))
        .changes(helo_checked(server))
        .prove("postconf -h smtpd_helo_required smtpd_helo_restrictions");
    Ok(finding.remedy(remedy).into())
}

/// The rules for HELO behind what lets own clients pass.
fn helo_checked(server: &Server<'_>) -> Vec<Change> {
    lists_of_role(server, Role::Mx, "smtpd_helo_restrictions", |list| {
        let mut list = list::first(list, "permit_mynetworks");
        for rule in ["reject_invalid_helo_hostname", "reject_non_fqdn_helo_hostname"] {
            list = list::before(&list, |piece| piece == "permit", rule);
        }
        list
    })
}

/// Services on port 25 that do not require HELO; how many were looked at.
fn helo_rules(postfix: &Postfix<'_>, finding: &mut Finding) -> Result<usize, Untold> {
    let services = mx(postfix);
    for service in &services {
        let required = postfix.in_service(service, "smtpd_helo_required")?;
        if !postfix.is_on(service, "smtpd_helo_required")? {
            finding.cause = "smtpd_helo_required".to_owned();
            finding.evidence.push(crate::Evidence {
                place: required.place,
                seen: format!("{}: smtpd_helo_required = no", postfix.label(service)),
            });
        }
        let lists = [
            "smtpd_client_restrictions",
            "smtpd_helo_restrictions",
            "smtpd_sender_restrictions",
            "smtpd_relay_restrictions",
            "smtpd_recipient_restrictions",
        ];
        let mut checked = false;
        for list in lists {
            checked |= postfix.rules_of(service, list)?.iter().any(|rule| {
                matches!(
                    rule.name.as_str(),
                    "reject_invalid_helo_hostname"
                        | "reject_non_fqdn_helo_hostname"
                        | "reject_invalid_hostname"
                        | "reject_non_fqdn_hostname"
                ) && !rule.only_warns
            });
        }
        if !checked {
            let effective = postfix.in_service(service, "smtpd_helo_restrictions")?;
            if finding.cause.is_empty() {
                finding.cause = "smtpd_helo_restrictions".to_owned();
            }
            finding.evidence.push(crate::Evidence {
                place: effective.place,
                seen: format!(
                    "{}: no list refuses a malformed HELO (smtpd_helo_restrictions = {})",
                    postfix.label(service),
                    effective.value
                ),
            });
        }
    }
    Ok(services.len())
}

fn smt_028(server: &Server<'_>) -> Judged {
    let seen = keyword(server, "DSN");
    let postfix = server.postfix();
    let discarded = match &postfix {
        Ok(postfix) => mx(postfix)
            .iter()
            .map(|service| discards(postfix, service, "dsn"))
            .collect::<Result<Vec<_>, _>>()?,
        Err(why) if talks(server, MailService::Smtp).next().is_none() => return Err(why.clone()),
        Err(_) => Vec::new(),
    };
    if talks(server, MailService::Smtp).next().is_none() && discarded.is_empty() {
        return could_not_tell("nobody answered on port 25");
    }
    if seen.is_none() && !discarded.contains(&false) {
        return pass("port 25 offers no delivery reports");
    }
    let (place, seen) = seen.unwrap_or_else(|| {
        ("smtpd_discard_ehlo_keywords".to_owned(), "DSN is not among the discarded keywords".to_owned())
    });
    let remedy = Remedy::new("Do not offer DSN on port 25.").changes(lists_of_role(
        server,
        Role::Mx,
        "smtpd_discard_ehlo_keywords",
        |list| with_keywords(list, "dsn"),
    ));
    let finding = Finding::new(Severity::Info, "", "Strangers get delivery reports for mail that arrived")
        .seen(place, seen);
    Ok(finding.remedy(remedy).into())
}
