//! Whom fail2ban has banned, and for how much longer.

use std::collections::BTreeMap;
use std::path::Path;

use mailward_audit::fail2ban::Fail2ban;
use mailward_decide::NeverBan;
use mailward_model::{Ban, Network, Origin, Span, Timestamp};
use mailward_store::fail2ban::{Banned, Fail2banError, bans};

/// fail2ban's name among those who ban.
pub(super) const TOOL: &str = "fail2ban";

/// What its database holds.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// What can be brought along: one ban of each target, the one that holds longest.
    pub(super) bans: Vec<Ban>,
    /// How many are over.
    pub(super) over: u64,
    /// Whom the never-ban list protects, and why.
    pub(super) forbidden: Vec<String>,
    /// What is no address.
    pub(super) odd: Vec<String>,
}

/// Reads the bans, and holds them against the never-ban list.
pub(super) fn read(
    database: &Path,
    fail2ban: &Fail2ban,
    never: &NeverBan,
    now: Timestamp,
) -> Result<Found, Fail2banError> {
    let mut found = Found::default();
    let mut longest: BTreeMap<Network, Ban> = BTreeMap::new();
    for banned in bans(database)? {
        let Ok(target) = banned.target.parse::<Network>() else {
            found.odd.push(banned.target);
            continue;
        };
        let ban = ban(target, &banned, fail2ban, now);
        if !ban.is_active(now) {
            found.over += 1;
            continue;
        }
        match longest.get(&target) {
            Some(known) if known.end() >= ban.end() => {}
            _ => _ = longest.insert(target, ban),
        }
    }
    for ban in longest.into_values() {
        match never.clear(ban, now) {
            Ok(cleared) => found.bans.push(cleared.into_ban()),
            Err(protected) => found.forbidden.push(protected.to_string()),
        }
    }
    Ok(found)
}

fn ban(target: Network, banned: &Banned, fail2ban: &Fail2ban, now: Timestamp) -> Ban {
    let jail = fail2ban.jails.iter().find(|jail| jail.name == banned.jail);
    let seconds = banned.seconds.or(jail.map(|jail| jail.ban_time)).unwrap_or(600);
    let until = u64::try_from(seconds)
        .ok()
        .map(|seconds| Timestamp::from_secs(banned.since).plus(Span::from_secs(seconds)));
    let times = match banned.times {
        0 | 1 => String::new(),
        times => format!(", {times} times"),
    };
    Ban {
        target,
        from: now,
        until,
        origin: Origin::Import,
        by: TOOL.into(),
        step: 0,
        reason: format!("banned by fail2ban's jail {}{times}", banned.jail).into(),
    }
}
