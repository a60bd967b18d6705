//! What is ordered of a guard at work, by a person or by SIGHUP, is done and stays done.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod live;

use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Instant;

use live::daemon::{Daemon, PATIENCE, Place, Said};
use live::kernel;
use live::mail_log::{MailLog, now, source};
use live::namespace::{Namespace, run};
use mailward_model::Span;
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_mailward");

fn fails(log: &mut MailLog, from: IpAddr, times: usize) {
    log.failures(std::iter::repeat_n(from, times));
}

/// What a command answers, as JSON; it has to succeed.
#[track_caller]
fn order(place: &Place, words: &[&str]) -> Value {
    let output = place.command(words).args(["--format", "json"]).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{words:?}: {error}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[track_caller]
fn waits_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
    }
}

fn kernel_holds(address: IpAddr) -> bool {
    kernel::banned().is_some_and(|ranges| kernel::holds(&ranges, address))
}

/// The bans that were told since somebody asked last; a ban of `last` is waited for, so that all before it were told.
fn banned_before(daemon: &mut Daemon, log: &mut MailLog, last: IpAddr) -> Vec<IpAddr> {
    fails(log, last, 3);
    daemon.bans(last);
    daemon.so_far().iter().filter_map(Said::banned).collect()
}

#[test]
fn a_reload_changes_mode_and_firewall() {
    let Some(_network) = Namespace::new("reload") else { return };
    let (place, guilty) = (Place::new(PROGRAM), source(0));
    place.change("\"enforce\"", "\"dry-run\"");
    let mut log = MailLog::new(&place.log);
    let mut daemon = place.guard();
    fails(&mut log, guilty, 3);
    assert_eq!(daemon.bans(guilty).json["dry_run"], true);
    assert_eq!(kernel::banned(), None);

    place.change("\"dry-run\"", "\"enforce\"");
    daemon.reload();
    fails(&mut log, guilty, 1);
    daemon.bans(guilty);
    assert!(kernel_holds(guilty), "told, and not in the kernel");

    place.configure("[firewall]\nports = [2525]\n");
    daemon.reload();
    assert!(run("nft list set inet mailward ports").contains("2525"));
    assert!(kernel_holds(guilty), "a reload lifts nothing");
    run("nft flush set inet mailward banned4");
    waits_until("nobody follows the table after a reload", || kernel_holds(guilty));

    place.configure("[firewall]\ntable = \"mailward_two\"\n");
    daemon.reload();
    assert_eq!(kernel::banned(), None, "the old table stays");
    assert!(run("nft list table inet mailward_two").contains(&guilty.to_string()));

    place.configure("[firewall]\nenabled = false\n");
    daemon.reload();
    assert_eq!(run("nft list tables"), "");
    assert!(place.has_finding("firewall.none"));
}

#[test]
fn an_unban_forgives() {
    let (place, guilty) = (Place::new(PROGRAM), source(0));
    let mut log = MailLog::new(&place.log);
    let mut daemon = place.guard_without_firewall();
    fails(&mut log, guilty, 3);
    daemon.bans(guilty);
    order(&place, &["unban", &guilty.to_string()]);
    fails(&mut log, guilty, 1);
    assert_eq!(banned_before(&mut daemon, &mut log, source(1)), [] as [IpAddr; 0]);

    daemon.reload();
    drop(daemon);
    let mut daemon = place.guard_without_firewall();
    fails(&mut log, guilty, 1);
    assert_eq!(banned_before(&mut daemon, &mut log, source(2)), [] as [IpAddr; 0]);
    fails(&mut log, guilty, 1);
    daemon.bans(guilty);
    let bans = order(&place, &["bans"]);
    let ban =
        bans["bans"].as_array().unwrap().iter().find(|ban| ban["target"] == guilty.to_string()).unwrap();
    assert_eq!(ban["step"], 1, "the ladder begins anew");
}

#[test]
fn an_unban_empties_the_kernel_where_bans_do_not_go_there_any_more() {
    let Some(_network) = Namespace::new("left") else { return };
    let place = Place::new(PROGRAM);
    MailLog::new(&place.log);
    let daemon = place.guard();
    let targets = ["198.18.7.0/24", "198.18.8.8"];
    for (target, length) in [(targets[0], "2h"), (targets[1], "2h"), ("198.18.7.64/26", "5h")] {
        order(&place, &["ban", target, "--for", length]);
    }
    let bans = order(&place, &["bans"]);
    assert!(bans["bans"].as_array().unwrap().iter().all(|ban| ban["in_kernel"] == true), "{bans}");
    daemon.terminate();
    let _daemon = place.guard_without_firewall();
    for target in targets {
        assert!(kernel_holds(target.trim_end_matches("/24").parse().unwrap()), "{target}");
        order(&place, &["unban", target]);
        assert!(!kernel_holds(target.trim_end_matches("/24").parse().unwrap()), "{target}");
    }
}

#[test]
fn an_allowlist_for_a_while_takes_nothing_from_the_configured_one() {
    let (place, ours) = (Place::new(PROGRAM), source(0));
    place.change("[never-ban]\n", "[never-ban]\nnetworks = [\"198.18.0.1\"]\n");
    MailLog::new(&place.log);
    let _daemon = place.guard_without_firewall();
    let ours = ours.to_string();
    order(&place, &["allow", &ours, "--for", "1h"]);
    order(&place, &["allow", &ours, "--remove"]);
    let output = place.command(&["ban", &ours]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("[never-ban] networks"), "{output:?}");
}

#[test]
fn a_shorter_ban_by_hand_is_as_short_after_a_restart() {
    let place = Place::new(PROGRAM);
    MailLog::new(&place.log);
    let daemon = place.guard_without_firewall();
    for length in ["5h", "1h"] {
        order(&place, &["ban", "198.18.7.7", "--for", length]);
    }
    let before = order(&place, &["bans"]);
    daemon.terminate();
    let _daemon = place.guard_without_firewall();
    let after = order(&place, &["bans"]);
    assert_eq!(after["bans"], before["bans"]);
    assert_eq!(after["total"], 1);
}

#[test]
fn what_is_read_of_long_ago_is_one_step_of_the_ladder() {
    let (place, guilty) = (Place::new(PROGRAM), source(0));
    let mut text = String::new();
    // More than is read at once lies between the failures.
    for minute in 0..9 {
        let at = now().minus(Span::from_hours(5)).plus(Span::from_mins(minute));
        let _ = writeln!(
            text,
            "{at} mail postfix/submission/smtpd[7]: warning: unknown[{guilty}]: SASL LOGIN authentication failed: \
             (reason unavailable), sasl_username=g{minute}@example.org"
        );
        for n in 0..3_000 {
            let _ = writeln!(text, "{at} mail postfix/qmgr[5]: {n:010X}{}: removed", "A".repeat(40));
        }
    }
    std::fs::write(&place.log, text).unwrap();
    let mut log = MailLog::new(&place.log);
    let mut daemon = place.guard_without_firewall();
    place.catches_up();
    assert_eq!(banned_before(&mut daemon, &mut log, source(1)), [guilty]);
    let bans = order(&place, &["bans"]);
    assert_eq!(bans["total"], 1, "the old one is over: {bans}");
}
