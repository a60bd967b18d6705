//! Runs an attack: paces its attempts, watches for the ban, sums up what the attacker saw.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use serde::Serialize;

use super::Attack;
use crate::client::{Imap, Pop3, Reach, Reply, Sieve, Smtp, Times, Trouble, Trust, reach};
use crate::host::Lab;
use crate::topology::{Account, HOME, Place};

/// What differs from an attack's own figures.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Attempts.
    pub count: Option<usize>,
    /// Attempts a second.
    pub rate: Option<f64>,
    /// Attempts under way at the same time, at the most.
    pub parallel: Option<usize>,
    /// Addresses.
    pub from: Vec<IpAddr>,
    /// How long a slow or flooding attacker holds a connection.
    pub hold: Duration,
    /// An address that was shut out so many times in a row gives up.
    pub give_up: u32,
    /// How often the watch looks whether the first address can still connect.
    pub watch: Duration,
    /// How long the watch goes on after the last attempt.
    pub settle: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            count: None,
            rate: None,
            parallel: None,
            from: Vec::new(),
            hold: Duration::from_secs(45),
            give_up: 5,
            watch: Duration::from_millis(200),
            settle: Duration::from_secs(3),
        }
    }
}

/// What the attacker saw.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The attack's name.
    pub attack: String,
    /// Milliseconds since 1970 when it began.
    pub started: i64,
    /// How long its attempts took.
    pub seconds: f64,
    /// Attempts made.
    pub attempts: usize,
    /// Attempts that ran to their end.
    pub answered: usize,
    /// The server ended the connection, or the TLS handshake failed.
    pub closed: usize,
    /// Silence in an open connection.
    pub stalled: usize,
    /// Connections that could not be opened.
    pub blocked: usize,
    /// Addresses used.
    pub sources: usize,
    /// How many of them can no longer connect at the end.
    pub sources_blocked: usize,
    /// Seconds from the first attempt to the first sign that an address is shut out.
    pub ban_after: Option<f64>,
    /// Answers by code.
    pub replies: BTreeMap<String, usize>,
    /// What else is worth knowing, such as `logins` or `relayed`.
    pub notes: BTreeMap<String, usize>,
    /// An honest address can connect at the end: the server is up, the attacker is banned.
    pub control: bool,
    /// Where the attack came from.
    pub from: Vec<IpAddr>,
}

#[derive(Debug, Default)]
struct Tally {
    attempts: usize,
    answered: usize,
    closed: usize,
    stalled: usize,
    blocked: usize,
    first_blocked: Option<f64>,
    streaks: HashMap<IpAddr, u32>,
    replies: BTreeMap<String, usize>,
    notes: BTreeMap<String, usize>,
    failures: Vec<String>,
}

/// One attempt: who makes it, and the clients that it may use.
pub struct Try<'a> {
    /// Its number, from 0.
    pub n: usize,
    /// The address that it comes from.
    pub source: IpAddr,
    /// The account that the attack is after.
    pub target: Account,
    /// How long to hold a connection.
    pub hold: Duration,
    /// Accepts any certificate.
    pub trust: &'a Trust,
    /// The lab, for attackers who also wait to be called.
    pub lab: &'a Lab,
    tally: &'a Mutex<Tally>,
}

/// What there is to look at when an attack is over.
pub(super) struct After<'a> {
    pub(super) lab: &'a Lab,
    pub(super) target: Account,
    tally: &'a Mutex<Tally>,
}

impl Try<'_> {
    /// Connects to an SMTP port.
    pub(super) fn smtp(&self, port: u16) -> Result<Smtp, Trouble> {
        Smtp::open(self.source, port, Times::ATTACKER)
    }

    /// Connects to an IMAP port.
    pub(super) fn imap(&self, port: u16) -> Result<Imap, Trouble> {
        Imap::open(self.source, port, Times::ATTACKER)
    }

    /// Connects to a POP3 port.
    pub(super) fn pop3(&self, port: u16) -> Result<Pop3, Trouble> {
        Pop3::open(self.source, port, Times::ATTACKER)
    }

    /// Connects to the ManageSieve port.
    pub(super) fn sieve(&self) -> Result<Sieve, Trouble> {
        Sieve::open(self.source, Times::ATTACKER)
    }

    /// One thing in even attempts, another in odd ones.
    pub(super) fn either<T>(&self, even: T, odd: T) -> T {
        if self.n.is_multiple_of(2) { even } else { odd }
    }

    /// The `n`th word of a guesser's list.
    pub(super) fn guess(&self) -> String {
        guess(self.n)
    }

    /// Counts an answer.
    pub(super) fn reply(&self, reply: &Reply) {
        self.said(&reply.code.to_string());
    }

    /// Counts an answer that has no code.
    pub(super) fn said(&self, what: &str) {
        *lock(self.tally).replies.entry(what.to_owned()).or_default() += 1;
    }

    /// Counts something worth knowing.
    pub(super) fn note(&self, what: &str) {
        self.note_n(what, 1);
    }

    /// The same, more than once.
    pub(super) fn note_n(&self, what: &str, n: usize) {
        *lock(self.tally).notes.entry(what.to_owned()).or_default() += n;
    }
}

impl After<'_> {
    pub(super) fn note(&self, what: &str, n: usize) {
        lock(self.tally).notes.insert(what.to_owned(), n);
    }
}

/// The `n`th word of a guesser's list.
#[must_use]
pub(super) fn guess(n: usize) -> String {
    const WORDS: [&str; 8] =
        ["123456", "password", "qwerty", "letmein", "welcome", "dragon", "monkey", "summer"];
    let word = WORDS.get(n % WORDS.len()).copied().unwrap_or("admin");
    if n < WORDS.len() { word.to_owned() } else { format!("{word}{}", n / WORDS.len()) }
}

/// Runs one attack to its end.
///
/// # Errors
/// When the lab is down, or an address is nobody's.
pub fn run(lab: &Lab, attack: &Attack, settings: &Settings) -> Result<Outcome> {
    let from = if settings.from.is_empty() { attack.addresses() } else { settings.from.clone() };
    let place = from.first().copied().and_then(Place::of).context("no address to attack from")?;
    ensure!(
        from.iter().all(|&address| Place::of(address) == Some(place)),
        "all addresses must live in one place: {from:?}"
    );
    let run = Run {
        lab,
        attack,
        settings,
        place,
        trust: Trust::anything()?,
        begin: Instant::now(),
        next: AtomicUsize::new(0),
        end: OnceLock::new(),
        tally: Mutex::default(),
        from,
    };
    let started = jiff::Timestamp::now().as_millisecond();
    let ban_seen = run.all()?;
    run.outcome(started, ban_seen)
}

struct Run<'a> {
    lab: &'a Lab,
    attack: &'a Attack,
    settings: &'a Settings,
    place: Place,
    from: Vec<IpAddr>,
    trust: Trust,
    begin: Instant,
    next: AtomicUsize,
    /// When the last attempt was over.
    end: OnceLock<Instant>,
    tally: Mutex<Tally>,
}

/// How long a SYN may go unanswered.
const SILENCE: Duration = Duration::from_millis(700);

impl Run<'_> {
    /// Attempts, watch and settling; tells when the first address was seen shut out.
    fn all(&self) -> Result<Option<f64>> {
        let count = self.settings.count.unwrap_or(self.attack.count);
        let workers = self.settings.parallel.unwrap_or(self.attack.parallel).clamp(1, count.max(1));
        thread::scope(|scope| {
            let watcher = scope.spawn(|| self.watch());
            let workers: Vec<_> = (0..workers).map(|_| scope.spawn(|| self.work(count))).collect();
            let worked = workers.into_iter().try_for_each(joined);
            let _ = self.end.set(Instant::now());
            if let Some(after) = self.attack.after {
                after(&After { lab: self.lab, target: self.attack.target, tally: &self.tally });
            }
            worked.and(joined(watcher))
        })
    }

    /// Takes one attempt after the other, each at its time.
    fn work(&self, count: usize) -> Result<()> {
        self.lab.enter(self.place)?;
        let rate = self.settings.rate.unwrap_or(self.attack.rate);
        loop {
            let n = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(&source) = self.from.get(n % self.from.len().max(1)).filter(|_| n < count) else {
                return Ok(());
            };
            if self.given_up(source) {
                if self.from.iter().all(|&source| self.given_up(source)) {
                    return Ok(());
                }
                continue;
            }
            #[expect(clippy::cast_precision_loss, reason = "no attack has 2^53 attempts")]
            let due = self.begin + Duration::from_secs_f64(n as f64 / rate);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            self.attempt(n, source);
        }
    }

    fn attempt(&self, n: usize, source: IpAddr) {
        let at = self.begin.elapsed().as_secs_f64();
        let result = (self.attack.attempt)(&Try {
            n,
            source,
            target: self.attack.target,
            hold: self.settings.hold,
            trust: &self.trust,
            lab: self.lab,
            tally: &self.tally,
        });
        lock(&self.tally).count(source, at, result);
    }

    fn given_up(&self, source: IpAddr) -> bool {
        lock(&self.tally).streaks.get(&source).is_some_and(|&streak| streak >= self.settings.give_up)
    }

    /// Looks with bare SYNs until the first address is shut out, or everything has settled.
    fn watch(&self) -> Result<Option<f64>> {
        self.lab.enter(self.place)?;
        let Some(&source) = self.from.first() else { return Ok(None) };
        loop {
            let at = self.begin.elapsed().as_secs_f64();
            // A full queue of half-open connections may swallow one SYN; two in a row are a ban.
            if !self.reaches(source)? && !self.reaches(source)? {
                return Ok(Some(at));
            }
            if self.end.get().is_some_and(|end| end.elapsed() >= self.settings.settle) {
                return Ok(None);
            }
            thread::sleep(self.settings.watch);
        }
    }

    fn reaches(&self, source: IpAddr) -> Result<bool> {
        Ok(reach(source, self.attack.port, SILENCE)? == Reach::Open)
    }

    /// How many of the addresses, up to 100, can no longer connect.
    fn shut_out(&self) -> Result<usize> {
        let asked: Vec<_> = self.from.iter().copied().take(100).collect();
        thread::scope(|scope| {
            let look = |source: IpAddr| {
                self.lab.enter(self.place)?;
                self.reaches(source)
            };
            let looks: Vec<_> = asked.iter().map(|&source| scope.spawn(move || look(source))).collect();
            let reached: Result<Vec<bool>> = looks.into_iter().map(joined).collect();
            Ok(reached?.into_iter().filter(|reached| !reached).count())
        })
    }

    fn outcome(self, started: i64, ban_seen: Option<f64>) -> Result<Outcome> {
        let seconds = self.end.get().map_or(0.0, |end| (*end - self.begin).as_secs_f64());
        let sources_blocked = self.shut_out()?;
        let port = self.attack.port;
        let control = self.lab.within(Place::Good, || Ok(reach(HOME.address, port, 2 * SILENCE)?))?;
        let (attack, sources) = (self.attack.name.to_owned(), self.from.len());
        let tally = self.tally.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(failure) = tally.failures.first() {
            bail!(
                "{attack}: {} of {} attempts failed in the lab: {failure}",
                tally.failures.len(),
                tally.attempts
            );
        }
        let ban_after = [tally.first_blocked, ban_seen].into_iter().flatten().reduce(f64::min);
        Ok(Outcome {
            attack,
            started,
            seconds,
            attempts: tally.attempts,
            answered: tally.answered,
            closed: tally.closed,
            stalled: tally.stalled,
            blocked: tally.blocked,
            sources,
            sources_blocked,
            ban_after,
            replies: tally.replies,
            notes: tally.notes,
            control: control == Reach::Open,
            from: self.from,
        })
    }
}

impl Tally {
    fn count(&mut self, source: IpAddr, at: f64, result: Result<(), Trouble>) {
        self.attempts += 1;
        match result {
            Ok(()) => {
                self.answered += 1;
                self.streaks.insert(source, 0);
            }
            Err(Trouble::Blocked(_)) => {
                self.blocked += 1;
                self.first_blocked.get_or_insert(at);
                *self.streaks.entry(source).or_default() += 1;
            }
            Err(Trouble::Stalled) => self.stalled += 1,
            Err(Trouble::Closed | Trouble::Tls(_) | Trouble::Hindered(_)) => self.closed += 1,
            Err(Trouble::Lab(what)) => self.failures.push(what),
        }
    }
}

fn joined<T>(handle: thread::ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    handle.join().map_err(|_| anyhow!("a thread of the attack panicked"))?
}

fn lock(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}
