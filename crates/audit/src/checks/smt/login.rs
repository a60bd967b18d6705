//! Logins over SMTP: where, how, and what a login may send.

use super::{internet_services, talks};
use crate::check::{could_not_tell, not_applicable, pass};
use crate::facts::{Deployment, MailService, Talk};
use crate::plan::asking::{everywhere, lists_of_role, of_role};
use crate::plan::{Change, list};
use crate::postfix::{Postfix, Role, Service, elements};
use crate::{Check, Finding, Judged, Outcome, Remedy, Server, Severity, Untold};

pub(super) static SMT_004: Check = Check {
    id: "SMT-004",
    title: "SMTP takes passwords without TLS",
    severity: Severity::High,
    why: "A mail program that does not insist on TLS sends its password readable to everybody on the way.",
    proof: "The effective smtpd_sasl_auth_enable, smtpd_tls_auth_only and security level of each service that is reachable; and AUTH in the answer to EHLO before TLS.",
    fix: "Set smtpd_tls_auth_only = yes.",
    references: &["RFC 4954 section 4", "RFC 8314 section 4.1"],
    judge: smt_004,
};

pub(super) static SMT_005: Check = Check {
    id: "SMT-005",
    title: "Users can log in on port 25",
    severity: Severity::Medium,
    why: "Passwords can be guessed on the port that must be open to everybody, past whatever guards the submission ports.",
    proof: "The effective smtpd_sasl_auth_enable of the service on port 25; and AUTH in its answer to EHLO.",
    fix: "Set smtpd_sasl_auth_enable = no in main.cf, and yes for the submission services in master.cf.",
    references: &["RFC 6409 section 3.1", "RFC 8314 section 3.3"],
    judge: smt_005,
};

pub(super) static SMT_006: Check = Check {
    id: "SMT-006",
    title: "Obsolete or anonymous login mechanisms are offered",
    severity: Severity::Medium,
    why: "ANONYMOUS is no login at all; NTLM, DIGEST-MD5 and CRAM-MD5 need passwords stored in clear or nearly so, and are broken or withdrawn.",
    proof: "The mechanisms offered before and inside of TLS, and Dovecot's auth_mechanisms where Dovecot answers for Postfix.",
    fix: "Set auth_mechanisms = plain login (over TLS only), and smtpd_sasl_security_options = noanonymous.",
    references: &["RFC 6331", "RFC 4954 section 9"],
    judge: smt_006,
};

pub(super) static SMT_018: Check = Check {
    id: "SMT-018",
    title: "A logged-in user may send as anybody",
    severity: Severity::High,
    why: "One stolen password is enough to send as the managing director, with a valid DKIM signature.",
    proof: "Whether the sender restrictions of each submission service compare login and sender before they permit, and whether smtpd_sender_login_maps has anything to compare with.",
    fix: "Set smtpd_sender_login_maps, and put reject_authenticated_sender_login_mismatch first in the sender restrictions of submission.",
    references: &["RFC 6409 section 6.1", "postconf(5), reject_authenticated_sender_login_mismatch"],
    judge: smt_018,
};

pub(super) static SMT_019: Check = Check {
    id: "SMT-019",
    title: "A submission port takes mail without a login",
    severity: Severity::High,
    why: "What comes in there is treated as a user's own mail: it passes the filters, and is signed.",
    proof: "The restriction lists of each submission service, evaluated for a client without login that writes to a local user; and RCPT without AUTH.",
    fix: "Set smtpd_client_restrictions = permit_sasl_authenticated, reject for the submission services in master.cf.",
    references: &["RFC 6409 section 4.3"],
    judge: smt_019,
};

pub(super) static SMT_020: Check = Check {
    id: "SMT-020",
    title: "A submission port takes commands without TLS",
    severity: Severity::High,
    why: "Mail and envelope go readable, and one who sits in between takes the offer of TLS away unnoticed.",
    proof: "The effective security level and wrapper mode of each submission service; and the answer to MAIL before STARTTLS.",
    fix: "Set smtpd_tls_security_level = encrypt for the service in master.cf.",
    references: &["RFC 8314 section 3.3"],
    judge: smt_020,
};

/// The services for the server's own users that the network reaches.
fn submission<'p>(postfix: &'p Postfix<'_>) -> Vec<&'p Service> {
    postfix.smtpd().filter(|service| postfix.role(service) == Role::Submission).collect()
}

/// Whether AUTH is offered in clear.
fn takes_clear(postfix: &Postfix<'_>, service: &Service) -> Result<bool, Untold> {
    let login = postfix.is_on(service, "smtpd_sasl_auth_enable")?;
    let tls = postfix.tls_required(service)?;
    let options = postfix.in_service(service, "smtpd_sasl_security_options").map(|options| options.value);
    let no_plain = options.is_ok_and(|options| elements(&options).contains(&"noplaintext"));
    Ok(login && tls != Some(true) && !no_plain && !postfix.is_on(service, "smtpd_tls_auth_only")?)
}

/// The mechanisms that a port offers in clear.
fn offered_in_clear(talk: &Talk) -> Option<String> {
    if talk.implicit_tls {
        return None;
    }
    Talk::offers(talk.plain.known()?, "AUTH").map(|mechanisms| mechanisms.join(" "))
}

fn smtp_talks<'s>(server: &'s Server<'_>) -> impl Iterator<Item = &'s Talk> {
    talks(server, MailService::Smtp).chain(talks(server, MailService::Submission))
}

fn smt_004(server: &Server<'_>) -> Judged {
    let mut finding = Finding::new(Severity::High, "", "Passwords are taken over SMTP without TLS");
    for talk in smtp_talks(server) {
        if let Some(mechanisms) = offered_in_clear(talk) {
            finding =
                finding.seen(format!("{}, EHLO before TLS", talk.place()), format!("AUTH {mechanisms}"));
        }
    }
    let judged = server.postfix().and_then(|postfix| {
        let mut found = Vec::new();
        for service in internet_services(postfix)? {
            if takes_clear(postfix, service)? {
                let only = postfix.in_service(service, "smtpd_tls_auth_only")?;
                found.push((
                    only.place,
                    format!("{}: AUTH with smtpd_tls_auth_only = {}", postfix.label(service), only.value),
                ));
            }
        }
        Ok(found)
    });
    let judged = judged.map(|found| finding = finding.clone().all_set(found));
    if finding.evidence.is_empty() {
        let seen = smtp_talks(server).count();
        return match judged {
            Err(why) if seen == 0 => Err(why),
            _ => pass("AUTH is offered inside of TLS only"),
        };
    }
    let remedy = Remedy::new("Offer AUTH inside of TLS only.")
        .changes(everywhere(server, "smtpd_tls_auth_only", "yes"))
        .prove("postconf -h smtpd_tls_auth_only");
    Ok(finding.remedy(remedy).into())
}

fn smt_005(server: &Server<'_>) -> Judged {
    let mut finding = Finding::new(Severity::Medium, "", "Users can log in on port 25");
    for talk in talks(server, MailService::Smtp) {
        let inside = talk.secured.known().and_then(|lines| Talk::offers(lines, "AUTH"));
        let clear = talk.plain.known().and_then(|lines| Talk::offers(lines, "AUTH"));
        if let Some(mechanisms) = inside.or(clear) {
            finding =
                finding.seen(format!("{}, EHLO", talk.place()), format!("AUTH {}", mechanisms.join(" ")));
        }
    }
    let judged = server.postfix().and_then(|postfix| {
        let mut found = None;
        for service in postfix.smtpd().filter(|service| postfix.role(service) == Role::Mx) {
            if postfix.is_on(service, "smtpd_sasl_auth_enable")? {
                let enable = postfix.in_service(service, "smtpd_sasl_auth_enable")?;
                found =
                    Some((enable.place, format!("{}: smtpd_sasl_auth_enable = yes", postfix.label(service))));
            }
        }
        Ok(found)
    });
    match judged {
        Ok(Some((place, seen))) => finding = finding.cause(place.clone()).seen(place, seen),
        Err(why) if talks(server, MailService::Smtp).next().is_none() => return Err(why),
        _ => {}
    }
    if finding.evidence.is_empty() {
        return pass("port 25 offers no AUTH");
    }
    let remedy = Remedy::new("Let users log in on ports 465 and 587 alone; the log tells who still uses 25.")
        .changes(on_submission_alone(server))
        .prove("postconf -P '*/inet/smtpd_sasl_auth_enable'");
    Ok(finding.remedy(remedy).into())
}

/// Login off in main.cf and on port 25; on for the submission services that have it from main.cf today.
fn on_submission_alone(server: &Server<'_>) -> Vec<Change> {
    const NAME: &str = "smtpd_sasl_auth_enable";
    let Ok(postfix) = server.postfix() else { return Vec::new() };
    let mut changes = vec![Change::parameter(NAME, "no")];
    for service in postfix.smtpd() {
        match (postfix.role(service), service.overridden(NAME)) {
            (Role::Mx, Some(_)) => changes.push(Change::overriding(service.key(), NAME, "no")),
            (Role::Submission, None) if postfix.is_on(service, NAME) == Ok(true) => {
                changes.push(Change::overriding(service.key(), NAME, "yes"));
            }
            _ => {}
        }
    }
    changes
}

/// Mechanisms that nobody should offer, and how bad each is.
const WITHDRAWN: [(&str, Severity); 5] = [
    ("ANONYMOUS", Severity::Critical),
    ("NTLM", Severity::Medium),
    ("DIGEST-MD5", Severity::Medium),
    ("CRAM-MD5", Severity::Medium),
    ("APOP", Severity::Medium),
];

fn withdrawn<'m>(mechanisms: impl IntoIterator<Item = &'m str>) -> Vec<(&'static str, Severity)> {
    let offered: Vec<String> = mechanisms.into_iter().map(str::to_ascii_uppercase).collect();
    WITHDRAWN.into_iter().filter(|(name, _)| offered.iter().any(|offer| offer == name)).collect()
}

fn smt_006(server: &Server<'_>) -> Judged {
    let mut finding =
        Finding::new(Severity::Medium, "", "Login mechanisms are offered that nobody should use");
    let mut told = false;
    for talk in smtp_talks(server) {
        for lines in [talk.plain.known(), talk.secured.known()].into_iter().flatten() {
            told = true;
            for (name, severity) in withdrawn(Talk::offers(lines, "AUTH").unwrap_or_default()) {
                finding.severity = finding.severity.max(severity);
                finding = finding.seen(format!("{}, EHLO", talk.place()), format!("AUTH … {name}"));
            }
        }
    }
    if let Ok(dovecot) = server.dovecot()
        && let Some(mechanisms) = dovecot.setting("auth_mechanisms")
    {
        told = true;
        for (name, severity) in withdrawn(mechanisms.split_whitespace()) {
            finding.severity = finding.severity.max(severity);
            finding.cause = "auth_mechanisms".to_owned();
            finding = finding.seen("doveconf auth_mechanisms", format!("{mechanisms}: {name}"));
        }
    }
    if !told {
        return could_not_tell("neither Dovecot's mechanisms nor those that SMTP offers are known");
    }
    finding.evidence.dedup();
    if finding.evidence.is_empty() {
        return pass("no withdrawn mechanism is offered");
    }
    let remedy = Remedy::new("Offer PLAIN and LOGIN, inside of TLS only.")
        .change(Change::dovecot(&[], "auth_mechanisms", "plain login"))
        .prove("doveconf auth_mechanisms");
    Ok(finding.remedy(remedy).into())
}

/// Rules that compare a login with the sender.
const COMPARES: [&str; 2] = ["reject_sender_login_mismatch", "reject_authenticated_sender_login_mismatch"];

fn smt_018(server: &Server<'_>) -> Judged {
    if server.facts.about.deployment == Deployment::DockerMailserver {
        return not_applicable("docker-mailserver has SPOOF_PROTECTION for it: see DMS-005");
    }
    let postfix = server.postfix()?;
    let mut finding = Finding::new(Severity::High, "", "Whoever is logged in may send as anybody");
    let mut with_login = Vec::new();
    for service in postfix.smtpd().filter(|service| postfix.role(service) != Role::Internal) {
        if postfix.is_on(service, "smtpd_sasl_auth_enable")? {
            with_login.push(service);
        }
    }
    // Beside submission ports, that port 25 has logins at all is what has to be mended: SMT-005.
    if with_login.iter().any(|service| postfix.role(service) == Role::Submission) {
        with_login.retain(|service| postfix.role(service) == Role::Submission);
    }
    let mut services = Vec::new();
    for service in with_login {
        services.push(postfix.label(service));
        if let Some((place, seen)) = spoofs(postfix, service)? {
            finding.cause.clone_from(&place);
            finding = finding.seen(place, format!("{}: {seen}", postfix.label(service)));
        }
    }
    if services.is_empty() {
        return not_applicable("nobody can log in over SMTP");
    }
    if finding.evidence.is_empty() {
        return pass(format!("login and sender are compared on {}", services.join(", ")));
    }
    let remedy = Remedy::new("Say which login owns which addresses, and compare.")
        .changes(owners(server, postfix))
        .prove("postconf -P '*/inet/smtpd_sender_restrictions'");
    Ok(finding.remedy(remedy).into())
}

/// The table that says: a login owns the address that it is called by.
const SELF: &str = "/etc/postfix/mailward_owners";

/// Login and sender are compared on the submission services. Who owns what: whoever an alias leads to, and each login its own
/// address.
fn owners(server: &Server<'_>, postfix: &Postfix<'_>) -> Vec<Change> {
    let by_address =
        |accounts: &Vec<crate::facts::Account>| accounts.iter().all(|account| account.name.contains('@'));
    let known = server.facts.accounts.known().is_some_and(by_address);
    let mut changes = Vec::new();
    if postfix.value("smtpd_sender_login_maps").unwrap_or_default().trim().is_empty() {
        if !known {
            return Vec::new();
        }
        let aliases = postfix.value("virtual_alias_maps").unwrap_or_default();
        let maps = elements(&aliases).into_iter().filter(|map| map.contains(':')).map(str::to_owned);
        let maps: Vec<_> = maps.chain([format!("regexp:{SELF}")]).collect();
        changes.push(Change::lines(SELF, &[], &["/^(.+@.+)$/ $1"]));
        changes
            .push(Change::parameter("smtpd_sender_login_maps", format!("unionmap:{{{}}}", maps.join(", "))));
    }
    let mut compared = lists_of_role(server, Role::Submission, "smtpd_sender_restrictions", |list| {
        let without = list::without(list, |piece| COMPARES.contains(&piece));
        list::first(&without, "reject_authenticated_sender_login_mismatch")
    });
    changes.append(&mut compared);
    changes
}

/// Why a login may send as anybody: nothing compares, it comes too late, or it has nothing to compare with.
fn spoofs(postfix: &Postfix<'_>, service: &Service) -> Result<Option<(String, String)>, Untold> {
    for list in [
        "smtpd_client_restrictions",
        "smtpd_helo_restrictions",
        "smtpd_sender_restrictions",
        "smtpd_relay_restrictions",
        "smtpd_recipient_restrictions",
    ] {
        for rule in postfix.rules_of(service, list)? {
            if COMPARES.contains(&rule.name.as_str()) && !rule.only_warns {
                let maps = postfix.in_service(service, "smtpd_sender_login_maps")?;
                return Ok(maps.value.trim().is_empty().then(|| {
                    (
                        maps.place,
                        "smtpd_sender_login_maps is empty: every login owns every address".to_owned(),
                    )
                }));
            }
            // `permit` ends a list, but the next list is asked all the same.
            if rule.name == "permit" || rule.name == "permit_sasl_authenticated" {
                break;
            }
        }
    }
    let senders = postfix.in_service(service, "smtpd_sender_restrictions")?;
    let written = if senders.value.is_empty() { "empty".to_owned() } else { senders.value };
    Ok(Some((
        senders.place,
        format!("no rule compares login and sender (smtpd_sender_restrictions: {written})"),
    )))
}

fn smt_019(server: &Server<'_>) -> Judged {
    let mut finding = Finding::new(Severity::High, "", "A submission port takes mail without a login");
    let mut told = false;
    for talk in talks(server, MailService::Submission)
        .filter(|talk| super::trusted_source(server, talk) == Some(false))
    {
        for name in ["rcpt-without-login", "own-rcpt-without-login"] {
            if let Some(tried) = talk.tried(name) {
                told = true;
                if tried.is_yes() {
                    finding = finding
                        .seen(format!("{}, {}", talk.place(), tried.sent.join(", ")), tried.reply.clone());
                }
            }
        }
    }
    let judged = server.postfix().and_then(|postfix| unauthenticated(postfix, &mut finding));
    if !finding.evidence.is_empty() {
        let remedy = Remedy::new("Take mail of logged-in users alone.")
            .changes(of_role(
                server,
                Role::Submission,
                "smtpd_client_restrictions",
                "permit_sasl_authenticated,reject",
            ))
            .prove("postconf -P '*/inet/smtpd_client_restrictions'");
        return Ok(finding.remedy(remedy).into());
    }
    match judged {
        Err(why) if !told => Err(why),
        Ok(0) if !told => not_applicable("there is no submission service"),
        _ => pass("every submission service refuses who is not logged in"),
    }
}

/// TLS before anything else, for each submission service that does not require it.
fn required(server: &Server<'_>) -> Vec<Change> {
    let Ok(postfix) = server.postfix() else { return Vec::new() };
    let open =
        submission(postfix).into_iter().filter(|service| postfix.tls_required(service) != Ok(Some(true)));
    open.map(|service| match postfix.port(service) {
        Some(465) => Change::overriding(service.key(), "smtpd_tls_wrappermode", "yes"),
        _ => Change::overriding(service.key(), "smtpd_tls_security_level", "encrypt"),
    })
    .collect()
}

/// Services that take a stranger's mail to one of our own users; how many were asked.
fn unauthenticated(postfix: &Postfix<'_>, finding: &mut Finding) -> Result<usize, Untold> {
    let services = submission(postfix);
    let own = postfix.own_domains().into_iter().next();
    let Some(own) = own.or_else(|| postfix.value("myhostname")) else {
        return could_not_tell("no domain of this server is known");
    };
    let recipient = format!("postmaster@{own}");
    for service in &services {
        let client = super::relay::outsider(postfix, service)?;
        let request = super::relay::from_outside(client, "somebody@sender.example", &recipient);
        let ruling = postfix.ruling(service, &request)?;
        if ruling.verdict == crate::postfix::restrictions::Verdict::Accepted && ruling.doubts.is_empty() {
            let lists = postfix.in_service(service, "smtpd_client_restrictions")?;
            finding.cause.clone_from(&lists.place);
            finding.evidence.push(crate::Evidence {
                place: lists.place,
                seen: format!(
                    "{}: a stranger's mail to {recipient} is taken (smtpd_client_restrictions = {})",
                    postfix.label(service),
                    lists.value
                ),
            });
        }
    }
    Ok(services.len())
}

fn smt_020(server: &Server<'_>) -> Judged {
    let mut finding = Finding::new(Severity::High, "", "A submission port takes commands without TLS");
    let mut told = false;
    for talk in talks(server, MailService::Submission).filter(|talk| !talk.implicit_tls) {
        if let Some(tried) = talk.tried("mail-before-tls") {
            told = true;
            if tried.is_yes() {
                finding =
                    finding.seen(format!("{}, MAIL before STARTTLS", talk.place()), tried.reply.clone());
            }
        }
    }
    let judged = server.postfix().and_then(|postfix| {
        let services = submission(postfix);
        for service in &services {
            if postfix.tls_required(service)? != Some(true) {
                let level = postfix.in_service(service, "smtpd_tls_security_level")?;
                finding.cause.clone_from(&level.place);
                finding.evidence.push(crate::Evidence {
                    place: level.place,
                    seen: format!("{}: smtpd_tls_security_level = {}", postfix.label(service), level.value),
                });
            }
        }
        Ok(services.len())
    });
    if !finding.evidence.is_empty() {
        let remedy = Remedy::new("Require TLS before anything else.")
            .changes(required(server))
            .prove("postconf -P 'submission/inet/smtpd_tls_security_level'");
        return Ok(Outcome::from(finding.remedy(remedy)));
    }
    match judged {
        Err(why) if !told => Err(why),
        Ok(0) if !told => not_applicable("there is no submission service"),
        _ => pass("every submission service requires TLS first"),
    }
}
