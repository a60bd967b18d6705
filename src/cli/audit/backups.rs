//! Mailward's own backups among the facts. The repository is not opened: an audit has no need of its key.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use mailward_audit::facts::{Backup, Facts, Known};
use mailward_store::{Proof, Proofs};

use crate::config::Settings;

/// Adds the configured repository, if there is one.
pub(super) fn add(settings: &Settings, facts: &mut Facts) {
    let Some(own) = settings.backup.repository.as_deref().and_then(|place| found(place, settings)) else {
        return;
    };
    match &mut facts.host.backups {
        Known::Is(all) => all.push(own),
        unknown => *unknown = Known::Is(vec![own]),
    }
}

fn found(place: &Path, settings: &Settings) -> Option<Backup> {
    let directory = std::fs::metadata(place.join("snapshots")).ok()?;
    let snapshots = std::fs::read_dir(place.join("snapshots")).ok()?.flatten();
    let modified = snapshots.filter_map(|entry| Some(entry.metadata().ok()?.mtime())).max()?;
    Some(Backup {
        path: place.display().to_string(),
        tool: "mailward".to_owned(),
        modified,
        mode: std::fs::metadata(place).ok()?.mode() & 0o7777,
        device: directory.dev(),
        encrypted: Known::Is(true),
        ..tried(settings)
    })
}

/// What the trial restores say.
fn tried(settings: &Settings) -> Backup {
    let read = || -> Result<Vec<Proof>, mailward_store::StoreError> {
        let proofs = Proofs::existing(&settings.guard.state_directory.join(Proofs::FILE))?;
        proofs.map_or(Ok(Vec::new()), |proofs| proofs.all())
    };
    let proofs = match read() {
        Ok(proofs) => proofs,
        Err(error) => return Backup { proven: Known::Unread(error.to_string()), ..Backup::default() },
    };
    let last = proofs.iter().rfind(|proof| proof.fine).map(|proof| proof.taken.micros() / 1_000_000);
    let broken = match proofs.last() {
        Some(proof) if proof.fine => Known::Is(String::new()),
        Some(proof) => {
            let id: String = proof.snapshot.chars().take(8).collect();
            Known::Is(format!(
                "the trial restore of snapshot {id} failed: mailward backup drill {id} tells how"
            ))
        }
        None => Known::Absent,
    };
    Backup { proven: Known::Is(last), broken, ..Backup::default() }
}
