//! All checks over one server.

use crate::{Check, FAMILIES, Facts, Judged, Outcome, Server};

/// How one check ended.
#[derive(Clone, Debug)]
pub struct Result {
    /// The check.
    pub check: &'static Check,
    /// Its end.
    pub judged: Judged,
}

/// What all checks found.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    /// An entry per check, in the order of the catalogue.
    pub results: Vec<Result>,
}

/// Asks every check for which `wanted` holds.
#[must_use]
pub fn judge(facts: &Facts, wanted: impl Fn(&Check) -> bool) -> Audit {
    let server = Server::new(facts);
    let checks = FAMILIES.iter().flat_map(|family| family.checks).copied().filter(|check| wanted(check));
    Audit { results: checks.map(|check| Result { check, judged: (check.judge)(&server) }).collect() }
}

impl Audit {
    /// The findings with their checks, the worst first, in the order of the catalogue otherwise.
    #[must_use]
    pub fn findings(&self) -> Vec<(&'static Check, &crate::Finding)> {
        let mut all: Vec<_> = self
            .results
            .iter()
            .filter_map(|result| match &result.judged {
                Ok(Outcome::Fail(findings)) => Some(findings.iter().map(|finding| (result.check, finding))),
                _ => None,
            })
            .flatten()
            .collect();
        all.sort_by_key(|(_, finding)| core::cmp::Reverse(finding.severity));
        all
    }
}
