//! A place for a socket, a handler that tells what it was asked, and curl.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mailward_web::{Limits, Request, Response, Server, serve};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        // Other users reach the socket, and its own mode decides.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        Self { folder }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("run/control")
    }

    pub(crate) fn serve(&self, limits: Limits) -> Server {
        self.serve_with(limits, echo)
    }

    pub(crate) fn serve_with(
        &self,
        limits: Limits,
        handler: impl Fn(Request) -> Response + Send + Sync + 'static,
    ) -> Server {
        serve(&self.socket(), 0o660, None, limits, Arc::new(handler)).unwrap()
    }
}

/// Tells what it was asked.
#[expect(clippy::needless_pass_by_value, reason = "it has the form of a handler")]
pub(crate) fn echo(request: Request) -> Response {
    let peer = json!([request.peer.uid, request.peer.gid, request.peer.pid]);
    let method = request.method.name();
    match request.path.as_str() {
        "/missing" => Response::error(404, "no such thing"),
        "/nothing" => Response { status: 204, body: Value::Null },
        "/fault" => panic!("a fault on purpose"),
        "/large" => Response::ok(json!("x".repeat(20 << 20))),
        path => Response::ok(
            json!({ "method": method, "path": path, "query": request.query, "body": request.body, "peer": peer }),
        ),
    }
}

/// Limits that a test can wait for.
pub(crate) fn hasty() -> Limits {
    Limits { patience: Duration::from_millis(400), ..Limits::default() }
}

/// Runs curl on a socket: the status and the document. None, loudly, where there is no curl.
pub(crate) fn curl(socket: &Path, before: &[&str], arguments: &[&str]) -> Option<(u16, String)> {
    const CURL: &str = "/usr/bin/curl";
    if !Path::new(CURL).exists() {
        eprintln!("SKIPPED: there is no {CURL}; apt install curl");
        return None;
    }
    let words: Vec<&str> =
        before.iter().copied().chain([CURL, "-sS", "-w", "\n%{http_code}", "--unix-socket"]).collect();
    let (program, first) = words.split_first().unwrap();
    let output = Command::new(program).args(first).arg(socket).args(arguments).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (document, status) = text.rsplit_once('\n').unwrap();
    Some((status.parse().unwrap(), document.trim_end().to_owned()))
}

/// Waits for something that another thread brings about.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_secs(20), "in vain: {what}");
        std::thread::yield_now();
    }
}

pub(crate) fn is_root(test: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("SKIPPED: {test} needs root, to be other users");
    }
    root
}
