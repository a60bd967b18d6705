//! The records at the selectors.

use super::{each_used, record_name};
use crate::check::not_applicable;
use crate::checks::dns::{each, publish};
use crate::facts::SigningKey;
use crate::records::dkim::{Record, is_meant};
use crate::{Check, Evidence, Finding, Judged, Remedy, Server, Severity, Untold};

fn texts<'a>(server: &Server<'a>, key: &SigningKey) -> Result<&'a [String], Untold> {
    server.facts.dns.records("TXT", &record_name(key))
}

/// The record to publish for a key.
fn own(key: &SigningKey) -> Remedy {
    let name = record_name(key);
    match key.key.known() {
        Some(public) => publish(
            "Publish the key that signs.",
            &format!("{name}. IN TXT \"v=DKIM1; k={}; p={}\"", public.algorithm, public.base64),
        ),
        None => {
            publish("Publish the key that signs.", &format!("{name}. IN TXT \"v=DKIM1; k=rsa; p=<key>\""))
        }
    }
}

pub(super) static DKM_004: Check = Check {
    id: "DKM-004",
    title: "Mail is signed with a selector that is not published",
    severity: Severity::Critical,
    why: "No receiver can verify the signature, so DKIM fails for all of the domain's mail.",
    proof: "TXT at the selector of each key that a table names.",
    fix: "Publish the key.",
    references: &["RFC 6376 3.6"],
    judge: dkm_004,
};

fn dkm_004(server: &Server<'_>) -> Judged {
    each_used(server, "every selector in use is published", |key| {
        if !texts(server, key)?.is_empty() {
            return Ok(None);
        }
        let name = record_name(key);
        let code = server.facts.dns.answer("TXT", &name)?.code.clone();
        Ok(Some(
            Finding::new(
                Severity::Critical,
                &*name,
                format!("mail of {} is signed with {}, which is not published", key.domain, key.selector),
            )
            .cause(&*key.table)
            .seen(format!("dig TXT {name}"), format!("{code}, no record"))
            .seen(&*key.table, format!("signs {}", key.senders.join(", ")))
            .remedy(own(key)),
        ))
    })
}

pub(super) static DKM_005: Check = Check {
    id: "DKM-005",
    title: "Mail is signed with a key that was revoked",
    severity: Severity::High,
    why: "An empty `p=` says that the key must not be trusted any more, so every signature fails.",
    proof: "`p=` of the record at each selector in use.",
    fix: "Sign with a new key under a new selector.",
    references: &["RFC 6376 3.6.1"],
    judge: dkm_005,
};

fn dkm_005(server: &Server<'_>) -> Judged {
    each_used(server, "no key in use was revoked", |key| {
        let Some(text) = texts(server, key)?.iter().find(|text| Record::read(text).revoked) else {
            return Ok(None);
        };
        let name = record_name(key);
        Ok(Some(
            Finding::new(
                Severity::High,
                &*name,
                format!("mail of {} is signed with {}, which was revoked", key.domain, key.selector),
            )
            .cause(&*key.table)
            .seen(format!("dig TXT {name}"), text)
            .remedy(
                Remedy::new("Make a new key under a new selector, publish it, and name it in the tables.")
                    .apply(format!("opendkim-genkey -b 2048 -s <new> -d {}", key.domain))
                    .prove(format!("opendkim-testkey -d {} -s <new> -vvv", key.domain)),
            ),
        ))
    })
}

pub(super) static DKM_006: Check = Check {
    id: "DKM-006",
    title: "A DKIM record is malformed, or there are several",
    severity: Severity::High,
    why: "Receivers cannot read the key, or take one of several at random, so signatures fail.",
    proof: "The TXT records at each selector in use, read tag by tag, and the key decoded.",
    fix: "Publish one record; split long keys into strings of 255 octets at most, without blanks between.",
    references: &["RFC 6376 3.6.1", "RFC 6376 3.6.2.2"],
    judge: dkm_006,
};

fn dkm_006(server: &Server<'_>) -> Judged {
    each_used(server, "every DKIM record is well formed", |key| {
        let texts = texts(server, key)?;
        if texts.is_empty() {
            return not_applicable(format!("{} is not published", record_name(key)));
        }
        let mut problems = Vec::new();
        if texts.len() > 1 {
            problems.push(format!("{} TXT records at one name", texts.len()));
        }
        for text in texts.iter().filter(|text| is_meant(text) || texts.len() == 1) {
            problems.extend(Record::read(text).problems);
        }
        let Some(first) = problems.first() else { return Ok(None) };
        let name = record_name(key);
        Ok(Some(
            Finding::new(Severity::High, &*name, format!("the DKIM record at {name} is malformed: {first}"))
                .cause(format!("TXT {name}"))
                .all_seen(
                    problems
                        .iter()
                        .map(|problem| Evidence { place: format!("dig TXT {name}"), seen: problem.clone() }),
                )
                .remedy(own(key)),
        ))
    })
}

pub(super) static DKM_007: Check = Check {
    id: "DKM-007",
    title: "DKIM is marked as a test",
    severity: Severity::Medium,
    why: "With `t=y` verifiers may treat signed mail like unsigned.",
    proof: "`t=` of the record at each selector in use.",
    fix: "Remove `t=y`.",
    references: &["RFC 6376 3.6.1"],
    judge: dkm_007,
};

fn dkm_007(server: &Server<'_>) -> Judged {
    each_used(server, "no key in use is marked as a test", |key| {
        let Some(text) = texts(server, key)?.iter().find(|text| Record::read(text).testing) else {
            return Ok(None);
        };
        let name = record_name(key);
        let shown: String =
            text.split(';').filter(|part| !part.trim_start().starts_with("p=")).collect::<Vec<_>>().join(";");
        Ok(Some(
            Finding::new(Severity::Medium, &*name, format!("the DKIM record at {name} is marked as a test"))
                .cause(format!("TXT {name}"))
                .seen(format!("dig TXT {name}"), shown)
                .remedy(Remedy::new("Remove `t=y` from the record.").prove(format!("dig +short TXT {name}"))),
        ))
    })
}

pub(super) static DKM_017: Check = Check {
    id: "DKM-017",
    title: "A DKIM key that nobody signs with is still published",
    severity: Severity::Low,
    why: "Who has a copy of the old key can still sign in the domain's name.",
    proof: "Key files that no table names, and whether their selectors are published.",
    fix: "Empty `p=` of the record two weeks after the change, and delete the file.",
    references: &["M3AAWG DKIM Key Rotation Best Common Practices"],
    judge: dkm_017,
};

fn dkm_017(server: &Server<'_>) -> Judged {
    let keys = server.facts.dns.signing.get()?;
    each(keys, "every published key is in use", |key| {
        if !key.senders.is_empty() {
            return Ok(None);
        }
        let texts = texts(server, key)?;
        if !texts.iter().any(|text| Record::read(text).key.is_some()) {
            return Ok(None);
        }
        let name = record_name(key);
        Ok(Some(
            Finding::new(Severity::Low, &*name, format!("{name} is published and nothing signs with it"))
                .seen(&*key.place, "no table names it")
                .seen(format!("dig TXT {name}"), "a valid key")
                .remedy(
                    Remedy::new("Revoke it, if no other server signs with it.")
                        .edit("DNS", &[], &[&format!("{name}. IN TXT \"v=DKIM1; p=\"")])
                        .prove(format!("dig +short TXT {name}")),
                ),
        ))
    })
}
