//! Killed with `kill -9` in the middle of its commits: nothing announced is lost, nothing counts twice.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use mailward_model::Program;
use mailward_store::{Batch, Counter, CursorAt, Decided, Recorded, Store, Tally};

use crate::make::{Place, at, ban, offence};

const STORE: &str = "MAILWARD_TEST_STORE";
const SOURCE: &str = "counter";
const KILLS: u64 = 50;

/// The state after `lines` lines of a log whose n-th line is an offence at second n, and every tenth of which is a ban.
fn check(store: &Store, announced: u64) -> u64 {
    let lines =
        store.cursor(SOURCE).unwrap().map_or(0, |cursor| u64::from_le_bytes(cursor.try_into().unwrap()));
    assert!(lines >= announced, "{announced} lines were announced and {lines} are there");
    let mut expected = 0;
    store
        .offences_since(at(0), |offence| {
            assert_eq!(offence.time, at(expected), "each line once");
            expected += 1;
        })
        .unwrap();
    assert_eq!(expected, lines as i64);
    let counted: u64 =
        store.hourly(at(0), at(i64::MAX / 2_000_000)).unwrap().iter().map(|tally| tally.count).sum();
    assert_eq!(counted, lines);
    let mut bans: Vec<_> = store.active_bans(at(0)).unwrap().iter().map(|ban| ban.from.secs()).collect();
    bans.sort_unstable();
    assert_eq!(bans, (0..lines as i64).step_by(10).collect::<Vec<_>>());
    store.check().unwrap();
    lines
}

fn target(n: i64) -> String {
    format!("{}", std::net::Ipv4Addr::from_bits(0xc612_0000 + n as u32))
}

/// Reads on from the cursor, in batches of 1 to 23 lines, and announces each commit.
#[test]
#[ignore = "the child that is killed; kill_minus_nine starts it"]
fn child_that_is_killed() {
    let Some(path) = std::env::var_os(STORE) else { return };
    let mut store = Store::open(Path::new(&path)).unwrap();
    let mut n =
        store.cursor(SOURCE).unwrap().map_or(0, |cursor| i64::from_le_bytes(cursor.try_into().unwrap()));
    loop {
        let end = n + 1 + n % 23;
        let offences: Vec<_> = (n..end).map(|n| offence(n, "192.0.2.1", Some("anna"))).collect();
        let recorded: Vec<_> = offences.iter().map(|offence| Recorded { offence, line: b"a line" }).collect();
        let bans: Vec<_> = (n..end).filter(|n| n % 10 == 0).map(|n| ban(&target(n), n, None)).collect();
        let decided: Vec<_> = bans.iter().map(|ban| Decided { ban, signal: None }).collect();
        let tally = |n| Tally { hour: at(n), counter: Counter::Lines(Program::Smtpd), count: 1 };
        let tallies: Vec<_> = (n..end).map(tally).collect();
        let cursors = [CursorAt { source: SOURCE, cursor: &end.to_le_bytes() }];
        let batch = Batch {
            cursors: &cursors,
            offences: &recorded,
            bans: &decided,
            tallies: &tallies,
            ..Batch::default()
        };
        store.commit(&batch).unwrap();
        n = end;
        println!("announced {n}");
    }
}

#[test]
fn kill_minus_nine() {
    let place = Place::new();
    let mut lines = 0;
    for kill in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::child_that_is_killed", "--ignored", "--nocapture"])
            .env(STORE, place.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        // From its first commit on, and at another place each time.
        let spared = 1 + kill * 7 % 40;
        let announcement = |line: String| line.strip_prefix("announced ").and_then(|n| n.parse().ok());
        let mut announced = output.by_ref().map(Result::unwrap).filter_map(announcement);
        let last: u64 = announced.nth(spared as usize - 1).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let last = announced.last().unwrap_or(last);
        let now = check(&Store::open_read_only(&place.path()).unwrap(), last);
        assert!(now > lines);
        lines = now;
    }
    assert_eq!(check(&place.open(), lines), lines);
}
