//! Honest users. None of what they do may be refused, delayed for long or cut off.

mod acts;
mod scenes;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use crate::client::{Reach, Trouble, Trust, reach};
use crate::host::Lab;
use crate::topology::{INNOCENTS, Place};

/// Something that honest users do, and whether it worked.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// What was done.
    pub what: String,
    /// How it failed, if it did.
    pub failure: Option<String>,
    /// How long it took.
    pub seconds: f64,
}

/// How the honest users fared.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Everything that they did.
    pub steps: Vec<Step>,
    /// Honest addresses that cannot connect afterwards, and at which port.
    pub shut_out: Vec<(IpAddr, u16)>,
}

impl Report {
    /// Whether nobody was hindered.
    #[must_use]
    pub fn unhindered(&self) -> bool {
        self.shut_out.is_empty() && self.failed().next().is_none()
    }

    /// What did not work.
    pub fn failed(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.failure.is_some())
    }
}

/// The honest users at work.
pub struct Legit<'a> {
    lab: &'a Lab,
    trust: Trust,
    /// Makes subjects unique, so that a message found is the message sent.
    tag: String,
    report: Report,
}

impl<'a> Legit<'a> {
    /// Honest users of this lab.
    ///
    /// # Errors
    /// When the lab's authority cannot be read.
    pub fn new(lab: &'a Lab) -> Result<Self> {
        let trust = Trust::authority(&lab.authority())?;
        let tag = jiff::Timestamp::now().as_millisecond().to_string();
        Ok(Self { lab, trust, tag, report: Report::default() })
    }

    /// One round of ordinary mail. The calling thread must be in [`Place::Good`].
    pub fn ordinary(&mut self, round: usize) {
        scenes::ordinary(self, round);
    }

    /// What looks suspicious and is not. The calling thread must be in [`Place::Good`].
    pub fn hard(&mut self) {
        scenes::hard(self);
    }

    /// Looks who is shut out and tells how everybody fared.
    ///
    /// # Errors
    /// When raw sockets cannot be used.
    pub fn report(mut self) -> Result<Report> {
        for innocent in INNOCENTS {
            for port in [25, 587, 993] {
                if reach(innocent.address, port, Duration::from_secs(2))? != Reach::Open {
                    self.report.shut_out.push((innocent.address, port));
                }
            }
        }
        Ok(self.report)
    }

    fn step(&mut self, what: &str, act: impl FnOnce(&Self) -> Result<(), Trouble>) {
        let begin = Instant::now();
        let failure = act(self).err().map(|trouble| trouble.to_string());
        let seconds = begin.elapsed().as_secs_f64();
        self.report.steps.push(Step { what: what.to_owned(), failure, seconds });
    }
}

/// Lets the honest users work once, from a thread of their own.
///
/// # Errors
/// When the lab is down.
pub fn run(lab: &Lab, rounds: usize, hard: bool) -> Result<Report> {
    let mut legit = Legit::new(lab)?;
    lab.within(Place::Good, move || {
        for round in 0..rounds {
            legit.ordinary(round);
        }
        if hard {
            legit.hard();
        }
        legit.report()
    })
}
