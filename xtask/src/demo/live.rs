//! The lab's mail host under attack, guarded by Mailward.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::IpAddr;
use std::path::Path;
use std::process::{ChildStdout, ExitCode};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use mailward_lab::attack::{self, Attack, Outcome, Settings};
use mailward_lab::bans::Ban;
use mailward_lab::legit::{Legit, Report};
use mailward_lab::topology::{INNOCENTS, Place};
use mailward_lab::{Guest, Lab, Options, Program};

use super::screen;

/// The attacks, in the order in which they begin.
const ATTACKS: [&str; 14] = [
    "sasl-bruteforce",
    "ssl-probe",
    "pregreet",
    "imap-bruteforce",
    "distributed-bruteforce",
    "relay-probe",
    "helo-abuse",
    "ipv6-rotate",
    "user-harvest",
    "rbl",
    "password-spray",
    "command-pipelining",
    "auth-abort",
    "log-injection",
];

/// Where the configuration is, as the mail host sees it.
const CONFIG: &str = "/etc/mailward/mailward.toml";

/// How `mailward guard` is called: it prints a JSON line for each ban.
fn guard_arguments() -> Vec<OsString> {
    ["guard", "--config", CONFIG, "--format", "json"].map(OsString::from).to_vec()
}

/// What differs from Mailward's defaults: nothing but where to read.
pub(crate) const SETTINGS: &str = "[sources]\nfiles = [\"/var/log/mail.log\"]\njournal = false\n";

/// Runs the demonstration.
pub(super) fn run(mailward: &Path) -> Result<ExitCode> {
    println!("The lab comes up: a router with DNS, Debian's Postfix and Dovecot, honest users, attackers.");
    let dir = std::env::temp_dir().join(format!("mailward-demo-{}", std::process::id()));
    let options =
        Options { dir: dir.clone(), prefix: "mwdemo".to_owned(), leased: true, ..Options::default() };
    let lab = Lab::up(options, &Program::this(&["lab"])?)?;
    let result = show(&lab, mailward);
    lab.down()?;
    if result.is_ok() {
        fs::remove_dir_all(&dir)?;
    } else {
        println!("The logs of the lab are in {}", dir.join("log").display());
    }
    result
}

fn show(lab: &Lab, mailward: &Path) -> Result<ExitCode> {
    let (guest, lines) = start_guard(lab, mailward, SETTINGS)?;
    let stage = Stage {
        lab,
        begin: Instant::now(),
        started: Mutex::default(),
        over: AtomicBool::new(false),
        bans: AtomicUsize::new(0),
        wronged: Mutex::default(),
    };
    let (outcomes, reports, status) = thread::scope(|scope| -> Result<_> {
        let watcher = scope.spawn(|| stage.follow(lines));
        let played = stage.play();
        stage.over.store(true, Ordering::Relaxed);
        // Its output ends with it, and so does the watcher.
        let status = guest.stop(Duration::from_secs(10))?;
        watcher.join().map_err(|_| anyhow!("the watcher panicked"))?;
        let (outcomes, reports) = played?;
        Ok((outcomes, reports, status))
    })?;
    screen::table(&outcomes);
    let unhindered = screen::users(&reports);
    let bans = stage.bans.load(Ordering::Relaxed);
    let wronged = stage.wronged.into_inner().unwrap_or_else(PoisonError::into_inner);
    let innocents = if wronged.is_empty() { "none".to_owned() } else { wronged.join(", ") };
    println!("bans: {bans}; innocents banned: {innocents}");
    ensure!(status.success(), "mailward guard ended with {status}");
    let good = unhindered && wronged.is_empty() && bans > 0;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

pub(crate) type Lines = std::io::Lines<BufReader<ChildStdout>>;

/// Starts `mailward guard` in the mail host; it tells what it does in JSON lines.
pub(crate) fn start_guard(lab: &Lab, mailward: &Path, settings: &str) -> Result<(Guest, Lines)> {
    let config = lab.dir().join("etc/mailward");
    fs::create_dir_all(&config)?;
    fs::write(config.join("mailward.toml"), settings)?;
    let arguments = guard_arguments();
    let shown: Vec<_> = arguments.iter().map(|word| word.to_string_lossy()).collect();
    println!("mail# mailward {}", shown.join(" "));
    let mut guest = lab.spawn(Place::Mail, mailward.as_os_str(), &arguments, "guard.err")?;
    let output = guest.child.stdout.take().context("the guard has no output")?;
    let mut lines = BufReader::new(output).lines();
    // Its first line says that it guards.
    if let Some(first) = lines.next().transpose()? {
        let note: serde_json::Value = serde_json::from_str(&first).unwrap_or_default();
        println!("{}\n", note.get("text").and_then(serde_json::Value::as_str).unwrap_or(&first));
        return Ok((guest, lines));
    }
    let said = fs::read_to_string(lab.dir().join("log/guard.err")).unwrap_or_default();
    Err(anyhow!("mailward guard did not start:\n{said}"))
}

/// The demonstration while it runs.
struct Stage<'a> {
    lab: &'a Lab,
    begin: Instant,
    /// The attacks under way and when each began, in seconds.
    started: Mutex<Vec<(Attack, Vec<IpAddr>, f64)>>,
    over: AtomicBool,
    bans: AtomicUsize,
    /// Bans that hit an innocent.
    wronged: Mutex<Vec<String>>,
}

impl Stage<'_> {
    fn now(&self) -> f64 {
        self.begin.elapsed().as_secs_f64()
    }

    /// Shows bans as they are announced, until the guard ends.
    fn follow(&self, lines: Lines) {
        let mut of_attack: BTreeMap<Option<&str>, usize> = BTreeMap::new();
        for line in lines.map_while(Result::ok) {
            let Some(ban) = Ban::parse(&line) else { continue };
            self.bans.fetch_add(1, Ordering::Relaxed);
            let at = self.now();
            let started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
            let attack = started
                .iter()
                .find(|(_, from, _)| from.iter().any(|&address| ban.covers(address)))
                .map(|(attack, _, since)| (attack.name, at - since));
            let n = of_attack.entry(attack.map(|(name, _)| name)).or_default();
            *n += 1;
            screen::ban(&ban, at, attack, *n);
            for innocent in INNOCENTS.iter().filter(|innocent| ban.covers(innocent.address)) {
                println!("{at:6.1} s  THIS HITS AN INNOCENT: {} ({})", innocent.name, innocent.address);
                let mut wronged = self.wronged.lock().unwrap_or_else(PoisonError::into_inner);
                wronged.push(format!("{} by {}", innocent.name, ban.target));
            }
        }
    }

    /// Attackers and users at the same time, until both are done.
    fn play(&self) -> Result<(Vec<Outcome>, Vec<Report>)> {
        thread::scope(|scope| {
            let usual = scope.spawn(|| self.usual_users());
            let suspicious = scope.spawn(|| self.suspicious_users());
            let attackers: Vec<_> = ATTACKS
                .iter()
                .enumerate()
                .map(|(n, name)| scope.spawn(move || self.attack(n, name)))
                .collect();
            let outcomes: Result<Vec<_>> = attackers.into_iter().map(joined).collect();
            let suspicious = joined(suspicious);
            self.over.store(true, Ordering::Relaxed);
            Ok((outcomes?, vec![joined(usual)?, suspicious?]))
        })
    }

    fn attack(&self, n: usize, name: &str) -> Result<Outcome> {
        let attack = attack::named(name).with_context(|| format!("no attack {name}"))?;
        // One after the other, so that a person can follow.
        thread::sleep(Duration::from_millis(1_500 * u64::try_from(n)?));
        let (from, at) = (attack.addresses(), self.now());
        let whence = from.first().map_or_else(String::new, ToString::to_string);
        let others = if from.len() > 1 { format!(" and {} more", from.len() - 1) } else { String::new() };
        println!("{at:6.1} s  {name} begins from {whence}{others}");
        let entry = (attack, from, at);
        self.started.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
        attack::run(self.lab, &attack, &Settings { give_up: 2, ..Settings::default() })
    }

    fn usual_users(&self) -> Result<Report> {
        self.lab.enter(Place::Good)?;
        let mut users = Legit::new(self.lab)?;
        for round in 0.. {
            if self.over.load(Ordering::Relaxed) {
                break;
            }
            users.ordinary(round);
            thread::sleep(Duration::from_secs(3));
        }
        users.report()
    }

    fn suspicious_users(&self) -> Result<Report> {
        self.lab.enter(Place::Good)?;
        let mut users = Legit::new(self.lab)?;
        users.hard();
        users.report()
    }
}

fn joined<T>(handle: thread::ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    handle.join().map_err(|_| anyhow!("a thread of the demonstration panicked"))?
}
