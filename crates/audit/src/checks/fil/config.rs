//! Who may change configuration, the programs that root runs, the queue, and the alias database.

use std::collections::BTreeSet;

use super::{Found, STICKY, WRITE, about, above, found, group_of_people, of, others, to_root};
use crate::check::{could_not_tell, not_applicable};
use crate::facts::{File, FileKind, Known};
use crate::{Check, Evidence, Finding, Judged, Outcome, Remedy, Server, Severity};

pub(crate) static FIL_005: Check = Check {
    id: "FIL-005",
    title: "Configuration can be changed by others than root",
    severity: Severity::Critical,
    why: "Postfix, Dovecot and fail2ban start as root and run what their configuration names: who writes it is root.",
    proof: "Owner and mode of main.cf, master.cf, the trees of Postfix, Dovecot, fail2ban and the filters, and of every directory above.",
    fix: "Give the files to root, writable by nobody else.",
    references: &["postfix(1) check", "CIS Debian Linux Benchmark 7.1"],
    judge: fil_005,
};

fn fil_005(server: &Server<'_>) -> Judged {
    let all = found(server, |path, file| {
        is_configuration(path) && matches!(file.kind, FileKind::Regular | FileKind::Directory)
    });
    let trees: BTreeSet<&str> = all.iter().flat_map(|(path, _)| above(path)).collect();
    let parents = found(server, |path, file| trees.contains(path) && file.kind == FileKind::Directory);
    let everything = all.iter().chain(&parents).copied();
    let open = |file: &Found<'_>| written_by_others(server, *file) || (is_root_s(file.0) && foreign(file.1));
    let mut bad: Vec<Found<'_>> = everything.filter(open).collect();
    bad.sort_by_key(|(path, _)| *path);
    bad.dedup_by_key(|(path, _)| *path);
    of(server, all.len(), &bad, "configuration files", |bad| {
        let names = bad.iter().map(|(path, _)| *path).collect::<Vec<_>>().join(", ");
        about(Severity::Critical, format!("Others than root can change {names}"), bad)
            .remedy(to_root("Give the configuration to root, and look whether somebody has used it.", bad))
    })
}

fn is_configuration(path: &str) -> bool {
    let trees = [
        "/etc/postfix",
        "/etc/dovecot",
        "/etc/fail2ban",
        "/etc/amavis",
        "/etc/spamassassin",
        "/etc/rspamd",
        "/etc/opendkim",
        "/etc/opendmarc",
    ];
    trees.iter().any(|tree| {
        path.strip_prefix(tree).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '.']))
    })
}

/// What programs read as root and take commands from; tables and keys may lawfully belong to the program that reads them.
fn is_root_s(path: &str) -> bool {
    let names = [
        "/etc/postfix",
        "/etc/postfix/main.cf",
        "/etc/postfix/master.cf",
        "/etc/dovecot",
        "/etc/dovecot/dovecot.conf",
        "/etc/fail2ban",
    ];
    names.contains(&path)
        || path.starts_with("/etc/dovecot/conf.d") && !path.ends_with(".ext")
        || path.starts_with("/etc/fail2ban/") && (path.ends_with(".conf") || path.ends_with(".local"))
}

/// Whether it belongs to somebody who is not root. A number is a user of another machine or container.
fn foreign(file: &File) -> bool {
    file.uid != 0 && file.owner != "root" && !file.owner.is_empty()
}

fn written_by_others(server: &Server<'_>, file: Found<'_>) -> bool {
    let sticky = file.1.kind == FileKind::Directory && file.1.mode & STICKY != 0;
    !sticky && (others(server, file, WRITE) || group_of_people(file.1, WRITE) && file.1.group != "staff")
}

pub(crate) static FIL_008: Check = Check {
    id: "FIL-008",
    title: "A script that root runs can be changed by others",
    severity: Severity::Critical,
    why: "Who changes a script that a job of root's runs is root at the job's next turn.",
    proof: "The programs that root's cron tables, the scripts of cron.daily and the like, systemd units without User=, certbot's hooks and \
            docker-mailserver's user-patches.sh run: owner and mode of each and of the directories above.",
    fix: "Give script and directories to root, writable by nobody else.",
    references: &["CIS Debian Linux Benchmark 2.4.1", "crontab(5)"],
    judge: fil_008,
};

fn fil_008(server: &Server<'_>) -> Judged {
    let (scripts, jobs) = run_by_root(server);
    let looked: Vec<Found<'_>> = scripts
        .iter()
        .filter_map(|path| {
            let (path, file) = server.facts.files.get_key_value(path)?;
            Some((path.as_str(), file.known()?))
        })
        .filter(|(path, file)| {
            file.kind == FileKind::Regular && (file.mode & 0o111 != 0 || path.starts_with("/etc/cron"))
        })
        .collect();
    let open = |file: &Found<'_>| {
        let own = file.0.starts_with("/tmp/docker-mailserver/");
        written_by_others(server, *file) || (!own && foreign(file.1)) || loose_parent(server, file.0)
    };
    let bad: Vec<Found<'_>> = looked.iter().copied().filter(open).collect();
    if jobs == 0 && looked.is_empty() {
        return could_not_tell("neither cron tables nor timers of root's were read");
    }
    of(server, looked.len() + jobs, &bad, "jobs and scripts of root's", |bad| {
        let names = bad.iter().map(|(path, _)| *path).collect::<Vec<_>>().join(", ");
        about(Severity::Critical, format!("Root runs {names}, which others can change"), bad)
            .remedy(to_root("Give the scripts to root, after reading what they do now.", bad))
    })
}

/// A directory above that everybody may replace things in.
fn loose_parent(server: &Server<'_>, path: &str) -> bool {
    above(path).any(|parent| {
        matches!(server.facts.files.get(parent), Some(Known::Is(file)) if file.mode & WRITE != 0 && file.mode & STICKY == 0)
    })
}

/// Programs that root's jobs run, and how many tables and units were read.
fn run_by_root(server: &Server<'_>) -> (BTreeSet<String>, usize) {
    let mut scripts = BTreeSet::new();
    let mut jobs = 0;
    for (path, file) in found(server, |path, file| file.kind == FileKind::Regular && is_job(path)) {
        let Some(text) = file.text.known() else { continue };
        jobs += 1;
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        if path.starts_with("/etc/systemd/system/") {
            if !text.contains("\nUser=") && !text.contains("\nDynamicUser=") {
                let executed = lines.filter(|line| line.starts_with("Exec"));
                scripts.extend(executed.flat_map(programs));
            }
        } else if path == "/etc/crontab" || path.starts_with("/etc/cron.d/") {
            scripts.extend(lines.filter(|line| of_root(line)).flat_map(programs));
        } else {
            scripts.extend(lines.flat_map(programs));
            if !path.ends_with("crontabs/root") {
                scripts.insert(path.to_owned());
            }
        }
    }
    (scripts, jobs)
}

fn is_job(path: &str) -> bool {
    let starts = [
        "/etc/cron.d/",
        "/etc/cron.daily/",
        "/etc/cron.hourly/",
        "/etc/cron.weekly/",
        "/etc/cron.monthly/",
        "/etc/letsencrypt/renewal-hooks/",
    ];
    path == "/etc/crontab"
        || path == "/var/spool/cron/crontabs/root"
        || path == "/tmp/docker-mailserver/user-patches.sh"
        || (path.starts_with("/etc/systemd/system/") && path.ends_with(".service"))
        || starts.iter().any(|start| path.starts_with(start))
}

/// Whether a line of a system-wide table runs as root: five times or `@daily`, then the user.
fn of_root(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let at = if line.trim_start().starts_with('@') { 1 } else { 5 };
    words.nth(at) == Some("root")
}

/// Absolute paths of a command line.
fn programs(line: &str) -> Vec<String> {
    let words = line.split(|c: char| c.is_whitespace() || "\"'=;|&()<>`@-+!".contains(c));
    words
        .filter(|word| word.starts_with('/') && word.len() > 1)
        .map(|word| word.trim_end_matches('/').to_owned())
        .collect()
}

pub(crate) static FIL_009: Check = Check {
    id: "FIL-009",
    title: "Postfix's queue or programs have the wrong owner or mode",
    severity: Severity::Medium,
    why: "Without set-gid on postdrop, local programs cannot send; with a queue that others may write, they can send as anybody or read mail.",
    proof: "Owner, group and mode of postdrop and postqueue and of the queue's directories, against those of postfix-files(5).",
    fix: "Let Postfix mend it with `postfix set-permissions`.",
    references: &["postfix(1) set-permissions", "postfix-files(5)"],
    judge: fil_009,
};

fn fil_009(server: &Server<'_>) -> Judged {
    let postfix = server.postfix()?;
    let value = |name: &str, default: &str| postfix.value(name).unwrap_or_else(|| default.to_owned());
    let (commands, queue) =
        (value("command_directory", "/usr/sbin"), value("queue_directory", "/var/spool/postfix"));
    let (group, owner) = (value("setgid_group", "postdrop"), value("mail_owner", "postfix"));
    let mut evidence = Vec::new();
    let mut looked = 0;
    for name in ["postdrop", "postqueue"] {
        let path = format!("{commands}/{name}");
        if let Ok(Some(file)) = server.facts.file(&path) {
            looked += 1;
            if file.mode & 0o2000 == 0 || file.group != group {
                evidence.push(Evidence {
                    place: path,
                    seen: format!("{}; must be set-gid {group}", super::shown(file)),
                });
            }
        }
    }
    for (name, mode) in QUEUE {
        let path = format!("{queue}/{name}");
        if let Ok(Some(file)) = server.facts.file(&path) {
            looked += 1;
            // Numbers are those of the container whose names are not known.
            let known = !file.owner.bytes().all(|byte| byte.is_ascii_digit());
            if (known && file.owner != owner) || file.mode & !mode & 0o77 != 0 {
                evidence.push(Evidence {
                    place: path,
                    seen: format!("{}; must be {mode:04o} {owner}", super::shown(file)),
                });
            }
        }
    }
    if looked == 0 {
        return could_not_tell("neither Postfix's programs nor its queue were looked at");
    }
    if evidence.is_empty() {
        return Ok(Outcome::Pass(format!("{looked} programs and directories are as postfix-files(5) says")));
    }
    let first = evidence.first().map(|evidence| evidence.place.clone()).unwrap_or_default();
    let finding = Finding::new(
        Severity::Medium,
        "",
        format!("{first} and others do not have the owner and mode that Postfix needs"),
    );
    Ok(Outcome::from(
        finding.all_seen(evidence).remedy(
            Remedy::new("Let Postfix give its files the right owners and modes.")
                .apply("postfix set-permissions")
                .prove(format!("ls -l {commands}/postdrop {commands}/postqueue; ls -l {queue}")),
        ),
    ))
}

/// Directories of the queue, and the most that postfix-files(5) lets them have.
const QUEUE: [(&str, u32); 10] = [
    ("active", 0o700),
    ("bounce", 0o700),
    ("corrupt", 0o700),
    ("defer", 0o700),
    ("deferred", 0o700),
    ("hold", 0o700),
    ("incoming", 0o700),
    ("maildrop", 0o730),
    ("private", 0o700),
    ("public", 0o710),
];

pub(crate) static FIL_010: Check = Check {
    id: "FIL-010",
    title: "The alias database belongs to a user who is not root",
    severity: Severity::Medium,
    why: "local(8) runs the commands and writes the files of an alias with the rights of the database's owner, so that user's alias does what \
          that user may do, and a planted database runs the planter's commands.",
    proof: "The owner of the index of every table of alias_maps.",
    fix: "Give source and index to root, and rebuild it with `newaliases`.",
    references: &["aliases(5)", "local(8) SECURITY"],
    judge: fil_010,
};

fn fil_010(server: &Server<'_>) -> Judged {
    let maps = server.postfix()?.need("alias_maps")?;
    let kinds = [("hash:", ".db"), ("btree:", ".db"), ("lmdb:", ".lmdb"), ("cdb:", ".cdb")];
    let indexes: Vec<String> = maps
        .split([',', ' '])
        .filter_map(|map| {
            kinds.iter().find_map(|(kind, end)| Some(format!("{}{end}", map.strip_prefix(kind)?)))
        })
        .collect();
    if indexes.is_empty() {
        return not_applicable(format!("no indexed table in alias_maps = {maps}"));
    }
    let seen = found(server, |path, _| indexes.iter().any(|index| index == path));
    let bad: Vec<Found<'_>> = seen.iter().copied().filter(|(_, file)| foreign(file)).collect();
    of(server, seen.len(), &bad, "alias databases", |bad| {
        let names = bad
            .iter()
            .map(|(path, file)| format!("{path} belongs to {}", file.owner))
            .collect::<Vec<_>>()
            .join(", ");
        about(Severity::Medium, names, bad)
            .cause("alias_maps")
            .remedy(to_root("Give the alias database to root.", bad))
    })
}
