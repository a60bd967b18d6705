//! `mailward account quota` with a real Dovecot, in namespaces of its own: what is said to hold is what Dovecot enforces.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "helpers of tests fail as tests do, and a test that is skipped says so"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Starts Dovecot with the configuration of the test, and goes on with what follows.
const INSIDE: &str =
    "set -e; mount --bind \"$1/etc\" /etc/dovecot; mkdir -p \"$1/run\"; dovecot; shift; exec \"$@\"";

const ACCOUNTS: &str = "\
# people
nora@example.org:{PLAIN}x:65534:65534::ROOT/mail/nora::allow_nets=127.0.0.1
sam@example.org:{PLAIN}x:65534:65534::ROOT/mail/sam::
rosa@example.net:{PLAIN}x:65534:65534::ROOT/mail/rosa::userdb_quota_rule=*:storage=1G
timo@example.com:{PLAIN}x:65534:65534::ROOT/mail/timo::userdb_quota_rule=Trash:storage=+9M
vera@example.com:{PLAIN}x:65534:65534::ROOT/mail/vera::userdb_quota_rule=*:storage=1G:messages=9
";

struct Place {
    root: tempfile::TempDir,
}

impl Place {
    /// None, loudly, where it cannot be.
    fn new(plugins: &str, userdb: &str) -> Option<Self> {
        let version = Command::new("/usr/sbin/dovecot").arg("--version").output();
        let classic = version.is_ok_and(|said| said.stdout.starts_with(b"2.3"));
        if !rustix::process::geteuid().is_root() || !classic || !Path::new("/usr/bin/unshare").exists() {
            eprintln!("SKIPPED: root, unshare and Dovecot 2.3 are needed");
            return None;
        }
        let place = Self { root: tempfile::tempdir().unwrap() };
        let at = place.root.path().display().to_string();
        assert!(Command::new("/bin/chmod").args(["755", &at]).status().unwrap().success());
        let conf = format!(
            "base_dir = {at}/run\nlog_path = {at}/log\nprotocols =\nfirst_valid_uid = 0\nfirst_valid_gid = 0\nssl = no\n\
             mail_location = maildir:~/Maildir\nmail_plugins = {plugins}\nplugin {{\n  quota = count:User quota\n  quota_vsizes = yes\n}}\n\
             passdb {{\n  driver = passwd-file\n  args = /etc/dovecot/users\n}}\nuserdb {{\n  {userdb}\n}}\n"
        );
        place.write("etc/dovecot.conf", &conf);
        fs::create_dir(place.root.path().join("mail")).unwrap();
        let owned = Command::new("/bin/chown").args(["65534:65534", &format!("{at}/mail")]).status();
        assert!(owned.unwrap().success());
        place.write("etc/other", &ACCOUNTS.replace("ROOT", &at));
        place.write("etc/users", &ACCOUNTS.replace("ROOT", &at));
        place.write(
            "mailward.toml",
            &format!(
                "[guard]\nstate-directory = \"{at}/state\"\n[audit]\nprefix = []\ncompose-file = \"none\"\n"
            ),
        );
        Some(place)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn users(&self) -> String {
        fs::read_to_string(self.root.path().join("etc/users")).unwrap()
    }

    fn run(&self, words: &[&str]) -> Output {
        let root = self.root.path().display().to_string();
        let mut command = Command::new("/usr/bin/unshare");
        command.args([
            "--mount",
            "--net",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "/bin/sh",
            "-c",
            INSIDE,
            "sh",
            &root,
        ]);
        command.args(words).output().unwrap()
    }

    /// What the command says; it must end with this status.
    fn quota(&self, status: i32, words: &[&str]) -> String {
        let config = self.root.path().join("mailward.toml").display().to_string();
        let start = [env!("CARGO_BIN_EXE_mailward"), "--config", &config, "account", "quota"];
        let output = self.run(&[&start[..], words].concat());
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.code(), Some(status), "{said}");
        said
    }
}

const READS: &str = "driver = passwd-file\n  args = /etc/dovecot/users";

#[test]
fn a_limit_holds_for_an_account_and_for_a_domain_and_goes_again() {
    let Some(place) = Place::new("quota", READS) else { return };
    let before = place.users();
    let said = place.quota(0, &["@example.org", "5G"]);
    assert!(
        said.contains("@example.org: 5G") && said.contains("nora@example.org: no limit before"),
        "{said}"
    );
    let users = place.users();
    assert!(users.contains("::allow_nets=127.0.0.1 userdb_quota_rule=*:storage=5G\n"), "{users}");
    assert!(
        users.lines().filter(|line| line.contains("storage=5G")).count() == 2 && users.contains("storage=1G")
    );
    assert!(place.quota(0, &["sam@example.org"]).contains("of 5G"));
    place.quota(0, &["@example.com", "5G"]);
    let kept = ["Trash:storage=+9M userdb_quota_rule2=*:storage=5G\n", "*:storage=5G:messages=9\n"];
    assert!(kept.iter().all(|kept| place.users().contains(kept)), "{}", place.users());
    place.quota(0, &["@example.com", "none"]);
    assert!(place.quota(0, &["rosa@example.net"]).contains("of 1G"));

    // What is larger than its limit would get no mail any more.
    let at = place.root.path().display().to_string();
    let letter = format!(
        "From: x\n\n{}",
        "a line of sixty-four octets, which is repeated many times over\n".repeat(20_000)
    );
    place.write("letter", &letter);
    let saved = place.run(&["/bin/sh", "-c", &format!("doveadm save -u sam@example.org {at}/letter")]);
    assert!(saved.status.success(), "{}", String::from_utf8_lossy(&saved.stderr));
    let users = place.users();
    let said = place.quota(2, &["@example.org", "1M"]);
    assert!(
        said.contains("sam@example.org: 12") && said.contains("--yes") && !said.contains("nora"),
        "{said}"
    );
    assert_eq!(place.users(), users);
    place.quota(0, &["@example.org", "1M", "--yes"]);
    let full = place.run(&["doveadm", "save", "-u", "sam@example.org", &format!("{at}/letter")]);
    assert!(String::from_utf8_lossy(&full.stderr).contains("uota exceeded"), "{full:?}");

    place.quota(0, &["@example.org", "none"]);
    assert_eq!(
        place.users(),
        before.replace("*:storage=1G:messages", "*:messages"),
        "as it was, byte for byte"
    );
    assert!(place.quota(2, &["sam@example.org", "5X"]).contains("is no size"));
    assert!(place.quota(3, &["@example.edu", "5G"]).contains("there is no account"));
}

#[test]
fn a_limit_that_would_not_hold_is_refused() {
    let Some(place) = Place::new("", READS) else { return };
    assert!(place.quota(3, &["sam@example.org", "5G"]).contains("QTA-002"));
    // The user database reads another source: what is in the file counts for nobody.
    let Some(place) = Place::new("quota", "driver = passwd-file\n  args = /etc/dovecot/other") else {
        return;
    };
    // While Dovecot is waited for, somebody disables an account.
    let (before, path) = (place.users(), place.root.path().join("etc/users"));
    let said = std::thread::scope(|scope| {
        scope.spawn(|| {
            let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
            while !place.users().contains("storage=5G") && std::time::Instant::now() < until {
                std::thread::yield_now();
            }
            let _turn =
                mailward_host::lock::Turn::wait(path.parent().unwrap(), until - std::time::Instant::now());
            let disabled = place.users().replace("rosa@example.net:{PLAIN}x", "rosa@example.net:{PLAIN}!");
            mailward_host::atomic::write(&path, disabled.as_bytes(), None).unwrap();
        });
        place.quota(3, &["sam@example.org", "5G"])
    });
    assert!(said.contains("the limit was taken back"), "{said}");
    assert_eq!(
        place.users(),
        before.replace("rosa@example.net:{PLAIN}x", "rosa@example.net:{PLAIN}!"),
        "rosa stays disabled"
    );
}

/// A file that cannot be written: what was written into the one before goes again.
#[test]
fn a_limit_is_in_all_files_or_in_none() {
    let Some(place) = Place::new("quota", READS) else { return };
    let conf = place.root.path().join("etc/dovecot.conf");
    let second = "passdb {\n  driver = passwd-file\n  args = /etc/dovecot/second/users\n}\n";
    fs::write(&conf, fs::read_to_string(&conf).unwrap() + second).unwrap();
    place.write("etc/second/users", "sam@example.org:{PLAIN}y:65534:65534::/nowhere::\n");
    let before = place.users();
    let locked = "mount --bind /etc/dovecot/second /etc/dovecot/second && mount -o remount,ro,bind /etc/dovecot/second && exec \"$@\"";
    let config = place.root.path().join("mailward.toml").display().to_string();
    let words =
        [env!("CARGO_BIN_EXE_mailward"), "--config", &config, "account", "quota", "sam@example.org", "5G"];
    let output = place.run(&[&["/bin/sh", "-c", locked, "sh"], &words[..]].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("the limit was taken back"), "{said}");
    assert_eq!(place.users(), before);
}
