//! The enforcers: the kernel's table and postscreen's, kept equal to the bans that hold.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mailward_decide::Cleared;
use mailward_enforce::{CidrTable, Firewall, FirewallError, Monitor, Options, Written};
use mailward_host::run::{Limits, output};
use mailward_model::{Network, Timestamp};

/// Where bans go.
#[derive(Debug)]
pub(crate) struct Shield {
    firewall: Option<Firewall>,
    table: Option<CidrTable>,
    /// When to try again what failed. Pauses do not go by the wall clock, which may be set back.
    retry: Option<(Instant, Duration)>,
    trouble: Option<String>,
    /// When the kernel's table was last compared with what it should be.
    reconciled: Instant,
    repairs: u64,
    last_repair: Option<Timestamp>,
    table_is_stale: bool,
    /// The table was written, and Postfix has not read it.
    reload_is_due: bool,
    table_trouble: Option<String>,
    /// When Postfix was told last, or the table could not be written.
    reloaded: Option<Instant>,
}

const POSTFIX: &str = "/usr/sbin/postfix";
/// How often Postfix is reloaded at the most: the kernel bans at once, the table is the second line.
const RELOAD: Duration = Duration::from_secs(60);
/// How often the kernel's table is compared with what it should be, though nobody tells of a change.
const COMPARE: Duration = Duration::from_secs(600);

impl Shield {
    /// Opens the enforcers; none where bans are only decided.
    pub(crate) fn open(firewall: Option<Options>, table: Option<PathBuf>) -> Result<Self, FirewallError> {
        Ok(Self {
            firewall: firewall.map(Firewall::open).transpose()?,
            table: table.map(CidrTable::new),
            retry: None,
            trouble: None,
            reconciled: Instant::now(),
            repairs: 0,
            last_repair: None,
            table_is_stale: true,
            reload_is_due: false,
            table_trouble: None,
            reloaded: None,
        })
    }

    /// Makes the kernel hold exactly these bans, and then hears of changes that others make there: a listener would make
    /// the kernel take twice as long over thousands of bans.
    pub(crate) fn close(&mut self, bans: &[Cleared], now: Timestamp) -> Option<Monitor> {
        self.reconcile(bans, now, false);
        let firewall = self.firewall.as_mut()?;
        let monitor = Monitor::open(firewall).ok();
        if !firewall.stood_still().unwrap_or(false) {
            self.reconcile(bans, now, true);
        }
        monitor
    }

    /// The kernel's side, to ask.
    pub(crate) const fn firewall(&mut self) -> Option<&mut Firewall> {
        self.firewall.as_mut()
    }

    /// Whether bans go to the kernel.
    pub(crate) const fn has_firewall(&self) -> bool {
        self.firewall.is_some()
    }

    /// What could not be done in the kernel, if so.
    pub(crate) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Why postscreen does not know all bans, if so.
    pub(crate) fn table_trouble(&self) -> Option<&str> {
        self.table_trouble.as_deref()
    }

    /// How often the kernel's table was put right after others changed it, and when last.
    pub(crate) const fn repairs(&self) -> (u64, Option<Timestamp>) {
        (self.repairs, self.last_repair)
    }

    /// Whether something failed and its time to be tried again has come, or nobody has looked for long.
    pub(crate) fn wants_reconciling(&self) -> bool {
        self.firewall.is_some() && self.reconcile_in().is_zero()
    }

    /// How long until that.
    pub(crate) fn reconcile_in(&self) -> Duration {
        let at = self.retry.map_or(self.reconciled + COMPARE, |(at, _)| at);
        at.saturating_duration_since(Instant::now())
    }

    /// Makes the kernel hold exactly these bans. Tells whether something had to be put right.
    pub(crate) fn reconcile(&mut self, bans: &[Cleared], now: Timestamp, foreign: bool) -> bool {
        self.table_is_stale = true;
        self.reconciled = Instant::now();
        let Some(firewall) = &mut self.firewall else { return false };
        let desired: Vec<&Cleared> = bans.iter().collect();
        match firewall.reconcile(&desired, now) {
            Ok(done) => {
                (self.retry, self.trouble) = (None, None);
                let repaired = foreign && !done.was_right();
                if repaired {
                    self.repairs += 1;
                    self.last_repair = Some(now);
                }
                repaired
            }
            Err(error) => {
                self.failed(&error);
                false
            }
        }
    }

    /// Adds bans to the kernel.
    pub(crate) fn add(&mut self, bans: &[Cleared], now: Timestamp) {
        self.table_is_stale = true;
        if let Some(firewall) = &mut self.firewall
            && let Err(error) = firewall.add(bans, now)
        {
            self.failed(&error);
        }
    }

    /// Takes bans out of the kernel.
    pub(crate) fn remove(&mut self, targets: &[Network], now: Timestamp) {
        self.table_is_stale = true;
        if let Some(firewall) = &mut self.firewall
            && let Err(error) = firewall.remove(targets, now)
        {
            self.failed(&error);
        }
    }

    /// Writes postscreen's table where it is out of date.
    pub(crate) fn write_table(&mut self, bans: &[Cleared], now: Timestamp) {
        let Some(table) = &self.table else { return };
        let desired: Vec<&Cleared> = bans.iter().collect();
        match table.write(&desired, now) {
            Ok(Written::Unchanged) => {}
            Ok(Written::Replaced) => self.reload_is_due = true,
            Err(error) => return self.table_failed(error.to_string()),
        }
        (self.table_is_stale, self.table_trouble) = (false, None);
        if self.reload_is_due {
            self.reload();
        }
    }

    /// postscreen(8) reads its tables when it starts and does not notice a change (tried: Postfix 3.7.11).
    fn reload(&mut self) {
        match output(Path::new(POSTFIX), &["reload"], Limits::default()) {
            Ok(done) if done.status.success() => {
                (self.reload_is_due, self.reloaded) = (false, Some(Instant::now()));
            }
            Ok(done) => {
                let said = String::from_utf8_lossy(&done.stderr);
                self.table_failed(format!("{POSTFIX} reload: {}: {}", done.status, said.trim()));
            }
            Err(error) => self.table_failed(error.to_string()),
        }
    }

    /// Whether postscreen's table is out of date, and Postfix was not reloaded just before.
    pub(crate) fn table_is_stale(&self) -> bool {
        let is_early = self.reloaded.is_some_and(|at| at.elapsed() < RELOAD);
        self.table.is_some() && self.table_is_stale && !is_early
    }

    /// Holds nothing any more: another one, which was opened already, holds what is to be held.
    pub(crate) fn give_way(
        mut self,
        keeps_firewall: bool,
        keeps_table: bool,
        now: Timestamp,
    ) -> Option<String> {
        if !keeps_table {
            self.write_table(&[], now);
        }
        let firewall = self.firewall.filter(|_| !keeps_firewall);
        let trouble = firewall.and_then(|mut firewall| firewall.uninstall().err());
        trouble.map(|error| error.to_string()).or(self.table_trouble)
    }

    fn table_failed(&mut self, trouble: String) {
        (self.table_is_stale, self.table_trouble) = (true, Some(trouble));
        self.reloaded = Some(Instant::now());
    }

    /// What could not be done now is done by reconciling later: at once, then less and less often.
    fn failed(&mut self, error: &FirewallError) {
        let pause = match self.retry {
            None => Duration::ZERO,
            Some((_, pause)) => (pause * 2).clamp(Duration::from_secs(1), Duration::from_secs(60)),
        };
        self.retry = Some((Instant::now() + pause, pause));
        self.trouble = Some(error.to_string());
    }
}
