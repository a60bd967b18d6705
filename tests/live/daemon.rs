//! `mailward guard` as a process, and what it says.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Longer than anything takes on a machine that is not stuck.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Nothing of this machine's own mail server plays a part.
const CONFIG: &str = "\
[guard]
mode = \"enforce\"
[never-ban]
mynetworks = false
operator-session = false
[integrity]
watch = false
";

/// A folder with all that a guard needs, which survives it.
pub(crate) struct Place {
    folder: tempfile::TempDir,
    program: PathBuf,
    /// The folder of the store.
    pub(crate) state: PathBuf,
    pub(crate) log: PathBuf,
}

/// A line of the guard's standard output, and when it came.
pub(crate) struct Said {
    pub(crate) at: Instant,
    pub(crate) json: Value,
}

impl Said {
    /// The address that this says is banned now.
    pub(crate) fn banned(&self) -> Option<IpAddr> {
        (self.json["event"] == "ban").then(|| self.json["address"].as_str()?.parse().ok()).flatten()
    }

    fn is_start(&self) -> bool {
        self.json["text"].as_str().is_some_and(|text| text.starts_with("guarding"))
    }
}

impl Place {
    pub(crate) fn new(program: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("mailward-live-").tempdir().unwrap();
        let (state, log) = (folder.path().join("state"), folder.path().join("mail.log"));
        std::fs::write(folder.path().join("mailward.toml"), CONFIG).unwrap();
        Self { folder, program: program.into(), state, log }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Adds to the configuration.
    pub(crate) fn configure(&self, more: &str) {
        std::fs::write(self.path("mailward.toml"), format!("{CONFIG}{more}")).unwrap();
    }

    /// Changes the configuration.
    pub(crate) fn change(&self, old: &str, new: &str) {
        let text = std::fs::read_to_string(self.path("mailward.toml")).unwrap();
        assert!(text.contains(old), "{text}");
        std::fs::write(self.path("mailward.toml"), text.replace(old, new)).unwrap();
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.state.join("mailward.db")
    }

    /// A command of the program, with this place's configuration and socket.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--config").arg(self.path("mailward.toml")).arg("--socket").arg(self.path("socket"));
        command.args(words).stdin(Stdio::null());
        command
    }

    pub(crate) fn guard_command(&self) -> Command {
        let mut command = self.command(&["guard", "--format", "json"]);
        command.arg("--log").arg(&self.log).arg("--state").arg(&self.state);
        command
    }

    /// Starts the guard, in the calling thread's network.
    pub(crate) fn start(&self) -> Daemon {
        Daemon::spawn(&mut self.guard_command())
    }

    /// Starts the guard, and waits until it guards.
    pub(crate) fn guard(&self) -> Daemon {
        let mut daemon = self.start();
        daemon.guards();
        daemon
    }

    /// Starts a guard that leaves the kernel alone, and waits until it guards.
    pub(crate) fn guard_without_firewall(&self) -> Daemon {
        let mut daemon = Daemon::spawn(self.guard_command().arg("--no-firewall"));
        daemon.guards();
        daemon
    }

    /// Waits until the guard has read the log to its end.
    pub(crate) fn catches_up(&self) {
        let deadline = Instant::now() + PATIENCE;
        while self.status()["sources"][0]["behind_bytes"] != 0 {
            assert!(Instant::now() < deadline, "it does not come to the end of the log");
        }
    }

    /// Whether the guard finds something of this id wrong with itself.
    pub(crate) fn has_finding(&self, id: &str) -> bool {
        self.status()["findings"].as_array().unwrap().iter().any(|finding| finding["id"] == id)
    }

    /// What `mailward status` tells.
    pub(crate) fn status(&self) -> Value {
        let output = self.command(&["status", "--format", "json"]).output().unwrap();
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
    }
}

/// A guard at work. It is killed when this value goes.
pub(crate) struct Daemon {
    child: Child,
    said: Receiver<Said>,
    /// What was said and not asked for yet.
    unheard: VecDeque<Said>,
}

impl Daemon {
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, said) = channel();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            let mut line = Vec::new();
            // A line that a kill cut short was not announced.
            while out.read_until(b'\n', &mut line).is_ok_and(|size| size > 0) && line.ends_with(b"\n") {
                let json = serde_json::from_slice(&line).unwrap();
                let _ = sender.send(Said { at: Instant::now(), json });
                line.clear();
            }
        });
        Self { child, said, unheard: VecDeque::new() }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the guard is ready: what was banned is in the kernel by then.
    pub(crate) fn guards(&mut self) -> Said {
        self.hear(Said::is_start).unwrap_or_else(|| panic!("it does not start: {}", self.complaint()))
    }

    /// Waits until this address is said to be banned.
    pub(crate) fn bans(&mut self, address: IpAddr) -> Said {
        let heard = self.hear(|said| said.banned() == Some(address));
        heard.unwrap_or_else(|| {
            panic!("{address} is not banned; last was said: {:?}", self.unheard.back().map(|said| &said.json))
        })
    }

    /// The first that is said and is such, waited for; all else is kept for later.
    pub(crate) fn hear(&mut self, is_such: impl Fn(&Said) -> bool) -> Option<Said> {
        if let Some(at) = self.unheard.iter().position(&is_such) {
            return self.unheard.remove(at);
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let said = self.said.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok()?;
            if is_such(&said) {
                return Some(said);
            }
            self.unheard.push_back(said);
        }
    }

    /// What was said so far and not heard.
    pub(crate) fn so_far(&mut self) -> Vec<Said> {
        self.unheard.drain(..).chain(self.said.try_iter()).collect()
    }

    /// SIGHUP; waits until the configuration was read again.
    pub(crate) fn reload(&mut self) {
        kill_process(Pid::from_child(&self.child), Signal::HUP).unwrap();
        let is_told = |said: &Said| {
            said.json["text"].as_str().is_some_and(|text| text.starts_with("configuration read again"))
        };
        assert!(self.hear(is_told).is_some(), "it does not read the configuration again");
    }

    /// SIGKILL; all that was said before.
    pub(crate) fn kill(mut self) -> Vec<Said> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.unheard.drain(..).chain(self.said.iter()).collect()
    }

    /// SIGTERM; how it ended and all that was said.
    pub(crate) fn terminate(mut self) -> (ExitStatus, Vec<Said>) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).unwrap();
        let status = self.child.wait().unwrap();
        (status, self.unheard.drain(..).chain(self.said.iter()).collect())
    }

    /// Resident memory in bytes, by proc(5).
    pub(crate) fn resident(&self) -> u64 {
        resident(Path::new(&format!("/proc/{}/status", self.pid())))
    }

    fn complaint(&mut self) -> String {
        let _ = self.child.kill();
        let mut text = String::new();
        let _ = self.child.stderr.take().unwrap().read_to_string(&mut text);
        text
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// For how long a process has had a processor, by its `/proc/*/schedstat`: what else the machine does plays no part.
pub(crate) fn on_processor(process: &str) -> Duration {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let nanos = tasks.filter_map(|task| {
        let text = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}

/// The resident memory that a `/proc/*/status` tells, in bytes.
pub(crate) fn resident(status: &Path) -> u64 {
    let text = std::fs::read_to_string(status).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1_024
}
