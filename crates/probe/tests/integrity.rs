//! Looks at files: what is seen, what is not opened, and what it costs. As real files, for that is what it is about.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may")]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use mailward_audit::facts::Deployment;
use mailward_audit::integrity::{Change, Entries, Kind, Role, Seen, compare};
use mailward_probe::Options;
use mailward_probe::integrity::Watcher;
use rustix::fs::{CWD, FileType, Mode, mknodat};

/// A folder that is watched.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn root(&self) -> PathBuf {
        fs::canonicalize(self.folder.path()).unwrap()
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.root().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    fn watcher(&self) -> Watcher {
        Watcher::new(&Options::default(), &[self.root()], &[])
    }

    /// What a look sees of this place alone: the host that the test runs on has files, too.
    fn seen(&self, watcher: &mut Watcher) -> Seen {
        let mut seen = watcher.look(&Entries::new());
        let root = self.root();
        seen.entries.retain(|path, _| path.starts_with(&root));
        seen.unread.retain(|path, _| path.starts_with(&root));
        seen
    }
}

fn words(changes: &[Change], root: &Path) -> Vec<String> {
    let word = |change: &Change| {
        let name = change.path.strip_prefix(root).unwrap().display().to_string();
        let aspects: Vec<String> = change.aspects().iter().map(ToString::to_string).collect();
        format!("{} {name} {}", change.what().name(), aspects.join("; ")).trim().to_owned()
    };
    changes.iter().map(word).collect()
}

/// What a change of the files is told as.
fn check(prepare: impl Fn(&Place), change: impl Fn(&Place), expected: &[&str]) {
    let place = Place::new();
    prepare(&place);
    let mut watcher = place.watcher();
    let before = place.seen(&mut watcher);
    change(&place);
    let after = place.seen(&mut watcher);
    assert_eq!(words(&compare(&before.entries, &after), &place.root()), expected);
    // Whoever looks for the first time sees the same.
    let fresh = place.seen(&mut place.watcher());
    assert_eq!(fresh.entries, after.entries);
}

#[test]
fn changes_are_seen_and_nothing_else() {
    let two = |place: &Place| {
        place.write("a", "one\n");
        place.write("d/b", "two\n");
    };
    check(two, |_| (), &[]);
    check(two, |place| _ = place.write("a", "one!\n"), &["changed a content"]);
    check(two, |place| _ = place.write("a", "eno\n"), &["changed a content"]);
    check(two, |place| _ = place.write("d/c/e", "x"), &["new d/c", "new d/c/e"]);
    check(two, |place| fs::remove_dir_all(place.root().join("d")).unwrap(), &["gone d", "gone d/b"]);
    check(
        two,
        |place| fs::set_permissions(place.root().join("a"), fs::Permissions::from_mode(0o4711)).unwrap(),
        &["changed a mode 0644 → 4711"],
    );
    check(
        two,
        |place| {
            fs::remove_file(place.root().join("a")).unwrap();
            symlink("d/b", place.root().join("a")).unwrap();
        },
        &["changed a file → link"],
    );
    // Read, copied in place, touched: not changed.
    check(
        two,
        |place| {
            let file = fs::File::options().write(true).open(place.root().join("a")).unwrap();
            file.set_modified(std::time::UNIX_EPOCH).unwrap();
            place.write("d/b", "two\n");
        },
        &[],
    );
}

#[test]
fn a_change_is_seen_though_size_and_time_are_as_they_were() {
    let put_back = |place: &Place| {
        let path = place.root().join("a");
        let time = fs::metadata(&path).unwrap().modified().unwrap();
        place.write("a", "ONE\n");
        fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    };
    check(|place| _ = place.write("a", "one\n"), put_back, &["changed a content"]);
}

#[test]
fn links_are_not_followed_and_pipes_hold_nobody_up() {
    let place = Place::new();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "top").unwrap();
    symlink(outside.path(), place.root().join("way-out")).unwrap();
    symlink(place.root(), place.root().join("circle")).unwrap();
    mknodat(CWD, place.root().join("pipe"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    let seen = place.seen(&mut place.watcher());
    let kinds: Vec<(String, Kind)> = seen
        .entries
        .iter()
        .map(|(path, entry)| (path.file_name().unwrap().to_string_lossy().into_owned(), entry.kind))
        .skip(1)
        .collect();
    let expected = [("circle", Kind::Link), ("pipe", Kind::Other), ("way-out", Kind::Link)];
    assert_eq!(kinds, expected.map(|(name, kind)| (name.to_owned(), kind)));
    assert_eq!(seen.unread.len(), 0, "{:?}", seen.unread);
}

#[test]
fn names_may_be_any_bytes() {
    let place = Place::new();
    for name in [&b"a\nb"[..], b"\x1b[2Jx", b"\xff\xfe", b" ", b"-rf"] {
        fs::write(place.root().join(OsStr::from_bytes(name)), name).unwrap();
    }
    let mut watcher = place.watcher();
    let before = place.seen(&mut watcher);
    assert_eq!(before.entries.len(), 6);
    fs::write(place.root().join(OsStr::from_bytes(b"\xff\xfe")), "other").unwrap();
    let changes = compare(&before.entries, &place.seen(&mut watcher));
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].path.file_name().unwrap().as_bytes(), b"\xff\xfe");
}

#[test]
fn no_secret_is_kept() {
    let place = Place::new();
    place.write("dovecot-sql.conf.ext", "connect = host=db user=mail password=hunter2\n");
    place.write("sasl_passwd", "[mx.example]:587 me:hunter2\n");
    place.write("users", "nora@example.org:{PLAIN}hunter2::::::\n");
    place.write("x.key", "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n");
    place.write("bundle", "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n");
    let mut watcher = place.watcher();
    let before = place.seen(&mut watcher);
    let kept: String = before.entries.values().filter_map(|entry| entry.text.clone()).collect();
    assert!(kept.contains("password=***") && kept.contains("me:***"), "{kept}");
    assert!(!kept.contains("hunter2"), "{kept}");
    place.write("users", "nora@example.org:{PLAIN}hunter3::::::\n");
    let changes = compare(&before.entries, &place.seen(&mut watcher));
    assert_eq!(words(&changes, &place.root()), ["changed users content"]);
}

#[test]
fn what_a_docker_mailserver_mounts_is_watched_with_its_role() {
    let place = Place::new();
    let compose = place.write(
        "compose.yaml",
        "services:\n  mail:\n    image: docker.io/mailserver/docker-mailserver:15.1.0\n    volumes:\n      - ./config/:/tmp/docker-mailserver/\n      - ./data/:/var/mail/\n      - ./logs/:/var/log/mail/\n",
    );
    place.write("config/user-patches.sh", "#!/bin/bash\n/tmp/docker-mailserver/own/more.sh\n");
    place.write("config/own/more.sh", "#!/bin/bash\n");
    place.write("config/postfix-accounts.cf", "nora@example.org|{SHA512-CRYPT}$6$abcdef\n");
    place.write("config/before.dovecot.sieve", "keep;\n");
    place.write("config/sieve-pipe/x", "#!/bin/sh\n");
    place.write("data/example.org/nora/home/.dovecot.sieve", "redirect \"a@example.net\";\n");
    place.write("data/example.org/nora/cur/1.M1.sieve", "mail\n");
    place.write("logs/mail.log", "line\n");
    let options = Options {
        prefix: ["docker", "exec", "-i", "mailserver"].map(str::to_owned).to_vec(),
        deployment: Deployment::DockerMailserver,
        compose: Some(compose),
        ..Options::default()
    };
    let seen = place.seen(&mut Watcher::new(&options, &[], &[]));
    let roles: Vec<(String, Role)> = seen
        .entries
        .iter()
        .filter(|(_, entry)| entry.kind == Kind::File)
        .map(|(path, entry)| (path.strip_prefix(place.root()).unwrap().display().to_string(), entry.role))
        .collect();
    let expected = [
        ("compose.yaml", Role::MailConfiguration),
        ("config/before.dovecot.sieve", Role::GlobalFilter),
        ("config/own/more.sh", Role::MailConfiguration),
        ("config/postfix-accounts.cf", Role::Accounts),
        ("config/sieve-pipe/x", Role::Program),
        ("config/user-patches.sh", Role::Program),
        ("data/example.org/nora/home/.dovecot.sieve", Role::UserFilter),
    ];
    assert_eq!(roles, expected.map(|(path, role)| (path.to_owned(), role)));
}

#[test]
fn a_file_of_accounts_is_known_by_who_names_it() {
    let place = Place::new();
    let compose = place.write(
        "compose.yaml",
        "services:\n  mail:\n    volumes:\n      - ./config/:/tmp/docker-mailserver/\n",
    );
    place.write("config/dovecot.cf", "passdb {\n  args = /tmp/docker-mailserver/people\n}\n");
    place.write("config/people", "nora@example.org:hunter2:5000:5000::/home/nora::\n");
    let options = Options { prefix: vec!["docker".to_owned()], compose: Some(compose), ..Options::default() };
    let seen = place.seen(&mut Watcher::new(&options, &[], &[]));
    let text = seen.entries[&place.root().join("config/people")].text.clone().unwrap();
    assert_eq!(text, "nora@example.org:***:5000:5000::/home/nora::\n");
}

#[test]
fn what_is_named_elsewhere_is_watched_and_what_is_known_stays_so() {
    let place = Place::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let program = fs::canonicalize(elsewhere.path()).unwrap().join("filter");
    fs::write(&program, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let names_it = format!("filter unix - n n - - pipe user=x argv={} -f\n", program.display());
    place.write("master.cf", &names_it);
    let mut watcher = place.watcher();
    let before = watcher.look(&Entries::new());
    assert_eq!(before.entries[&program].role, Role::Program);
    // No line leads there any more: it is not gone.
    place.write("master.cf", "");
    let of_program =
        |changes: Vec<Change>| changes.into_iter().filter(|change| change.path == program).count();
    assert_eq!(of_program(compare(&before.entries, &watcher.look(&before.entries))), 0);
    fs::remove_file(&program).unwrap();
    assert_eq!(of_program(compare(&before.entries, &watcher.look(&before.entries))), 1);
}

#[test]
fn there_is_a_bound_to_everything() {
    let place = Place::new();
    let homes = place.root().join("homes");
    fs::create_dir_all(homes.join("nora/sieve")).unwrap();
    for n in 0..1_000 {
        fs::write(homes.join(format!("nora/sieve/{n}.sieve")), "keep;\n").unwrap();
    }
    let compose =
        place.write("compose.yaml", "services:\n  mail:\n    volumes:\n      - ./homes/:/var/mail/\n");
    let options = Options { prefix: vec!["docker".to_owned()], compose: Some(compose), ..Options::default() };
    let mut watcher = Watcher::new(&options, &[], &[]);
    let filters = |seen: &Seen| seen.entries.keys().filter(|path| path.starts_with(&homes)).count();
    assert_eq!(filters(&place.seen(&mut watcher)), 200);

    let many = place.root().join("many");
    for directory in 0..11 {
        fs::create_dir_all(many.join(directory.to_string())).unwrap();
        for n in 0..10_000 {
            fs::write(many.join(format!("{directory}/{n}")), "").unwrap();
        }
    }
    let mut watcher = Watcher::new(&Options::default(), std::slice::from_ref(&many), &[]);
    let seen = watcher.look(&Entries::new());
    assert!(seen.cut && seen.entries.len() <= 100_000, "{}", seen.entries.len());
    // What was left out is not said to be gone.
    assert_eq!(compare(&seen.entries, &watcher.look(&Entries::new())).len(), 0);
}

#[test]
fn what_may_not_be_read_is_told_and_is_no_change() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root can become somebody else");
        return;
    }
    let place = Place::new();
    fs::set_permissions(place.root(), fs::Permissions::from_mode(0o755)).unwrap();
    let closed = place.write("closed", "x");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o600)).unwrap();
    place.write("shut/inner", "x");
    let before = place.seen(&mut place.watcher());
    fs::set_permissions(place.root().join("shut"), fs::Permissions::from_mode(0o700)).unwrap();
    let root = place.root();
    // A thread may give up its rights for itself.
    let after = std::thread::spawn(move || {
        let nobody = rustix::process::Uid::from_raw(65_534);
        rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
        let mut seen =
            Watcher::new(&Options::default(), std::slice::from_ref(&root), &[]).look(&Entries::new());
        seen.entries.retain(|path, _| path.starts_with(&root));
        seen
    })
    .join()
    .unwrap();
    assert!(after.unread.contains_key(&closed), "{:?}", after.unread);
    assert_eq!(words(&compare(&before.entries, &after), &place.root()), ["changed shut mode 0755 → 0700"]);
}
