//! `mailward backup`: run, list, check, restore, drill, forget, key.

use std::io::{IsTerminal, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use jiff::tz::TimeZone;
use mailward_backup::{BackupError, GRACE, Key, Meter, Query, Repository, Snapshot, Step};
use mailward_host::run::{self, Limits};
use mailward_model::Timestamp;
use mailward_report::At;
use mailward_store::Proof;

use super::remote::{Print, show};
use super::{Outcome, Usage, load};
use crate::backup::view::{
    Brought, Checked, Contents, Drilled, DryRun, EntryView, Forgotten, KeptView, Listing, Messages, Ran,
    SnapshotView,
};
use crate::backup::{Backups, bring, drill, host_name, plan, proven, sheet};
use crate::config::Settings;

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Save the server; what is saved already is not sent again, also after a run that was killed
    Run {
        /// Only show what would be saved, and why
        #[arg(long)]
        dry_run: bool,
        /// Make a new repository although there is a key already, and so was a repository
        #[arg(long, conflicts_with = "dry_run")]
        init: bool,
        #[command(flatten)]
        print: Print,
    },
    /// The snapshots, and whether each was proven; or what is in one
    List {
        /// The first digits of its id, or `latest`
        snapshot: Option<String>,
        /// Only what is at and below this path
        path: Option<PathBuf>,
        #[command(flatten)]
        print: Print,
    },
    /// Whether the repository is whole
    Check {
        /// Read every byte of it
        #[arg(long)]
        read_data: bool,
        #[command(flatten)]
        print: Print,
    },
    /// Bring back a mailbox, messages, files, or everything, to a place beside the live data
    Restore(Restore),
    /// Prove a snapshot: restore it on trial, compare, load the configuration, open a mailbox, and record the proof
    Drill {
        /// The snapshot: the first digits of its id
        #[arg(default_value = "latest")]
        snapshot: String,
        /// Everything in it, and not only a sample
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        print: Print,
    },
    /// Forget snapshots that are no longer needed; only proven ones count
    Forget {
        /// Only show which
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        print: Print,
    },
    /// The recovery sheet: the key as text and as a QR code, to be put on paper; and whether a second copy is right
    Key {
        /// The second copy of the key file, on a stick or another machine's disk
        #[arg(long, value_name = "FILE")]
        copy: Option<PathBuf>,
    },
}

/// Options of `backup restore`.
#[derive(Debug, clap::Args)]
pub(crate) struct Restore {
    /// Files or directories; without any, and without --mailbox, everything
    paths: Vec<PathBuf>,
    /// The mail of this account
    #[arg(long, value_name = "ACCOUNT")]
    mailbox: Option<String>,
    /// Messages whose subject has this
    #[arg(long, value_name = "TEXT")]
    subject: Option<String>,
    /// Messages from or to this address or name
    #[arg(long, value_name = "TEXT")]
    address: Option<String>,
    /// The message with this Message-ID
    #[arg(long, value_name = "ID")]
    message_id: Option<String>,
    /// Messages whose text has this
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
    /// All messages that were found, and not only one
    #[arg(long)]
    all: bool,
    /// The snapshot: the first digits of its id
    #[arg(long, value_name = "ID", default_value = "latest")]
    snapshot: String,
    /// Where to; /etc/postfix comes to DIR/etc/postfix [default: restored/ID in the state directory]
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    #[command(flatten)]
    print: Print,
}

/// Runs the command.
pub(crate) fn run(config: Option<&Path>, command: &Command) -> anyhow::Result<Outcome> {
    let settings = load(config)?.settings;
    let backups = Backups::of(&settings)?;
    match command {
        Command::Run { dry_run: true, print, .. } => {
            let plan = plan(&settings, config, &backups)?;
            show(&DryRun { repository: backups.place().to_path_buf(), plan }, print)
        }
        Command::Run { init, print, .. } => save(&settings, config, &backups, *init, print),
        Command::List { snapshot: None, print, .. } => list(&backups, print),
        Command::List { snapshot: Some(snapshot), path, print } => {
            contents(&backups, snapshot, path.as_ref(), print)
        }
        Command::Check { read_data, print } => check(&backups, *read_data, print),
        Command::Restore(args) => restore(&backups, args),
        Command::Drill { snapshot, all, print } => prove(&backups, snapshot, *all, print),
        Command::Forget { dry_run, print } => forget(&backups, *dry_run, print),
        Command::Key { copy } => key(&backups, copy.as_deref()),
    }
}

fn save(
    settings: &Settings,
    config: Option<&Path>,
    backups: &Backups<'_>,
    init: bool,
    print: &Print,
) -> anyhow::Result<Outcome> {
    let _lock = backups.lock()?;
    if settings.backup.gentle {
        step_back();
    }
    let begun = mailward_host::clock::now();
    let bar = Bar::new();
    let (repository, made) = backups.open_or_make(init, &bar.meter())?;
    let mut plan = plan(settings, config, backups)?;
    plan.saved.extend(crate::backup::dumps(&backups.scratch().join("dumps"))?);
    let databases = backups.scratch().join("databases");
    let captured = repository.capture(&plan.selection(), &databases, &host_name());
    // Copies are of no use afterwards, whatever became of them.
    let _ = std::fs::remove_dir_all(databases);
    bar.finish();
    let captured = captured?;
    #[expect(clippy::cast_precision_loss, reason = "seconds, with a digit after the point")]
    let seconds = (mailward_host::clock::now() - begun) as f64 / 1e6;
    let fine = captured.unread.is_empty();
    let (place, key) = (backups.place().to_path_buf(), backups.key_file().to_path_buf());
    show(&Ran::new(place, key, made, seconds, captured), print)?;
    Ok(if fine { Outcome::Fine } else { Outcome::Findings })
}

/// Everybody else comes first: threads that are started from here on are as patient.
fn step_back() {
    mailward_host::priority::step_back();
    if let Some(ionice) = run::find("ionice") {
        let this = std::process::id().to_string();
        // Without it the backup is a little more in the way.
        let _ = run::output(&ionice, &["-c", "3", "-p", &this], Limits::default());
    }
}

fn list(backups: &Backups<'_>, print: &Print) -> anyhow::Result<Outcome> {
    let repository = backups.open(&Meter::silent())?;
    let proven = proven(&backups.proofs(&repository.id())?);
    let view = |snapshot: &Snapshot| SnapshotView::of(snapshot, proven.get(&snapshot.id).copied());
    let snapshots = repository.snapshots()?.iter().map(view).collect();
    show(&Listing { repository: backups.place().to_path_buf(), snapshots }, print)
}

fn contents(
    backups: &Backups<'_>,
    snapshot: &str,
    path: Option<&PathBuf>,
    print: &Print,
) -> anyhow::Result<Outcome> {
    let repository = backups.open(&Meter::silent())?;
    let snapshot = repository.snapshot(snapshot)?;
    let below: Vec<PathBuf> = path.cloned().into_iter().collect();
    let mut entries = repository.entries(&snapshot, &below)?;
    // What leads to it is known.
    entries.retain(|entry| below.iter().all(|below| entry.path.starts_with(below)));
    let view = |entry: mailward_backup::Entry| EntryView {
        directory: entry.is_directory(),
        bytes: entry.size(),
        changed: At(Timestamp::from_micros(entry.changed())),
        path: entry.path,
    };
    show(&Contents { snapshot: snapshot.id, entries: entries.into_iter().map(view).collect() }, print)
}

fn check(backups: &Backups<'_>, read_data: bool, print: &Print) -> anyhow::Result<Outcome> {
    let bar = Bar::new();
    let wrong = backups.open(&bar.meter())?.check(read_data)?;
    bar.finish();
    let fine = wrong.is_empty();
    show(&Checked { repository: backups.place().to_path_buf(), read_data, wrong }, print)?;
    Ok(if fine { Outcome::Fine } else { Outcome::Findings })
}

fn restore(backups: &Backups<'_>, args: &Restore) -> anyhow::Result<Outcome> {
    let bar = Bar::new();
    let repository = backups.open(&bar.meter())?;
    let snapshot = repository.snapshot(&args.snapshot)?;
    let mut paths = args.below(&repository, &snapshot)?;
    if let Some(query) = args.query() {
        let found = repository.find(&snapshot, &paths, &query)?;
        if found.is_empty() || (found.len() > 1 && !args.all) {
            let messages = found.into_iter().map(Into::into).collect();
            show(&Messages { snapshot: snapshot.id, messages }, &args.print)?;
            return Ok(Outcome::Findings);
        }
        paths = found.into_iter().map(|message| message.path).collect();
    }
    let into = args.to.clone().unwrap_or_else(|| backups.beside(&snapshot));
    let done = repository.restore(&snapshot, &paths, &into, &bar.meter())?;
    bar.finish();
    show(&Brought::new(&snapshot, into, paths, done), &args.print)
}

fn prove(backups: &Backups<'_>, snapshot: &str, all: bool, print: &Print) -> anyhow::Result<Outcome> {
    let bar = Bar::new();
    let repository = backups.open(&bar.meter())?;
    let snapshot = repository.snapshot(snapshot)?;
    let tried = drill(&repository, &snapshot, all, &bar.meter());
    bar.finish();
    let taken = Timestamp::from_micros(mailward_host::clock::now());
    let proof = |fine: bool, report: String| Proof {
        taken,
        repository: repository.id(),
        snapshot: snapshot.id.clone(),
        fine,
        report,
    };
    let trial = match tried {
        Ok(trial) => trial,
        Err(error) => {
            // What cannot be brought back is proven to be lost. What is wrong here is no word about it.
            if matches!(error.downcast_ref(), Some(BackupError::Damaged { .. })) {
                backups.record(&proof(false, error.to_string()))?;
            }
            return Err(error);
        }
    };
    let fine = trial.is_fine();
    backups.record(&proof(fine, serde_json::to_string(&trial)?))?;
    show(&Drilled { snapshot: SnapshotView::of(&snapshot, fine.then_some(taken)), trial }, print)?;
    Ok(if fine { Outcome::Fine } else { Outcome::Findings })
}

fn forget(backups: &Backups<'_>, dry_run: bool, print: &Print) -> anyhow::Result<Outcome> {
    let _lock = backups.lock()?;
    let repository = backups.open(&Meter::silent())?;
    let proven = proven(&backups.proofs(&repository.id())?);
    let snapshots = repository.snapshots_of(&host_name())?;
    let chosen =
        match backups.keep().choose(&snapshots, &proven.keys().cloned().collect(), &TimeZone::system()) {
            Err(error @ BackupError::Unproven { .. }) => {
                super::complain(&error.into());
                return Ok(Outcome::Findings);
            }
            chosen => chosen?,
        };
    if !dry_run {
        repository.forget(&chosen.forgotten, GRACE)?;
    }
    let view = |snapshot: &Snapshot| SnapshotView::of(snapshot, proven.get(&snapshot.id).copied());
    let kept = chosen
        .kept
        .iter()
        .map(|(snapshot, kept_as)| KeptView { snapshot: view(snapshot), kept_as: kept_as.clone() });
    let forgotten = chosen.forgotten.iter().map(view).collect();
    show(&Forgotten { dry_run, kept: kept.collect(), forgotten }, print)
}

fn key(backups: &Backups<'_>, copy: Option<&Path>) -> anyhow::Result<Outcome> {
    let repository = backups.open(&Meter::silent())?;
    let key = Key::read(backups.key_file())?;
    write!(std::io::stdout().lock(), "{}", sheet::sheet(&repository, &key, &host_name())?)?;
    let asked = match copy {
        Some(path) => Some(path.to_path_buf()),
        None => ask("Where is the second copy of the key file? (path, or nothing if there is none yet): ")?,
    };
    let Some(path) = asked else {
        let advice = "no second copy was named: copy the key file to a stick or another machine, then: mailward backup key --copy FILE";
        super::complain(&anyhow::anyhow!(advice));
        return Ok(Outcome::Findings);
    };
    if !Key::read(&path)?.is_same(&key) {
        super::complain(&anyhow::anyhow!(
            "{} holds another key than {}",
            path.display(),
            key.path().display()
        ));
        return Ok(Outcome::Findings);
    }
    let same_disk = std::fs::metadata(&path)?.dev() == std::fs::metadata(key.path())?.dev();
    let (path, note) =
        (path.display(), if same_disk { ", but on the same disk: it is lost with it" } else { "" });
    writeln!(std::io::stdout().lock(), "The copy in {path} is the same key{note}.")?;
    Ok(if same_disk { Outcome::Findings } else { Outcome::Fine })
}

/// Asks on a terminal; elsewhere nobody could answer.
#[expect(clippy::print_stderr, reason = "a question to the person at the terminal")]
fn ask(question: &str) -> anyhow::Result<Option<PathBuf>> {
    if !std::io::stdin().is_terminal() {
        return Ok(None);
    }
    eprint!("{question}");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    let answer = answer.trim();
    Ok((!answer.is_empty()).then(|| PathBuf::from(answer)))
}

impl Restore {
    /// The paths that are named, and those of the mailbox that is.
    fn below(&self, repository: &Repository, snapshot: &Snapshot) -> anyhow::Result<Vec<PathBuf>> {
        let mut paths = self.paths.clone();
        if let Some(account) = &self.mailbox {
            let found = bring::mailboxes(repository, snapshot, account)?;
            if found.is_empty() {
                return Err(Usage(format!(
                    "no directory of mail in the snapshot is called after {account}; `mailward backup list {} /var/mail` shows how they are called",
                    self.snapshot
                ))
                .into());
            }
            paths.extend(found);
        }
        Ok(paths)
    }

    fn query(&self) -> Option<Query> {
        let query = Query {
            address: self.address.clone(),
            subject: self.subject.clone(),
            message_id: self.message_id.clone(),
            text: self.text.clone(),
        };
        (query != Query::default()).then_some(query)
    }
}

/// A bar on a terminal, nothing in a pipe.
struct Bar(ProgressBar);

impl Bar {
    fn new() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::new(0);
        let template = "{bar:40} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }

    fn meter(&self) -> Meter {
        if self.0.is_hidden() {
            return Meter::silent();
        }
        let bar = self.0.clone();
        Meter::new(move |step| match step {
            Step::Total(bytes) => bar.set_length(bytes),
            Step::Advance(bytes) => bar.inc(bytes),
        })
    }

    fn finish(&self) {
        self.0.finish_and_clear();
    }
}
