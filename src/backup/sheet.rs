//! The recovery sheet: what is needed when this machine is gone, on one page of paper.

use anyhow::Context as _;
use mailward_backup::{Key, Repository};
use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};

/// The sheet. The key is in it, so that it is for a printer and for nothing else.
pub(crate) fn sheet(repository: &Repository, key: &Key, host: &str) -> anyhow::Result<String> {
    let code = QrCode::with_error_correction_level(key.text(), EcLevel::M)
        .context("the key is too long for a QR code")?;
    // Dark on light, as scanners want it: a terminal is mostly light on dark.
    let image = code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build();
    let place = repository.place().display();
    let (id, key) = (repository.id(), key.text());
    Ok(format!(
        "RECOVERY SHEET for the backups of {host}\n\
         Keep it where neither a fire in the machine room nor a thief of the machine gets it.\n\
         \n\
         Repository  {place}\n\
         Its id      {id}\n\
         Key         {key}\n\
         \n{image}\n\
         \n\
         To bring everything back on a new machine:\n\
         1. Write the key into a file that nobody else can read:\n\
         \x20     install -m 600 /dev/null /root/backup.key; editor /root/backup.key\n\
         2. With Mailward (repository and key-file in [backup] of mailward.toml):\n\
         \x20     mailward backup list; mailward backup restore --to /root/restored\n\
         \x20  or with restic alone:\n\
         \x20     restic -r {place} --password-file /root/backup.key snapshots\n\
         \x20     restic -r {place} --password-file /root/backup.key restore latest --target /root/restored\n\n"
    ))
}
