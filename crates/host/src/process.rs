//! Processes of others: what runs, which sockets it holds, and how one of these is cut without harm to the process.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::fstat;
use rustix::net::{Shutdown, shutdown};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

/// A process, as `/proc` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number here.
    pub pid: i32,
    /// Its number where it runs, which in a container is another one, and which its log lines have.
    pub inner: i32,
    /// Its words.
    pub words: Vec<String>,
    /// Which machine or container it is in: the inode of its pid namespace.
    pub namespace: u64,
}

/// A socket that a process holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket {
    /// Its number in the process.
    pub fd: i32,
    /// Its inode, which nobody else has.
    pub inode: u64,
}

/// The processes that this one may look into and whose words begin so that `wanted` holds; those of containers are among them.
///
/// # Errors
/// When there is no `/proc`.
pub fn all(wanted: impl Fn(&[&str]) -> bool) -> io::Result<Vec<Process>> {
    let pids = fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Ok(pids.filter_map(|pid| look(pid, &wanted)).collect())
}

/// A process that is gone meanwhile is none.
fn look(pid: i32, wanted: &impl Fn(&[&str]) -> bool) -> Option<Process> {
    let line = fs::read(proc(pid, "cmdline")).ok()?;
    let line = String::from_utf8_lossy(&line);
    let words: Vec<&str> = line.trim_end_matches('\0').split('\0').collect();
    if !wanted(&words) {
        return None;
    }
    Some(Process {
        pid,
        inner: inner(&fs::read_to_string(proc(pid, "status")).ok()?).unwrap_or(pid),
        words: words.into_iter().map(str::to_owned).collect(),
        namespace: fs::metadata(proc(pid, "ns/pid")).ok()?.ino(),
    })
}

/// The last number of `NSpid`, which is that of the innermost namespace (proc_pid_status(5)).
fn inner(status: &str) -> Option<i32> {
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    line.split_ascii_whitespace().next_back()?.parse().ok()
}

/// The pid namespace of this process: that of the machine it runs on.
///
/// # Errors
/// When there is no `/proc`.
pub fn namespace() -> io::Result<u64> {
    Ok(fs::metadata("/proc/self/ns/pid")?.ino())
}

/// The sockets of a process.
///
/// # Errors
/// When it is gone, or somebody else's.
pub fn sockets(pid: i32) -> io::Result<Vec<Socket>> {
    let entries = fs::read_dir(proc(pid, "fd"))?;
    Ok(entries.filter_map(|entry| socket(&entry.ok()?.path())).collect())
}

fn socket(path: &Path) -> Option<Socket> {
    let link = fs::read_link(path).ok()?;
    let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()?;
    Some(Socket { fd: path.file_name()?.to_str()?.parse().ok()?, inode })
}

/// The TCP tables of the network that a process is in: IPv4, and IPv6 where there is any.
///
/// # Errors
/// When it is gone, or somebody else's.
pub fn tcp_tables(pid: i32) -> io::Result<Vec<String>> {
    let four = fs::read_to_string(proc(pid, "net/tcp"))?;
    Ok([Some(four), fs::read_to_string(proc(pid, "net/tcp6")).ok()].into_iter().flatten().collect())
}

/// Shuts a connection down that a process holds, as if its client had gone; the process lives on. Whether it was still there.
///
/// A signal would end the process, and Postfix's master waits a minute before it starts a service again whose first process died
/// (`service_throttle_time`).
///
/// # Errors
/// When this process may not reach into the other one, which takes CAP_SYS_PTRACE.
pub fn cut(pid: i32, socket: Socket) -> io::Result<bool> {
    let Some(number) = Pid::from_raw(pid) else { return Ok(false) };
    let copied = pidfd_open(number, PidfdFlags::empty())
        .and_then(|process| pidfd_getfd(process, socket.fd, PidfdGetfdFlags::empty()));
    let copied: OwnedFd = match copied {
        Ok(copied) => copied,
        Err(rustix::io::Errno::SRCH | rustix::io::Errno::BADF) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    // The number may be another file's by now, and the process another one; the inode tells.
    if fstat(&copied)?.st_ino != socket.inode {
        return Ok(false);
    }
    match shutdown(&copied, Shutdown::Both) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::NOTCONN) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn proc(pid: i32, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;

    #[test]
    fn the_inner_number_is_the_last_one() {
        assert_eq!(inner("Name:\tsmtpd\nNSpid:\t4711\t12\nNSpgid:\t1\n"), Some(12));
        assert_eq!(inner("NSpid:\t7\n"), Some(7));
        assert_eq!(inner("Name:\tx\n"), None);
    }

    #[test]
    fn this_process_is_seen() {
        let me = i32::try_from(std::process::id()).unwrap();
        let found = all(|words| !words.is_empty()).unwrap();
        let found = found.iter().find(|process| process.pid == me).unwrap();
        assert_eq!(found.namespace, namespace().unwrap());
        assert!(all(|_| false).unwrap().is_empty());
    }

    #[test]
    fn a_connection_is_cut_and_its_process_lives() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        let me = i32::try_from(std::process::id()).unwrap();
        let all = sockets(me).unwrap();
        let held = all.into_iter().find(|socket| socket.fd == server.as_raw_fd()).unwrap();
        // Another socket's inode is not cut, whatever the number says.
        let other = Socket { inode: held.inode + 1, ..held };
        match cut(me, other) {
            Ok(cut) => assert!(!cut),
            // Where ptrace(2) is denied even for oneself, as in some sandboxes.
            Err(error) => return eprintln!("SKIPPED: pidfd_getfd(2): {error}"),
        }
        assert!(cut(me, held).unwrap());
        assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
        assert!(tcp_tables(me).unwrap().iter().any(|table| table.contains("local_address")));
        assert!(!cut(me, Socket { fd: 1_000_000, inode: 1 }).unwrap());
    }
}
