//! The store of mail, its logs, filters of users, and what daemons left behind.

use super::{Found, READ, WRITE, about, chmod, found, group_of_people, in_volume, of, others};
use crate::check::could_not_tell;
use crate::facts::{File, FileKind};
use crate::plan::Change;
use crate::{Check, Judged, Outcome, Remedy, Server, Severity};

pub(crate) static FIL_006: Check = Check {
    id: "FIL-006",
    title: "Mailboxes can be read or changed by strangers",
    severity: Severity::High,
    why: "Every account and every broken web application of the machine can read all mail, or put mail and filters into it.",
    proof: "Permissions of the directories and files of the store, a sample of each directory, and whether those above let others pass.",
    fix: "Give the store to the user that Dovecot delivers as, with mode 0700 for directories and 0600 for files.",
    references: &["GDPR article 32", "Dovecot: mail_location"],
    judge: fil_006,
};

fn fil_006(server: &Server<'_>) -> Judged {
    let stores = stores(server);
    let mail = |path: &str| {
        stores.iter().any(|store| path.strip_prefix(store.as_str()).is_some_and(|rest| rest.starts_with('/')))
    };
    // Filters are FIL-013's.
    let all = found(server, |path, file| {
        let kept = matches!(file.kind, FileKind::Regular | FileKind::Directory);
        mail(path) && kept && !path.ends_with(".sieve")
    });
    // A directory of a domain may be passed; what counts is whether somebody can read or write in it.
    let open = |(path, file): &Found<'_>| {
        let listed = file.kind == FileKind::Directory && !is_mailbox(path);
        let bits = if listed || in_volume(server, path) { WRITE } else { READ | WRITE };
        others(server, (path, file), bits)
    };
    let bad: Vec<Found<'_>> = all.iter().copied().filter(open).collect();
    let few: Vec<Found<'_>> = bad.iter().copied().take(10).collect();
    of(server, all.len(), &few, "files and directories of mailboxes", |few| {
        let writable = bad.iter().any(|file| others(server, *file, WRITE));
        let verb = if writable { "change" } else { "read" };
        let first = stores.first().cloned().unwrap_or_default();
        about(Severity::High, format!("Everybody on the machine can {verb} mail below {first}"), few).remedy(
            Remedy::new("Take the store from everybody but the user that Dovecot runs as.")
                .changes(bad.iter().map(|(path, file)| Change::mode(*path, file.mode & 0o7770)))
                .prove(format!("find {first} -perm /o=rwx | head")),
        )
    })
}

/// Where mail is stored: what Dovecot says, or the usual places.
fn stores(server: &Server<'_>) -> Vec<String> {
    let settings = ["mail_location", "mail_path", "mail_home"];
    let dovecot = server.dovecot().ok();
    let said = dovecot.iter().flat_map(|dovecot| settings.iter().filter_map(|name| dovecot.setting(name)));
    let mut stores: Vec<String> = said
        .filter_map(|value| {
            let path = value.get(value.find('/')?..)?;
            let fixed = path.split(['%', ':', '$']).next()?;
            Some(fixed.rsplit_once('/')?.0.to_owned()).filter(|path| path.len() > 1)
        })
        .collect();
    if stores.is_empty() {
        stores = ["/var/mail", "/var/vmail"].map(str::to_owned).to_vec();
    }
    stores.dedup();
    stores
}

fn is_mailbox(path: &str) -> bool {
    ["cur", "new", "tmp", "Maildir", "mdbox", "sdbox", "dbox-Mails"]
        .iter()
        .any(|name| path.ends_with(&format!("/{name}")))
}

pub(crate) static FIL_007: Check = Check {
    id: "FIL-007",
    title: "The mail log can be read or written by strangers",
    severity: Severity::Medium,
    why: "The log tells who writes to whom and which passwords were tried; who can write it can hide an attack, or have anybody banned.",
    proof: "Permissions of the mail logs and of the directories above them.",
    fix: "Give the log to root and the group adm with mode 0640, in the rules that create it too.",
    references: &["CIS Controls v8 8.3", "rsyslog: $FileCreateMode"],
    judge: fil_007,
};

fn fil_007(server: &Server<'_>) -> Judged {
    let logs = found(server, |path, file| file.kind == FileKind::Regular && is_mail_log(path));
    let written: Vec<Found<'_>> = logs.iter().copied().filter(|log| others(server, *log, WRITE)).collect();
    if !written.is_empty() {
        let finding = about(Severity::High, "Everybody on the machine can write into the mail log", &written);
        return Ok(Outcome::from(finding.remedy(chmod(
            "Take the log from everybody but root and adm.",
            0o640,
            &written,
        ))));
    }
    let read: Vec<Found<'_>> =
        logs.iter().copied().filter(|log| !in_volume(server, log.0) && others(server, *log, READ)).collect();
    of(server, logs.len(), &read, "mail logs", |read| {
        about(Severity::Low, "Everybody on the machine can read the mail log", read).remedy(chmod(
            "Take the log from everybody but root and adm, and set the mode where it is created.",
            0o640,
            read,
        ))
    })
}

/// Logs in which addresses of people are.
pub(crate) fn is_mail_log(path: &str) -> bool {
    let Some(rest) = path.strip_prefix("/var/log/") else { return false };
    let name = rest.rsplit('/').next().unwrap_or(rest);
    let names =
        ["mail.log", "mail.info", "mail.err", "mail.warn", "maillog", "dovecot", "rspamd.log", "postfix.log"];
    names.iter().any(|start| name.starts_with(start))
}

pub(crate) static FIL_013: Check = Check {
    id: "FIL-013",
    title: "A Sieve filter can be changed by strangers",
    severity: Severity::High,
    why: "Who writes a user's filter forwards or throws away that user's mail, unseen.",
    proof: "Permissions of the Sieve files of users and of the global ones.",
    fix: "Give the filter to the user of the store, with mode 0600.",
    references: &["RFC 5228 section 10", "Pigeonhole: sieve_before, sieve_after"],
    judge: fil_013,
};

fn fil_013(server: &Server<'_>) -> Judged {
    let all = found(server, |path, file| file.kind == FileKind::Regular && path.ends_with(".sieve"));
    let bad: Vec<Found<'_>> = all
        .iter()
        .copied()
        .filter(|file| others(server, *file, WRITE) || group_of_people(file.1, WRITE))
        .collect();
    of(server, all.len(), &bad, "Sieve filters", |bad| {
        about(Severity::High, "Others than their users can change Sieve filters", bad).remedy(chmod(
            "Take the filters from everybody but the user of the store.",
            0o600,
            bad,
        ))
    })
}

pub(crate) static FIL_014: Check = Check {
    id: "FIL-014",
    title: "Core dumps or traces of mail programs lie on the disk",
    severity: Severity::Low,
    why: "They hold what the program had in memory or on the wire: passwords, keys, mail.",
    proof: "Core files in Postfix's queue directory, /var/crash and systemd's store of core dumps, and Dovecot's raw logs.",
    fix: "Find out why the program crashed, then delete the files; switch raw logs off.",
    references: &["Postfix DEBUG_README", "Dovecot: rawlog"],
    judge: fil_014,
};

fn fil_014(server: &Server<'_>) -> Judged {
    let places = ["/var/spool/postfix", "/var/crash", "/var/lib/systemd/coredump"];
    let known = places.iter().filter(|place| server.facts.file(place).is_ok()).count();
    let left = found(server, is_leftover);
    if known == 0 && left.is_empty() {
        return could_not_tell("the places of core dumps were not looked at");
    }
    of(server, known, &left, "places of core dumps", |left| {
        let paths = left.iter().map(|(path, _)| *path).collect::<Vec<_>>().join(" ");
        about(Severity::Low, "Mail programs left core dumps or traces behind", left).remedy(
            Remedy::new("Look at what crashed, then delete the files.")
                .apply(format!("rm {paths}"))
                .prove(format!("ls {paths}")),
        )
    })
}

fn is_leftover(path: &str, file: &File) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let programs = [
        "smtpd",
        "smtp.",
        "cleanup",
        "qmgr",
        "postfix",
        "master",
        "dovecot",
        "imap",
        "pop3",
        "lmtp",
        "auth",
        "amavis",
        "rspamd",
        "opendkim",
        "opendmarc",
        "clamd",
        "spamd",
        "managesieve",
        "postscreen",
        "tlsproxy",
    ];
    let dumped = path.starts_with("/var/lib/systemd/coredump/") || path.starts_with("/var/crash/");
    let core = path.starts_with("/var/spool/postfix/") && (name == "core" || name.starts_with("core."));
    let rawlog = path.ends_with("/dovecot.rawlog") || path.ends_with("/rawlog");
    rawlog
        || (file.kind == FileKind::Regular
            && (core || dumped && programs.iter().any(|program| name.contains(program))))
}
