//! A real fail2ban bans in a network namespace of its own; what it banned, ignored and counted is brought along into the kernel.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod live;

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use live::daemon::{PATIENCE, Place};
use live::kernel;
use live::mail_log::MailLog;
use live::namespace::{Namespace, skipped};
use mailward_web::{Method, call};
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_mailward");

const JAILS: &str = "\
[DEFAULT]
ignoreip = 127.0.0.1/8 198.51.100.0/24
bantime = 12h
findtime = 10m
maxretry = 2
backend = polling
banaction = nothing
banaction_allports = nothing
action = %(action_)s
[dovecot]
enabled = true
logpath = LOG
[sshd]
enabled = true
logpath = AUTH
bantime = -1
";

/// A fail2ban in a namespace, whose `/etc/fail2ban` only that namespace sees (ip-netns(8)).
struct Fail2ban {
    network: Namespace,
    server: Child,
}

impl Fail2ban {
    fn start(network: Namespace, place: &Place) -> Self {
        let etc = etc(&network);
        fs::create_dir_all(&etc).unwrap();
        copy(Path::new("/etc/fail2ban"), &etc.join("fail2ban"));
        let own = etc.join("fail2ban");
        let _ = fs::remove_dir_all(own.join("jail.d"));
        let jails = JAILS
            .replace("LOG", place.log.to_str().unwrap())
            .replace("AUTH", place.path("auth.log").to_str().unwrap());
        fs::write(own.join("jail.local"), jails).unwrap();
        fs::write(own.join("action.d/nothing.conf"), "[Definition]\nactionban =\nactionunban =\n").unwrap();
        let at = |name: &str| place.path(name).display().to_string();
        let server = format!(
            "[DEFAULT]\nsocket = {}\npidfile = {}\ndbfile = {}\nlogtarget = {}\n",
            at("f2b.sock"),
            at("f2b.pid"),
            at("f2b.sqlite3"),
            at("f2b.log")
        );
        fs::write(own.join("fail2ban.local"), server).unwrap();
        fs::write(&place.log, "").unwrap();
        fs::write(place.path("auth.log"), "").unwrap();
        let server = inside(&network, &["/usr/bin/fail2ban-server", "-f", "-x", "start"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let this = Self { network, server };
        this.waits_until(|this| this.client(&["ping"]).contains("pong"));
        this
    }

    fn client(&self, words: &[&str]) -> String {
        let output = inside(&self.network, &["/usr/bin/fail2ban-client"]).args(words).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn waits_until(&self, is_so: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so(self) {
            assert!(Instant::now() < deadline, "fail2ban: {}", self.client(&["status", "dovecot"]));
        }
    }
}

impl Drop for Fail2ban {
    fn drop(&mut self) {
        let _ = inside(&self.network, &["/usr/bin/fail2ban-client", "stop"]).output();
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = fs::remove_dir_all(etc(&self.network));
        // Gone only if nobody else needs it.
        let _ = fs::remove_dir("/etc/netns");
    }
}

fn etc(network: &Namespace) -> PathBuf {
    Path::new("/etc/netns").join(&network.name)
}

/// A command in the namespace, with the files that only it sees.
fn inside(network: &Namespace, words: &[&str]) -> Command {
    let mut command = Command::new("/usr/sbin/ip");
    command.args(["netns", "exec", &network.name]).args(words).stdin(Stdio::null());
    command
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// `mailward import fail2ban`, in the namespace.
fn import(network: &Namespace, place: &Place, words: &[&str]) -> Value {
    let (config, socket) = (place.path("mailward.toml"), place.path("socket"));
    let own = [PROGRAM, "--config", config.to_str().unwrap(), "--socket", socket.to_str().unwrap()];
    let output =
        inside(network, &own).args(["import", "fail2ban", "--format", "json"]).args(words).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{error}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|why| panic!("{why}: {error}"))
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn bans_of_a_real_fail2ban_end_in_the_kernel() {
    if !Path::new("/usr/bin/fail2ban-server").exists() {
        skipped("fail2ban is not installed");
        return;
    }
    let Some(network) = Namespace::new("f2b") else { return };
    let place = Place::new(PROGRAM);
    let state = format!(
        "[ladder]\n# mine\nmemory = \"60d\"\n[guard]\nstate-directory = \"{}\"\n",
        place.state.display()
    );
    // The sections of a configuration stand in it once.
    let text =
        fs::read_to_string(place.path("mailward.toml")).unwrap().replace("[guard]\nmode = \"enforce\"\n", "");
    fs::write(place.path("mailward.toml"), format!("{text}{state}")).unwrap();
    let fail2ban = Fail2ban::start(network, &place);
    let daemon = place.guard();

    // Two failures: fail2ban bans, Mailward by its own numbers does not yet.
    let guesser = address("203.0.113.7");
    MailLog::new(&place.log).failures([guesser; 2].into_iter());
    fail2ban.waits_until(|this| this.client(&["status", "dovecot"]).contains("203.0.113.7"));
    for address in ["203.0.113.8", "2001:db8::7", "10.1.2.3"] {
        fail2ban.client(&["set", "sshd", "banip", address]);
    }
    let network = &fail2ban.network;
    let shown = import(network, &place, &[]);
    let targets = |report: &Value| -> Vec<String> {
        report["bans"]
            .as_array()
            .unwrap()
            .iter()
            .map(|ban| ban["target"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(targets(&shown), ["203.0.113.7", "203.0.113.8", "2001:db8::7"]);
    assert!(shown["forbidden"][0].as_str().unwrap().starts_with("10.1.2.3 is not banned"), "{shown}");
    assert_eq!(shown["jails"][1]["rules"][0], "auth-failure-fast", "{shown}");
    assert_eq!(shown["jails"][0]["rules"].as_array().unwrap().len(), 0, "{shown}");
    assert_eq!(shown["settings"][0], "[rules.auth-failure-fast] threshold = 2");
    assert_eq!(kernel::banned().unwrap(), [], "shown is not done");

    let done = import(network, &place, &["--apply"]);
    assert_eq!(done["applied"], true, "{done}");
    let banned = kernel::banned().unwrap();
    for address in [guesser, address("203.0.113.8"), address("2001:db8::7")] {
        assert!(kernel::holds(&banned, address), "{address} is not in the kernel: {banned:?}");
    }
    assert!(!kernel::holds(&banned, address("10.1.2.3")));
    let bans = place.command(&["bans", "--format", "json"]).output().unwrap();
    let bans: Value = serde_json::from_slice(&bans.stdout).unwrap();
    let row = |target: &str| {
        bans["bans"].as_array().unwrap().iter().find(|ban| ban["target"] == target).unwrap().clone()
    };
    assert_eq!(
        (row("203.0.113.7")["origin"].as_str(), row("203.0.113.7")["by"].as_str()),
        (Some("import"), Some("fail2ban"))
    );
    assert!(row("203.0.113.7")["until"].is_string() && row("203.0.113.8")["until"].is_null());
    let allowed = place.command(&["allow", "--list"]).output().unwrap();
    assert!(String::from_utf8_lossy(&allowed.stdout).contains("198.51.100.0/24"));
    let config = fs::read_to_string(place.path("mailward.toml")).unwrap();
    assert!(config.contains("# mine\nmemory = \"60d\"") && config.contains("threshold = 2"), "{config}");
    assert!(place.command(&["config", "check"]).output().unwrap().status.success());

    // A second time there is nothing more to do, and fail2ban is as it was.
    let again = import(network, &place, &["--apply"]);
    assert_eq!(again["settings"].as_array().unwrap().len(), 0, "{again}");
    assert_eq!(kernel::banned().unwrap(), banned);
    assert!(fail2ban.client(&["status", "sshd"]).contains("203.0.113.8"));
    daemon.terminate();
    // Without a daemon the store takes them; the next one brings them into the kernel.
    fail2ban.client(&["set", "sshd", "banip", "203.0.113.9"]);
    import(network, &place, &["--apply"]);
    let _daemon = place.guard();
    assert!(kernel::holds(&kernel::banned().unwrap(), address("203.0.113.9")));
}

#[test]
fn an_import_with_a_bad_target_in_the_middle_bans_nobody() {
    let place = Place::new(PROGRAM);
    let _guard = place.guard_without_firewall();
    let bans = ["192.0.2.1", "192.0.2.999", "192.0.2.3"]
        .map(|target| json!({ "target": target, "seconds": 600, "reason": "sshd" }));
    let order = json!({ "tool": "fail2ban", "bans": bans });
    let socket = place.path("socket");
    let answer = call(&socket, Method::Post, "/v1/import", Some(&order)).unwrap();
    assert_eq!(answer.status, 400, "{answer:?}");
    let listed = call(&socket, Method::Get, "/v1/bans", None).unwrap();
    assert_eq!(listed.body["bans"], json!([]));
}
