//! `mailward harden`: what the audit found is mended by a plan, which is shown, tried, carried out, proved, and can be undone.

mod apply;
mod course;
mod dkim;
mod history;
mod in_path;
mod plan;
mod show;
mod undo;
mod witness;

use std::path::{Path, PathBuf};

use mailward_apply::{ApplyError, File, History, Recovered, Site, State};
use mailward_audit::integrity::Digest;
use mailward_host::clock;
use mailward_model::Timestamp;
use mailward_probe::{Options, Tree};

use super::audit::collect;
use super::{Outcome, Usage};
use crate::config::Settings;
use crate::integrity::{Acceptance, Written, accept_written};

/// The subcommands of `harden`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Show what would be changed and why, as diffs; nothing is changed.
    Plan(plan::Args),
    /// Change it: try it on a copy, write, reload, prove it, or take it back.
    Apply(apply::Args),
    /// Take a plan back: every file as it was, with owner, mode and times.
    Undo(undo::Args),
    /// The plans that were carried out, and what became of them.
    History(history::Args),
    /// Make and change DKIM keys, a step at a time: make, publish, sign, wait, withdraw, remove.
    Dkim(dkim::Args),
}

/// Runs a subcommand.
pub(crate) fn run(config: Option<&Path>, command: &Command) -> anyhow::Result<Outcome> {
    match command {
        Command::Plan(args) => plan::run(config, args),
        Command::Apply(args) => apply::run(config, args),
        Command::Undo(args) => undo::run(config, args),
        Command::History(args) => history::run(config, args),
        Command::Dkim(args) => dkim::run(config, args),
    }
}

/// The server that plans are made for and carried out on.
struct Ground {
    settings: Settings,
    options: Options,
    tree: Tree,
}

impl Ground {
    fn find(config: Option<&Path>, scope: &collect::Scope) -> anyhow::Result<Self> {
        if !scope.remote.is_empty() {
            return Err(
                Usage("--remote: a server is hardened from within; log in there first".to_owned()).into()
            );
        }
        let settings = super::load(config)?.settings;
        let options = collect::options(&settings, scope)?;
        let tree = options.tree();
        Ok(Self { settings, options, tree })
    }

    /// Hands the site to whoever carries something out on it.
    fn with_site<T>(&self, work: impl FnOnce(&Site<'_>) -> T) -> T {
        let on_host = |path: &str| self.tree.host(path);
        work(&Site {
            prefix: self.options.prefix.clone(),
            compose: self.options.compose.clone(),
            on_host: &on_host,
            state: self.settings.guard.state_directory.clone(),
        })
    }

    /// The history, after what was ended in the middle was taken back.
    fn history(&self) -> anyhow::Result<History> {
        let history = History::open(&self.settings.guard.state_directory)?;
        let recovered = self.with_site(|site| history.recover(site))?;
        recovered.iter().for_each(tell);
        recovered.iter().for_each(|recovered| self.accept(&history, &recovered.id, !recovered.finished));
        Ok(history)
    }

    /// What a plan wrote, or gave back, is no change behind our back.
    fn accept(&self, history: &History, id: &str, given_back: bool) {
        let entries = history.entries();
        let Some(entry) = entries.iter().find(|entry| entry.id == id) else { return };
        let written = |file: &File| {
            let held = if given_back { &file.after } else { &file.before };
            Written { path: file.host.clone(), before: digest(held, &file.host) }
        };
        let files = entry.prepared.files.iter().filter(|file| !matches!(file.after, State::Folder { .. }));
        let written: Vec<Written> = files.map(written).collect();
        let who = Acceptance { by: &format!("plan {id}"), now: Timestamp::from_micros(clock::now()) };
        if let Err(error) = accept_written(&self.settings, &written, who) {
            say(&format!("`mailward integrity status` will show the plan's changes as unknown: {error:#}"));
        }
    }
}

/// What a file held; where only its rights were changed, it holds that still.
fn digest(state: &State, path: &Path) -> Option<Digest> {
    match state {
        State::Absent | State::Folder { .. } => None,
        State::File { content, .. } => Some(Digest::of(content.bytes())),
        State::Rights { .. } => std::fs::read(path).ok().map(|bytes| Digest::of(&bytes)),
    }
}

/// Says what was ended in the middle and is mended.
fn tell(recovered: &Recovered) {
    let done = if recovered.finished {
        "it was proved before, and holds"
    } else {
        "every file is as it was before it"
    };
    say(&format!("plan {} ({}) was ended in the middle: {done}", recovered.id, recovered.title));
    warn(recovered);
}

/// What a person has to look at.
fn warn(recovered: &Recovered) {
    for (path, saved) in &recovered.left {
        let (path, saved) = (path.display(), saved.display());
        say(&format!(
            "{path} was changed by somebody else meanwhile and was left alone; before the plan it was {saved}"
        ));
    }
    recovered.warnings.iter().for_each(|warning| say(warning));
}

#[expect(clippy::print_stderr, reason = "what is told beside a command's data")]
fn say(text: &str) {
    eprintln!("mailward: {text}");
}

/// The daemon's start mends what was ended in the middle, too. It goes on without, for bans do not depend on it.
pub(crate) fn mend_at_start(config: Option<&Path>, state: &Path) {
    if !History::is_broken(state) {
        return;
    }
    let Err(error) = mended(config, state) else { return };
    // Whoever is at it right now has not ended.
    if !matches!(error.downcast_ref(), Some(ApplyError::Busy { .. })) {
        say(&format!(
            "{error}; a plan that was ended in the middle waits: type `mailward harden history` as root"
        ));
    }
}

fn mended(config: Option<&Path>, state: &Path) -> anyhow::Result<()> {
    let mut settings = super::load(config)?.settings;
    settings.guard.state_directory = PathBuf::from(state);
    let options = collect::deployed(&settings)?;
    let tree = options.tree();
    Ground { settings, options, tree }.history().map(drop)
}
