//! What becomes of the audit's test mails on a real Postfix: which false ends of a mail it obeys under which setting, and whether a
//! real filter is seen to catch what it must.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test panics where it fails, and says where it cannot run"
)]

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mailward_audit::facts::{FalseEnd, MailService, Talk, Trial};
use mailward_audit::{Facts, Judged, Outcome, Server, find};
use mailward_lab::topology::{HOSTNAME, MAIL4, Place};
use mailward_lab::{Lab, Options, Program, missing};
use mailward_probe::talk::{Mailing, Manners, Target, trial, wrong_passwords};

const RECIPIENT: &str = "pia@example.org";
const RSPAMD: &str = "/usr/bin/rspamd";

fn in_mail_host(lab: &Lab, words: &[&str]) -> String {
    let (program, args) = words.split_first().unwrap();
    let args: Vec<_> = args.iter().map(Into::into).collect();
    let output = lab.command(Place::Mail, program.as_ref(), &args).unwrap().output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn set(lab: &Lab, settings: &[&str]) {
    in_mail_host(lab, &[&["/usr/sbin/postconf", "-e"], settings].concat());
    let old = servers(lab);
    in_mail_host(lab, &["/usr/sbin/postfix", "reload"]);
    // One that waits for a client may take one more before it notices, with the settings of before.
    let end = Instant::now() + Duration::from_secs(60);
    while servers(lab).iter().any(|server| old.contains(server)) {
        assert!(Instant::now() < end, "smtpd of before the reload: {old:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The processes that talk to clients.
fn servers(lab: &Lab) -> BTreeSet<String> {
    let listed = in_mail_host(lab, &["/usr/bin/ps", "-C", "smtpd,ps", "-o", "pid=,comm="]);
    let smtpd = listed.lines().filter(|line| line.ends_with("smtpd"));
    smtpd.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// The words before a command of the mail host's.
fn inside(lab: &Lab) -> mailward_probe::Place {
    let words = lab.command(Place::Mail, "true".as_ref(), &[]).unwrap();
    let program = words.get_program().to_string_lossy().into_owned();
    let args = words.get_args().map(|arg| arg.to_string_lossy().into_owned());
    let mut prefix: Vec<String> = std::iter::once(program).chain(args).collect();
    prefix.pop();
    mailward_probe::Place::behind(&prefix)
}

fn manners() -> Manners {
    Manners {
        hello: "mailward-audit.example.com".to_owned(),
        domains: Vec::new(),
        deadline: Duration::from_secs(20),
    }
}

/// A stranger's test mails.
fn tried(lab: &Lab, token: &str) -> Trial {
    let address = SocketAddr::new(IpAddr::V4(MAIL4), 25);
    let target =
        Target { host: HOSTNAME.to_owned(), address, service: MailService::Smtp, implicit_tls: false };
    let mailing = Mailing {
        recipient: RECIPIENT.to_owned(),
        token: token.to_owned(),
        log: Some(lab.mail_log()),
        place: Some(inside(lab)),
    };
    let trial = lab.within(Place::Good, || Ok(trial(&target, &manners(), &mailing))).unwrap();
    assert_eq!(trial.ended, "", "{trial:?}");
    assert_eq!((trial.samples.len(), trial.ends.len()), (2, 11), "{trial:?}");
    trial
}

fn judged(id: &str, trial: &Trial) -> Judged {
    let mut facts = Facts { trials: vec![trial.clone()], ..Facts::default() };
    facts.about.remote = true;
    (find(id).unwrap().1.judge)(&Server::new(&facts))
}

/// One test, because bringing the lab up is what takes time.
#[test]
fn a_real_server_is_tried() {
    let problems = missing();
    if !problems.is_empty() {
        eprintln!("SKIPPED: the lab cannot run here: {}", problems.join("; "));
        return;
    }
    let id = std::process::id();
    let dir = std::env::temp_dir().join(format!("mailward-trials-{id}"));
    let options = Options {
        dir: dir.clone(),
        prefix: format!("mwt{id}"),
        quick: true,
        leased: true,
        ..Options::default()
    };
    let program = Program { path: PathBuf::from(env!("CARGO_BIN_EXE_mailward-lab")), args: Vec::new() };
    let lab = Lab::up(options, &program).unwrap();
    let postconf = "/usr/sbin/postconf";
    in_mail_host(&lab, &[postconf, "-MX", "smtp/inet"]);
    in_mail_host(&lab, &[postconf, "-M", "smtp/inet=smtp inet n - y - - smtpd"]);

    bare_newlines(&lab);
    without_a_filter(&lab);
    failed_logins_are_alike(&lab);
    with_rspamd(&lab);

    lab.down().unwrap();
    std::fs::remove_dir_all(dir).unwrap();
}

/// Postfix takes any line that ends in a newline for a line, unless it is told not to (SMTP smuggling, CVE-2023-51764).
fn bare_newlines(lab: &Lab) {
    let obeyed = ["<LF>.<LF>", "<LF>.<CR><LF>", "<CR><LF>.<LF>", "<CR><LF>.<CR><CR><LF>"];
    let pipelining = "smtpd_data_restrictions = reject_unauth_pipelining";
    for (settings, ended, let_in) in [
        (["smtpd_forbid_bare_newline = no", "smtpd_data_restrictions ="], &obeyed[..], &obeyed[..]),
        (["smtpd_forbid_bare_newline = no", pipelining], &obeyed[..], &[]),
        (["smtpd_forbid_bare_newline = normalize", "smtpd_data_restrictions ="], &[], &[]),
        (["smtpd_forbid_bare_newline = reject", "smtpd_data_restrictions ="], &[], &[]),
    ] {
        set(lab, &settings);
        let trial = tried(lab, &format!("bare-{}", settings.join("-").len()));
        let names = |is: fn(&FalseEnd) -> bool| -> BTreeSet<String> {
            trial.ends.iter().filter(|end| is(end)).map(|end| end.name.clone()).collect()
        };
        let wanted = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(names(FalseEnd::is_obeyed), wanted(ended), "{settings:?}: {trial:?}");
        assert_eq!(names(FalseEnd::lets_in), wanted(let_in), "{settings:?}: {trial:?}");
        match judged("SMT-014", &trial) {
            Ok(Outcome::Fail(_)) => assert!(!let_in.is_empty(), "{settings:?}"),
            Ok(Outcome::Pass(shown)) => assert!(let_in.is_empty(), "{settings:?}: {shown}"),
            other => panic!("{settings:?}: {other:?}"),
        }
    }
    set(lab, &["smtpd_forbid_bare_newline = normalize"]);
}

fn without_a_filter(lab: &Lab) {
    let trial = tried(lab, "plain");
    for sample in &trial.samples {
        assert!(sample.reply.known().unwrap().starts_with("250"), "{sample:?}");
        assert!(sample.log.iter().any(|line| line.contains("status=sent")), "{sample:?}");
        assert!(sample.stored.known().unwrap().iter().any(|field| field == "mailbox: INBOX"), "{sample:?}");
    }
    let Ok(Outcome::Fail(findings)) = judged("AVS-008", &trial) else {
        panic!("{:?}", judged("AVS-008", &trial))
    };
    let subjects: Vec<_> = findings.iter().map(|finding| finding.subject.as_str()).collect();
    assert_eq!(subjects, ["GTUBE", "EICAR"]);
    // A false end that is passed over leaves nothing behind.
    let search = ["/usr/bin/doveadm", "search", "-u", RECIPIENT, "header", "message-id", "plain.end"];
    assert_eq!(in_mail_host(lab, &search), "");
}

/// Dovecot does not tell a wrong password from an account that nobody has.
fn failed_logins_are_alike(lab: &Lab) {
    let address = SocketAddr::new(IpAddr::V4(MAIL4), 993);
    let target =
        Target { host: HOSTNAME.to_owned(), address, service: MailService::Imap, implicit_tls: true };
    let tried = lab.within(Place::Good, || Ok(wrong_passwords(&target, &manners(), RECIPIENT))).unwrap();
    assert_eq!(tried.len(), 2, "{tried:?}");
    assert!(tried.iter().all(|tried| tried.reply.contains("[AUTHENTICATIONFAILED]")), "{tried:?}");
    let talk = Talk { port: 993, service: MailService::Imap, tried, ..Talk::default() };
    let facts = Facts { talks: vec![talk], ..Facts::default() };
    let judged = (find("DOV-023").unwrap().1.judge)(&Server::new(&facts));
    assert!(matches!(judged, Ok(Outcome::Pass(_))), "{judged:?}");
}

/// Rspamd as a milter refuses GTUBE, and without a virus scanner it takes EICAR for any mail.
fn with_rspamd(lab: &Lab) {
    if !Path::new(RSPAMD).exists() {
        eprintln!("SKIPPED: {RSPAMD} is not installed");
        return;
    }
    let user = ["/usr/bin/install", "-d", "-o", "_rspamd", "-g", "_rspamd"];
    in_mail_host(lab, &[&user[..], &["/var/lib/rspamd", "/var/log/rspamd", "/run/rspamd"]].concat());
    let args = ["-f", "-u", "_rspamd", "-g", "_rspamd"].map(Into::into);
    let rspamd = lab.spawn(Place::Mail, RSPAMD.as_ref(), &args, "rspamd.err").unwrap();
    listens(lab, 11332);
    set(lab, &["smtpd_milters = inet:127.0.0.1:11332", "milter_default_action = tempfail"]);
    let trial = tried(lab, "rspamd");
    let Ok(Outcome::Fail(findings)) = judged("AVS-008", &trial) else {
        panic!("{:?}", judged("AVS-008", &trial))
    };
    let subjects: Vec<_> = findings.iter().map(|finding| finding.subject.as_str()).collect();
    assert_eq!(subjects, ["EICAR"], "{trial:?}");
    rspamd.stop(Duration::from_secs(5)).unwrap();
}

fn listens(lab: &Lab, port: u16) {
    let end = Instant::now() + Duration::from_secs(60);
    let there = || lab.within(Place::Mail, || Ok(TcpStream::connect(("127.0.0.1", port)).is_ok())).unwrap();
    while !there() {
        assert!(Instant::now() < end, "nobody listens on {port}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
