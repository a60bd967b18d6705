//! What is in the kernel now.

use std::time::Instant;

use mailward_model::{Span, Timestamp};
use rustix::io::Errno;

use crate::channel::{Channel, Failure};
use crate::contents::Entry;
use crate::element::{Dump, Element};
use crate::error::FirewallError;
use crate::layout::{CHAIN, Options, Set};
use crate::message::{Attributes, Message, Writer, flags};
use crate::nf_tables::{GENERATION_ID, chain, element, msg, rule, set, table};
use crate::rule::counted;

/// How much of the table is as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Structure {
    /// There is no such table.
    Missing,
    /// Sets or chain are wrong, or there is something that does not belong here.
    Wrong,
    /// Everything is right but the chain, which is not there.
    ChainMissing,
    /// Everything is right but the rules.
    RulesWrong,
    Right,
}

/// Looks at the table, its sets, its chain and its rules.
pub(crate) fn structure(channel: &mut Channel, options: &Options) -> Result<Structure, FirewallError> {
    let fail = |failure| FirewallError::of(&options.table, failure);
    let Some((flags, uses)) = table_state(channel, options).map_err(fail)? else {
        return Ok(Structure::Missing);
    };
    let chain_is_right = chain_state(channel, options).map_err(fail)?;
    let sets_are_right = Set::ALL.len() == right_sets(channel, options).map_err(fail)?;
    let expected = Set::ALL.len() + usize::from(chain_is_right.is_some());
    // The table counts what is in it: sets, chains and objects. With more than ours, somebody made himself at home.
    if flags != 0 || !sets_are_right || chain_is_right == Some(false) || uses as usize != expected {
        return Ok(Structure::Wrong);
    }
    match chain_is_right {
        None => Ok(Structure::ChainMissing),
        Some(_) if rules_are_right(channel, options).map_err(fail)? => Ok(Structure::Right),
        Some(_) => Ok(Structure::RulesWrong),
    }
}

/// The number of the ruleset's generation: it grows by one with every transaction, whoever makes it.
pub(crate) fn generation(channel: &mut Channel) -> Result<u32, Failure> {
    let mut generation = None;
    channel.ask(
        msg::GET_GENERATION,
        0,
        |_| {},
        |message| generation = message.attributes().u32(GENERATION_ID),
    )?;
    generation.ok_or(Failure::Lost)
}

/// Whether there is a table of this name.
pub(crate) fn exists(channel: &mut Channel, options: &Options) -> Result<bool, FirewallError> {
    let state =
        table_state(channel, options).map_err(|failure| FirewallError::of(&options.table, failure))?;
    Ok(state.is_some())
}

/// Reads what a set holds.
pub(crate) fn entries(
    channel: &mut Channel,
    options: &Options,
    set: Set,
    clock: Clock,
) -> Result<Vec<Entry>, FirewallError> {
    Ok(dump(channel, options, set, clock)?.entries(set, clock.started_at))
}

/// Reads what a set holds, with its counters.
pub(crate) fn elements(
    channel: &mut Channel,
    options: &Options,
    set: Set,
) -> Result<Vec<Element>, FirewallError> {
    Ok(dump(channel, options, set, Clock::start(Timestamp::default()))?.elements(set))
}

/// Adds up the counters of the rules: packets and bytes.
pub(crate) fn counters(channel: &mut Channel, options: &Options) -> Result<(u64, u64), FirewallError> {
    let rules = rules(channel, options).map_err(|failure| FirewallError::of(&options.table, failure))?;
    let counted =
        rules.iter().flat_map(|rule| Attributes(rule)).filter_map(|step| counted(Attributes(step.value)));
    Ok(counted.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1)))
}

/// The caller's time, going on while the kernel works: a dump of many elements takes seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started_at: Timestamp,
    started: Instant,
}

impl Clock {
    pub(crate) fn start(now: Timestamp) -> Self {
        Self { started_at: now, started: Instant::now() }
    }

    pub(crate) fn now(self) -> Timestamp {
        self.started_at.plus(self.elapsed())
    }

    fn elapsed(self) -> Span {
        Span::from_micros(u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX))
    }
}

/// Flags and use count of the table, if it is there.
fn table_state(channel: &mut Channel, options: &Options) -> Result<Option<(u32, u32)>, Failure> {
    let mut state = None;
    let name = |writer: &mut Writer| writer.text(table::NAME, &options.table);
    let found = channel.ask(msg::GET_TABLE, 0, name, |message| {
        let attributes = message.attributes();
        let number = |kind| attributes.u32(kind).unwrap_or_default();
        state = Some((number(table::FLAGS), number(table::USE)));
    });
    if_present(found).map(|_| state)
}

/// Whether the chain is right, if it is there.
fn chain_state(channel: &mut Channel, options: &Options) -> Result<Option<bool>, Failure> {
    let mut state = None;
    let name = |writer: &mut Writer| {
        writer.text(chain::TABLE, &options.table);
        writer.text(chain::NAME, CHAIN);
    };
    let each = |message: Message<'_>| state = Some(Options::chain_is_right(message.attributes()));
    if_present(channel.ask(msg::GET_CHAIN, 0, name, each)).map(|_| state)
}

/// How many of our sets are there and right.
fn right_sets(channel: &mut Channel, options: &Options) -> Result<usize, Failure> {
    undisturbed(|| {
        let mut right = 0;
        let name = |writer: &mut Writer| writer.text(set::TABLE, &options.table);
        let still = channel.ask(msg::GET_SET, flags::DUMP, name, |message| {
            let attributes = message.attributes();
            let set = attributes.text(set::NAME).and_then(Set::named);
            right += usize::from(set.is_some_and(|set| Options::set_is_right(set, attributes)));
        })?;
        Ok((right, still))
    })
}

fn rules_are_right(channel: &mut Channel, options: &Options) -> Result<bool, Failure> {
    Ok(options.rules_are_right(&rules(channel, options)?))
}

/// The rules of the chain, each as its list of expressions.
fn rules(channel: &mut Channel, options: &Options) -> Result<Vec<Vec<u8>>, Failure> {
    undisturbed(|| {
        let mut rules = Vec::new();
        let name = |writer: &mut Writer| {
            writer.text(rule::TABLE, &options.table);
            writer.text(rule::CHAIN, CHAIN);
        };
        let still = channel.ask(msg::GET_RULE, flags::DUMP, name, |message| {
            rules.push(message.attributes().value(rule::EXPRESSIONS).unwrap_or_default().to_vec());
        })?;
        Ok((rules, still))
    })
}

fn dump(channel: &mut Channel, options: &Options, set: Set, clock: Clock) -> Result<Dump, FirewallError> {
    let read = undisturbed(|| {
        let mut dump = Dump::default();
        let name = |writer: &mut Writer| {
            writer.text(element::TABLE, &options.table);
            writer.text(element::SET, set.name());
        };
        let each = |message: Message<'_>| dump.read(message, clock.elapsed());
        let still = channel.ask(msg::GET_ELEMENT, flags::DUMP, name, each)?;
        Ok((dump, still))
    });
    read.map_err(|failure| FirewallError::of(&options.table, failure))
}

/// Reads again what changed while it was read. On a host whose ruleset never stands still the last reading has to do:
/// if it missed something, adding that again is refused, and the careful way is taken.
fn undisturbed<T>(mut read: impl FnMut() -> Result<(T, bool), Failure>) -> Result<T, Failure> {
    for _ in 1..ATTEMPTS {
        if let (value, true) = read()? {
            return Ok(value);
        }
    }
    read().map(|(value, _)| value)
}

/// Takes "there is no such thing" for an answer.
fn if_present(answer: Result<bool, Failure>) -> Result<(), Failure> {
    match answer {
        Err(Failure::Refused(refusal)) if refusal.errno == Errno::NOENT => Ok(()),
        other => other.map(drop),
    }
}

/// How often a reading that was disturbed is tried.
const ATTEMPTS: u32 = 4;
