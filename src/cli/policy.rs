//! `mailward policy`: what Postfix is answered, and why.

use std::io::{Read, Write};
use std::path::Path;

use anyhow::Context as _;
use mailward_decide::policy::Policy;
use mailward_decide::{Bans, Secret};
use mailward_model::Timestamp;
use serde_json::Value;

use super::remote::{Daemon, Print};
use super::{Format, Outcome};
use crate::config::discover::Host;
use crate::guard::tables::Tables;
use crate::policy::{Explained, asked, evidence};

/// What to do about the answers to Postfix.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// What a request on standard input would be answered, step by step, by a policy that knows nobody yet
    ///
    /// A request is lines of name=value and an empty line, as Postfix sends it; several follow each other, five
    /// minutes apart with --apart 5m. Nothing is asked of the daemon, and the lists of the DNS are not asked.
    Test {
        /// How much time passes between two requests
        #[arg(long, value_name = "TIME", default_value = "0s")]
        apart: String,
        #[command(flatten)]
        print: Print,
    },
    /// What the daemon would answer now to a request on standard input, and why; nothing is counted
    Explain {
        #[command(flatten)]
        print: Print,
    },
    /// What was answered since the daemon started, and how fast
    Status {
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
        Command::Test { apart, print } => test(config, apart, print),
        Command::Explain { print } => {
            let request = String::from_utf8_lossy(&input()?).into_owned();
            let answer = daemon()?.post("/v1/policy/explain", &serde_json::json!({ "request": request }))?;
            show(&serde_json::from_value::<Vec<Explained>>(answer)?, print)
        }
        Command::Status { print } => {
            let answer: Value = daemon()?.get("/v1/policy", &[])?;
            super::remote::report(print, &answer, &counts(&answer))
        }
    }
}

fn test(config: Option<&Path>, apart: &str, print: &Print) -> anyhow::Result<Outcome> {
    let apart = mailward_model::Span::parse(apart)
        .ok_or_else(|| super::Usage(format!("--apart {apart}: write a time such as 90s or 5m")))?;
    let settings = super::load(config)?.settings;
    let never = crate::setup::never_ban(&settings, &Host::this());
    let bans = Bans::new(never, settings.ladder.clone(), settings.budget);
    let mut policy = Policy::new(crate::setup::policy_settings(&settings), Secret::new([0; 32]));
    let tables = Tables::of(&settings);
    policy.set_owners(tables.owners()?);
    let mut now = Timestamp::from_micros(mailward_host::clock::now());
    let geo = tables.geo(now)?;
    let requests = asked(&input()?).map_err(|error| super::Usage(format!("standard input: {error}")))?;
    anyhow::ensure!(
        !requests.is_empty(),
        super::Usage("standard input has no request with a client_address".into())
    );
    let mut all = Vec::new();
    for request in requests {
        let question = request.question();
        all.push(Explained::by(&policy, &geo, &question, &bans, now));
        let _ = policy.judge(&question, &evidence(&geo, &question), &bans, now);
        now = now.plus(apart);
    }
    show(&all, print)
}

fn input() -> anyhow::Result<Vec<u8>> {
    let mut text = Vec::new();
    std::io::stdin().lock().take(1 << 20).read_to_end(&mut text).context("cannot read standard input")?;
    Ok(text)
}

fn show(all: &[Explained], print: &Print) -> anyhow::Result<Outcome> {
    let mut out = std::io::stdout().lock();
    if print.format() == Format::Json {
        writeln!(out, "{}", crate::json::to_string(&all)?)?;
    } else {
        for explained in all {
            writeln!(out, "{}", explained.question)?;
            for step in &explained.steps {
                writeln!(out, "  {:<10} {}", step.what, step.found)?;
            }
            writeln!(out, "  {:<10} {}\n", "answer", explained.action)?;
        }
    }
    let refused = all.iter().any(|explained| explained.by.is_some());
    Ok(if refused { Outcome::Findings } else { Outcome::Fine })
}

fn counts(answer: &Value) -> String {
    let number = |name: &str| answer.get(name).and_then(Value::as_u64).unwrap_or(0);
    let mut lines =
        vec![format!("{} questions; the greylist has seen {}", number("questions"), number("greylist"))];
    for row in answer.get("answers").and_then(Value::as_array).into_iter().flatten() {
        let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
        let count = row.get("count").and_then(Value::as_u64).unwrap_or(0);
        lines.push(format!("  {count:>10} {} by {}", text("answer"), text("by")));
    }
    if let Some(micros) = answer.pointer("/microseconds/99 of 100").and_then(Value::as_u64) {
        lines.push(format!("99 of 100 were answered in less than {micros} µs"));
    }
    if number("garbled") > 0 {
        lines.push(format!("{} connections were closed: what they said is no request", number("garbled")));
    }
    if number("not_kept") > 0 {
        lines.push(format!("{} changes are not on the disk, because it stood still", number("not_kept")));
    }
    lines.join("\n")
}
