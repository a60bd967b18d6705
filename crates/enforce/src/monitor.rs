//! Hears when somebody else changes the firewall.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use netlink_sys::{Socket, protocols::NETLINK_NETFILTER};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::sockopt;

use crate::channel::{Failure, at, receive};
use crate::error::FirewallError;
use crate::firewall::Firewall;
use crate::message::{Message, Messages};
use crate::nf_tables::{GROUP, INET, msg, table};

/// A second socket, in the kernel's group of those that hear of every change of the ruleset. It knows the changes that
/// its [`Firewall`] made and keeps silent about them.
#[derive(Debug)]
pub struct Monitor {
    socket: Socket,
    own: u32,
    table: String,
    buffer: Vec<u8>,
}

/// What a [`Monitor`] heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Nothing of our table.
    Nothing,
    /// Somebody else changed our table, or took it away.
    Change,
    /// More happened than the socket's queue could hold; our table may have been changed.
    Overflow,
}

impl Heard {
    /// Whether to reconcile now.
    #[must_use]
    pub const fn calls_for_reconciling(self) -> bool {
        !matches!(self, Self::Nothing)
    }
}

impl Monitor {
    /// Listens from now on. For a listener the kernel writes a message about every element, which takes it longer than the
    /// element itself; so where thousands are to be written, reconcile first, and once more unless
    /// [`Firewall::stood_still`].
    ///
    /// # Errors
    /// Where the socket cannot be had.
    pub fn open(firewall: &Firewall) -> Result<Self, FirewallError> {
        let join = || {
            let mut socket = Socket::new(NETLINK_NETFILTER).map_err(at("open a socket"))?;
            socket.bind_auto().map_err(at("bind"))?;
            if sockopt::set_socket_recv_buffer_size_force(&socket, QUEUE).is_err() {
                let _ = sockopt::set_socket_recv_buffer_size(&socket, QUEUE);
            }
            socket.add_membership(GROUP).map_err(at("listen for changes"))?;
            Ok(socket)
        };
        let socket = join().map_err(|failure| FirewallError::of(firewall.table(), failure))?;
        let (own, table) = (firewall.port(), firewall.table().to_owned());
        Ok(Self { socket, own, table, buffer: vec![0; DATAGRAM] })
    }

    /// Takes in what is there, without waiting.
    ///
    /// # Errors
    /// Where the socket fails.
    pub fn hear(&mut self) -> Result<Heard, FirewallError> {
        let mut heard = Heard::Nothing;
        loop {
            match receive(&self.socket, &mut self.buffer) {
                Ok(None) => return Ok(heard),
                Ok(Some(size)) => {
                    let mut messages = Messages(self.buffer.get(..size).unwrap_or_default());
                    if messages.any(|message| self.is_foreign(message)) {
                        heard = Heard::Change;
                    }
                }
                Err(Failure::Lost) if heard == Heard::Nothing => heard = Heard::Overflow,
                Err(Failure::Lost) => {}
                Err(failure) => return Err(FirewallError::of(&self.table, failure)),
            }
        }
    }

    /// Waits for a change of our table by somebody else, at most so long.
    ///
    /// # Errors
    /// Where the socket fails.
    pub fn wait(&mut self, timeout: Duration) -> Result<Heard, FirewallError> {
        let deadline = Instant::now() + timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let is_there = self.is_readable(left)?;
            match self.hear()? {
                Heard::Nothing if is_there => {}
                heard => return Ok(heard),
            }
        }
    }

    fn is_readable(&self, left: Duration) -> Result<bool, FirewallError> {
        let left = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 });
        match poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], Some(&left)) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => Ok(true),
            Err(errno) => Err(FirewallError::of(&self.table, at("wait for changes")(errno.into()))),
        }
    }

    /// Every message carries its table's name, except that which tells of the new generation as a whole.
    fn is_foreign(&self, message: Message<'_>) -> bool {
        let ours = message.attributes().text(table::NAME) == Some(self.table.as_bytes());
        let tells = !matches!(message.subsystem_kind(), None | Some(msg::NEW_GENERATION));
        tells && ours && message.family() == Some(INET) && message.port != self.own
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Notifications wait here while nobody reads; a large transaction of our own makes megabytes of them.
const QUEUE: usize = 16 << 20;
/// The kernel puts several notifications into one datagram of at most a page and a bit (`NLMSG_GOODSIZE`).
const DATAGRAM: usize = 64 << 10;
