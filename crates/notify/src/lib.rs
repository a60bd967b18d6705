//! Alerts on their way to people.
//!
//! [`Desk`] knows what is wrong and what waits to be told, and says what goes when: pure, and one document that is kept on the disk.
//! [`Channel::send`] takes a [`Message`] to people, by mail, to a web service, or by a program. Who calls both is elsewhere, and
//! writes the desk down before anything is sent: killed anywhere, an alert is told twice at worst, and never lost.
#![forbid(unsafe_code)]

mod alert;
mod channel;
mod command;
mod desk;
mod mail;
mod message;
mod rules;
mod secret;
mod web;

pub use alert::{Alert, Letter};
pub use channel::{Channel, SendError};
pub use desk::{Desk, Dispatch, Lane, Trouble};
pub use mail::{Mail, Security};
pub use message::Message;
pub use rules::{Quiet, Route, Rules};
pub use web::{Service, Web};
