//! What goes into a backup of this server, and why.

use std::path::{Path, PathBuf};

use mailward_backup::Selection;
use mailward_host::run::{self, Limits};
use mailward_probe::Found;
use serde::Serialize;

use super::Backups;
use crate::cli::deployed;
use crate::config::Settings;

/// What is saved, and what is not.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Plan {
    /// What is saved.
    pub(crate) saved: Vec<Item>,
    /// What of it is left out.
    pub(crate) left_out: Vec<Item>,
}

/// A path, and why.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Item {
    pub(crate) path: PathBuf,
    pub(crate) why: String,
}

impl Plan {
    /// For who reads the files.
    pub(crate) fn selection(&self) -> Selection {
        let paths = |items: &[Item]| items.iter().map(|item| item.path.clone()).collect();
        Selection { roots: paths(&self.saved), excludes: paths(&self.left_out) }
    }
}

/// Finds it: what the deployment tells, what Mailward keeps itself, and what the operator named.
pub(crate) fn plan(
    settings: &Settings,
    config: Option<&Path>,
    backups: &Backups<'_>,
) -> anyhow::Result<Plan> {
    let found = mailward_probe::saved(&deployed(settings)?);
    let item = |path: &Path, why: &str| Item { path: path.to_path_buf(), why: why.to_owned() };
    let of = |saved: bool| found.iter().filter(move |found| found.saved == saved);
    let mut plan = Plan {
        saved: of(true).map(|Found { path, why, .. }| item(path, why)).collect(),
        left_out: of(false).map(|Found { path, why, .. }| item(path, why)).collect(),
    };
    let state = &settings.guard.state_directory;
    plan.saved.push(item(state, "what Mailward remembers"));
    plan.saved.extend(config.map(|path| item(path, "Mailward's configuration")));
    plan.saved.extend(settings.backup.include.iter().map(|path| item(path, "named in `include`")));
    plan.left_out.push(item(backups.place(), "the backups themselves"));
    plan.left_out
        .push(item(&backups.scratch().join("databases"), "copies of databases, while a backup runs"));
    plan.left_out.push(item(&state.join("restored"), "what was restored"));
    plan.left_out.extend(settings.backup.exclude.iter().map(|path| item(path, "named in `exclude`")));
    plan.saved = plan.saved.into_iter().filter_map(real).collect();
    plan.saved.sort_by(|a, b| a.path.cmp(&b.path));
    plan.saved.dedup_by(|a, b| a.path == b.path);
    Ok(plan)
}

/// As it lies on the disk; what is not there yet may be there tomorrow.
fn real(item: Item) -> Option<Item> {
    let path = std::fs::canonicalize(&item.path).ok()?;
    Some(Item { path, ..item })
}

/// What programs write about themselves, because their files are of no use to another version: who was learned as spam. Written below
/// `into`, which is saved with the rest.
pub(crate) fn dumps(into: &Path) -> anyhow::Result<Vec<Item>> {
    let mut dumps = Vec::new();
    // The database itself (Berkeley DB) may be half written at any moment; its dump is text.
    let bayes = ["/var/lib/spamassassin", "/var/lib/amavis/.spamassassin", "/root/.spamassassin"];
    let learned = bayes.iter().any(|path| Path::new(path).join("bayes_toks").exists());
    if let (true, Some(program)) = (learned, run::find("sa-learn")) {
        let limits = Limits { timeout: std::time::Duration::from_secs(600), max_output: 512 << 20 };
        let said = run::output(&program, &["--backup"], limits)?;
        if said.status.success() && !said.truncated && !said.stdout.is_empty() {
            let path = into.join("bayes.txt");
            std::fs::create_dir_all(into)?;
            mailward_host::atomic::write(&path, &said.stdout, Some(0o600))?;
            dumps.push(Item {
                path,
                why: "sa-learn --backup: what SpamAssassin has learned, as text".to_owned(),
            });
        }
    }
    Ok(dumps)
}
