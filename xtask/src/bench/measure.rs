//! What a process cost, as the kernel accounts for it.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

/// What a process cost, with its threads and the children that it waited for.
#[derive(Clone, Debug)]
pub(super) struct Cost {
    pub(super) wall: Duration,
    /// User and system time.
    pub(super) cpu: Duration,
    /// The most memory that was resident, in kB.
    pub(super) peak_kb: u64,
    /// The last line that it printed.
    pub(super) said: String,
}

/// How often the peak of memory is read; it only grows, so the last reading is the peak, but for the last moments.
const SAMPLING: Duration = Duration::from_millis(2);
/// Linux tells times to programs in hundredths of a second (`USER_HZ`), whatever it counts in itself.
const TICK: Duration = Duration::from_millis(10);

/// Runs a command to its end and tells what it cost. What it prints goes to a file, so that nobody waits for a reader.
pub(super) fn cost(command: &mut Command, input: Option<&Path>) -> Result<Cost> {
    let shown = crate::tool::shown(command);
    let stdin = match input {
        Some(path) => Stdio::from(File::open(path)?),
        None => Stdio::null(),
    };
    let mut output = tempfile::tempfile()?;
    let child = command.stdin(stdin).stdout(output.try_clone()?).stderr(Stdio::inherit());
    let begin = Instant::now();
    let mut child = child.spawn().with_context(|| format!("cannot start {shown}"))?;
    let (peak_kb, wall) = until_exit(Pid::from_child(&child), begin)?;
    // It has ended and nobody has collected it: its accounts are still open.
    let cpu = cpu_time(child.id())?;
    let status = child.wait()?;
    if !status.success() {
        bail!("{shown}: {status}");
    }
    Ok(Cost { wall, cpu, peak_kb, said: last_line(&mut output)? })
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

/// Fields 14 to 17 of proc_pid_stat(5); the second one is in parentheses and may contain anything.
fn cpu_time(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, rest) = stat.rsplit_once(')').context("/proc/PID/stat without a name")?;
    let ticks = rest.split_whitespace().skip(11).take(4).map(str::parse::<u32>);
    let ticks: u32 = ticks.sum::<Result<_, _>>().context("/proc/PID/stat")?;
    Ok(TICK * ticks)
}

fn last_line(output: &mut File) -> Result<String> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let length = output.seek(SeekFrom::End(0))?;
    output.seek(SeekFrom::Start(length.saturating_sub(4_096)))?;
    let mut text = Vec::new();
    output.read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).lines().last().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_accounted_for() {
        let mut command = Command::new("/bin/sh");
        // It takes some memory, some time, and says something.
        command.args(["-c", "n=0; while [ $n -lt 200000 ]; do n=$((n+1)); done; echo done $n"]);
        let cost = cost(&mut command, None).unwrap();
        assert_eq!(cost.said, "done 200000");
        assert!(cost.cpu > Duration::ZERO && cost.wall >= cost.cpu - TICK * 2, "{cost:?}");
        assert!(cost.peak_kb > 500, "{cost:?}");
        assert!(super::cost(&mut Command::new("/bin/false"), None).is_err());
    }
}
