//! Cases of the CRT family.

use mailward_audit::Facts;
use mailward_audit::facts::{Answer, Certificate, File, Known, TlsPort, Trust};

use super::tls::{JANUARY, intermediate, leaf, ports, sound};
use crate::Case;
use crate::build::{dovecot, file, postfix};

const DAY: i64 = 86_400;
const PEM: &str = "/etc/ssl/private/mail.example.org.pem";

/// All ports serve a changed certificate.
fn served(change: impl Fn(&mut Certificate)) -> Facts {
    ports(|port| leaves(port).for_each(&change))
}

fn leaves(port: &mut TlsPort) -> impl Iterator<Item = &mut Certificate> {
    port.chains.iter_mut().filter_map(|chain| chain.certificates.first_mut())
}

fn untrusted(port: &mut TlsPort) {
    let trust = Trust { trusted: false, reason: "no trusted root signed it".to_owned() };
    port.chains.iter_mut().for_each(|chain| chain.trust = Known::Is(trust.clone()));
}

fn self_signed(port: &mut TlsPort) {
    untrusted(port);
    for chain in &mut port.chains {
        chain.certificates.truncate(1);
    }
    leaves(port).for_each(|leaf| {
        leaf.issuer = leaf.subject.clone();
        leaf.self_signed = true;
        leaf.issuer_url = None;
    });
}

/// With a certificate and its key in Postfix's chain file.
fn on_disk(mut facts: Facts, certificate: Certificate, key: &str) -> Facts {
    let mut own = certificate.key.clone();
    own.spki_sha256 = key.to_owned();
    facts.keys.insert(PEM.to_owned(), Known::Is(own));
    facts.certificates.insert(PEM.to_owned(), Known::Is(vec![certificate, intermediate()]));
    facts
}

fn own_key() -> String {
    leaf().key.spki_sha256
}

fn renewed() -> Certificate {
    Certificate {
        sha256: "d1".repeat(32),
        not_before: JANUARY + 58 * DAY,
        not_after: JANUARY + 148 * DAY,
        ..leaf()
    }
}

fn dated_key(modified: i64) -> Facts {
    let mut facts = on_disk(sound(), leaf(), &own_key());
    facts.files.insert(PEM.to_owned(), Known::Is(File { modified, ..File::default() }));
    facts
}

fn certbot(hook: &str) -> Facts {
    let live = "/etc/letsencrypt/live/mail.example.org";
    let chain = format!("smtpd_tls_chain_files = {live}/privkey.pem {live}/fullchain.pem\n");
    let facts = dovecot(postfix(&chain), &format!("ssl_cert = <{live}/fullchain.pem\n"));
    let mut facts = file(
        facts,
        "/etc/letsencrypt/renewal/mail.example.org.conf",
        "[renewalparams]\nauthenticator = webroot\n",
    );
    facts.files.insert("/etc/letsencrypt/renewal".to_owned(), Known::Is(File::default()));
    if hook.is_empty() { facts } else { file(facts, "/etc/letsencrypt/renewal-hooks/deploy/mail", hook) }
}

fn srv(mut facts: Facts, target: &str) -> Facts {
    facts.dns.hosts = vec!["mail.example.org".to_owned(), "pop.example.org".to_owned()];
    let answer = Answer {
        code: "NOERROR".to_owned(),
        records: vec![format!("0 1 993 {target}")],
        ..Answer::default()
    };
    facts.dns.answers.insert("SRV _imaps._tcp.example.org".to_owned(), Known::Is(answer));
    facts
}

/// The cases, by id.
pub(crate) const CASES: &[Case] = &[
    Case {
        id: "CRT-001",
        fails: || served(|leaf| leaf.not_after = JANUARY + 50 * DAY),
        shows: "ended 9 days ago",
        passes: sound,
    },
    Case {
        id: "CRT-001",
        fails: || on_disk(postfix(""), Certificate { not_before: JANUARY + 80 * DAY, ..leaf() }, &own_key()),
        shows: "is not valid yet",
        passes: || on_disk(postfix(""), leaf(), &own_key()),
    },
    Case {
        id: "CRT-002",
        fails: || served(|leaf| leaf.not_after = JANUARY + 65 * DAY),
        shows: "ends in 5 days",
        passes: sound,
    },
    Case { id: "CRT-003", fails: || ports(self_signed), shows: "signed by itself", passes: sound },
    Case {
        id: "CRT-004",
        fails: || ports(|port| port.host = "smtp.example.org".to_owned()),
        shows: "smtp.example.org (the name asked for)",
        passes: sound,
    },
    Case {
        id: "CRT-004",
        fails: || srv(sound(), "pop.example.org."),
        shows: "pop.example.org (SRV _imaps._tcp.example.org)",
        passes: || srv(sound(), "mail.example.org."),
    },
    Case {
        id: "CRT-005",
        fails: || {
            ports(|port| {
                untrusted(port);
                port.chains.iter_mut().for_each(|chain| chain.certificates.truncate(1));
            })
        },
        shows: "without its intermediate",
        passes: sound,
    },
    Case {
        id: "CRT-006",
        fails: || {
            let root = || Certificate {
                subject: "C=US, O=Authority, CN=Root".to_owned(),
                self_signed: true,
                ..intermediate()
            };
            ports(|port| port.chains.iter_mut().for_each(|chain| chain.certificates.push(root())))
        },
        shows: "is a root, which clients have",
        passes: sound,
    },
    Case {
        id: "CRT-006",
        fails: || ports(|port| port.chains.iter_mut().for_each(|chain| chain.certificates.push(leaf()))),
        shows: "is not the issuer of the one before it",
        passes: sound,
    },
    Case {
        id: "CRT-007",
        fails: || {
            served(|leaf| {
                leaf.key.kind = "RSA".to_owned();
                leaf.key.bits = 1024;
            })
        },
        shows: "RSA key of 1024 bits",
        passes: sound,
    },
    Case {
        id: "CRT-008",
        fails: || served(|leaf| leaf.signature = "sha1WithRSAEncryption".to_owned()),
        shows: "is signed with sha1WithRSAEncryption",
        passes: sound,
    },
    Case {
        id: "CRT-009",
        fails: || served(|leaf| leaf.not_after = leaf.not_before + 825 * DAY),
        shows: "lives 825 days; 398 are allowed",
        passes: sound,
    },
    Case {
        id: "CRT-010",
        fails: || ports(|port| port.stapled = Known::Is(Some("revoked".to_owned()))),
        shows: "revoked",
        passes: || ports(|port| port.stapled = Known::Is(Some("good".to_owned()))),
    },
    Case {
        id: "CRT-011",
        fails: || served(|leaf| leaf.must_staple = true),
        shows: "must-staple",
        passes: sound,
    },
    Case {
        id: "CRT-012",
        fails: || served(|leaf| leaf.names.clear()),
        shows: "has no subjectAltName",
        passes: sound,
    },
    Case {
        id: "CRT-013",
        fails: || on_disk(sound(), renewed(), &own_key()),
        shows: "Postfix serves a certificate of mail.example.org that is not the one on disk",
        passes: || on_disk(sound(), leaf(), &own_key()),
    },
    Case {
        id: "CRT-014",
        fails: || on_disk(postfix(""), leaf(), &"77".repeat(32)),
        shows: "belongs to none of the certificates",
        passes: || on_disk(postfix(""), leaf(), &own_key()),
    },
    Case {
        id: "CRT-014",
        fails: || {
            let mut facts = postfix("");
            facts.keys.insert(PEM.to_owned(), Known::Absent);
            facts
        },
        shows: "does not exist",
        passes: || on_disk(postfix(""), leaf(), &own_key()),
    },
    Case {
        id: "CRT-015",
        fails: || {
            ports(|port| {
                if port.port < 200 && port.port > 100 || port.port == 993 {
                    leaves(port).for_each(|leaf| leaf.sha256 = "e1".repeat(32));
                }
            })
        },
        shows: "serve different certificates for mail.example.org",
        passes: sound,
    },
    Case {
        id: "CRT-016",
        fails: || {
            postfix("smtpd_tls_chain_files =\nsmtpd_tls_cert_file = /etc/ssl/certs/ssl-cert-snakeoil.pem\n")
        },
        shows: "ssl-cert-snakeoil.pem",
        passes: sound,
    },
    Case {
        id: "CRT-016",
        fails: || {
            let mut facts = ports(self_signed);
            facts.tls.iter_mut().flat_map(leaves).for_each(|leaf| {
                leaf.common_name = "mail".to_owned();
                leaf.names = vec!["mail".to_owned()];
                leaf.not_after = leaf.not_before + 3650 * DAY;
            });
            facts
        },
        shows: "made at installation, for a bare host name",
        passes: sound,
    },
    Case {
        id: "CRT-017",
        fails: || served(|leaf| leaf.key.flaw = Known::Is(Some("its exponent is 1".to_owned()))),
        shows: "its exponent is 1",
        passes: sound,
    },
    Case {
        id: "CRT-018",
        fails: || certbot("#!/bin/sh\npostfix reload\n# doveadm reload\n"),
        shows: "No hook of certbot reloads Dovecot",
        passes: || certbot("#!/bin/sh\npostfix reload\ndoveadm reload\n"),
    },
    Case {
        id: "CRT-019",
        fails: || dated_key(JANUARY - 1200 * DAY),
        shows: "3 years older than the certificate",
        passes: || dated_key(JANUARY),
    },
    Case {
        id: "CRT-020",
        fails: || served(|leaf| leaf.usages = vec!["clientAuth".to_owned()]),
        shows: "may not be used by a server",
        passes: sound,
    },
    Case {
        id: "CRT-020",
        fails: || {
            let mut facts = sound();
            let with = dovecot(postfix(&format!("smtp_tls_cert_file = {PEM}\n")), "");
            facts.said = with.said;
            facts.files = with.files;
            on_disk(facts, leaf(), &own_key())
        },
        shows: "smtp_tls_cert_file",
        passes: sound,
    },
    Case {
        id: "CRT-021",
        fails: || {
            ports(|port| {
                let chains = port.chains.iter_mut().filter(|chain| !chain.sni);
                chains
                    .filter_map(|chain| chain.certificates.first_mut())
                    .for_each(|leaf| leaf.names = vec!["www.example.org".to_owned()]);
            })
        },
        shows: "without a name asked for: www.example.org",
        passes: sound,
    },
];
