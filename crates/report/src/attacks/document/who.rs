//! Who attacked, from where, and at whom: sources, networks, accounts.

use super::super::SourceCount;
use super::{GLANCE, MOST, Writer, glanced, section};
use crate::words::number;
use crate::{Align, Block, Cell, Shown, Table, Tone};

impl Writer<'_> {
    pub(super) fn sources(&self) -> Vec<Block> {
        if self.report.by_source.is_empty() {
            return Vec::new();
        }
        let mut table = Table::new([
            ("source", Align::Left),
            ("count", Align::Bar),
            ("kinds", Align::Wrap),
            ("first", Align::Left),
            ("last", Align::Left),
            ("would be banned", Align::Wrap),
        ]);
        for source in self.report.by_source.iter().take(MOST) {
            table.row([
                source.address.as_str().into(),
                number(source.count).into(),
                source.kinds.few(3).into(),
                self.time(source.first),
                self.time(source.last),
                self.fate(source),
            ]);
        }
        table.glance = GLANCE;
        table.all = self.report.sources;
        section("Top sources", Block::Table(table))
    }

    fn fate(&self, source: &SourceCount) -> Cell {
        match (&source.banned, &source.protected) {
            (_, Some(_)) => Cell::toned("never", Tone::Good),
            (Some(ban), None) => Cell::strong(format!("after {}, {}", ban.after, self.clock.short(ban.time))),
            (None, None) => Cell::dim("no"),
        }
    }

    pub(super) fn networks(&self) -> Vec<Block> {
        let shared: Vec<_> = self.report.by_network.iter().filter(|network| network.sources > 1).collect();
        if shared.is_empty() {
            return Vec::new();
        }
        let mut table = Table::new([
            ("network", Align::Left),
            ("offences", Align::Right),
            ("sources", Align::Right),
            ("good logins", Align::Right),
            ("kinds", Align::Wrap),
        ]);
        for network in shared.iter().take(MOST) {
            let tone = if network.logins > 0 { Tone::Good } else { Tone::Dim };
            table.row([
                network.network.as_str().into(),
                number(network.count).into(),
                number(network.sources).into(),
                Cell::toned(number(network.logins), tone),
                network.kinds.few(3).into(),
            ]);
        }
        section("Networks with more than one source", Block::Table(glanced(table, shared.len())))
    }

    pub(super) fn accounts(&self) -> Vec<Block> {
        if self.report.by_account.is_empty() {
            return Vec::new();
        }
        let mut table = Table::new([
            ("account", Align::Wrap),
            ("failures", Align::Right),
            ("sources", Align::Right),
            ("first", Align::Left),
            ("last", Align::Left),
            ("good logins", Align::Right),
        ]);
        for account in self.report.by_account.iter().take(MOST) {
            table.row([
                Shown::from(account.account.as_str()).clipped(48).as_str().into(),
                number(account.failures).into(),
                number(account.sources).into(),
                self.time(account.first),
                self.time(account.last),
                number(account.logins).into(),
            ]);
        }
        section("Accounts that were tried", Block::Table(glanced(table, self.report.by_account.len())))
    }
}
