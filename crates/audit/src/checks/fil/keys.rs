//! Private keys: of TLS, of DKIM, of ACME accounts.

use super::{Found, READ, about, chmod, found, group_of_people, of, others};
use crate::facts::{File, FileKind};
use crate::{Check, Judged, Server, Severity};

pub(crate) static FIL_001: Check = Check {
    id: "FIL-001",
    title: "A private key of TLS can be read by strangers",
    severity: Severity::High,
    why: "Who has the key can pretend to be this server and read what clients without forward secrecy say to it.",
    proof: "Mode, owner and group of every private key that Postfix and Dovecot are configured with or that lies in the usual places, \
            and whether the directories above it let others pass.",
    fix: "Give the key to root with mode 0600; Postfix and Dovecot read it before they give up root's rights.",
    references: &["RFC 9325 section 7", "NIST SP 800-57 part 1 section 6.2"],
    judge: fil_001,
};

fn fil_001(server: &Server<'_>) -> Judged {
    let keys = found(server, is_tls_key);
    let bad = readable(server, &keys);
    of(server, keys.len(), &bad, "private keys of TLS", |bad| {
        let names = bad.iter().map(|(path, _)| *path).collect::<Vec<_>>().join(", ");
        about(Severity::High, format!("Others than the mail server can read the private key {names}"), bad)
            .remedy(chmod("Give the keys to root alone.", 0o600, bad))
    })
}

/// By its name, or because its text, which is not kept, was a key.
fn is_tls_key(path: &str, file: &File) -> bool {
    let of_tls = !is_dkim_key(path) && !is_acme_key(path) && !path.contains("ssh");
    let name = path.rsplit('/').next().unwrap_or(path);
    let named = name.starts_with("privkey")
        || [".key", "-key.pem", "_key.pem"].iter().any(|end| name.ends_with(end))
        || name == "key.pem";
    let held = file.text.known().is_some_and(|text| text.starts_with("(a private key: ***)"));
    let in_place = [
        "/etc/",
        "/tmp/docker-mailserver/ssl/",
        "/root/.acme.sh/",
        "/var/lib/",
        "/opt/",
        "/srv/",
        "/usr/local/",
    ]
    .iter()
    .any(|start| path.starts_with(start));
    file.kind == FileKind::Regular && of_tls && in_place && (named || held)
}

fn readable<'a>(server: &Server<'_>, keys: &[Found<'a>]) -> Vec<Found<'a>> {
    keys.iter().copied().filter(|key| others(server, *key, READ) || group_of_people(key.1, READ)).collect()
}

pub(crate) static FIL_002: Check = Check {
    id: "FIL-002",
    title: "A private key of DKIM can be read by strangers",
    severity: Severity::High,
    why: "Who has the key can sign mail as your domain, and every receiver will believe that it is yours.",
    proof: "Mode, owner and group of the private keys of OpenDKIM, Rspamd and amavis, and whether the directories above let others pass.",
    fix: "Give the key to the program that signs, with mode 0600.",
    references: &["RFC 6376 section 8.1", "opendkim.conf(5) RequireSafeKeys"],
    judge: fil_002,
};

fn fil_002(server: &Server<'_>) -> Judged {
    let keys = found(server, |path, file| file.kind == FileKind::Regular && is_dkim_key(path));
    let bad = readable(server, &keys);
    of(server, keys.len(), &bad, "private keys of DKIM", |bad| {
        let names = bad.iter().map(|(path, _)| *path).collect::<Vec<_>>().join(", ");
        about(Severity::High, format!("Others than the signing program can read the DKIM key {names}"), bad)
            .remedy(chmod(
                "Take the keys from all but the signing program; if others had access, publish new ones.",
                0o600,
                bad,
            ))
    })
}

fn is_dkim_key(path: &str) -> bool {
    let dkim = path.contains("dkim");
    dkim && [".private", ".key", ".pem"].iter().any(|end| path.ends_with(end)) && !path.ends_with(".pub.pem")
}

pub(crate) static FIL_012: Check = Check {
    id: "FIL-012",
    title: "The key of the ACME account can be read by strangers",
    severity: Severity::High,
    why: "Who has it can revoke your certificates, and may get new ones for your names while the authority remembers that they are \
          yours; an acme.json holds the certificates' keys too.",
    proof: "Mode and owner of the account keys of certbot, acme.sh and Traefik, and whether the directories above let others pass.",
    fix: "Give the file to root with mode 0600.",
    references: &["RFC 8555 section 10.2"],
    judge: fil_012,
};

fn fil_012(server: &Server<'_>) -> Judged {
    let keys = found(server, |path, file| file.kind == FileKind::Regular && is_acme_key(path));
    let bad: Vec<Found<'_>> = keys.iter().copied().filter(|key| others(server, *key, READ)).collect();
    of(server, keys.len(), &bad, "keys of ACME accounts", |bad| {
        let names = bad.iter().map(|(path, _)| *path).collect::<Vec<_>>().join(", ");
        about(Severity::High, format!("Everybody on the machine can read {names}"), bad).remedy(chmod(
            "Give the file to root alone.",
            0o600,
            bad,
        ))
    })
}

fn is_acme_key(path: &str) -> bool {
    path.ends_with("/acme.json")
        || path.ends_with("/private_key.json")
        || path.ends_with("/account.key")
        || path.ends_with("/account.conf")
}
