//! What the policy says.

use super::each_policy;
use crate::check::not_applicable;
use crate::checks::dns::untold;
use crate::facts::TlsPort;
use crate::records::is_host_name;
use crate::records::sts::{LONGEST, id, url};
use crate::{Check, Evidence, Finding, Judged, Remedy, Server, Severity, Untold};

pub(super) static STS_004: Check = Check {
    id: "STS-004",
    title: "An exchanger is missing in the MTA-STS policy",
    severity: Severity::Critical,
    why: "Senders that follow the policy do not deliver to it; where it is the only one, their mail is lost.",
    proof: "The MX records against the policy's `mx` lines.",
    fix: "Add the exchanger to the policy, then change the `id` of the TXT record.",
    references: &["RFC 8461 4.1"],
    judge: sts_004,
};

fn sts_004(server: &Server<'_>) -> Judged {
    each_policy(server, "the policy names every exchanger", |dns, domain, policy| {
        if policy.mode == "none" {
            return not_applicable(format!("the policy of {domain} is none"));
        }
        let missing: Vec<String> = dns
            .exchangers(domain)?
            .into_iter()
            .map(|(_, host)| host)
            .filter(|host| is_host_name(host) && !policy.covers(host))
            .collect();
        let Some(first) = missing.first() else { return Ok(None) };
        // Testing loses nothing, it only reports.
        let severity = if policy.mode == "enforce" { Severity::Critical } else { Severity::Medium };
        let lines: Vec<String> = missing.iter().map(|host| format!("mx: {host}")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        Ok(Some(
            Finding::new(
                severity,
                domain,
                format!("the MTA-STS policy of {domain} (mode {}) does not name {first}", policy.mode),
            )
            .cause(url(domain))
            .seen(format!("dig MX {domain}"), missing.join(", "))
            .seen(url(domain), format!("mx: {}", policy.mx.join(", ")))
            .remedy(
                Remedy::new("Add it, then change the id.")
                    .add(url(domain), &lines)
                    .add("DNS", &[&format!("_mta-sts.{domain}. IN TXT \"v=STSv1; id=<new>\"")])
                    .prove(format!("curl {}", url(domain))),
            ),
        ))
    })
}

pub(super) static STS_005: Check = Check {
    id: "STS-005",
    title: "An exchanger's certificate fails the MTA-STS policy",
    severity: Severity::Critical,
    why: "Senders that follow the policy refuse to deliver.",
    proof: "The certificate on port 25 of every exchanger: trust, dates, name.",
    fix: "Renew the certificate, for the exchanger's name.",
    references: &["RFC 8461 4.2"],
    judge: sts_005,
};

fn sts_005(server: &Server<'_>) -> Judged {
    let now = server.facts.about.taken.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_second);
    each_policy(server, "every exchanger's certificate meets the policy", |dns, domain, policy| {
        if policy.mode != "enforce" {
            return not_applicable(format!("the policy of {domain} is not enforced"));
        }
        let Ok(now) = now else { return untold("when the facts were taken is not known") };
        let mut failing = Vec::new();
        let mut unseen = None;
        for (_, host) in dns.exchangers(domain)?.into_iter().filter(|(_, host)| host != ".") {
            let port =
                server.facts.tls.iter().find(|port| port.port == 25 && port.host.eq_ignore_ascii_case(&host));
            match port.map(|port| problem(port, &host, now)) {
                Some(Ok(Some(problem))) => {
                    failing.push(Evidence { place: format!("port 25 of {host}"), seen: problem });
                }
                Some(Ok(None)) => {}
                Some(Err(untold)) => unseen = Some(untold),
                None => unseen = Some(Untold::CouldNotTell(format!("port 25 of {host} was not looked at"))),
            }
        }
        let Some(first) = failing.first() else { return unseen.map_or(Ok(None), Err) };
        let summary = format!(
            "the certificate on {} fails the enforced MTA-STS policy of {domain}: {}",
            first.place, first.seen
        );
        Ok(Some(
            Finding::new(Severity::Critical, domain, summary)
                .all_seen(failing)
                .remedy(Remedy::new("Renew the certificate for the exchanger's name; until then set the policy to testing with a new id.")
                    .prove(format!("openssl s_client -starttls smtp -connect <host>:25 </dev/null; curl {}", url(domain)))),
        ))
    })
}

fn problem(port: &TlsPort, host: &str, now: i64) -> Result<Option<String>, Untold> {
    if !*port.offered.get()? {
        return Ok(Some("no STARTTLS".to_owned()));
    }
    let leaf = port.leaf()?;
    if leaf.not_after < now {
        return Ok(Some("it has ended".to_owned()));
    }
    if !leaf.holds_for(host) {
        return Ok(Some(format!("it holds for {}", leaf.names.join(", "))));
    }
    let trust = port.chain()?.trust.get()?;
    Ok((!trust.trusted).then(|| format!("it is not trusted: {}", trust.reason)))
}

pub(super) static STS_006: Check = Check {
    id: "STS-006",
    title: "An MTA-STS policy was never enforced",
    severity: Severity::Low,
    why: "In mode testing or none it only reports, and TLS can still be stripped.",
    proof: "The mode of the policy, and the date in the record's `id`.",
    fix: "Set `mode: enforce` when TLS reports have been clean for some weeks, with a new `id`.",
    references: &["RFC 8461 5"],
    judge: sts_006,
};

/// How long one tests, days.
const TESTING: i64 = 60;

fn sts_006(server: &Server<'_>) -> Judged {
    each_policy(server, "every policy is enforced, or new", |dns, domain, policy| {
        if policy.mode == "enforce" || policy.mode.is_empty() {
            return Ok(None);
        }
        let texts = dns.records("TXT", &format!("_mta-sts.{domain}"))?;
        let id = texts.iter().find_map(|text| id(text).ok()).unwrap_or_default();
        let Some(days) = age(&id, &server.facts.about.taken) else {
            return untold(format!(
                "the policy of {domain} is `{}`; since when, its id does not say",
                policy.mode
            ));
        };
        if days < TESTING {
            return Ok(None);
        }
        Ok(Some(
            Finding::new(
                Severity::Low,
                domain,
                format!("the MTA-STS policy of {domain} is still `{}`", policy.mode),
            )
            .cause(url(domain))
            .seen(url(domain), format!("mode: {}", policy.mode))
            .seen(format!("dig TXT _mta-sts.{domain}"), format!("id={id}, {days} days old"))
            .remedy(
                Remedy::new("Enforce it once reports are clean.")
                    .edit(url(domain), &[&format!("mode: {}", policy.mode)], &["mode: enforce"])
                    .prove(format!("curl {}", url(domain))),
            ),
        ))
    })
}

/// Days from the date that an id begins with (`20250131...`) to when facts were taken.
fn age(id: &str, taken: &str) -> Option<i64> {
    let part = |from: usize, to: usize| id.get(from..to)?.parse::<i16>().ok();
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let date = jiff::civil::Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    let today = taken.parse::<jiff::Timestamp>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).date();
    (year > 2015).then(|| i64::from(date.until(today).ok().map_or(0, |span| span.get_days())))
}

pub(super) static STS_007: Check = Check {
    id: "STS-007",
    title: "Senders keep the MTA-STS policy too short or too long",
    severity: Severity::Low,
    why: "Under a day, an attacker only has to wait; over a year, a mistake stays that long.",
    proof: "`max_age` of the policy.",
    fix: "Set `max_age` to one or two weeks: 604800 to 1209600.",
    references: &["RFC 8461 3.2"],
    judge: sts_007,
};

fn sts_007(server: &Server<'_>) -> Judged {
    each_policy(server, "every policy is kept for a while", |_, domain, policy| {
        if policy.problems.iter().any(|problem| problem.contains("no `max_age`")) {
            return not_applicable(format!("the policy of {domain} has no max_age"));
        }
        if (86_400..=LONGEST).contains(&policy.max_age) {
            return Ok(None);
        }
        let seen = format!("max_age: {}", policy.max_age);
        Ok(Some(
            Finding::new(
                Severity::Low,
                domain,
                format!("the MTA-STS policy of {domain} is kept for {} seconds", policy.max_age),
            )
            .cause(url(domain))
            .seen(url(domain), &*seen)
            .remedy(
                Remedy::new("Keep it a week or two.")
                    .edit(url(domain), &[&seen], &["max_age: 604800"])
                    .prove(format!("curl {}", url(domain))),
            ),
        ))
    })
}
