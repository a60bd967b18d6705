//! Bans in the kernel by netlink, and in a Postfix CIDR table; and the packet filter of the host.
//!
//! [`Firewall`] keeps an nftables table of its own equal to a desired set of bans: it reads what is there and writes
//! what differs, in transactions, so that no packet ever sees a table half done. [`Monitor`] tells when somebody else
//! touched it. [`CidrTable`] is the same set for postscreen. [`HostFilter`] is the packet filter of the host itself, in another
//! table.
#![forbid(unsafe_code)]

mod channel;
mod cidr_table;
mod contents;
mod element;
mod error;
mod firewall;
mod host_filter;
mod kernel;
mod layout;
mod message;
mod monitor;
mod nf_tables;
mod rule;
mod work;

pub use cidr_table::{CidrTable, CidrTableError, Written};
pub use element::Element;
pub use error::FirewallError;
pub use firewall::{Counters, Firewall, Reconciled, Structure};
pub use host_filter::{HostFilter, HostFilterError, Loaded, Side, Trial};
pub use layout::{Action, MAIL_PORTS, Options};
pub use monitor::{Heard, Monitor};
