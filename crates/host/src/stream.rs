//! Other programs that write without end, such as `journalctl --follow`.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use crate::run::{RunError, Running};

/// A running program whose standard output is read without waiting. It is killed, with its process group, when this is
/// dropped.
#[derive(Debug)]
pub struct Stream {
    program: PathBuf,
    running: Running,
    complaint: Vec<u8>,
}

/// How much of the standard error is kept, from its end.
const COMPLAINT: usize = 1024;

impl Stream {
    /// Starts a program by absolute path, with a clean environment.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(program: &Path, args: &[&str]) -> Result<Self, RunError> {
        let running = Running::start(program, args, Stdio::null())?;
        let outputs =
            [running.child.stdout.as_ref().map(AsFd::as_fd), running.child.stderr.as_ref().map(AsFd::as_fd)];
        for fd in outputs.into_iter().flatten() {
            rustix::io::ioctl_fionbio(fd, true)
                .map_err(|error| RunError::Failed { program: program.to_path_buf(), source: error.into() })?;
        }
        Ok(Self { program: program.to_path_buf(), running, complaint: Vec::new() })
    }

    /// Reads what is there: nothing yet is [`io::ErrorKind::WouldBlock`], zero bytes are the end.
    ///
    /// # Errors
    /// What the pipe says.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.listen();
        match &mut self.running.child.stdout {
            Some(stdout) => stdout.read(buffer),
            None => Ok(0),
        }
    }

    /// For poll(2): readable when there is something to read, or the end.
    #[must_use]
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.running.child.stdout.as_ref().map(AsFd::as_fd)
    }

    /// The program.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Ends the program: how it went, where it ended by itself, and the last that it wrote on standard error.
    pub fn finish(mut self) -> (Option<ExitStatus>, String) {
        // The pipe is closed a moment before the process is gone.
        let status = self.running.ends_within(Duration::from_millis(200)).ok().flatten();
        self.listen();
        let complaint = String::from_utf8_lossy(&self.complaint).trim().to_owned();
        (status, complaint)
    }

    /// Keeps standard error from filling up, which would stop the program.
    fn listen(&mut self) {
        let Some(stderr) = &mut self.running.child.stderr else { return };
        let mut buffer = [0; COMPLAINT];
        while let Ok(n @ 1..) = stderr.read(&mut buffer) {
            self.complaint.extend(buffer.iter().take(n));
            let excess = self.complaint.len().saturating_sub(COMPLAINT);
            self.complaint.drain(..excess);
        }
    }
}
