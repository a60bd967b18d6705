//! The key: a line of text in a file that its owner alone can read.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::BackupError;

/// Letters and digits that nobody takes for another one, when he types them from paper (Crockford's base 32).
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Groups of four letters: 160 bits, which nobody guesses, whatever the hash in front of them costs.
const GROUPS: usize = 8;

/// What opens a repository. It has no `Debug`, and is in no error.
pub struct Key {
    path: PathBuf,
    text: String,
}

impl Key {
    /// Makes a key file, which must not be there yet.
    ///
    /// # Errors
    /// When it is there, or cannot be written.
    pub fn make(path: &Path) -> Result<Self, BackupError> {
        let failed = |source| BackupError::of_io("write the key file", path, source);
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory).map_err(failed)?;
        }
        let text = random().map_err(failed)?;
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
        let written = file.write_all(format!("{text}\n").as_bytes()).and_then(|()| file.sync_all());
        if let Err(source) = written.and_then(|()| mailward_host::staged::sync_directory_of(path)) {
            // Half a key would be taken for a whole one.
            let _ = std::fs::remove_file(path);
            return Err(failed(source));
        }
        Ok(Self { path: path.to_path_buf(), text })
    }

    /// Reads a key file: nobody but its owner may read it.
    ///
    /// # Errors
    /// When it is not there, others may read it, or it holds no line.
    pub fn read(path: &Path) -> Result<Self, BackupError> {
        let wrong = |detail: String| BackupError::Key { path: path.to_path_buf(), detail };
        let file = File::open(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => wrong(
                "the key file is not there; bring it back from its copy or from the recovery sheet. Without it nobody can read the backups".to_owned(),
            ),
            _ => BackupError::of_io("read the key file", path, error),
        })?;
        let mode =
            file.metadata().map_err(|error| BackupError::of_io("read the key file", path, error))?.mode();
        if mode & 0o077 != 0 {
            return Err(wrong(format!(
                "others may read the key (mode {:04o}): chmod 600 {}",
                mode & 0o7777,
                path.display()
            )));
        }
        let mut text = String::new();
        let read = file.take(4096).read_to_string(&mut text);
        read.map_err(|error| BackupError::of_io("read the key file", path, error))?;
        // As restic reads a password file: the end of the line is no part of it.
        let text = text.trim_end_matches(['\r', '\n']).to_owned();
        if text.is_empty() {
            return Err(wrong("the key file is empty; bring it back from its copy".to_owned()));
        }
        Ok(Self { path: path.to_path_buf(), text })
    }

    /// Where it was read from.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The key itself, to be put on paper.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether both open the same.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

fn random() -> io::Result<String> {
    let bytes = mailward_host::random::bytes::<{ GROUPS * 4 }>()?;
    // Five bits of each byte.
    let letters =
        bytes.iter().map(|byte| LETTERS.get(usize::from(byte & 31)).copied().map_or('0', char::from));
    let letters: Vec<char> = letters.collect();
    let groups: Vec<String> = letters.chunks(4).map(|group| group.iter().collect()).collect();
    Ok(groups.join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_is_its_owners_alone() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("keys/backup.key");
        let made = Key::make(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        assert!(Key::read(&path).unwrap().is_same(&made));
        assert_eq!(made.text().len(), 39);
        assert!(Key::make(&path).is_err(), "a key that is there is never written over");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let told = Key::read(&path).err().unwrap().to_string();
        assert!(told.contains("chmod 600"), "{told}");
    }

    #[test]
    fn no_two_keys_are_the_same() {
        let place = tempfile::tempdir().unwrap();
        let [one, two] = ["one", "two"].map(|name| Key::make(&place.path().join(name)).unwrap());
        assert!(!one.is_same(&two));
    }
}
