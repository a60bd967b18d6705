//! Conversations as they were captured, and what others send.

use proptest::prelude::*;

use mailward_model::Timestamp;

use super::*;
use crate::http::Decoder;

fn parsed(target: &str, body: &str) -> Result<String, String> {
    let mut decoder = Decoder::default();
    let length = body.len();
    decoder.push(format!("POST {target} HTTP/1.1\r\nContent-Length: {length}\r\n\r\n{body}").as_bytes());
    let request = decoder.next_request().map_err(|error| error.to_string())?.ok_or("not whole")?;
    Command::of(&request).map(|command| format!("{command:?}")).map_err(|error| error.to_string())
}

fn attempt<'a>(login: &'a str, pwhash: &'a str, remote: &str, session_id: &'a str) -> Attempt<'a> {
    Attempt {
        login: login.into(),
        pwhash: pwhash.into(),
        remote: remote.parse().ok(),
        protocol: "imap".into(),
        session_id: session_id.into(),
        mech: "".into(),
    }
}

/// As captured from Dovecot 2.3.19 and 2.4.1.
#[test]
fn captured_conversations() {
    let first = attempt("alice@example.org", "05d8", "127.0.0.1", "E5yaBrlgNut/AAAB");
    let later = attempt("alice@example.org", "0ebd", "127.0.0.1", "2ch5K7lgQp5/AAAB");
    let report = |failure| Report { attempt: later.clone(), success: false, policy_reject: false, failure };
    for (target, body, command) in [
        (
            "/?command=allow",
            r#"{"device_id":"","login":"alice@example.org","protocol":"imap","pwhash":"05d8","remote":"127.0.0.1","session_id":"E5yaBrlgNut/AAAB","tls":false}"#,
            Command::Allow(first.clone()),
        ),
        (
            "/?command=report",
            r#"{"device_id":"","login":"alice@example.org","protocol":"imap","pwhash":"0ebd","remote":"127.0.0.1","session_id":"2ch5K7lgQp5/AAAB","success":false,"policy_reject":false,"tls":false}"#,
            Command::Report(report(Failure::Untold)),
        ),
        (
            "/?command=report",
            r#"{"device_id":"","fail_type":"credentials","login":"alice@example.org","protocol":"imap","pwhash":"0ebd","remote":"127.0.0.1","session_id":"2ch5K7lgQp5/AAAB","success":false,"policy_reject":false,"tls":false}"#,
            Command::Report(report(Failure::Credentials)),
        ),
        (
            "/?command=report",
            r#"{"fail_type":"","login":"alice@example.org","protocol":"imap","pwhash":"05d8","remote":"::ffff:127.0.0.1","session_id":"E5yaBrlgNut/AAAB","success":true,"policy_reject":false,"tls":true}"#,
            Command::Report(Report { attempt: first, success: true, ..Report::default() }),
        ),
        (
            "/?command=report",
            r#"{"fail_type":"policy","login":"alice@example.org","protocol":"imap","pwhash":"0ebd","remote":"127.0.0.1","session_id":"2ch5K7lgQp5/AAAB","success":false,"policy_reject":true,"tls":false}"#,
            Command::Report(Report { policy_reject: true, ..report(Failure::Policy) }),
        ),
    ] {
        assert_eq!(parsed(target, body), Ok(format!("{command:?}")), "{body}");
    }
}

#[test]
fn where_the_command_stands() {
    for (target, command) in [
        ("/?command=allow", "allow"),
        ("/command/allow", "allow"),
        ("/some/prefix/command/allow/", "allow"),
        ("/prefix?command=allow", "allow"),
        ("/?token=x&command=report", "report"),
        // The URL ended in `&`.
        ("/prefix&command=report", "report"),
        ("/?command=allow&command=report", "report"),
        ("http://127.0.0.1:4001/?command=ping", "ping"),
        ("/", ""),
        ("/?Command=allow", ""),
    ] {
        assert_eq!(name(target), command, "{target}");
    }
}

#[test]
fn attributes_that_are_not_known_are_skipped_whatever_they_hold() {
    let body = r#"{"client":{"id":{"name":"x","status":3}},"attrs":{"a":["b"]},"n":1.5e3,"login":"a\u0062c","remote":"","mech":"CRAM-MD5"}"#;
    let known = Attempt { login: "abc".into(), mech: "CRAM-MD5".into(), ..Attempt::default() };
    assert_eq!(parsed("/?command=allow", body), Ok(format!("{:?}", Command::Allow(known))));
}

#[test]
fn what_weakforced_serves() {
    for (target, body, command) in [
        ("/?command=ping", "", "Ping"),
        ("/?command=getBL", "", "Show(Block)"),
        ("/?command=getWL", "", "Show(Allow)"),
        ("/?command=reset", r#"{"ip":"192.0.2.1"}"#, r#"Reset(Whom { ip: Some(192.0.2.1), login: "" })"#),
        ("/?command=getDBStats", r#"{"login":"bob"}"#, r#"Stats(Whom { ip: None, login: "bob" })"#),
        (
            "/?command=addBLEntry",
            r#"{"netmask":"2001:db8::/32","expire_secs":3600,"reason":"test"}"#,
            r#"Add(Block, Entry { network: Some(2001:db8::/32), login: "", seconds: Some(3600), reason: "test" })"#,
        ),
        (
            "/?command=delWLEntry",
            r#"{"ip":"192.0.2.1","login":"bob"}"#,
            r#"Remove(Allow, Entry { network: Some(192.0.2.1), login: "bob", seconds: None, reason: "" })"#,
        ),
    ] {
        let found = parsed(target, body).unwrap();
        assert_eq!(
            found
                .replace("Network { address: 2001:db8::, prefix: 32 }", "2001:db8::/32")
                .replace("Network { address: 192.0.2.1, prefix: 32 }", "192.0.2.1"),
            command,
            "{body}"
        );
    }
}

#[test]
fn what_is_refused() {
    for (target, body, error) in [
        ("/?command=syncDBs", "{}", "unknown command"),
        ("/metrics", "", "unknown command"),
        ("/?command=allow", "", "the body is no JSON object"),
        ("/?command=allow", "{", "the body does not fit"),
        ("/?command=allow", "[]", "the body is no JSON object"),
        ("/?command=allow", r#"{"login":3}"#, "the body does not fit"),
        ("/?command=allow", r#"{"login":"a","login":"b"}"#, "the body does not fit"),
        ("/?command=report", r#"{"login":"a","success":"true"}"#, "the body does not fit"),
        ("/?command=report", r#"{"login":"a"}"#, "the body does not fit"),
        ("/?command=reset", "{}", "ip, netmask or login is missing"),
        (
            "/?command=addBLEntry",
            r#"{"netmask":"10.0.0.0/99","login":"bob"}"#,
            "ip, netmask or login is missing",
        ),
    ] {
        let told = parsed(target, body).unwrap_err();
        assert!(told.starts_with(error), "{body}: {told}");
    }
    let deep = format!(r#"{{"x":{}"#, "[".repeat(7_000));
    assert!(parsed("/?command=allow", &deep).is_err());
}

fn written(answer: &Answer<'_>, keep_alive: bool) -> String {
    let mut out = Vec::new();
    answer.write(keep_alive, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn answers_as_they_are_sent() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length:";
    let status = r#"{"status":-1,"msg":"","r_attrs":{}}"#;
    assert_eq!(written(&Answer::Status(-1), true), format!("{head} 35\r\n\r\n{status}"));
    assert_eq!(
        written(&Answer::Done, false),
        format!("{head} 15\r\nConnection: close\r\n\r\n{{\"status\":\"ok\"}}")
    );
    let entry = |until| Listed { network: "10.0.0.0/8".parse().ok(), login: "bob", until, reason: "a \"b\"" };
    let list = Answer::List(List::Block, vec![entry(Some(Timestamp::from_secs(1_009_879_201)))]);
    assert!(written(&list, true).ends_with(
        r#"{"bl_entries":[{"expiration":"2002-Jan-01 10:00:01","login":"bob","netmask":"10.0.0.0/8","reason":"a \"b\""}]}"#
    ));
    let stats = Stats { blocked: true, allowed: false, counts: vec![("auth-failure-fast", 2)] };
    assert!(written(&Answer::Stats(stats), true).ends_with(
        r#"{"blacklisted":true,"stats":{"mailward":{"auth-failure-fast":2}},"whitelisted":false}"#
    ));
    assert!(written(&Answer::Unauthorized, true).starts_with("HTTP/1.1 401 Unauthorized\r\n"));
}

proptest! {
    #[test]
    fn any_body_is_a_command_or_an_error(target in "/[ -~]{0,40}", body: Vec<u8>) {
        let head = format!("POST {target} HTTP/1.1\r\nContent-Length: {}\r\n\r\n", body.len());
        let mut decoder = Decoder::default();
        decoder.push(head.as_bytes());
        decoder.push(&body);
        if let Ok(Some(request)) = decoder.next_request() {
            let _ = Command::of(&request);
        }
    }

    #[test]
    fn what_was_typed_arrives(login: String, pwhash: String) {
        let body = serde_json::json!({"login": login, "pwhash": pwhash}).to_string();
        let known = Attempt { login: login.into(), pwhash: pwhash.into(), ..Attempt::default() };
        prop_assert_eq!(parsed("/?command=allow", &body), Ok(format!("{:?}", Command::Allow(known))));
    }
}
