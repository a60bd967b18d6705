//! Starting other programs: by absolute path, without a shell and without input, with a time limit.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use rustix::process::{Pid, Signal, kill_process_group};

/// How long a program may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(10);
/// How long output is read after a program's end: a daemon that it left behind may hold the pipe open for ever.
const REST: Duration = Duration::from_secs(1);

/// The process group that is running, 0 for none.
static RUNNING: AtomicI32 = AtomicI32::new(0);
/// The signal that told us to end, 0 for none.
static TOLD_TO_END: AtomicI32 = AtomicI32::new(0);

/// Where a program of this name is in `PATH`, or in the places of administration that `PATH` may lack.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    places.map(|place| place.join(name)).find(|file| file.is_absolute() && file.is_file())
}

/// As [`find`], or an error that names the command to type.
pub(crate) fn need(name: &str) -> Result<PathBuf> {
    find(name).ok_or_else(|| anyhow!("{name} is not installed; `cargo xtask setup` installs it"))
}

/// The cargo that runs us.
pub(crate) fn cargo() -> Result<Command> {
    let program = match std::env::var_os("CARGO") {
        Some(cargo) => PathBuf::from(cargo),
        None => need("cargo")?,
    };
    Ok(Command::new(program))
}

/// The root of the workspace.
pub(crate) fn root() -> Result<PathBuf> {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").context("run this as `cargo xtask`")?;
    let root = Path::new(&here).parent().context("xtask has no parent folder")?;
    Ok(root.to_owned())
}

/// What cargo tells about the workspace.
pub(crate) fn metadata() -> Result<serde_json::Value> {
    let text =
        output(cargo()?.current_dir(root()?).args(["metadata", "--no-deps", "--format-version", "1"]))?;
    Ok(serde_json::from_str(&text)?)
}

/// The folder that cargo builds in.
pub(crate) fn target() -> Result<PathBuf> {
    let metadata = metadata()?;
    let directory = metadata.get("target_directory").and_then(serde_json::Value::as_str);
    directory.map(Into::into).context("cargo metadata tells no target_directory")
}

/// Whether we are root.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// What a program prints, where it succeeds.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let shown = shown(command);
    let out = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let out = out.with_context(|| format!("cannot start {shown}"))?;
    if !out.status.success() {
        bail!("{shown}: {}", out.status);
    }
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

/// A command as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let name = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(name).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

enum Message {
    Line(String),
    Ended(std::io::Result<ExitStatus>),
}

/// Runs a command to its end, or to the end of the time that it may take, and hands over each line that it prints.
pub(crate) fn run(command: &mut Command, limit: Duration, mut line: impl FnMut(&str)) -> Result<ExitStatus> {
    let shown = shown(command);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    go_on()?;
    let child = command.spawn().with_context(|| format!("cannot start {shown}"))?;
    let group = Pid::from_child(&child);
    RUNNING.store(group.as_raw_nonzero().get(), Ordering::SeqCst);
    let messages = watch(child);
    let ended = follow(&messages, group, limit, &mut line);
    RUNNING.store(0, Ordering::SeqCst);
    go_on()?;
    match ended? {
        Some(status) => Ok(status),
        None => bail!("{shown}: not done after {} s, so it was ended", limit.as_secs()),
    }
}

/// Ends what we run when we are told to end: a program in its own process group does not see the terminal's Ctrl-C. We
/// ourselves end by the errors that follow, so that what was put in place is taken away.
pub(crate) fn end_with_us() -> Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    thread::spawn(move || {
        for signal in signals.forever() {
            let again = TOLD_TO_END.swap(signal, Ordering::SeqCst) != 0;
            match Pid::from_raw(RUNNING.load(Ordering::SeqCst)) {
                // It may have ended meanwhile.
                Some(group) if !again => drop(kill_process_group(group, Signal::TERM)),
                _ => std::process::exit(128 + signal),
            }
        }
    });
    Ok(())
}

fn go_on() -> Result<()> {
    ensure!(TOLD_TO_END.load(Ordering::SeqCst) == 0, "told to end");
    Ok(())
}

fn watch(mut child: Child) -> Receiver<Message> {
    let (to, messages) = channel();
    if let Some(out) = child.stdout.take() {
        forward(out, to.clone());
    }
    if let Some(err) = child.stderr.take() {
        forward(err, to.clone());
    }
    thread::spawn(move || to.send(Message::Ended(child.wait())));
    messages
}

fn forward(from: impl Read + Send + 'static, to: Sender<Message>) {
    thread::spawn(move || {
        for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            if to.send(Message::Line(line)).is_err() {
                return;
            }
        }
    });
}

/// The exit status, or none where the time was up.
fn follow(
    messages: &Receiver<Message>,
    group: Pid,
    limit: Duration,
    line: &mut dyn FnMut(&str),
) -> Result<Option<ExitStatus>> {
    let mut until = Instant::now() + limit;
    let mut status = None;
    let mut signals = [Signal::TERM, Signal::KILL].into_iter();
    let mut in_time = true;
    loop {
        match messages.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Message::Line(text)) => line(&text),
            Ok(Message::Ended(ended)) => {
                status = Some(ended?);
                until = Instant::now() + REST;
            }
            Err(RecvTimeoutError::Timeout) if status.is_none() => {
                in_time = false;
                let signal = signals.next().context("a program survives SIGKILL")?;
                // It may have ended meanwhile.
                let _ = kill_process_group(group, signal);
                until = Instant::now() + GRACE;
            }
            Err(_) => return Ok(status.filter(|_| in_time)),
        }
    }
}
