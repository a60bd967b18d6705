//! Events into offences, offences into signals: windows and detectors.
//!
//! Pure: no clock, no files. Time is the event's own.
#![forbid(unsafe_code)]

pub mod rules;
