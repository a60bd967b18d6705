//! Events into offences, offences into signals: windows and detectors.
//!
//! Pure: no clock, no files. Time is the event's own. Memory is bounded by [`Capacity`], whatever is sent.
#![forbid(unsafe_code)]

mod bounded;
mod detector;
mod gateway;
mod index;
mod joins;
mod judge;
mod names;
mod networks;
mod places;
pub mod rules;
mod source;
mod window;

pub use detector::{Detector, Known, Login, Notice, Occupancy};
pub use judge::{judge, matters};
pub use rules::{Capacity, Patience, Rule, Rules};
