//! A disk that stands still: Postfix and Dovecot are answered all the same, and what was locked meanwhile is on the disk once it moves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod live;

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use live::daemon::{PATIENCE, Place};

const PROGRAM: &str = env!("CARGO_BIN_EXE_mailward");
/// No answer may take longer, whatever the disk does. Half of them is looked at, because this machine has other work, too.
const BOUND: Duration = Duration::from_millis(5);

/// A file system of its own, which can be frozen.
struct Disk(PathBuf);

impl Disk {
    /// None where that takes rights or programs that are not here.
    fn below(place: &Place) -> Option<Self> {
        let (image, folder) = (place.path("image"), place.state.clone());
        File::create(&image).unwrap().set_len(64 << 20).unwrap();
        std::fs::create_dir_all(&folder).unwrap();
        let made = run("mkfs.ext4", &["-q", "-F"], &image) && {
            let mut mount = Command::new("mount");
            succeeds(mount.args(["-o", "loop"]).arg(&image).arg(&folder))
        };
        let disk = made.then(|| Self(folder))?;
        (run("fsfreeze", &["-f"], &disk.0) && run("fsfreeze", &["-u"], &disk.0)).then_some(disk)
    }

    fn freeze(&self) -> Frozen<'_> {
        assert!(run("fsfreeze", &["-f"], &self.0));
        Frozen(self)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run("umount", &["-l"], &self.0);
    }
}

/// It moves again when this value goes: nothing that waits for it can be killed before.
struct Frozen<'a>(&'a Disk);

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        run("fsfreeze", &["-u"], &self.0.0);
    }
}

fn run(program: &str, words: &[&str], path: &Path) -> bool {
    succeeds(Command::new(program).args(words).arg(path))
}

fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Asks, and reads until the answer ends so; with the time that it took.
fn ask(stream: &mut TcpStream, request: &str, end: &str) -> (String, Duration) {
    let begun = Instant::now();
    stream.write_all(request.as_bytes()).unwrap();
    let (mut answer, mut piece) = (String::new(), [0; 1_024]);
    while !answer.ends_with(end) {
        let length = stream.read(&mut piece).unwrap();
        assert!(length > 0, "no answer after {answer:?}");
        answer.push_str(std::str::from_utf8(&piece[..length]).unwrap());
    }
    (answer, begun.elapsed())
}

fn postfix(number: u32) -> String {
    format!(
        "request=smtpd_access_policy\nprotocol_state=RCPT\nclient_address=203.0.113.7\nclient_name=unknown\nhelo_name=win-pc\n\
         sender=kim{number}@partner.example\nrecipient=alice@example.com\n\n"
    )
}

fn dovecot(command: &str, from: &str, password: u32, more: &str) -> String {
    let body = format!(
        r#"{{"login":"bob@example.org","protocol":"imap","pwhash":"{password:04x}","remote":"{from}","session_id":"{from}-{password}"{more},"tls":true}}"#
    );
    format!("POST /?command={command} HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn is_refused(stream: &mut TcpStream, from: &str) -> bool {
    ask(stream, &dovecot("allow", from, 4_000, ""), "}").0.contains("\"status\":-1")
}

/// Three wrong passwords; the times that the answers took.
fn guesses(stream: &mut TcpStream, from: &str) -> Vec<Duration> {
    let failed = r#","success":false,"policy_reject":false"#;
    let one = |password| [dovecot("allow", from, password, ""), dovecot("report", from, password, failed)];
    (0..3).flat_map(one).map(|request| ask(stream, &request, "}").1).collect()
}

fn half_are_fast(mut times: Vec<Duration>, whose: &str) {
    times.sort_unstable();
    let half = times[times.len() / 2];
    assert!(half < BOUND, "half of {whose}'s answers took {half:?} or longer");
}

#[test]
fn answers_go_on_and_lockouts_are_written_later() {
    let place = Place::new(PROGRAM);
    let Some(disk) = Disk::below(&place) else {
        eprintln!("SKIPPED: no file system can be mounted and frozen here");
        return;
    };
    // Who resolves never answers, either.
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (policy, login) = (free(), free());
    place.configure(&format!(
        "[policy]\nenabled = true\nlisten = \"{policy}\"\nsocket = \"none\"\n[doubts]\nresolver = \"{}\"\n\
         [login]\nenabled = true\nlisten = \"{login}\"\nsocket = \"none\"\n",
        silent.local_addr().unwrap()
    ));
    std::fs::write(&place.log, "").unwrap();
    let guard = place.guard_without_firewall();
    let (mut asking, mut logging_in) = (connect(policy), connect(login));
    // The first question finds out that nobody resolves.
    ask(&mut asking, &postfix(0), "\n\n");
    let sources: Vec<String> = (0..100).map(|number| format!("198.18.{number}.7")).collect();
    let frozen = disk.freeze();
    let mut writer = Command::new("touch").arg(place.state.join("written")).spawn().unwrap();
    let mut times = Vec::new();
    for from in &sources {
        times.extend(guesses(&mut logging_in, from));
    }
    half_are_fast(times, "Dovecot");
    let answers = (1..400).map(|number| ask(&mut asking, &postfix(number), "\n\n"));
    let (texts, times): (Vec<_>, Vec<_>) = answers.unzip();
    assert!(texts.iter().all(|text| text.starts_with("action=DEFER_IF_PERMIT")), "{texts:?}");
    half_are_fast(times, "Postfix");
    for from in &sources {
        assert!(is_refused(&mut logging_in, from), "{from} while the disk stands still");
    }
    assert!(writer.try_wait().unwrap().is_none(), "the disk stood still all the time");
    drop(frozen);
    assert!(writer.wait().unwrap().success());
    let end = Instant::now() + PATIENCE;
    let last = sources.last().unwrap();
    let is_kept = || {
        let output = place.command(&["explain", last, "--format", "json"]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).contains("auth-failure-fast")
    };
    while !is_kept() {
        assert!(Instant::now() < end, "{last} is not recorded");
        std::thread::sleep(Duration::from_millis(50));
    }
    guard.kill();
    let guard = place.guard_without_firewall();
    let mut logging_in = connect(login);
    for from in &sources {
        assert!(is_refused(&mut logging_in, from), "{from} after a restart");
    }
    drop(guard);
}
