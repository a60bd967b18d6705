//! What can go wrong with the firewall, for the person who has to mend it.

use core::net::{Ipv4Addr, Ipv6Addr};
use std::io;

use mailward_model::Network;
use rustix::io::Errno;

use crate::channel::{Failure, Refusal};
use crate::element::at_offset;
use crate::message::{Message, Sealed};
use crate::nf_tables::msg;

/// Why the firewall could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum FirewallError {
    /// No right.
    #[error(
        "the kernel lets nobody touch the firewall without CAP_NET_ADMIN; trying again does not help. Run as root, \
         or give the service AmbientCapabilities=CAP_NET_ADMIN (in a container: cap_add: NET_ADMIN), or guard \
         without bans in the kernel: mailward guard --no-firewall"
    )]
    Forbidden,
    /// No nf_tables in the kernel.
    #[error(
        "this kernel has no nf_tables ({0}); trying again does not help. Load it (modprobe nf_tables), or guard \
         without bans in the kernel: mailward guard --no-firewall"
    )]
    Unsupported(#[source] io::Error),
    /// Somebody else changed the table, so that the change does not fit any more. Nothing was changed;
    /// [`Firewall::reconcile`](crate::Firewall::reconcile) mends it.
    #[error("somebody changed table inet {table} or took it away ({what}: {errno}); it has to be reconciled")]
    Changed {
        /// The table.
        table: String,
        /// What the kernel stumbled over.
        what: String,
        /// Its error.
        #[source]
        errno: io::Error,
    },
    /// The kernel refused something that should be right.
    #[error(
        "the kernel refused {what} in table inet {table}: {errno}{words}. See: nft list table inet {table}"
    )]
    Refused {
        /// The table.
        table: String,
        /// What was refused.
        what: String,
        /// The kernel's error.
        #[source]
        errno: io::Error,
        /// The kernel's own words.
        words: String,
    },
    /// The kernel did not answer.
    #[error("the kernel's answer was lost: its queue overflowed; trying again helps")]
    Lost,
    /// The netlink socket failed.
    #[error("cannot {action} over netlink: {errno}")]
    Socket {
        /// What was tried.
        action: &'static str,
        /// The system's error.
        #[source]
        errno: io::Error,
    },
    /// [`Firewall::reconcile`](crate::Firewall::reconcile) was never called, so what is in the kernel is not known.
    #[error("the firewall has not been reconciled yet")]
    Unknown,
}

impl FirewallError {
    /// Whether reconciling may mend it.
    #[must_use]
    pub const fn is_mended_by_reconciling(&self) -> bool {
        matches!(self, Self::Changed { .. } | Self::Lost | Self::Unknown)
    }

    /// Of a request.
    pub(crate) fn of(table: &str, failure: Failure) -> Self {
        Self::about(table, failure, |_| "a request".to_owned())
    }

    /// Of a transaction, which tells what the refused message was about.
    pub(crate) fn of_transaction(table: &str, failure: Failure, sent: &Sealed) -> Self {
        Self::about(table, failure, |refusal| {
            let message = sent.message(refusal.sequence);
            message.map_or_else(|| "the transaction".to_owned(), |message| describe(message, refusal.offset))
        })
    }

    fn about(table: &str, failure: Failure, what: impl Fn(&Refusal) -> String) -> Self {
        let table = table.to_owned();
        match failure {
            Failure::Lost => Self::Lost,
            Failure::Socket { action, errno } => Self::Socket { action, errno },
            Failure::Refused(refusal) => {
                let what = what(&refusal);
                let errno = io::Error::from(refusal.errno);
                match refusal.errno {
                    Errno::PERM => Self::Forbidden,
                    Errno::NOENT | Errno::EXIST | Errno::BUSY | Errno::NOTEMPTY => {
                        Self::Changed { table, what, errno }
                    }
                    _ => Self::Refused { table, what, errno, words: in_brackets(&refusal.words) },
                }
            }
        }
    }
}

/// What a message of ours is about.
fn describe(message: Message<'_>, offset: Option<usize>) -> String {
    match message.subsystem_kind() {
        Some(msg::NEW_TABLE | msg::DEL_TABLE) => "the table".to_owned(),
        Some(msg::NEW_CHAIN) => "the chain".to_owned(),
        Some(msg::NEW_RULE | msg::DEL_RULE) => "a rule".to_owned(),
        Some(msg::NEW_SET) => "a set".to_owned(),
        Some(msg::NEW_ELEMENT) => format!("adding {}", describe_element(message, offset)),
        Some(msg::DEL_ELEMENT) => format!("removing {}", describe_element(message, offset)),
        _ => "the transaction".to_owned(),
    }
}

fn describe_element(message: Message<'_>, offset: Option<usize>) -> String {
    match offset.and_then(|offset| at_offset(message, offset)) {
        None => "an element".to_owned(),
        Some((set, number)) if set.is_ipv4() => {
            format!("{} of set {}", Network::host(Ipv4Addr::from_bits(number as u32).into()), set.name())
        }
        Some((set, number)) if set.key_length() == 16 => {
            format!("{} of set {}", Network::host(Ipv6Addr::from_bits(number).into()), set.name())
        }
        Some((set, number)) => format!("{number} of set {}", set.name()),
    }
}

fn in_brackets(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!(" ({words})") }
}
