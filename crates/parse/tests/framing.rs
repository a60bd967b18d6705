//! What loggers put around a message: each frame gives the same event.

mod support;

use mailward_model::{Event, Timestamp};
use mailward_parse::{Context, Parser};
use support::{parser, render};

/// Reads one line and compares `time host tag[pid] event`.
fn check(line: impl AsRef<[u8]>, want: &str) {
    let mut parser = parser();
    assert_eq!(framed(&parser.parse(line.as_ref())), want, "{}", String::from_utf8_lossy(line.as_ref()));
}

fn framed(event: &Event<'_>) -> String {
    format!("{} {} {}[{}] {}", event.time, event.host, event.tag, event.pid, render(event))
}

const SAID: &str = "connect from unknown[198.51.100.7]";
const MEANT: &str = "smtpd connect client=[198.51.100.7] service=smtp stage=connect";

#[test]
fn syslog_files() {
    let full = format!("mail postfix/smtpd[12] {MEANT}");
    for (frame, time) in [
        ("Oct 10 01:33:12 mail postfix/smtpd[12]: ", "2026-10-09T23:33:12.000000Z"),
        ("Oct  1 01:33:12 mail postfix/smtpd[12]: ", "2026-09-30T23:33:12.000000Z"),
        ("Oct 01 01:33:12 mail postfix/smtpd[12]: ", "2026-09-30T23:33:12.000000Z"),
        ("Oct 10 01:33:12.345678 mail postfix/smtpd[12]: ", "2026-10-09T23:33:12.345678Z"),
        ("<22>Oct 10 01:33:12 mail postfix/smtpd[12]: ", "2026-10-09T23:33:12.000000Z"),
        ("2025-10-10T01:33:12.345678+02:00 mail postfix/smtpd[12]: ", "2025-10-09T23:33:12.345678Z"),
        ("2025-10-10T01:33:12+02:00 mail postfix/smtpd[12]: ", "2025-10-09T23:33:12.000000Z"),
        ("2025-10-10T01:33:12.1Z mail postfix/smtpd[12]: ", "2025-10-10T01:33:12.100000Z"),
        ("2025-10-10T01:33:12.123456789-05:00 mail postfix/smtpd[12]: ", "2025-10-10T06:33:12.123456Z"),
        ("2025-10-10 01:33:12 mail postfix/smtpd[12]: ", "2025-10-09T23:33:12.000000Z"),
        ("<22>2025-10-10T01:33:12Z mail postfix/smtpd[12]: ", "2025-10-10T01:33:12.000000Z"),
        ("<22>1 2025-10-10T01:33:12.5Z mail postfix/smtpd 12 - - ", "2025-10-10T01:33:12.500000Z"),
        ("1 2025-10-10T01:33:12.5Z mail postfix/smtpd 12 - - ", "2025-10-10T01:33:12.500000Z"),
        ("<22>1 2025-10-10T01:33:12Z mail postfix/smtpd 12 ID47 - \u{feff}", "2025-10-10T01:33:12.000000Z"),
        (
            r#"<22>1 2025-10-10T01:33:12Z mail postfix/smtpd 12 - [a@1 x="]\"" y="\\"][b@1] "#,
            "2025-10-10T01:33:12.000000Z",
        ),
        ("Oct 10 01:33:12 mail mail.info postfix/smtpd[12]: ", "2026-10-09T23:33:12.000000Z"),
        ("Oct 10 01:33:12 mail postfix/smtpd[12] ", "2026-10-09T23:33:12.000000Z"),
    ] {
        check(format!("{frame}{SAID}"), &format!("{time} {full}"));
    }
    let time = "2026-10-09T23:33:12.000000Z";
    check(
        format!("Oct 10 01:33:12 2001:db8::1 postfix/smtpd[12]: {SAID}"),
        &format!("{time} 2001:db8::1 postfix/smtpd[12] {MEANT}"),
    );
    check(
        format!("Oct 10 01:33:12 postfix/smtpd[12]: {SAID}"),
        &format!("{time}  postfix/smtpd[12] {MEANT}"),
    );
    check(
        format!("Oct 10 01:33:12 mail postfix/smtpd: {SAID}"),
        &format!("{time} mail postfix/smtpd[0] {MEANT}"),
    );
    check(
        format!("<22>1 - - postfix/smtpd - - - {SAID}"),
        &format!("2026-12-31T12:00:00.000000Z  postfix/smtpd[0] {MEANT}"),
    );
}

#[test]
fn repeated_lines() {
    check(
        "2025-10-10T01:33:12Z mail postfix/smtpd[12]: message repeated 3 times: [ connect from unknown[198.51.100.7]]",
        "2025-10-10T01:33:12.000000Z mail postfix/smtpd[12] \
         smtpd connect client=[198.51.100.7] service=smtp stage=connect repeated=3",
    );
    check(
        "Oct 10 01:33:12 mail last message repeated 3 times",
        "2026-10-09T23:33:12.000000Z  [0] other notice detail=\"mail last message repeated 3 times\"",
    );
}

#[test]
fn docker_json_file() {
    let time = "2025-10-10T01:33:12.345678Z";
    let docker = |log: &str| {
        format!(r#"{{"log":"{log}\n","stream":"stdout","time":"2025-10-10T01:33:12.345678912Z"}}"#)
    };
    for (inner, tag, at) in [
        ("Oct 10 03:33:12 mail ", "mail postfix/smtpd[12]", time),
        ("2025-10-10T01:33:13.5+00:00 mail ", "mail postfix/smtpd[12]", "2025-10-10T01:33:13.500000Z"),
        ("", " postfix/smtpd[12]", time),
        ("\\u001b[0;32m", " postfix/smtpd[12]", time),
        ("<22>", " postfix/smtpd[12]", time),
    ] {
        check(docker(&format!("{inner}postfix/smtpd[12]: {SAID}")), &format!("{at} {tag} {MEANT}"));
    }
    check(
        r#"{"time":"2025-10-10T01:33:12Z","stream":"stderr","log":"postfix/smtpd[12]: improper command pipelining after EHLO from unknown[198.51.100.7]: \"\u00e9\ud83d\ude00\\r\\n\r\n"}"#,
        "2025-10-10T01:33:12.000000Z  postfix/smtpd[12] smtpd pipelining reason=pipelining \
         client=[198.51.100.7] service=smtp stage=helo detail=\"é😀\\r\\n",
    );
    check(
        format!("2025-10-10T01:33:12.345678912Z stdout F postfix/smtpd[12]: {SAID}"),
        &format!("{time}  postfix/smtpd[12] {MEANT}"),
    );
}

#[test]
fn journal() {
    let line = |message: &str, uid: u32| {
        format!(
            r#"{{"__CURSOR":"s=1;i=2","PRIORITY":"6","_HOSTNAME":"mail","_TRANSPORT":"syslog","SYSLOG_IDENTIFIER":"postfix/smtpd","_UID":"{uid}","SYSLOG_PID":"13","_PID":"12","X":[1,[2,"]"],{{"a":"}}"}}],"N":null,"MESSAGE":{message},"__REALTIME_TIMESTAMP":"1760059992345678"}}"#
        )
    };
    let at = "2025-10-10T01:33:12.345678Z mail postfix/smtpd[12]";
    check(line(&format!("{SAID:?}"), 105), &format!("{at} {MEANT}"));
    let bytes: Vec<String> = SAID.bytes().map(|b| b.to_string()).collect();
    check(line(&format!("[{}]", bytes.join(",")), 105), &format!("{at} {MEANT}"));
    check(line(&format!("[{}]", bytes.join(" , ")), 105), &format!("{at} {MEANT}"));
    check(line(&format!("[{SAID:?},\"second\"]"), 105), &format!("{at} {MEANT}"));
    // An ordinary user who pretends to be Postfix names no client.
    check(line(&format!("{SAID:?}"), 1000), &format!("{at} smtpd connect service=smtp stage=connect"));
    check(line(&format!("{SAID:?}"), 100_999), &format!("{at} {MEANT}"));
    check(
        r#"{"MESSAGE":"Started x.","_COMM":"systemd","_PID":"1","__REALTIME_TIMESTAMP":"1760059992345678"}"#,
        "2025-10-10T01:33:12.345678Z  systemd[1] other notice detail=\"Started x.\"",
    );
}

#[test]
fn files_of_the_programs_themselves() {
    check(
        "2025-10-10 01:41:17,484 fail2ban.actions         [391]: NOTICE  [postfix] Ban 198.51.100.31",
        "2025-10-09T23:41:17.484000Z  fail2ban.actions[391] \
         fail2ban peer-banned client=[198.51.100.31] object=postfix detail=\"Ban 198.51.100.31\"",
    );
    let login = "imap-login: Info: Aborted login (no auth attempts in 0 secs): user=<>, rip=198.51.100.7, \
                 lip=192.0.2.10";
    for stamp in
        ["Nov 20 18:45:01", "Nov 20 18:45:01 dovecot:", "2026-11-20 18:45:01", "2026-11-20T16:45:01Z"]
    {
        let mut parser = parser();
        let line = format!("{stamp} {login}");
        let event = parser.parse(line.as_bytes());
        assert_eq!(event.address(), "198.51.100.7".parse().ok(), "{stamp}");
        assert_eq!(event.time.to_string(), "2026-11-20T16:45:01.000000Z", "{stamp}");
        assert_eq!((event.host.bytes(), event.tag.bytes()), (&b""[..], &b"dovecot"[..]), "{stamp}");
    }
    let mut parser = parser();
    let event = parser.parse(b"Nov 20 18:45:01 imap(a b)<12><6bGDerlgObDGM2Qa>: Info: Logged out in=1 out=2");
    assert_eq!((event.tag.to_string(), event.program.name()), ("dovecot".to_owned(), "dovecot-session"));
}

#[test]
fn lines_of_no_mail_program() {
    for (line, want) in [
        (
            "Oct 10 01:33:12 mail CRON[7]: (root) CMD (x)",
            "2026-10-09T23:33:12.000000Z mail CRON[7] other notice detail=\"(root) CMD (x)\"",
        ),
        (
            "2026-11-20 17:48:41+00:00 INFO  start-mailserver.sh: Welcome",
            "2026-11-20T17:48:41.000000Z  [0] other notice detail=\"INFO  start-mailserver.sh: Welcome\"",
        ),
        (
            "\u{1b}[0;34m[  INFO  ]\u{1b}[0m  Welcome to docker-mailserver",
            "2026-12-31T12:00:00.000000Z  [0] other notice detail=\"[  INFO  ]\\\\u{1b}[0m  Welcome to docker-mailserver\"",
        ),
        (
            "Oct 10 01:33:12 mail -- MARK --",
            "2026-10-09T23:33:12.000000Z  [0] other notice detail=\"mail -- MARK --\"",
        ),
        ("Oct 10 01:33:12 -- MARK --", "2026-10-09T23:33:12.000000Z  [0] other notice detail=\"-- MARK --\""),
        ("", "2026-12-31T12:00:00.000000Z  [0] other unknown"),
        ("nonsense", "2026-12-31T12:00:00.000000Z  [0] other unknown detail=nonsense"),
        ("{", "2026-12-31T12:00:00.000000Z  [0] other unknown detail={"),
        ("{\"a\":1}", "2026-12-31T12:00:00.000000Z  [0] other unknown detail={\"a\":1}"),
        (
            "<999>Oct 10 01:33:12 x",
            "2026-12-31T12:00:00.000000Z  [0] other unknown detail=\"<999>Oct 10 01:33:12 x\"",
        ),
        (
            "Foo 10 01:33:12 a b",
            "2026-12-31T12:00:00.000000Z  [0] other unknown detail=\"Foo 10 01:33:12 a b\"",
        ),
        (
            "<22>1 2025-10-10T01:33:12Z a b c d [",
            "2025-10-10T01:33:12.000000Z  [0] other unknown detail=\"<22>1 2025-10-10T01:33:12Z a b c d [\"",
        ),
    ] {
        check(line, want);
    }
}

#[test]
fn a_line_without_stamp_has_the_time_of_the_line_before() {
    let mut parser = parser();
    let _ = parser.parse(b"2025-10-10T01:33:12Z mail postfix/smtpd[12]: x");
    assert_eq!(parser.parse(b"  second line of it").time.to_string(), "2025-10-10T01:33:12.000000Z");
}

#[test]
fn the_reference_moves_with_a_live_log() {
    let at = |text: &str| Timestamp::from_micros(text.parse::<jiff::Timestamp>().unwrap().as_microsecond());
    let context = Context { reference: at("2025-12-31T23:59:00Z"), zone: jiff::tz::TimeZone::UTC };
    let mut parser = Parser::new(context);
    assert_eq!(parser.parse(b"Dec 31 23:59:59 a b: c").time, at("2025-12-31T23:59:59Z"));
    assert_eq!(parser.parse(b"Jan  1 00:00:01 a b: c").time, at("2026-01-01T00:00:01Z"));
    parser.set_reference(at("2026-12-31T23:59:00Z"));
    assert_eq!(parser.parse(b"Dec 31 23:59:59 a b: c").time, at("2026-12-31T23:59:59Z"));
}
