//! Log lines into typed events: framing and a module per program.
//!
//! Parsing never fails and never panics: what is not known becomes an event of kind
//! [`Unknown`](mailward_model::EventKind::Unknown). It reads structure, not patterns: a client's address is taken only from
//! the place where the program itself writes it, and text that a client controls is a field that is never searched. The
//! work is linear in the length of the line, whatever its bytes are. Nothing is allocated per line.
#![forbid(unsafe_code)]

mod dispatch;
mod frame;
mod lines;
mod parser;
mod scan;

mod amavis;
mod clamav;
mod dovecot;
mod fail2ban;
mod opendkim;
mod opendmarc;
mod pam;
mod policyd_spf;
mod postfix;
mod postgrey;
mod rspamd;
mod saslauthd;
mod spamd;

pub use lines::{Lines, split_lines};
pub use parser::{Context, Parser};
