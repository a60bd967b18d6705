//! Files with passwords: of accounts, of databases and relays, in compose files and scripts.

use std::collections::BTreeSet;

use super::{Found, READ, about, chmod, found, group_of_people, in_volume, of, others};
use crate::check::{could_not_tell, pass};
use crate::dovecot::Dovecot;
use crate::facts::{File, FileKind};
use crate::plan::Change;
use crate::{Check, Finding, Judged, Outcome, Remedy, Server, Severity};

pub(crate) static FIL_003: Check = Check {
    id: "FIL-003",
    title: "A file of account passwords can be read by strangers",
    severity: Severity::High,
    why: "Hashes can be guessed offline at millions a second, unseen; one weak password opens a mailbox and sends spam.",
    proof: "Mode, owner and group of the files that Dovecot's password databases name and of those that hold accounts by convention, \
            and whether the directories above let others pass.",
    fix: "Give the file to root and Dovecot's group with mode 0640.",
    references: &["Dovecot: passwd-file"],
    judge: fil_003,
};

fn fil_003(server: &Server<'_>) -> Judged {
    let accounts = account_files(server);
    let all = found(server, |path, file| file.kind == FileKind::Regular && accounts.contains(path));
    let bad: Vec<Found<'_>> = all
        .iter()
        .copied()
        .filter(|file| !in_volume(server, file.0) && *file.0 != *"/etc/passwd")
        .filter(|file| others(server, *file, READ) || group_of_people(file.1, READ))
        .collect();
    of(server, all.len(), &bad, "files of account passwords", |bad| {
        let names = bad.iter().map(|(path, _)| *path).collect::<Vec<_>>().join(", ");
        about(Severity::High, format!("Others than Dovecot can read the passwords in {names}"), bad).remedy(
            chmod("Take the file from all but root and Dovecot.", 0o640, bad).changes(to_dovecot(bad)),
        )
    })
}

/// Files that a group of people may read go to Dovecot's group.
fn to_dovecot(files: &[Found<'_>]) -> Vec<Change> {
    let of_people = files.iter().filter(|(_, file)| file.group == "root" || group_of_people(file, READ));
    let change = |(path, _): &Found<'_>| Change::Access {
        file: (*path).to_owned(),
        mode: None,
        owner: None,
        group: Some("dovecot".to_owned()),
    };
    of_people.map(change).collect()
}

/// Files that hold accounts, by Dovecot's configuration and by convention.
fn account_files(server: &Server<'_>) -> BTreeSet<String> {
    let passdbs = server.dovecot().map(Dovecot::passdbs).unwrap_or_default();
    let named = passdbs.into_iter().filter_map(|passdb| passdb.path().map(str::to_owned));
    let by_convention = [
        "/etc/dovecot/userdb",
        "/etc/dovecot/users",
        "/etc/dovecot/passwd",
        "/etc/dovecot/masterdb",
        "/etc/sasldb2",
    ];
    named.filter(|path| !path.contains(".conf")).chain(by_convention.map(str::to_owned)).collect()
}

pub(crate) static FIL_004: Check = Check {
    id: "FIL-004",
    title: "A file with credentials can be read by strangers",
    severity: Severity::High,
    why: "Who has the password of the database, directory, relay or controller reads or changes all accounts, or sends in your name.",
    proof: "Files of Postfix, Dovecot and the filters that hold a password (SQL, LDAP, smtp_sasl_password_maps with its index, \
            doveadm, Rspamd's controller), their mode, owner and group, and whether the directories above let others pass.",
    fix: "Give the file to root and the program's group with mode 0640; 0600 where root alone reads it.",
    references: &["Postfix SASL_README: client passwords", "mysql_table(5)", "ldap_table(5)"],
    judge: fil_004,
};

fn fil_004(server: &Server<'_>) -> Judged {
    // Account passwords are FIL-003's.
    let accounts = account_files(server);
    let all = found(server, |path, file| {
        file.kind == FileKind::Regular
            && is_ours(path)
            && !accounts.contains(path)
            && has_credentials(path, file)
    });
    let looked = found(server, |path, file| file.kind == FileKind::Regular && is_ours(path)).len();
    let bad: Vec<Found<'_>> = all
        .into_iter()
        .filter(|file| !in_volume(server, file.0))
        .filter(|file| others(server, *file, READ) || group_of_people(file.1, READ))
        .collect();
    of(server, looked, &bad, "configuration files", |bad| {
        let names = bad.iter().map(|(path, _)| *path).collect::<Vec<_>>().join(", ");
        let finding = about(Severity::High, format!("Others can read the credentials in {names}"), bad);
        let lines = bad.iter().filter_map(|(path, file)| Some((*path, secret_line(file)?)));
        lines
            .fold(finding, |finding, (path, (number, line))| finding.seen(format!("{path}:{number}"), line))
            .remedy(chmod(
                "Take the file from all but the program that reads it, and change the password.",
                0o640,
                bad,
            ))
    })
}

fn is_ours(path: &str) -> bool {
    let trees = [
        "/etc/postfix/",
        "/etc/dovecot/",
        "/etc/rspamd/local.d/",
        "/etc/rspamd/override.d/",
        "/etc/rspamd/rspamd.conf.local",
        "/etc/amavis/",
        "/etc/spamassassin/",
        "/etc/opendmarc",
        "/etc/opendkim",
        "/etc/fail2ban/",
        "/tmp/docker-mailserver/",
    ];
    // The stock filters and actions of fail2ban speak of passwords without having one; what Rspamd's package brings is the same
    // on every host.
    trees.iter().any(|tree| path.starts_with(tree))
        && !path.starts_with("/etc/fail2ban/filter.d/")
        && !path.starts_with("/etc/fail2ban/action.d/")
}

fn has_credentials(path: &str, file: &File) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let relay = name.contains("sasl_passwd") || name == "postfix-sasl-password.cf";
    let accounts = name == "postfix-accounts.cf" || name == "dovecot-masters.cf";
    !accounts && (relay || secret_line(file).is_some())
}

/// The first line that is no comment and has a value which the probe hid.
fn secret_line(file: &File) -> Option<(usize, String)> {
    let lines = file.text.known()?.lines().enumerate();
    let hidden = |line: &&(usize, &str)| {
        let line = line.1.trim_start();
        !line.starts_with(['#', ';'])
            && !line.starts_with("//")
            && !line.contains("private key")
            && line.contains("***")
    };
    lines
        .map(|(at, line)| (at + 1, line))
        .find(|line| hidden(&line))
        .map(|(at, line)| (at, line.trim().to_owned()))
}

pub(crate) static FIL_011: Check = Check {
    id: "FIL-011",
    title: "A password stands in a compose file, an environment file or a script",
    severity: Severity::High,
    why: "Such files are copied, shared and kept in git; whoever gets one has the password, and a history never forgets it.",
    proof: "Lines of the compose file, the environment files beside it, and the scripts that root's jobs run, which give a value to a \
            name that speaks of a password. An environment file that root alone reads and that is in no git tree counts as a secret store.",
    fix: "Move the value into a file that only root reads (Docker secrets, `NAME__FILE`, systemd LoadCredential), and change the password.",
    references: &["CIS Controls v8 3.11", "Docker: secrets in Compose"],
    judge: fil_011,
};

fn fil_011(server: &Server<'_>) -> Judged {
    let looked = found(server, |path, file| file.text.known().is_some() && is_carried(path));
    let git = matches!(server.facts.file("/compose/.git"), Ok(Some(_)));
    let exposed = |(path, file): &Found<'_>| {
        let yaml = path.ends_with(".yaml") || path.ends_with(".yml");
        secret_line(file).is_some() && (yaml || git && path.starts_with("/compose/") || file.mode & 0o44 != 0)
    };
    let bad: Vec<Found<'_>> = looked.iter().copied().filter(exposed).collect();
    if looked.is_empty() {
        return could_not_tell(
            "neither a compose file, nor an environment file, nor a script of root's was read",
        );
    }
    if bad.is_empty() {
        return pass(format!("no password in {} files", looked.len()));
    }
    let findings = bad.iter().map(|(path, file)| {
        let (number, line) = secret_line(file).unwrap_or_default();
        let shown = path.strip_prefix("/compose/").unwrap_or(path);
        let finding = Finding::new(Severity::High, shown, format!("{shown} holds a password"))
            .seen(format!("{shown}:{number}"), line)
            .seen(shown, super::shown(file));
        let finding = if git { finding.seen(".git", "the directory is a git tree, whose history keeps what was committed") } else { finding };
        finding.remedy(
            Remedy::new("Put the value into a file of its own that only root reads, refer to that file, and change the password.")
                .apply(format!("chmod 0600 {shown}"))
                .prove(format!("grep -nEi '(pass|secret|token|key)[a-z_]*[=:]' {shown}")),
        )
    });
    Ok(Outcome::Fail(findings.collect()))
}

/// Files that are carried around or run by jobs.
fn is_carried(path: &str) -> bool {
    path.starts_with("/compose/")
        || path.starts_with("/etc/cron")
        || path.starts_with("/var/spool/cron/")
        || path.starts_with("/etc/systemd/system/")
        || ["/usr/local/", "/opt/", "/root/", "/srv/"].iter().any(|start| path.starts_with(start))
}
