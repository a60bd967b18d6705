//! Every check fails on facts that have its weakness and passes on facts that do not.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod build;
mod cases;
mod mended;

use std::collections::BTreeSet;

use mailward_audit::{FAMILIES, Facts, Judged, Outcome, Server, find};

/// A check's two proofs.
pub(crate) struct Case {
    /// The check.
    pub(crate) id: &'static str,
    /// Facts that have the weakness.
    pub(crate) fails: fn() -> Facts,
    /// What the finding's summary, cause or evidence must say of it.
    pub(crate) shows: &'static str,
    /// Facts that do not have it.
    pub(crate) passes: fn() -> Facts,
}

fn judged(id: &str, facts: &Facts) -> Judged {
    let (_, check) = find(id).unwrap_or_else(|| panic!("{id} is no check"));
    (check.judge)(&Server::new(facts))
}

#[test]
fn weaknesses_are_found() {
    for case in cases::all() {
        match judged(case.id, &(case.fails)()) {
            Ok(Outcome::Fail(findings)) => {
                let shown = format!("{findings:?}");
                assert!(shown.contains(case.shows), "{}: no {:?} in {findings:#?}", case.id, case.shows);
            }
            other => panic!("{} does not fail: {other:?}", case.id),
        }
    }
}

#[test]
fn what_is_right_passes() {
    for case in cases::all() {
        let judged = judged(case.id, &(case.passes)());
        assert!(matches!(judged, Ok(Outcome::Pass(_))), "{} does not pass: {judged:#?}", case.id);
    }
}

#[test]
fn every_check_has_its_two_proofs() {
    let proven: BTreeSet<_> = cases::all().map(|case| case.id).collect();
    let without: Vec<_> = FAMILIES
        .iter()
        .flat_map(|family| family.checks)
        .map(|check| check.id)
        .filter(|id| !proven.contains(id))
        .collect();
    assert!(without.is_empty(), "no failing and passing facts for {without:?}");
}

/// Nothing known: nothing may pass, and nothing may fail.
#[test]
fn without_facts_nothing_is_judged() {
    let facts = Facts::default();
    for check in FAMILIES.iter().flat_map(|family| family.checks) {
        let judged = (check.judge)(&Server::new(&facts));
        assert!(judged.is_err(), "{} judges without facts: {judged:?}", check.id);
    }
}

#[test]
fn every_row_of_the_catalogue_is_a_check_or_says_why_not() {
    for family in FAMILIES {
        let rows: Vec<_> = (1..=family.rows).map(|row| format!("{}-{row:03}", family.prefix)).collect();
        let checks: Vec<_> = family.checks.iter().map(|check| check.id).collect();
        let not_yet: Vec<_> = family.not_yet.iter().map(|row| row.id).collect();
        assert!(checks.is_sorted() && not_yet.is_sorted(), "{}: not by id", family.prefix);
        let mut all: Vec<_> = checks.into_iter().chain(not_yet).collect();
        all.sort_unstable();
        assert_eq!(all, rows, "family {}", family.prefix);
    }
}

#[test]
fn every_check_says_all_that_people_are_told() {
    for check in FAMILIES.iter().flat_map(|family| family.checks) {
        for (what, text) in
            [("title", check.title), ("why", check.why), ("proof", check.proof), ("fix", check.fix)]
        {
            assert!(text.len() > 8, "{}: {what} says nothing", check.id);
            assert!(!text.contains('\n'), "{}: {what} has a line break", check.id);
        }
        assert!(!check.title.ends_with('.'), "{}: the title ends in a stop", check.id);
        assert!(check.why.ends_with('.') && check.fix.ends_with('.'), "{}: whole sentences", check.id);
    }
}
