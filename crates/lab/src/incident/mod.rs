//! Writes the bundled incident: half an hour of a small mail server under attack, and who did what in it.
//!
//! The server is like a docker-mailserver: Postfix 3.7 with postscreen, amavis, OpenDKIM, OpenDMARC and the SPF policy
//! service, Dovecot 2.3 with the first digits of given passwords. Line shapes are the programs' own, as the lab's
//! servers write them; everything in them is made up. The same program writes the same bytes, always.

mod attackers;
mod innocents;
mod judge;
mod random;
mod script;
mod traffic;
mod truth;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

pub use judge::{Verdict, judge};
use script::Script;

/// The three files of the incident, by name.
///
/// # Errors
/// When the answer key cannot be written as JSON.
pub fn files() -> Result<[(&'static str, String); 3]> {
    let mut script = Script::new(20_260_217);
    innocents::plan(&mut script);
    attackers::plan(&mut script);
    let (log, truth) = script.play();
    let truth = serde_json::to_string_pretty(&truth)? + "\n";
    Ok([("mail.log", log), ("truth.json", truth), ("README.md", README.to_owned())])
}

/// Writes them into a folder.
///
/// # Errors
/// When they cannot be written.
pub fn write(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir)?;
    for (name, text) in files()? {
        let path = dir.join(name);
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

const README: &str = include_str!("README.md");

#[cfg(test)]
mod tests;
