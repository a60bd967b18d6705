//! Acts that weaken or harden the mail host, and how each is taken back.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result, ensure};

use super::host::Host;

/// Something done to the mail host. Paths are as the mail host sees them.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    /// `postconf -e` in `main.cf`.
    Main(&'static str),
    /// `postconf -P`: an override of a service, `submission/inet/name=value`.
    Service(&'static str),
    /// `postconf -M`: a service, `name/type=line`.
    Entry(&'static str),
    /// Text at the end of a file.
    Append(&'static str, &'static str),
    /// A file with this text, readable by everybody.
    Write(&'static str, &'static str),
    /// The first place in a file where a text stands, and what shall stand there.
    Replace(&'static str, &'static str, &'static str),
    /// A file's or directory's mode.
    Mode(&'static str, u32),
    /// A file's user and group.
    Owner(&'static str, u32, u32),
    /// A file that is not there.
    Gone(&'static str),
    /// A program, by its path, and the file that it changes.
    Run(&'static str, &'static [&'static str]),
    /// A directory with this mode.
    Directory(&'static str, u32),
}

/// How a file was before.
pub(super) struct Before {
    path: PathBuf,
    state: State,
}

enum State {
    Absent,
    Link(PathBuf),
    Directory { mode: u32, owner: (u32, u32) },
    File { bytes: Vec<u8>, mode: u32, owner: (u32, u32), written: SystemTime },
}

impl Act {
    /// The file that is changed.
    const fn path(&self) -> &'static str {
        match self {
            Self::Main(_) => "/etc/postfix/main.cf",
            Self::Service(_) | Self::Entry(_) => "/etc/postfix/master.cf",
            Self::Append(path, _)
            | Self::Write(path, _)
            | Self::Replace(path, ..)
            | Self::Mode(path, _)
            | Self::Owner(path, ..)
            | Self::Gone(path)
            | Self::Run(path, _)
            | Self::Directory(path, _) => path,
        }
    }

    /// Does it; how to take it back.
    pub(super) fn perform(&self, host: &Host<'_>) -> Result<Before> {
        let path = host.file(self.path())?;
        let before = Before { state: State::of(&path)?, path };
        self.change(host, &before.path).with_context(|| format!("{self:?}"))?;
        Ok(before)
    }

    fn change(&self, host: &Host<'_>, path: &Path) -> Result<()> {
        match *self {
            Self::Main(setting) => host.run(&["/usr/sbin/postconf", "-e", setting]).map(drop),
            Self::Service(setting) => host.run(&["/usr/sbin/postconf", "-P", setting]).map(drop),
            Self::Entry(line) => host.run(&["/usr/sbin/postconf", "-M", line]).map(drop),
            Self::Run(_, words) => host.run(words).map(drop),
            Self::Append(_, text) => {
                let mut whole = fs::read(path).unwrap_or_default();
                whole.extend_from_slice(text.as_bytes());
                Ok(fs::write(path, whole)?)
            }
            Self::Write(_, text) => write(path, text),
            Self::Replace(_, from, to) => {
                let text = fs::read_to_string(path)?;
                ensure!(text.contains(from), "{from:?} is not in {}", path.display());
                Ok(fs::write(path, text.replacen(from, to, 1))?)
            }
            Self::Mode(_, mode) => Ok(fs::set_permissions(path, fs::Permissions::from_mode(mode))?),
            Self::Owner(_, user, group) => Ok(chown(path, Some(user), Some(group))?),
            Self::Gone(_) => Ok(fs::remove_file(path)?),
            Self::Directory(_, mode) => {
                fs::create_dir_all(path)?;
                Ok(fs::set_permissions(path, fs::Permissions::from_mode(mode))?)
            }
        }
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, text)?;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o644))?)
}

impl State {
    fn of(path: &Path) -> Result<Self> {
        let Ok(known) = fs::symlink_metadata(path) else { return Ok(Self::Absent) };
        let (mode, owner) = (known.mode() & 0o7777, (known.uid(), known.gid()));
        Ok(if known.is_symlink() {
            Self::Link(fs::read_link(path)?)
        } else if known.is_dir() {
            Self::Directory { mode, owner }
        } else {
            let written = known.modified()?;
            // A socket has no bytes to keep.
            let bytes = if known.is_file() { fs::read(path)? } else { Vec::new() };
            Self::File { bytes, mode, owner, written }
        })
    }
}

impl Before {
    /// Takes the act back.
    pub(super) fn restore(&self) -> Result<()> {
        self.put_back().with_context(|| format!("putting {} back", self.path.display()))
    }

    fn put_back(&self) -> Result<()> {
        let path = &self.path;
        match &self.state {
            State::Absent if path.is_dir() => Ok(fs::remove_dir_all(path)?),
            State::Absent => fs::remove_file(path).or_else(|error| match error.kind() {
                std::io::ErrorKind::NotFound => Ok(()),
                _ => Err(error.into()),
            }),
            State::Link(target) => {
                let _ = fs::remove_file(path);
                Ok(symlink(target, path)?)
            }
            State::Directory { mode, owner } => again(path, *mode, *owner),
            State::File { bytes, mode, owner, written } => {
                let known = fs::symlink_metadata(path);
                if known.as_ref().map_or(true, fs::Metadata::is_file) {
                    fs::write(path, bytes)?;
                    fs::File::options().write(true).open(path)?.set_modified(*written)?;
                }
                again(path, *mode, *owner)
            }
        }
    }
}

/// The owner first: a change of owner takes the set-gid bit away.
fn again(path: &Path, mode: u32, (user, group): (u32, u32)) -> Result<()> {
    chown(path, Some(user), Some(group))?;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(mode))?)
}
