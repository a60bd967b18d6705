//! Content filters and milters: who reaches them, and what happens without them.

use std::net::IpAddr;

use super::{and, mend, mend_service};
use crate::check::{could_not_tell, not_applicable, pass};
use crate::facts::Listener;
use crate::postfix::restrictions::{Request, Verdict};
use crate::postfix::{Kind, Postfix, Role, Service, elements};
use crate::{Check, Evidence, Finding, Judged, Outcome, Remedy, Server, Severity, Untold};

pub(super) static PFX_009: Check = Check {
    id: "PFX-009",
    title: "An internal mail service listens on the network",
    severity: Severity::High,
    why: "A service made for the content filter or for policy questions trusts whoever connects: mail handed in there passes by every \
          check.",
    proof: "The services of master.cf that take mail back from a filter, or answer policy questions, and the address that each is \
            bound to.",
    fix: "Bind it to 127.0.0.1.",
    references: &["https://www.postfix.org/FILTER_README.html"],
    judge: pfx_009,
};

pub(super) static PFX_010: Check = Check {
    id: "PFX-010",
    title: "The service behind the content filter takes mail from anybody",
    severity: Severity::High,
    why: "Mail that a stranger hands in there is never filtered, and may be relayed to anywhere.",
    proof: "The restriction lists of the service, walked for a client that is not this machine.",
    fix: "Give the service -o mynetworks=127.0.0.0/8 and -o smtpd_recipient_restrictions=permit_mynetworks,reject.",
    references: &["https://www.postfix.org/FILTER_README.html"],
    judge: pfx_010,
};

pub(super) static PFX_011: Check = Check {
    id: "PFX-011",
    title: "Mail passes unfiltered while the filter is down",
    severity: Severity::Medium,
    why: "Whoever makes the filter stumble, or waits for its restart, gets unsigned or infected mail through.",
    proof: "The effective milter_default_action of each service that uses milters.",
    fix: "Set milter_default_action = tempfail: mail then waits at the sender until the filter is back.",
    references: &["https://www.postfix.org/MILTER_README.html"],
    judge: pfx_011,
};

pub(super) static PFX_012: Check = Check {
    id: "PFX-012",
    title: "A filter is configured, but nothing answers there",
    severity: Severity::High,
    why: "Mail waits or is refused, or passes unfiltered and unsigned, until the filter is started.",
    proof: "The endpoints of milters, content filters and policy services on this machine, compared with the sockets that listen.",
    fix: "Start the filter, or take it out of the configuration.",
    references: &["https://www.postfix.org/MILTER_README.html"],
    judge: pfx_012,
};

pub(super) static PFX_013: Check = Check {
    id: "PFX-013",
    title: "Some outgoing mail passes by the signer",
    severity: Severity::Medium,
    why: "Mail without a DKIM signature fails DMARC at many receivers once it is forwarded, and is taken for forged.",
    proof: "The effective smtpd_milters of each submission service, and non_smtpd_milters, beside the milters of port 25.",
    fix: "Use the milter that signs in the services for submission and in non_smtpd_milters.",
    references: &["https://www.postfix.org/MILTER_README.html"],
    judge: pfx_013,
};

/// Whether a service takes mail back from a content filter.
fn takes_back(postfix: &Postfix<'_>, service: &Service) -> bool {
    let known_port = matches!(postfix.port(service), Some(25 | 465 | 587));
    let no_filter = service.overridden("content_filter").is_some_and(str::is_empty);
    let options = service.overridden("receive_override_options").unwrap_or_default();
    service.kind == Kind::Inet && !known_port && (no_filter || options.contains("no_milters"))
}

fn internal<'p>(postfix: &'p Postfix<'_>) -> Vec<&'p Service> {
    let is = |service: &&Service| match service.command.as_str() {
        "smtpd" => takes_back(postfix, service),
        "spawn" | "trivial-rewrite" | "proxymap" | "cleanup" => service.kind == Kind::Inet,
        _ => false,
    };
    postfix.services().iter().filter(is).collect()
}

fn is_private(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(v4)) => v4.is_private(),
        Ok(IpAddr::V6(v6)) => v6.is_unique_local(),
        Err(_) => false,
    }
}

fn pfx_009(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    let internal = internal(postfix);
    if internal.is_empty() {
        return not_applicable(
            "master.cf has no service for a content filter or policy questions on the network",
        );
    }
    let open = internal.iter().filter(|service| !postfix.loopback_only(service));
    let findings = open.map(|service| {
        let label = postfix.label(service);
        let host = service.host.as_deref().unwrap_or("every address");
        let severity = if is_private(host) { Severity::Medium } else { Severity::High };
        let name = service.name.rsplit(':').next().unwrap_or(&service.name);
        let line = format!("{name} inet ...");
        Finding::new(severity, service.key(), format!("The internal service {label} listens on {host}"))
            .cause(service.place())
            .seen(service.place(), format!("{} {} ... {}", service.name, service.kind, service.command))
            .remedy(
                Remedy::new("Bind it to this machine's own address.")
                    .edit("/etc/postfix/master.cf", &[&line], &[&format!("127.0.0.1:{name} inet ...")])
                    .apply("postfix stop && postfix start")
                    .prove(format!("ss -ltn 'sport = :{name}'")),
            )
    });
    let names: Vec<String> = internal.iter().map(|service| service.name.clone()).collect();
    Ok(Outcome::of(findings.collect(), format!("only this machine reaches {}", and(&names))))
}

fn pfx_010(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    let behind: Vec<&Service> = postfix.smtpd().filter(|service| takes_back(postfix, service)).collect();
    if behind.is_empty() {
        return not_applicable("no service of master.cf takes mail back from a content filter");
    }
    let mut findings = Vec::new();
    for service in &behind {
        if postfix.loopback_only(service) {
            continue;
        }
        let stranger = Request {
            client: IpAddr::from([192, 0, 2, 77]),
            client_name: "mx.stranger.example",
            helo: "mx.stranger.example",
            login: None,
            encrypted: true,
            sender: "somebody@stranger.example",
            recipient: "somebody@elsewhere.example",
        };
        let ruling = postfix.ruling(service, &stranger)?;
        let own = postfix.own_domains().into_iter().next().map(|domain| format!("postmaster@{domain}"));
        let inward =
            own.map(|recipient| postfix.ruling(service, &Request { recipient: &recipient, ..stranger }));
        let inward = inward.transpose()?.is_some_and(|ruling| ruling.verdict == Verdict::Accepted);
        let relays = ruling.verdict == Verdict::Accepted;
        if !relays && !inward {
            continue;
        }
        let what = if relays { "mail to anywhere" } else { "unfiltered mail to your users" };
        let label = postfix.label(service);
        let evidence = ruling.ends.iter().map(|end| Evidence { place: label.clone(), seen: end.to_string() });
        let add = ["-o mynetworks=127.0.0.0/8", "-o smtpd_recipient_restrictions=permit_mynetworks,reject"];
        findings.push(
            Finding::new(
                Severity::High,
                service.key(),
                format!("The service behind the filter at {label} takes {what} from anybody"),
            )
            .cause(service.place())
            .all_seen(evidence)
            .remedy(mend_service(
                server,
                service,
                "Let it take mail from this machine only.",
                &[],
                &add,
            )),
        );
    }
    let names: Vec<String> = behind.iter().map(|service| service.name.clone()).collect();
    Ok(Outcome::of(findings, format!("no stranger hands in mail at {}", and(&names))))
}

fn pfx_011(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    let (mut evidence, mut uses) = (Vec::new(), false);
    for service in super::reachable(postfix) {
        let milters = postfix.in_service(service, "smtpd_milters")?;
        if milters.value.is_empty() {
            continue;
        }
        uses = true;
        let action = postfix.in_service(service, "milter_default_action")?;
        if action.value == "accept" || milters.value.contains("default_action=accept") {
            let seen = format!("{action} for {}", milters.value);
            evidence.push((action, Evidence { place: postfix.label(service), seen }));
        }
    }
    if !uses {
        return not_applicable("no service uses milters");
    }
    let Some((action, _)) = evidence.first() else {
        return pass("mail waits at the sender while a milter is down");
    };
    let services: Vec<String> = evidence.iter().map(|(_, evidence)| evidence.place.clone()).collect();
    let summary = format!("Mail passes unfiltered on {} while a milter is down", and(&services));
    let old = format!("milter_default_action = {}", action.written);
    let new = "milter_default_action = tempfail";
    let remedy = mend("Let mail wait at the sender instead.", &[&old], &[new], "milter_default_action");
    let finding =
        Finding::new(Severity::Medium, "milter_default_action", summary).cause(action.place.clone());
    Ok(finding.all_seen(evidence.iter().map(|(_, seen)| seen.clone())).remedy(remedy).into())
}

/// Where a filter is to be found.
#[derive(Debug, PartialEq, Eq)]
enum Endpoint {
    Port(u16),
    Socket(String),
}

/// An endpoint on this machine, of `inet:host:port`, `inet:port@host`, `unix:path`, `local:path`, `transport:[host]:port`.
fn endpoint(written: &str, queue: &str) -> Option<Endpoint> {
    let written = crate::postfix::unbraced(written);
    let written = elements(written).into_iter().next()?;
    if let Some(path) = written.strip_prefix("unix:").or_else(|| written.strip_prefix("local:")) {
        let absolute = if path.starts_with('/') { path.to_owned() } else { format!("{queue}/{path}") };
        return Some(Endpoint::Socket(absolute));
    }
    let rest = written.split_once(':').map_or(written, |(_, rest)| rest);
    let (host, port) = match rest.split_once('@') {
        Some((port, host)) => (host, port),
        None => rest.rsplit_once(':').unwrap_or(("", rest)),
    };
    let host = host.trim_matches(['[', ']']);
    let here = host.is_empty() || host == "localhost" || host == "::1" || host.starts_with("127.");
    here.then(|| port.parse().ok().map(Endpoint::Port)).flatten()
}

/// What is configured, as written, with the place that names it.
fn filters(postfix: &Postfix<'_>) -> Result<Vec<(String, String)>, Untold> {
    let mut found = Vec::new();
    for parameter in ["smtpd_milters", "non_smtpd_milters"] {
        let effective = postfix.in_main(parameter)?;
        found.extend(
            elements(&effective.value).into_iter().map(|milter| (milter.to_owned(), effective.place.clone())),
        );
    }
    for service in postfix.smtpd() {
        for parameter in ["smtpd_milters", "content_filter", "smtpd_proxy_filter"] {
            let effective = postfix.in_service(service, parameter)?;
            let own: Vec<&str> = elements(&effective.value);
            found.extend(own.into_iter().map(|filter| (filter.to_owned(), effective.place.clone())));
        }
        for list in [
            "smtpd_client_restrictions",
            "smtpd_sender_restrictions",
            "smtpd_recipient_restrictions",
            "smtpd_relay_restrictions",
        ] {
            let effective = postfix.in_service(service, list)?;
            let rules = postfix.rules_of(service, list)?;
            let policies = rules.into_iter().filter(|rule| rule.name == "check_policy_service");
            found.extend(policies.filter_map(|rule| Some((rule.argument?, effective.place.clone()))));
        }
    }
    found.sort();
    found.dedup_by(|a, b| a.0 == b.0);
    Ok(found)
}

fn pfx_012(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    let filters = filters(postfix)?;
    if filters.is_empty() {
        return not_applicable("no milter, content filter or policy service is configured");
    }
    let queue = postfix.need("queue_directory")?;
    let listeners = server.facts.host.listeners.get()?;
    let (mut findings, mut elsewhere) = (Vec::new(), Vec::new());
    for (filter, place) in &filters {
        match endpoint(filter, &queue) {
            Some(endpoint) if !answers(postfix, listeners, &endpoint, &queue) => {
                findings.push(silent(server, filter, place));
            }
            Some(_) => {}
            None => elsewhere.push(filter.clone()),
        }
    }
    if findings.is_empty() && elsewhere.len() == filters.len() {
        return could_not_tell(format!(
            "{} is not on this machine, and was not connected to",
            and(&elsewhere)
        ));
    }
    Ok(Outcome::of(findings, "something listens at every filter's address on this machine"))
}

fn silent(server: &Server<'_>, filter: &str, place: &str) -> Finding {
    let troubles = server
        .facts
        .log
        .troubles
        .iter()
        .filter(|line| line.line.contains("Milter service") || line.line.contains(filter));
    let logged =
        troubles.map(|line| Evidence { place: server.facts.log.path.clone(), seen: line.line.clone() });
    Finding::new(
        Severity::High,
        filter,
        format!("Nothing listens at {filter}, which Postfix hands mail or questions to"),
    )
    .cause(place)
    .seen(place, filter)
    .seen("listening sockets", "none at that address")
    .all_seen(logged)
    .remedy(Remedy::new("Start the filter, or take it out of the configuration.").prove("ss -lxtn"))
}

fn answers(postfix: &Postfix<'_>, listeners: &[Listener], endpoint: &Endpoint, queue: &str) -> bool {
    match endpoint {
        Endpoint::Port(port) => {
            listeners.iter().any(|listener| listener.protocol == "tcp" && listener.port == *port)
        }
        Endpoint::Socket(path) => {
            // Postfix listens itself for the programs that it spawns.
            let spawned = |service: &Service| {
                ["private", "public"]
                    .iter()
                    .any(|directory| *path == format!("{queue}/{directory}/{}", service.name))
            };
            let same =
                |listener: &Listener| listener.address == *path || listener.address.ends_with(path.as_str());
            let chrooted = format!("{queue}{path}");
            listeners.iter().any(|listener| same(listener) || listener.address == chrooted)
                || postfix.services().iter().any(spawned)
        }
    }
}

fn pfx_013(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    let mut used: Vec<String> = Vec::new();
    for service in super::reachable(postfix) {
        used.extend(
            elements(&postfix.in_service(service, "smtpd_milters")?.value).into_iter().map(str::to_owned),
        );
    }
    let non_smtpd = postfix.in_main("non_smtpd_milters")?;
    used.extend(elements(&non_smtpd.value).into_iter().map(str::to_owned));
    if used.is_empty() {
        return not_applicable("no milter is used, so none signs");
    }
    let (mut findings, mut evidence) = (Vec::new(), Vec::new());
    for service in super::reachable(postfix).filter(|service| postfix.role(service) == Role::Submission) {
        let milters = postfix.in_service(service, "smtpd_milters")?;
        let options = postfix.in_service(service, "receive_override_options")?;
        if milters.value.is_empty() || options.value.contains("no_milters") {
            let seen = if milters.value.is_empty() { milters.to_string() } else { options.to_string() };
            evidence.push((
                service,
                Evidence {
                    place: milters.place.clone(),
                    seen: format!("{}: {seen}", postfix.label(service)),
                },
            ));
        }
    }
    if let Some((service, first)) = evidence.first() {
        let summary = format!("Mail of your users passes by the milters: {}", first.seen);
        let remove = format!("-o smtpd_milters={}", service.overridden("smtpd_milters").unwrap_or_default());
        let advice = "Use the milter that signs here too.";
        let add = format!("-o smtpd_milters={}", used.first().cloned().unwrap_or_default());
        findings.push(
            Finding::new(Severity::Medium, "submission", summary)
                .cause(first.place.clone())
                .all_seen(evidence.iter().map(|(_, seen)| seen.clone()))
                .remedy(mend_service(server, service, advice, &[&remove], &[&add])),
        );
    }
    if non_smtpd.value.is_empty() {
        let summary = "Mail that programs of this machine send, and bounces, pass by the milters";
        let new = format!("non_smtpd_milters = {}", used.first().cloned().unwrap_or_default());
        findings.push(
            Finding::new(Severity::Low, "non_smtpd_milters", summary)
                .cause(non_smtpd.place.clone())
                .seen(non_smtpd.place.clone(), non_smtpd.to_string())
                .seen("smtpd_milters", and(&used))
                .remedy(mend(
                    "Use the milter that signs for them too.",
                    &["non_smtpd_milters ="],
                    &[&new],
                    "non_smtpd_milters",
                )),
        );
    }
    Ok(Outcome::of(findings, "submission and local mail go through milters"))
}
