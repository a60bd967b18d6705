//! The machines: bringing the lab up and down, running programs in it.

mod dns;
mod files;
mod init;
mod net;
mod process;
mod sink;
mod syslog;
mod world;

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use process::Record;

use crate::topology::{PORTS, Place};

pub(crate) use init::main as init;
pub use net::enter;
pub use syslog::LogFormat;
pub(crate) use world::main as world;

/// How a lab is made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Options {
    /// Its folder: logs, private `/etc` and `/var` of the mail host.
    pub dir: PathBuf,
    /// What the names of its namespaces begin with.
    pub prefix: String,
    /// The log's time stamps.
    pub log_format: LogFormat,
    /// Without Dovecot's delays after failed logins.
    pub quick: bool,
    /// Goes down when this process ends.
    pub leased: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("/tmp/mwlab"),
            prefix: "mwlab".to_owned(),
            log_format: LogFormat::default(),
            quick: false,
            leased: false,
        }
    }
}

impl Options {
    fn load(dir: &Path) -> Result<Self> {
        let path = dir.join("lab.json");
        let text = fs::read(&path)
            .with_context(|| format!("no lab in {}; say: cargo xtask lab up", dir.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("reading {}", path.display()))
    }

    fn save(&self) -> Result<()> {
        Ok(fs::write(self.dir.join("lab.json"), serde_json::to_vec_pretty(self)?)?)
    }
}

/// This program as the lab starts it again for its own processes: the path, and what leads to [`crate::cli`].
#[derive(Clone, Debug)]
pub struct Program {
    /// The executable.
    pub path: PathBuf,
    /// Arguments before the lab's.
    pub args: Vec<OsString>,
}

impl Program {
    /// The running executable with the given arguments before the lab's own.
    ///
    /// # Errors
    /// When the executable's path cannot be found out.
    pub fn this(args: &[&str]) -> Result<Self> {
        let path = std::env::current_exe().context("where is this program?")?;
        Ok(Self { path, args: args.iter().map(OsString::from).collect() })
    }
}

/// A lab that is up, or was.
#[derive(Debug)]
pub struct Lab {
    options: Options,
    lease: Option<ChildStdin>,
}

/// A program running in the lab.
#[derive(Debug)]
pub struct Guest {
    /// The process that entered the namespaces; its only child is the program.
    pub child: Child,
    wrapped: bool,
}

impl Lab {
    /// Makes a lab; takes a few seconds. A lab that nobody runs any more but left its folder or networks is replaced.
    ///
    /// # Errors
    /// When this machine cannot run one (see [`missing`]), one is up already, or a server does not start.
    pub fn up(options: Options, program: &Program) -> Result<Self> {
        let problems = missing();
        ensure!(problems.is_empty(), "the lab cannot run here: {}", problems.join("; "));
        ensure!(!net::in_use(&options.prefix)?, "this lab is up already; say: cargo xtask lab down");
        net::down(&options.prefix)?;
        fresh_folder(&options.dir)?;
        options.save()?;
        let mut lab = Self { options, lease: None };
        lab.bring_up(program).inspect_err(|_| {
            let _ = lab.take_down();
        })?;
        Ok(lab)
    }

    fn bring_up(&mut self, program: &Program) -> Result<()> {
        net::up(&self.options.prefix)?;
        files::prepare(&self.options.dir, &self.options)?;
        self.start_world(program)?;
        self.start_mail_host(program)?;
        self.wait_for_ports()
    }

    /// The lab in this folder, if there is one.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(dir: &Path) -> Result<Self> {
        Ok(Self { options: Options::load(dir)?, lease: None })
    }

    /// What the names of its namespaces begin with.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.options.prefix
    }

    /// Its folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.options.dir
    }

    /// The mail host's log.
    #[must_use]
    pub fn mail_log(&self) -> PathBuf {
        self.options.dir.join("log/mail.log")
    }

    /// Where a file of the mail host is on this machine; none if it is the machine's own.
    #[must_use]
    pub fn file(&self, path: &Path) -> Option<PathBuf> {
        let private = files::PRIVATE.iter();
        let mut folders =
            private.filter_map(|(folder, place)| Some((folder, path.strip_prefix(place).ok()?)));
        folders.next().map(|(folder, rest)| self.options.dir.join(folder).join(rest))
    }

    /// The authority that signed the mail host's certificate.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.options.dir.join("ca.pem")
    }

    /// The subjects of the messages that reached the partner, one a line.
    #[must_use]
    pub fn partner_record(&self) -> PathBuf {
        self.options.dir.join("partner.log")
    }

    /// Ends what the lab started and removes its namespaces. The folder with the logs stays.
    ///
    /// # Errors
    /// When a namespace cannot be removed.
    pub fn down(mut self) -> Result<()> {
        let done = self.take_down();
        self.lease = None;
        done
    }

    fn take_down(&self) -> Result<()> {
        let me = i32::try_from(std::process::id())?;
        // Process 1 takes all others of the mail host with it and needs no grace.
        for (name, grace) in [("init", Duration::ZERO), ("world", Duration::from_secs(1))] {
            let path = self.record_path(name);
            match Record::read(&path) {
                Some(record) if record.pid() != me => record.end(grace),
                _ => {}
            }
            let _ = fs::remove_file(path);
        }
        net::down(&self.options.prefix)
    }

    /// Whether the mail host runs, and since which process.
    #[must_use]
    pub fn running(&self) -> Option<i32> {
        let record = Record::read(&self.record_path("init"))?;
        record.alive().then(|| record.pid())
    }

    /// Moves the calling thread into one of the lab's networks for good.
    ///
    /// # Errors
    /// When the lab is down.
    pub fn enter(&self, place: Place) -> Result<()> {
        net::enter(&self.options.prefix, place)
    }

    /// Runs something in a thread in one of the lab's networks.
    ///
    /// # Errors
    /// When the lab is down or the work fails.
    pub fn within<T: Send>(&self, place: Place, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        net::within(&self.options.prefix, place, work)
    }

    /// A command in one of the machines; in the mail host it sees the mail host's files and processes.
    ///
    /// # Errors
    /// When the mail host is not running.
    pub fn command(&self, place: Place, program: &OsStr, args: &[OsString]) -> Result<Command> {
        let mut command;
        if place == Place::Mail {
            let pid = self.running().context("the mail host is not running; say: cargo xtask lab up")?;
            command = Command::new("/usr/bin/nsenter");
            command.args(["-t", &pid.to_string(), "-n", "-m", "-p", "-u", "-i", "--wd", "--"]);
        } else {
            command = Command::new(net::IP);
            command.args(["netns", "exec", &net::name(self.prefix(), place)]);
        }
        command.arg(program).args(args);
        Ok(command)
    }

    /// Runs a command in one of the machines to its end, on this terminal.
    ///
    /// # Errors
    /// When the mail host is not running or the command cannot be started.
    pub fn exec(&self, place: Place, program: &OsStr, args: &[OsString]) -> Result<ExitStatus> {
        Ok(self.command(place, program, args)?.status()?)
    }

    /// Starts a program in one of the machines; its standard output is a pipe, its errors go to a file in `log/`.
    ///
    /// # Errors
    /// When the mail host is not running or the program cannot be started.
    pub fn spawn(&self, place: Place, program: &OsStr, args: &[OsString], errors: &str) -> Result<Guest> {
        let mut command = self.command(place, program, args)?;
        let errors = File::create(self.options.dir.join("log").join(errors))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors)
            .process_group(0)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        Ok(Guest { child, wrapped: place == Place::Mail })
    }

    /// Rotates `mail.log` as logrotate does: renames it, or copies and truncates it.
    ///
    /// # Errors
    /// When the files cannot be written.
    pub fn rotate(&self, copy_and_truncate: bool) -> Result<()> {
        let (log, old) = (self.mail_log(), self.mail_log().with_extension("log.1"));
        if copy_and_truncate {
            fs::copy(&log, &old)?;
            return Ok(File::options().write(true).open(&log)?.set_len(0)?);
        }
        fs::rename(&log, &old)?;
        let pid = self.running().and_then(rustix::process::Pid::from_raw).context("the lab is down")?;
        Ok(rustix::process::kill_process(pid, rustix::process::Signal::USR1)?)
    }

    fn record_path(&self, name: &str) -> PathBuf {
        self.options.dir.join(format!("{name}.pid"))
    }

    /// Starts one of the lab's own processes, in a process group of its own, so that Ctrl-C does not reach it.
    fn daemon(&self, command: &mut Command, log: &str, stdin: Stdio) -> Result<Child> {
        let errors =
            File::options().create(true).append(true).open(self.options.dir.join("log").join(log))?;
        command.stdin(stdin).stdout(Stdio::piped()).stderr(errors).process_group(0).current_dir("/");
        Ok(command.spawn()?)
    }

    fn start_world(&mut self, program: &Program) -> Result<()> {
        let leased = self.options.leased;
        let mut command = Command::new(&program.path);
        command.args(&program.args).arg("__world").arg(&self.options.dir).args(leased.then_some("--leased"));
        let stdin = if leased { Stdio::piped() } else { Stdio::null() };
        let mut child = self.daemon(&mut command, "world.log", stdin)?;
        self.lease = child.stdin.take();
        first_word(&mut child, "world.log")?;
        Record::of(child.id())?.write(&self.record_path("world"))
    }

    fn start_mail_host(&self, program: &Program) -> Result<()> {
        let mut command = Command::new(net::IP);
        command.args(["netns", "exec", &net::name(self.prefix(), Place::Mail)]);
        command.args([
            "/usr/bin/unshare",
            "--mount",
            "--pid",
            "--uts",
            "--ipc",
            "--fork",
            "--kill-child",
            "--",
        ]);
        command.arg(&program.path).args(&program.args).arg("__init").arg(&self.options.dir);
        let mut child = self.daemon(&mut command, "init.log", Stdio::null())?;
        let pid = first_word(&mut child, "init.log")?;
        Record::of(pid.parse()?)?.write(&self.record_path("init"))
    }

    /// Looks the listening ports up, which leaves no trace in the log.
    fn wait_for_ports(&self) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let listening = self.within(Place::Mail, listening_ports)?;
            let silent: Vec<_> = PORTS.iter().filter(|port| !listening.contains(port)).collect();
            if silent.is_empty() {
                return Ok(());
            }
            ensure!(Instant::now() < end, "nothing listens on {silent:?}; see {}", self.mail_log().display());
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Whoever leaves the lab by an error or a panic takes a leased lab down.
impl Drop for Lab {
    fn drop(&mut self) {
        if self.lease.is_some() {
            let _ = self.take_down();
        }
    }
}

impl Guest {
    /// TERM to the program, KILL after the grace; returns how it ended.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub fn stop(mut self, grace: Duration) -> Result<ExitStatus> {
        for record in self.program() {
            record.end(grace);
        }
        Ok(self.child.wait()?)
    }

    /// The program's process number on this machine.
    #[must_use]
    pub fn pid(&self) -> Option<i32> {
        self.program().first().map(|record| record.pid())
    }

    fn program(&self) -> Vec<Record> {
        let outer = self.child.id();
        if !self.wrapped {
            return Record::of(outer).into_iter().collect();
        }
        let children = fs::read_to_string(format!("/proc/{outer}/task/{outer}/children")).unwrap_or_default();
        children.split_ascii_whitespace().filter_map(|pid| Record::of(pid.parse().ok()?).ok()).collect()
    }
}

/// What a machine lacks to run the lab; empty where nothing.
#[must_use]
pub fn missing() -> Vec<String> {
    let mut out = Vec::new();
    if !rustix::process::geteuid().is_root() {
        out.push("it needs root, for network namespaces".to_owned());
    }
    for (path, package) in [
        (net::IP, "iproute2"),
        ("/usr/bin/unshare", "util-linux"),
        ("/usr/bin/nsenter", "util-linux"),
        ("/usr/bin/openssl", "openssl"),
        ("/usr/sbin/postfix", "postfix"),
        ("/usr/sbin/dovecot", "dovecot-core"),
        ("/usr/lib/dovecot/imap-login", "dovecot-imapd"),
        ("/usr/lib/dovecot/pop3-login", "dovecot-pop3d"),
        ("/usr/lib/dovecot/lmtp", "dovecot-lmtpd"),
        ("/usr/lib/dovecot/managesieve-login", "dovecot-managesieved"),
    ] {
        if !Path::new(path).exists() {
            out.push(format!("{path} is missing (package {package})"));
        }
    }
    out
}

/// Makes an empty folder, or empties one that held a lab.
fn fresh_folder(dir: &Path) -> Result<()> {
    let ours = PRIVATE_PLACES.iter().any(|place| dir.starts_with(place));
    ensure!(
        dir.is_absolute() && !ours,
        "{}: choose an absolute folder elsewhere, such as /tmp/mwlab",
        dir.display()
    );
    if dir.join("lab.json").exists() {
        if Lab::open(dir)?.running().is_some() {
            bail!("a lab is up in {}; say: cargo xtask lab down", dir.display());
        }
        fs::remove_dir_all(dir)?;
    }
    fs::create_dir_all(dir)?;
    ensure!(fs::read_dir(dir)?.next().is_none(), "{} is neither empty nor a lab's", dir.display());
    Ok(())
}

/// The mail host sees its own folders there, so the lab cannot live in them.
const PRIVATE_PLACES: [&str; 8] =
    ["/etc", "/var/log", "/var/mail", "/var/spool", "/var/lib", "/run", "/dev", "/proc"];

/// Waits for `ready ...` and returns the rest of that line.
fn first_word(child: &mut Child, log: &str) -> Result<String> {
    let stdout = child.stdout.take().context("a process without output")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    match line.strip_prefix("ready") {
        Some(rest) => Ok(rest.trim().to_owned()),
        None => bail!("a process of the lab did not start: {}; see log/{log} in its folder", line.trim()),
    }
}

/// The TCP ports in state LISTEN in the calling thread's network (proc_pid_net(5)).
fn listening_ports() -> Result<Vec<u16>> {
    let mut ports = Vec::new();
    for table in ["tcp", "tcp6"] {
        let text = fs::read_to_string(format!("/proc/thread-self/net/{table}"))?;
        ports.extend(text.lines().filter_map(|line| {
            let mut fields = line.split_ascii_whitespace();
            let (local, state) = (fields.nth(1)?, fields.nth(1)?);
            let port = u16::from_str_radix(local.rsplit(':').next()?, 16).ok()?;
            (state == "0A").then_some(port)
        }));
    }
    Ok(ports)
}
