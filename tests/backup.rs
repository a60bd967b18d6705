//! `mailward backup` as a person runs it, with a state directory, a repository and a tree of its own.
#![cfg(feature = "backup")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test may")]

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;

use tempfile::TempDir;

struct Host {
    directory: TempDir,
}

impl Host {
    /// A mail store with two accounts, saved to a directory beside it. Nothing of this machine is.
    fn new(more: &str) -> Self {
        let host = Self { directory: tempfile::tempdir().unwrap() };
        fs::set_permissions(host.directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
        for account in ["anna", "bert"] {
            let mailbox = host.path("mail/example.org").join(account);
            for part in ["cur", "new", "tmp", ".Sent/cur", ".Sent/new", ".Sent/tmp"] {
                fs::create_dir_all(mailbox.join(part)).unwrap();
            }
            for number in 0..20 {
                let text = format!(
                    "From: ada@example.net\r\nTo: {account}@example.org\r\nSubject: Invoice {number}\r\n\
                     Message-ID: <{number}@example.net>\r\n\r\nPay {number} by Friday.\r\n"
                );
                fs::write(mailbox.join(format!("cur/{}.M{number}P1.mail:2,S", 1_760_000_000 + number)), text)
                    .unwrap();
            }
        }
        fs::create_dir_all(host.path("conf/etc/postfix")).unwrap();
        fs::write(host.path("conf/etc/postfix/main.cf"), "myhostname = mail.example.org\n").unwrap();
        if is_root() {
            give(&host.path("mail"));
        }
        let text = format!(
            "[guard]\nstate-directory = \"{0}/state\"\n[audit]\ncompose-file = \"none\"\nprefix = []\n[backup]\nrepository = \"{0}/repository\"\n\
             key-file = \"{0}/backup.key\"\ninclude = [\"{0}/mail\", \"{0}/conf\"]\n\
             exclude = [\"/etc\", \"/var\", \"/root\", \"/home\", \"/usr\", \"/srv\"]\nkeep-daily = 1\nkeep-weekly = 0\nkeep-monthly = 0\nkeep-yearly = 0\n{more}",
            host.path("").display().to_string().trim_end_matches('/')
        );
        fs::write(host.path("mailward.toml"), text).unwrap();
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        fs::canonicalize(self.directory.path()).unwrap().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mailward"));
        command.arg("--config").arg(self.path("mailward.toml")).arg("backup").args(args);
        command
    }

    /// Runs a command that ends with this status; what it printed.
    fn says(&self, status: i32, args: &[&str]) -> String {
        let output = self.command(args).output().unwrap();
        let said = text(&output);
        assert_eq!(output.status.code(), Some(status), "{args:?}: {said}");
        said
    }

    fn json(&self, args: &[&str]) -> serde_json::Value {
        let output = self.command(&[args, &["--format", "json"]].concat()).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{args:?}: {}", text(&output)))
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// To somebody who is not root, as whom Dovecot opens no mail.
fn give(path: &Path) {
    chown(path, Some(5000), Some(5000)).unwrap();
    for entry in fs::read_dir(path).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            give(&entry.path());
        } else {
            chown(entry.path(), Some(5000), Some(5000)).unwrap();
        }
    }
}

#[test]
fn a_server_is_saved_proven_and_brought_back() {
    let host = Host::new("");
    let shown = host.says(0, &["run", "--dry-run"]);
    assert!(shown.contains("named in `include`") && shown.contains("the backups themselves"), "{shown}");
    assert!(!host.path("repository").exists());

    let said = host.says(0, &["run"]);
    assert!(said.contains("A new repository") && said.contains("mailward backup key"), "{said}");
    assert_eq!(fs::metadata(host.path("backup.key")).unwrap().mode() & 0o7777, 0o600);
    assert_eq!(fs::metadata(host.path("repository")).unwrap().mode() & 0o7777, 0o700);
    host.says(0, &["check", "--read-data"]);

    let said = host.says(1, &["forget"]);
    assert!(said.contains("was never restored on trial") && said.contains("mailward backup drill"), "{said}");
    let trial = host.json(&["drill"]);
    assert_eq!(trial["wrong"], serde_json::json!([]), "{trial}");
    assert_eq!(trial["not_as_live"], serde_json::json!([]), "{trial}");
    assert!(trial["as_live"].as_u64().unwrap() >= 20, "{trial}");
    let steps: Vec<_> =
        trial["steps"].as_array().unwrap().iter().filter(|step| step["fine"] == false).collect();
    assert!(steps.is_empty(), "{trial}");
    if is_root() && Path::new("/usr/bin/doveadm").exists() {
        assert!(trial["steps"].to_string().contains("20 messages in 2 mailboxes"), "{trial}");
    } else {
        eprintln!("SKIPPED: Dovecot opens a mailbox (root, dovecot-core)");
    }

    // A later snapshot, proven as a whole, takes the place of the first.
    fs::write(host.path("mail/example.org/anna/new/1770000000.M1P1.mail"), "Subject: late\r\n\r\n").unwrap();
    host.says(0, &["run"]);
    assert_eq!(host.says(1, &["forget"]).lines().count(), 1);
    host.says(0, &["drill", "--all"]);
    assert_eq!(host.json(&["list"])["snapshots"].as_array().unwrap().len(), 2);
    let forgotten = host.json(&["forget"]);
    assert_eq!(forgotten["forgotten"].as_array().unwrap().len(), 1, "{forgotten}");
    let listed = host.json(&["list"]);
    assert_eq!(listed["snapshots"].as_array().unwrap().len(), 1);
    assert!(listed["snapshots"][0]["proven"].is_string(), "{listed}");

    let into = host.path("back");
    let to = into.to_str().unwrap();
    let said = host.says(1, &["restore", "--mailbox", "anna@example.org", "--address", "ada@", "--to", to]);
    assert!(said.contains("20 found") && !into.exists(), "{said}");
    host.says(0, &["restore", "--mailbox", "anna@example.org", "--subject", "invoice 7", "--to", to]);
    let message = "mail/example.org/anna/cur/1760000007.M7P1.mail:2,S";
    let back = into.join(host.path(message).strip_prefix("/").unwrap());
    assert_eq!(fs::read(&back).unwrap(), fs::read(host.path(message)).unwrap());
    assert_eq!(fs::metadata(&back).unwrap().uid(), fs::metadata(host.path(message)).unwrap().uid());
    let all = host.json(&["restore"]);
    assert_eq!(all["without_owner"], 0, "{all}");
    assert!(all["into"].as_str().unwrap().contains("/state/restored/"), "{all}");
    let said = host.says(2, &["restore", "--mailbox", "nobody@example.org"]);
    assert!(said.contains("mailward backup list"), "{said}");
}

#[test]
fn a_trial_that_fails_takes_the_proof_away() {
    let host = Host::new("");
    host.says(0, &["run"]);
    host.says(0, &["drill"]);
    let data = host.path("repository/data");
    let packs =
        fs::read_dir(data).unwrap().flatten().flat_map(|entry| fs::read_dir(entry.path()).unwrap().flatten());
    for pack in packs {
        let mut bytes = fs::read(pack.path()).unwrap();
        let middle = bytes.len() / 3;
        *bytes.get_mut(middle).unwrap() ^= 1;
        fs::write(pack.path(), bytes).unwrap();
    }
    let output = host.command(&["drill", "--all"]).output().unwrap();
    assert!(matches!(output.status.code(), Some(1 | 3)), "{}", text(&output));
    assert!(text(&output).contains("check --read-data"), "{}", text(&output));
    host.says(1, &["forget"]);
    host.says(1, &["check", "--read-data"]);
}

#[test]
fn the_recovery_sheet_has_the_key_and_asks_for_a_copy() {
    let host = Host::new("");
    host.says(0, &["run"]);
    let key = fs::read_to_string(host.path("backup.key")).unwrap();
    let said = host.says(1, &["key"]);
    assert!(said.contains(key.trim()) && said.contains('█') && said.contains("no second copy"), "{said}");
    fs::copy(host.path("backup.key"), host.path("copy")).unwrap();
    let copy = host.path("copy");
    let said = host.says(1, &["key", "--copy", copy.to_str().unwrap()]);
    assert!(said.contains("is the same key, but on the same disk"), "{said}");
    fs::write(&copy, "another\n").unwrap();
    let said = host.says(1, &["key", "--copy", copy.to_str().unwrap()]);
    assert!(said.contains("holds another key"), "{said}");
    fs::remove_file(host.path("backup.key")).unwrap();
    let said = host.says(3, &["run"]);
    assert!(said.contains("recovery sheet"), "{said}");
}

#[test]
fn one_at_a_time_and_a_dead_run_keeps_no_lock() {
    let host = Host::new("bandwidth = 1\n");
    let mut first = begun(&host);
    let said = host.says(3, &["run"]);
    assert!(said.contains(&format!("already running as process {}", first.id())), "{said}");
    first.kill().unwrap();
    first.wait().unwrap();
    let config = host.path("mailward.toml");
    fs::write(&config, fs::read_to_string(&config).unwrap().replace("bandwidth = 1\n", "")).unwrap();
    host.says(0, &["run"]);
    host.says(0, &["check", "--read-data"]);
}

/// A run that goes on: it is as slow as its bandwidth.
fn begun(host: &Host) -> Child {
    let child = host.command(&["run"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let lock = host.path("state/backup.lock");
    while fs::read_to_string(&lock).unwrap_or_default().trim() != child.id().to_string() {
        thread::yield_now();
    }
    child
}

#[test]
fn a_disk_that_is_not_mounted_is_no_place_for_a_new_repository() {
    let host = Host::new("");
    host.says(0, &["run"]);
    fs::rename(host.path("repository"), host.path("unplugged")).unwrap();
    let said = host.says(3, &["run"]);
    assert!(said.contains("findmnt -T") && said.contains("--init"), "{said}");
    assert!(!host.path("repository").exists());
    fs::create_dir(host.path("repository")).unwrap();
    host.says(3, &["run"]);
    assert_eq!(fs::read_dir(host.path("repository")).unwrap().count(), 0);
    host.says(0, &["run", "--init"]);
}

#[test]
fn nothing_is_saved_where_no_place_is_named() {
    let host = Host::new("");
    let file = host.path("mailward.toml");
    fs::write(&file, "").unwrap();
    let said = host.says(2, &["run"]);
    assert!(said.contains("repository = "), "{said}");
}
