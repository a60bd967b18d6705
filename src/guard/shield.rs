//! The enforcers: the kernel's table and postscreen's, kept equal to the bans that hold.

use std::path::{Path, PathBuf};

use mailward_decide::Cleared;
use mailward_enforce::{CidrTable, Firewall, FirewallError, Monitor, Options, Written};
use mailward_host::run::{Limits, output};
use mailward_model::{Network, Span, Timestamp};

/// Where bans go.
#[derive(Debug)]
pub(crate) struct Shield {
    firewall: Option<Firewall>,
    table: Option<CidrTable>,
    /// When to try again what failed.
    retry: Option<(Timestamp, Span)>,
    trouble: Option<String>,
    repairs: u64,
    last_repair: Option<Timestamp>,
    table_is_stale: bool,
    reloaded: Timestamp,
}

const POSTFIX: &str = "/usr/sbin/postfix";
/// How often Postfix is reloaded at the most: the kernel bans at once, the table is the second line.
const RELOAD: Span = Span::from_mins(1);

impl Shield {
    /// Opens the enforcers; none where bans are only decided.
    pub(crate) fn open(firewall: Option<Options>, table: Option<PathBuf>) -> Result<Self, FirewallError> {
        Ok(Self {
            firewall: firewall.map(Firewall::open).transpose()?,
            table: table.map(CidrTable::new),
            retry: None,
            trouble: None,
            repairs: 0,
            last_repair: None,
            table_is_stale: true,
            reloaded: Timestamp::default(),
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

    /// What the enforcers could not do, if so.
    pub(crate) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// How often the kernel's table was put right after others changed it, and when last.
    pub(crate) const fn repairs(&self) -> (u64, Option<Timestamp>) {
        (self.repairs, self.last_repair)
    }

    /// Whether something failed and its time to be tried again has come.
    pub(crate) fn wants_retry(&self, now: Timestamp) -> bool {
        self.retry.is_some_and(|(at, _)| at <= now)
    }

    /// When to try again.
    pub(crate) fn retry_at(&self) -> Option<Timestamp> {
        self.retry.map(|(at, _)| at)
    }

    /// Makes the kernel hold exactly these bans. Tells whether something had to be put right.
    pub(crate) fn reconcile(&mut self, bans: &[Cleared], now: Timestamp, foreign: bool) -> bool {
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
                self.failed(&error, now);
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
            self.failed(&error, now);
        }
    }

    /// Takes bans out of the kernel.
    pub(crate) fn remove(&mut self, targets: &[Network], now: Timestamp) {
        self.table_is_stale = true;
        if let Some(firewall) = &mut self.firewall
            && let Err(error) = firewall.remove(targets, now)
        {
            self.failed(&error, now);
        }
    }

    /// Writes postscreen's table where it is out of date.
    pub(crate) fn write_table(&mut self, bans: &[Cleared], now: Timestamp) {
        let Some(table) = &self.table else { return };
        let desired: Vec<&Cleared> = bans.iter().collect();
        match table.write(&desired, now) {
            Ok(Written::Unchanged) => self.table_is_stale = false,
            // postscreen(8) reads its tables when it starts and does not notice a change (tried: Postfix 3.7.11).
            Ok(Written::Replaced) => {
                (self.table_is_stale, self.reloaded) = (false, now);
                if let Err(error) = output(Path::new(POSTFIX), &["reload"], Limits::default()) {
                    self.trouble = Some(error.to_string());
                }
            }
            Err(error) => self.trouble = Some(error.to_string()),
        }
    }

    /// Whether postscreen's table is out of date, and Postfix was not reloaded just before.
    pub(crate) fn table_is_stale(&self, now: Timestamp) -> bool {
        self.table.is_some() && self.table_is_stale && now.since(self.reloaded) >= RELOAD
    }

    /// What could not be done now is done by reconciling later: at once, then less and less often.
    fn failed(&mut self, error: &FirewallError, now: Timestamp) {
        let pause = match self.retry {
            None => Span::ZERO,
            Some((_, pause)) => Span::from_secs((pause.secs() * 2).clamp(1, 60)),
        };
        self.retry = Some((now.plus(pause), pause));
        self.trouble = Some(error.to_string());
    }
}
