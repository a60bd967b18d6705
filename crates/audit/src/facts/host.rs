//! The machine.

use serde::{Deserialize, Serialize};

use super::Known;

/// The machine, or the container, that the mail server runs in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Host {
    /// Sockets that listen, on the network and in the file system.
    pub listeners: Known<Vec<Listener>>,
    /// Processes that run.
    pub processes: Known<Vec<Process>>,
    /// Addresses of its interfaces, as networks (`192.0.2.1/24`), with the interface's name.
    pub addresses: Known<Vec<Interface>>,
    /// Installed packages that matter to mail.
    pub packages: Known<Vec<Package>>,
    /// File systems that mail, queue and logs are on.
    pub space: Known<Vec<Space>>,
    /// The mail queue.
    pub queue: Known<Queue>,
    /// Backups that were found, in the directories named and in the usual places.
    pub backups: Known<Vec<Backup>>,
}

/// A backup: an archive, or the state that a backup program keeps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Backup {
    /// Where it is.
    pub path: String,
    /// The program that made it, where it keeps a state of its own: `restic`, `borg`; empty for an archive.
    pub tool: String,
    /// What the first bytes say it is: `gzip`, `xz`, `zstd`, `bzip2`, `tar`, `zip`, `age`, `openpgp`, `openssl`, `sql`; empty if unknown.
    pub format: String,
    /// Bytes.
    pub size: u64,
    /// When it was changed last, seconds since 1970.
    pub modified: i64,
    /// Permission bits.
    pub mode: u32,
    /// The number of the file system that it is on.
    pub device: u64,
    /// Whether its contents are encrypted.
    pub encrypted: Known<bool>,
    /// What is wrong with it; empty if it was read to its end and nothing is. Only looked at thoroughly in a deep audit.
    pub broken: Known<String>,
    /// When it was restored on trial last with success, seconds since 1970; none where it never was.
    pub proven: Known<Option<i64>>,
    /// Names in it, at most 2,000.
    pub contents: Known<Vec<String>>,
}

/// A socket that listens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Listener {
    /// `tcp`, `udp`, `unix`.
    pub protocol: String,
    /// The address (`0.0.0.0`, `::`, `127.0.0.1`), or the path of a unix socket.
    pub address: String,
    /// The port, 0 for a unix socket.
    pub port: u16,
    /// The program that listens, where it can be seen.
    pub program: String,
}

/// A process that runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its program's name.
    pub name: String,
    /// Its command line, without what looks like a secret.
    pub command: String,
    /// Its user.
    pub user: String,
    /// When it was started, seconds since 1970.
    pub started: i64,
    /// Libraries that it still maps although their files were replaced.
    pub deleted_libraries: Vec<String>,
}

/// An address of an interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Interface {
    /// `eth0`.
    pub name: String,
    /// Address and prefix: `192.0.2.1/24`.
    pub network: String,
}

/// An installed package.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Package {
    /// `postfix`.
    pub name: String,
    /// The distribution's version: `3.7.11-0+deb12u1`.
    pub version: String,
    /// A newer version that the package manager already knows of.
    pub candidate: Option<String>,
    /// Whether that is a security update.
    pub security: bool,
}

/// A file system.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Space {
    /// A path that is on it: `/var/mail`.
    pub path: String,
    /// What the path is for: `mail`, `queue`, `log`.
    pub purpose: String,
    /// The number of the file system.
    pub device: u64,
    /// Bytes in all.
    pub bytes: u64,
    /// Bytes free to programs that are not root's.
    pub free: u64,
    /// Inodes in all; 0 where the file system does not count them.
    pub inodes: u64,
    /// Inodes free.
    pub inodes_free: u64,
}

/// The mail queue, summed up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Queue {
    /// Messages, at most the first 100,000.
    pub messages: Vec<Queued>,
    /// Files in the corrupt queue.
    pub corrupt: u64,
}

/// A message in the queue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Queued {
    /// Its queue: `active`, `deferred`, `hold`, `incoming`.
    pub queue: String,
    /// Its id.
    pub id: String,
    /// When it came, seconds since 1970.
    pub arrived: i64,
    /// Bytes.
    pub size: u64,
    /// Its envelope sender; empty for a bounce.
    pub sender: String,
    /// Its recipients, at most the first 20.
    pub recipients: Vec<String>,
    /// Why it is not delivered yet.
    pub reason: String,
}
