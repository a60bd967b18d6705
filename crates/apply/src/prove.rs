//! Whether a plan did what it should, and nothing else: the findings that asked for it are gone, and what worked still works.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use mailward_audit::plan::{Program, Reason};

use crate::carry::Around;
use crate::prepared::Prepared;
use crate::{Site, reload};

/// Who looks at the mail server from outside.
pub trait Witness {
    /// What works, by its name, and what does not, with the reason.
    fn works(&self) -> BTreeMap<String, Result<(), String>>;

    /// Which of these findings are there still, each with what is wrong now.
    ///
    /// # Errors
    /// When it cannot be told.
    fn left(&self, reasons: &[Reason]) -> Result<Vec<Reason>, String>;
}

/// How long programs may take until they work as before.
const PATIENCE: Duration = Duration::from_secs(30);
/// The same for a container that is made anew: it looks up, compiles and fetches a lot first.
const PATIENCE_CONTAINER: Duration = Duration::from_secs(300);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(250);

/// The server while a plan is carried out on it.
pub(crate) struct Live<'a> {
    site: &'a Site<'a>,
    prepared: &'a Prepared,
    witness: &'a dyn Witness,
    say: &'a dyn Fn(&str),
    sound: BTreeMap<String, Result<(), String>>,
    pub(crate) warnings: Vec<String>,
}

impl<'a> Live<'a> {
    pub(crate) fn new(
        site: &'a Site<'a>,
        prepared: &'a Prepared,
        witness: &'a dyn Witness,
        say: &'a dyn Fn(&str),
    ) -> Self {
        Self { site, prepared, witness, say, sound: witness.works(), warnings: Vec::new() }
    }

    /// What worked before and does not now.
    fn broken(&self) -> Option<String> {
        let works = self.witness.works();
        let was = self.sound.iter().filter(|(_, worked)| worked.is_ok());
        was.filter_map(|(name, _)| match works.get(name) {
            Some(Ok(())) => None,
            Some(Err(why)) => Some(format!("{name} worked before and does not now: {why}")),
            None => Some(format!("{name} worked before and is gone")),
        })
        .next()
    }

    fn findings(&self) -> Option<String> {
        let reasons: Vec<Reason> = self.reasons();
        if reasons.is_empty() {
            return None;
        }
        let left = match self.witness.left(&reasons) {
            Ok(left) if left.is_empty() => return None,
            Ok(left) => left,
            Err(why) => return Some(format!("whether it mended anything cannot be told: {why}")),
        };
        let lines: String =
            left.iter().map(|reason| format!("\n  {}: {}", reason.check, reason.summary)).collect();
        let mut checks: Vec<_> = left.iter().map(|reason| reason.check.as_str()).collect();
        checks.dedup();
        Some(format!(
            "still found afterwards:{lines}\nLeave it out (`--skip {}`) and try again",
            checks.join(",")
        ))
    }

    fn reasons(&self) -> Vec<Reason> {
        let mut all: Vec<_> =
            self.prepared.plan.steps.iter().flat_map(|step| step.reasons.iter().cloned()).collect();
        all.sort();
        all.dedup();
        all
    }

    /// Looks until nothing is wrong any more, or until the time is over; what is wrong then.
    fn until_fine(&self, wrong: impl Fn(&Self) -> Option<String>) -> Result<(), String> {
        let container = self.prepared.programs().contains(&Program::Container);
        let end = Instant::now() + if container { PATIENCE_CONTAINER } else { PATIENCE };
        loop {
            match wrong(self) {
                None => return Ok(()),
                Some(why) if Instant::now() >= end => return Err(why),
                Some(_) => thread::sleep(PAUSE),
            }
        }
    }
}

impl Around for Live<'_> {
    fn reload(&mut self) -> Result<(), String> {
        (self.say)("telling the programs");
        let mut warnings = reload::all(self.site, self.prepared)?;
        self.warnings.append(&mut warnings);
        Ok(())
    }

    fn prove(&mut self) -> Result<(), String> {
        (self.say)("looking whether all works as before");
        self.until_fine(Self::broken)?;
        (self.say)("auditing again");
        self.until_fine(Self::findings)?;
        // The audit took a moment: whoever answered with the old configuration until then is gone by now.
        self.until_fine(Self::broken)
    }
}
