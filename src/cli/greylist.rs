//! `mailward greylist`: whom it has seen, whom it leaves alone.

use std::io::Write;
use std::path::Path;

use mailward_model::{Text, Timestamp};
use mailward_store::{InPath, SeenRow};
use serde_json::{Value, json};

use super::remote::{Daemon, Print, operator, report};
use super::{Format, Outcome, Usage};

/// What to do about the greylist.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Whom it has seen, the latest first
    List {
        /// Only those of whom a part holds this text: a network, a sender, a recipient
        #[arg(default_value = "")]
        containing: String,
        /// How many at the most
        #[arg(long, default_value = "100")]
        most: usize,
        #[command(flatten)]
        print: Print,
    },
    /// Leave somebody alone; without one, show the list
    Allow {
        /// A network (192.0.2.0/24), a client's name (partner.example, with all below it), or a sender (kim@partner.example)
        who: Option<String>,
        /// Take it back
        #[arg(long, requires = "who")]
        remove: bool,
        #[command(flatten)]
        print: Print,
    },
    /// Forget somebody: a network as it is listed, a sender, or a recipient
    Forget {
        /// As `mailward greylist list` shows it
        who: String,
        #[command(flatten)]
        print: Print,
    },
}

/// Runs the command.
pub(crate) fn run(
    config: Option<&Path>,
    daemon: impl FnOnce() -> anyhow::Result<Daemon>,
    command: &Command,
) -> anyhow::Result<Outcome> {
    match command {
        Command::List { containing, most, print } => list(config, containing, *most, print),
        Command::Allow { who: None, print, .. } => allowed(&daemon()?, print),
        Command::Allow { who: Some(who), remove, print } => allow(&daemon()?, who, *remove, print),
        Command::Forget { who, print } => {
            let answer = daemon()?.post("/v1/policy/forget", &json!({ "who": who }))?;
            let forgotten = answer.get("forgotten").and_then(Value::as_u64).unwrap_or(0);
            report(print, &answer, &format!("{forgotten} forgotten"))?;
            Ok(if forgotten == 0 { Outcome::Findings } else { Outcome::Fine })
        }
    }
}

fn list(config: Option<&Path>, containing: &str, most: usize, print: &Print) -> anyhow::Result<Outcome> {
    let folder = super::load(config)?.settings.guard.state_directory;
    let store = InPath::open_read_only(&folder.join(crate::guard::gate::MEMORY))?;
    let rows = store.seen(&containing.to_ascii_lowercase(), most)?;
    let mut out = std::io::stdout().lock();
    for row in &rows {
        match print.format() {
            Format::Json => writeln!(out, "{}", crate::json::to_string(&document(row))?)?,
            Format::Text => writeln!(out, "{}", sentence(row))?,
        }
    }
    if rows.is_empty() && print.format() == Format::Text {
        writeln!(out, "nobody")?;
    }
    Ok(Outcome::Fine)
}

fn document(row: &SeenRow) -> Value {
    let (origin, sender, recipient) = row.text.as_deref().cloned().unwrap_or_default();
    json!({ "at": at(row), "passes": row.passes, "origin": origin, "sender": sender, "recipient": recipient })
}

fn at(row: &SeenRow) -> String {
    Timestamp::from_secs(row.at.into()).to_string()
}

fn sentence(row: &SeenRow) -> String {
    let (origin, sender, recipient) = row.text.as_deref().cloned().unwrap_or_default();
    let [origin, sender, recipient] = [&origin, &sender, &recipient].map(|text| Text::from(text.as_str()));
    let at = at(row);
    let at = at.get(..19).unwrap_or(&at);
    match (origin.is_empty(), recipient.is_empty(), row.passes) {
        (true, ..) => format!("{at}Z  {recipient}: somebody here wrote to it"),
        (_, true, passes) => format!("{at}Z  {origin}: came through {passes} times"),
        (.., 0) => format!("{at}Z  {origin} <{sender}> to <{recipient}>: asked to come again"),
        (.., passes) => format!("{at}Z  {origin} <{sender}> to <{recipient}>: came through {passes} times"),
    }
}

fn allowed(daemon: &Daemon, print: &Print) -> anyhow::Result<Outcome> {
    let answer: Value = daemon.get("/v1/policy/exceptions", &[])?;
    let all = answer.get("exceptions").and_then(Value::as_array).into_iter().flatten();
    let lines: Vec<_> = all.filter_map(Value::as_str).collect();
    let none = "nobody; to leave somebody alone: mailward greylist allow 192.0.2.0/24. Those of mailward.toml: mailward config show";
    report(print, &answer, &if lines.is_empty() { none.to_owned() } else { lines.join("\n") })
}

fn allow(daemon: &Daemon, who: &str, remove: bool, print: &Print) -> anyhow::Result<Outcome> {
    let kind = match who {
        network if network.parse::<mailward_model::Network>().is_ok() => "client",
        sender if sender.contains('@') => "sender",
        name if name.contains('.') => "client-name",
        other => return Err(Usage(format!("{other} is no network, name or address")).into()),
    };
    let exception = format!("greylist for {kind} {who}");
    let answer = if remove {
        daemon.delete("/v1/policy/exceptions", &[("exception", &exception)])?
    } else {
        daemon.post("/v1/policy/exceptions", &json!({ "exception": exception, "by": operator() }))?
    };
    let text = if remove { format!("{who} is greylisted again") } else { format!("{who} is not greylisted") };
    report(print, &answer, &text)
}
