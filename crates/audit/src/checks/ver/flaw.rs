//! Known flaws, by what the distribution says of its own packages: it mends them without a new upstream version.

use super::debian::older;
use super::support::{REVIEWED, system};
use crate::check::{could_not_tell, not_applicable, pass};
use crate::facts::{Known, Package, Process};
use crate::{Check, Evidence, Finding, Judged, Outcome, Remedy, Server, Severity, Untold};

/// A fix: the release, the package, the first version that has it, what it mends.
struct Fixed {
    release: &'static str,
    package: &'static str,
    version: &'static str,
    flaws: &'static str,
}

const fn fixed(
    release: &'static str,
    package: &'static str,
    version: &'static str,
    flaws: &'static str,
) -> Fixed {
    Fixed { release, package, version, flaws }
}

/// From the changelogs of Debian's packages and Ubuntu's notices; what is not certain is not here.
const FIXES: &[Fixed] = &[
    fixed("bullseye", "postfix", "3.5.23-0+deb11u1", "CVE-2023-51764 (SMTP smuggling)"),
    fixed("bookworm", "postfix", "3.7.9-0+deb12u1", "CVE-2023-51764 (SMTP smuggling)"),
    fixed("jammy", "postfix", "3.6.4-1ubuntu1.4", "CVE-2026-43964 (crash by an enhanced status code)"),
    fixed(
        "bullseye",
        "dovecot-core",
        "1:2.3.13+dfsg1-2+deb11u2",
        "CVE-2024-23184, CVE-2024-23185 (load by headers)",
    ),
    fixed(
        "bookworm",
        "dovecot-core",
        "1:2.3.19.1+dfsg1-2.1+deb12u1",
        "CVE-2024-23184, CVE-2024-23185 (load by headers)",
    ),
    fixed(
        "bookworm",
        "dovecot-core",
        "1:2.3.19.1+dfsg1-2.1+deb12u4",
        "CVE-2026-0394 (path traversal in per-domain passwd files), CVE-2026-27857, CVE-2026-27858 (memory before login)",
    ),
    fixed(
        "bookworm",
        "dovecot-core",
        "1:2.3.19.1+dfsg1-2.1+deb12u6",
        "CVE-2026-33603, CVE-2026-42006 (memory before login)",
    ),
    fixed(
        "bookworm",
        "dovecot-core",
        "1:2.3.19.1+dfsg1-2.1+deb12u7",
        "CVE-2026-33604 (SMTP smuggling), CVE-2026-40018 (SQL injection), CVE-2026-42007 (code by Sieve editheader)",
    ),
    fixed(
        "jammy",
        "dovecot-core",
        "1:2.3.16+dfsg1-3ubuntu2.7",
        "CVE-2026-0394 (path traversal in per-domain passwd files)",
    ),
    fixed(
        "noble",
        "dovecot-core",
        "1:2.3.21+dfsg1-2ubuntu6.3",
        "CVE-2026-0394 (path traversal in per-domain passwd files)",
    ),
    fixed(
        "bookworm",
        "openssl",
        "3.0.22-1~deb12u1",
        "CVE-2026-63072 (heap overflow in CMS), CVE-2026-75803 (AEAD forgery)",
    ),
    fixed(
        "bookworm",
        "libssl3",
        "3.0.22-1~deb12u1",
        "CVE-2026-63072 (heap overflow in CMS), CVE-2026-75803 (AEAD forgery)",
    ),
    fixed(
        "bookworm",
        "opendkim",
        "2.11.0~beta2-8+deb12u1",
        "CVE-2022-48521 (forged Authentication-Results stay)",
    ),
    fixed(
        "bookworm",
        "rsyslog",
        "8.2302.0-1+deb12u2",
        "CVE-2026-19654, CVE-2026-61548, CVE-2026-78002, CVE-2026-93403",
    ),
];

fn packages<'a>(server: &Server<'a>) -> Result<&'a [Package], Untold> {
    match &server.facts.host.packages {
        Known::Absent => {
            not_applicable("dpkg does not manage the packages here, and the table is of its versions")
        }
        packages => packages.get().map(Vec::as_slice),
    }
}

/// What is open in the packages for which something holds; the newest fix of each package comes last.
fn open<'a>(
    server: &Server<'a>,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<Vec<(&'a Package, &'static Fixed)>, Untold> {
    let (packages, release) = (packages(server)?, system(server)?.codename);
    let installed = packages.iter().filter(|package| wanted(&package.name));
    let rows = installed.flat_map(|package| {
        let fixes = FIXES.iter().filter(|fix| fix.release == release && fix.package == package.name);
        fixes.filter(|fix| older(&package.version, fix.version)).map(move |fix| (package, fix))
    });
    Ok(rows.collect())
}

fn evidence(package: &Package, fix: &Fixed) -> Evidence {
    Evidence {
        place: format!("dpkg: {}", package.name),
        seen: format!("{} is installed; {} mends {}", package.version, fix.version, fix.flaws),
    }
}

fn update(names: &str) -> Remedy {
    Remedy::new("Install the distribution's update.")
        .apply(format!("apt-get update && apt-get install --only-upgrade {names}"))
        .prove(format!("dpkg-query -W {names}"))
}

pub(super) static VER_002: Check = Check {
    id: "VER-002",
    title: "This build of Postfix has a known flaw that the configuration does not offset",
    severity: Severity::High,
    why: "Who knows the flaw can use it from anywhere; with SMTP smuggling a stranger sends as any domain that shares this server's way out.",
    proof: "The package's version against the one in which the distribution mended it, and whether the build has the parameter \
            smtpd_forbid_bare_newline; reject_unauth_pipelining together with a silenced CHUNKING offsets the lack.",
    fix: "Update Postfix; until then refuse pipelining and do not offer CHUNKING.",
    references: &["CVE-2023-51764", "https://www.postfix.org/smtp-smuggling.html"],
    judge: ver_002,
};

fn ver_002(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    let offset = is_offset(server);
    let rows = open(server, &|name| name == "postfix");
    let mut seen: Vec<Evidence> = rows
        .iter()
        .flatten()
        .filter(|(_, fix)| !(offset && fix.flaws.contains("smuggling")))
        .map(|(package, fix)| evidence(package, fix))
        .collect();
    let lacks = postfix.parameters().map(|mut names| !names.any(|name| name == "smtpd_forbid_bare_newline"));
    if lacks == Some(true) && !offset && seen.is_empty() {
        let place = "postconf -d".to_owned();
        seen.push(Evidence {
            place,
            seen: "no parameter smtpd_forbid_bare_newline: CVE-2023-51764 is open".to_owned(),
        });
    }
    if seen.is_empty() {
        return match (rows, lacks) {
            (Ok(_), _) => pass(format!("no flaw of the table of {REVIEWED} is open")),
            (Err(_), Some(_)) => pass("the build can refuse bare newlines"),
            (Err(why), None) => Err(why),
        };
    }
    let remedy = update("postfix").add(
        "main.cf",
        &[
            "smtpd_data_restrictions = reject_unauth_pipelining",
            "smtpd_discard_ehlo_keywords = chunking, silent-discard",
        ],
    );
    Ok(Outcome::from(
        Finding::new(Severity::High, "", "Postfix has a known flaw").all_seen(seen).remedy(remedy),
    ))
}

/// The workaround of those who cannot update.
fn is_offset(server: &Server<'_>) -> bool {
    let Ok(postfix) = server.postfix() else { return false };
    let has = |name: &str, word: &str| postfix.value(name).is_some_and(|value| value.contains(word));
    has("smtpd_data_restrictions", "reject_unauth_pipelining")
        && has("smtpd_discard_ehlo_keywords", "chunking")
}

pub(super) static VER_003: Check = Check {
    id: "VER-003",
    title: "This build of Dovecot has known flaws, or is maintained by nobody",
    severity: Severity::High,
    why: "Dovecot holds all mail and talks to strangers before they log in.",
    proof: "The package's version against those in which the distribution mended flaws; branches before 2.3, which upstream has given up.",
    fix: "Install the distribution's update, or upgrade the system.",
    references: &["CVE-2024-23184", "CVE-2024-23185", "CVE-2026-0394", "CVE-2026-42007"],
    judge: ver_003,
};

fn ver_003(server: &Server<'_>) -> Judged {
    let dovecot = server.dovecot()?;
    let rows = open(server, &|name| name == "dovecot-core")?;
    if rows.is_empty() {
        if dovecot.version() < crate::dovecot::Version(2, 3, 0) {
            let finding = Finding::new(
                Severity::High,
                "",
                format!("Nobody maintains Dovecot {} any more", dovecot.version()),
            )
            .seen("doveconf -n", dovecot.version().to_string());
            return Ok(Outcome::from(
                finding.remedy(
                    Remedy::new("Upgrade the system, with it Dovecot.")
                        .apply("apt full-upgrade")
                        .prove("dovecot --version"),
                ),
            ));
        }
        return pass(format!("no flaw of the table of {REVIEWED} is open in Dovecot {}", dovecot.version()));
    }
    let seen = rows.iter().rev().map(|(package, fix)| evidence(package, fix));
    let finding =
        Finding::new(Severity::High, "", "Dovecot has known flaws that an update mends").all_seen(seen);
    Ok(Outcome::from(finding.remedy(update("dovecot-core"))))
}

/// Packages that take part in mail or its protection, beside Postfix and Dovecot.
fn is_other(name: &str) -> bool {
    name != "postfix" && !name.starts_with("dovecot")
}

/// ClamAV before 1.0: the last such branch, 0.103, ended on this day, and signatures are no longer given to it.
const CLAMAV: (&str, &str) = ("1.0", "2024-09-14");

pub(super) static VER_004: Check = Check {
    id: "VER-004",
    title: "A program around the mail server has known flaws or is given up",
    severity: Severity::Medium,
    why: "Filters, signers, loggers and libraries read what strangers send.",
    proof: "Packages (OpenSSL, OpenDKIM, rsyslog, ClamAV and others) against the versions in which the distribution mended flaws, and ClamAV \
            before 1.0, for which there are no signatures any more.",
    fix: "Install the distribution's updates.",
    references: &["CVE-2022-48521", "https://docs.clamav.net/faq/faq-eol.html"],
    judge: ver_004,
};

fn ver_004(server: &Server<'_>) -> Judged {
    let rows = open(server, &is_other)?;
    let mut findings: Vec<Finding> = Vec::new();
    for (package, fix) in &rows {
        let same = findings.iter_mut().find(|finding| finding.subject == package.name);
        let seen = evidence(package, fix);
        match same {
            Some(finding) => finding.evidence.insert(0, seen),
            None => findings.push(
                Finding::new(
                    Severity::Medium,
                    package.name.clone(),
                    format!("{} has known flaws that an update mends", package.name),
                )
                .all_seen([seen])
                .remedy(update(&package.name)),
            ),
        }
    }
    let clamav =
        packages(server)?.iter().find(|package| package.name == "clamav" || package.name == "clamav-daemon");
    if let Some(clamav) = clamav.filter(|package| older(&package.version, CLAMAV.0)) {
        let finding = Finding::new(
            Severity::Medium,
            "clamav",
            format!("ClamAV {} has been given up since {}", clamav.version, CLAMAV.1),
        )
        .seen("dpkg: clamav", format!("{}: no signatures for it any more", clamav.version));
        findings.push(finding.remedy(update("clamav clamav-daemon clamav-freshclam")));
    }
    Ok(Outcome::of(findings, format!("no flaw of the table of {REVIEWED} is open")))
}

pub(super) static VER_005: Check = Check {
    id: "VER-005",
    title: "Security updates are waiting, or programs still run with the old libraries",
    severity: Severity::Medium,
    why: "The fix is public, so is the flaw; and an update that no program has loaded yet protects nobody.",
    proof: "Packages for which the package manager knows a newer version in an archive of security updates, and mail programs that still map \
            libraries whose files were replaced.",
    fix: "Install the updates, restart what runs with old libraries, and let unattended-upgrades do so from now on.",
    references: &["CIS Controls v8 7.3", "needrestart(1)"],
    judge: ver_005,
};

/// Programs whose libraries matter here.
const PROGRAMS: [&str; 21] = [
    "master",
    "qmgr",
    "pickup",
    "tlsmgr",
    "smtpd",
    "postscreen",
    "tlsproxy",
    "smtp",
    "dovecot",
    "imap",
    "imap-login",
    "pop3-login",
    "lmtp",
    "auth",
    "config",
    "rspamd",
    "opendkim",
    "opendmarc",
    "clamd",
    "freshclam",
    "sshd",
];

fn ver_005(server: &Server<'_>) -> Judged {
    let packages = packages(server);
    let asked = server.facts.said("apt-cache policy");
    let waiting: Vec<&Package> = match (&packages, &asked) {
        (Ok(packages), Ok(_)) => {
            packages.iter().filter(|package| package.security && package.candidate.is_some()).collect()
        }
        _ => Vec::new(),
    };
    let processes = server.facts.host.processes.get();
    let is_old = |process: &&Process| {
        let named = PROGRAMS.contains(&process.name.as_str())
            || process.name.starts_with("amavisd")
            || process.name.starts_with("fail2ban");
        named && !process.deleted_libraries.is_empty()
    };
    let old: Vec<&Process> = processes.iter().flat_map(|all| all.iter()).filter(is_old).collect();
    if waiting.is_empty() && old.is_empty() {
        asked?;
        if server.facts.about.remote {
            return not_applicable("only the outside of the server was seen");
        }
        return match packages {
            Ok([]) => could_not_tell("no package of the mail server is known"),
            Ok(packages) => pass(format!("no security update waits for {} packages", packages.len())),
            Err(why) => Err(why),
        };
    }
    let mut finding = Finding::new(Severity::Medium, "", summary(&waiting, &old));
    for package in waiting.iter().take(10) {
        let newer = package.candidate.clone().unwrap_or_default();
        finding = finding.seen(
            format!("apt-cache policy {}", package.name),
            format!("{} is installed, {newer} is there", package.version),
        );
    }
    for process in old.iter().take(5) {
        finding = finding.seen(
            format!("/proc/{}/maps ({})", process.pid, process.name),
            process.deleted_libraries.join(", "),
        );
    }
    let remedy = Remedy::new("Install the updates and restart what runs with the old libraries.")
        .apply("apt-get update && apt-get upgrade && systemctl restart postfix dovecot")
        .prove("apt-get -s upgrade | grep -c ^Inst");
    Ok(Outcome::from(finding.remedy(remedy)))
}

fn summary(waiting: &[&Package], old: &[&Process]) -> String {
    let names = |names: Vec<&str>| {
        let mut names = names;
        names.sort_unstable();
        names.dedup();
        names.into_iter().take(5).collect::<Vec<_>>().join(", ")
    };
    let packages = names(waiting.iter().map(|package| package.name.as_str()).collect());
    let programs = names(old.iter().map(|process| process.name.as_str()).collect());
    match (waiting.is_empty(), old.is_empty()) {
        (false, true) => format!("Security updates are waiting: {packages}"),
        (true, _) => format!("Programs run with libraries that were replaced: {programs}"),
        (false, false) => format!(
            "Security updates are waiting ({packages}), and programs run with replaced libraries ({programs})"
        ),
    }
}
