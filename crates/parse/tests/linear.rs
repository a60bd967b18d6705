//! A line eight times as long takes about eight times as long, whatever it is made of: beginnings of every kind of line,
//! followed by one mark that their readers look for, over and over.
//!
//! Told by the ratio, since the time itself depends on the build and on what else the machine does.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::{Duration, Instant};

use mailward_parse::Parser;

const BEGINNINGS: [&str; 24] = [
    "",
    "{\"a\":",
    "{\"MESSAGE\":\"",
    "{\"MESSAGE\":",
    "{\"log\":\"",
    "<22>1 2025-10-10T01:33:12Z a b c d ",
    "<22>1 2025-10-10T01:33:12Z a b c d [x=\"",
    "Nov 20 18:45:01 ",
    "Nov 20 18:45:01 host ",
    "Nov 20 18:45:01 host tag",
    "Nov 20 18:45:01 mail postfix/smtpd[1]: ",
    "Nov 20 18:45:01 mail postfix/smtpd[1]: NOQUEUE: reject: RCPT from x[192.0.2.1]: 550 5.1.1 <",
    "Nov 20 18:45:01 mail postfix/smtpd[1]: connect from ",
    "Nov 20 18:45:01 mail postfix/smtpd[1]: disconnect from x[192.0.2.1] ",
    "Nov 20 18:45:01 mail postfix/smtpd[1]: 4C020A24017: client=x[192.0.2.1], sasl_method=",
    "Nov 20 18:45:01 mail postfix/smtpd[1]: warning: ",
    "Nov 20 18:45:01 mail postfix/smtpd[1]: warning: x[192.0.2.1]: SASL ",
    "Nov 20 18:45:01 mail postfix/cleanup[1]: 4C020A24017: reject: header ",
    "Nov 20 18:45:01 mail postfix/qmgr[1]: 4C020A24017: from=<",
    "Nov 20 18:45:01 mail postfix/smtp[1]: 4C020A24017: to=<",
    "Nov 20 18:45:01 mail postfix/smtp[1]: 4C020A24017: to=<a>, relay=x, delay=1, dsn=1, status=deferred (",
    "Nov 20 18:45:01 mail postfix/postscreen[1]: NOQUEUE: reject: RCPT from [192.0.2.1]:1: 550 5.5.1 x; from=<",
    "Nov 20 18:45:01 mail postfix/tlsproxy[1]: SSL_accept error from ",
    "Nov 20 18:45:01 mail dovecot: ",
];

const MARKS: [&str; 40] = [
    "[",
    "]",
    "{",
    "\"",
    "\\",
    "\\u",
    "\\u0041",
    "1,",
    "a",
    "0",
    " ",
    ":",
    ": ",
    ";",
    "; ",
    "<",
    ">",
    ">: ",
    "/",
    "1/",
    "=",
    ", ",
    "(",
    "1.",
    "::",
    "\u{1b}[m",
    "[192.0.2.1].",
    "x[192.0.2.1]",
    "; from=<",
    "; from=<a> to=<",
    " from ",
    " from x; from=<",
    " proto=",
    " helo=<",
    ">, relay=x, delay=",
    " said: ",
    " blocked using ",
    ", orig_client=",
    " commands=",
    " auth=0/x",
];

#[test]
fn eight_times_the_line_eight_times_the_time() {
    let mut parser = support::parser();
    let mut slow = Vec::new();
    for beginning in BEGINNINGS {
        for mark in MARKS {
            let line =
                |size: usize| format!("{beginning}{}; from=<a> to=<b>", mark.repeat(size / mark.len()));
            let long = fastest(&mut parser, &line(64 * 1024));
            // What is this fast is not worth a second look.
            if long > Duration::from_micros(500) {
                let ratio = long.as_secs_f64() / fastest(&mut parser, &line(8 * 1024)).as_secs_f64();
                if ratio > 24.0 {
                    slow.push(format!("{ratio:.0} times ({long:?}): {beginning:?} and {mark:?}"));
                }
            }
        }
    }
    assert!(slow.is_empty(), "not linear:\n{}", slow.join("\n"));
}

fn fastest(parser: &mut Parser, line: &str) -> Duration {
    let once = |parser: &mut Parser| {
        let start = Instant::now();
        let _ = parser.parse(line.as_bytes());
        start.elapsed()
    };
    (0..5).map(|_| once(parser)).min().unwrap()
}
