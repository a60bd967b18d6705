//! `mailward harden dkim` from the first step to the last, with a real name server, OpenDKIM and Rspamd: what signs is what was
//! published, at every step. Everything runs in namespaces of its own, on a copy of `/etc`.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "helpers of tests fail as tests do, and a test that is skipped says so"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Starts a name server in new namespaces, waits until it answers, and goes on with what follows.
const INSIDE: &str =
    "set -e; mount --bind \"$1/etc\" /etc; mount --bind \"$1/rspamd\" /var/lib/rspamd 2>/dev/null || true
ip link set lo up; nsd -c \"$1/nsd.conf\" 2>/dev/null
until dig +time=1 +tries=1 @127.0.0.1 SOA example.org >/dev/null; do :; done
shift; exec \"$@\"";

const OPENDKIM: &str =
    "opendkim -x /etc/opendkim.conf -P /etc/opendkim.pid && exec miltertest -s /etc/sign.lua";
const MILTER: &str = "conn = mt.connect(\"inet:8891@127.0.0.1\", 100, 0.1)
mt.conninfo(conn, \"localhost\", \"127.0.0.1\")
mt.macro(conn, SMFIC_MAIL, \"i\", \"test\")
mt.mailfrom(conn, \"nora@example.org\")
mt.rcptto(conn, \"a@example.net\")
mt.header(conn, \"From\", \"nora@example.org\")
mt.header(conn, \"Subject\", \"x\")
mt.eoh(conn)
mt.bodystring(conn, \"hello\\r\\n\")
mt.eom(conn)
print(mt.getheader(conn, \"DKIM-Signature\", 0))
mt.disconnect(conn)
";
const RSPAMD: &str = "mkdir -p /run/rspamd; chown _rspamd /run/rspamd; rspamd -f -u _rspamd -g _rspamd >/dev/null 2>&1 &
until curl -s http://127.0.0.1:11333/ping >/dev/null; do :; done
exec curl -s -H 'User: nora@example.org' -H 'IP: 127.0.0.1' --data-binary @/etc/mail.eml http://127.0.0.1:11333/checkv2";
const MAIL: &str = "From: nora@example.org\r\nSubject: x\r\n\r\nhello\r\n";
/// Another implementation verifies, with the record that the operator was told to publish.
const VERIFY: &str = "import sys, dkim
raw, record = sys.stdin.buffer.read().split(b'\\0')
print(dkim.verify(raw, dnsfunc=lambda *a, **k: record))";

/// Programs, and what Debian calls their packages.
const NEEDED: &[&str] =
    &["/usr/sbin/nsd", "/usr/bin/dig", "/usr/bin/unshare", "/usr/bin/openssl", "/usr/bin/curl"];

/// A server of example.org, which we are the name server of.
struct Lab {
    root: tempfile::TempDir,
}

impl Lab {
    /// None, loudly, where it cannot be.
    fn new(programs: &[&str]) -> Option<Self> {
        let missing = NEEDED.iter().chain(programs).find(|program| !Path::new(program).exists());
        let verifies = Command::new("/usr/bin/python3").args(["-c", "import dkim"]).output();
        let why = match missing {
            _ if !rustix::process::geteuid().is_root() => "root is needed for namespaces".to_owned(),
            Some(program) => format!("{program} is not installed"),
            None if !verifies.is_ok_and(|said| said.status.success()) => {
                "python3-dkim is not installed".to_owned()
            }
            None => String::new(),
        };
        if !why.is_empty() {
            eprintln!("SKIPPED: {why}");
            return None;
        }
        let lab = Self { root: tempfile::tempdir().unwrap() };
        let at = lab.root.path().display().to_string();
        // Services give up root, and have to find their files all the same.
        assert!(Command::new("/bin/chmod").args(["755", &at]).status().unwrap().success());
        assert!(Command::new("/bin/cp").args(["-a", "/etc", &at]).status().unwrap().success());
        for folder in ["etc/opendkim", "etc/rspamd"] {
            let _ = fs::remove_dir_all(lab.root.path().join(folder));
        }
        if Path::new("/etc/rspamd").exists() {
            assert!(
                Command::new("/bin/cp")
                    .args(["-a", "/etc/rspamd", &format!("{at}/etc/")])
                    .status()
                    .unwrap()
                    .success()
            );
        }
        lab.write("etc/postfix/main.cf", &format!("compatibility_level = 3.6\nmydestination = example.org\nmyhostname = mail.example.org\nqueue_directory = {at}/queue\n"));
        lab.write(
            "etc/mailward.toml",
            &format!(
                "[guard]\nstate-directory = \"{at}/state\"\n[audit]\nprefix = []\ncompose-file = \"none\"\n"
            ),
        );
        lab.write("etc/sign.lua", MILTER);
        lab.write("etc/mail.eml", MAIL);
        lab.write("nsd.conf", &format!(
            "server:\n  ip-address: 127.0.0.1\n  port: 53\n  username: \"\"\n  database: \"\"\n  zonesdir: \"{at}\"\n  zonelistfile: \
             \"{at}/zone.list\"\n  xfrdfile: \"{at}/xfrd.state\"\n  xfrdir: \"{at}\"\n  pidfile: \"{at}/nsd.pid\"\nremote-control:\n  \
             control-enable: no\nzone:\n  name: \"example.org\"\n  zonefile: \"zone\"\n"));
        lab.publish(&[]);
        Some(lab)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The zone with these records.
    fn publish(&self, records: &[&str]) {
        let base = "$ORIGIN example.org.\n$TTL 60\n@ SOA ns postmaster 1 60 60 60 60\n@ NS ns\n@ MX 10 mail\nns A 127.0.0.1\nmail A 127.0.0.1\n";
        self.write("zone", &format!("{base}{}\n", records.join("\n")));
    }

    fn run(&self, words: &[&str]) -> Output {
        let root = self.root.path().display().to_string();
        let namespaces = ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"];
        let mut command = Command::new("/usr/bin/unshare");
        command.args(namespaces).args(["/bin/sh", "-c", INSIDE, "sh", &root]).args(words);
        command.output().unwrap()
    }

    /// What the command says; it must end with this status.
    fn step(&self, status: i32, more: &[&str]) -> String {
        let scope = ["harden", "dkim", "example.org", "--resolver", "127.0.0.1:53", "--no-log", "--yes"];
        let start = [env!("CARGO_BIN_EXE_mailward"), "--config", "/etc/mailward.toml"];
        let output = self.run(&[&start[..], &scope[..], more].concat());
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.code(), Some(status), "{said}");
        assert!(!said.contains("PRIVATE KEY"), "{said}");
        said
    }

    /// What the signer puts on a message verifies with a record; the signature's selector.
    fn signs(&self, signer: &str, record: &str) -> String {
        let output = self.run(&["/bin/sh", "-c", signer]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let all: Vec<String> = match serde_json::from_str::<serde_json::Value>(&said) {
            Ok(reply) => match reply.get("dkim-signature").cloned().unwrap_or_default() {
                serde_json::Value::Array(several) => several,
                one => vec![one],
            }
            .iter()
            .filter_map(|value| Some(value.as_str()?.to_owned()))
            .collect(),
            Err(_) => vec![said.replace('\n', "\r\n").trim_end().to_owned()],
        };
        let selector =
            |value: &str| value.split(';').find_map(|tag| tag.trim().strip_prefix("s=").map(str::to_owned));
        let own =
            all.iter().find(|value| selector(value).is_some_and(|selector| record.starts_with(&selector)));
        let value = own.or(all.first()).cloned().unwrap_or_default();
        assert!(value.contains("d=example.org"), "{said} {}", String::from_utf8_lossy(&output.stderr));
        let data: String = record.split('"').skip(1).step_by(2).collect();
        let message = format!(
            "DKIM-Signature:{}{value}\r\n{MAIL}\0{data}",
            if value.starts_with(' ') { "" } else { " " }
        );
        self.write("message", &message);
        let input = fs::File::open(self.root.path().join("message")).unwrap();
        let verified = Command::new("/usr/bin/python3").args(["-c", VERIFY]).stdin(input).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&verified.stdout), "True\n", "{message}");
        selector(&value).unwrap()
    }

    /// The record that is to be published.
    fn record(said: &str) -> String {
        let line = said.lines().find(|line| line.contains("_domainkey.example.org. IN TXT"));
        line.unwrap_or_else(|| panic!("{said}")).to_owned()
    }

    /// From no key at all to one, and from that to the next, with its table's file.
    fn whole_life(&self, signer: &str, table: &str) -> String {
        assert!(self.step(0, &["--dry-run"]).contains("step 1 of 6"));
        let first = Self::record(&self.step(1, &[]));
        assert!(self.step(1, &[]).contains("step 2 of 6"), "nothing is published yet");
        self.publish(&[&first]);
        assert!(self.step(0, &[]).contains("Nothing is to be done"));
        let selector = self.signs(signer, &first);
        assert!(first.starts_with(&selector), "{first}");

        let second = Self::record(&self.step(1, &["--renew"]));
        assert_eq!(self.signs(signer, &first), selector, "the new key does not sign yet");
        self.publish(&[&first, &second]);
        assert!(self.step(1, &[]).contains("step 4 of 6"));
        let now = self.signs(signer, &second);
        assert!(now != selector && second.starts_with(&now), "{second}");

        let table = self.root.path().join(table);
        let week = std::time::SystemTime::now() - std::time::Duration::from_secs(8 * 86_400);
        fs::File::options().write(true).open(&table).unwrap().set_modified(week).unwrap();
        assert!(self.step(1, &[]).contains("step 5 of 6"));
        self.publish(&[&second]);
        assert!(self.step(0, &[]).contains("step 6 of 6"));
        assert!(self.step(0, &[]).contains("Nothing is to be done"));
        assert_eq!(self.signs(signer, &second), now);
        second
    }
}

#[test]
fn opendkim_gets_tables_a_key_and_the_next_one() {
    let Some(lab) = Lab::new(&["/usr/sbin/opendkim", "/usr/bin/miltertest"]) else { return };
    // As Debian ships it.
    lab.write("etc/opendkim.conf", "Syslog yes\nCanonicalization relaxed/simple\nOversignHeaders From\nUserID opendkim\nUMask 007\nSocket local:/run/opendkim/opendkim.sock\n");
    lab.whole_life(OPENDKIM, "etc/dkimkeys/SigningTable");
    let main = fs::read_to_string(lab.root.path().join("etc/postfix/main.cf")).unwrap();
    for line in [
        "smtpd_milters = inet:127.0.0.1:8891",
        "non_smtpd_milters = inet:127.0.0.1:8891",
        "milter_default_action = accept",
    ] {
        assert!(main.contains(line), "{main}");
    }
    let left = fs::read_dir(lab.root.path().join("etc/dkimkeys/keys/example.org")).unwrap();
    assert_eq!(left.count(), 1, "the old key is gone");
}

#[test]
fn rspamd_gets_a_key_and_the_next_one() {
    let Some(lab) = Lab::new(&["/usr/bin/rspamd"]) else { return };
    fs::remove_file(lab.root.path().join("etc/opendkim.conf")).ok();
    // Its list of top-level domains takes half a minute to compile where there is no hyperscan.
    lab.write("etc/tld.dat", "org\nnet\n");
    lab.write("etc/rspamd/local.d/options.inc", "url_tld = \"/etc/tld.dat\";\n");
    fs::create_dir_all(lab.root.path().join("rspamd")).unwrap();
    let owned =
        Command::new("/bin/chown").arg("_rspamd:_rspamd").arg(lab.root.path().join("rspamd")).status();
    assert!(owned.unwrap().success());
    let rsa = lab.whole_life(RSPAMD, "etc/rspamd/local.d/dkim_signing.conf");

    let edwards = Lab::record(&lab.step(1, &["--ed25519"]));
    assert!(edwards.contains("k=ed25519"), "{edwards}");
    lab.publish(&[&rsa, &edwards]);
    lab.step(0, &["--ed25519"]);
    // Both sign, and dkimpy verifies both.
    let (one, other) = (lab.signs(RSPAMD, &rsa), lab.signs(RSPAMD, &edwards));
    assert!(rsa.starts_with(&one) && edwards.starts_with(&other), "{one} {other}");
}
