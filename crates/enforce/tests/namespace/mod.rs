//! Network namespaces of a test's own, and bans to fill them with.
#![allow(dead_code, clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

use std::fs::File;
use std::os::fd::AsFd;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

use mailward_decide::{Cleared, NeverBan};
use mailward_model::{Ban, Origin, Timestamp};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// A network namespace that ends with this value. Made by [`Namespace::new`], which moves the calling thread into it:
/// every test has a thread, so every test has a network of its own.
pub(crate) struct Namespace {
    pub(crate) name: String,
}

impl Namespace {
    /// None, with a loud word, where namespaces cannot be made.
    pub(crate) fn new(role: &str) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("enf-{}-{}-{role}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        match Command::new("/usr/sbin/ip").args(["netns", "add", &name]).output() {
            Ok(output) if output.status.success() => {}
            other => {
                eprintln!("SKIPPED: cannot make a network namespace (root and iproute2 needed): {other:?}");
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

/// Runs a command, of words without blanks, in the calling thread's namespace.
pub(crate) fn run(command: &str) -> String {
    let Output { status, stdout, stderr } = output(command);
    assert!(status.success(), "{command}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

pub(crate) fn output(command: &str) -> Output {
    let mut words = command.split(' ');
    let program = format!("/usr/sbin/{}", words.next().unwrap());
    Command::new(&program).args(words).output().unwrap_or_else(|error| panic!("{program}: {error}"))
}

/// Now, by the clock.
pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_micros(since.as_micros() as i64)
}

/// A ban of an address or network, which ends at a time or never.
pub(crate) fn ban(target: &str, until: Option<Timestamp>) -> Cleared {
    ban_of(target.parse().unwrap(), until)
}

pub(crate) fn ban_of(target: mailward_model::Network, until: Option<Timestamp>) -> Cleared {
    let from = Timestamp::from_secs(0);
    let (origin, by, reason) = (Origin::Rule, "test".into(), "test".into());
    let ban = Ban { target, from, until, origin, by, step: 1, reason };
    NeverBan::built_in().clear(ban, from).unwrap()
}
