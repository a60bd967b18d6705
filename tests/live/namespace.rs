//! Network namespaces of a test's own.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// A network namespace that ends with this value.
pub(crate) struct Namespace {
    pub(crate) name: String,
}

impl Namespace {
    /// A new one, and the calling thread in it; threads and processes that it starts are in it, too. None, with a loud
    /// word, where namespaces cannot be made.
    pub(crate) fn new(role: &str) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("crash-{}-{}-{role}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        match Command::new("/usr/sbin/ip").args(["netns", "add", &name]).output() {
            Ok(output) if output.status.success() => {}
            other => {
                skipped(&format!("cannot make a network namespace (root and iproute2 needed): {other:?}"));
                return None;
            }
        }
        let namespace = Self { name };
        namespace.enter();
        run("ip link set lo up");
        Some(namespace)
    }

    /// Moves the calling thread into it.
    pub(crate) fn enter(&self) {
        let link = File::open(format!("/run/netns/{}", self.name)).unwrap();
        move_into_link_name_space(link.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("/usr/sbin/ip").args(["netns", "del", &self.name]).status();
    }
}

/// Says so where tests that pass do not keep it back.
pub(crate) fn skipped(why: &str) {
    std::io::stderr().write_all(format!("SKIPPED: {why}\n").as_bytes()).unwrap();
}

/// Runs a command of words without blanks, in the calling thread's namespace; it has to succeed.
pub(crate) fn run(command: &str) -> String {
    let (program, words) = command.split_once(' ').unwrap();
    let found = ["/usr/sbin", "/usr/bin"].iter().map(|folder| format!("{folder}/{program}"));
    let path = found.into_iter().find(|path| std::path::Path::new(path).exists()).unwrap();
    let output = Command::new(path).args(words.split(' ')).output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
