//! `analyze`: the attack statistics of a log.
//!
//! Threads parse, one judges in order with the same engine as the daemon, and at the end every source is looked at as a
//! whole: whether somebody logs in from it, or it delivers mail, is often known only after the fact.

mod census;
mod failures;
mod pattern;
mod pieces;

use mailward_engine::{Effect, Engine, Now};
use mailward_report::attacks::AttackReport;

use crate::cli::Logs;

use census::Census;

/// Analyses logs; `progress` hears how many bytes were judged.
pub(crate) fn analyze(
    logs: &Logs,
    mut engine: Engine,
    mut progress: impl FnMut(u64),
) -> anyhow::Result<AttackReport> {
    let mut census = Census::default();
    let mut effects = Vec::new();
    for path in &logs.files {
        let context = logs.context(path)?;
        pieces::each(path, &context, |piece| {
            census.counts(&piece.counts);
            for event in piece.digest.events() {
                census.event(&event);
                engine.take(&event, Now::Logged, &mut effects);
                if effects.iter().any(|effect| matches!(effect, Effect::Ban(_))) {
                    engine.expire(event.time);
                }
                for effect in effects.drain(..) {
                    census.effect(effect);
                }
            }
            progress(piece.counts.bytes);
        })?;
    }
    let inputs = logs.files.iter().map(|path| path.display().to_string()).collect();
    Ok(census.report(inputs, engine.bans().never_ban()))
}
