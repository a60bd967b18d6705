//! `mailward harden apply` and `undo` as processes: killed at their system calls, on a disk that is full, and in peace.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "helpers of tests fail as tests do, and a test that is skipped says so"
)]

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use mailward_apply::{Prepared, Site};
use mailward_audit::Facts;
use mailward_audit::plan::{Change, Layout, Plan, Step};

const PROGRAM: &str = env!("CARGO_BIN_EXE_mailward");
const STRACE: &str = "/usr/bin/strace";

/// Name, bytes, mode, owner and, where asked for, the time.
type Seen = BTreeMap<String, (Vec<u8>, u32, u32, u32, Option<(i64, i64)>)>;

/// A folder with files, a plan that changes them, and a state folder.
struct Place {
    root: PathBuf,
}

impl Place {
    fn new(root: &Path) -> Self {
        let place = Self { root: root.to_path_buf() };
        let etc = root.join("etc");
        fs::create_dir_all(&etc).unwrap();
        let files =
            [("one.cf", "a = 1\nb = 2\n", 0o640), ("two.cf", "x\ny\n", 0o600), ("three", "log\n", 0o666)];
        for (name, text, mode) in files {
            fs::write(etc.join(name), text).unwrap();
            fs::set_permissions(etc.join(name), fs::Permissions::from_mode(mode)).unwrap();
            let file = fs::File::options().write(true).open(etc.join(name)).unwrap();
            file.set_modified(UNIX_EPOCH + Duration::new(1_600_000_000, 987_654_321)).unwrap();
        }
        let state = root.join("state");
        fs::write(
            root.join("mailward.toml"),
            format!("[guard]\nstate-directory = {:?}\n", state.display().to_string()),
        )
        .unwrap();
        place.prepared().save(&place.root.join("plan.json")).unwrap();
        place
    }

    fn prepared(&self) -> Prepared {
        let lines = |name: &str, remove: &[&str], add: &[&str]| {
            let owned = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
            Change::Lines { file: self.path(name), remove: owned(remove), add: owned(add) }
        };
        let rights = |name: &str, mode| Change::Access {
            file: self.path(name),
            mode: Some(mode),
            owner: None,
            group: None,
        };
        let changes = [
            lines("one.cf", &["b = 2"], &["b = 3"]),
            lines("two.cf", &["x"], &["z"]),
            rights("two.cf", 0o640),
            lines("new.cf", &[], &["brand new"]),
            rights("three", 0o600),
        ];
        let site = Site {
            prefix: Vec::new(),
            compose: None,
            on_host: &|path| Some(PathBuf::from(path)),
            state: self.root.join("state"),
        };
        let steps = changes.into_iter().map(|change| Step { change, reasons: Vec::new() }).collect();
        let plan = Plan { title: "test".to_owned(), steps, ..Plan::default() };
        Prepared::make(plan, &Layout::of(&Facts::default()), &site).unwrap()
    }

    fn path(&self, name: &str) -> String {
        self.root.join("etc").join(name).display().to_string()
    }

    fn words(&self, words: &[&str]) -> Vec<String> {
        let config = self.root.join("mailward.toml").display().to_string();
        let start = ["--config", &config, "harden"].map(str::to_owned);
        let scope = ["--offline", "--no-log", "--resolver", "none"].map(str::to_owned);
        start.into_iter().chain(words.iter().map(|word| (*word).to_owned())).chain(scope).collect()
    }

    fn apply(&self) -> Vec<String> {
        let plan = self.root.join("plan.json").display().to_string();
        self.words(&["apply", &plan, "--yes"])
    }

    fn run(&self, words: &[&str]) -> Output {
        Command::new(PROGRAM).args(self.words(words)).output().unwrap()
    }

    fn seen(&self, times: bool) -> Seen {
        let entries = fs::read_dir(self.root.join("etc")).unwrap();
        entries
            .map(|entry| {
                let entry = entry.unwrap();
                let known = entry.metadata().unwrap();
                let time = times.then(|| (known.mtime(), known.mtime_nsec()));
                let bytes = fs::read(entry.path()).unwrap();
                (
                    entry.file_name().into_string().unwrap(),
                    (bytes, known.mode(), known.uid(), known.gid(), time),
                )
            })
            .collect()
    }
}

fn text(output: &Output) -> String {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&both).into_owned()
}

/// What the files are after the plan.
fn carried() -> Seen {
    let scratch = tempfile::tempdir().unwrap();
    let place = Place::new(scratch.path());
    let done = Command::new(PROGRAM).args(place.apply()).output().unwrap();
    assert!(done.status.success(), "{}", text(&done));
    place.seen(false)
}

#[test]
fn a_plan_is_carried_out_once_and_taken_back() {
    let scratch = tempfile::tempdir().unwrap();
    let place = Place::new(scratch.path());
    let was = place.seen(true);
    let done = Command::new(PROGRAM).args(place.apply()).output().unwrap();
    assert!(done.status.success(), "{}", text(&done));
    let now = place.seen(false);
    let bytes = |name: &str| String::from_utf8(now.get(name).unwrap().0.clone()).unwrap();
    assert_eq!(bytes("one.cf"), "a = 1\nb = 3\n");
    assert_eq!(bytes("new.cf"), "brand new\n");
    assert_eq!(now.get("two.cf").unwrap().1 & 0o7777, 0o640);
    assert_eq!(now.get("three").unwrap().1 & 0o7777, 0o600);
    // The plan was made of other files than there are now.
    let again = Command::new(PROGRAM).args(place.apply()).output().unwrap();
    assert!(text(&again).contains("has changed since the plan was made"), "{}", text(&again));
    assert_eq!(again.status.code(), Some(3));
    assert!(text(&place.run(&["history"])).contains("test  holds"));
    let undone = place.run(&["undo"]);
    assert!(undone.status.success(), "{}", text(&undone));
    assert_eq!(place.seen(true), was);
    assert!(text(&place.run(&["history"])).contains("was taken back"));
}

#[test]
fn what_a_plan_writes_is_no_change_behind_our_back() {
    let scratch = tempfile::tempdir().unwrap();
    let place = Place::new(scratch.path());
    let mut config = fs::read_to_string(scratch.path().join("mailward.toml")).unwrap();
    let watched = fs::canonicalize(scratch.path().join("etc")).unwrap();
    config.push_str(&format!(
        "[audit]\nprefix = []\ncompose-file = \"none\"\n[integrity]\npaths = [\"{}\"]\n\
         ignore = [\"/etc\", \"/usr\", \"/var\", \"/root\", \"/home\", \"/lib\", \"/opt\", \"/srv\"]\n",
        watched.display()
    ));
    fs::write(scratch.path().join("mailward.toml"), config).unwrap();
    let integrity = |word: &str| {
        let config = scratch.path().join("mailward.toml");
        Command::new(PROGRAM).arg("--config").arg(config).args(["integrity", word]).output().unwrap()
    };
    let unchanged = |when: &str| {
        let status = integrity("status");
        assert!(status.status.success(), "{when}: {}", text(&status));
    };
    assert!(integrity("accept").status.success());
    unchanged("at first");
    assert!(Command::new(PROGRAM).args(place.apply()).output().unwrap().status.success());
    unchanged("after the plan");
    assert!(place.run(&["undo"]).status.success());
    unchanged("after it was taken back");
    fs::write(place.path("two.cf"), "x\ny\nsomebody else\n").unwrap();
    assert_eq!(integrity("status").status.code(), Some(1));
}

#[test]
fn a_foreign_edit_is_named() {
    let scratch = tempfile::tempdir().unwrap();
    let place = Place::new(scratch.path());
    fs::write(place.path("two.cf"), "x\ny\nsomebody else\n").unwrap();
    let was = place.seen(true);
    let refused = Command::new(PROGRAM).args(place.apply()).output().unwrap();
    assert!(text(&refused).contains(&place.path("two.cf")), "{}", text(&refused));
    assert_eq!(place.seen(true), was);
}

/// System calls that change the disk.
const CALLS: &[&str] =
    &["rename", "fsync", "fchown", "fchmod", "utimensat", "unlink", "mkdir", "fchownat", "chmod"];

/// How often the main thread makes each call.
fn counted(words: &[String], log: &Path) -> BTreeMap<&'static str, usize> {
    let trace = format!("trace={}", CALLS.join(","));
    let traced = Command::new(STRACE)
        .args(["-qq", "-e", &trace, "-o"])
        .arg(log)
        .arg(PROGRAM)
        .args(words)
        .output()
        .unwrap();
    assert!(traced.status.success(), "{}", text(&traced));
    let lines = fs::read_to_string(log).unwrap();
    let count = |call: &&'static str| {
        (*call, lines.lines().filter(|line| line.starts_with(&format!("{call}("))).count())
    };
    CALLS.iter().map(count).collect()
}

/// Every system call to be killed at, or some: `MAILWARD_KILLS=all` is the full run.
fn moments(counts: &BTreeMap<&'static str, usize>) -> Vec<(&'static str, usize)> {
    let all = std::env::var("MAILWARD_KILLS").is_ok_and(|kills| kills == "all");
    let every = |call: &str| if all || call == "rename" || call == "fchownat" { 1 } else { 5 };
    counts
        .iter()
        .flat_map(|(call, count)| (1..=*count).step_by(every(call)).map(move |n| (*call, n)))
        .collect()
}

fn killed(words: &[String], call: &str, n: usize) {
    let inject = format!("inject={call}:signal=KILL:when={n}");
    let traced = Command::new(STRACE)
        .args(["-qq", "-o", "/dev/null", "-e", &inject, PROGRAM])
        .args(words)
        .output()
        .unwrap();
    assert!(!traced.status.success(), "{call} {n}: {}", text(&traced));
}

fn can_trace() -> bool {
    let can = Command::new(STRACE)
        .args(["-qq", "-o", "/dev/null", "/bin/true"])
        .status()
        .is_ok_and(|status| status.success());
    if !can {
        eprintln!("SKIPPED: needs strace, and the right to trace (apt-get install strace)");
    }
    can
}

/// Runs something for each moment, a few at a time.
fn for_each(moments: &[(&'static str, usize)], work: impl Fn(&'static str, usize) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some((call, n)) = moments.get(next.fetch_add(1, Ordering::Relaxed)) {
                    work(call, *n);
                }
            });
        }
    });
}

#[test]
fn killed_at_its_system_calls_it_is_all_before_or_all_after() {
    if !can_trace() {
        return;
    }
    let shall = carried();
    let scratch = tempfile::tempdir().unwrap();
    let place = Place::new(scratch.path());
    let moments = moments(&counted(&place.apply(), &scratch.path().join("trace")));
    let (before, after) = (AtomicUsize::new(0), AtomicUsize::new(0));
    for_each(&moments, |call, n| {
        let scratch = tempfile::tempdir().unwrap();
        let place = Place::new(scratch.path());
        let was = place.seen(true);
        killed(&place.apply(), call, n);
        let mended = place.run(&["history"]);
        assert!(mended.status.success(), "{}", text(&mended));
        if place.seen(true) == was {
            before.fetch_add(1, Ordering::Relaxed);
        } else {
            assert_eq!(place.seen(false), shall, "{call} {n}: {}", text(&mended));
            after.fetch_add(1, Ordering::Relaxed);
        }
        assert!(!text(&place.run(&["history"])).contains("in the middle"), "{call} {n}");
    });
    let (before, after) = (before.into_inner(), after.into_inner());
    assert!(before > 20 && after > 0, "{before} {after}");
    eprintln!("killed {} times: {before} end as before, {after} as after", moments.len());
}

#[test]
fn an_undo_that_is_killed_is_finished_or_never_begun() {
    if !can_trace() {
        return;
    }
    let shall = carried();
    let scratch = tempfile::tempdir().unwrap();
    let place = Place::new(scratch.path());
    assert!(Command::new(PROGRAM).args(place.apply()).status().unwrap().success());
    let moments = moments(&counted(&place.words(&["undo"]), &scratch.path().join("trace")));
    for_each(&moments, |call, n| {
        let scratch = tempfile::tempdir().unwrap();
        let place = Place::new(scratch.path());
        let was = place.seen(true);
        assert!(Command::new(PROGRAM).args(place.apply()).output().unwrap().status.success());
        killed(&place.words(&["undo"]), call, n);
        let mended = place.run(&["history"]);
        assert!(mended.status.success(), "{}", text(&mended));
        if place.seen(true) != was {
            let whole = place.seen(false).into_iter().filter(|(name, _)| !name.starts_with('.'));
            assert_eq!(whole.collect::<Seen>(), shall, "{call} {n}");
            assert!(place.run(&["undo"]).status.success(), "{call} {n}");
            assert_eq!(place.seen(true), was, "{call} {n}");
        }
    });
    eprintln!("an undo killed {} times", moments.len());
}

/// A small file system in memory; unmounted at the end.
struct Small(tempfile::TempDir);

impl Small {
    fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("/usr/bin/mount")
            .args(["-t", "tmpfs", "-o", "size=512k", "none"])
            .arg(folder.path())
            .output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(folder));
        }
        eprintln!("SKIPPED: needs root, to mount a small file system");
        None
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("/usr/bin/umount").arg(self.0.path()).status();
    }
}

/// Fills a file system but for some pages.
fn fill(root: &Path, free: u64) {
    let path = root.join("filler");
    let file = fs::File::create(&path).unwrap();
    let _ = std::io::copy(&mut std::io::repeat(0).take(64 << 20), &mut &file);
    let size = file.metadata().unwrap().len();
    file.set_len(size.saturating_sub(free * 4096)).unwrap();
}

#[test]
fn on_a_disk_that_is_full_it_is_as_before_at_once() {
    let mut refused = 0;
    for free in 0.. {
        let Some(small) = Small::new() else { return };
        let place = Place::new(small.0.path());
        let was = place.seen(true);
        fill(small.0.path(), free);
        let done = Command::new(PROGRAM).args(place.apply()).output().unwrap();
        if done.status.success() {
            assert_ne!(place.seen(true), was);
            break;
        }
        refused += 1;
        assert!(text(&done).contains("no space left"), "{free}: {}", text(&done));
        assert_eq!(place.seen(true), was, "{free}: {}", text(&done));
        fs::remove_file(small.0.path().join("filler")).unwrap();
        assert!(place.run(&["history"]).status.success());
        assert_eq!(place.seen(true), was, "{free}");
        let done = Command::new(PROGRAM).args(place.apply()).output().unwrap();
        assert!(done.status.success(), "with space it goes: {}", text(&done));
    }
    assert!(refused > 5, "{refused}");
    eprintln!("refused {refused} times for want of space");
}

/// Two weak files in an `/etc` of our own: a job that anybody can change, and the key of an ACME account.
const WEAK: [&str; 2] =
    ["etc/jobs/nightly", "etc/letsencrypt/accounts/a.example/directory/0a/private_key.json"];

/// What somebody sees who types `keys` at `harden apply --interactive`, and the modes of the two files afterwards.
fn typed(keys: &str) -> Option<(String, [u32; 2])> {
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path();
    let own = Command::new("/usr/bin/unshare").args(["-m", "/bin/true"]).status();
    if !own.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: an /etc of one's own needs root");
        return None;
    }
    assert!(Command::new("/bin/cp").args(["-a", "/etc"]).arg(root).status().unwrap().success());
    for (path, mode) in WEAK.iter().zip([0o777, 0o644]) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "#!/bin/true\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
    fs::write(root.join("etc/cron.d/nightly"), "5 3 * * * root /etc/jobs/nightly\n").unwrap();
    let config = root.join("mailward.toml");
    fs::write(&config, format!("[guard]\nstate-directory = {:?}\n", root.join("state"))).unwrap();
    let harden = format!(
        "{PROGRAM} --config {} harden apply --interactive --only FIL-008,FIL-012 --offline --no-log --resolver none",
        config.display()
    );
    let mut terminal = Command::new("/usr/bin/unshare")
        .args(["-m", "/bin/sh", "-c", "mount --bind \"$0/etc\" /etc && exec script -qec \"$1\" /dev/null"])
        .arg(root)
        .arg(harden)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    terminal.stdin.take().unwrap().write_all(keys.as_bytes()).unwrap();
    let seen = text(&terminal.wait_with_output().unwrap());
    let mode = |path| fs::metadata(root.join(path)).unwrap().mode() & 0o7777;
    Some((seen, WEAK.map(mode)))
}

#[test]
fn at_a_terminal_each_step_is_asked_for() {
    let Some((seen, modes)) = typed("what?\nn\ny\nyes\n") else { return };
    assert!(seen.contains("Step 1 of 2") && seen.contains("Step 2 of 2"), "{seen}");
    assert!(seen.contains("1 file is to be changed") && seen.contains("Done and proved"), "{seen}");
    assert_eq!(modes, [0o777, 0o600], "{seen}");
    let (seen, modes) = typed("a\nyes\n").unwrap();
    assert_eq!(modes, [0o755, 0o600], "{seen}");
}

#[test]
fn at_a_terminal_one_may_leave() {
    // With `q`, by leaving at the last question, and by hanging up.
    for keys in ["q\n", "y\nq\n", "a\nno\n", "y\n"] {
        let Some((seen, modes)) = typed(keys) else { return };
        assert!(seen.contains("nothing was changed"), "{keys:?}: {seen}");
        assert_eq!(modes, [0o777, 0o644], "{keys:?}: {seen}");
    }
}
