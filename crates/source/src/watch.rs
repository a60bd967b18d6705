//! inotify(7): wakes the reader when a file grows or a name changes. What it cannot tell is found by looking once in a while.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init, remove_watch};

/// The watches of all sources.
#[derive(Debug)]
pub(crate) struct Watches {
    inotify: OwnedFd,
    /// How many want each: the kernel has one per inode, however often it is asked for.
    wanted: HashMap<i32, u32>,
}

/// A watch, to be given back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Watch(i32);

impl Watches {
    /// None where the system has none left: then there is only looking.
    pub(crate) fn new() -> Option<Self> {
        let inotify = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok()?;
        Some(Self { inotify, wanted: HashMap::new() })
    }

    /// Watches what is written to a file.
    pub(crate) fn file(&mut self, path: &Path) -> io::Result<Watch> {
        self.add(path, WatchFlags::MODIFY | WatchFlags::ATTRIB)
    }

    /// Watches the names in a directory.
    pub(crate) fn directory(&mut self, path: &Path) -> io::Result<Watch> {
        self.add(path, WatchFlags::CREATE | WatchFlags::MOVE | WatchFlags::DELETE | WatchFlags::ONLYDIR)
    }

    pub(crate) fn release(&mut self, watch: &Watch) {
        let Some(count) = self.wanted.get_mut(&watch.0) else { return };
        *count -= 1;
        if *count == 0 {
            self.wanted.remove(&watch.0);
            // The kernel drops it by itself when the file is gone.
            let _ = remove_watch(&self.inotify, watch.0);
        }
    }

    /// Forgets what happened: the sources look for themselves.
    pub(crate) fn drain(&self) {
        // More than fits wakes once more.
        let _ = rustix::io::read(&self.inotify, &mut [0; 4096]);
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }

    fn add(&mut self, path: &Path, flags: WatchFlags) -> io::Result<Watch> {
        // Two sources in one directory, or a file that is watched as both, share a watch.
        let watch = add_watch(&self.inotify, path, flags | WatchFlags::MASK_ADD)?;
        *self.wanted.entry(watch).or_default() += 1;
        Ok(Watch(watch))
    }
}

/// Whether others may write there without this kernel's knowledge: statfs(2)'s numbers of NFS, SMB, CIFS, 9p, Ceph, AFS, FUSE (also
/// virtiofs), OCFS2, GFS2 and VirtualBox' shared folders.
pub(crate) fn is_remote(path: &Path) -> bool {
    const REMOTE: [u64; 11] = [
        0x6969,
        0x517b,
        0xff53_4d42,
        0xfe53_4d42,
        0x0102_1997,
        0x00c3_6400,
        0x5346_414f,
        0x6573_5546,
        0x7461_636f,
        0x0116_1970,
        0x786f_4256,
    ];
    let magic = rustix::fs::statfs(path).ok().and_then(|fs| u64::try_from(fs.f_type & 0xffff_ffff).ok());
    magic.is_some_and(|magic| REMOTE.contains(&magic))
}
