//! Files that the configuration names: what lies there, and what is served.

use std::collections::BTreeSet;

use super::{describe, leaves, title};
use crate::check::{could_not_tell, not_applicable, pass};
use crate::checks::tls::{evidence, looked};
use crate::dovecot::Dovecot;
use crate::facts::{Certificate, CertificateKey, Deployment, Facts, Known, MailProtocol};
use crate::plan::Change;
use crate::postfix::{Postfix, elements};
use crate::{Check, Evidence, Finding, Judged, Outcome, Remedy, Server, Severity};

pub(super) static CRT_013: Check = Check {
    id: "CRT-013",
    title: "The certificate that is served is not the one on disk",
    severity: Severity::High,
    why: "It was renewed and the daemon never read it again, so the old one is served until it ends.",
    proof: "The certificate of every port, against the file that the effective setting of its program names.",
    fix: "Reload Postfix and Dovecot, and have the renewal do so.",
    references: &["https://eff-certbot.readthedocs.io/en/stable/using.html#renewing-certificates"],
    judge: crt_013,
};

pub(super) static CRT_014: Check = Check {
    id: "CRT-014",
    title: "A private key is missing or does not belong to its certificate",
    severity: Severity::Critical,
    why: "Without its key the daemon offers no TLS, or does not start.",
    proof: "The public half of the key in the file that the effective setting names, compared with the certificate's.",
    fix: "Name the key and the certificate that belong together.",
    references: &["https://www.postfix.org/postconf.5.html#smtpd_tls_chain_files"],
    judge: crt_014,
};

pub(super) static CRT_015: Check = Check {
    id: "CRT-015",
    title: "Postfix and Dovecot have different certificates",
    severity: Severity::Low,
    why: "One of them is mostly forgotten when it comes to renewal.",
    proof: "The certificates that both serve for the same name and kind of key.",
    fix: "Let both name the same file.",
    references: &["https://www.postfix.org/TLS_README.html"],
    judge: crt_015,
};

pub(super) static CRT_018: Check = Check {
    id: "CRT-018",
    title: "Renewed certificates are not read by Postfix and Dovecot",
    severity: Severity::Medium,
    why: "Both read certificates at start and reload only, so an automatic renewal helps for as long as somebody happens to restart them.",
    proof: "Hooks of certbot, in its renewal files and under renewal-hooks, that reload or restart each of them.",
    fix: "Add a deploy hook that runs `postfix reload` and `doveadm reload`.",
    references: &["https://eff-certbot.readthedocs.io/en/stable/using.html#renewing-certificates"],
    judge: crt_018,
};

pub(super) static CRT_019: Check = Check {
    id: "CRT-019",
    title: "A private key is years older than its certificate",
    severity: Severity::Low,
    why: "The longer a key is used, the more backups and administrators have had it.",
    proof: "When the key's file was changed last, against the first day of its certificate.",
    fix: "Make a new key at the next renewal; publish its TLSA record first where there is DANE.",
    references: &["NIST SP 800-57 part 1"],
    judge: crt_019,
};

/// A file with a certificate or a key that the effective configuration names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TlsFile {
    /// Its path.
    pub path: String,
    /// Where it is named: `main.cf:12`.
    pub place: String,
    /// The setting that names it.
    pub setting: String,
    /// Whether a key is expected in it.
    pub key: bool,
    /// Whether a certificate is expected in it.
    pub certificate: bool,
    /// Whether it is one of Postfix, which serves SMTP, or of Dovecot, which serves the rest.
    pub postfix: bool,
}

/// The files with certificates and keys that the effective configuration names, for the collector to read.
#[must_use]
pub fn tls_files(facts: &Facts) -> Vec<TlsFile> {
    let postfix = Postfix::read(facts).map(|postfix| of_postfix(&postfix)).unwrap_or_default();
    let dovecot = Dovecot::read(facts).map(|dovecot| of_dovecot(&dovecot)).unwrap_or_default();
    let all: BTreeSet<_> = postfix.into_iter().chain(dovecot).collect();
    all.into_iter().collect()
}

fn of_postfix(postfix: &Postfix<'_>) -> Vec<TlsFile> {
    let mut files = Vec::new();
    let services: Vec<_> = postfix.smtpd().collect();
    for service in &services {
        for (parameter, key, certificate) in [
            ("smtpd_tls_chain_files", true, true),
            ("smtpd_tls_cert_file", false, true),
            ("smtpd_tls_key_file", true, false),
            ("smtpd_tls_eccert_file", false, true),
            ("smtpd_tls_eckey_file", true, false),
        ] {
            let Ok(value) = postfix.in_service(service, parameter) else { continue };
            // Chain files beat the older parameters.
            let chains = postfix
                .in_service(service, "smtpd_tls_chain_files")
                .is_ok_and(|chains| !chains.value.is_empty());
            if chains && parameter != "smtpd_tls_chain_files" {
                continue;
            }
            files.extend(elements(&value.value).into_iter().filter(|path| path.starts_with('/')).map(
                |path| TlsFile {
                    path: path.to_owned(),
                    place: value.place.clone(),
                    setting: parameter.to_owned(),
                    key,
                    certificate,
                    postfix: true,
                },
            ));
        }
    }
    files
}

fn of_dovecot(dovecot: &Dovecot) -> Vec<TlsFile> {
    let mut files = Vec::new();
    for (name, key) in [("ssl_cert", false), ("ssl_key", true)] {
        // doveconf hides keys, so their path is only in the files.
        let shown = dovecot.setting(name).map(str::to_owned);
        let written = dovecot.history(name).last().map(|line| line.value.clone());
        let value = if key { written.or(shown) } else { shown.or(written) };
        let path = value.as_deref().map(|value| value.trim_start_matches('<').trim());
        files.extend(path.filter(|path| path.starts_with('/')).map(|path| TlsFile {
            path: path.to_owned(),
            place: dovecot.place(name),
            setting: dovecot.name(name).to_owned(),
            key,
            certificate: !key,
            postfix: false,
        }));
    }
    files
}

fn crt_013(server: &Server<'_>) -> Judged {
    let ports = looked(server)?;
    let files = tls_files(server.facts);
    let mut findings = Vec::new();
    let mut same = Vec::new();
    for postfix in [true, false] {
        let ports: Vec<_> =
            ports.iter().copied().filter(|port| (port.service == MailProtocol::Smtp) == postfix).collect();
        let named: Vec<_> = files.iter().filter(|file| file.certificate && file.postfix == postfix).collect();
        let on_disk: Vec<_> = named
            .iter()
            .filter_map(|file| Some((*file, server.facts.certificates.get(&file.path)?.known()?.first()?)))
            .collect();
        if ports.is_empty() || on_disk.is_empty() {
            continue;
        }
        let is_there =
            |leaf: &Certificate| on_disk.iter().any(|(_, certificate)| certificate.sha256 == leaf.sha256);
        let other: Vec<_> = ports
            .iter()
            .filter_map(|port| Some((*port, port.leaf().ok()?)))
            .filter(|(_, leaf)| !is_there(leaf))
            .collect();
        let Some((_, leaf)) = other.first() else {
            same.extend(ports.iter().map(|port| port.place()));
            continue;
        };
        let program = if postfix { "Postfix" } else { "Dovecot" };
        let reload = if postfix { "postfix reload" } else { "doveadm reload" };
        let finding = Finding::new(
            Severity::High,
            program,
            format!("{program} serves a certificate of {} that is not the one on disk.", title(leaf)),
        );
        let finding =
            finding.all_seen(other.iter().map(|(port, leaf)| evidence(&port.place(), &describe(leaf))));
        let finding = finding.all_seen(on_disk.iter().map(|(file, certificate)| {
            evidence(&format!("{} ({})", file.path, file.place), &describe(certificate))
        }));
        findings.push(
            finding.remedy(
                Remedy::new("Have the daemon read its certificate again, and the renewal do so from now on.")
                    .apply(reload)
                    .prove("mailward audit --only CRT-013"),
            ),
        );
    }
    if findings.is_empty() && same.is_empty() {
        return could_not_tell("no port's certificate could be compared with its file");
    }
    Ok(Outcome::of(findings, format!("the certificate on disk is served at {}", same.join(", "))))
}

/// The key and the certificates that it does not belong to.
fn mismatched(key: &TlsFile, own: &CertificateKey, leaves: &[(&TlsFile, &Certificate)]) -> Vec<Evidence> {
    let of_key = evidence(
        &format!("{} ({})", key.path, key.place),
        &format!("{} {}, SPKI {}", own.kind, own.bits, own.spki_sha256),
    );
    let of_leaf = |(file, leaf): &(&TlsFile, &Certificate)| {
        evidence(
            &format!("{} ({})", file.path, file.place),
            &format!("{}, SPKI {}", describe(leaf), leaf.key.spki_sha256),
        )
    };
    std::iter::once(of_key).chain(leaves.iter().map(of_leaf)).collect()
}

fn strange_key(key: &TlsFile) -> Finding {
    let summary =
        format!("The key in {} belongs to none of the certificates that are named with it.", key.path);
    Finding::new(Severity::Critical, key.path.clone(), summary).cause(key.setting.clone()).remedy(
        Remedy::new("Name the key and the certificate that belong together.")
            .prove(format!("openssl pkey -in {} -pubout", key.path)),
    )
}

fn crt_014(server: &Server<'_>) -> Judged {
    let files = tls_files(server.facts);
    if files.is_empty() {
        return could_not_tell("no file of a key is known");
    }
    let mut findings = Vec::new();
    let mut right = Vec::new();
    // Both programs may name the same pair, by other paths: that is one weakness.
    let mut wrong: Vec<((String, String), Finding)> = Vec::new();
    for postfix in [true, false] {
        let certificates: Vec<_> =
            files.iter().filter(|file| file.certificate && file.postfix == postfix).collect();
        for key in files.iter().filter(|file| file.key && file.postfix == postfix) {
            let own = match server.facts.keys.get(&key.path) {
                Some(Known::Is(own)) => own,
                Some(Known::Absent) => {
                    findings.push(missing(key));
                    continue;
                }
                // A file of chain_files may hold certificates only.
                _ => continue,
            };
            let leaves = certificates.iter().filter_map(|file| {
                Some((*file, server.facts.certificates.get(&file.path)?.known()?.first()?))
            });
            let leaves: Vec<_> = leaves.collect();
            if leaves.is_empty() {
                continue;
            }
            if leaves.iter().any(|(_, leaf)| leaf.key.spki_sha256 == own.spki_sha256) {
                right.push(key.path.clone());
            } else {
                let evidence = mismatched(key, own, &leaves);
                let leaf = leaves.first().map(|(_, leaf)| leaf.key.spki_sha256.clone()).unwrap_or_default();
                let pair = (own.spki_sha256.clone(), leaf);
                match wrong.iter_mut().find(|(known, _)| *known == pair) {
                    Some((_, finding)) => finding.evidence.extend(evidence),
                    None => wrong.push((pair, strange_key(key).all_seen(evidence))),
                }
            }
        }
    }
    findings.extend(wrong.into_iter().map(|(_, finding)| finding));
    if findings.is_empty() && right.is_empty() {
        return could_not_tell("no key could be read together with its certificate");
    }
    Ok(Outcome::of(findings, format!("keys that belong to their certificates: {}", right.join(", "))))
}

fn missing(key: &TlsFile) -> Finding {
    Finding::new(Severity::Critical, key.path.clone(), format!("The key file {} does not exist.", key.path))
        .cause(key.setting.clone())
        .seen(key.place.clone(), format!("{} names {}", key.setting, key.path))
        .remedy(
            Remedy::new("Name the key that belongs to the certificate.").prove(format!("ls -l {}", key.path)),
        )
}

fn crt_015(server: &Server<'_>) -> Judged {
    let ports = looked(server)?;
    let of = |smtp: bool| {
        let ports = ports.iter().copied().filter(move |port| (port.service == MailProtocol::Smtp) == smtp);
        ports.filter_map(|port| Some((port, port.leaf().ok()?))).collect::<Vec<_>>()
    };
    let (postfix, dovecot) = (of(true), of(false));
    if postfix.is_empty() || dovecot.is_empty() {
        return not_applicable("only one of Postfix and Dovecot serves a certificate");
    }
    let twin = |(_, leaf): &(_, &Certificate)| {
        dovecot.iter().find(|(_, other)| {
            other.sha256 != leaf.sha256
                && other.key.kind == leaf.key.kind
                && other.names.iter().any(|name| leaf.names.contains(name))
        })
    };
    let same = |(_, leaf): &(_, &Certificate)| dovecot.iter().any(|(_, other)| other.sha256 == leaf.sha256);
    let Some((port, leaf)) = postfix.iter().find(|one| !same(one) && twin(one).is_some()) else {
        return pass("Postfix and Dovecot serve the same certificate, or different names");
    };
    let others = dovecot.iter().map(|(port, leaf)| evidence(&port.place(), &describe(leaf)));
    let finding = Finding::new(
        Severity::Low,
        "",
        format!("Postfix and Dovecot serve different certificates for {}.", title(leaf)),
    );
    let finding = finding.seen(port.place(), describe(leaf)).all_seen(others);
    Ok(finding
        .remedy(
            Remedy::new("Let both name the same file.")
                .apply("postfix reload && doveadm reload")
                .prove("mailward audit --only CRT-015"),
        )
        .into())
}

fn crt_018(server: &Server<'_>) -> Judged {
    if server.facts.about.deployment == Deployment::DockerMailserver {
        return not_applicable("docker-mailserver watches its certificates and reloads both by itself");
    }
    let files = tls_files(server.facts);
    let live: Vec<_> = files
        .iter()
        .filter(|file| file.certificate && file.path.starts_with("/etc/letsencrypt/live/"))
        .collect();
    let Some(first) = live.first() else {
        return could_not_tell(
            "the certificate is not one of certbot, and how others renew is not known here",
        );
    };
    let Some(_) = server.facts.file("/etc/letsencrypt/renewal")? else {
        return could_not_tell(
            "/etc/letsencrypt/renewal does not exist, although a certificate of certbot is named",
        );
    };
    let hooks: String = server
        .facts
        .below("/etc/letsencrypt")
        .filter(|(path, _)| path.starts_with("/etc/letsencrypt/renewal"))
        .filter_map(|(_, file)| file.text.known().map(String::as_str))
        .flat_map(str::lines)
        .filter(|line| !line.trim_start().starts_with('#'))
        .map(|line| format!("{line}\n"))
        .collect();
    let programs = [("Postfix", "postfix", true), ("Dovecot", "dove", false)];
    let lacking: Vec<_> = programs
        .iter()
        .filter(|(_, word, postfix)| {
            live.iter().any(|file| file.postfix == *postfix) && !hooks.contains(word)
        })
        .collect();
    if lacking.is_empty() {
        return pass("hooks of certbot reload what uses its certificates");
    }
    let names: Vec<_> = lacking.iter().map(|(name, ..)| *name).collect();
    let summary = format!("No hook of certbot reloads {} after a renewal.", names.join(" and "));
    let finding = Finding::new(Severity::Medium, "", summary).cause("/etc/letsencrypt/renewal-hooks/deploy");
    let finding = finding.seen(first.place.clone(), format!("{} names {}", first.setting, first.path));
    let finding =
        finding.seen("/etc/letsencrypt/renewal*", format!("nothing there names {}", names.join(" or ")));
    let remedy = Remedy::new("Add a deploy hook, and make it executable.")
        .change(Change::lines(HOOK, &[], &["#!/bin/sh", "postfix reload", "doveadm reload"]))
        .change(Change::mode(HOOK, 0o755))
        .prove("certbot renew --dry-run --run-deploy-hooks");
    Ok(finding.remedy(remedy).into())
}

/// Run by certbot after each renewal.
const HOOK: &str = "/etc/letsencrypt/renewal-hooks/deploy/mail";

fn crt_019(server: &Server<'_>) -> Judged {
    let files = tls_files(server.facts);
    let all = leaves(server)?;
    let mut old = Vec::new();
    let mut looked_at = 0;
    for key in files.iter().filter(|file| file.key) {
        let (Some(Known::Is(own)), Ok(Some(file))) =
            (server.facts.keys.get(&key.path), server.facts.file(&key.path))
        else {
            continue;
        };
        let Some(held) = all.iter().find(|held| held.certificate.key.spki_sha256 == own.spki_sha256) else {
            continue;
        };
        looked_at += 1;
        let years = (held.certificate.not_before - file.modified) / (365 * 86_400);
        if file.modified > 0 && years >= 2 {
            old.push((key, held, years));
        }
    }
    if looked_at == 0 {
        return could_not_tell("no key's age is known");
    }
    let findings = old.iter().map(|(key, held, years)| {
        let summary =
            format!("The key in {} was {years} years old when its certificate was issued.", key.path);
        let finding = Finding::new(Severity::Low, key.path.clone(), summary)
            .seen(key.path.clone(), format!("{years} years older than the certificate"));
        let finding = finding.seen(held.place.clone(), describe(held.certificate));
        finding.remedy(
            Remedy::new(
                "Make a new key at the next renewal; publish its TLSA record first where there is DANE.",
            )
            .apply("certbot renew --new-key && postfix reload && doveadm reload")
            .prove("mailward audit --only CRT-019"),
        )
    });
    let mut findings: Vec<_> = findings.collect();
    findings.dedup_by(|one, other| one.subject == other.subject);
    Ok(Outcome::of(findings, "no key is years older than its certificate"))
}
