//! The queue: how much waits, and for how long.

use mailward_audit::{Facts, Known};
use mailward_model::Span;

use super::{Done, Ground, watch};
use crate::cli::audited;

pub(super) fn run(ground: &Ground<'_>, _: &str) -> anyhow::Result<Done> {
    let facts = audited::queue(ground.settings)?;
    let report = audited::families(ground.settings, &facts, &["QUE"]);
    let size = size(&facts, ground.now.secs())?;
    let done = watch::done(ground, &report);
    Ok(Done { text: format!("{size}\n{}", done.text), ..done })
}

/// How many messages wait, and the oldest's age.
fn size(facts: &Facts, now: i64) -> anyhow::Result<String> {
    let queue = match &facts.host.queue {
        Known::Is(queue) => queue,
        Known::Unread(why) => anyhow::bail!("the queue cannot be read: {why}"),
        Known::Absent | Known::Unasked => anyhow::bail!("there is no Postfix here, or postqueue(1) is not"),
    };
    let oldest = queue.messages.iter().map(|message| now - message.arrived).max();
    Ok(match oldest {
        None => "the queue is empty".to_owned(),
        Some(age) => {
            let age = Span::from_secs(age.max(0).unsigned_abs());
            format!("{} messages wait, the oldest for {age}", queue.messages.len())
        }
    })
}
