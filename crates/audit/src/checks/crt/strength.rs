//! Keys and signatures.

use super::{Held, describe, held, judge_each, leaves, reissue};
use crate::check::could_not_tell;
use crate::facts::Certificate;
use crate::{Check, Judged, Outcome, Server, Severity};

pub(super) static CRT_007: Check = Check {
    id: "CRT-007",
    title: "A certificate's key is short",
    severity: Severity::High,
    why: "An RSA key below 2048 bits or a curve below 224 bits can be broken by those who can pay for it; RSA below 3072 bits is held to be too short for the next decade.",
    proof: "The public key of every certificate that is served or lies in the files that the configuration names.",
    fix: "Make a new key: P-256, or RSA with 3072 bits.",
    references: &["BSI TR-02102-1", "NIST SP 800-57"],
    judge: crt_007,
};

pub(super) static CRT_008: Check = Check {
    id: "CRT-008",
    title: "A certificate is signed with SHA-1 or MD5",
    severity: Severity::High,
    why: "Two certificates can be made that have the same signature, so an attacker can have one certified and use the other; clients refuse them.",
    proof: "The signature of every certificate sent, roots excepted.",
    fix: "Have it issued anew.",
    references: &["RFC 9155", "https://shattered.io/"],
    judge: crt_008,
};

pub(super) static CRT_016: Check = Check {
    id: "CRT-016",
    title: "The certificate that the distribution made at installation is in use",
    severity: Severity::High,
    why: "No client can verify it, so users are taught to accept anything.",
    proof: "Files named ssl-cert-snakeoil in the effective configuration, and certificates signed by themselves for a bare host name that live for years.",
    fix: "Use a certificate of your own; in docker-mailserver set SSL_TYPE.",
    references: &["https://manpages.debian.org/make-ssl-cert"],
    judge: crt_016,
};

pub(super) static CRT_017: Check = Check {
    id: "CRT-017",
    title: "A key that others can compute or know",
    severity: Severity::Critical,
    why: "Who has the private key is the mail server, to everybody.",
    proof: "What the public modulus gives away: small factors, factors close to each other (Fermat), the mark of chips with CVE-2017-15361 (ROCA), an exponent below 3. Lists of leaked keys and those of Debian in 2008 are not looked at.",
    fix: "Make a new key with the distribution's OpenSSL, have it certified, and revoke the old certificate.",
    references: &["CVE-2008-0166", "CVE-2017-15361", "CVE-2022-26320"],
    judge: crt_017,
};

fn crt_007(server: &Server<'_>) -> Judged {
    let all = leaves(server)?;
    let key = |certificate: &Certificate| describe_key(certificate);
    let broken = |certificate: &Certificate| {
        let (kind, bits) = (certificate.key.kind.as_str(), certificate.key.bits);
        kind == "DSA" || kind == "RSA" && bits < 2048 || kind == "EC" && bits > 0 && bits < 224
    };
    let short = |certificate: &Certificate| {
        certificate.key.kind == "RSA" && (2048..3072).contains(&certificate.key.bits)
    };
    let remedy = || reissue("Make a new key: P-256, or RSA with 3072 bits.", "CRT-007");
    let shown = shown(&all);
    let high = judge_each(
        server,
        &all,
        (Severity::High, Severity::High),
        |one| broken(one).then(|| key(one)),
        remedy,
        &shown,
    );
    let low = judge_each(
        server,
        &all,
        (Severity::Low, Severity::Low),
        |one| short(one).then(|| key(one)),
        remedy,
        &shown,
    );
    Ok(match (high, low) {
        (Outcome::Fail(mut high), Outcome::Fail(low)) => {
            high.extend(low);
            Outcome::Fail(high)
        }
        (fail @ Outcome::Fail(_), _) | (_, fail) => fail,
    })
}

fn describe_key(certificate: &Certificate) -> String {
    let key = &certificate.key;
    match key.kind.as_str() {
        "RSA" | "DSA" => format!("has a {} key of {} bits", key.kind, key.bits),
        _ => format!("has a key on the curve {}", key.curve),
    }
}

fn shown(all: &[Held<'_>]) -> String {
    all.first().map(|held| format!("{}: {}", held.place, describe(held.certificate))).unwrap_or_default()
}

fn crt_008(server: &Server<'_>) -> Judged {
    let all = held(server, |certificates| certificates)?;
    let old = |name: &str| {
        let name = name.to_ascii_lowercase();
        name.contains("sha1") || name.contains("md5") || name.contains("md2")
    };
    let is = |certificate: &Certificate| {
        let root = certificate.self_signed && certificate.authority;
        (old(&certificate.signature) && !root).then(|| format!("is signed with {}", certificate.signature))
    };
    let remedy = || reissue("Have it issued anew.", "CRT-008");
    Ok(judge_each(server, &all, (Severity::High, Severity::Low), is, remedy, &shown(&all)))
}

fn crt_016(server: &Server<'_>) -> Judged {
    let leaves = leaves(server);
    let files: Vec<_> = super::tls_files(server.facts)
        .into_iter()
        .filter(|file| file.path.contains("ssl-cert-snakeoil"))
        .collect();
    if let Some(first) = files.first() {
        let finding = crate::Finding::new(
            Severity::High,
            "",
            "Postfix or Dovecot uses the certificate that Debian made at installation.",
        );
        let finding = finding.cause(first.setting.clone());
        let finding = finding.all_seen(files.iter().map(|file| {
            crate::checks::tls::evidence(&file.place, &format!("{} names {}", file.setting, file.path))
        }));
        return Ok(finding.remedy(reissue("Use a certificate of your own.", "CRT-016")).into());
    }
    let is = |certificate: &Certificate| {
        let bare = !certificate.common_name.contains('.')
            && certificate.names.iter().all(|name| !name.contains('.'));
        let years = certificate.life() > 400 * 86_400;
        (certificate.self_signed && bare && years)
            .then(|| "was made at installation, for a bare host name".to_owned())
    };
    let all = leaves?;
    let remedy = || reissue("Use a certificate of your own.", "CRT-016");
    Ok(judge_each(server, &all, (Severity::High, Severity::Medium), is, remedy, &shown(&all)))
}

fn crt_017(server: &Server<'_>) -> Judged {
    let all = leaves(server)?;
    let known = all.iter().any(|held| held.certificate.key.flaw.known().is_some());
    if !known {
        return could_not_tell("the keys themselves were not looked at");
    }
    let is = |certificate: &Certificate| {
        certificate
            .key
            .flaw
            .known()?
            .as_ref()
            .map(|flaw| format!("has a key that others can compute: {flaw}"))
    };
    let remedy = || {
        reissue(
            "Make a new key with the distribution's OpenSSL, have it certified, and revoke the old certificate.",
            "CRT-017",
        )
    };
    Ok(judge_each(
        server,
        &all,
        (Severity::Critical, Severity::Critical),
        is,
        remedy,
        &format!("no key gives itself away; {}", shown(&all)),
    ))
}
