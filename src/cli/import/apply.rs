//! Brings along what was shown: the allowlist first, so that nobody on it is banned for a moment; then bans; then settings.

use std::path::Path;

use mailward_decide::Protection;
use mailward_model::{Ban, Timestamp};
use mailward_store::{Allowed as Entry, Batch, Decided, Store};
use mailward_web::{Method, Response, call};
use serde_json::json;

use super::bans::TOOL;
use super::jails::Allowed;
use super::view::ImportReport;
use crate::cli::remote::operator;
use crate::config::Settings;
use crate::config::discover::Host;
use crate::config::edit::{self, Edit};

/// Bans in one request: a document of the control socket is a mebibyte at the most.
const AT_ONCE: usize = 1_000;

/// Where everything goes.
pub(super) struct Target<'a> {
    pub(super) settings: &'a Settings,
    pub(super) config: &'a Path,
    pub(super) socket: &'a Path,
    pub(super) now: Timestamp,
}

/// Brings everything along, and notes what was done.
pub(super) fn all(
    to: &Target<'_>,
    edits: &[Edit],
    allowed: &[Allowed],
    bans: &[Ban],
    report: &mut ImportReport,
) -> anyhow::Result<()> {
    let running = call(to.socket, Method::Get, "/v1/allow", None).is_ok_and(|answer| answer.is_success());
    if running {
        by_daemon(to, allowed, bans, report)?;
    } else {
        by_store(to, allowed, bans, report)?;
    }
    if !edits.is_empty() {
        edit::write(to.config, edits)?;
        report.did(format!("{} setting(s) written to {}", edits.len(), to.config.display()));
        if running {
            report.next("Put the settings in force", "systemctl reload mailward");
        }
    }
    report.applied = true;
    Ok(())
}

fn by_daemon(
    to: &Target<'_>,
    allowed: &[Allowed],
    bans: &[Ban],
    report: &mut ImportReport,
) -> anyhow::Result<()> {
    for entry in allowed {
        let order =
            json!({ "network": entry.network.to_string(), "comment": entry.comment, "by": operator() });
        done(&call(to.socket, Method::Post, "/v1/allow", Some(&order))?)?;
    }
    let (mut banned, mut held) = (0, 0);
    for some in bans.chunks(AT_ONCE) {
        let order = |ban: &Ban| {
            let seconds = ban.until.map(|until| until.since(to.now).secs().max(1));
            json!({ "target": ban.target.to_string(), "seconds": seconds, "reason": ban.reason })
        };
        let orders: Vec<_> = some.iter().map(order).collect();
        let answer =
            call(to.socket, Method::Post, "/v1/import", Some(&json!({ "tool": TOOL, "bans": orders })))?;
        done(&answer)?;
        let number = |name: &str| answer.body.get(name).and_then(serde_json::Value::as_u64).unwrap_or(0);
        banned += number("banned");
        held += number("held");
        let refused =
            answer.body.get("refused").and_then(serde_json::Value::as_array).cloned().unwrap_or_default();
        report.forbidden.extend(refused.iter().filter_map(|why| why.as_str().map(str::to_owned)));
    }
    report.did(format!("{} network(s) allowed", allowed.len()));
    report.did(format!("{banned} ban(s) in force by the daemon, {held} held already"));
    Ok(())
}

fn done(answer: &Response) -> anyhow::Result<()> {
    let reason = answer.reason().unwrap_or("no reason given");
    anyhow::ensure!(answer.is_success(), "the daemon answered {}: {reason}", answer.status);
    Ok(())
}

/// Nobody else writes to the store while no daemon runs; the next one brings the bans into the kernel.
fn by_store(
    to: &Target<'_>,
    allowed: &[Allowed],
    bans: &[Ban],
    report: &mut ImportReport,
) -> anyhow::Result<()> {
    let mut store = Store::open(&to.settings.guard.state_directory.join("mailward.db"))?;
    let mut never = crate::setup::never_ban(to.settings, &Host::this());
    for entry in allowed {
        store.allow(&Entry {
            network: entry.network,
            comment: entry.comment.as_str().into(),
            until: None,
            created: to.now,
            by: operator().into(),
        })?;
    }
    for entry in store.allowlist()? {
        never.protect(entry.network, Protection::Allowed { comment: entry.comment.into() }, entry.until);
    }
    let known = store.active_bans(to.now)?;
    let new = |ban: &&Ban| !known.iter().any(|old| old.target == ban.target && old.end() >= ban.end());
    let cleared: Vec<Ban> = bans
        .iter()
        .filter(new)
        .filter_map(|ban| never.clear(ban.clone(), to.now).ok().map(mailward_decide::Cleared::into_ban))
        .collect();
    let decided: Vec<Decided<'_>> = cleared.iter().map(|ban| Decided { ban, signal: None }).collect();
    store.commit(&Batch { bans: &decided, ..Batch::default() })?;
    report.did(format!("{} network(s) allowed", allowed.len()));
    report.did(format!("{} ban(s) recorded; they are in force as soon as the daemon runs", cleared.len()));
    report.next("Start the daemon", "systemctl start mailward");
    Ok(())
}
