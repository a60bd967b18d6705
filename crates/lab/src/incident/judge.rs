//! Holds what a replay decided against the answer key.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use serde::Deserialize;

use crate::bans::Ban;

/// What of the answer key matters here.
#[derive(Debug, Deserialize)]
struct Key {
    attacks: BTreeMap<String, Campaign>,
    never_ban: Vec<IpAddr>,
}

#[derive(Debug, Deserialize)]
struct Campaign {
    count: u32,
    first: String,
    sources: BTreeMap<IpAddr, u32>,
}

/// How the attackers and the innocents of the incident fared.
#[derive(Debug)]
pub struct Verdict {
    /// A table for the terminal.
    pub table: String,
    /// Attackers' addresses that were banned.
    pub banned: usize,
    /// Attackers' addresses.
    pub attackers: usize,
    /// Innocents that were banned; none of these may be.
    pub innocents: Vec<IpAddr>,
}

/// Judges the JSON lines of `mailward replay` over the incident's log.
///
/// # Errors
/// When the answer key cannot be read.
pub fn judge(truth: &str, replay: &str) -> Result<Verdict> {
    let key: Key = serde_json::from_str(truth).context("truth.json")?;
    let bans: Vec<Ban> = replay.lines().filter_map(Ban::parse).collect();
    let covered = |address: &IpAddr| bans.iter().any(|ban| ban.covers(*address));
    let mut table = String::from("| attack | offences | sources | banned | after |\n|---|--:|--:|--:|--:|\n");
    let (mut banned, mut attackers) = (0, 0);
    for (name, campaign) in &key.attacks {
        let here = campaign.sources.keys().filter(|&source| covered(source)).count();
        let after =
            seconds_to_ban(campaign, &bans).map_or("-".to_owned(), |seconds| format!("{seconds:.0} s"));
        let _ = writeln!(
            table,
            "| {name} | {} | {} | {here} | {after} |",
            campaign.count,
            campaign.sources.len()
        );
        banned += here;
        attackers += campaign.sources.len();
    }
    let innocents = key.never_ban.iter().copied().filter(covered).collect();
    Ok(Verdict { table, banned, attackers, innocents })
}

/// From a campaign's first offence to the first ban of one of its sources.
fn seconds_to_ban(campaign: &Campaign, bans: &[Ban]) -> Option<f64> {
    let first: Timestamp = campaign.first.parse().ok()?;
    let hits = bans.iter().filter(|ban| campaign.sources.keys().any(|source| ban.covers(*source)));
    let ban = hits.filter_map(|ban| ban.time).min()?;
    // Dovecot may show a wrong password seconds before Postfix writes the decisive line.
    Some(ban.duration_since(first).as_secs_f64().max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ban_of_a_network_may_hit_an_innocent() {
        let [_, (_, truth), _] = super::super::files().unwrap();
        let ban = |target: &str| {
            format!(r#"{{"event":"ban","time":"2026-02-17T21:50:00Z","target":"{target}","reason":"x"}}"#)
        };
        let good = judge(&truth, &format!("{}\n{{\"event\":\"signal\"}}\n", ban("203.0.113.9"))).unwrap();
        assert_eq!((good.banned, good.innocents.len()), (1, 0));
        assert!(good.table.contains("| pregreet | 7 | 1 | 1 | 4"), "{}", good.table);
        let harsh = judge(&truth, &ban("192.0.2.0/24")).unwrap();
        assert_eq!(harsh.banned, 21);
        assert_eq!(harsh.innocents, ["192.0.2.219".parse::<IpAddr>().unwrap()]);
    }
}
