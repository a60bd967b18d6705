//! Passwords and tokens, in files that nobody else can read.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::SendError;

/// As long as a secret may be.
const LONGEST: u64 = 4_096;

/// The first line of a file that belongs to root or to us, and that nobody else can read.
pub(crate) fn read(path: &Path) -> Result<String, SendError> {
    let wrong = |why: String| SendError::Secret { path: path.to_path_buf(), why };
    let mut file = File::open(path).map_err(|error| wrong(format!("cannot be opened: {error}")))?;
    let about = file.metadata().map_err(|error| wrong(error.to_string()))?;
    if about.mode() & 0o077 != 0 {
        let mode = about.mode() & 0o777;
        return Err(wrong(format!("others may read it (mode {mode:o}): chmod 600 {}", path.display())));
    }
    let mut text = String::new();
    (&mut file).take(LONGEST).read_to_string(&mut text).map_err(|error| wrong(error.to_string()))?;
    let secret = text.lines().next().unwrap_or_default().trim();
    if secret.is_empty() { Err(wrong("its first line is empty".into())) } else { Ok(secret.to_owned()) }
}

/// A text of somebody else's without the secret, which may be in it as an echo, on one line and not too long.
pub(crate) fn without(secret: &str, text: &str) -> String {
    let text = if secret.is_empty() { text.to_owned() } else { text.replace(secret, "…") };
    mailward_report::Shown::from(text.trim()).clipped(300).to_string()
}
