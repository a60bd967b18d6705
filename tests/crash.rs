//! The daemon is killed, starved of disk, robbed of its rules, and restarted: what it announced holds, and no line counts twice.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod live;

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use live::daemon::{PATIENCE, Place, Said};
use live::kernel::{self, Range};
use live::mail_log::{MailLog, now, source};
use live::namespace::{Namespace, run};
use live::random::Random;
use live::stop::Stop;
use mailward_model::{Ban, Network, OffenceKind, Origin, Span, Timestamp};
use mailward_store::{Batch, Counter, Decided, Store, Tally};
use rusqlite::{Connection, OpenFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with};
use rustix::process::{Pid, Signal, kill_process};

const PROGRAM: &str = env!("CARGO_BIN_EXE_mailward");

/// How often the guard is killed; `MAILWARD_KILLS=200` is the full run.
fn kills() -> u64 {
    std::env::var("MAILWARD_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(40)
}

/// The seed; `MAILWARD_SEED` gives another run.
fn seed() -> u64 {
    std::env::var("MAILWARD_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(0x6d61_696c)
}

#[test]
fn killed_again_and_again_nothing_announced_is_lost_and_no_line_counts_twice() {
    let Some(_network) = Namespace::new("kill") else { return };
    let place = Place::new(PROGRAM);
    // Where a log is read from its beginning, what was rotated away before is history.
    let mut daemon = place.guard();
    let mut log = MailLog::new(&place.log);
    log.failures([source(0); 3].into_iter());
    daemon.bans(source(0));
    daemon.kill();
    let mut announced = BTreeMap::from([(source(0), "at the beginning")]);
    let stop = AtomicBool::new(false);
    let mut written = scope(|scope| {
        let writer = scope.spawn(|| write_under_load(log, &stop));
        let stopping = Stop(&stop);
        kill_at_random(&place, &mut announced);
        drop(stopping);
        writer.join().unwrap()
    });

    let mut daemon = place.guard();
    let last = "203.0.113.77".parse().unwrap();
    written.log.failures([last; 3].into_iter());
    daemon.bans(last);
    place.catches_up();
    let (status, said) = daemon.terminate();
    assert_eq!(status.code(), Some(0));
    note(&mut announced, &said);
    announced.insert(last, "at the end");

    let in_kernel = kernel::banned().unwrap();
    lines_count_once(&place, &written.log);
    store_and_kernel_agree(&place, &in_kernel);
    let in_store = bans_in_store(&place);
    for (address, when) in &announced {
        assert!(in_store.contains(address), "{address}, announced {when}, is not in the store");
        assert!(kernel::holds(&in_kernel, *address), "{address}, announced {when}, is not in the kernel");
    }
    let missed: Vec<_> = written.guilty().filter(|address| !kernel::holds(&in_kernel, *address)).collect();
    assert!(missed.is_empty(), "three failures and no ban: {missed:?}");
    let (lines, bans) = (written.log.lines, announced.len());
    eprintln!(
        "{} kills, {lines} lines, {} failed logins, {} rotations, {bans} bans announced",
        kills(),
        written.log.failures,
        written.rotations
    );
    assert!(bans >= 50, "{bans} bans are too few to tell anything");
}

/// What the writer wrote.
struct Written {
    log: MailLog,
    failures: BTreeMap<IpAddr, u32>,
    rotations: u32,
}

impl Written {
    /// Who is to be banned by the first rule of all.
    fn guilty(&self) -> impl Iterator<Item = IpAddr> {
        self.failures.iter().filter(|(_, count)| **count >= 3).map(|(address, _)| *address)
    }
}

/// Writes a log without rest: an attacker begins every now and then, and some of them come until they are banned and on.
fn write_under_load(log: MailLog, stop: &AtomicBool) -> Written {
    let (mut random, mut attackers) = (Random(seed()), 8);
    let mut written = Written { log, failures: BTreeMap::new(), rotations: 0 };
    while !stop.load(Ordering::Relaxed) {
        match random.below(400) {
            0 => {
                written.log.rotate_by_rename(&mut random);
                written.rotations += 1;
            }
            1 => {
                written.log.rotate_by_copy();
                written.rotations += 1;
            }
            2..8 => attackers += 1,
            8..28 => {
                let from = source(attackers - random.below(8) as u32);
                *written.failures.entry(from).or_default() += 1;
                written.log.failure(from);
            }
            _ => written.log.daily_life(&mut random),
        }
        // The load: about a thousand lines a second.
        sleep(random.up_to(Duration::from_millis(2)));
    }
    written
}

/// Starts the guard and kills it, now while it starts and now while it guards; looks at the kernel whenever it has started.
fn kill_at_random(place: &Place, announced: &mut BTreeMap<IpAddr, &'static str>) {
    let mut random = Random(seed() ^ 1);
    for round in 0..kills() {
        let began = Instant::now();
        let mut daemon = place.start();
        if random.one_in(3) {
            sleep(random.up_to(Duration::from_millis(60)));
        } else {
            daemon.guards();
            let in_kernel = kernel::banned().unwrap();
            for (address, when) in &*announced {
                assert!(
                    kernel::holds(&in_kernel, *address),
                    "{address}, announced {when}, is not in the kernel after restart {round}"
                );
            }
            sleep(random.up_to(Duration::from_millis(300)));
        }
        let said = daemon.kill();
        note(announced, &said);
        assert!(began.elapsed() < PATIENCE);
    }
}

fn note(announced: &mut BTreeMap<IpAddr, &'static str>, said: &[Said]) {
    for banned in said.iter().filter_map(Said::banned) {
        announced.insert(banned, "before a kill");
    }
    let refused: Vec<_> = said.iter().filter(|said| said.json["event"] == "refused").collect();
    assert!(refused.is_empty(), "{:?}", refused.first().map(|said| &said.json));
}

/// Every line that was written is counted once, and every failed login is recorded once.
fn lines_count_once(place: &Place, log: &MailLog) {
    let store = Store::open_read_only(&place.database()).unwrap();
    store.check().unwrap();
    let hours = store.hourly(Timestamp::from_secs(0), now()).unwrap();
    let lines: u64 = hours
        .iter()
        .filter(|tally| matches!(tally.counter, Counter::Lines(_)))
        .map(|tally| tally.count)
        .sum();
    let mut recorded = BTreeMap::new();
    let connection = Connection::open_with_flags(place.database(), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut rows = connection
        .prepare("SELECT account, count, line FROM offence WHERE account LIKE 'g%@example.org'")
        .unwrap();
    let rows = rows.query_map([], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, Vec<u8>>(2)?))
    });
    for row in rows.unwrap() {
        let (account, count, line) = row.unwrap();
        assert!(
            String::from_utf8_lossy(&line).contains(&account),
            "{account}: {}",
            String::from_utf8_lossy(&line)
        );
        *recorded.entry(account).or_insert(0) += count;
    }
    for n in 1..=log.failures {
        let account = format!("g{n}@example.org");
        let count = recorded.remove(&account).unwrap_or(0);
        assert_eq!(count, 1, "times that the failed login of {account} counts");
    }
    assert_eq!(recorded, BTreeMap::new());
    assert_eq!(lines, log.lines, "lines counted and lines written");
}

fn store_and_kernel_agree(place: &Place, in_kernel: &[Range]) {
    let store = Store::open_read_only(&place.database()).unwrap();
    let active = store.active_bans(now()).unwrap();
    let desired = kernel::merged(active.iter().map(|ban| kernel::range_of(ban.target)).collect());
    assert_eq!(kernel::merged(in_kernel.to_vec()), desired);
}

fn bans_in_store(place: &Place) -> HashSet<IpAddr> {
    let store = Store::open_read_only(&place.database()).unwrap();
    let active = store.active_bans(now()).unwrap();
    active.iter().filter(|ban| ban.target.is_host()).map(|ban| ban.target.address()).collect()
}

/// Waits until something is so, at most so long; how long it took.
fn until(what: &str, limit: Duration, mut is_so: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < limit, "not within {limit:?}: {what}");
        sleep(Duration::from_millis(5));
    }
    began.elapsed()
}

#[test]
fn told_to_end_it_commits_what_it_read() {
    let Some(_network) = Namespace::new("term") else { return };
    let place = Place::new(PROGRAM);
    let mut log = MailLog::new(&place.log);
    for round in 0..5 {
        let mut daemon = place.guard();
        let from = source(round);
        log.failures([from; 5].into_iter());
        // In the same moment as the ban, two further lines are read: they must not be lost or counted again.
        daemon.bans(from);
        let (status, _) = daemon.terminate();
        assert_eq!(status.code(), Some(0));
        assert!(bans_in_store(&place).contains(&from));
        assert!(kernel::holds(&kernel::banned().unwrap(), from), "{from}");
    }
    let daemon = place.guard();
    place.catches_up();
    assert_eq!(daemon.terminate().0.code(), Some(0));
    lines_count_once(&place, &log);
}

#[test]
fn a_full_disk_stops_no_ban_and_loses_nothing() {
    let Some(_network) = Namespace::new("full") else { return };
    let place = Place::new(PROGRAM);
    fs::create_dir(&place.state).unwrap();
    let state = place.state.display().to_string();
    run(&format!("mount -t tmpfs -o size=1m,mode=700 mailward-crash {state}"));
    let unmount = Unmount(state);
    let mut log = MailLog::new(&place.log);
    let mut daemon = place.guard();
    log.failures([source(0); 3].into_iter());
    daemon.bans(source(0));

    let filler = place.state.join("filler");
    let mut file = fs::File::create(&filler).unwrap();
    while file.write_all(&[0; 4_096]).is_ok() {}
    drop(file);
    // Frames of the write-ahead log that are there already can take some more.
    let mut sources = (1..).map(source);
    until("the store is reported as failed", PATIENCE, || {
        log.failures(sources.by_ref().take(5));
        place.has_finding("store.failed")
    });
    let _ = daemon.so_far();
    let unkept: Vec<IpAddr> = sources.by_ref().take(20).collect();
    log.failures(unkept.iter().flat_map(|from| [*from; 3]));
    until("bans reach the kernel", PATIENCE, || {
        let banned = kernel::banned().unwrap();
        unkept.iter().all(|from| kernel::holds(&banned, *from))
    });
    let early = daemon.so_far();
    assert!(early.iter().all(|said| said.json["event"] != "ban"), "announced, and not on the disk");

    fs::remove_file(&filler).unwrap();
    until("the store goes on", PATIENCE, || !place.has_finding("store.failed"));
    unkept.iter().for_each(|from| drop(daemon.bans(*from)));
    assert!(unkept.iter().all(|from| bans_in_store(&place).contains(from)));
    let status = place.status();
    assert_eq!(status["findings"].as_array().map(Vec::len), Some(0), "{}", status["findings"]);
    place.catches_up();
    assert_eq!(daemon.terminate().0.code(), Some(0));
    lines_count_once(&place, &log);
    store_and_kernel_agree(&place, &kernel::banned().unwrap());
    drop(unmount);
}

/// A file system that goes with this value.
struct Unmount(String);

impl Drop for Unmount {
    fn drop(&mut self) {
        let _ = Command::new("/usr/bin/umount").args(["-l", &self.0]).status();
    }
}

/// Nobody reads what the guard says: it bans all the same, and tells afterwards how much was not told.
#[test]
fn a_reader_of_its_output_that_stands_still_holds_up_no_ban() {
    let Some(_network) = Namespace::new("still") else { return };
    let place = Place::new(PROGRAM);
    let mut log = MailLog::new(&place.log);
    let mut command = place.guard_command();
    let mut guard = command.arg("--all").stdout(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(guard.stdout.take().unwrap());
    let mut started = String::new();
    out.read_line(&mut started).unwrap();
    assert!(started.contains("guarding"), "{started}");
    // More than waits for a reader, and more than a pipe holds.
    log.failures(std::iter::repeat_n(source(0), 60_000));
    place.catches_up();
    let last = source(1);
    log.failures([last; 3].into_iter());
    until("the ban is in the kernel", PATIENCE, || {
        kernel::banned().is_some_and(|banned| kernel::holds(&banned, last))
    });
    let reader = std::thread::spawn(move || out.lines().map(Result::unwrap).collect::<Vec<String>>());
    kill_process(Pid::from_child(&guard), Signal::TERM).unwrap();
    assert_eq!(guard.wait().unwrap().code(), Some(0));
    let said = reader.join().unwrap();
    let told = said.iter().filter(|line| line.contains("were not told: nobody read standard output")).count();
    assert!(told >= 1, "{} lines, the last: {:?}", said.len(), said.last());
    assert!(said.last().is_some_and(|line| line.contains("stopped")));
}

#[test]
fn what_is_old_is_forgotten_bit_by_bit_and_soon() {
    let Some(_network) = Namespace::new("old") else { return };
    let place = Place::new(PROGRAM);
    fs::File::create(&place.log).unwrap();
    let old =
        Tally { hour: Timestamp::from_secs(0), counter: Counter::Offences(OffenceKind::Spam), count: 1 };
    let after = |hours: i64| Timestamp::from_secs(hours * 3_600);
    let tallies: Vec<Tally> = (0..2_500).map(|n| Tally { hour: after(n), ..old }).collect();
    let mut store = Store::open(&place.database()).unwrap();
    store.commit(&Batch { tallies: &tallies, ..Batch::default() }).unwrap();
    drop(store);
    let _daemon = place.guard();
    // A thousand at a time.
    until("all three thousand are forgotten", PATIENCE, || {
        let store = Store::open_read_only(&place.database()).unwrap();
        store.hourly(after(0), after(2_500)).unwrap().is_empty()
    });
}

#[test]
fn a_damaged_store_is_refused_with_what_to_do() {
    let Some(_network) = Namespace::new("torn") else { return };
    let place = Place::new(PROGRAM);
    let mut log = MailLog::new(&place.log);
    let mut daemon = place.guard();
    log.failures([source(0); 3].into_iter());
    daemon.bans(source(0));
    daemon.terminate();
    let whole = fs::read(place.database()).unwrap();
    let damages: [(&str, u64); 2] = [("the header", 0), ("a table", 4_096)];
    for (what, at) in damages {
        fs::write(place.database(), &whole).unwrap();
        let mut file = fs::OpenOptions::new().write(true).open(place.database()).unwrap();
        file.seek(SeekFrom::Start(at)).unwrap();
        let rest = (whole.len() as u64 - at).min(16 * 4_096) as usize;
        file.write_all(&vec![0xA5; rest]).unwrap();
        let output = place.guard_command().output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{what}: {told}");
        let path = place.database().display().to_string();
        for word in [path.as_str(), "damaged", "systemctl stop mailward"] {
            assert!(told.contains(word), "{what}, {word}: {told}");
        }
    }
    // What the kernel held stays while nobody guards.
    assert!(kernel::holds(&kernel::banned().unwrap(), source(0)));
}

#[test]
fn rules_that_others_flush_are_back_within_a_second() {
    let Some(_network) = Namespace::new("flush") else { return };
    let place = Place::new(PROGRAM);
    let mut log = MailLog::new(&place.log);
    let mut daemon = place.guard();
    let sources: Vec<IpAddr> = (0..200).map(source).collect();
    log.failures(sources.iter().flat_map(|from| [*from; 3]));
    sources.iter().for_each(|from| drop(daemon.bans(*from)));
    let robberies = [
        "nft flush ruleset",
        "nft delete table inet mailward",
        "nft flush set inet mailward banned4",
        "nft flush table inet mailward",
        "nft flush ruleset",
    ];
    for robbery in robberies {
        let (whole, rules) = (kernel::banned().unwrap(), rules());
        run(robbery);
        let took = until(robbery, Duration::from_secs(1), || {
            kernel::banned().is_some_and(|banned| banned == whole) && self::rules() == rules
        });
        eprintln!("{robbery}: back after {took:?}");
    }
    let status = place.status();
    assert_eq!(status["firewall"]["repairs"], robberies.len(), "{}", status["firewall"]);
}

/// The rules of the table, without sets and counts.
fn rules() -> Vec<String> {
    let mut listing = Command::new("/usr/sbin/nft");
    let output = listing.args(["-s", "list", "table", "inet", "mailward"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(str::trim)
        .filter(|line| line.contains(" @") || line.contains("hook"))
        .map(str::to_owned)
        .collect()
}

/// A start that is killed while it puts thousands of bans right, in a kernel that has them all, half of them, or none.
#[test]
fn killed_while_it_starts_no_ban_leaves_the_kernel() {
    let Some(_network) = Namespace::new("start") else { return };
    let place = Place::new(PROGRAM);
    fs::File::create(&place.log).unwrap();
    let bans: Vec<Ban> = (0..5_000).map(|n| ban_of(Network::host(source(n)))).collect();
    let decided: Vec<_> = bans.iter().map(|ban| Decided { ban, signal: None }).collect();
    let mut store = Store::open(&place.database()).unwrap();
    store.commit(&Batch { bans: &decided, ..Batch::default() }).unwrap();
    drop(store);
    let mut random = Random(seed() ^ 2);
    let began = Instant::now();
    drop(place.guard().terminate());
    let longest = began.elapsed();
    let all = kernel::banned().unwrap();
    assert_eq!(all.len(), bans.len());
    for round in 0..20 {
        match round % 4 {
            0 => drop(run("nft delete table inet mailward")),
            1 => drop(run("nft add chain inet mailward other")),
            _ => {}
        }
        let before = kernel::banned().unwrap_or_default();
        let daemon = place.start();
        sleep(random.up_to(longest));
        daemon.kill();
        let after = kernel::banned().unwrap_or_default();
        let lost = before.iter().filter(|range| !kernel::holds(&after, range.0)).count();
        assert_eq!(lost, 0, "of {} in round {round}", before.len());
        place.guard().kill();
        assert_eq!(kernel::banned().unwrap(), all);
    }
}

fn ban_of(target: Network) -> Ban {
    let (from, origin) = (now(), Origin::Rule);
    let until = Some(from.plus(Span::from_hours(1)));
    Ban { target, from, until, origin, by: "auth-failure-fast".into(), step: 1, reason: "test".into() }
}

/// A banned client and an honest one knock without pause while the guard ends, is killed, and starts again.
#[test]
fn a_restart_opens_no_gap() {
    let Some(network) = Namespace::new("gap") else { return };
    let clients = Namespace::new("gap-clients").unwrap();
    let (host, banned, honest): (IpAddr, IpAddr, IpAddr) =
        ("198.51.100.1".parse().unwrap(), "198.51.100.7".parse().unwrap(), "198.51.100.8".parse().unwrap());
    run(&format!("ip link add wire type veth peer name wire netns {}", network.name));
    run(&format!("ip addr add {banned}/24 dev wire"));
    run(&format!("ip addr add {honest}/24 dev wire"));
    run("ip link set wire up");
    network.enter();
    run(&format!("ip addr add {host}/24 dev wire"));
    run("ip link set wire up");

    let place = Place::new(PROGRAM);
    let mut log = MailLog::new(&place.log);
    let mut daemon = place.guard();
    let door = TcpListener::bind((host, 143)).unwrap();
    log.failures([banned; 3].into_iter());
    daemon.bans(banned);
    let (stop, knocks) = (AtomicBool::new(false), AtomicU64::new(0));
    let (let_in, slipped) = (AtomicU64::new(0), AtomicU64::new(0));
    scope(|scope| {
        for from in [banned, honest] {
            let (clients, stop, knocks) = (&clients, &stop, &knocks);
            scope.spawn(move || {
                clients.enter();
                knock_until(stop, from, host, if from == banned { Some(knocks) } else { None });
            });
        }
        scope.spawn(|| {
            door.set_nonblocking(true).unwrap();
            while !stop.load(Ordering::Relaxed) {
                match door.accept() {
                    Ok((_, peer)) if peer.ip() == honest => let_in.fetch_add(1, Ordering::Relaxed),
                    Ok(_) => slipped.fetch_add(1, Ordering::Relaxed),
                    Err(_) => {
                        sleep(Duration::from_micros(200));
                        0
                    }
                };
            }
        });
        let _stopping = Stop(&stop);
        for round in 0..10 {
            let before = (let_in.load(Ordering::Relaxed), knocks.load(Ordering::Relaxed));
            until("both knock while nobody guards or while it starts", PATIENCE, || {
                let_in.load(Ordering::Relaxed) > before.0 + 20
                    && knocks.load(Ordering::Relaxed) > before.1 + 20
            });
            match round % 2 {
                0 => assert_eq!(daemon.terminate().0.code(), Some(0)),
                _ => drop(daemon.kill()),
            }
            daemon = place.guard();
        }
    });
    eprintln!("{} let in, {} knocks of a banned one", let_in.into_inner(), knocks.into_inner());
    assert_eq!(slipped.into_inner(), 0, "connections of a banned address that were accepted");
}

/// Begins connection after connection; of those without an answer some hundred are kept.
fn knock_until(stop: &AtomicBool, from: IpAddr, to: IpAddr, knocks: Option<&AtomicU64>) {
    let mut begun = std::collections::VecDeque::new();
    while !stop.load(Ordering::Relaxed) {
        let socket =
            socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::NONBLOCK, None).unwrap();
        bind(&socket, &SocketAddr::new(from, 0)).unwrap();
        // A full table of half-open connections is no matter.
        if matches!(connect(&socket, &SocketAddr::new(to, 143)), Ok(()) | Err(Errno::INPROGRESS)) {
            knocks.map(|knocks| knocks.fetch_add(1, Ordering::Relaxed));
        }
        begun.push_back(socket);
        if begun.len() > 200 {
            begun.pop_front();
        }
        sleep(Duration::from_micros(500));
    }
}
