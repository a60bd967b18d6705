//! What a process cost, as the kernel accounts for it.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::resource::{UsageWho, getrusage};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

/// What a process cost, with its threads and the children that it waited for.
#[derive(Clone, Debug)]
pub(super) struct Cost {
    pub(super) wall: Duration,
    /// User and system time.
    pub(super) cpu: Duration,
    /// The most memory that was resident, in kB.
    pub(super) peak_kb: u64,
    /// The line of its output that tells what it found.
    pub(super) said: String,
}

/// How often the peak of memory is read; it only grows, so the last reading is the peak, but for the last moments.
const SAMPLING: Duration = Duration::from_millis(2);
/// Of longer output only the end is searched for what was found.
const OUTPUT: u64 = 1 << 20;

/// Runs a command to its end and tells what it cost. What it prints goes to a file, so that nobody waits for a reader.
/// `tells` is in the line of its output that is kept; empty for the last line.
pub(super) fn cost(command: &mut Command, input: Option<&Path>, tells: &str) -> Result<Cost> {
    let shown = crate::tool::shown(command);
    let stdin = match input {
        Some(path) => Stdio::from(File::open(path)?),
        None => Stdio::null(),
    };
    let mut output = tempfile::tempfile()?;
    let child = command.stdin(stdin).stdout(output.try_clone()?).stderr(Stdio::inherit());
    let before = children_time()?;
    let begin = Instant::now();
    let mut child = child.spawn().with_context(|| format!("cannot start {shown}"))?;
    let (peak_kb, wall) = until_exit(Pid::from_child(&child), begin)?;
    // Only a child that was waited for is in the account of the children.
    let status = child.wait()?;
    let cpu = children_time()?.saturating_sub(before);
    if !status.success() {
        bail!("{shown}: {status}");
    }
    Ok(Cost { wall, cpu, peak_kb, said: telling_line(&mut output, tells)? })
}

fn until_exit(pid: Pid, begin: Instant) -> Result<(u64, Duration)> {
    let (ended, end) = channel::<()>();
    let sampler = thread::spawn(move || {
        let mut peak = 0;
        while end.recv_timeout(SAMPLING) == Err(RecvTimeoutError::Timeout) {
            peak = peak.max(peak_memory(pid).unwrap_or(0));
        }
        peak
    });
    waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)?;
    let wall = begin.elapsed();
    drop(ended);
    let peak = sampler.join().map_err(|_| anyhow::anyhow!("the sampler of memory panicked"))?;
    Ok((peak, wall))
}

/// `VmHWM` of proc_pid_status(5).
fn peak_memory(pid: Pid) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// User and system time of all children that ended so far.
fn children_time() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let times = [usage.user_time(), usage.system_time()];
    let micros = times.map(|time| time.tv_sec() * 1_000_000 + time.tv_usec());
    Ok(Duration::from_micros(micros.iter().sum::<i64>().try_into()?))
}

fn telling_line(output: &mut File, tells: &str) -> Result<String> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let length = output.seek(SeekFrom::End(0))?;
    output.seek(SeekFrom::Start(length.saturating_sub(OUTPUT)))?;
    let mut text = Vec::new();
    output.read_to_end(&mut text)?;
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().rev().find(|line| !line.trim().is_empty() && line.contains(tells));
    Ok(line.unwrap_or_default().trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_accounted_for() {
        let mut command = Command::new("/bin/sh");
        // It takes some memory, some time, and says something.
        command.args(["-c", "n=0; while [ $n -lt 200000 ]; do n=$((n+1)); done; echo done $n; echo"]);
        let cost = cost(&mut command, None, "").unwrap();
        assert_eq!(cost.said, "done 200000");
        assert!(
            cost.cpu > Duration::ZERO && cost.wall.as_secs_f64() > cost.cpu.as_secs_f64() * 0.9,
            "{cost:?}"
        );
        assert!(cost.peak_kb > 500, "{cost:?}");
        assert!(super::cost(&mut Command::new("/bin/false"), None, "").is_err());
    }
}
