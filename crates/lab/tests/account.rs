//! `mailward account` on a real Postfix and Dovecot: what it opens is open at once, what it closes is closed at once.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test panics where it fails"
)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mailward_lab::attack::{self, Settings};
use mailward_lab::client::{Imap, Mailbox as _, Smtp, Times, Trouble, Trust};
use mailward_lab::topology::{HOME, NORA, OFFICE, Place, ROSA, SAM};
use mailward_lab::{Lab, Options, Program, missing};

/// A new account, and passwords for it.
const VITO: &str = "vito@example.org";
const FIRST: &str = "Cobble-71-lantern-moss";
const SECOND: &str = "Drizzle-26-walnut-pier";

/// The program under test, which Cargo builds beside the lab's.
fn mailward() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_BIN_EXE_mailward-lab")).with_file_name("mailward");
    path.exists().then_some(path)
}

/// The lab, and how `mailward` is called in it.
struct Host {
    lab: Lab,
    mailward: PathBuf,
    trust: Trust,
}

/// What a call said.
struct Said {
    code: Option<i32>,
    text: String,
    took: Duration,
}

impl Host {
    fn command(&self, words: &[&str]) -> Command {
        let args: Vec<_> = words.iter().map(Into::into).collect();
        self.lab.command(Place::Mail, self.mailward.as_os_str(), &args).unwrap()
    }

    fn account(&self, words: &[&str], typed: &str) -> Said {
        self.says(&[&["account"], words].concat(), typed)
    }

    fn says(&self, words: &[&str], typed: &str) -> Said {
        let begun = Instant::now();
        let mut command = self.command(words);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        Said { code: output.status.code(), text, took: begun.elapsed() }
    }

    /// The same, which must have nothing to complain about.
    fn does(&self, words: &[&str], typed: &str) -> Said {
        let said = self.account(words, typed);
        assert_eq!(said.code, Some(0), "{words:?}: {}", said.text);
        said
    }

    fn users(&self) -> PathBuf {
        self.lab.dir().join("etc/dovecot/users")
    }

    fn imap(&self, user: &str, password: &str) -> Option<Imap> {
        let mut imap = Imap::open(HOME.address, 993, Times::HONEST).unwrap();
        imap.hello(&self.trust).unwrap();
        imap.login(user, password).unwrap().then_some(imap)
    }

    fn smtp(&self, port: u16, user: &str, password: &str) -> Option<Smtp> {
        let mut smtp = Smtp::open(HOME.address, port, Times::HONEST).unwrap();
        smtp.hello("[192.168.178.31]", &self.trust).unwrap();
        smtp.auth_plain(user, password).unwrap().good().then_some(smtp)
    }

    fn logs_in(&self, user: &str, password: &str) -> [bool; 3] {
        [
            self.imap(user, password).is_some(),
            self.smtp(587, user, password).is_some(),
            self.smtp(465, user, password).is_some(),
        ]
    }
}

fn is_cut(imap: &mut Imap) -> bool {
    // A last word of Dovecot's may come first.
    imap.conn.drain(Duration::from_secs(5));
    matches!(imap.command("NOOP"), Err(Trouble::Closed))
}

fn smtp_is_cut(smtp: &mut Smtp) -> bool {
    matches!(smtp.command("NOOP"), Err(Trouble::Closed))
}

/// One test, because bringing the lab up is what takes time.
#[test]
fn accounts_open_and_close_at_once() {
    let problems = missing();
    let Some(mailward) = mailward().filter(|_| problems.is_empty()) else {
        let why =
            if problems.is_empty() { "cargo build --bin mailward".to_owned() } else { problems.join("; ") };
        eprintln!("SKIPPED: the lab cannot run here: {why}");
        return;
    };
    let id = std::process::id();
    let dir = std::env::temp_dir().join(format!("mailward-account-{id}"));
    let options = Options {
        dir: dir.clone(),
        prefix: format!("mwa{id}"),
        quick: true,
        leased: true,
        ..Options::default()
    };
    let program = Program { path: PathBuf::from(env!("CARGO_BIN_EXE_mailward-lab")), args: Vec::new() };
    let lab = Lab::up(options, &program).unwrap();
    let trust = Trust::authority(&lab.authority()).unwrap();
    let host = Host { lab, mailward, trust };
    host.lab
        .within(Place::Good, || {
            a_life(&host);
            let took = an_account_is_closed_in_the_middle_of_its_work(&host);
            eprintln!("`account disable` took {took:?}");
            a_password_that_is_changed_ends_what_the_old_one_opened(&host);
            whoever_is_killed_leaves_a_whole_file(&host);
            let took = an_incident_begins_and_ends(&host);
            eprintln!("`incident contain` took {took:?}");
            docker_mailserver_is_changed_through_its_volume(&host);
            accounts_of_a_database_are_listed_and_left_alone(&host);
            Ok(())
        })
        .unwrap();
    host.lab.down().unwrap();
    fs::remove_dir_all(&dir).unwrap();
}

/// Made, usable, listed, deleted; and the file is as it was, byte for byte.
fn a_life(host: &Host) {
    let before = fs::read(host.users()).unwrap();
    let meta = fs::metadata(host.users()).unwrap();
    let said = host.account(&["add", VITO], &format!("{FIRST}\n"));
    assert!(said.text.contains("virtual_mailbox_maps"), "{}", said.text);
    assert_eq!(host.logs_in(VITO, FIRST), [true; 3], "usable at once");
    assert_eq!(host.logs_in(VITO, SECOND), [false; 3]);
    assert!(host.imap(VITO, FIRST).unwrap().command("SELECT INBOX").unwrap().0);
    let text = fs::read_to_string(host.users()).unwrap();
    let line = text.lines().last().unwrap();
    assert!(line.starts_with("vito@example.org:{ARGON2ID}$argon2id$v=19$m=19456,t=2,p=1$"), "{line}");
    assert!(line.ends_with(":5000:5000::/var/mail/vhosts/example.org/vito::"), "{line}");
    let now = fs::metadata(host.users()).unwrap();
    assert_eq!((now.mode(), now.uid(), now.gid()), (meta.mode(), meta.uid(), meta.gid()));
    let list = host.does(&["list"], "").text;
    assert!(list.contains(VITO) && list.contains(NORA.name) && !list.contains("$argon2id$"), "{list}");
    for (words, typed, why) in [
        (["add", VITO].as_slice(), FIRST, "there already"),
        (&["add", "../x@example.org"], FIRST, "'/'"),
        (&["add", "emil@example.org"], "passwordpassword", "everybody tries first"),
        (&["passwd", VITO], "vito-lives-here-9", "own name"),
        (&["passwd", "nobody@example.org"], FIRST, "no account"),
        (&["enable", VITO], "", "not disabled"),
    ] {
        let said = host.account(words, &format!("{typed}\n"));
        assert!(matches!(said.code, Some(1 | 2)) && said.text.contains(why), "{words:?}: {}", said.text);
        assert!(typed.is_empty() || !said.text.contains(typed), "{}", said.text);
        assert_eq!(fs::read_to_string(host.users()).unwrap(), text);
    }
    let said = host.account(&["delete", VITO], "");
    assert!(said.text.contains("/var/mail/vhosts/example.org/vito"), "{}", said.text);
    assert_eq!(host.logs_in(VITO, FIRST), [false; 3]);
    assert!(host.lab.dir().join("mail/vhosts/example.org/vito/Maildir").is_dir(), "its mail stays");
    assert_eq!(fs::read(host.users()).unwrap(), before);
}

/// Gives how long closing took; when it comes back, nobody is connected any more.
fn an_account_is_closed_in_the_middle_of_its_work(host: &Host) -> Duration {
    let before = fs::read(host.users()).unwrap();
    let mut imap = host.imap(NORA.name, NORA.password).unwrap();
    let mut other = host.imap(SAM.name, SAM.password).unwrap();
    // Whose this one is, the log tells.
    let mut told = host.smtp(587, SAM.name, SAM.password).unwrap();
    assert!(told.message(SAM.name, &[SAM.name.to_owned()], "Subject: mine\n\nHello.\n").unwrap().good());
    let mut idle = host.smtp(587, NORA.name, NORA.password).unwrap();
    let mut busy = host.smtp(465, NORA.name, NORA.password).unwrap();
    for command in ["MAIL FROM:<nora@example.org>", "RCPT TO:<sam@example.net>", "DATA"] {
        assert!(busy.command(command).unwrap().good());
    }
    busy.conn.line("Subject: cut\r\n\r\nHalf of a").unwrap();
    let sessions = host.does(&["sessions"], "").text;
    for part in [NORA.name, "imap", "submission", "submissions", &HOME.address.to_string()] {
        assert!(sessions.contains(part), "{part}: {sessions}");
    }
    let said = host.does(&["disable", NORA.name], "");
    assert!(is_cut(&mut imap) && smtp_is_cut(&mut idle) && smtp_is_cut(&mut busy), "{}", said.text);
    assert!(other.command("NOOP").unwrap().0, "somebody else's session stays");
    assert!(told.command("NOOP").unwrap().good(), "somebody else's session stays: {}", said.text);
    assert_eq!(host.logs_in(NORA.name, NORA.password), [false; 3]);
    assert_eq!(host.logs_in(SAM.name, SAM.password), [true; 3], "the services go on");
    let took = said.took;
    // Mail still comes in.
    let mut office = Smtp::open(OFFICE.address, 465, Times::HONEST).unwrap();
    office.hello("office", &host.trust).unwrap();
    office.auth_plain(SAM.name, SAM.password).unwrap();
    let sent = office.message(SAM.name, &[NORA.name.to_owned()], "Subject: still\n\nThere.\n").unwrap();
    assert!(sent.good(), "{sent:?}");
    host.does(&["disable", NORA.name], "");
    host.does(&["enable", NORA.name], "");
    assert_eq!(fs::read(host.users()).unwrap(), before, "byte for byte");
    assert_eq!(host.logs_in(NORA.name, NORA.password), [true; 3]);
    took
}

fn a_password_that_is_changed_ends_what_the_old_one_opened(host: &Host) {
    let before = fs::read_to_string(host.users()).unwrap();
    let mut imap = host.imap(NORA.name, NORA.password).unwrap();
    let mut smtp = host.smtp(587, NORA.name, NORA.password).unwrap();
    let said = host.does(&["passwd", NORA.name, "--generate"], "");
    assert!(is_cut(&mut imap) && smtp_is_cut(&mut smtp));
    let made = said.text.lines().find_map(|line| line.strip_prefix("password: ")).unwrap().to_owned();
    assert_eq!(host.logs_in(NORA.name, NORA.password), [false; 3]);
    assert_eq!(host.logs_in(NORA.name, &made), [true; 3]);
    // Again in the same second: the new hash is as long as the old one.
    host.does(&["passwd", NORA.name, "--keep-sessions"], SECOND);
    host.does(&["passwd", NORA.name, "--keep-sessions"], FIRST);
    assert_eq!(host.logs_in(NORA.name, FIRST), [true; 3]);
    assert_eq!(host.logs_in(NORA.name, SECOND), [false; 3]);
    let after = fs::read_to_string(host.users()).unwrap();
    let others = |text: &str| {
        text.lines().filter(|line| !line.starts_with(NORA.name)).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(others(&after), others(&before));
}

/// A stolen password: what it sent is held, whoever uses it is cut off, the story names him, and the owner gets the account back.
fn an_incident_begins_and_ends(host: &Host) -> Duration {
    in_mail_host(host, &["/usr/sbin/postconf", "-e", "defer_transports = smtp"]);
    in_mail_host(host, &["/usr/sbin/postfix", "reload"]);
    let before = fs::read(host.users()).unwrap();
    let mut imap = host.imap(ROSA.name, ROSA.password).unwrap();
    let mut sam = host.smtp(587, SAM.name, SAM.password).unwrap();
    assert!(
        sam.message(SAM.name, &["kim@partner.example".to_owned()], "Subject: a\n\nMine.\n").unwrap().good()
    );
    let spam = attack::named("spam-burst").unwrap();
    let settings = Settings { count: Some(40), settle: Duration::ZERO, ..Settings::default() };
    let burst = attack::run(&host.lab, &spam, &settings).unwrap();
    assert!(burst.notes.get("messages_accepted").is_some_and(|accepted| *accepted > 10), "{burst:?}");
    let queued = queue(host);
    let [(_, all)] = queued.as_slice() else { panic!("{queued:?}") };
    let spam = all - 1;
    let mut smtp = host.smtp(587, ROSA.name, ROSA.password).unwrap();

    let said = host.says(&["incident", "contain", ROSA.name], "");
    assert!(is_cut(&mut imap) && smtp_is_cut(&mut smtp), "{}", said.text);
    assert_eq!(host.logs_in(ROSA.name, ROSA.password), [false; 3], "{}", said.text);
    assert!(said.text.contains(&format!("{spam} message(s) in the queue are on hold")), "{}", said.text);
    assert_eq!(queue(host), [("deferred".to_owned(), 1), ("hold".to_owned(), spam)]);
    let took = said.took;

    let story = host.says(&["incident", "timeline", ROSA.name, "--format", "json", "/var/log/mail.log"], "");
    let story: serde_json::Value = serde_json::from_str(&story.text).unwrap();
    let bad = story.pointer("/first_bad/address").unwrap().as_str().unwrap();
    assert_eq!(bad, burst.from[0].to_string(), "{story:#}");
    let what: Vec<&str> =
        story["steps"].as_array().unwrap().iter().filter_map(|step| step["what"].as_str()).collect();
    assert!(what.contains(&"sent") && what.contains(&"contained"), "{what:?}");

    // Again, and by an interrupted operator: the same incident.
    let again = host.says(&["incident", "contain", ROSA.name], "");
    assert!(!again.text.contains("on hold"), "{}", again.text);
    assert_eq!(host.says(&["incident", "close", "nobody@example.org"], "").code, Some(2));
    let closed = host.says(&["incident", "close", ROSA.name, "--discard"], &format!("{SECOND}\n"));
    assert_eq!(closed.code, Some(0), "{}", closed.text);
    assert_eq!(host.logs_in(ROSA.name, SECOND), [true; 3], "{}", closed.text);
    assert_eq!(host.logs_in(ROSA.name, ROSA.password), [false; 3]);
    assert_eq!(queue(host), [("deferred".to_owned(), 1)], "{}", closed.text);
    let list = host.says(&["incident", "list"], "").text;
    assert!(list.contains(ROSA.name) && !list.contains("it lasts"), "{list}");

    // Taken back whole: nothing thrown away, the password that it had.
    let held = host.says(&["incident", "contain", SAM.name], "");
    assert!(held.text.contains("1 message(s) in the queue are on hold"), "{}", held.text);
    host.says(&["incident", "close", SAM.name, "--keep-password", "--release"], "");
    assert_eq!(host.logs_in(SAM.name, SAM.password), [true; 3]);
    assert_eq!(queue(host), [("deferred".to_owned(), 1)]);
    fs::write(host.users(), before).unwrap();
    in_mail_host(host, &["/usr/sbin/postconf", "-X", "defer_transports"]);
    in_mail_host(host, &["/usr/sbin/postfix", "reload"]);
    took
}

fn in_mail_host(host: &Host, words: &[&str]) -> String {
    let (program, args) = words.split_first().unwrap();
    let args: Vec<_> = args.iter().map(Into::into).collect();
    let output = host.lab.command(Place::Mail, program.as_ref(), &args).unwrap().output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// How many messages are in which queue.
fn queue(host: &Host) -> Vec<(String, usize)> {
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    for line in in_mail_host(host, &["/usr/sbin/postqueue", "-j"]).lines() {
        let message: serde_json::Value = serde_json::from_str(line).unwrap();
        let name = message["queue_name"].as_str().unwrap().to_owned();
        *names.entry(if name == "active" { "deferred".to_owned() } else { name }).or_default() += 1;
    }
    names.into_iter().collect()
}

/// The mail host as a container: reached by a prefix, with docker-mailserver's file in a volume, and its working copy inside.
fn docker_mailserver_is_changed_through_its_volume(host: &Host) {
    let etc = host.lab.dir().join("etc/dovecot");
    let users = fs::read_to_string(host.users()).unwrap();
    let rosa = users.lines().find(|line| line.starts_with(ROSA.name)).unwrap();
    let hash = rosa.split(':').nth(1).unwrap();
    // As its helpers/accounts.sh writes it: an alias has a copy of the account's line.
    let userdb = format!("{users}info@example.org:{hash}:5000:5000::/var/mail/vhosts/example.org/rosa::\n");
    fs::write(etc.join("userdb"), &userdb).unwrap();
    fs::remove_file(host.users()).unwrap();
    symlink("userdb", host.users()).unwrap();
    let volume = host.lab.dir().join("dms/config");
    fs::create_dir_all(&volume).unwrap();
    let accounts = volume.join("postfix-accounts.cf");
    let given = format!("# given\n{}|{hash}\n", ROSA.name);
    fs::write(&accounts, &given).unwrap();
    let compose = volume.with_file_name("compose.yaml");
    fs::write(
        &compose,
        "services:\n  mailserver:\n    volumes:\n      - ./config/:/tmp/docker-mailserver/\n",
    )
    .unwrap();
    let prefix = format!("nsenter -t {} -n -m -p -u -i --wd --", host.lab.running().unwrap());
    let account = |words: &[&str]| {
        let mut command = Command::new(&host.mailward);
        command.args(["account", "--prefix", &prefix, "--compose"]).arg(&compose).args(words);
        let output = command.output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(0), "{words:?}: {text}");
    };
    let mut imap = host.imap(ROSA.name, ROSA.password).unwrap();
    // Dovecot looks at the file once a second.
    let mut alias = (0..50).find_map(|_| host.imap("info@example.org", ROSA.password)).unwrap();
    let mut smtp = host.smtp(587, "info@example.org", ROSA.password).unwrap();
    account(&["disable", ROSA.name]);
    assert!(is_cut(&mut imap) && is_cut(&mut alias) && smtp_is_cut(&mut smtp));
    assert_eq!(host.logs_in(ROSA.name, ROSA.password), [false; 3]);
    assert_eq!(host.logs_in("info@example.org", ROSA.password), [false; 3]);
    assert_eq!(host.logs_in(SAM.name, SAM.password), [true; 3]);
    let mark = format!("{{SHA512-CRYPT}}!LOCKED-BY-MAILWARD!{hash}");
    assert_eq!(fs::read_to_string(&accounts).unwrap(), given.replace(hash, &mark));
    assert_eq!(fs::read_to_string(etc.join("userdb")).unwrap(), userdb.replace(hash, &mark));
    account(&["enable", ROSA.name]);
    assert_eq!(fs::read_to_string(&accounts).unwrap(), given);
    assert_eq!(fs::read_to_string(etc.join("userdb")).unwrap(), userdb);
    assert_eq!(fs::metadata(etc.join("userdb")).unwrap().mode() & 0o7777, 0o640);
    assert_eq!(host.logs_in(ROSA.name, ROSA.password), [true; 3]);
}

/// Dovecot asks something else for passwords than a file: any other driver stands for SQL and LDAP.
fn accounts_of_a_database_are_listed_and_left_alone(host: &Host) {
    let path = host.lab.dir().join("etc/dovecot/conf.d/auth-passwdfile.conf.ext");
    let text = fs::read_to_string(&path).unwrap();
    let (passdb, rest) = text.split_once('}').unwrap();
    let passdb =
        passdb.replace("driver = passwd-file", "driver = static").replace("scheme=CRYPT", "password=x #");
    fs::write(&path, format!("{passdb}}}{rest}")).unwrap();
    let list = host.does(&["list"], "").text;
    assert!(list.contains(NORA.name) && list.contains("elsewhere"), "{list}");
    for words in [["disable", NORA.name], ["passwd", NORA.name], ["add", VITO]] {
        let said = host.account(&words, FIRST);
        assert!(said.code == Some(3) && said.text.contains("Dovecot asks static"), "{}", said.text);
    }
    let mut imap = host.imap(SAM.name, SAM.password).unwrap();
    host.does(&["sessions", "--end", SAM.name], "");
    assert!(is_cut(&mut imap));
}

/// Killed at any moment, it leaves the file before or the file after.
fn whoever_is_killed_leaves_a_whole_file(host: &Host) {
    let others = |text: &str| {
        text.lines().filter(|line| !line.starts_with(NORA.name)).map(str::to_owned).collect::<Vec<_>>()
    };
    let before = others(&fs::read_to_string(host.users()).unwrap());
    let whole = host.does(&["passwd", NORA.name, "--generate", "--keep-sessions"], "").took;
    for part in 1..=12 {
        let mut command = host.command(&["account", "passwd", NORA.name, "--generate", "--keep-sessions"]);
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(whole * part / 12);
        // The child entered the namespaces; its only child is the program.
        let inner =
            fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).unwrap_or_default();
        for pid in inner.split_ascii_whitespace() {
            // It may have ended by itself.
            let _ = Command::new("/bin/kill").args(["-9", pid]).status();
        }
        child.wait().unwrap();
        let text = fs::read_to_string(host.users()).unwrap();
        let line = text.lines().find(|line| line.starts_with(NORA.name)).unwrap();
        assert!(line.contains("$argon2id$") && line.ends_with("::"), "{line}");
        assert_eq!(others(&text), before);
    }
    // What was left behind is in nobody's way.
    host.does(&["passwd", NORA.name], FIRST);
    assert_eq!(host.logs_in(NORA.name, FIRST), [true; 3]);
}
