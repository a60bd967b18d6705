//! Where a plan is carried out: this machine, or a container whose configuration lies on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mailward_host::run::{Limits, find, output_with_input};

use crate::ApplyError;

/// Where a plan is carried out.
pub struct Site<'a> {
    /// The words before every command: `docker exec -i mailserver`; none for this machine.
    pub prefix: Vec<String>,
    /// The Compose file that makes the container, and its name in there.
    pub compose: Option<PathBuf>,
    /// Where a file is on this machine that the server's programs see at a path; none if it is not.
    pub on_host: &'a dyn Fn(&str) -> Option<PathBuf>,
    /// The state folder.
    pub state: PathBuf,
}

/// What a program said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    pub(crate) fn is_fine(&self) -> bool {
        self.code == Some(0)
    }

    /// The first thing it said, for an error.
    pub(crate) fn first(&self) -> String {
        let lines = self.err.lines().chain(self.out.lines());
        lines.map(str::trim).find(|line| !line.is_empty()).unwrap_or("it said nothing").to_owned()
    }
}

/// Programs that read configuration.
pub(crate) const QUICK: Limits = Limits { timeout: Duration::from_secs(60), max_output: 8 << 20 };

impl Site<'_> {
    /// Whether the server's programs run in a container.
    pub(crate) fn is_container(&self) -> bool {
        !self.prefix.is_empty()
    }

    /// Runs a program where the mail server is.
    pub(crate) fn run(&self, words: &[&str]) -> Result<Said, ApplyError> {
        self.run_with(words, b"")
    }

    /// The same with something on its standard input.
    pub(crate) fn run_with(&self, words: &[&str], input: &[u8]) -> Result<Said, ApplyError> {
        let all: Vec<&str> = self.prefix.iter().map(String::as_str).chain(words.iter().copied()).collect();
        run_here(&all, input, QUICK)
    }

    /// Whether a program is there at all.
    pub(crate) fn has(&self, program: &str) -> bool {
        if !self.is_container() {
            return find(program).is_some();
        }
        self.run(&["which", program]).is_ok_and(|said| said.is_fine())
    }

    /// Where a file is on this machine, its symbolic links followed. What a container can write is not followed.
    pub(crate) fn resolve(&self, path: &str) -> Result<PathBuf, ApplyError> {
        let host = (self.on_host)(path).ok_or_else(|| ApplyError::Outside { path: path.to_owned() })?;
        let real = canonical(&host);
        if self.is_container() && is_turned(path, &host, &real) {
            return Err(ApplyError::Link { path: host });
        }
        Ok(real)
    }

    /// A user's or group's number, as the server's own tables say.
    pub(crate) fn number(&self, kind: &'static str, name: &str) -> Result<u32, ApplyError> {
        if let Ok(number) = name.parse() {
            return Ok(number);
        }
        let said = self.run(&["getent", kind, name])?;
        let number = said.out.lines().next().and_then(|line| line.split(':').nth(2)?.parse().ok());
        number.ok_or_else(|| ApplyError::Nobody { kind, name: name.to_owned() })
    }
}

/// Runs a program of this machine.
pub(crate) fn run_here(words: &[&str], input: &[u8], limits: Limits) -> Result<Said, ApplyError> {
    let (first, arguments) =
        words.split_first().ok_or_else(|| ApplyError::Program("no command".to_owned()))?;
    let program = find(first).ok_or_else(|| {
        ApplyError::Program(format!("{first} is not installed here; install its package and try again"))
    })?;
    let output = output_with_input(&program, arguments, input, limits)
        .map_err(|error| ApplyError::Program(error.to_string()))?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) })
}

/// A path without symbolic links, also of a file that is not there yet.
pub(crate) fn canonical(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => canonical_parent(parent).join(name),
        _ => path.to_path_buf(),
    })
}

fn canonical_parent(parent: &Path) -> PathBuf {
    if parent.as_os_str().is_empty() { PathBuf::from(".") } else { canonical(parent) }
}

/// Whether a link leads elsewhere, below the part of the path that the container sees by another name.
fn is_turned(inside: &str, host: &Path, real: &Path) -> bool {
    // The last parts that both names share are below the mount.
    let shared = Path::new(inside)
        .components()
        .rev()
        .zip(host.components().rev())
        .take_while(|(inside, host)| inside == host)
        .count();
    let above = host.components().count().saturating_sub(shared);
    let mount: PathBuf = host.components().take(above).collect();
    let below: PathBuf = host.components().skip(above).collect();
    canonical_parent(&mount).join(below) != real
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_link_in_a_volume_is_not_followed() {
        let scratch = tempfile::tempdir().unwrap();
        let volume = scratch.path().join("config");
        fs::create_dir_all(volume.join("sub")).unwrap();
        fs::write(volume.join("plain.cf"), "x").unwrap();
        symlink("/etc/passwd", volume.join("turned.cf")).unwrap();
        symlink("/etc", volume.join("folder")).unwrap();
        symlink(&volume, scratch.path().join("alias")).unwrap();
        let turned = |name: &str, from: &Path| {
            let host = from.join(name);
            is_turned(&format!("/tmp/docker-mailserver/{name}"), &host, &canonical(&host))
        };
        assert!(!turned("plain.cf", &volume));
        assert!(!turned("not-there-yet.cf", &volume));
        assert!(turned("turned.cf", &volume));
        assert!(turned("folder/hosts", &volume));
        assert!(
            !turned("plain.cf", &scratch.path().join("alias")),
            "the operator's own link above the volume is his"
        );
    }
}
