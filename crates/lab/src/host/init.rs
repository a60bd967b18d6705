//! Process 1 of the mail host.
//!
//! It starts in fresh mount, pid, uts and ipc namespaces (`unshare(1)`), lays the lab's folders over the machine's,
//! starts the log receiver, Postfix and Dovecot, says so on its standard output and then buries the dead. When it ends,
//! the kernel ends every process of the mail host.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::mount::{
    MountFlags, MountPropagationFlags, mount, mount_bind, mount_bind_recursive, mount_change, mount_remount,
};
use rustix::process::{WaitOptions, wait};
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;

use super::Options;
use super::files::PRIVATE;
use super::syslog::Receiver;

/// Runs until it is told to end.
pub(crate) fn main(dir: &Path) -> Result<()> {
    // The process file system is still the outer one, in which this process has another number.
    let outer = fs::read_link("/proc/self")?;
    let outcome = start(dir);
    match &outcome {
        Ok(_) => writeln!(io::stdout(), "ready {}", outer.display())?,
        Err(error) => {
            let said = format!("{error:#}").replace('\n', " ");
            writeln!(io::stdout(), "failed {said}")?;
        }
    }
    let receiver = outcome?;
    thread::spawn(bury);
    for signal in Signals::new([SIGINT, SIGTERM, SIGUSR1])?.forever() {
        if signal != SIGUSR1 {
            break;
        }
        receiver.reopen()?;
    }
    Ok(())
}

fn start(dir: &Path) -> Result<Arc<Receiver>> {
    let options = Options::load(dir)?;
    lay_over(dir)?;
    rustix::system::sethostname(b"mail")?;
    let sockets = ["/dev/log", "/var/spool/postfix/dev/log"].map(Path::new);
    let receiver = Receiver::start(Path::new("/var/log"), options.log_format, "mail", &sockets)?;
    service("/usr/sbin/postalias", &["hash:/etc/aliases"])?;
    service("/usr/sbin/postfix", &["start"])?;
    service("/usr/sbin/dovecot", &[])?;
    Ok(receiver)
}

/// Everything that the mail server writes to is the lab's own; the rest is the machine's.
fn lay_over(dir: &Path) -> Result<()> {
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    let plain = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", "/proc", "proc", plain, None).context("mounting /proc")?;
    devices(&dir.join("dev"))?;
    // Which versions are installed stays readable.
    let packages = dir.join("lib/dpkg");
    mount_bind("/var/lib/dpkg", &packages)?;
    mount_remount(&packages, MountFlags::BIND | MountFlags::RDONLY, c"")?;
    for (folder, place) in PRIVATE {
        mount_bind_recursive(dir.join(folder), place).with_context(|| format!("laying over {place}"))?;
    }
    Ok(())
}

/// A `/dev` of its own, because `/dev/log` is in it. Devices are the machine's, so no right to make nodes is needed.
fn devices(dev: &Path) -> Result<()> {
    let size = c"mode=755,size=1m";
    mount("tmpfs", dev, "tmpfs", MountFlags::NOSUID, size).context("mounting a private /dev")?;
    for name in ["null", "zero", "full", "random", "urandom", "tty"] {
        File::create(dev.join(name))?;
        mount_bind(Path::new("/dev").join(name), dev.join(name))?;
    }
    for name in ["pts", "shm"] {
        if Path::new("/dev").join(name).is_dir() {
            fs::create_dir(dev.join(name))?;
            mount_bind_recursive(Path::new("/dev").join(name), dev.join(name))?;
        }
    }
    for (name, target) in [("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")] {
        symlink(format!("/proc/self/fd{target}"), dev.join(name))?;
    }
    symlink("pts/ptmx", dev.join("ptmx"))?;
    mount_bind_recursive(dev, "/dev").context("laying over /dev")
}

/// Runs a program that puts its daemon into the background by itself.
fn service(program: &str, args: &[&str]) -> Result<()> {
    let status = Command::new(program)
        .args(args)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LANG", "C.UTF-8")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::from(io::stderr()))
        .status()
        .with_context(|| format!("starting {program}"))?;
    ensure!(status.success(), "{program}: {status}; see init.log and mail.log in the lab's folder log/");
    Ok(())
}

/// Daemons and orphans of commands become children of process 1.
fn bury() {
    loop {
        if wait(WaitOptions::empty()).is_err() {
            thread::sleep(Duration::from_millis(200));
        }
    }
}
