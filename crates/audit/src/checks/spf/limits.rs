//! Limits, loops and dead ends.

use super::each_record;
use crate::records::spf::{LOOKUPS, Tree, VOIDS};
use crate::{Check, Evidence, Finding, Judged, Remedy, Server, Severity};

pub(super) static SPF_004: Check = Check {
    id: "SPF-004",
    title: "An SPF record needs more than ten look-ups",
    severity: Severity::High,
    why: "Receivers stop at ten and drop the whole record (permerror), so that lawful mail fails, too.",
    proof: "include, a, mx, ptr, exists and redirect counted through all included records.",
    fix: "Drop what nobody uses, and name addresses instead of names.",
    references: &["RFC 7208 4.6.4"],
    judge: spf_004,
};

fn spf_004(server: &Server<'_>) -> Judged {
    each_record(server, "no SPF record needs more than ten look-ups", |domain, tree| {
        if tree.lookups <= LOOKUPS {
            tree.complete()?;
            return Ok(None);
        }
        let crossing = tree.crossing.as_deref().unwrap_or_default();
        let summary = format!("the SPF record of {domain} needs more than {LOOKUPS} look-ups");
        Ok(Some(
            Finding::new(Severity::High, domain, summary)
                .cause(format!("TXT {domain}"))
                .seen("the term that goes over the limit", crossing)
                .all_seen(counts(tree))
                .remedy(
                    Remedy::new("Take out includes of services that no longer send, and replace `a` and `mx` by `ip4` and `ip6`.")
                        .prove(format!("dig +short TXT {domain}")),
                ),
        ))
    })
}

fn counts(tree: &Tree) -> impl Iterator<Item = Evidence> {
    tree.parts.iter().map(|part| Evidence {
        place: format!("dig TXT {}", part.domain),
        seen: match part.via.last() {
            Some(via) => format!("{via}: {} look-ups below it", part.lookups),
            None => format!("{} look-ups in all", part.lookups),
        },
    })
}

pub(super) static SPF_005: Check = Check {
    id: "SPF-005",
    title: "More than two look-ups of an SPF record find nothing",
    severity: Severity::Medium,
    why: "Receivers may drop the whole record then (permerror); and names that are gone can be registered by others.",
    proof: "Every name in the record, and in those that it includes, that has no answer.",
    fix: "Remove the names that no longer exist.",
    references: &["RFC 7208 4.6.4"],
    judge: spf_005,
};

fn spf_005(server: &Server<'_>) -> Judged {
    each_record(server, "at most two look-ups find nothing", |domain, tree| {
        if tree.voids.len() <= VOIDS {
            tree.complete()?;
            return Ok(None);
        }
        Ok(Some(
            Finding::new(
                Severity::Medium,
                domain,
                format!("more than {VOIDS} look-ups of the SPF record of {domain} find nothing"),
            )
            .cause(format!("TXT {domain}"))
            .all_seen(
                tree.voids
                    .iter()
                    .map(|void| Evidence { place: format!("dig {void}"), seen: "no record".to_owned() }),
            )
            .remedy(
                Remedy::new("Remove the terms with these names.").prove(format!("dig +short TXT {domain}")),
            ),
        ))
    })
}

pub(super) static SPF_008: Check = Check {
    id: "SPF-008",
    title: "An SPF record includes itself or a domain without a record",
    severity: Severity::High,
    why: "Receivers drop the whole record (permerror).",
    proof: "Every include and redirect followed to its end.",
    fix: "Remove the term, or publish a record at its target.",
    references: &["RFC 7208 5.2", "RFC 7208 6.1"],
    judge: spf_008,
};

fn spf_008(server: &Server<'_>) -> Judged {
    each_record(server, "every include and redirect leads to a record", |domain, tree| {
        let ends = tree.dead_ends.iter().map(|end| (end, "leads to no record"));
        let found: Vec<_> =
            tree.loops.iter().map(|term| (term, "leads back to where it came from")).chain(ends).collect();
        let Some((term, what)) = found.first() else {
            tree.complete()?;
            return Ok(None);
        };
        Ok(Some(
            Finding::new(
                Severity::High,
                domain,
                format!("the SPF record of {domain} cannot be followed: {term} {what}"),
            )
            .cause(format!("TXT {domain}"))
            .all_seen(
                found
                    .iter()
                    .map(|(term, what)| Evidence { place: (*term).clone(), seen: (*what).to_owned() }),
            )
            .remedy(
                Remedy::new("Remove the term, or correct its name.")
                    .prove(format!("dig +short TXT {domain}")),
            ),
        ))
    })
}

pub(super) static SPF_013: Check = Check {
    id: "SPF-013",
    title: "An SPF answer is larger than plain DNS takes, or `mx` has more than ten hosts",
    severity: Severity::Low,
    why: "Resolvers without EDNS or TCP do not get the record, and receivers drop it when `mx` leads to more than ten hosts.",
    proof: "The size of the TXT answer, and the number of exchangers behind `mx`.",
    fix: "Shorten the record and remove other TXT records from the name.",
    references: &["RFC 7208 3.4", "RFC 7208 4.6.4"],
    judge: spf_013,
};

/// What fits into a datagram without EDNS.
const PLAIN: usize = 512;

fn spf_013(server: &Server<'_>) -> Judged {
    each_record(server, "SPF answers are small", |domain, tree| {
        let texts = server.facts.dns.records("TXT", domain)?;
        // Header, question; each record has a pointer, ten octets, and a length before every 255 octets of text.
        let record = |text: &String| 12 + text.len() + text.len().div_ceil(255);
        let size = 12 + domain.len() + 6 + texts.iter().map(record).sum::<usize>();
        let mut evidence = Vec::new();
        if size > PLAIN {
            evidence.push(Evidence {
                place: format!("dig TXT {domain}"),
                seen: format!("about {size} octets, over {PLAIN}"),
            });
        }
        evidence.extend(
            tree.many_exchangers.iter().map(|term| Evidence { place: "mx".to_owned(), seen: term.clone() }),
        );
        if evidence.is_empty() {
            tree.complete()?;
            return Ok(None);
        }
        // Too many exchangers make the record void; a long answer only costs a second question.
        let severity = if tree.many_exchangers.is_empty() { Severity::Low } else { Severity::High };
        Ok(Some(
            Finding::new(severity, domain, format!("the SPF answer of {domain} is too large"))
                .cause(format!("TXT {domain}"))
                .all_seen(evidence)
                .remedy(
                    Remedy::new(
                        "Shorten the record, and move texts that prove ownership to names of their own.",
                    )
                    .prove(format!("dig +noedns TXT {domain}")),
                ),
        ))
    })
}
