//! Changes written as transactions.

use crate::channel::Channel;
use crate::contents::{Changes, Entry};
use crate::element::{self, Change};
use crate::error::FirewallError;
use crate::kernel::{Clock, Structure};
use crate::layout::{Options, Set};
use crate::message::Writer;

/// Transactions, begun anew whenever one is full.
pub(crate) struct Work<'a> {
    channel: &'a mut Channel,
    options: &'a Options,
    clock: Clock,
    manner: Manner,
    writer: Writer,
    empty: usize,
}

/// How single addresses are changed. Adding fails where there is one, taking away where there is none; so of what may or
/// may not be there all three are done: it is put there, taken away, and put there as it should be. Packets see only
/// the result. (Not to mind is possible, too, but for taking away only since Linux 6.3, `NFT_MSG_DESTROYSETELEM`, and
/// adding kept the old end before 6.12.)
///
/// Ranges are always changed plainly, from what is known to be there: one that is over but not swept up yet takes no
/// part of this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// What is known holds; it is an error if it does not.
    Plain,
    /// What is known may be wrong.
    Careful,
}

impl<'a> Work<'a> {
    pub(crate) fn begin(
        channel: &'a mut Channel,
        options: &'a Options,
        clock: Clock,
        manner: Manner,
    ) -> Self {
        let writer = channel.transaction();
        Self { empty: writer.len(), writer, channel, options, clock, manner }
    }

    /// Everything but the elements.
    pub(crate) fn build(&mut self, found: Structure) {
        let writer = &mut self.writer;
        match found {
            Structure::Right => {}
            Structure::Missing => self.options.create(writer),
            Structure::Wrong => {
                self.options.delete(writer);
                self.options.create(writer);
            }
            Structure::ChainMissing => self.options.create_chain(writer),
            Structure::RulesWrong => {
                self.options.delete_rules(writer);
                self.options.create_rules(writer);
            }
        }
    }

    /// Takes the table away.
    pub(crate) fn delete(&mut self) {
        self.options.delete(&mut self.writer);
    }

    /// Changes a set. Ranges must be free before others are put there, so removing comes first; a set of networks
    /// changes in one piece, as long as a transaction can hold it.
    pub(crate) fn change(&mut self, set: Set, changes: &Changes) -> Result<(), FirewallError> {
        let Changes { add, refresh, remove } = changes;
        if set.is_interval() {
            self.make_room(element::size(set, add.len() + 2 * refresh.len() + remove.len()) + SLACK)?;
        }
        match self.manner {
            Manner::Careful if !set.is_interval() => {
                self.each(set, remove, &[Change::Ensure, Change::Take])?;
                self.each(set, refresh, &[Change::Ensure, Change::Take, Change::Create])?;
                self.each(set, add, &[Change::Ensure, Change::Take, Change::Create])
            }
            _ => {
                self.each(set, remove, &[Change::Take])?;
                self.each(set, refresh, &[Change::Take, Change::Create])?;
                self.each(set, add, &[Change::Create])
            }
        }
    }

    fn each(&mut self, set: Set, entries: &[Entry], steps: &[Change]) -> Result<(), FirewallError> {
        let place = (self.options.table.as_str(), set);
        for entries in entries.chunks(element::PER_MESSAGE) {
            self.make_room(element::size(set, entries.len()) * steps.len())?;
            for step in steps {
                element::write(&mut self.writer, place, *step, entries, self.clock.now());
            }
        }
        Ok(())
    }

    fn make_room(&mut self, bytes: usize) -> Result<(), FirewallError> {
        if self.writer.len() + bytes <= self.channel.most() { Ok(()) } else { self.carry_out() }
    }

    fn carry_out(&mut self) -> Result<(), FirewallError> {
        if self.writer.len() == self.empty {
            return Ok(());
        }
        let full = core::mem::replace(&mut self.writer, Writer::new(0));
        let done = self.channel.commit(full);
        self.writer = self.channel.transaction();
        done.map_err(|(failure, sent)| FirewallError::of_transaction(&self.options.table, failure, &sent))
    }

    pub(crate) fn finish(mut self) -> Result<(), FirewallError> {
        self.carry_out()
    }
}

/// For the heads of more messages than one.
const SLACK: usize = 2048;
