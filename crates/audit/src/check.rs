//! What a check is, and how it ends.

use crate::{Finding, Server, Severity};

/// A check: looks for one weakness, and says all that people are told about it.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// Its stable id, `TLS-001`; never reused, never renumbered.
    pub id: &'static str,
    /// The weakness in a few words, as a statement that holds when the check fails.
    pub title: &'static str,
    /// How bad it is where nothing says otherwise.
    pub severity: Severity,
    /// What can happen because of it, in a sentence or two.
    pub why: &'static str,
    /// What is looked at, and how it proves the weakness.
    pub proof: &'static str,
    /// What to do, in general; a finding carries the concrete edit.
    pub fix: &'static str,
    /// Standards, manuals and advisories that a reader can look up.
    pub references: &'static [&'static str],
    /// Looks.
    pub judge: fn(&Server<'_>) -> Judged,
}

/// How a check ended. An [`Untold`] is neither a pass nor a fail.
pub type Judged = Result<Outcome, Untold>;

/// A check that could be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The weakness is there: one finding, or one for each place that has to be mended by itself.
    Fail(Vec<Finding>),
    /// It is not there, and this is what shows it.
    Pass(String),
}

/// A check that could not be made; never counts as a pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Untold {
    /// There is nothing here that it is about; why.
    NotApplicable(String),
    /// A fact is missing; which, and why.
    CouldNotTell(String),
}

impl Untold {
    /// Why.
    #[must_use]
    pub fn why(&self) -> &str {
        match self {
            Self::NotApplicable(why) | Self::CouldNotTell(why) => why,
        }
    }
}

impl Outcome {
    /// Fails with `findings`, or passes because of `shown` if there are none.
    #[must_use]
    pub fn of(findings: Vec<Finding>, shown: impl Into<String>) -> Self {
        if findings.is_empty() { Self::Pass(shown.into()) } else { Self::Fail(findings) }
    }
}

impl From<Finding> for Outcome {
    fn from(finding: Finding) -> Self {
        Self::Fail(vec![finding])
    }
}

/// Passes; what shows it.
///
/// # Errors
/// None; the type is that of a check's answer.
#[expect(clippy::unnecessary_wraps, reason = "the type is that of a check's answer")]
pub(crate) fn pass(shown: impl Into<String>) -> Judged {
    Ok(Outcome::Pass(shown.into()))
}

/// Does not apply; why.
///
/// # Errors
/// Always: this is how a check says so.
pub(crate) fn not_applicable<T>(why: impl Into<String>) -> Result<T, Untold> {
    Err(Untold::NotApplicable(why.into()))
}

/// Could not tell; why.
///
/// # Errors
/// Always: this is how a check says so.
pub(crate) fn could_not_tell<T>(why: impl Into<String>) -> Result<T, Untold> {
    Err(Untold::CouldNotTell(why.into()))
}
