//! The archives that were found.

use std::collections::BTreeMap;

use super::{DAY, job, some, taken};
use crate::check::{could_not_tell, not_applicable, pass};
use crate::facts::Backup;
use crate::{Check, Evidence, Finding, Judged, Outcome, Remedy, Server, Severity};

/// A backup that is older than this is no weekly one.
const WEEKLY: i64 = 8 * DAY;
const DAILY: i64 = 2 * DAY;

pub(super) static BAK_002: Check = Check {
    id: "BAK-002",
    title: "The newest backup is older than its schedule allows",
    severity: Severity::High,
    why: "A job that fails in silence is noticed on the day when the backup is needed.",
    proof: "The time of the newest archive or of a backup program's last run: more than two days ago where a job runs daily, else more than eight.",
    fix: "See why the job fails, repair it, and let it tell when it does.",
    references: &["CIS Controls v8 11.2"],
    judge: bak_002,
};

fn bak_002(server: &Server<'_>) -> Judged {
    let (now, all) = (taken(server)?, some(server)?);
    let Some(newest) = all.iter().max_by_key(|backup| backup.modified) else {
        return could_not_tell("no backup has a time");
    };
    let jobs = job::jobs(server);
    let limit = if jobs.iter().any(job::Job::is_daily) { DAILY } else { WEEKLY };
    let age = now - newest.modified;
    if age <= limit {
        return pass(format!("{} is {} hours old", newest.path, age / 3600));
    }
    let finding = Finding::new(Severity::High, "", format!("The newest backup is {} days old", age / DAY))
        .seen(newest.path.clone(), format!("changed {} days ago, {} allowed", age / DAY, limit / DAY));
    let remedy = Remedy::new("Run the job by hand and read what it says.")
        .apply("run-parts --test /etc/cron.daily; crontab -l")
        .prove(format!("ls -lt {}", directory(newest)));
    Ok(Outcome::from(finding.remedy(remedy)))
}

fn directory(backup: &Backup) -> &str {
    backup.path.rsplit_once('/').map_or("/", |(directory, _)| directory)
}

/// Whether a backup is where it was found: other programs keep only a state here.
fn is_in_one_place(backup: &Backup) -> bool {
    backup.tool.is_empty() || backup.tool == super::trial::OWN
}

/// The archives of the newest day: what would be restored.
fn newest(all: &[Backup]) -> Vec<&Backup> {
    let last = all
        .iter()
        .filter(|backup| backup.tool.is_empty())
        .map(|backup| backup.modified)
        .max()
        .unwrap_or_default();
    all.iter().filter(|backup| backup.tool.is_empty() && backup.modified > last - DAY).collect()
}

fn evidence(backups: &[&Backup], seen: impl Fn(&Backup) -> String) -> Vec<Evidence> {
    backups
        .iter()
        .take(10)
        .map(|backup| Evidence { place: backup.path.clone(), seen: seen(backup) })
        .collect()
}

pub(super) static BAK_003: Check = Check {
    id: "BAK-003",
    title: "Backups are not encrypted",
    severity: Severity::Medium,
    why: "A backup holds all mail and all keys; whoever gets the disk, the bucket or the other machine reads it.",
    proof: "The first bytes of the newest archives, not their names: an archive called .gpg that begins as gzip does is not encrypted.",
    fix: "Encrypt to a public key whose private half is not on this machine: age, gpg, or the encryption of restic and Borg.",
    references: &["CIS Controls v8 11.3"],
    judge: bak_003,
};

fn bak_003(server: &Server<'_>) -> Judged {
    let all = some(server)?;
    let open: Vec<&Backup> =
        newest(all).into_iter().filter(|backup| backup.encrypted.known() == Some(&false)).collect();
    let told = all.iter().any(|backup| backup.encrypted.known().is_some());
    if open.is_empty() {
        return if told {
            pass("the newest backups are encrypted")
        } else {
            could_not_tell("no backup says whether it is encrypted")
        };
    }
    let first = open.first().map(|backup| backup.path.clone()).unwrap_or_default();
    let finding =
        Finding::new(Severity::Medium, "", format!("The newest backups are not encrypted: {first}"))
            .all_seen(evidence(&open, |backup| {
                format!(
                    "begins as {} does",
                    if backup.format.is_empty() { "plain data" } else { &backup.format }
                )
            }));
    let remedy = Remedy::new(
        "Pipe the archive into age with the public key of another machine, and delete the open ones.",
    )
    .apply(format!("age -r age1... -o {first}.age {first} && shred -u {first}"))
    .prove(format!("head -c 21 {first}.age"));
    Ok(Outcome::from(finding.remedy(remedy)))
}

pub(super) static BAK_004: Check = Check {
    id: "BAK-004",
    title: "A backup is broken",
    severity: Severity::High,
    why: "It cannot be restored.",
    proof: "Empty files, archives without their end marker, and in a deep audit what gzip, xz, zstd and bzip2 say of their checksums.",
    fix: "Repair the job (space, time limit, missing set -o pipefail), and delete what it left.",
    references: &["CIS Controls v8 11.5"],
    judge: bak_004,
};

fn bak_004(server: &Server<'_>) -> Judged {
    let all = some(server)?;
    let broken: Vec<&Backup> =
        all.iter().filter(|backup| backup.broken.known().is_some_and(|why| !why.is_empty())).collect();
    if !broken.is_empty() {
        let findings = broken.iter().map(|backup| {
            let why = backup.broken.known().cloned().unwrap_or_default();
            Finding::new(Severity::High, backup.path.clone(), format!("{} cannot be restored", backup.path))
                .seen(backup.path.clone(), format!("{why}; {} bytes", backup.size))
                .remedy(
                    Remedy::new("Repair the job, make a new backup, and restore a file of it.")
                        .apply(format!("rm {}", backup.path))
                        .prove(format!("ls -l {}", directory(backup))),
                )
        });
        return Ok(Outcome::Fail(findings.collect()));
    }
    let tested = all.iter().filter(|backup| backup.broken.known().is_some()).count();
    if tested == 0 {
        could_not_tell("no backup could be tested; a deep audit reads them")
    } else {
        pass(format!("{tested} backups are whole"))
    }
}

/// What a restored server needs, and names of files by which it is recognised.
const PARTS: [(&str, &[&str]); 6] = [
    ("mail", &["/cur/", "/new/", "Maildir", "mdbox", "dbox-Mails", "var/mail", "vmail", "mail-data"]),
    (
        "accounts",
        &["postfix-accounts.cf", "dovecot/users", "dovecot/userdb", "dovecot/passwd", ".sql", "etc/shadow"],
    ),
    (
        "configuration",
        &["postfix/main.cf", "postfix-main.cf", "mailserver.env", "dovecot.conf", "dovecot.cf", "compose.y"],
    ),
    ("DKIM keys", &["dkim"]),
    ("certificates", &["letsencrypt", "/ssl/", ".acme.sh", "certs/"]),
    ("Sieve filters and state", &[".sieve", "sieve/", "mail-state", "var/lib/dovecot", "spool/postfix"]),
];

pub(super) static BAK_005: Check = Check {
    id: "BAK-005",
    title: "The backup lacks parts that a restored server needs",
    severity: Severity::Medium,
    why: "Mail without accounts, keys and configuration is not a mail server; a lost DKIM key or account list costs days.",
    proof: "The names in the newest archives, where a deep audit can list them, against mail, accounts, configuration, DKIM keys, certificates, \
            and Sieve filters with the state.",
    fix: "Add the missing directories to the job.",
    references: &["CIS Controls v8 11.1", "docker-mailserver: backups"],
    judge: bak_005,
};

fn bak_005(server: &Server<'_>) -> Judged {
    let all = some(server)?;
    let names: Vec<&String> = all.iter().filter_map(|backup| backup.contents.known()).flatten().collect();
    if names.is_empty() {
        return could_not_tell(
            "no backup could be listed: they are encrypted, or the audit was not a deep one",
        );
    }
    let has = |words: &[&str]| names.iter().any(|name| words.iter().any(|word| name.contains(word)));
    let missing: Vec<&str> = PARTS.iter().filter(|(_, words)| !has(words)).map(|(part, _)| *part).collect();
    if missing.is_empty() {
        return pass("mail, accounts, configuration, keys, certificates and filters are in it");
    }
    let listed: Vec<&Backup> = all.iter().filter(|backup| backup.contents.known().is_some()).collect();
    let finding = Finding::new(Severity::Medium, "", format!("The backup has no {}", missing.join(", no ")))
        .all_seen(evidence(&listed, |backup| {
            format!("{} names listed", backup.contents.known().map_or(0, Vec::len))
        }));
    let remedy = Remedy::new("Add to the job the directories that hold them: /etc, the mail store, /var/lib, the config volume with mail-state and the compose file.")
        .apply("crontab -e")
        .prove("tar -tf <archive> | grep -E 'accounts|dkim|letsencrypt|main.cf'");
    Ok(Outcome::from(finding.remedy(remedy)))
}

pub(super) static BAK_006: Check = Check {
    id: "BAK-006",
    title: "The newest backup is much smaller than the one before",
    severity: Severity::Medium,
    why: "Something is no longer in it: a directory was moved, a disk was not mounted, or the job broke off.",
    proof: "The sizes of the two newest archives whose names differ in digits only: less than half. Increments count as a row of their own when \
            their names say so.",
    fix: "Compare what the two hold.",
    references: &["CIS Controls v8 11.5"],
    judge: bak_006,
};

fn bak_006(server: &Server<'_>) -> Judged {
    let all = some(server)?;
    let mut rows: BTreeMap<String, Vec<&Backup>> = BTreeMap::new();
    for backup in all.iter().filter(|backup| backup.tool.is_empty()) {
        let name: String = backup.path.chars().filter(|c| !c.is_ascii_digit()).collect();
        rows.entry(name).or_default().push(backup);
    }
    let mut findings = Vec::new();
    let mut compared = 0;
    for row in rows.values_mut() {
        row.sort_by_key(|backup| core::cmp::Reverse(backup.modified));
        let [last, before, ..] = row.as_slice() else { continue };
        compared += 1;
        if last.size < before.size / 2 {
            findings.push(
                Finding::new(
                    Severity::Medium,
                    directory(last),
                    format!("{} is much smaller than the one before", last.path),
                )
                .seen(last.path.clone(), format!("{} bytes", last.size))
                .seen(before.path.clone(), format!("{} bytes", before.size))
                .remedy(
                    Remedy::new("List both and compare.")
                        .apply(format!("tar -tf {} | wc -l; tar -tf {} | wc -l", last.path, before.path))
                        .prove(format!("ls -lt {}", directory(last))),
                ),
            );
        }
    }
    if compared == 0 {
        return not_applicable("there are no two backups of one name to compare");
    }
    Ok(Outcome::of(findings, format!("{compared} rows of backups keep their size")))
}

pub(super) static BAK_007: Check = Check {
    id: "BAK-007",
    title: "Backups can be read by strangers, or lie only beside the data",
    severity: Severity::Medium,
    why: "A backup that everybody reads gives away all mail; one on the same disk dies with it, and with the machine.",
    proof: "The modes of the archives, and whether all of them are on the file system that mail is on while no program that copies elsewhere is in use.",
    fix: "Give them to root with mode 0600, and copy them to another machine.",
    references: &["CIS Controls v8 11.4"],
    judge: bak_007,
};

fn bak_007(server: &Server<'_>) -> Judged {
    let all = some(server)?;
    let readable: Vec<&Backup> = all
        .iter()
        .filter(|backup| {
            backup.tool.is_empty() && backup.mode & 0o4 != 0 && backup.encrypted.known() != Some(&true)
        })
        .collect();
    let mut findings = Vec::new();
    if let Some(first) = readable.first() {
        let remedy = Remedy::new("Give the archives and their directory to root alone.")
            .apply(format!("chmod 0700 {0} && chmod 0600 {0}/*", directory(first)))
            .prove(format!("ls -l {}", directory(first)));
        findings.push(
            Finding::new(Severity::Medium, "readable", "Everybody on the machine can read the backups")
                .all_seen(evidence(&readable, |backup| format!("mode {:04o}", backup.mode)))
                .remedy(remedy),
        );
    }
    let spaces = server.facts.host.space.known();
    let mail =
        spaces.and_then(|spaces| spaces.iter().find(|space| space.purpose == "mail" && space.device != 0));
    let beside =
        mail.filter(|mail| all.iter().all(|backup| is_in_one_place(backup) && backup.device == mail.device));
    if let (Some(mail), Some(first)) = (beside, all.first()) {
        let remedy =
            Remedy::new("Copy the archives to another machine, or let restic or Borg put them there.")
                .apply(format!("rsync -a {}/ backup@backup.example.org:mail/", directory(first)))
                .prove("ssh backup@backup.example.org ls -l mail");
        findings.push(
            Finding::new(Severity::Medium, "same disk", "All backups are on the disk that mail is on")
                .seen(first.path.clone(), format!("file system {}", first.device))
                .seen(mail.path.clone(), format!("file system {}", mail.device))
                .remedy(remedy),
        );
    }
    Ok(Outcome::of(findings, format!("{} backups, closed and elsewhere", all.len())))
}
