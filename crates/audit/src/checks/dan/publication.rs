//! How TLSA is published.

use super::{each_record, name};
use crate::checks::dns::{each_own_exchanger, untold};
use crate::facts::Known;
use crate::{Check, Evidence, Finding, Judged, Remedy, Server, Severity};

pub(super) static DAN_002: Check = Check {
    id: "DAN-002",
    title: "TLSA is published in a zone that is not signed",
    severity: Severity::Medium,
    why: "Senders use TLSA only when DNSSEC vouches for it, so the records do nothing.",
    proof: "Whether a validating resolver vouches for the TLSA answer.",
    fix: "Sign the zone, or remove the records.",
    references: &["RFC 7672 2.1"],
    judge: dan_002,
};

fn dan_002(server: &Server<'_>) -> Judged {
    each_record(server, "DNSSEC vouches for every TLSA record", |dns, host, _| {
        if dns.answer("TLSA", &name(host))?.authenticated {
            return Ok(None);
        }
        if dns.validating != Known::Is(true) {
            return untold("the resolver does not validate");
        }
        Ok(Some(
            Finding::new(Severity::Medium, host, format!("TLSA of {host} is published and not signed"))
                .seen(format!("dig +dnssec TLSA {}", name(host)), "AD is not set")
                .remedy(
                    Remedy::new("Switch on DNSSEC for the zone and publish DS in the parent.")
                        .prove(format!("delv TLSA {}", name(host))),
                ),
        ))
    })
}

pub(super) static DAN_003: Check = Check {
    id: "DAN-003",
    title: "A TLSA record is unusable for mail, or breaks with every renewal",
    severity: Severity::Medium,
    why: "Senders pass over what RFC 7672 excludes; a digest of the whole certificate is wrong after the next renewal.",
    proof: "Usage, selector and matching type of every record.",
    fix: "Publish `3 1 1`, and keep the key at renewal.",
    references: &["RFC 7672 3.1", "RFC 7671 5.1"],
    judge: dan_003,
};

fn dan_003(server: &Server<'_>) -> Judged {
    each_record(server, "every TLSA record is of a kind that mail uses", |dns, host, records| {
        let wrong = records.iter().filter_map(|record| {
            let fragile = (record.usage == 3 && record.selector == 0)
                .then_some("a digest of the whole certificate: wrong after renewal");
            Some((record, record.unusable().or(fragile)?))
        });
        let mut seen: Vec<Evidence> = wrong
            .map(|(record, what)| Evidence {
                place: format!("dig TLSA {}", name(host)),
                seen: format!("{record}: {what}"),
            })
            .collect();
        let read = records.len();
        let all = dns.records("TLSA", &name(host))?;
        if read < all.len() {
            seen.push(Evidence {
                place: format!("dig TLSA {}", name(host)),
                seen: "a record that cannot be read".to_owned(),
            });
        }
        let Some(first) = seen.first().map(|first| first.seen.clone()) else { return Ok(None) };
        Ok(Some(
            Finding::new(Severity::Medium, host, format!("a TLSA record of {host} does not fit: {first}"))
                .cause(format!("TLSA {}", name(host)))
                .all_seen(seen)
                .remedy(Remedy::new("Publish `3 1 1` with the digest of the key, and reuse the key (certbot: --reuse-key).")
                    .add("DNS", &[&format!("{}. IN TLSA 3 1 1 <SHA-256 of the key>", name(host))])
                    .prove(format!("dig +short TLSA {}", name(host)))),
        ))
    })
}

pub(super) static DAN_004: Check = Check {
    id: "DAN-004",
    title: "There is no TLSA record for the next key",
    severity: Severity::Low,
    why: "When the certificate changes, mail from servers that follow DANE waits until the new record has spread.",
    proof: "The number of records that mail can use.",
    fix: "Make the next key now and publish its `3 1 1`, or add `2 1 1` of the CA.",
    references: &["RFC 7671 8.1", "RFC 7671 8.4"],
    judge: dan_004,
};

fn dan_004(server: &Server<'_>) -> Judged {
    each_record(server, "there is a TLSA record for the next key", |_, host, records| {
        let usable = records.iter().filter(|record| record.unusable().is_none()).count();
        if usable != 1 {
            return Ok(None);
        }
        Ok(Some(
            Finding::new(Severity::Low, host, format!("{host} has one TLSA record only"))
                .seen(
                    format!("dig TLSA {}", name(host)),
                    records.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
                )
                .remedy(
                    Remedy::new("Publish the next key's digest as well.")
                        .add("DNS", &[&format!("{}. IN TLSA 3 1 1 <SHA-256 of the next key>", name(host))])
                        .prove(format!("dig +short TLSA {}", name(host))),
                ),
        ))
    })
}

pub(super) static DAN_006: Check = Check {
    id: "DAN-006",
    title: "An exchanger's zone is signed and has no TLSA record",
    severity: Severity::Info,
    why: "With DNSSEC in place, DANE costs one record and keeps TLS from being stripped.",
    proof: "Whether DNSSEC vouches for the exchanger's address, and TLSA of its port 25.",
    fix: "Publish `3 1 1`.",
    references: &["RFC 7672", "BSI TR-03108"],
    judge: dan_006,
};

fn dan_006(server: &Server<'_>) -> Judged {
    each_own_exchanger(server, "every signed exchanger has TLSA records", |dns, host| {
        if !dns.records("TLSA", &name(host))?.is_empty() {
            return Ok(None);
        }
        if !dns.answer("A", host)?.authenticated {
            return match dns.validating {
                Known::Is(true) => crate::check::not_applicable(format!("the zone of {host} is not signed")),
                _ => untold("the resolver does not validate"),
            };
        }
        Ok(Some(
            Finding::new(Severity::Info, host, format!("{host} is signed and has no TLSA record"))
                .seen(format!("dig TLSA {}", name(host)), "no record")
                .remedy(
                    Remedy::new("Publish the digest of the key, and reuse the key at renewal.")
                        .add("DNS", &[&format!("{}. IN TLSA 3 1 1 <SHA-256 of the key>", name(host))])
                        .prove(format!("dig +short TLSA {}", name(host))),
                ),
        ))
    })
}

pub(super) static DAN_007: Check = Check {
    id: "DAN-007",
    title: "TLSA is kept longer than old and new keys overlap",
    severity: Severity::Low,
    why: "Senders that still have the old record refuse the new key until it runs out.",
    proof: "The time to live of the TLSA records.",
    fix: "Publish TLSA with a time to live of an hour.",
    references: &["RFC 7671 8.1"],
    judge: dan_007,
};

/// A day: what one can wait between publishing a key and using it.
const LONG: u32 = 86_400;

fn dan_007(server: &Server<'_>) -> Judged {
    each_record(server, "TLSA is not kept for longer than a day", |dns, host, _| {
        let ttl = dns.answer("TLSA", &name(host))?.ttl;
        if ttl <= LONG {
            return Ok(None);
        }
        Ok(Some(
            Finding::new(Severity::Low, host, format!("TLSA of {host} is kept for longer than a day"))
                .seen(format!("dig TLSA {}", name(host)), format!("time to live {ttl} s"))
                .remedy(
                    Remedy::new("Lower its time to live to 3600.").prove(format!("dig TLSA {}", name(host))),
                ),
        ))
    })
}
