//! `mailward audit`: collects facts, judges them, and reports.

mod accept;
pub(crate) mod audited;
mod backups;
mod baseline;
pub(in crate::cli) mod collect;
pub(crate) mod coverage;
mod habits;
mod log;
mod trial;
mod view;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use jiff::tz::TimeZone;
use mailward_audit::{Check, FAMILIES, Facts, judge};
use mailward_report::audit::{AuditReport, Explained};
use mailward_report::{Severity, View};

use super::{Outcome, Usage, remote};
pub(crate) use collect::{Scope, accounts, deployed, options, spinner};
pub(crate) use view::{check_view, severity};

/// Options of `audit`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    scope: collect::Scope,
    /// Judge facts that were collected elsewhere with --save-facts
    #[arg(long, value_name = "FILE", conflicts_with_all = ["save_facts", "remote"])]
    facts: Option<PathBuf>,
    /// Write the collected facts to this file, for `--facts` elsewhere; they hold no secrets, and are for your eyes all the same
    #[arg(long, value_name = "FILE")]
    save_facts: Option<PathBuf>,
    /// Only these checks or families, such as TLS-002 or DOV
    #[arg(long, value_name = "ID", value_delimiter = ',', num_args = 1..)]
    only: Vec<String>,
    /// Without these checks or families
    #[arg(long, value_name = "ID", value_delimiter = ',', num_args = 1..)]
    skip: Vec<String>,
    /// Everything about the findings of one check
    #[arg(long, value_name = "ID")]
    explain: Option<String>,
    /// The least severity that makes the exit code 1
    #[arg(long, value_enum, value_name = "SEVERITY", default_value = "low")]
    fail_on: Least,
    /// Compare with this report of an earlier audit (--format json) [default: the last audit of this host]
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// How to print the report
    #[arg(long, value_enum, default_value = "text")]
    format: Form,
    /// Write the report to this file
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// A form of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// For the terminal
    Text,
    /// Markdown, for tickets and mail
    Markdown,
    /// JSON, for programs
    Json,
    /// A page that needs nothing else
    Html,
    /// SARIF 2.1.0, for code hosts and dashboards
    Sarif,
}

/// From which severity on an audit fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Least {
    Info,
    Low,
    Medium,
    High,
    Critical,
    /// It never fails
    Never,
}

impl Least {
    const fn severity(self) -> Option<Severity> {
        match self {
            Self::Info => Some(Severity::Info),
            Self::Low => Some(Severity::Low),
            Self::Medium => Some(Severity::Medium),
            Self::High => Some(Severity::High),
            Self::Critical => Some(Severity::Critical),
            Self::Never => None,
        }
    }
}

/// Runs the command.
pub(crate) fn run(config: Option<&Path>, args: &Args) -> anyhow::Result<Outcome> {
    let settings = crate::cli::load(config)?.settings;
    let wanted = Wanted::of(args)?;
    let (mut facts, log) = match &args.facts {
        Some(path) => (read_facts(path)?, None),
        None => collect::collect(config, &settings, &args.scope)?,
    };
    let remembered = (wanted.is_all() && args.facts.is_none()).then_some(&settings);
    let mut history = baseline::History::open(remembered)?;
    let before = history.before(args.baseline.as_deref(), &facts.about.host)?;
    if let Some(before) = &before {
        facts.dns.earlier_policies = baseline::policies(before);
    }
    if let Some(path) = &args.save_facts {
        save_facts(path, &facts)?;
    }
    let audit = judge(&facts, |check| wanted.has(check));
    let mut report = view::report(&facts, &audit);
    collect::with_log(&mut report, &facts, log);
    accept::apply(&mut report, &settings.audit.accept, today());
    if let Some(before) = &before {
        baseline::against(&mut report, before);
    }
    history.record(&report)?;
    print(args, &report)?;
    let fails = args
        .fail_on
        .severity()
        .is_some_and(|least| report.findings.iter().any(|finding| finding.severity >= least));
    Ok(if fails { Outcome::Findings } else { Outcome::Fine })
}

fn print(args: &Args, report: &AuditReport) -> anyhow::Result<()> {
    let look = remote::look();
    let text = match (&args.explain, args.format) {
        (Some(id), form) => {
            let Some(findings) = report.only(id) else {
                return explain_without_finding(report, id);
            };
            Explained(findings.into_iter().cloned().collect()).render(form.of_report(), &look)?
        }
        (None, Form::Sarif) => report.sarif()?,
        (None, form) => report.render(form.of_report(), &look)?,
    };
    match &args.output {
        // It tells an attacker where to begin.
        Some(path) => mailward_host::atomic::write(path, text.as_bytes(), Some(0o600))?,
        None => std::io::stdout().lock().write_all(text.as_bytes())?,
    }
    Ok(())
}

impl Form {
    const fn of_report(self) -> mailward_report::Format {
        match self {
            Self::Text => mailward_report::Format::Text,
            Self::Markdown => mailward_report::Format::Markdown,
            Self::Json | Self::Sarif => mailward_report::Format::Json,
            Self::Html => mailward_report::Format::Html,
        }
    }
}

/// `--explain` of a check that found nothing: why it did not.
fn explain_without_finding(report: &AuditReport, id: &str) -> anyhow::Result<()> {
    let ends = [
        ("passed", &report.passed),
        ("could not tell", &report.could_not_tell),
        ("does not apply", &report.not_applicable),
    ];
    let end = ends.into_iter().find_map(|(word, checks)| {
        checks.iter().find(|check| check.id.eq_ignore_ascii_case(id)).map(|check| (word, check))
    });
    let mut out = std::io::stdout().lock();
    match end {
        Some((word, check)) => writeln!(out, "{} ({}) {word}: {}", check.id, check.title, check.because)?,
        None => return Err(unknown(id).into()),
    }
    Ok(())
}

/// Which checks are asked.
pub(in crate::cli) struct Wanted<'a> {
    only: &'a [String],
    skip: &'a [String],
}

impl<'a> Wanted<'a> {
    fn of(args: &'a Args) -> Result<Self, Usage> {
        args.explain.iter().try_for_each(|id| is_known(id))?;
        Self::among(&args.only, &args.skip)
    }

    /// All or some, without others.
    pub(in crate::cli) fn among(only: &'a [String], skip: &'a [String]) -> Result<Self, Usage> {
        only.iter().chain(skip).try_for_each(|id| is_known(id))?;
        Ok(Self { only, skip })
    }

    pub(in crate::cli) fn has(&self, check: &Check) -> bool {
        let among = |ids: &[String]| {
            let family = check.id.split('-').next().unwrap_or_default();
            ids.iter().any(|id| id.eq_ignore_ascii_case(check.id) || id.eq_ignore_ascii_case(family))
        };
        (self.only.is_empty() || among(self.only)) && !among(self.skip)
    }

    const fn is_all(&self) -> bool {
        self.only.is_empty() && self.skip.is_empty()
    }
}

fn is_known(id: &str) -> Result<(), Usage> {
    let is_family = FAMILIES.iter().any(|family| family.prefix.eq_ignore_ascii_case(id));
    if mailward_audit::find(id).is_some() || is_family { Ok(()) } else { Err(unknown(id)) }
}

/// What is no check: one that does not exist, or one that nobody has written.
fn unknown(id: &str) -> Usage {
    let row = FAMILIES.iter().flat_map(|family| family.not_yet).find(|row| row.id.eq_ignore_ascii_case(id));
    match row {
        Some(row) => Usage(format!("{} ({}) is not checked yet: {}", row.id, row.title, row.because)),
        None => Usage(format!(
            "{id} is neither a check nor a family; there are {}",
            FAMILIES.iter().map(|family| family.prefix).collect::<Vec<_>>().join(", ")
        )),
    }
}

fn read_facts(path: &Path) -> anyhow::Result<Facts> {
    let text = std::fs::read(path).with_context(|| {
        format!("cannot read {}; `mailward audit --save-facts FILE` writes one", path.display())
    })?;
    serde_json::from_slice(&text)
        .with_context(|| format!("{} holds no facts of `mailward audit --save-facts`", path.display()))
}

fn save_facts(path: &Path, facts: &Facts) -> anyhow::Result<()> {
    let text = serde_json::to_vec_pretty(facts)?;
    mailward_host::atomic::write(path, &text, Some(0o600))?;
    Ok(())
}

pub(in crate::cli) fn today() -> jiff::civil::Date {
    jiff::Timestamp::now().to_zoned(TimeZone::system()).date()
}
