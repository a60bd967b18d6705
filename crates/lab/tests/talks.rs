//! What the audit's talks are told by a real Postfix and Dovecot, and what they leave behind there.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test panics where it fails, and says where it cannot run"
)]

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use mailward_audit::Known;
use mailward_audit::facts::Talk;
use mailward_lab::topology::{DOMAINS, HOSTNAME, MAIL4, Place};
use mailward_lab::{Lab, Options, Program, missing};
use mailward_probe::talk::{Manners, PORTS, Target, talk};

fn in_mail_host(lab: &Lab, words: &[&str]) -> String {
    let (program, args) = words.split_first().unwrap();
    let args: Vec<_> = args.iter().map(Into::into).collect();
    let output = lab.command(Place::Mail, program.as_ref(), &args).unwrap().output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Talks to all ports at once.
fn talks(lab: &Lab, from: Place, to: IpAddr) -> BTreeMap<u16, Talk> {
    let manners = Manners {
        hello: "mailward-audit.example.com".to_owned(),
        domains: DOMAINS.map(str::to_owned).to_vec(),
        deadline: Duration::from_secs(20),
    };
    std::thread::scope(|scope| {
        let begin = |(port, service, implicit_tls)| {
            let address = SocketAddr::new(to, port);
            let target = Target { host: HOSTNAME.to_owned(), address, service, implicit_tls };
            let manners = &manners;
            scope.spawn(move || lab.within(from, || Ok(talk(&target, manners))).unwrap())
        };
        let running: Vec<_> = PORTS.into_iter().map(begin).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).map(|talk| (talk.port, talk)).collect()
    })
}

fn offers(capabilities: &Known<Vec<String>>, name: &str) -> Option<String> {
    let lines = capabilities.known().expect("capabilities");
    Talk::offers(lines, name).map(|words| words.join(" "))
}

fn reply<'t>(talk: &'t Talk, name: &str) -> &'t str {
    &talk.tried(name).unwrap_or_else(|| panic!("{name} was not tried: {talk:?}")).reply
}

/// One test, because bringing the lab up is what takes time.
#[test]
fn a_real_server_tells() {
    let problems = missing();
    if !problems.is_empty() {
        eprintln!("SKIPPED: the lab cannot run here: {}", problems.join("; "));
        return;
    }
    let id = std::process::id();
    let dir = std::env::temp_dir().join(format!("mailward-talks-{id}"));
    let options = Options {
        dir: dir.clone(),
        prefix: format!("mwk{id}"),
        quick: true,
        leased: true,
        ..Options::default()
    };
    let program = Program { path: PathBuf::from(env!("CARGO_BIN_EXE_mailward-lab")), args: Vec::new() };
    let lab = Lab::up(options, &program).unwrap();

    let outside = talks(&lab, Place::Good, MAIL4.into());
    every_talk_is_whole(&outside);
    the_exchanger_tells(&outside[&25]);
    assert!(
        outside[&25].greeting_ms >= 1900,
        "postscreen lets strangers wait: {} ms",
        outside[&25].greeting_ms
    );
    strangers_may_not_relay(&outside[&25]);
    submission_wants_tls_and_a_login(&outside[&587], &outside[&465]);
    imap_hides_passwords(&outside[&143], &outside[&993]);
    pop3_hides_passwords(&outside[&110], &outside[&995]);
    sieve_hides_passwords(&outside[&4190]);

    let within = talks(&lab, Place::Mail, IpAddr::from([127, 0, 0, 1]));
    every_talk_is_whole(&within);
    assert!(reply(&within[&25], "relay-empty-sender").starts_with("250"), "this host may relay");
    without_postscreen(&lab);
    a_421_ends_it(&lab);
    nothing_was_sent(&lab);
    nobody_listens(&lab);

    lab.down().unwrap();
    std::fs::remove_dir_all(dir).unwrap();
}

fn every_talk_is_whole(talks: &BTreeMap<u16, Talk>) {
    for talk in talks.values() {
        assert_eq!(talk.ended, "", "{talk:?}");
        assert!(talk.greeting.known().is_some(), "{talk:?}");
        assert!(talk.secured.known().is_some(), "{talk:?}");
        assert_eq!(talk.plain.known().is_some(), !talk.implicit_tls, "{talk:?}");
        assert!((1..=5).contains(&talk.connections), "{} connections to {}", talk.connections, talk.port);
        assert!(!talk.source.is_empty());
    }
}

fn the_exchanger_tells(talk: &Talk) {
    assert!(talk.greeting.known().unwrap().starts_with("220"), "{:?}", talk.greeting);
    assert!(talk.greeting.known().unwrap().contains(HOSTNAME), "{:?}", talk.greeting);
    assert!(offers(&talk.plain, "STARTTLS").is_some());
    assert_eq!(offers(&talk.secured, "STARTTLS"), None);
    assert_eq!((offers(&talk.plain, "AUTH"), offers(&talk.secured, "AUTH")), (None, None));
    assert_eq!(offers(&talk.plain, "SIZE").as_deref(), Some("10240000"));
    assert!(talk.tried("expn").unwrap().code() >= 500, "{}", reply(talk, "expn"));
    assert!(reply(talk, "mail-without-helo").starts_with("503"), "{}", reply(talk, "mail-without-helo"));
    for helo in ["malformed-helo", "short-helo"] {
        assert!(talk.tried(helo).unwrap().code() >= 500, "{helo}: {}", reply(talk, helo));
    }
    assert!(reply(talk, "postmaster@example.org").starts_with("250"));
    assert!(reply(talk, "abuse@example.org").starts_with("550"), "{}", reply(talk, "abuse@example.org"));
    for domain in DOMAINS {
        let reply = reply(talk, &format!("nobody@{domain}"));
        assert!(reply.starts_with("550") && reply.contains("unknown"), "{reply}");
    }
}

fn strangers_may_not_relay(talk: &Talk) {
    let shapes: Vec<_> = talk.tried.iter().filter(|tried| tried.name.starts_with("relay-")).collect();
    assert_eq!(shapes.len(), 8);
    assert!(shapes.iter().all(|tried| !tried.is_yes()), "{shapes:?}");
    assert!(shapes.iter().all(|tried| !tried.sent.iter().any(|line| line.starts_with("DATA"))));
    // defer_unauth_destination answers 454.
    let reply = reply(talk, "relay-empty-sender");
    assert!(reply.starts_with("454") && reply.contains("Relay access denied"), "{reply}");
}

fn submission_wants_tls_and_a_login(starttls: &Talk, implicit: &Talk) {
    assert!(offers(&starttls.plain, "STARTTLS").is_some());
    assert_eq!(offers(&starttls.plain, "AUTH"), None);
    assert!(reply(starttls, "mail-before-tls").starts_with("530"));
    for talk in [starttls, implicit] {
        assert_eq!(offers(&talk.secured, "AUTH").as_deref(), Some("PLAIN LOGIN"));
        for name in ["rcpt-without-login", "own-rcpt-without-login"] {
            assert!(reply(talk, name).starts_with("554"), "{name}: {}", reply(talk, name));
            assert!(talk.tried(name).unwrap().secured);
        }
    }
}

fn imap_hides_passwords(starttls: &Talk, implicit: &Talk) {
    assert!(offers(&starttls.plain, "STARTTLS").is_some());
    assert!(offers(&starttls.plain, "LOGINDISABLED").is_some());
    assert_eq!(offers(&starttls.plain, "AUTH=PLAIN"), None);
    for talk in [starttls, implicit] {
        assert!(offers(&talk.secured, "AUTH=PLAIN").is_some());
        assert_eq!(offers(&talk.secured, "LOGINDISABLED"), None);
        assert!(reply(talk, "id").contains("Dovecot"), "{}", reply(talk, "id"));
    }
}

fn pop3_hides_passwords(starttls: &Talk, implicit: &Talk) {
    assert!(offers(&starttls.plain, "STLS").is_some());
    assert_eq!(offers(&starttls.plain, "SASL").as_deref(), Some(""));
    assert_eq!((offers(&starttls.plain, "USER"), starttls.tried("user-before-tls")), (None, None));
    for talk in [starttls, implicit] {
        assert_eq!(offers(&talk.secured, "SASL").as_deref(), Some("PLAIN LOGIN"));
    }
}

fn sieve_hides_passwords(talk: &Talk) {
    assert!(offers(&talk.plain, "STARTTLS").is_some());
    assert_eq!(offers(&talk.plain, "SASL").as_deref(), Some(""));
    assert_eq!(offers(&talk.secured, "SASL").as_deref(), Some("PLAIN LOGIN"));
}

/// smtpd itself on port 25.
fn without_postscreen(lab: &Lab) {
    let postconf = "/usr/sbin/postconf";
    in_mail_host(lab, &[postconf, "-MX", "smtp/inet"]);
    in_mail_host(lab, &[postconf, "-M", "smtp/inet=smtp inet n - y - - smtpd"]);
    in_mail_host(lab, &["/usr/sbin/postfix", "reload"]);
    let talk = &talks(lab, Place::Good, MAIL4.into())[&25];
    assert_eq!(talk.ended, "", "{talk:?}");
    the_exchanger_tells(talk);
    strangers_may_not_relay(talk);
}

fn a_421_ends_it(lab: &Lab) {
    in_mail_host(
        lab,
        &["/usr/sbin/postconf", "-e", "smtpd_hard_error_limit = 1", "smtpd_error_sleep_time = 0"],
    );
    in_mail_host(lab, &["/usr/sbin/postfix", "reload"]);
    let talk = &talks(lab, Place::Good, MAIL4.into())[&25];
    assert!(talk.ended.starts_with("421"), "{talk:?}");
    assert!(talk.connections <= 2, "{talk:?}");
    // What was told before stays.
    assert!(talk.plain.known().is_some());
}

/// No mail is queued, none was delivered, and nobody tried to log in.
fn nothing_was_sent(lab: &Lab) {
    assert_eq!(in_mail_host(lab, &["/usr/sbin/postqueue", "-j"]), "");
    let log = std::fs::read_to_string(lab.mail_log()).unwrap();
    for trace in ["status=sent", "message-id=", "auth failed", "authentication failed", "sasl_username"] {
        assert!(!log.contains(trace), "{trace}: {log}");
    }
}

fn nobody_listens(lab: &Lab) {
    in_mail_host(lab, &["/usr/bin/doveadm", "stop"]);
    let talk = &talks(lab, Place::Good, MAIL4.into())[&993];
    assert_eq!((&talk.greeting, talk.connections), (&Known::Absent, 1), "{talk:?}");
}
