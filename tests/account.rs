//! `mailward account` on files of docker-mailserver without its container: what is refused, and that a refusal changes no byte. What a real
//! server makes of it is tested in the lab (`crates/lab/tests/account.rs`).
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use proptest::prelude::*;

const FILE: &str = "\
# accounts
alice@example.org|{SHA512-CRYPT}$6$salt$hash
bob@example.org|{SHA512-CRYPT}$6$salt$other|allow_nets=192.0.2.0/24
";

const GOOD: &str = "Cobble-71-lantern-moss";

/// A docker-mailserver's directory, with a configuration of its own, so that this machine's does not matter.
struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new(file: &[u8]) -> Self {
        let place = Self { directory: tempfile::tempdir().unwrap() };
        fs::create_dir(place.path("config")).unwrap();
        fs::write(place.file(), file).unwrap();
        let compose = "services:\n  mailserver:\n    image: mailserver/docker-mailserver:15\n    container_name: mailserver\n    \
                       volumes:\n      - ./config/:/tmp/docker-mailserver/\n";
        fs::write(place.path("compose.yaml"), compose).unwrap();
        place.configure("");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn file(&self) -> PathBuf {
        self.path("config/postfix-accounts.cf")
    }

    fn configure(&self, more: &str) {
        let state = self.path("state");
        let text = format!("[guard]\nstate-directory = \"{}\"\n{more}", state.display());
        fs::write(self.path("mailward.toml"), text).unwrap();
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mailward"));
        command.arg("--config").arg(self.path("mailward.toml")).arg("account");
        // A prefix that leads nowhere: the container is down.
        command.arg("--compose").arg(self.path("compose.yaml")).args(["--prefix", "/bin/false"]).args(words);
        command
    }

    /// The exit code, and what was said.
    fn account(&self, words: &[&str], typed: &[u8]) -> (Option<i32>, String) {
        said(&mut self.command(words), typed)
    }

    /// A refusal, which names `why` and changes nothing.
    fn refuses(&self, words: &[&str], typed: &[u8], why: &str) {
        let before = fs::read(self.file()).unwrap();
        let (code, text) = self.account(words, typed);
        assert!(matches!(code, Some(1 | 2)) && text.contains(why), "{words:?}: {code:?} {text}");
        assert_eq!(fs::read(self.file()).unwrap(), before, "{words:?}");
        assert!(!text.contains("$6$") && !text.contains("\u{1b}"), "{text}");
    }
}

fn said(command: &mut Command, typed: &[u8]) -> (Option<i32>, String) {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It may have refused before it read anything.
    let _ = child.stdin.take().unwrap().write_all(typed);
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

#[test]
fn names_that_a_file_would_stumble_over_are_refused() {
    let place = Place::new(FILE.as_bytes());
    for name in [
        "a\nb@example.org",
        "a|b@example.org",
        "a:b@example.org",
        "../x@example.org",
        "a/b@example.org",
        "a b@example.org",
        "ä@example.org",
        "a\u{1b}[2Jb@example.org",
        "*@example.org",
    ] {
        place.refuses(&["add", "--", name], GOOD.as_bytes(), "auth_username_chars");
    }
    for name in ["", "@", "alice", "a..b@example.org", "-x@example.org"] {
        place.refuses(&["add", "--", name], GOOD.as_bytes(), "@example.org");
    }
    place.refuses(&["add", "--", "a\nb@example.org"], GOOD.as_bytes(), "'\\n'");
    place.refuses(&["add", &format!("{}@example.org", "a".repeat(65_536))], GOOD.as_bytes(), "65548 bytes");
    place.refuses(&["add", "Alice@Example.org"], GOOD.as_bytes(), "there already");
    for command in ["passwd", "disable", "enable", "delete"] {
        for name in ["nobody@example.org", "alice@example.or", "a\u{1b}]0;x", "|", "# accounts", ""] {
            place.refuses(&[command, "--", name], GOOD.as_bytes(), "no account");
        }
    }
}

#[test]
fn passwords_that_are_worth_nothing_are_refused() {
    let place = Place::new(FILE.as_bytes());
    let add = ["add", "dora@example.org"];
    for (typed, why) in [
        (b"short-7-Q".as_slice(), "min-length"),
        (b"passwordpassword", "everybody tries first"),
        (b"dora-drinks-tea-4", "own name"),
        (b"qwertyuiop123456", "min-strength"),
        (b"", "no password came"),
        (b"\n", "empty"),
        (b"Cobble-71-\x07lantern\n", "control character"),
        (b" Cobble-71-lantern-moss\n", "blank"),
        (b"\xff\xfeCobble-71-lantern-moss\n", "UTF-8"),
        (&[b'x'; 65_536], "256"),
    ] {
        place.refuses(&add, typed, why);
    }
}

#[test]
fn stolen_passwords_are_refused_from_a_file_and_from_ranges() {
    let place = Place::new(FILE.as_bytes());
    // The SHA-1 of GOOD, as sha1sum says.
    let output = said(&mut Command::new("/usr/bin/sha1sum"), GOOD.as_bytes());
    let hash = output.1.split(' ').next().unwrap().to_ascii_uppercase();
    let list = place.path("pwned.txt");
    fs::write(&list, format!("{:040X}:2\r\n{hash}:17\r\n{}:1\r\n", 1, "F".repeat(40))).unwrap();
    let ranges = place.path("ranges");
    fs::create_dir(&ranges).unwrap();
    fs::write(ranges.join(format!("{}.txt", &hash[..5])), format!("{}:17\r\n", &hash[5..])).unwrap();
    for path in [&list, &ranges] {
        place.configure(&format!("[accounts]\nbreached = \"{}\"\n", path.display()));
        place.refuses(&["add", "dora@example.org"], GOOD.as_bytes(), "17 times");
    }
    // A list that is not whole, or none, is told, and nobody gets a password that was not looked up.
    for (path, why) in [
        (ranges, "there is neither"),
        (place.path("nowhere"), "accounts.breached"),
        (place.file(), "no SHA-1"),
    ] {
        place.configure(&format!("[accounts]\nbreached = \"{}\"\n", path.display()));
        let (code, text) = place.account(&["passwd", "alice@example.org"], b"Drizzle-26-walnut-pier");
        assert!(code == Some(3) && text.contains(why), "{text}");
        assert_eq!(fs::read(place.file()).unwrap(), FILE.as_bytes());
    }
}

#[test]
fn the_file_changes_by_a_line_and_keeps_its_owner_and_mode() {
    let place = Place::new(FILE.trim_end().as_bytes());
    fs::set_permissions(place.file(), fs::Permissions::from_mode(0o640)).unwrap();
    let (_, text) = place.account(&["disable", "bob@example.org"], b"");
    assert!(text.contains("bob@example.org is disabled"), "{text}");
    // The container is down: what could not be done is said.
    assert!(text.contains("were not ended"), "{text}");
    let locked = fs::read_to_string(place.file()).unwrap();
    assert_eq!(
        locked,
        FILE.trim_end().replace(
            "{SHA512-CRYPT}$6$salt$other",
            "{SHA512-CRYPT}!LOCKED-BY-MAILWARD!{SHA512-CRYPT}$6$salt$other"
        )
    );
    let (_, text) = place.account(&["enable", "Bob@example.org"], b"");
    assert!(text.contains("open again"), "{text}");
    assert_eq!(fs::read_to_string(place.file()).unwrap(), FILE.trim_end());
    assert_eq!(fs::metadata(place.file()).unwrap().mode() & 0o7777, 0o640);
    let files: Vec<_> =
        fs::read_dir(place.path("config")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["postfix-accounts.cf"], "neither lock nor temporary file stays");
}

/// A change of ours is no change behind our back; one of somebody else's before it still is.
#[test]
fn what_was_written_here_raises_no_alarm() {
    let place = Place::new(FILE.as_bytes());
    let volume = fs::canonicalize(place.path("config")).unwrap();
    place.configure(&format!(
        "[audit]\nprefix = [\"/bin/false\"]\ncompose-file = \"{}\"\n[integrity]\nignore = [\"/etc\", \"/usr\", \"/var\", \"/root\", \"/home\", \
         \"/lib\", \"/opt\", \"/srv\"]\n",
        place.path("compose.yaml").display()
    ));
    let integrity = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mailward"));
        command.arg("--config").arg(place.path("mailward.toml")).arg("integrity").args(words);
        said(&mut command, b"")
    };
    let has_changed = || integrity(&["status"]).1.contains("postfix-accounts.cf");
    integrity(&["accept", "--yes"]);
    assert!(!has_changed());
    place.account(&["disable", "bob@example.org"], b"");
    assert!(!has_changed(), "{}", integrity(&["status"]).1);
    let file = volume.join("postfix-accounts.cf");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}mallory@example.org|{{X}}y\n")).unwrap();
    assert!(has_changed());
    place.account(&["enable", "bob@example.org"], b"");
    assert!(has_changed(), "{}", integrity(&["status"]).1);
}

#[test]
fn the_list_says_what_is_wrong_and_no_secret() {
    let place = Place::new(
        b"test@example.org|{PLAIN}hunter2-hunter2\nbob@example.org|{SHA512-CRYPT}!LOCKED!$6$salt$hash\n",
    );
    let (code, text) = place.account(&["list", "--format", "json"], b"");
    assert_eq!(code, Some(0), "{text}");
    let list: serde_json::Value = serde_json::from_str(&text).unwrap();
    let states: Vec<_> = list["accounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|account| account["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["open", "disabled"]);
    assert!(
        text.contains("readable") && text.contains("role or test") && !text.contains("hunter2"),
        "{text}"
    );
}

#[test]
fn a_full_disk_changes_nothing() {
    let place = Place::new(b"");
    let config = place.path("config");
    let mount = Command::new("/usr/bin/unshare").args(["-m", "/bin/true"]).status();
    if !mount.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: a full disk is a small tmpfs, which needs root");
        return;
    }
    // Sixteen kilobytes, which the accounts and a stone fill.
    let script = "mount -t tmpfs -o size=16k none \"$1\" && cp \"$2\" \"$1/postfix-accounts.cf\" && shift 2 && \
                  { head -c 20000 /dev/zero >\"$0/stone\"; \"$@\"; code=$?; sha1sum \"$0/postfix-accounts.cf\"; exit $code; }";
    let before = place.path("before");
    fs::write(&before, FILE).unwrap();
    let inner = place.command(&["disable", "alice@example.org"]);
    let mut command = Command::new("/usr/bin/unshare");
    command.args(["-m", "/bin/sh", "-c", script]).arg(&config).arg(&config).arg(&before);
    command.arg(inner.get_program()).args(inner.get_args());
    let (code, text) = said(&mut command, b"");
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("no space left"), "{text}");
    let sum = said(&mut Command::new("/usr/bin/sha1sum"), FILE.as_bytes()).1;
    assert!(text.contains(sum.split(' ').next().unwrap()), "{text}");
}

fn run(place: &Place, words: &[&str], path: &Path) -> Vec<u8> {
    place.account(words, GOOD.as_bytes());
    fs::read(path).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    /// Whatever else is in the file: closing and opening an account gives back every byte.
    #[test]
    fn any_file_survives(before in proptest::collection::vec(any::<u8>(), 0..300), after in proptest::collection::vec(any::<u8>(), 0..300)) {
        let file = [before.as_slice(), b"\nzoe@example.org|{X}hash|a=b\n", &after].concat();
        let place = Place::new(&file);
        let path = place.file();
        prop_assert_ne!(run(&place, &["disable", "zoe@example.org"], &path), file.clone());
        prop_assert_eq!(run(&place, &["enable", "zoe@example.org"], &path), file);
    }
}
