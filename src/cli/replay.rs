//! `mailward replay`: what the rules would decide on a log, by the log's own time.

use std::io::{BufWriter, Write};
use std::path::Path;

use mailward_engine::{Engine, Now};
use mailward_parse::split_lines;

use super::{Outcome, input};
use crate::record::Record;

/// Options of `replay`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    logs: input::Logs,
    /// Print offences and logins, too, not only signals, bans and refusals
    #[arg(long)]
    all: bool,
    /// Print nothing but the number of lines, offences, signals and bans
    #[arg(long, conflicts_with = "all")]
    count: bool,
}

/// How much there was.
#[derive(Debug, Default, serde::Serialize)]
struct Counts {
    lines: u64,
    unknown: u64,
    offences: u64,
    logins: u64,
    signals: u64,
    bans: u64,
    refused: u64,
}

/// Runs the command.
pub(crate) fn run(config: Option<&Path>, args: &Args) -> anyhow::Result<Outcome> {
    let mut out = BufWriter::with_capacity(1 << 18, std::io::stdout().lock());
    let mut counts = Counts::default();
    let mut engine: Option<Engine> = None;
    let mut effects = Vec::new();
    for (log, path) in args.logs.files.iter().enumerate() {
        let context = args.logs.context(path)?;
        let engine = match &mut engine {
            Some(engine) => engine,
            none => none.insert(crate::setup::engine(config, context)?),
        };
        input::each_block(path, |block| {
            for line in split_lines(block) {
                counts.lines += 1;
                let seen = engine.step(log, line, Now::Logged, &mut effects);
                counts.unknown += u64::from(seen.kind == mailward_model::EventKind::Unknown);
                if effects.is_empty() {
                    continue;
                }
                engine.expire(seen.time);
                for effect in effects.drain(..) {
                    counts.add(&effect);
                    if !args.count && (args.all || is_decision(&effect)) {
                        let record = Record { n: Some(counts.lines), ..Record::of(&effect, seen.time) };
                        crate::json::to_writer(&mut out, &record)?;
                        out.write_all(b"\n")?;
                    }
                }
            }
            Ok(())
        })?;
    }
    if args.count {
        crate::json::to_writer(&mut out, &counts)?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(Outcome::Fine)
}

impl Counts {
    fn add(&mut self, effect: &mailward_engine::Effect) {
        use mailward_engine::Effect;
        *match effect {
            Effect::Offence(_) => &mut self.offences,
            Effect::Login(_) => &mut self.logins,
            Effect::Signal(_) => &mut self.signals,
            Effect::Ban(_) => &mut self.bans,
            Effect::Refused(_) => &mut self.refused,
        } += 1;
    }
}

const fn is_decision(effect: &mailward_engine::Effect) -> bool {
    use mailward_engine::Effect;
    matches!(effect, Effect::Signal(_) | Effect::Ban(_) | Effect::Refused(_))
}
