//! Other programs, run to their end: no shell, no search path, a clean environment, and a limit on time and output.

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

/// What a program may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long it may run before it is killed, with all its children that stayed in its process group.
    pub timeout: Duration,
    /// How many bytes of each of its two outputs are kept; the rest is read and dropped.
    pub max_output: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(10), max_output: 1 << 20 }
    }
}

/// What a program said.
#[derive(Clone, Debug)]
pub struct Output {
    /// How it ended; it may well be a failure.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
    /// Whether one of the two was longer than the limit.
    pub truncated: bool,
}

/// A program that could not be run to its end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Programs are named by absolute path, so that nobody's `PATH` decides what runs.
    #[error("{program} is no absolute path; give the full path (`command -v {program}` shows it)")]
    NotAbsolute {
        /// The program.
        program: PathBuf,
    },
    /// It is not there.
    #[error(
        "{program} is not installed; install its package (`apt-file search {program}` names it) and try again"
    )]
    Missing {
        /// The program.
        program: PathBuf,
    },
    /// It could not be started or talked to.
    #[error("cannot run {program}: {source}; `ls -l {program}` shows whether it may be executed")]
    Failed {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It ran too long and was killed.
    #[error(
        "{program} gave no end within {limit:?} and was killed; trying again may help, `time {program}` shows how long it takes"
    )]
    TooLong {
        /// The program.
        program: PathBuf,
        /// The limit.
        limit: Duration,
    },
}

/// Where programs are looked up that are named without a path; nobody's `PATH` decides.
const DIRECTORIES: [&str; 6] =
    ["/usr/bin", "/usr/sbin", "/bin", "/sbin", "/usr/local/bin", "/usr/local/sbin"];

/// A program by absolute path, if it is there.
#[must_use]
pub fn find(program: &str) -> Option<PathBuf> {
    if program.starts_with('/') {
        return Some(PathBuf::from(program));
    }
    if program.contains('/') {
        return None;
    }
    DIRECTORIES.iter().map(|directory| Path::new(directory).join(program)).find(|path| path.is_file())
}

/// Runs a program with nothing on its standard input.
///
/// # Errors
/// When it cannot be started, or does not end in time. A failing exit status is no error here.
pub fn output(program: &Path, args: &[&str], limits: Limits) -> Result<Output, RunError> {
    output_with_input(program, args, b"", limits)
}

/// Runs a program that reads `input`.
///
/// # Errors
/// As [`output`].
pub fn output_with_input(
    program: &Path,
    args: &[&str],
    input: &[u8],
    limits: Limits,
) -> Result<Output, RunError> {
    let failed = |source| RunError::Failed { program: program.to_path_buf(), source };
    let stdin = if input.is_empty() { Stdio::null() } else { Stdio::piped() };
    let mut running = Running::start(program, args, stdin)?;
    let ended = converse(&mut running.child, input, limits).map_err(failed)?;
    let Some((stdout, stderr)) = ended else {
        return Err(RunError::TooLong { program: program.to_path_buf(), limit: limits.timeout });
    };
    let status = running.wait().map_err(failed)?;
    let truncated = stdout.truncated || stderr.truncated;
    Ok(Output { status, stdout: stdout.kept, stderr: stderr.kept, truncated })
}

/// Starts a program that goes on by itself when this one ends, with nothing on its input and its outputs thrown away. It stays in
/// the caller's session unless it leaves it itself (setsid(2)).
///
/// # Errors
/// When it cannot be started.
pub fn leave_running(program: &Path, args: &[&OsStr]) -> Result<(), RunError> {
    let mut command = command(program)?;
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map(drop).map_err(|error| refused(program, error))
}

/// A program by absolute path, with a clean environment.
fn command(program: &Path) -> Result<Command, RunError> {
    if !program.is_absolute() {
        return Err(RunError::NotAbsolute { program: program.to_path_buf() });
    }
    let mut command = Command::new(program);
    command.env_clear().envs(ENVIRONMENT).current_dir("/");
    Ok(command)
}

fn refused(program: &Path, error: io::Error) -> RunError {
    let program = program.to_path_buf();
    match error.kind() {
        io::ErrorKind::NotFound => RunError::Missing { program },
        _ => RunError::Failed { program, source: error },
    }
}

/// Programs of the system, in the language that their output is read in.
const ENVIRONMENT: [(&str, &str); 2] = [("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), ("LC_ALL", "C.UTF-8")];

/// A child in a process group of its own, which is killed when this is dropped before the child was waited for. After that
/// its number may be somebody else's.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) child: Child,
    over: bool,
}

impl Running {
    /// Starts a program with a clean environment, both outputs piped.
    pub(crate) fn start(program: &Path, args: &[&str], stdin: Stdio) -> Result<Self, RunError> {
        let mut command = command(program)?;
        command.args(args).process_group(0).stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().map_err(|error| refused(program, error))?;
        Ok(Self { child, over: false })
    }

    /// How it ended, if it does so by itself within `limit`.
    pub(crate) fn ends_within(&mut self, limit: Duration) -> io::Result<Option<ExitStatus>> {
        let ended = wait(&pidfd(&self.child)?, [None, None], None, limit)?;
        if ended { self.wait().map(Some) } else { Ok(None) }
    }

    fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait()?;
        self.over = true;
        Ok(status)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // Gone already is as good as killed.
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

/// An output of the child, kept up to a limit.
struct Kept<R> {
    pipe: Option<R>,
    kept: Vec<u8>,
    limit: usize,
    truncated: bool,
}

impl<R: Read + AsFd> Kept<R> {
    fn new(pipe: Option<R>, limit: usize) -> io::Result<Self> {
        if let Some(pipe) = &pipe {
            rustix::io::ioctl_fionbio(pipe, true)?;
        }
        Ok(Self { pipe, kept: Vec::new(), limit, truncated: false })
    }

    /// Takes all that is there now.
    fn drain(&mut self) -> io::Result<()> {
        let mut buffer = [0; 16 << 10];
        while let Some(pipe) = &mut self.pipe {
            match pipe.read(&mut buffer) {
                Ok(0) => self.pipe = None,
                Ok(n) => self.keep(buffer.get(..n).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = self.limit.saturating_sub(self.kept.len());
        self.truncated |= bytes.len() > room;
        self.kept.extend(bytes.iter().take(room));
    }
}

/// What is still to be written to the child.
struct Feed<'a> {
    pipe: Option<ChildStdin>,
    rest: &'a [u8],
}

impl Feed<'_> {
    fn push(&mut self) -> io::Result<()> {
        while let Some(pipe) = &mut self.pipe {
            match pipe.write(self.rest) {
                Ok(n) => self.rest = self.rest.get(n..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // It does not want to read on; its exit status tells whether that is right.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.rest = b"",
                Err(error) => return Err(error),
            }
            if self.rest.is_empty() {
                self.pipe = None;
            }
        }
        Ok(())
    }
}

type Outputs = (Kept<std::process::ChildStdout>, Kept<std::process::ChildStderr>);

/// Feeds and reads until the child has ended, or none when its time is over. A grandchild that keeps the pipes open does not
/// hold this up.
fn converse(child: &mut Child, input: &[u8], limits: Limits) -> io::Result<Option<Outputs>> {
    let deadline = Instant::now() + limits.timeout;
    let ended = pidfd(child)?;
    let mut feed = Feed { pipe: child.stdin.take(), rest: input };
    if let Some(pipe) = &feed.pipe {
        rustix::io::ioctl_fionbio(pipe, true)?;
    }
    let mut stdout = Kept::new(child.stdout.take(), limits.max_output)?;
    let mut stderr = Kept::new(child.stderr.take(), limits.max_output)?;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        let reading = [stdout.pipe.as_ref().map(AsFd::as_fd), stderr.pipe.as_ref().map(AsFd::as_fd)];
        let over = wait(&ended, reading, feed.pipe.as_ref().map(AsFd::as_fd), left)?;
        feed.push()?;
        stdout.drain()?;
        stderr.drain()?;
        if over {
            return Ok(Some((stdout, stderr)));
        }
    }
}

fn pidfd(child: &Child) -> io::Result<OwnedFd> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

/// Waits for anything to happen; whether the child has ended.
fn wait(
    ended: &OwnedFd,
    reading: [Option<BorrowedFd<'_>>; 2],
    writing: Option<BorrowedFd<'_>>,
    left: Duration,
) -> io::Result<bool> {
    let mut fds = vec![PollFd::new(ended, PollFlags::IN)];
    fds.extend(reading.into_iter().flatten().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
    fds.extend(writing.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::OUT)));
    match poll(&mut fds, Timespec::try_from(left).ok().as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(fds.first().is_some_and(|fd| !fd.revents().is_empty()))
}
