//! Doors inside: sockets that other programs of the machine, or other machines, may use.

use super::applied;
use crate::check::pass;
use crate::dovecot::{Dovecot, Listener, Socket};
use crate::facts::{FileKind, Known};
use crate::plan::Change;
use crate::{Check, Evidence, Finding, Judged, Remedy, Server, Severity};

pub(super) static DOV_013: Check = Check {
    id: "DOV-013",
    title: "Sockets of auth or doveadm are open to every local user",
    severity: Severity::Medium,
    why: "Every program of the machine, a web application with a hole for one, can try passwords there without delay, or look up and act for any user.",
    proof: "The effective mode of each unix_listener of auth, doveadm and dict, and of the live socket where it was looked at, unless its directory keeps others out.",
    fix: "Mode 0660 with the group of the one program that needs it.",
    references: &["https://doc.dovecot.org/2.4.1/core/config/service.html#unix-listeners"],
    judge: dov_013,
};

pub(super) static DOV_014: Check = Check {
    id: "DOV-014",
    title: "Internal services of Dovecot are reachable over the network",
    severity: Severity::High,
    why: "doveadm acts for every user, auth tries passwords without limit, and LMTP takes mail without a filter; all of them trust whoever connects.",
    proof: "Effective inet listeners of internal services on addresses that are not loopback.",
    fix: "Use unix sockets, or listen on 127.0.0.1; across machines, use TLS, a long doveadm_password and a firewall rule for the one peer.",
    references: &["https://doc.dovecot.org/2.4.1/core/admin/doveadm_http_api.html"],
    judge: dov_014,
};

/// Sockets that are safe at 0666: Dovecot itself answers there only what concerns the asker (auth-userdb), or the door to them is a
/// directory of its own (login/, token-login/). LMTP takes what `sendmail` takes from everybody, too.
const MEANT_OPEN: [&str; 3] = ["auth-userdb", "login/login", "token-login/tokenlogin"];

const GUARDED: [&str; 4] = ["auth", "auth-worker", "doveadm", "dict"];

const INTERNAL: [&str; 12] = [
    "auth",
    "auth-worker",
    "doveadm",
    "dict",
    "dict-async",
    "lmtp",
    "stats",
    "old-stats",
    "director",
    "replicator",
    "anvil",
    "indexer",
];

fn path(dovecot: &Dovecot, listener: &Listener) -> String {
    if listener.name.starts_with('/') {
        return listener.name.clone();
    }
    format!(
        "{}/{}",
        dovecot.setting("base_dir").unwrap_or("/run/dovecot").trim_end_matches('/'),
        listener.name
    )
}

/// Whether a directory on the way keeps others out. Postfix's `private` is its own alone (0700) wherever nobody looked.
fn is_shut(server: &Server<'_>, path: &str) -> bool {
    let mut directory = path;
    while let Some((parent, _)) = directory.rsplit_once('/') {
        match server.facts.files.get(parent) {
            Some(Known::Is(file)) if file.kind == FileKind::Directory && file.mode & 0o001 == 0 => {
                return true;
            }
            Some(Known::Is(_)) => {}
            _ if parent.ends_with("/private") => return true,
            _ => {}
        }
        directory = parent;
    }
    false
}

/// The mode that holds: the live socket's, or the configured one.
fn mode(server: &Server<'_>, path: &str, configured: u32) -> (u32, String) {
    match server.facts.files.get(path) {
        Some(Known::Is(file)) if file.kind == FileKind::Socket => {
            (file.mode & 0o777, format!("the socket {path}"))
        }
        _ => (configured, "doveconf -n".to_owned()),
    }
}

fn dov_013(server: &Server<'_>) -> Judged {
    let dovecot = server.dovecot()?;
    let mut open = Vec::new();
    for listener in dovecot.listeners() {
        let Socket::Unix { mode: configured, .. } = listener.socket else { continue };
        if !GUARDED.contains(&listener.service.as_str()) || MEANT_OPEN.contains(&listener.name.as_str()) {
            continue;
        }
        let path = path(dovecot, &listener);
        let (mode, place) = mode(server, &path, configured);
        if mode & 0o002 != 0 && !is_shut(server, &path) {
            open.push((listener, Evidence { place, seen: format!("{path} has mode 0{mode:o}") }));
        }
    }
    if open.is_empty() {
        return pass("sockets of auth, doveadm and dict keep other users out");
    }
    let names: Vec<_> = open.iter().map(|(listener, _)| listener.name.as_str()).collect();
    let shut: Vec<_> = open
        .iter()
        .map(|(listener, _)| {
            let blocks =
                [format!("service {}", listener.service), format!("unix_listener {}", listener.name)];
            Change::dovecot(&blocks.each_ref().map(String::as_str), "mode", "0660")
        })
        .collect();
    let finding =
        Finding::new(Severity::Medium, "", format!("every local user may write to {}", names.join(", ")))
            .cause("unix_listener mode")
            .all_seen(open.iter().map(|(_, evidence)| evidence.clone()));
    let remedy =
        Remedy::new("Let only the program that needs a socket use it, by owner or group.").changes(shut);
    Ok(finding.remedy(applied(server, remedy, "doveconf service/auth")).into())
}

fn dov_014(server: &Server<'_>) -> Judged {
    let dovecot = server.dovecot()?;
    let open: Vec<_> = dovecot
        .listeners()
        .into_iter()
        .filter(|listener| listener.is_remote() && INTERNAL.contains(&listener.service.as_str()))
        .collect();
    let port = dovecot.setting("doveadm_port").unwrap_or("0");
    if open.is_empty() {
        return pass(format!(
            "auth, doveadm, LMTP and the like listen on unix sockets and loopback only (doveadm_port = {port})"
        ));
    }
    let findings = open.iter().map(|listener| reachable(server, listener)).collect();
    Ok(crate::Outcome::Fail(findings))
}

fn reachable(server: &Server<'_>, listener: &Listener) -> Finding {
    let Socket::Inet { port, addresses, tls, .. } = &listener.socket else {
        return Finding::new(Severity::High, "", "");
    };
    let subject = format!("{} port {port}", listener.service);
    let on = addresses.join(", ");
    let with = if *tls { "" } else { ", without TLS" };
    let blocks = [
        format!("service {}", listener.service),
        format!("inet_listener {}", listener.name).trim_end().to_owned(),
    ];
    let remedy = Remedy::new("Listen on loopback, or take the listener out.").change(Change::dovecot(
        &blocks.each_ref().map(String::as_str),
        "address",
        "127.0.0.1",
    ));
    Finding::new(
        Severity::High,
        subject,
        format!("{} listens on port {port} of {on}{with}", listener.service),
    )
    .cause(format!("service {}", listener.service))
    .seen(
        "doveconf -n",
        format!(
            "inet_listener {}: port = {port}, address = {on}, ssl = {}",
            listener.name,
            if *tls { "yes" } else { "no" }
        ),
    )
    .remedy(applied(server, remedy, &format!("doveconf service/{}", listener.service)))
}
