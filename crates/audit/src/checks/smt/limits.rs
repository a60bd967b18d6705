//! How much, how large, how fast; and what Received lines tell.

use super::{internet_services, talks};
use crate::check::{could_not_tell, not_applicable, pass};
use crate::facts::MailService;
use crate::plan::Change;
use crate::plan::asking::{by_default, of_role};
use crate::postfix::{Postfix, Role, Service, elements};
use crate::{Check, Evidence, Finding, Judged, Remedy, Server, Severity, Untold};

pub(super) static SMT_024: Check = Check {
    id: "SMT-024",
    title: "Guessing of addresses is not slowed down",
    severity: Severity::Medium,
    why: "One connection may try thousands of recipients or passwords; nothing makes it slower or ends it.",
    proof: "The effective smtpd_soft_error_limit, smtpd_hard_error_limit, smtpd_error_sleep_time and smtpd_junk_command_limit of the services that are reachable.",
    fix: "Leave them at their defaults: 10, 20, 1s and 100.",
    references: &["https://www.postfix.org/TUNING_README.html#slowdown"],
    judge: smt_024,
};

pub(super) static SMT_025: Check = Check {
    id: "SMT-025",
    title: "A client, or a stolen password, may send without limit",
    severity: Severity::Medium,
    why: "One stolen password sends tens of thousands of mails in a night; afterwards nobody takes this server's mail.",
    proof: "The effective smtpd_client_message_rate_limit, smtpd_client_recipient_rate_limit and smtpd_client_auth_rate_limit of the submission services, and exceptions from them; a policy service on submission counts as a limit.",
    fix: "Set rates for submission, or ask a policy service that counts by login.",
    references: &[
        "https://www.postfix.org/TUNING_README.html#conn_limit",
        "M3AAWG Sender Best Common Practices",
    ],
    judge: smt_025,
};

pub(super) static SMT_026: Check = Check {
    id: "SMT-026",
    title: "Messages may be of any size, or larger than mailboxes take",
    severity: Severity::Medium,
    why: "A message that is taken and does not fit has to be bounced; one without a limit fills the disk.",
    proof: "The effective message_size_limit, beside mailbox_size_limit and virtual_mailbox_limit; and SIZE in the answer to EHLO.",
    fix: "Set message_size_limit to what your users need (25 to 100 MB), and mailbox limits above it.",
    references: &["RFC 1870", "postconf(5), message_size_limit"],
    judge: smt_026,
};

pub(super) static SMT_027: Check = Check {
    id: "SMT-027",
    title: "Outgoing mail tells where its author was",
    severity: Severity::Low,
    why: "The Received line of submission holds the author's address at home and his computer's name, readable to every recipient.",
    proof: "The effective smtpd_hide_client_session (Postfix 3.10), or header checks of the cleanup service behind submission that take Received lines out.",
    fix: "Set smtpd_hide_client_session = yes for submission, or a header check on its cleanup service.",
    references: &["postconf(5), smtpd_hide_client_session", "GDPR article 5"],
    judge: smt_027,
};

pub(super) static SMT_029: Check = Check {
    id: "SMT-029",
    title: "Port 25 does not answer, or greets too late",
    severity: Severity::Medium,
    why: "Servers that wait too long for the greeting give up and try again hours later.",
    proof: "Whether port 25 answers at each address, and how long its greeting takes.",
    fix: "Look at what delays it: reverse look-ups, block lists that are dead, too few processes.",
    references: &["RFC 5321 section 4.5.3.2"],
    judge: smt_029,
};

fn number(postfix: &Postfix<'_>, service: &Service, parameter: &str) -> Result<(i64, String), Untold> {
    let effective = postfix.in_service(service, parameter)?;
    match effective.value.trim().parse() {
        Ok(number) => Ok((number, effective.place)),
        Err(_) => could_not_tell(format!("{parameter} is no number: {}", effective.value)),
    }
}

fn smt_024(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    let services = internet_services(postfix)?;
    let mut finding =
        Finding::new(Severity::Medium, "", "Guessing of addresses and passwords is not slowed down");
    // What is too much, and what Postfix's own value is.
    let limits =
        [("smtpd_soft_error_limit", 50), ("smtpd_hard_error_limit", 100), ("smtpd_junk_command_limit", 1000)];
    for service in &services {
        for (parameter, most) in limits {
            // Their default depends on the load: `${stress?{3}:{20}}`.
            let Ok((value, place)) = number(postfix, service, parameter) else { continue };
            if value == 0 || value > most {
                finding.cause.clone_from(&place);
                finding = finding.seen(place, format!("{}: {parameter} = {value}", postfix.label(service)));
            }
        }
        let sleep = postfix.in_service(service, "smtpd_error_sleep_time")?;
        if crate::postfix::seconds(&sleep.value, 's') == Some(0) {
            finding.cause.clone_from(&sleep.place);
            finding = finding.seen(
                sleep.place,
                format!("{}: smtpd_error_sleep_time = {}", postfix.label(service), sleep.value),
            );
        }
    }
    if services.is_empty() {
        return not_applicable("no service for mail is reachable from the network");
    }
    if finding.evidence.is_empty() {
        return pass("errors slow a client down, and too many end its session");
    }
    let remedy = Remedy::new("Go back to Postfix's own values.")
        .changes(by_default(
            server,
            &[
                "smtpd_soft_error_limit",
                "smtpd_hard_error_limit",
                "smtpd_junk_command_limit",
                "smtpd_error_sleep_time",
            ],
        ))
        .prove("postconf -h smtpd_soft_error_limit smtpd_hard_error_limit smtpd_error_sleep_time");
    Ok(finding.remedy(remedy).into())
}

fn smt_025(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    let submission: Vec<_> =
        postfix.smtpd().filter(|service| postfix.role(service) == Role::Submission).collect();
    if submission.is_empty() {
        return not_applicable("there is no submission service");
    }
    let mut finding = Finding::new(Severity::Medium, "", "A stolen password may send without limit");
    let mut shown = Vec::new();
    for service in submission {
        if let Some(policy) = policy(postfix, service)? {
            shown.push(format!("{}: {policy}", postfix.label(service)));
            continue;
        }
        let mut unlimited = Vec::new();
        let rates = ["smtpd_client_message_rate_limit", "smtpd_client_recipient_rate_limit"];
        for parameter in rates {
            if number(postfix, service, parameter)?.0 == 0 {
                unlimited.push(parameter);
            }
        }
        if unlimited.len() == rates.len() {
            let auth = number(postfix, service, "smtpd_client_auth_rate_limit").map(|(value, _)| value);
            let all = if auth == Ok(0) { "smtpd_client_auth_rate_limit, " } else { "" };
            finding = finding.seen(
                postfix.label(service),
                format!("{all}{} are 0: without limit", unlimited.join(" and ")),
            );
        } else {
            shown.push(postfix.label(service));
        }
    }
    if finding.evidence.is_empty() {
        return pass(format!("sending is limited on {}", shown.join(", ")));
    }
    let remedy = Remedy::new("Limit what one login sends in a policy service; a limit by address at least:")
        .changes(of_role(server, Role::Submission, "smtpd_client_message_rate_limit", "100"))
        .changes(of_role(server, Role::Submission, "smtpd_client_recipient_rate_limit", "200"))
        .changes(of_role(server, Role::Submission, "smtpd_client_auth_rate_limit", "100"))
        .prove("postconf -P '*/inet/smtpd_client_recipient_rate_limit'");
    Ok(finding
        .cause("smtpd_client_message_rate_limit, smtpd_client_recipient_rate_limit")
        .remedy(remedy)
        .into())
}

/// A policy service that may count what is sent; one that only knows quotas or SPF does not.
fn policy(postfix: &Postfix<'_>, service: &Service) -> Result<Option<String>, Untold> {
    let lists = [
        "smtpd_client_restrictions",
        "smtpd_sender_restrictions",
        "smtpd_relay_restrictions",
        "smtpd_recipient_restrictions",
        "smtpd_data_restrictions",
        "smtpd_end_of_data_restrictions",
    ];
    for list in lists {
        for rule in postfix.rules_of(service, list)? {
            // Behind it nobody who is logged in is asked.
            if rule.name == "permit_sasl_authenticated" {
                break;
            }
            let counts =
                |policy: &String| !["spf", "quota", "postgrey"].iter().any(|other| policy.contains(other));
            if rule.name == "check_policy_service" && rule.argument.as_ref().is_some_and(counts) {
                return Ok(rule.argument);
            }
        }
    }
    Ok(None)
}

/// What mailboxes take, at most 50 MB.
fn fitting(postfix: &Postfix<'_>) -> u64 {
    let limits = ["mailbox_size_limit", "virtual_mailbox_limit"].into_iter();
    let set = limits.filter_map(|name| postfix.explicit(name)?.trim().parse::<u64>().ok());
    set.filter(|limit| *limit > 0).fold(52_428_800, u64::min)
}

fn smt_026(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    let whole = |parameter: &str| -> Result<(u64, String), Untold> {
        let effective = postfix.in_main(parameter)?;
        match effective.value.trim().parse() {
            Ok(number) => Ok((number, effective.place)),
            Err(_) => could_not_tell(format!("{parameter} is no number: {}", effective.value)),
        }
    };
    let (message, place) = whole("message_size_limit")?;
    let mut evidence = Vec::new();
    let mut see = |place: &str, seen: String| evidence.push(Evidence { place: place.to_owned(), seen });
    if message == 0 {
        see(&place, "message_size_limit = 0: no limit".to_owned());
    } else if message > 500 << 20 {
        see(&place, format!("message_size_limit = {message}: {} MB", message >> 20));
    }
    for parameter in ["mailbox_size_limit", "virtual_mailbox_limit"] {
        let (mailbox, place) = whole(parameter)?;
        // Dovecot delivers on most servers: only a value that somebody set tells of an intention.
        let set = postfix.explicit(parameter).is_some();
        if set && mailbox != 0 && (message == 0 || mailbox < message) {
            see(&place, format!("{parameter} = {mailbox} is below message_size_limit = {message}"));
        }
    }
    if evidence.is_empty() {
        return pass(format!("message_size_limit = {message} ({place})"));
    }
    let remedy = Remedy::new("Give messages a limit that mailboxes take.")
        .changes([Change::parameter("message_size_limit", fitting(postfix).to_string())])
        .prove("postconf -h message_size_limit");
    let finding = Finding::new(Severity::Medium, "", "Messages may be larger than the server can keep")
        .cause(place)
        .all_seen(evidence);
    Ok(finding.remedy(remedy).into())
}

/// The header checks of submission.
const HEADERS: &str = "/etc/postfix/submission_headers";

fn smt_027(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    let mut finding = Finding::new(Severity::Low, "", "Outgoing mail tells where its author was");
    let mut shown = Vec::new();
    for service in postfix.smtpd().filter(|service| postfix.role(service) == Role::Submission) {
        let hides = postfix
            .in_service(service, "smtpd_hide_client_session")
            .is_ok_and(|effective| effective.value.eq_ignore_ascii_case("yes"));
        match (hides, received_filter(postfix, service)?) {
            (true, _) => shown.push("smtpd_hide_client_session = yes".to_owned()),
            (false, Some(table)) => shown.push(table),
            (false, None) => {
                finding = finding.seen(
                    postfix.label(service),
                    "no header check of its cleanup service takes Received lines out",
                );
            }
        }
    }
    if finding.evidence.is_empty() {
        return if shown.is_empty() {
            not_applicable("there is no submission service")
        } else {
            pass(shown.join(", "))
        };
    }
    let modern = postfix.in_main("smtpd_hide_client_session").is_ok();
    let remedy = if modern {
        Remedy::new("Hide the session of logged-in users.").changes(of_role(
            server,
            Role::Submission,
            "smtpd_hide_client_session",
            "yes",
        ))
    } else {
        Remedy::new(
            "Take the line out behind submission alone: a cleanup service of its own with a header check.",
        )
        .change(Change::lines(HEADERS, &[], &["/^Received:.*with ESMTPSA/ IGNORE"]))
        .change(Change::Service {
            service: "submission-cleanup/unix".to_owned(),
            line: Some("submission-cleanup unix n - y - 0 cleanup".to_owned()),
        })
        .change(Change::overriding("submission-cleanup/unix", "header_checks", format!("regexp:{HEADERS}")))
        .changes(of_role(server, Role::Submission, "cleanup_service_name", "submission-cleanup"))
    };
    Ok(finding.remedy(remedy).into())
}

/// A header check behind a service that looks at Received lines.
fn received_filter(postfix: &Postfix<'_>, service: &Service) -> Result<Option<String>, Untold> {
    let cleanup = postfix.in_service(service, "cleanup_service_name")?.value;
    let cleanup = postfix.services().iter().find(|other| other.name == cleanup && other.command == "cleanup");
    let checks = match cleanup {
        Some(cleanup) => postfix.in_service(cleanup, "header_checks")?,
        None => postfix.in_main("header_checks")?,
    };
    for name in elements(&checks.value) {
        let table = postfix.table(name)?;
        if table.entries.iter().any(|entry| entry.key.to_ascii_lowercase().contains("received")) {
            return Ok(Some(format!("header_checks {name}")));
        }
    }
    Ok(None)
}

/// Senders wait five minutes for a greeting (RFC 5321); many less. postscreen's own wait is six seconds.
const LATE_MS: u64 = 15_000;

fn smt_029(server: &Server<'_>) -> Judged {
    let of_port: Vec<_> =
        server.facts.talks.iter().filter(|talk| talk.service == MailService::Smtp).collect();
    if of_port.is_empty() {
        return could_not_tell("port 25 was not tried");
    }
    let mut finding = Finding::new(Severity::Medium, "", "Port 25 does not answer as it should");
    for talk in &of_port {
        let place = format!("{} port 25", talk.address);
        match talk.greeting.get() {
            Ok(_) if talk.greeting_ms > LATE_MS => {
                finding = finding.seen(place, format!("the greeting took {} s", talk.greeting_ms / 1000));
            }
            Ok(_) => {}
            // That this very machine does not answer may be a firewall between it and itself.
            Err(_) if !server.facts.about.remote && talks(server, MailService::Smtp).next().is_none() => {
                return not_applicable("nobody listens on port 25 of this machine");
            }
            Err(Untold::NotApplicable(_)) => {
                finding =
                    finding.seen(place, "nobody listens, or the server has banned the address that asks");
            }
            Err(Untold::CouldNotTell(why)) => finding = finding.seen(place, why),
        }
    }
    if finding.evidence.is_empty() {
        let slowest = of_port.iter().map(|talk| talk.greeting_ms).max().unwrap_or(0);
        return pass(format!("port 25 greets within {slowest} ms"));
    }
    let remedy = Remedy::new("Let port 25 be reached at every address that the MX record leads to.")
        .prove("mailward audit --only SMT-029");
    Ok(finding.remedy(remedy).into())
}
