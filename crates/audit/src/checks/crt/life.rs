//! How long certificates live, and whether they were revoked.

use super::{Held, describe, judge_each, leaves, now, of_ports, reissue};
use crate::check::{could_not_tell, not_applicable, pass};
use crate::checks::tls::{see, severity};
use crate::facts::{Certificate, Known};
use crate::{Check, Judged, Outcome, Server, Severity};

pub(super) static CRT_001: Check = Check {
    id: "CRT-001",
    title: "A certificate has expired or is not valid yet",
    severity: Severity::Critical,
    why: "Mail programs refuse to connect or teach their users to click warnings away; servers that insist on TLS keep their mail back.",
    proof: "Dates of the certificates that every port serves, with and without a name asked for, and of those in the files that the configuration names.",
    fix: "Renew it, and reload Postfix and Dovecot.",
    references: &["RFC 5280 section 4.1.2.5"],
    judge: crt_001,
};

pub(super) static CRT_002: Check = Check {
    id: "CRT-002",
    title: "A certificate ends soon",
    severity: Severity::Medium,
    why: "It should have been renewed by now, so its renewal has failed and will fail until somebody looks.",
    proof: "Less than a third of its life is left, in ports and files; high when it is less than a tenth or three days.",
    fix: "Find out why it was not renewed: certbot renew --dry-run.",
    references: &["https://cabforum.org/working-groups/server/baseline-requirements/"],
    judge: crt_002,
};

pub(super) static CRT_009: Check = Check {
    id: "CRT-009",
    title: "A certificate lives longer than public authorities may allow",
    severity: Severity::Low,
    why: "Clients refuse certificates of public authorities that live longer than was agreed on.",
    proof: "The span of certificates that lead to a trusted root: 398 days, 200 since 15 March 2026, 100 since 2027, 47 since 2029.",
    fix: "Get a new one by ACME.",
    references: &["CA/Browser Forum ballot SC-081"],
    judge: crt_009,
};

pub(super) static CRT_010: Check = Check {
    id: "CRT-010",
    title: "A certificate is revoked",
    severity: Severity::High,
    why: "Its authority says that it must not be trusted any more, mostly because the key is known to others.",
    proof: "The OCSP answer that the server staples. The authority is not asked: that would tell it of every audit.",
    fix: "Make a new key, and have it certified.",
    references: &["RFC 6960"],
    judge: crt_010,
};

pub(super) static CRT_011: Check = Check {
    id: "CRT-011",
    title: "A certificate demands stapling that the server does not do",
    severity: Severity::Medium,
    why: "Clients that obey the certificate refuse it without a stapled OCSP answer, and neither Postfix nor Dovecot staples one.",
    proof: "The TLS feature extension of the certificate, and no stapled answer in the handshake.",
    fix: "Get a certificate without must-staple.",
    references: &["RFC 7633"],
    judge: crt_011,
};

const DAY: i64 = 86_400;

fn crt_001(server: &Server<'_>) -> Judged {
    let now = now(server)?;
    let all = leaves(server)?;
    let is = |certificate: &Certificate| match now {
        _ if now > certificate.not_after => {
            Some(format!("ended {} days ago", (now - certificate.not_after) / DAY))
        }
        _ if now < certificate.not_before => Some("is not valid yet".to_owned()),
        _ => None,
    };
    let remedy = || reissue("Renew it.", "CRT-001");
    Ok(judge_each(server, &all, (Severity::Critical, Severity::Medium), is, remedy, &shown(&all)))
}

fn crt_002(server: &Server<'_>) -> Judged {
    let now = now(server)?;
    let all: Vec<_> = leaves(server)?.into_iter().filter(|held| held.certificate.not_after > now).collect();
    if all.is_empty() {
        return not_applicable("every certificate has ended");
    }
    let left = |certificate: &Certificate| certificate.not_after - now;
    // Renewal at a third takes place once or twice a day.
    let soon = |certificate: &Certificate| left(certificate) < certificate.life() / 3 - 2 * DAY;
    let very_soon = |certificate: &Certificate| {
        left(certificate) < (certificate.life() / 10).max(3 * DAY).min(certificate.life() / 3)
    };
    let says = |certificate: &Certificate| {
        format!(
            "ends in {} days, with {} % of its life left",
            left(certificate) / DAY,
            100 * left(certificate) / certificate.life().max(1)
        )
    };
    let remedy = || reissue("Find out why it was not renewed.", "CRT-002");
    let judge = |severity: Severity, is: &dyn Fn(&Certificate) -> bool| {
        let is = |certificate: &Certificate| is(certificate).then(|| says(certificate));
        judge_each(server, &all, (severity, severity), is, remedy, &shown(&all))
    };
    let high = judge(Severity::High, &very_soon);
    let medium = judge(Severity::Medium, &|certificate| soon(certificate) && !very_soon(certificate));
    Ok(match (high, medium) {
        (Outcome::Fail(mut high), Outcome::Fail(medium)) => {
            high.extend(medium);
            Outcome::Fail(high)
        }
        (fail @ Outcome::Fail(_), _) | (_, fail) => fail,
    })
}

fn shown(all: &[Held<'_>]) -> String {
    all.first().map(|held| format!("{}: {}", held.place, describe(held.certificate))).unwrap_or_default()
}

fn crt_009(server: &Server<'_>) -> Judged {
    let public: Vec<_> = leaves(server)?
        .into_iter()
        .filter(|held| {
            held.port.is_some_and(|port| {
                port.chains.iter().any(|chain| {
                    let own =
                        chain.certificates.first().is_some_and(|leaf| leaf.sha256 == held.certificate.sha256);
                    own && chain.trust.known().is_some_and(|trust| trust.trusted)
                })
            }) && held.certificate.issuer_url.is_some()
        })
        .collect();
    if public.is_empty() {
        return not_applicable("no certificate of a public authority is served");
    }
    let is = |certificate: &Certificate| {
        let most = most_days(certificate.not_before);
        let days = (certificate.life() + DAY - 1) / DAY;
        (days > most).then(|| format!("lives {days} days; {most} are allowed"))
    };
    let remedy = || reissue("Get a new one by ACME.", "CRT-009");
    Ok(judge_each(server, &public, (Severity::Low, Severity::Low), is, remedy, &shown(&public)))
}

/// What ballot SC-081 allows for a certificate issued at a time.
const fn most_days(issued: i64) -> i64 {
    match issued {
        1_868_486_400.. => 47,
        1_805_068_800.. => 100,
        1_773_532_800.. => 200,
        _ => 398,
    }
}

fn crt_010(server: &Server<'_>) -> Judged {
    let seen = see(server, |port| match &port.stapled {
        Known::Is(Some(status)) if status == "revoked" => {
            Ok(Some("the stapled OCSP answer says `revoked`".to_owned()))
        }
        Known::Is(Some(_)) => Ok(None),
        Known::Is(None) => could_not_tell("no port staples an OCSP answer, and the authority is not asked"),
        _ => Err(port.unlearnt("the stapled OCSP answer")),
    })?;
    if seen.weak.is_empty() {
        return pass("stapled OCSP answers say `good`");
    }
    let level =
        seen.weak.iter().map(|(port, _)| severity(server, port, Severity::High, Severity::High)).max();
    let remedy = reissue("Make a new key, and have it certified.", "CRT-010");
    of_ports(&seen.weak, level.unwrap_or(Severity::High), "A certificate is served that is revoked", remedy)
}

fn crt_011(server: &Server<'_>) -> Judged {
    let seen = see(server, |port| match (port.leaf()?.must_staple, &port.stapled) {
        (false, _) | (true, Known::Is(Some(_))) => Ok(None),
        (true, Known::Is(None)) => {
            Ok(Some(format!("{}: must-staple, and no OCSP answer", describe(port.leaf()?))))
        }
        (true, _) => Err(port.unlearnt("the stapled OCSP answer")),
    })?;
    if seen.weak.is_empty() {
        return pass("no certificate demands stapling that is not done");
    }
    let remedy = reissue("Get a certificate without must-staple.", "CRT-011");
    of_ports(&seen.weak, Severity::Medium, "A certificate demands stapling, and nothing is stapled", remedy)
}
