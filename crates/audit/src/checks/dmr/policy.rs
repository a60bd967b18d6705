//! What the policy comes to.

use super::{each_record, instead, place, with};
use crate::check::not_applicable;
use crate::checks::dns::{domains, each, is_parked, untold};
use crate::records::dmarc::{Found, Policy, discover};
use crate::records::{is_within, spf};
use crate::{Check, Evidence, Finding, Judged, Remedy, Server, Severity};

pub(super) static DMR_004: Check = Check {
    id: "DMR-004",
    title: "Forged mail is delivered: the DMARC policy is none",
    severity: Severity::Medium,
    why: "`p=none` only asks for reports; receivers deliver what fails.",
    proof: "The policy that holds for the domain.",
    fix: "When the reports show only own mail passing, raise it to quarantine, then to reject.",
    references: &["RFC 9989 5", "BSI TR-03182"],
    judge: dmr_004,
};

fn dmr_004(server: &Server<'_>) -> Judged {
    each_record(server, "every mail domain has a policy that is enforced", |_, domain, found| {
        let (tag, policy) = holds(found, domain);
        if policy != Some(Policy::None) {
            return Ok(None);
        }
        Ok(Some(
            Finding::new(Severity::Medium, domain, format!("the DMARC policy for {domain} is none"))
                .cause(format!("TXT _dmarc.{}", found.domain))
                .seen(place(&found.domain), &*found.text)
                .remedy(instead(
                    "Raise it once the reports are clean.",
                    found,
                    &with(&found.text, tag, Some("quarantine")),
                )),
        ))
    })
}

/// The tag that decides for a domain, and what it says.
fn holds(found: &Found, domain: &str) -> (&'static str, Option<Policy>) {
    if found.domain == domain {
        return ("p", found.record.for_domain());
    }
    (if found.record.subdomains.is_some() { "sp" } else { "p" }, found.record.for_subdomains())
}

pub(super) static DMR_005: Check = Check {
    id: "DMR-005",
    title: "The DMARC policy is published and not in force",
    severity: Severity::Medium,
    why: "With `t=y` or `pct` below 100 receivers apply the next weaker policy, to all or to some of the mail.",
    proof: "`t` and `pct` of the record.",
    fix: "Remove them.",
    references: &["RFC 9989 4.7", "RFC 7489 6.6.4"],
    judge: dmr_005,
};

fn dmr_005(server: &Server<'_>) -> Judged {
    each_record(server, "every policy is in force", |_, domain, found| {
        let mut seen = Vec::new();
        if found.record.testing {
            seen.push("t=y".to_owned());
        }
        seen.extend(
            found.record.percent.filter(|percent| *percent < 100).map(|percent| format!("pct={percent}")),
        );
        // A policy of none has nothing to be weakened.
        if seen.is_empty() || holds(found, domain).1 == Some(Policy::None) {
            return Ok(None);
        }
        let seen = seen.join(", ");
        let text = with(&with(&found.text, "t", None), "pct", None);
        Ok(Some(
            Finding::new(
                Severity::Medium,
                domain,
                format!("the DMARC policy for {domain} is not in force: {seen}"),
            )
            .cause(format!("TXT _dmarc.{}", found.domain))
            .seen(place(&found.domain), seen)
            .remedy(instead("Remove what weakens it.", found, &text)),
        ))
    })
}

pub(super) static DMR_006: Check = Check {
    id: "DMR-006",
    title: "Subdomains are guarded less than the domain",
    severity: Severity::Medium,
    why: "Forgers take `anything.example.org` instead, which looks as good.",
    proof: "`sp` and `np` against `p`.",
    fix: "Remove `sp` and `np`, or make them as strict as `p`.",
    references: &["RFC 9989 4.7"],
    judge: dmr_006,
};

fn dmr_006(server: &Server<'_>) -> Judged {
    each_record(server, "subdomains are guarded like the domain", |_, domain, found| {
        let Some(policy) = found.record.for_domain() else { return Ok(None) };
        let tags = [("sp", found.record.subdomains), ("np", found.record.nonexistent)];
        let weaker: Vec<(&str, Policy)> =
            tags.into_iter().filter_map(|(tag, own)| Some((tag, own.filter(|own| *own < policy)?))).collect();
        if weaker.is_empty() {
            return Ok(None);
        }
        let seen: Vec<String> =
            weaker.iter().map(|(tag, policy)| format!("{tag}={}", policy.name())).collect();
        let text =
            weaker.iter().fold(found.text.clone(), |text, (tag, _)| with(&text, tag, Some(policy.name())));
        Ok(Some(
            Finding::new(
                Severity::Medium,
                domain,
                format!(
                    "below {} DMARC is weaker: {} under p={}",
                    found.domain,
                    seen.join(", "),
                    policy.name()
                ),
            )
            .cause(format!("TXT _dmarc.{}", found.domain))
            .seen(place(&found.domain), &*found.text)
            .remedy(instead("Make them as strict.", found, &text)),
        ))
    })
}

pub(super) static DMR_011: Check = Check {
    id: "DMR-011",
    title: "DMARC wants exact alignment that the own mail does not have",
    severity: Severity::High,
    why: "The domain's own mail fails its own policy.",
    proof: "`adkim=s` against the domains that the signer signs with.",
    fix: "Sign with the From domain, or relax the alignment.",
    references: &["RFC 9989 4.4"],
    judge: dmr_011,
};

fn dmr_011(server: &Server<'_>) -> Judged {
    let signing = &server.facts.dns.signing;
    each_record(server, "strict alignment is met", |_, domain, found| {
        if !found.record.strict_dkim && !found.record.strict_spf {
            return Ok(None);
        }
        if !found.record.strict_dkim {
            return untold("whether envelope senders equal the From domain shows only in sent mail");
        }
        let keys = signing.get()?;
        let used: Vec<_> = keys
            .iter()
            .filter(|key| key.senders.iter().any(|sender| crate::checks::dkm::covers(sender, domain)))
            .collect();
        if used.is_empty() {
            return not_applicable(format!("nothing signs for {domain}"));
        }
        if used.iter().any(|key| key.domain.eq_ignore_ascii_case(domain)) {
            return Ok(None);
        }
        Ok(Some(
            Finding::new(Severity::High, domain, format!("the DMARC record of {domain} wants exact alignment, and its mail is signed by another domain"))
                .cause(format!("TXT _dmarc.{}", found.domain))
                .seen(place(&found.domain), "adkim=s")
                .all_seen(used.iter().map(|key| Evidence { place: key.table.clone(), seen: format!("d={}", key.domain) }))
                .remedy(instead("Relax it, or sign with the From domain.", found, &with(&found.text, "adkim", Some("r")))),
        ))
    })
}

pub(super) static DMR_013: Check = Check {
    id: "DMR-013",
    title: "A parked domain does not refuse mail in its name",
    severity: Severity::Medium,
    why: "Forgers like domains that nobody watches.",
    proof: "Domains with a null MX: `p=reject`, `v=spf1 -all`.",
    fix: "Publish all three records.",
    references: &["M3AAWG Protecting Parked Domains"],
    judge: dmr_013,
};

fn dmr_013(server: &Server<'_>) -> Judged {
    let dns = &server.facts.dns;
    each(domains(server)?, "parked domains refuse mail in their name", |domain| {
        if !is_parked(dns, domain)? {
            return not_applicable(format!("{domain} takes mail"));
        }
        let policy = discover(dns, domain)?.and_then(|found| holds(&found, domain).1);
        let closed = dns.records("TXT", domain)?.iter().any(|text| {
            spf::is_record(text)
                && spf::Record::read(text)
                    .all()
                    .is_some_and(|(place, all)| place == 0 && all == spf::Qualifier::Fail)
        });
        let mut missing = Vec::new();
        if policy != Some(Policy::Reject) {
            missing.push(format!("_dmarc.{domain}. IN TXT \"v=DMARC1; p=reject\""));
        }
        if !closed {
            missing.push(format!("{domain}. IN TXT \"v=spf1 -all\""));
        }
        if missing.is_empty() {
            return Ok(None);
        }
        let lines: Vec<&str> = missing.iter().map(String::as_str).collect();
        Ok(Some(
            Finding::new(
                Severity::Medium,
                domain,
                format!("{domain} is parked and does not refuse mail in its name"),
            )
            .all_seen(missing.iter().map(|record| Evidence {
                place: format!("dig TXT {domain}"),
                seen: format!("missing: {record}"),
            }))
            .remedy(
                Remedy::new("Publish what is missing.")
                    .add("DNS", &lines)
                    .prove(format!("dig +short TXT _dmarc.{domain}")),
            ),
        ))
    })
}

/// Whether two domains may stand for each other under relaxed alignment.
pub(crate) fn aligned(one: &str, other: &str) -> bool {
    is_within(one, other) || is_within(other, one)
}
