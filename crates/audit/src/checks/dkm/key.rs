//! The keys themselves.

use super::{each_used, record_name};
use crate::checks::dns::{publish, untold};
use crate::facts::SigningKey;
use crate::records::dkim::Record;
use crate::records::{base64, der};
use crate::{Check, Finding, Judged, Outcome, Remedy, Server, Severity, Untold};

pub(super) static DKM_002: Check = Check {
    id: "DKM-002",
    title: "An RSA key for DKIM is short",
    severity: Severity::Medium,
    why: "Below 1024 bit verifiers must not accept it and anybody can compute the private key; below 2048 it is a matter of money.",
    proof: "The modulus of the private key in use, or of the published one.",
    fix: "Make a key of 2048 bit under a new selector.",
    references: &["RFC 8301 3.2"],
    judge: dkm_002,
};

fn dkm_002(server: &Server<'_>) -> Judged {
    each_used(server, "every key has 2048 bit or more", |key| {
        let (bits, place) = match key.key.known() {
            Some(public) if public.algorithm != "rsa" => return Ok(None),
            Some(public) => (public.bits, key.place.clone()),
            None => match published(server, key)? {
                Some(record) => match record.key {
                    Some(found @ der::Key::Rsa { .. }) => {
                        (found.bits(), format!("dig TXT {}", record_name(key)))
                    }
                    Some(der::Key::Ed25519(_)) => return Ok(None),
                    None => return untold(format!("neither key of {} can be read", record_name(key))),
                },
                None => return key.key.get().map(|_| None),
            },
        };
        let severity = match bits {
            0..1024 => Severity::Critical,
            1024..2048 => Severity::Medium,
            _ => return Ok(None),
        };
        Ok(Some(
            Finding::new(
                severity,
                record_name(key),
                format!("the key {} of {} has {bits} bit", key.selector, key.domain),
            )
            .cause(&*key.table)
            .seen(place, format!("RSA, {bits} bit"))
            .remedy(renew(key, "Make a longer key under a new selector, publish it, then sign with it.")),
        ))
    })
}

/// What makes and publishes a new key.
fn renew(key: &SigningKey, advice: &str) -> Remedy {
    Remedy::new(advice)
        .apply(format!("mailward harden dkim {} --renew", key.domain))
        .prove(format!("mailward harden dkim {}", key.domain))
}

/// The record at a key's selector, if there is just one.
fn published(server: &Server<'_>, key: &SigningKey) -> Result<Option<Record>, Untold> {
    let texts = server.facts.dns.records("TXT", &record_name(key))?;
    Ok(match texts {
        [text] => Some(Record::read(text)),
        _ => None,
    })
}

pub(super) static DKM_003: Check = Check {
    id: "DKM-003",
    title: "The published DKIM key is not the one that signs",
    severity: Severity::Critical,
    why: "Every signature fails, which is worse than none: DMARC rejects the domain's own mail.",
    proof: "The public half of the private key in use against `p=` of the record.",
    fix: "Publish the key that signs, or sign with the one that is published.",
    references: &["RFC 6376 3.6.1", "RFC 6376 6.1.2"],
    judge: dkm_003,
};

fn dkm_003(server: &Server<'_>) -> Judged {
    each_used(server, "every published key is the one that signs", |key| {
        let name = record_name(key);
        let Some(record) = published(server, key)? else {
            return crate::check::not_applicable(format!("there is not one record at {name}"));
        };
        let Some(theirs) = &record.key else {
            return crate::check::not_applicable(format!("the record at {name} holds no key"));
        };
        let public =
            key.key.get().map_err(|_| Untold::CouldNotTell(format!("{} could not be read", key.place)))?;
        let Some(ours) = base64::decode(&public.base64) else {
            return untold("the key in use cannot be read");
        };
        if theirs.published() == ours {
            return Ok(None);
        }
        let shown = |octets: &[u8]| {
            base64::encode(octets)
                .chars()
                .rev()
                .take(12)
                .collect::<Vec<_>>()
                .into_iter()
                .rev()
                .collect::<String>()
        };
        Ok(Some(
            Finding::new(
                Severity::Critical,
                &*name,
                format!("the key published at {name} is not the one that signs for {}", key.domain),
            )
            .cause(&*key.table)
            .seen(format!("dig TXT {name}"), format!("p=...{}", shown(&theirs.published())))
            .seen(&*key.place, format!("its public half ends in {}", shown(&ours)))
            .remedy(publish(
                "Publish the key that signs.",
                &format!("{name}. IN TXT \"v=DKIM1; k={}; p={}\"", public.algorithm, public.base64),
            )),
        ))
    })
}

pub(super) static DKM_008: Check = Check {
    id: "DKM-008",
    title: "A DKIM key is older than a year",
    severity: Severity::Low,
    why: "The longer a key is used, the more people had a chance to copy it, and nobody would notice.",
    proof: "When the private key's file was changed last.",
    fix: "Sign with a new key under a new selector, and revoke the old one two weeks later.",
    references: &["M3AAWG DKIM Key Rotation Best Common Practices"],
    judge: dkm_008,
};

const YEAR: i64 = 365 * 86_400;

fn dkm_008(server: &Server<'_>) -> Judged {
    each_used(server, "no key is older than a year", |key| {
        if key.modified == 0 {
            return untold(format!("how old {} is, is not known", key.place));
        }
        let now = server.facts.about.taken.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_second);
        let Ok(now) = now else { return untold("when the facts were taken is not known") };
        if now - key.modified < YEAR {
            return Ok(None);
        }
        let days = (now - key.modified) / 86_400;
        Ok(Some(
            Finding::new(
                Severity::Low,
                record_name(key),
                format!("the key {} of {} is older than a year", key.selector, key.domain),
            )
            .cause(&*key.table)
            .seen(&*key.place, format!("changed {days} days ago"))
            .remedy(renew(key, "Make a new key under a new selector; keep the old record for two weeks.")),
        ))
    })
}

pub(super) static DKM_014: Check = Check {
    id: "DKM-014",
    title: "Several domains are signed with one key",
    severity: Severity::Low,
    why: "Who gets the key of one can sign for all, and it cannot be changed for one alone.",
    proof: "Equal keys in the signer's tables.",
    fix: "Give each domain a key of its own.",
    references: &["M3AAWG DKIM Key Rotation Best Common Practices"],
    judge: dkm_014,
};

fn dkm_014(server: &Server<'_>) -> Judged {
    let keys = server.facts.dns.signing.get()?;
    let known: Vec<(&SigningKey, &str)> =
        keys.iter().filter_map(|key| Some((key, key.key.known()?.base64.as_str()))).collect();
    if known.is_empty() {
        return untold("no signing key could be read");
    }
    let mut findings = Vec::new();
    for (place, (key, public)) in known.iter().enumerate() {
        let same = |(other, theirs): &&(&SigningKey, &str)| theirs == public && other.domain != key.domain;
        if known.iter().take(place).any(|pair| same(&pair)) {
            continue;
        }
        let others: Vec<&SigningKey> =
            known.iter().skip(place + 1).filter(same).map(|(other, _)| *other).collect();
        if others.is_empty() {
            continue;
        }
        let names: Vec<&str> = others.iter().map(|other| other.domain.as_str()).collect();
        let finding = Finding::new(
            Severity::Low,
            record_name(key),
            format!("{} shares its DKIM key with {}", key.domain, names.join(", ")),
        );
        findings.push(
            finding
                .seen(&*key.table, format!("d={} s={}", key.domain, key.selector))
                .all_seen(others.iter().map(|other| crate::Evidence {
                    place: other.table.clone(),
                    seen: format!("d={} s={}, the same key", other.domain, other.selector),
                }))
                .remedy(renew(key, "Make a key for each domain.")),
        );
    }
    Ok(Outcome::of(findings, "every domain has a key of its own"))
}

pub(super) static DKM_018: Check = Check {
    id: "DKM-018",
    title: "What a DKIM key signs does not verify",
    severity: Severity::High,
    why: "Every signature fails although the published key looks right, and DMARC has nothing to go by.",
    proof: "A built-in message is signed with the private key in use, and verified with the published record.",
    fix: "Make a new key under a new selector, publish it, then sign with it.",
    references: &["RFC 6376 6.1.3", "RFC 8463 3"],
    judge: dkm_018,
};

fn dkm_018(server: &Server<'_>) -> Judged {
    each_used(server, "what every key signs verifies with its published record", |key| {
        let why = key.round_trip.get()?;
        if why.is_empty() {
            return Ok(None);
        }
        let name = record_name(key);
        let theirs = published(server, key)?.filter(|record| record.problems.is_empty());
        let Some(theirs) = theirs.and_then(|record| record.key) else {
            return crate::check::not_applicable(format!(
                "what is wrong with {name} is told by DKM-004 to DKM-006"
            ));
        };
        let ours = key.key.known().and_then(|public| base64::decode(&public.base64));
        if ours.is_some_and(|ours| ours != theirs.published()) {
            return crate::check::not_applicable("another key is published, which DKM-003 tells");
        }
        Ok(Some(
            Finding::new(
                Severity::High,
                &*name,
                format!("what is signed for {} with {} does not verify", key.domain, key.selector),
            )
            .cause(&*key.place)
            .seen(&*key.place, why)
            .seen(format!("dig TXT {name}"), "the record's key is the public half of this private key")
            .remedy(renew(key, "Make a new key under a new selector, publish it, then sign with it.")),
        ))
    })
}
