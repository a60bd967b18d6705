//! One private address that stands for everybody: a proxy or container gateway hides the clients.

use core::net::IpAddr;

use mailward_model::{Span, Timestamp};

/// Shares of connections in consecutive windows.
#[derive(Debug, Default)]
pub(crate) struct Gateway {
    since: Timestamp,
    all: u32,
    private: Vec<(IpAddr, u32)>,
}

impl Gateway {
    /// Fewer connections than this in a window say nothing.
    const LEAST: u32 = 50;
    /// Private addresses that are told apart.
    const MOST: usize = 16;

    /// Counts a connection. At the end of a window tells the private address that had at least `percent` of all, and how
    /// many percent.
    pub(crate) fn connected(
        &mut self,
        address: IpAddr,
        now: Timestamp,
        window: Span,
        percent: u32,
    ) -> Option<(IpAddr, u32)> {
        let found = if now.since(self.since) > window { self.end(now, percent) } else { None };
        self.all = self.all.saturating_add(1);
        if is_private(address) {
            if let Some((_, number)) = self.private.iter_mut().find(|(known, _)| *known == address) {
                *number = number.saturating_add(1);
            } else if self.private.len() < Self::MOST {
                self.private.push((address, 1));
            }
        }
        found
    }

    fn end(&mut self, now: Timestamp, percent: u32) -> Option<(IpAddr, u32)> {
        let all = u64::from(self.all.max(1));
        let (address, number) = self.private.iter().copied().max_by_key(|(_, number)| *number).unzip();
        let share = (u64::from(number.unwrap_or(0)) * 100 / all) as u32;
        let enough = self.all >= Self::LEAST && share >= percent;
        *self = Self { since: now, ..Self::default() };
        address.filter(|_| enough).map(|address| (address, share))
    }
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private(),
        IpAddr::V6(v6) => v6.is_unique_local(),
    }
}
