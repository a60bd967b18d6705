//! `mailward notify`: whether alerts reach anybody.

use std::io::Write;
use std::path::Path;

use mailward_model::Timestamp;
use mailward_notify::{Desk, Lane, Message};
use mailward_report::{At, Shown};
use serde_json::{Value, json};

use super::remote::Print;
use super::{Format, Outcome, Usage, load};
use crate::alerts::Plan;

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Send a test on every channel, or on one, and say whether it was taken
    Test {
        /// The name of a channel, as the settings have it
        channel: Option<String>,
    },
    /// What is wrong now, what waits to be told, and which channel does not work
    Status(Print),
}

/// Runs the command.
pub(crate) fn run(config: Option<&Path>, command: &Command) -> anyhow::Result<Outcome> {
    let settings = load(config)?.settings;
    let plan = Plan::of(&settings, &settings.guard.state_directory);
    if plan.channels.is_empty() {
        return Err(Usage(
            "nobody is told of anything: [notify] in mailward.toml has no channels; docs/notify.md has an example of each kind".into(),
        )
        .into());
    }
    match command {
        Command::Test { channel } => test(&plan, channel.as_deref()),
        Command::Status(print) => status(&plan.desk()?, print),
    }
}

fn test(plan: &Plan, wanted: Option<&str>) -> anyhow::Result<Outcome> {
    let names: Vec<&str> = plan.channels.iter().map(|(name, _)| name.as_str()).collect();
    if let Some(wanted) = wanted.filter(|wanted| !names.contains(wanted)) {
        return Err(
            Usage(format!("there is no channel \"{wanted}\"; there are: {}", names.join(", "))).into()
        );
    }
    let now = At(Timestamp::from_micros(mailward_host::clock::now()));
    let mut outcome = Outcome::Fine;
    let mut out = std::io::stdout().lock();
    for name in names.into_iter().filter(|name| wanted.is_none_or(|wanted| wanted == *name)) {
        match plan.send(name, &Message::test(name, plan.host(), now)) {
            Ok(()) => writeln!(out, "{name}: sent; see whether it has arrived")?,
            Err(error) => {
                writeln!(
                    out,
                    "{name}: FAILED: {}",
                    error.to_string().trim_end_matches("; it is tried again")
                )?;
                outcome = Outcome::Findings;
            }
        }
    }
    Ok(outcome)
}

fn status(desk: &Desk, print: &Print) -> anyhow::Result<Outcome> {
    let mut out = std::io::stdout().lock();
    if print.format() == Format::Json {
        let lanes: Vec<Value> = desk.lanes().map(|(name, lane)| document(name, lane)).collect();
        writeln!(out, "{}", json!({ "channels": lanes, "open": desk.open() }))?;
    } else {
        for (name, lane) in desk.lanes() {
            writeln!(out, "{}", words(name, lane))?;
        }
        match desk.open().len() {
            0 => writeln!(out, "\nnothing is wrong that lasts")?,
            wrong => writeln!(out, "\n{wrong} wrong now:")?,
        }
        for alert in desk.open() {
            let (severity, title) = (alert.severity.name(), Shown::from(alert.title.as_str()));
            writeln!(out, "  {severity:<8} {title}, since {}", alert.since.0)?;
        }
    }
    let works = desk.lanes().all(|(_, lane)| lane.trouble.is_none());
    Ok(if works { Outcome::Fine } else { Outcome::Findings })
}

fn document(name: &str, lane: &Lane) -> Value {
    json!({
        "name": name,
        "waiting": lane.waiting(),
        "last_sent": lane.last,
        "given_up": lane.given_up,
        "trouble": lane.trouble,
    })
}

fn words(name: &str, lane: &Lane) -> String {
    let last = lane.last.map_or("nothing sent yet".to_owned(), |at| format!("last sent {}", at.0));
    let waiting = match lane.waiting() {
        0 => "nothing waits".to_owned(),
        waiting => format!("{waiting} waiting"),
    };
    let mut text = format!("{name}: {last}; {waiting}");
    if lane.given_up > 0 {
        text += &format!("; {} given up", lane.given_up);
    }
    if let Some(trouble) = &lane.trouble {
        text += &format!(
            "\n  does not work since {}, {} tries, the next at {}: {}",
            trouble.since.0,
            trouble.tries,
            trouble.again.0,
            Shown::from(trouble.what.as_str())
        );
    }
    text
}
