//! Where the mail server runs: this machine, or behind a prefix such as `docker exec -i mailserver`.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use mailward_audit::Known;
use mailward_audit::facts::Said;
use mailward_host::run::{Limits, Output, RunError, find, output_with_input};

/// Programs that wait for others rather than compute: a few more than there are processors.
const AT_ONCE: usize = 4;

/// A machine or container in which commands are run.
#[derive(Clone, Debug, Default)]
pub struct Place {
    prefix: Vec<String>,
}

/// A command to run, with what it may use.
#[derive(Clone, Debug)]
pub struct Call {
    /// The program and its arguments.
    pub words: Vec<String>,
    /// What it may use.
    pub limits: Limits,
}

impl Place {
    /// This machine.
    #[must_use]
    pub const fn here() -> Self {
        Self { prefix: Vec::new() }
    }

    /// Behind a prefix: the words before every command. Without any, this machine.
    #[must_use]
    pub fn behind(prefix: &[String]) -> Self {
        Self { prefix: prefix.to_vec() }
    }

    /// Whether it is this machine.
    #[must_use]
    pub const fn is_here(&self) -> bool {
        self.prefix.is_empty()
    }

    /// The words before every command.
    #[must_use]
    pub fn prefix(&self) -> &[String] {
        &self.prefix
    }

    /// Runs a command to its end. A failing exit status is an answer; a program that is not there is absent.
    #[must_use]
    pub fn run(&self, words: &[&str], limits: Limits) -> Known<Said> {
        match self.raw(words, limits) {
            Known::Is(output) => self.read(&output),
            Known::Absent => Known::Absent,
            Known::Unread(why) => Known::Unread(why),
            Known::Unasked => Known::Unasked,
        }
    }

    /// Runs a command to its end and takes nothing out of what it says; not for facts.
    pub(crate) fn raw(&self, words: &[&str], limits: Limits) -> Known<Output> {
        self.raw_with(words, b"", limits)
    }

    /// The same with something on its standard input. What is said may hold secrets: it is not for facts.
    #[must_use]
    pub fn raw_with(&self, words: &[&str], input: &[u8], limits: Limits) -> Known<Output> {
        let mut all = self.prefix.iter().map(String::as_str).chain(words.iter().copied());
        let Some(first) = all.next() else {
            return Known::Unread("no command was given".to_owned());
        };
        let Some(program) = find(first) else { return self.missing(first) };
        let arguments: Vec<&str> = all.collect();
        match output_with_input(&program, &arguments, input, limits) {
            Ok(output) => Known::Is(output),
            Err(RunError::Missing { .. }) => self.missing(first),
            Err(error) => Known::Unread(error.to_string()),
        }
    }

    /// Runs commands, a few at a time; the answers are in their order.
    #[must_use]
    pub fn run_all(&self, calls: &[Call]) -> Vec<Known<Said>> {
        let next = AtomicUsize::new(0);
        let answers = Mutex::new(vec![Known::Unasked; calls.len()]);
        std::thread::scope(|scope| {
            for _ in 0..AT_ONCE.min(calls.len()) {
                scope.spawn(|| self.work(calls, &next, &answers));
            }
        });
        answers.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn work(&self, calls: &[Call], next: &AtomicUsize, answers: &Mutex<Vec<Known<Said>>>) {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(call) = calls.get(index) else { return };
            let words: Vec<&str> = call.words.iter().map(String::as_str).collect();
            let answer = self.run(&words, call.limits);
            let mut answers = answers.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if let Some(place) = answers.get_mut(index) {
                *place = answer;
            }
        }
    }

    /// The first word is not on this machine: the program itself, or what leads to it.
    fn missing<T>(&self, first: &str) -> Known<T> {
        if self.is_here() {
            return Known::Absent;
        }
        Known::Unread(format!("{first}, which leads to the mail server, is not installed here"))
    }

    fn read(&self, output: &Output) -> Known<Said> {
        let said = Said {
            status: output.status.code(),
            stdout: crate::secret::redacted(&String::from_utf8_lossy(&output.stdout)),
            stderr: crate::secret::redacted(&String::from_utf8_lossy(&output.stderr)),
            truncated: output.truncated,
        };
        if self.is_here() { Known::Is(said) } else { behind(said) }
    }
}

/// What a container's runtime says instead of the program: 125 is its own failure, 126 and 127 that the program cannot be started
/// (docker-run(1), "Exit status"); an older client ends with 1 when there is no such container.
fn behind(said: Said) -> Known<Said> {
    let first = said.stderr.lines().next().unwrap_or_default().to_owned();
    let refused =
        ["Error response from daemon", "Error: No such container", "Cannot connect to the Docker daemon"];
    match said.status {
        Some(127) => Known::Absent,
        Some(125 | 126) => Known::Unread(first),
        Some(1) if refused.iter().any(|start| first.starts_with(start)) => Known::Unread(first),
        _ => Known::Is(said),
    }
}

/// Whether a program is on this machine, where programs are looked up.
#[must_use]
pub fn is_installed(program: &str) -> bool {
    find(program).is_some_and(|path| path.is_file())
}
