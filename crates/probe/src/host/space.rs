//! Space and inodes of the file systems that mail, queue and logs are on.

use std::collections::BTreeMap;

use mailward_audit::Known;
use mailward_audit::facts::{Said, Space};

use super::text;
use crate::files::{Files, Tree, stores};

/// Looks at the file systems of directories that exist.
pub(crate) fn read(tree: &Tree, said: &BTreeMap<String, Known<Said>>, files: &Files) -> Known<Vec<Space>> {
    let mut wanted: Vec<(String, &str)> = stores(said).into_iter().map(|path| (path, "mail")).collect();
    if wanted.is_empty() {
        wanted.push(("/var/mail".to_owned(), "mail"));
    }
    wanted.extend([
        ("/var/spool/postfix".to_owned(), "queue"),
        ("/var/log".to_owned(), "log"),
        ("/var/log/mail".to_owned(), "log"),
    ]);
    wanted.retain(|(path, _)| tree.sees(path) || matches!(files.get(path), Some(Known::Is(_))));
    if wanted.is_empty() {
        return Known::Unread(
            "none of the directories of mail, queue and logs could be looked at".to_owned(),
        );
    }
    let device = |path: &str| files.get(path).and_then(Known::known).map_or(0, |file| file.device);
    let found = wanted.iter().filter_map(|(path, purpose)| {
        let space = if tree.sees(path) { here(tree, path) } else { behind(tree, path) }?;
        Some(Space { path: path.clone(), purpose: (*purpose).to_owned(), device: device(path), ..space })
    });
    Known::Is(found.collect())
}

fn here(tree: &Tree, path: &str) -> Option<Space> {
    let stat = rustix::fs::statvfs(tree.host(path)?).ok()?;
    Some(Space {
        bytes: usable(stat.f_blocks, stat.f_bfree, stat.f_bavail).saturating_mul(stat.f_frsize),
        free: stat.f_bavail.saturating_mul(stat.f_frsize),
        inodes: stat.f_files,
        inodes_free: stat.f_favail,
        ..Space::default()
    })
}

/// What programs that are not root's may use, as df counts it: ext4 keeps blocks back.
const fn usable(blocks: u64, free: u64, available: u64) -> u64 {
    blocks.saturating_sub(free.saturating_sub(available))
}

/// `stat -f` (coreutils): size of a block, blocks, free blocks, those for everybody, inodes, free inodes.
fn behind(tree: &Tree, path: &str) -> Option<Space> {
    let said = text::<()>(tree.place(), &["stat", "-f", "-c", "%S %b %f %a %c %d", path]).ok()?;
    let numbers: Vec<u64> = said.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [size, blocks, free, available, inodes, inodes_free] = numbers.as_slice() else { return None };
    Some(Space {
        bytes: usable(*blocks, *free, *available).saturating_mul(*size),
        free: available.saturating_mul(*size),
        inodes: *inodes,
        inodes_free: *inodes_free,
        ..Space::default()
    })
}
