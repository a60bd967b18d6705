//! Starting programs and ending exactly those that the lab started.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

/// Runs a program to its end and returns what it wrote, or an error that shows it.
pub(crate) fn run(program: &str, args: &[&str]) -> Result<String> {
    run_with(program, args, "")
}

/// The same with something on its standard input.
pub(crate) fn run_with(program: &str, args: &[&str], input: &str) -> Result<String> {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {program}: is its package installed?"))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{program} {}: {}\n{}", args.join(" "), output.status, said.trim_end());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A process with the moment of its start, so that a reused number is not taken for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pid: i32,
    start: u64,
}

impl Record {
    /// The process that has this number now.
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let pid = i32::try_from(pid)?;
        let start = start_time(pid).with_context(|| format!("process {pid} is gone already"))?;
        Ok(Self { pid, start })
    }

    pub(crate) fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }

    pub(crate) fn write(self, path: &Path) -> Result<()> {
        fs::write(path, serde_json::to_vec(&self)?).with_context(|| format!("writing {}", path.display()))
    }

    pub(crate) const fn pid(self) -> i32 {
        self.pid
    }

    pub(crate) fn alive(self) -> bool {
        start_time(self.pid) == Some(self.start)
    }

    /// TERM, then KILL after the grace. A process descriptor makes sure that no other process is hit.
    pub(crate) fn end(self, grace: Duration) {
        let Some(pid) = Pid::from_raw(self.pid) else { return };
        let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { return };
        for (signal, patience) in [(Signal::TERM, grace), (Signal::KILL, Duration::from_secs(5))] {
            if !self.alive() {
                return;
            }
            let _ = pidfd_send_signal(&handle, signal);
            let limit = Timespec::try_from(patience).ok();
            // Readable means ended (pidfd_open(2)).
            let _ = poll(&mut [PollFd::new(&handle, PollFlags::IN)], limit.as_ref());
        }
    }
}

/// The start time in proc_pid_stat(5), field 22; a zombie counts as gone.
fn start_time(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything, so count from the last parenthesis.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_process_ends_and_only_it() {
        let mut child = Command::new("/usr/bin/sleep").arg("600").spawn().unwrap();
        let record = Record::of(child.id()).unwrap();
        assert!(record.alive());
        let reused = Record { start: record.start + 1, ..record };
        reused.end(Duration::from_secs(1));
        assert!(record.alive(), "a number with another start time is another process");
        record.end(Duration::from_secs(1));
        assert!(!record.alive());
        assert!(!child.wait().unwrap().success());
    }

    #[test]
    fn a_failure_shows_what_the_program_said() {
        let error = run("/bin/ls", &["/nonexistent"]).unwrap_err().to_string();
        assert!(error.contains("/nonexistent") && error.contains("No such file"), "{error}");
    }
}
