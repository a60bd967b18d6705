//! A host as a tree of files, and its programs where it is the one that we run on.

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use mailward_host::run::{Limits, output};

/// A host: this one, or one whose files lie below a directory.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    root: PathBuf,
}

/// Configuration files are small; what is larger is none.
const LARGEST: u64 = 4 << 20;

impl Host {
    /// The host that we run on.
    pub(crate) fn this() -> Self {
        Self::at(Path::new("/"))
    }

    /// A host whose files lie below a directory: an image, a backup, a chroot. Its programs are not run.
    pub(crate) fn at(root: &Path) -> Self {
        Self { root: root.to_path_buf() }
    }

    /// Whether it is the one that we run on.
    pub(crate) fn is_this(&self) -> bool {
        self.root == Path::new("/")
    }

    /// Where a file of the host is for us.
    pub(crate) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// What a file of ours is called on the host.
    pub(crate) fn name(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.root).map_or_else(|_| path.to_path_buf(), |rest| Path::new("/").join(rest))
    }

    /// A text file, if it is there, may be read and is not too large.
    pub(crate) fn read(&self, path: impl AsRef<Path>) -> Option<String> {
        let mut bytes = Vec::new();
        fs::File::open(self.path(path)).ok()?.take(LARGEST).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The files and directories in a directory, by name.
    pub(crate) fn list(&self, directory: impl AsRef<Path>) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path(directory)).into_iter().flatten();
        let mut paths: Vec<_> = entries.filter_map(|entry| Some(self.name(&entry.ok()?.path()))).collect();
        paths.sort();
        paths
    }

    /// Whether a file is root's or our own.
    pub(crate) fn is_trusted(&self, path: &Path) -> bool {
        let ourselves = fs::metadata("/proc/self").map(|data| data.uid()).ok();
        let owner = fs::metadata(self.path(path)).map(|data| data.uid()).ok();
        owner == Some(0) || (owner.is_some() && owner == ourselves)
    }

    /// What a program says, if this is the host that we run on, it is installed at one of these places, and succeeds.
    pub(crate) fn ask(&self, programs: &[&str], args: &[&str]) -> Option<String> {
        let program = programs.iter().map(Path::new).find(|program| self.is_this() && program.exists())?;
        let said = output(program, args, Limits::default()).ok()?;
        said.status.success().then(|| String::from_utf8_lossy(&said.stdout).into_owned())
    }
}

/// `name = value` lines, as postconf(1) and doveconf(1) print them; the last one of a name.
pub(super) fn value<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let mut values = text.lines().filter_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == name).then_some(value.trim())
    });
    values.next_back()
}
