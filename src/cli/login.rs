//! `mailward login`: what Dovecot is answered, and why.

use std::io::{Read, Write};
use std::path::Path;

use anyhow::Context as _;
use mailward_decide::Bans;
use mailward_detect::Detector;
use mailward_gate::Geo;
use mailward_gate::login::{Decided, Logins};
use mailward_model::{Account, Span, Text, Timestamp};
use mailward_wire::auth_policy::{Attempt, Command as Asked};
use serde_json::Value;

use super::remote::{Daemon, Print, report};
use super::{Format, Outcome, Usage};
use crate::config::Mode;
use crate::config::discover::Host;
use crate::guard::tables::Tables;
use crate::login::{Explained, Fill, Verdict};

/// What to do about the answers to Dovecot.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// What is known of an account: what counts against it, and what was decided lately, with the reason
    Explain {
        /// The login name
        account: String,
        #[command(flatten)]
        print: Print,
    },
    /// What logins on standard input would be answered, by a login guard that knows nobody yet
    ///
    /// Each line is a JSON object as Dovecot sends it. One with "success" tells how a login ended, and any other asks whether
    /// it may go on:
    ///
    ///   {"login":"bob@example.org","remote":"198.51.100.7","protocol":"imap","pwhash":"0001"}
    ///   {"login":"bob@example.org","remote":"198.51.100.7","protocol":"imap","pwhash":"0001","success":false}
    ///
    /// The lines follow each other in a second each, or as --apart says. Nothing is asked of the daemon.
    #[command(verbatim_doc_comment)]
    Test {
        /// How much time passes between two lines
        #[arg(long, value_name = "TIME", default_value = "1s")]
        apart: String,
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
        Command::Explain { account, print } => {
            let answer: Value = daemon()?.get("/v1/login/explain", &[("account", account)])?;
            let explained: Explained = serde_json::from_value(answer.clone())?;
            report(print, &answer, &text(&explained))
        }
        Command::Test { apart, print } => test(config, apart, print),
        Command::Status { print } => {
            let answer: Value = daemon()?.get("/v1/login", &[])?;
            report(print, &answer, &counts(&answer))
        }
    }
}

fn text(explained: &Explained) -> String {
    let mut lines = vec![explained.account.clone()];
    lines.push(
        match (explained.locked, explained.used) {
            (true, _) => "  under attack: only places where it logged in lately are let in",
            (false, true) => "  logged in with lately; its places are let in even while it is attacked",
            (false, false) => "  nobody logged in with it lately, so that it has no places of its own",
        }
        .to_owned(),
    );
    lines.extend(
        explained.last.iter().map(|last| format!("  logged in last from {} ({})", last.country, last.time.0)),
    );
    lines.extend(explained.limit.iter().map(|limit| format!("  limit: {limit}")));
    for window in &explained.windows {
        let Fill { rule, count, threshold, window_seconds } = window;
        let window = Span::from_secs(*window_seconds);
        lines.push(format!("  {rule:<20} {count} of {threshold} in {window}"));
    }
    for entry in &explained.lists {
        let network = entry.network.as_deref().unwrap_or("everywhere");
        lines.push(format!("  on the {} list, from {network}: {}", entry.list, entry.reason));
    }
    if explained.verdicts.is_empty() {
        lines.push("  nothing was refused or delayed lately".to_owned());
    }
    for verdict in &explained.verdicts {
        lines.push(format!("  {}  {}", verdict.time.0, line(verdict)));
    }
    lines.push("See also, for all that the log told: mailward explain ACCOUNT".to_owned());
    lines.join("\n")
}

fn line(verdict: &Verdict) -> String {
    let country = verdict.country.as_ref().map(|country| format!(" ({country})")).unwrap_or_default();
    let Verdict { verdict, address, protocol, why, .. } = verdict;
    format!("{verdict:<6} {address}{country} by {protocol}: {why}")
}

fn counts(answer: &Value) -> String {
    let questions = answer.get("questions").and_then(Value::as_u64).unwrap_or(0);
    let mut lines = vec![format!("{questions} questions and reports")];
    for row in answer.get("answers").and_then(Value::as_array).into_iter().flatten() {
        let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
        let count = row.get("count").and_then(Value::as_u64).unwrap_or(0);
        lines.push(format!("  {count:>10} {} ({})", text("verdict"), text("ground")));
    }
    if let Some(micros) = answer.pointer("/microseconds/99 of 100").and_then(Value::as_u64) {
        lines.push(format!("99 of 100 were answered in less than {micros} µs"));
    }
    lines.join("\n")
}

fn test(config: Option<&Path>, apart: &str, print: &Print) -> anyhow::Result<Outcome> {
    let apart = Span::parse(apart)
        .ok_or_else(|| Usage(format!("--apart {apart}: write a time such as 90s or 5m")))?;
    let settings = super::load(config)?.settings;
    let never = crate::setup::never_ban(&settings, &Host::this());
    let bans = Bans::new(never, settings.ladder.clone(), settings.budget);
    let tables = Tables::of(&settings);
    let guard = crate::setup::login_settings(&settings.login, settings.login.mode == Mode::Enforce);
    let mut logins = Logins::new(guard, Detector::new(settings.rules, settings.patience, settings.memory));
    let mut input = String::new();
    std::io::stdin().lock().take(1 << 20).read_to_string(&mut input).context("cannot read standard input")?;
    let mut now = Timestamp::from_micros(mailward_host::clock::now());
    let geo = tables.geo(now)?;
    let mut all = Vec::new();
    for (number, line) in (1..).zip(input.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let asked = Asked::of_body(line.as_bytes())
            .map_err(|error| Usage(format!("standard input, line {number}: {error}")))?;
        match asked {
            Asked::Allow(attempt) => {
                let judgement = logins.allow((&bans, &geo), &attempt, now);
                all.push(Verdict::of(&decided(&geo, &attempt, judgement, now)));
            }
            Asked::Report(report) => drop(logins.report((&bans, &geo), &report, now)),
            _ => {}
        }
        now = now.plus(apart);
    }
    anyhow::ensure!(!all.is_empty(), Usage("standard input asks about no login".into()));
    show(&all, print)
}

fn decided(
    geo: &Geo,
    attempt: &Attempt<'_>,
    judgement: mailward_decide::login::Judgement,
    time: Timestamp,
) -> Decided {
    Decided {
        time,
        account: Account::of(Text::from(&*attempt.login)),
        address: attempt.remote,
        country: attempt.remote.and_then(|address| geo.find(address).country),
        protocol: (&*attempt.protocol).into(),
        judgement,
    }
}

fn show(all: &[Verdict], print: &Print) -> anyhow::Result<Outcome> {
    let mut out = std::io::stdout().lock();
    if print.format() == Format::Json {
        writeln!(out, "{}", crate::json::to_string(&all)?)?;
    } else {
        for verdict in all {
            writeln!(out, "{}: {}", verdict.account, line(verdict))?;
        }
    }
    let refused = all.iter().any(|verdict| verdict.verdict != "pass");
    Ok(if refused { Outcome::Findings } else { Outcome::Fine })
}
