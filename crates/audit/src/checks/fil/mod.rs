//! Files and permissions.

mod config;
mod keys;
mod secrets;
mod store;

use crate::check::{could_not_tell, not_applicable};
use crate::facts::{Deployment, File, Known};
use crate::plan::Change;
use crate::{Check, Finding, Judged, NotYet, Outcome, Remedy, Server, Severity};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[
    &keys::FIL_001,
    &keys::FIL_002,
    &secrets::FIL_003,
    &secrets::FIL_004,
    &config::FIL_005,
    &store::FIL_006,
    &store::FIL_007,
    &config::FIL_008,
    &config::FIL_009,
    &config::FIL_010,
    &secrets::FIL_011,
    &keys::FIL_012,
    &store::FIL_013,
    &store::FIL_014,
];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[];

/// Permission bits of those who are neither the owner nor in the group.
const READ: u32 = 0o4;
const WRITE: u32 = 0o2;

/// The bit by which only the owner of a file may delete it from a directory.
const STICKY: u32 = 0o1000;

/// Groups whose members are programs that need to read keys and secrets of mail.
const SERVICES: [&str; 16] = [
    "root",
    "ssl-cert",
    "postfix",
    "dovecot",
    "mail",
    "vmail",
    "opendkim",
    "opendmarc",
    "_rspamd",
    "rspamd",
    "amavis",
    "Debian-exim",
    "docker",
    "sasl",
    "shadow",
    "wheel",
];

/// A file with its path.
type Found<'a> = (&'a str, &'a File);

/// The existing files for which something holds.
fn found<'a>(server: &Server<'a>, wanted: impl Fn(&str, &File) -> bool) -> Vec<Found<'a>> {
    let files = server.facts.files.iter();
    let known = files.filter_map(|(path, file)| Some((path.as_str(), file.known()?)));
    known.filter(|(path, file)| wanted(path, file)).collect()
}

/// Owner, group and mode, as people write them.
fn shown(file: &File) -> String {
    format!("mode {:04o}, owner {}:{}", file.mode, file.owner, file.group)
}

/// Whether strangers can do something with a file: they have the permission, and pass all directories above it.
fn others(server: &Server<'_>, (path, file): Found<'_>, bits: u32) -> bool {
    file.mode & bits != 0 && passable(server, path)
}

fn passable(server: &Server<'_>, path: &str) -> bool {
    above(path).all(|parent| match server.facts.files.get(parent) {
        Some(Known::Is(parent)) => parent.mode & 0o1 != 0,
        _ => true,
    })
}

/// Whether the group that may read a file is one of people rather than of the mail server's programs. A number is a group of another
/// machine or container, of which nothing is known.
fn group_of_people(file: &File, bits: u32) -> bool {
    let number = file.group.bytes().all(|byte| byte.is_ascii_digit());
    file.mode & (bits << 3) != 0
        && !number
        && file.group != file.owner
        && !SERVICES.contains(&file.group.as_str())
}

/// The directories above a path, the nearest first.
fn above(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(path.rsplit_once('/'), |(parent, _)| parent.rsplit_once('/'))
        .map(|(parent, _)| parent)
        .filter(|parent| !parent.is_empty())
}

/// Whether a file lies in a volume of a container. There, others are only its daemons; whether the machine's users get at the volume is
/// decided by directories on the machine, which are not seen.
fn in_volume(server: &Server<'_>, path: &str) -> bool {
    let container = server.facts.about.deployment == Deployment::DockerMailserver;
    container
        && ["/tmp/docker-mailserver/", "/var/log/mail/", "/var/mail/"]
            .iter()
            .any(|start| path.starts_with(start))
}

/// One finding about all files that have a weakness.
fn about(severity: Severity, summary: impl Into<String>, files: &[Found<'_>]) -> Finding {
    let finding = Finding::new(severity, "", summary);
    files.iter().fold(finding, |finding, (path, file)| finding.seen(*path, shown(file)))
}

/// What gives files a mode.
fn chmod(advice: &str, mode: u32, files: &[Found<'_>]) -> Remedy {
    let paths = paths(files);
    Remedy::new(advice)
        .changes(files.iter().map(|(path, _)| Change::mode(*path, mode)))
        .prove(format!("stat -L -c '%a %U:%G %n' {paths}"))
}

/// What gives files to root and takes write permission from all others.
fn to_root(advice: &str, files: &[Found<'_>]) -> Remedy {
    let paths = paths(files);
    Remedy::new(advice)
        .changes(files.iter().map(|(path, file)| Change::Access {
            file: (*path).to_owned(),
            mode: Some(file.mode & 0o7755),
            owner: Some("root".to_owned()),
            group: Some("root".to_owned()),
        }))
        .prove(format!("stat -L -c '%a %U:%G %n' {paths}"))
}

fn paths(files: &[Found<'_>]) -> String {
    files.iter().map(|(path, _)| *path).collect::<Vec<_>>().join(" ")
}

/// Passes if none of the files that matter is bad.
fn of(
    server: &Server<'_>,
    looked_at: usize,
    bad: &[Found<'_>],
    what: &str,
    finding: impl FnOnce(&[Found<'_>]) -> Finding,
) -> Judged {
    if !bad.is_empty() {
        return Ok(Outcome::from(finding(bad)));
    }
    if looked_at > 0 {
        return Ok(Outcome::Pass(format!("{looked_at} {what} looked at")));
    }
    // Where the tree could be read, what was not seen is not there.
    let files = &server.facts.files;
    match files.is_empty() || files.values().any(|file| matches!(file, Known::Unread(_))) {
        true => could_not_tell(format!("no {what} were seen")),
        false => not_applicable(format!("there are no {what}")),
    }
}
