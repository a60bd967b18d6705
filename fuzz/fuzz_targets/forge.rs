//! The fuzzer plays the client: its bytes stand where a client's text stands in lines of Postfix and Dovecot, and it wins
//! when the parser believes an address of its choice.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailward_model::Timestamp;
use mailward_parse::{Context, Parser};

/// The text before and after the client's, how many bytes of it are written, and whether they are cleaned.
const PLACES: [(&str, &str, usize); 20] = [
    (
        "dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<",
        ">, method=PLAIN, rip=198.51.100.7, lip=192.0.2.10, TLS, session=<EDnOfLlgQZzGM2QH>",
        80,
    ),
    (
        "dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<",
        ">, method=PLAIN, rip=198.51.100.7, lip=192.0.2.10",
        80,
    ),
    (
        "dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): rip=198.51.100.7, lip=192.0.2.10, user=<",
        ">, session=<EDnOfLlgQZzGM2QH>",
        80,
    ),
    ("dovecot: auth: sql(", ",198.51.100.7): unknown user", 64),
    (
        "dovecot: auth: sql(",
        ",198.51.100.7,<EDnOfLlgQZzGM2QH>): Password mismatch (SHA1 of given password: a4b48a)",
        64,
    ),
    ("dovecot: auth: sql(anna,198.51.100.7): Password mismatch (given password: ", ")", 1024),
    ("dovecot: auth(", ",198.51.100.7,sasl:plain)<EDnOfLlgQZzGM2QH>: sql: unknown user", 64),
    (
        "dovecot: auth: plain(?,198.51.100.7): Username character disallowed by auth_username_chars: 0x2c (username: ",
        ")",
        64,
    ),
    (
        "dovecot: imap-login: ID sent: ",
        ": user=<>, rip=198.51.100.7, lip=192.0.2.10, TLS, session=<EDnOfLlgQZzGM2QH>",
        200,
    ),
    (
        "postfix/smtpd[1]: warning: unknown[198.51.100.7]: SASL LOGIN authentication failed: (reason unavailable), sasl_username=",
        "",
        1024,
    ),
    (
        "postfix/smtpd[1]: NOQUEUE: reject: RCPT from unknown[198.51.100.7]: 554 5.7.1 <",
        ">: Relay access denied; from=<a@b.example> to=<c@d.example> proto=ESMTP helo=<x>",
        1024,
    ),
    (
        "postfix/smtpd[1]: NOQUEUE: reject: RCPT from unknown[198.51.100.7]: 554 5.7.1 <c@d.example>: Relay access denied; from=<",
        "> to=<c@d.example> proto=ESMTP helo=<x>",
        1024,
    ),
    (
        "postfix/cleanup[1]: 4C020A24017: reject: header Subject: ",
        " from unknown[198.51.100.7]; from=<a@b.example> to=<c@d.example> proto=ESMTP helo=<x>: 5.7.1 no",
        1024,
    ),
    ("postfix/postscreen[1]: PREGREET 11 after 0 from [198.51.100.7]:4242: ", "", 100),
    (
        "amavis[1]: (06758-01) Blocked BANNED (",
        ") {DiscardedInbound,Quarantined}, [198.51.100.7]:42319 [198.51.100.8] <a@b.example> -> <c@d.example>, Queue-ID: 2F51FA24002, Message-ID: <x>, mail_id: a, Hits: -, size: 661, 260 ms",
        200,
    ),
    (
        "amavis[1]: (06758-01) Passed CLEAN {RelayedInbound}, [198.51.100.7]:42319 [198.51.100.8] <",
        "> -> <c@d.example>, Queue-ID: 2F51FA24002, Message-ID: <x>, mail_id: a, Hits: -, size: 661, 260 ms",
        200,
    ),
    (
        "rspamd[1]: <0e3ab2>; task; rspamd_task_write_log: id: <",
        ">, qid: <4C020A24017>, ip: 198.51.100.7, from: <a@b.example>, (default: F (no action): [1.23/15.00] []), len: 1",
        200,
    ),
    (
        "policyd-spf[1]: : prepend Received-SPF: Pass (mailfrom) identity=mailfrom; client-ip=198.51.100.7; helo=",
        "; envelope-from=a@b.example; receiver=example.org ",
        200,
    ),
    (
        "postgrey[1]: action=greylist, reason=new, client_name=unknown, client_address=198.51.100.7, sender=",
        ", recipient=c@d.example",
        200,
    ),
    (
        "auth: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=",
        " rhost=198.51.100.7  user=anna",
        200,
    ),
];

fuzz_target!(|input: &[u8]| {
    let Some((place, said)) = input.split_first() else { return };
    let (before, after, limit) = PLACES[usize::from(*place) % PLACES.len()];
    let mut said: Vec<u8> = said.iter().map(|b| if *b < 0x20 || *b == 0x7f { b'?' } else { *b }).collect();
    if said.len() > limit {
        said.truncate(limit - 3);
        said.extend_from_slice(b"...");
    }
    let line =
        [b"2026-11-20T18:34:01.370000+00:00 mail ", before.as_bytes(), &said, after.as_bytes()].concat();
    let reference = Timestamp::from_secs(1_795_219_200);
    let mut parser = Parser::new(Context { reference, zone: jiff::tz::TimeZone::UTC });
    if let Some(client) = parser.parse(&line).client {
        assert_eq!(client.address.to_string(), "198.51.100.7", "{}", String::from_utf8_lossy(&line));
    }
});
