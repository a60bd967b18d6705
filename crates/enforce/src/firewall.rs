//! The firewall: keeps the kernel's table equal to the bans that should hold.

use std::collections::BTreeMap;

use mailward_decide::Cleared;
use mailward_model::{Network, Timestamp};
use rustix::io::Errno;

use crate::channel::{Channel, Failure};
use crate::contents::{Changes, Contents, Entry, FOREVER};
use crate::element::Element;
use crate::error::FirewallError;
use crate::kernel::{self, Clock, Structure as Found};
use crate::layout::{Action, Options, Set};
use crate::work::{Manner, Work};

/// A table of our own in the kernel. It stays when this is dropped and when the process dies: bans end by their own
/// timeouts, and a new process takes over what it finds.
#[derive(Debug)]
pub struct Firewall {
    channel: Channel,
    options: Options,
    /// Networks may lie within each other, but ranges in the kernel may not overlap: what is to be written depends on
    /// all of them. None before the first [`Self::reconcile`].
    networks: Option<Networks>,
    /// The ruleset's generation before the last [`Self::reconcile`], less the transactions that were made here by then.
    generation: Option<u32>,
}

/// Banned networks, until when.
type Networks = BTreeMap<Network, Timestamp>;

/// What [`Firewall::reconcile`] found and did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconciled {
    /// How the table was.
    pub structure: Structure,
    /// Elements that were missing.
    pub added: usize,
    /// Elements that had another end.
    pub refreshed: usize,
    /// Elements that did not belong there.
    pub removed: usize,
    /// What is done to packets: [`Action::Drop`] where the kernel cannot reset in prerouting.
    pub action: Action,
}

impl Reconciled {
    /// Whether everything was as it should be, so that nothing was written.
    #[must_use]
    pub const fn was_right(&self) -> bool {
        matches!(self.structure, Structure::Kept) && self.added + self.refreshed + self.removed == 0
    }
}

/// How the table was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Structure {
    /// As it should be.
    Kept,
    /// It was not there.
    Created,
    /// Its chain or rules were not right and were replaced; the sets were kept.
    RulesReplaced,
    /// It was wrong in other ways, or had foreign things in it, and was replaced.
    TableReplaced,
}

/// What the rules stopped since they were made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Firewall {
    /// Opens the way to the kernel; changes nothing.
    ///
    /// # Errors
    /// Without `CAP_NET_ADMIN`, and on a kernel without nf_tables.
    pub fn open(options: Options) -> Result<Self, FirewallError> {
        let mut channel = Channel::open().map_err(|failure| FirewallError::of(&options.table, failure))?;
        match kernel::generation(&mut channel) {
            Ok(_) => Ok(Self { channel, options, networks: None, generation: None }),
            Err(Failure::Refused(refusal)) if refusal.errno != Errno::PERM => {
                Err(FirewallError::Unsupported(refusal.errno.into()))
            }
            Err(failure) => Err(FirewallError::of(&options.table, failure)),
        }
    }

    /// Makes the table hold these bans and nothing else, without those that are over at `now`. What is right is not
    /// touched, so a restart opens no gap. What is wrong is mended in one transaction; only a table that has to be
    /// replaced altogether takes three: while one base chain gives way to another, Linux 6.18 lets single packets pass
    /// both, so a stand-in under another name guards meanwhile.
    ///
    /// # Errors
    /// What the kernel refuses. What somebody else changes meanwhile is tried again.
    pub fn reconcile(&mut self, desired: &[&Cleared], now: Timestamp) -> Result<Reconciled, FirewallError> {
        let clock = Clock::start(now);
        let bans: Vec<(Network, Timestamp)> = desired.iter().map(|cleared| target(cleared)).collect();
        let mut attempt = 1;
        loop {
            let manner = if attempt == 1 { Manner::Plain } else { Manner::Careful };
            match self.reconcile_once(&bans, clock, manner) {
                Err(error) if attempt < ATTEMPTS && error.is_mended_by_reconciling() => attempt += 1,
                Err(FirewallError::Refused { errno, .. }) if self.may_lack_reset(&errno) => {
                    self.options.action = Action::Drop;
                }
                Err(error) => {
                    self.networks = None;
                    return Err(error);
                }
                Ok(done) => {
                    self.networks = Some(networks_of(&bans));
                    return Ok(done);
                }
            }
        }
    }

    /// Whether nobody else changed anything in the ruleset of this host since the last [`Self::reconcile`] began: then a
    /// [`Monitor`](crate::Monitor) that was opened after it missed nothing.
    ///
    /// # Errors
    /// Where the kernel does not tell.
    pub fn stood_still(&mut self) -> Result<bool, FirewallError> {
        let now = self.generation_of_others()?;
        Ok(self.generation == Some(now))
    }

    /// Adds bans, at once. One that is there already gets the new end, sooner or later than the old one.
    ///
    /// # Errors
    /// Where the kernel refuses, nothing is changed; see [`FirewallError::is_mended_by_reconciling`].
    pub fn add(&mut self, bans: &[Cleared], now: Timestamp) -> Result<(), FirewallError> {
        let bans: Vec<(Network, Timestamp)> = bans.iter().map(target).collect();
        let hosts = Contents::of(bans.iter().copied().filter(|(target, _)| target.is_host()), now);
        let hosts = |set| Changes { add: hosts.entries(set).to_vec(), ..Changes::default() };
        let networks = networks_of(&bans);
        match networks.is_empty() {
            true => self.change_hosts(now, hosts),
            false => self.change(now, |known| known.extend(networks), hosts),
        }
    }

    /// Lifts bans, at once. What is not there is no error, and a network within one that is lifted stays banned.
    ///
    /// # Errors
    /// Where the kernel refuses, nothing is changed; see [`FirewallError::is_mended_by_reconciling`].
    pub fn remove(&mut self, targets: &[Network], now: Timestamp) -> Result<(), FirewallError> {
        let hosts = targets.iter().filter(|target| target.is_host()).map(|target| (*target, FOREVER));
        let hosts = Contents::of(hosts, now);
        let hosts = |set| Changes { remove: hosts.entries(set).to_vec(), ..Changes::default() };
        match targets.iter().all(|target| target.is_host()) {
            true => self.change_hosts(now, hosts),
            false => self.change(now, |known| known.retain(|network, _| !targets.contains(network)), hosts),
        }
    }

    /// Takes a target out of a table that an earlier process left, without making the table anything else.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn clear_left(&mut self, target: Network, now: Timestamp) -> Result<(), FirewallError> {
        if !kernel::exists(&mut self.channel, &self.options)? {
            return Ok(());
        }
        let (clock, wanted) = (Clock::start(now), Contents::of([(target, FOREVER)], now));
        let mut all = Vec::new();
        for set in Set::OF_BANS.into_iter().filter(|set| !wanted.entries(*set).is_empty()) {
            let mut remove = kernel::entries(&mut self.channel, &self.options, set, clock)?;
            let is_within = |entry: &Entry| {
                wanted.entries(set).iter().any(|w| w.first <= entry.first && entry.last <= w.last)
            };
            remove.retain(is_within);
            all.push((set, Changes { remove, ..Changes::default() }));
        }
        self.write_once(clock, Manner::Careful, &all)
    }

    /// What the kernel holds, in order of sets and addresses.
    ///
    /// # Errors
    /// [`FirewallError::Changed`] where there is no table.
    pub fn elements(&mut self) -> Result<Vec<Element>, FirewallError> {
        let mut elements = Vec::new();
        for set in Set::OF_BANS {
            elements.extend(kernel::elements(&mut self.channel, &self.options, set)?);
        }
        Ok(elements)
    }

    /// What the rules have stopped; starts again from zero when they are replaced.
    ///
    /// # Errors
    /// [`FirewallError::Changed`] where there is no table.
    pub fn counters(&mut self) -> Result<Counters, FirewallError> {
        let (packets, bytes) = kernel::counters(&mut self.channel, &self.options)?;
        Ok(Counters { packets, bytes })
    }

    /// Takes the table away, and with it every ban. Without a table there is nothing to do.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn uninstall(&mut self) -> Result<(), FirewallError> {
        self.networks = None;
        self.remove_table(&self.options.stand_in())?;
        self.remove_table(&self.options.clone())
    }

    /// The netlink address that changes made here carry in notifications.
    pub(crate) const fn port(&self) -> u32 {
        self.channel.port()
    }

    /// The table's name.
    pub(crate) fn table(&self) -> &str {
        &self.options.table
    }

    fn reconcile_once(
        &mut self,
        bans: &[(Network, Timestamp)],
        clock: Clock,
        manner: Manner,
    ) -> Result<Reconciled, FirewallError> {
        self.generation = None;
        let began = self.generation_of_others()?;
        let found = kernel::structure(&mut self.channel, &self.options)?;
        let changes = self.differences(bans, clock, found)?;
        let stand_in = self.options.stand_in();
        if found == Found::Wrong {
            self.remove_table(&stand_in)?;
            carry_out(&mut self.channel, &stand_in, (clock, manner), Found::Missing, &changes)?;
        }
        carry_out(&mut self.channel, &self.options, (clock, manner), found, &changes)?;
        self.remove_table(&stand_in)?;
        self.generation = Some(began);
        Ok(self.report(found, &changes))
    }

    /// The ruleset's generation, less the transactions that were made here: what others make of it.
    fn generation_of_others(&mut self) -> Result<u32, FirewallError> {
        let generation = kernel::generation(&mut self.channel)
            .map_err(|failure| FirewallError::of(&self.options.table, failure))?;
        Ok(generation.wrapping_sub(self.channel.transactions()))
    }

    /// What has to change in each set; of a table that will be made anew, everything.
    fn differences(
        &mut self,
        bans: &[(Network, Timestamp)],
        clock: Clock,
        found: Found,
    ) -> Result<Vec<(Set, Changes)>, FirewallError> {
        let wanted = Contents::of(bans.iter().copied(), clock.now());
        let ports = ports(&self.options);
        let mut all = Vec::new();
        for set in Set::ALL {
            let present = match found {
                Found::Missing | Found::Wrong => Vec::new(),
                _ => kernel::entries(&mut self.channel, &self.options, set, clock)?,
            };
            let wanted = if set == Set::Ports { &ports } else { wanted.entries(set) };
            all.push((set, Changes::between(&present, wanted, TOLERANCE)));
        }
        Ok(all)
    }

    fn remove_table(&mut self, options: &Options) -> Result<(), FirewallError> {
        if !kernel::exists(&mut self.channel, options)? {
            return Ok(());
        }
        let clock = Clock::start(Timestamp::default());
        let mut work = Work::begin(&mut self.channel, options, clock, Manner::Plain);
        work.delete();
        work.finish()
    }

    fn report(&self, found: Found, all: &[(Set, Changes)]) -> Reconciled {
        let count = |which: fn(&Changes) -> usize| all.iter().map(|(_, changes)| which(changes)).sum();
        Reconciled {
            structure: match found {
                Found::Right => Structure::Kept,
                Found::Missing => Structure::Created,
                Found::RulesWrong | Found::ChainMissing => Structure::RulesReplaced,
                Found::Wrong => Structure::TableReplaced,
            },
            added: count(|changes| changes.add.len()),
            refreshed: count(|changes| changes.refresh.len()),
            removed: count(|changes| changes.remove.len()),
            action: self.options.action,
        }
    }

    fn change_hosts(&mut self, now: Timestamp, hosts: impl Fn(Set) -> Changes) -> Result<(), FirewallError> {
        if self.networks.is_none() {
            return Err(FirewallError::Unknown);
        }
        let (clock, changes) = (Clock::start(now), [Set::Banned4, Set::Banned6].map(|set| (set, hosts(set))));
        match self.write_once(clock, Manner::Plain, &changes) {
            Err(FirewallError::Changed { .. }) => self.write_once(clock, Manner::Careful, &changes),
            done => done,
        }
    }

    /// Changes the sets of addresses as told, and those of networks by what an edit changes in what they cover.
    fn change(
        &mut self,
        now: Timestamp,
        edit: impl FnOnce(&mut Networks),
        hosts: impl Fn(Set) -> Changes,
    ) -> Result<(), FirewallError> {
        let before = self.networks.as_ref().ok_or(FirewallError::Unknown)?;
        let mut after = before.clone();
        edit(&mut after);
        after.retain(|_, until| *until > now);
        let (was, will) = (covered(before, now), covered(&after, now));
        let changes = |set: Set, was: &[Entry]| match set.is_interval() {
            true => Changes::between(was, will.entries(set), 0),
            false => hosts(set),
        };
        let known = Set::OF_BANS.map(|set| (set, changes(set, was.entries(set))));
        match self.write_once(Clock::start(now), Manner::Plain, &known) {
            Err(FirewallError::Changed { .. }) => self.change_what_is_there(Clock::start(now), changes)?,
            done => done?,
        }
        self.networks = Some(after);
        Ok(())
    }

    /// Changes networks from what the kernel says is there.
    fn change_what_is_there(
        &mut self,
        clock: Clock,
        changes: impl Fn(Set, &[Entry]) -> Changes,
    ) -> Result<(), FirewallError> {
        let mut all = Vec::new();
        for set in Set::OF_BANS {
            let is = match set.is_interval() {
                true => kernel::entries(&mut self.channel, &self.options, set, clock)?,
                false => Vec::new(),
            };
            all.push((set, changes(set, &is)));
        }
        self.write_once(clock, Manner::Careful, &all)
    }

    fn write_once(
        &mut self,
        clock: Clock,
        manner: Manner,
        changes: &[(Set, Changes)],
    ) -> Result<(), FirewallError> {
        carry_out(&mut self.channel, &self.options, (clock, manner), Found::Right, changes)
    }

    /// Kernels before 5.9 reset only in `input`, `forward` and `output`.
    fn may_lack_reset(&self, errno: &std::io::Error) -> bool {
        let errno = Errno::from_io_error(errno);
        self.options.action == Action::Reset && matches!(errno, Some(Errno::OPNOTSUPP | Errno::INVAL))
    }
}

fn carry_out(
    channel: &mut Channel,
    options: &Options,
    (clock, manner): (Clock, Manner),
    found: Found,
    changes: &[(Set, Changes)],
) -> Result<(), FirewallError> {
    let mut work = Work::begin(channel, options, clock, manner);
    work.build(found);
    for (set, changes) in changes {
        work.change(*set, changes)?;
    }
    work.finish()
}

fn target(cleared: &Cleared) -> (Network, Timestamp) {
    (cleared.ban().target, cleared.ban().until.unwrap_or(FOREVER))
}

/// Networks without single addresses; of one that is named twice the later end.
fn networks_of(bans: &[(Network, Timestamp)]) -> Networks {
    let mut networks = Networks::new();
    for (target, until) in bans.iter().filter(|(target, _)| !target.is_host()) {
        let end = networks.entry(*target).or_insert(*until);
        *end = (*end).max(*until);
    }
    networks
}

fn covered(networks: &Networks, now: Timestamp) -> Contents {
    Contents::of(networks.iter().map(|(network, until)| (*network, *until)), now)
}

fn ports(options: &Options) -> Vec<Entry> {
    let key = |port: u16| u128::from(port);
    options
        .closed_ports()
        .into_iter()
        .map(|port| Entry { first: key(port), last: key(port), until: FOREVER })
        .collect()
}

/// How far the end of an element may be off, in microseconds.
const TOLERANCE: u64 = 2_000_000;
const ATTEMPTS: u32 = 5;

#[cfg(test)]
mod tests;
