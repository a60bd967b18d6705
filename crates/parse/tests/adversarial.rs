//! A million lines in which a client writes what it likes into every place that is its own: no address that it wrote may
//! ever be the event's client. The lines are made by a fixed generator, so a failure can be told by its number.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the generator's own indices; a panic fails the test"
)]

mod support;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use mailward_model::Program;
use mailward_parse::{Parser, split_lines};
use support::{fixture, parser};

/// The client of every line that has one.
const TRUE: &str = "198.51.100.7";
/// What the client would have us believe.
const FORGED: [&str; 2] = ["192.0.2.66", "2001:db8:bad::66"];
/// A session id that Dovecot made for [`TRUE`] at 18:34:00, and one that a client could make up for 192.0.2.66.
const TRUE_SESSION: &str = "EDnOfLlgQZzGM2QH";
const FORGED_SESSION: &str = "EDnOfLlgQZzAAAJC";
const STAMP: &str = "2026-11-20T18:34:01.370000+00:00 mail ";
const LINES: usize = 1_000_000;

/// How a program writes text of a client.
#[derive(Clone, Copy)]
enum Writes {
    /// Control bytes become `?`, as Postfix's `printable()` and Dovecot's `str_sanitize()` do, and no more than so many
    /// bytes, the last of them `...`.
    Clean(usize),
    /// As it came, but for line ends.
    Raw,
    /// Only what a host name may hold (`valid_hostname()` of Postfix).
    Host,
}
use Writes::{Clean, Host, Raw};

/// A line; `{P}` is the client's, `{T}` its true address, `{S}` its true session id. `found` says that the address must be
/// found whatever the client writes, so that nobody makes himself invisible.
struct Template {
    line: &'static str,
    writes: Writes,
    found: bool,
}

const fn sure(writes: Writes, line: &'static str) -> Template {
    Template { line, writes, found: true }
}

const fn none(writes: Writes, line: &'static str) -> Template {
    Template { line, writes, found: false }
}

const TEMPLATES: &[Template] = &[
    // smtpd
    sure(
        Clean(512),
        "postfix/smtpd[1]: NOQUEUE: reject: RCPT from unknown[{T}]: 554 5.7.1 <{P}>: Relay access denied; from=<{P}> to=<{P}> proto=ESMTP helo=<{P}>",
    ),
    sure(
        Clean(512),
        "postfix/smtpd[1]: NOQUEUE: reject: RCPT from mx.example.com[{T}]: 550 5.1.1 <{P}>: Recipient address rejected: User unknown in virtual mailbox table; from=<{P}> to=<{P}> proto=SMTP helo=<{P}>",
    ),
    sure(
        Clean(512),
        "postfix/smtpd[1]: NOQUEUE: reject: RCPT from unknown[{T}]: 450 4.7.1 <{P}>: Helo command rejected: Host not found; from=<{P}> to=<{P}> proto=ESMTP helo=<{P}>",
    ),
    sure(
        Clean(512),
        "postfix/smtpd[1]: NOQUEUE: reject: RCPT from unknown[{T}]: 450 4.1.8 <{P}>: Sender address rejected: Domain not found; from=<{P}> to=<a@example.org> proto=ESMTP helo=<{P}>",
    ),
    sure(
        Clean(512),
        "postfix/smtpd[1]: NOQUEUE: reject: EHLO from unknown[{T}]: 504 5.5.2 <{P}>: Helo command rejected: need fully-qualified hostname; proto=SMTP helo=<{P}>",
    ),
    sure(
        Clean(512),
        "postfix/smtpd[1]: NOQUEUE: reject: RCPT from unknown[{T}]: 550 5.7.23 <{P}>: Recipient address rejected: Message rejected due to: SPF fail - not authorized. Please see http://www.openspf.net/Why?s=mfrom;id={P};ip={T};r=<{P}>; from=<{P}> to=<{P}> proto=ESMTP helo=<{P}>",
    ),
    sure(
        Clean(512),
        "postfix/smtpd[1]: NOQUEUE: reject: RCPT from unknown[{T}]: 554 5.7.1 Service unavailable; Client host [{T}] blocked using zen.example.net; {P}; from=<{P}> to=<{P}> proto=ESMTP helo=<{P}>",
    ),
    sure(
        Clean(512),
        "postfix/submission/smtpd[1]: warning: unknown[{T}]: SASL LOGIN authentication failed: {P}",
    ),
    sure(
        Clean(512),
        "postfix/smtps/smtpd[1]: warning: unknown[{T}]: SASL PLAIN authentication failed: (reason unavailable), sasl_username={P}",
    ),
    sure(
        Clean(512),
        "postfix/smtpd[1]: warning: unknown[{T}]: SASL {P} authentication failed: Invalid authentication mechanism",
    ),
    sure(Clean(512), "postfix/smtpd[1]: warning: non-SMTP command from unknown[{T}]: {P}"),
    sure(Clean(512), "postfix/smtpd[1]: improper command pipelining after EHLO from unknown[{T}]: {P}"),
    sure(
        Clean(512),
        "postfix/smtpd[1]: warning: Illegal address syntax from unknown[{T}] in MAIL command: {P}",
    ),
    sure(
        Clean(512),
        "postfix/smtpd[1]: NOQUEUE: milter-reject: RCPT from unknown[{T}]: 554 5.7.1 {P}; from=<{P}> to=<{P}> proto=ESMTP helo=<{P}>",
    ),
    sure(
        Clean(512),
        "postfix/smtpd[1]: NOQUEUE: filter: RCPT from unknown[{T}]: <{P}>: Sender address triggers FILTER smtp:[127.0.0.1]:10025; from=<{P}> to=<{P}> proto=ESMTP helo=<{P}>",
    ),
    sure(
        Clean(512),
        "postfix/smtpd[1]: 4C020A24017: client=unknown[{T}], sasl_method=PLAIN, sasl_username={P}",
    ),
    sure(
        Clean(512),
        "postfix/smtpd[1]: 4C020A24017: client=unknown[{T}], sasl_method=PLAIN, sasl_username={P}, sasl_sender={P}",
    ),
    sure(
        Clean(512),
        "postfix/smtpd[1]: warning: Connection rate limit exceeded: 31 from unknown[{T}] for service smtp",
    ),
    sure(Clean(512), "postfix/smtpd[1]: too many errors after RCPT from unknown[{T}]"),
    none(
        Host,
        "postfix/smtpd[1]: warning: {P}.zen.example.net: RBL lookup error: Host or domain name not found. Name service error for name={P}.zen.example.net type=A: Host not found, try again",
    ),
    sure(Host, "postfix/smtpd[1]: connect from {P}.example[{T}]"),
    none(
        Host,
        "postfix/smtpd[1]: warning: hostname {P}.example does not resolve to address {T}: hostname verification failed",
    ),
    sure(Host, "postfix/smtpd[1]: lost connection after AUTH from {P}.example[{T}]"),
    sure(Host, "postfix/smtpd[1]: disconnect from {P}.example[{T}] ehlo=1 auth=0/1 quit=1 commands=2/3"),
    // cleanup and deliveries
    none(Clean(512), "postfix/cleanup[1]: 4C020A24017: message-id=<{P}>"),
    none(
        Clean(512),
        "postfix/cleanup[1]: 4C020A24017: reject: header Subject: {P} from unknown[{T}]; from=<{P}> to=<{P}> proto=ESMTP helo=<{P}>: 5.7.1 no",
    ),
    none(
        Clean(512),
        "postfix/cleanup[1]: 4C020A24017: warning: header Subject: {P} from unknown[{T}]; from=<{P}> to=<{P}> proto=ESMTP helo=<{P}>",
    ),
    none(
        Clean(512),
        "postfix/cleanup[1]: 4C020A24017: milter-reject: END-OF-MESSAGE from unknown[{T}]: 5.7.1 {P}; from=<{P}> to=<{P}> proto=ESMTP helo=<{P}>",
    ),
    none(Clean(512), "postfix/qmgr[1]: 4C020A24017: from=<{P}>, size=1234, nrcpt=1 (queue active)"),
    none(
        Clean(512),
        "postfix/smtp[1]: 4C020A24017: to=<{P}>, relay=mx.example.com[203.0.113.25]:25, delay=1, delays=0/0/0/1, dsn=5.1.1, status=bounced (host mx.example.com[203.0.113.25] said: 550 5.1.1 {P} (in reply to RCPT TO command))",
    ),
    none(
        Clean(512),
        "postfix/smtp[1]: 4C020A24017: host mx.example.com[203.0.113.25] said: 450 4.2.0 {P} (in reply to RCPT TO command)",
    ),
    none(
        Clean(512),
        "postfix/local[1]: 4C020A24017: to=<{P}>, orig_to=<{P}>, relay=local, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (delivered to command: {P})",
    ),
    none(Clean(512), "postfix/bounce[1]: 4C020A24017: sender non-delivery notification: {P}"),
    // postscreen
    sure(
        Clean(512),
        "postfix/postscreen[1]: NOQUEUE: reject: RCPT from [{T}]:4242: 550 5.7.1 Service unavailable; client [{T}] blocked using zen.example.net; from=<{P}>, to=<{P}>, proto=ESMTP, helo=<{P}>",
    ),
    sure(
        Clean(512),
        "postfix/postscreen[1]: NOQUEUE: reject: RCPT from [{T}]:4242: 550 5.5.1 Protocol error; from=<{P}>, to=<{P}>, proto=ESMTP, helo=<{P}>",
    ),
    sure(Clean(100), "postfix/postscreen[1]: PREGREET 11 after 0 from [{T}]:4242: {P}"),
    sure(Clean(100), "postfix/postscreen[1]: COMMAND PIPELINING from [{T}]:4242 after HELO: {P}"),
    sure(Clean(100), "postfix/postscreen[1]: NON-SMTP COMMAND from [{T}]:4242 after CONNECT: {P}"),
    sure(Clean(100), "postfix/postscreen[1]: COMMAND TIME LIMIT from [{T}]:4242 after {P}"),
    sure(Clean(100), "postfix/postscreen[1]: BARE NEWLINE from [{T}]:4242 after {P}"),
    // Dovecot's login processes
    sure(
        Clean(80),
        "dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<{P}>, method=PLAIN, rip={T}, lip=192.0.2.10, TLS, session=<{S}>",
    ),
    sure(
        Clean(80),
        "dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<{P}>, method=PLAIN, rip={T}, lip=192.0.2.10, session=<{S}>",
    ),
    sure(
        Clean(80),
        "dovecot: imap-login: Disconnected: Connection closed (auth failed, 3 attempts in 22 secs): user=<{P}>, method=PLAIN, rip={T}, lip=192.0.2.10, TLS: Connection closed, session=<{S}>",
    ),
    sure(
        Clean(80),
        "dovecot: pop3-login: Login aborted: Connection closed (auth failed, 1 attempts in 2 secs) (auth_failed): user=<{P}>, method=PLAIN, rip={T}, lip=192.0.2.10, TLS: Connection closed, session=<{S}>",
    ),
    sure(
        Clean(80),
        "dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<{P}>, method={P}, rip={T}, lip=192.0.2.10, TLS, session=<{S}>",
    ),
    none(
        Clean(80),
        "dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<{P}>, method=PLAIN, rip={T}, lip=192.0.2.10",
    ),
    // A client's certificate, whose subject Dovecot quotes.
    none(
        Clean(200),
        "dovecot: imap-login: Disconnected: Connection closed: Received invalid SSL certificate: self signed certificate: /CN={P} (client sent an invalid cert): user=<>, rip={T}, lip=192.0.2.10, TLS: Received invalid SSL certificate: self signed certificate: /CN={P}, session=<{S}>",
    ),
    none(
        Clean(200),
        "dovecot: imap-login: Disconnected: Connection closed: Received invalid SSL certificate: self signed certificate: /CN=x (client sent an invalid cert): user=<>, rip={T}, lip=192.0.2.10, TLS: Received invalid SSL certificate: self signed certificate: /CN={P}",
    ),
    sure(
        Clean(80),
        "dovecot: imap-login: Info: Aborted login (auth failed, 1 attempts in 2 secs): user=<{P}>, rip={T}, lip=192.0.2.10, session=<{S}>",
    ),
    sure(
        Clean(80),
        "dovecot: imap-login: Login: user=<{P}>, method=PLAIN, rip={T}, lip=192.0.2.10, mpid=12, TLS, session=<{S}>",
    ),
    none(
        Clean(80),
        "dovecot: imap-login: Login: user=<{P}>, method=PLAIN, rip={T}, lip=192.0.2.10, mpid=12, TLS, local_name={P}, session=<{S}>",
    ),
    none(
        Clean(80),
        "dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): rip={T}, lip=192.0.2.10, user=<{P}>, method=PLAIN, session=<{S}>",
    ),
    none(
        Clean(80),
        "dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): method=PLAIN, rip={T}, lip=192.0.2.10, TLS, session=<{S}>, user=<{P}>",
    ),
    none(
        Clean(80),
        "dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): session=<{S}>, rip={T}, user=<{P}>",
    ),
    none(
        Clean(200),
        "dovecot: imap-login: ID sent: {P}: user=<>, rip={T}, lip=192.0.2.10, TLS, session=<{S}>",
    ),
    none(
        Clean(80),
        "dovecot: imap-login: proxy({P}): started proxying to 192.0.2.20:143: user=<{P}>, method=PLAIN, rip={T}, lip=192.0.2.10, TLS, session=<{S}>",
    ),
    none(
        Clean(80),
        "dovecot: imap-login: proxy({P}): Login failed to 192.0.2.20:143: {P}: user=<{P}>, method=PLAIN, rip={T}, lip=192.0.2.10, TLS, session=<{S}>",
    ),
    none(Clean(80), "dovecot: imap-login: Error: {P}: user=<{P}>, rip={T}, lip=192.0.2.10, session=<{S}>"),
    // Dovecot's auth; a user that is not allowed is written as `?`
    none(Clean(64), "dovecot: auth: passwd-file({P},{T}): unknown user"),
    none(
        Clean(64),
        "dovecot: auth: passwd-file({P},{T},<{S}>): Password mismatch (SHA1 of given password: a4b48a)",
    ),
    none(Clean(64), "dovecot: auth: sql({P},{T},master,<{S}>): Password mismatch"),
    none(Clean(64), "dovecot: auth: ldap({P},{T}): invalid credentials"),
    none(
        Clean(64),
        "dovecot: auth-worker(12): conn unix:auth-worker (pid=1,uid=2): auth-worker<3>: pam({P},{T},<{S}>): pam_authenticate() failed: Authentication failure (Password mismatch?)",
    ),
    none(
        Clean(64),
        "dovecot: auth({P},{T},sasl:plain)<{S}>: passdb-default: Password mismatch (SHA1 of given password: d7ba6e)",
    ),
    none(Clean(64), "dovecot: auth({P},{T},sasl:plain): sql: unknown user"),
    none(Clean(64), "dovecot: auth-worker({P},{T},sasl:plain)<12><{S}>: request [3]: sql: Password mismatch"),
    none(
        Clean(64),
        "dovecot: auth: policy({P},{T},<{S}>): Authentication failure due to policy server refusal: {P}",
    ),
    sure(
        Clean(64),
        "dovecot: auth: plain(?,{T},<{S}>): Username character disallowed by auth_username_chars: 0x2c (username: {P})",
    ),
    sure(
        Clean(64),
        "dovecot: auth: login(?,{T}): Username character disallowed by auth_username_chars: 0x20 (username: {P})",
    ),
    sure(
        Clean(64),
        "dovecot: auth(?,{T},sasl:plain)<{S}>: Username character disallowed by auth_username_chars: 0x2c (username: {P})",
    ),
    none(Raw, "dovecot: auth: sql(anna@example.org,{T},<{S}>): Password mismatch (given password: {P})"),
    none(Raw, "dovecot: auth: sql(anna,{T}): unknown user (given password: {P}) - trying the next passdb"),
    none(Raw, "dovecot: auth: ldap(anna,{T}): Password mismatch (for LDAP bind) (given password: {P})"),
    none(Raw, "dovecot: auth(anna,{T},sasl:plain)<{S}>: sql: Password mismatch (given password: {P})"),
    none(Raw, "dovecot: auth: oauth2(anna,{T},<{S}>): oauth2 failed: Introspection failed: {P}"),
    none(Clean(52), "dovecot: auth: passwd-file({P}@example.org): unknown user"),
    none(Clean(64), "dovecot: auth: Error: sql({P},{T}): Password query failed: {P}"),
    none(Clean(64), "dovecot: imap({P})<12><{S}>: Disconnected: Logged out in=1 out=2"),
    none(
        Clean(200),
        "dovecot: lmtp(anna@example.org)<155><yhNIAC6VAGubAAAAYIgGOA>: msgid=<{P}>: saved mail to INBOX",
    ),
    none(
        Clean(200),
        "dovecot: lmtp(anna@example.org)<155><yhNIAC6VAGubAAAAYIgGOA>: sieve: msgid=<{P}>: fileinto action: stored mail into mailbox '{P}'",
    ),
    // The others
    sure(
        Clean(200),
        "amavis[1]: (06758-01) Passed CLEAN {RelayedInbound}, [{T}]:42319 [192.0.2.1] <{P}> -> <{P}>, Queue-ID: 2F51FA24002, Message-ID: <{P}>, mail_id: a, Hits: 1.3, size: 661, queued_as: 85D51A24003, 260 ms",
    ),
    none(
        Clean(200),
        "amavis[1]: (06758-01) Blocked BANNED ({P}) {DiscardedInbound,Quarantined}, [{T}]:42319 [192.0.2.1] <{P}> -> <{P}>, quarantine: a, Queue-ID: 2F51FA24002, Message-ID: <{P}>, mail_id: a, Hits: -, size: 661, 260 ms",
    ),
    none(Clean(200), "amavis[1]: (06758-01) Checking: evR3kRUdDPql [{T}] <{P}> -> <{P}>"),
    none(
        Clean(200),
        "spamd[1]: spamd: result: Y 15 - BAYES_99 scantime=1.2,size=2345,user=anna,uid=110,required_score=5.0,rhost=localhost,raddr=127.0.0.1,rport=45678,mid=<{P}>,autolearn=no",
    ),
    none(
        Clean(200),
        "rspamd[1]: <0e3ab2>; task; rspamd_task_write_log: id: <{P}>, qid: <4C020A24017>, ip: {T}, from: <{P}>, (default: F (no action): [1.23/15.00] [X(0.00){{P};}]), len: 1234, time: 1.4ms, dns req: 1, digest: <a>, rcpts: <{P}>, mime_rcpts: <{P}>",
    ),
    none(Clean(200), "clamav-milter[1]: Message from <{P}> to <{P}> infected by Eicar"),
    none(Clean(200), "opendkim[1]: 2F51FA24002: {P} [{T}] not internal"),
    none(Clean(200), "opendkim[1]: 2F51FA24002: no signing table match for '{P}'"),
    none(Clean(200), "opendmarc[1]: 2F51FA24002: {P} fail"),
    none(
        Clean(200),
        "policyd-spf[1]: : prepend Received-SPF: Pass (mailfrom) identity=mailfrom; client-ip={T}; helo={P}; envelope-from={P}; receiver=example.org ",
    ),
    none(
        Clean(200),
        "policyd-spf[1]: : 550 5.7.23 Message rejected due to: SPF fail - not authorized. Please see http://www.openspf.net/Why?s=mfrom;id={P};ip={T};r={P}",
    ),
    sure(
        Clean(200),
        "postgrey[1]: action=greylist, reason=new, client_name=unknown, client_address={T}, sender={P}, recipient={P}",
    ),
    none(
        Clean(200),
        "saslauthd[1]: do_auth         : auth failure: [user={P}] [service=smtp] [realm={P}] [mech=pam] [reason=PAM auth error]",
    ),
    none(
        Clean(200),
        "auth: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser={P} rhost={T}  user=anna",
    ),
    none(
        Clean(200),
        "auth: pam_sss(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser={P} rhost={T} user={P}",
    ),
];

/// Pieces of which the client makes its text; `{F}` is the address that it forges, `{G}` a session id for it.
const PIECES: &[&str] = &[
    "x",
    "anna@example.org",
    "",
    " ",
    ",",
    ">",
    "<",
    ")",
    "(",
    "]",
    "[",
    ":",
    ";",
    "\"",
    "\\",
    "'",
    "=",
    "...",
    "?",
    "|",
    "\u{2028}",
    "\u{85}",
    "\u{202e}",
    "\u{fffd}",
    "\r",
    "\t",
    "\u{0}",
    "\u{1b}[31m",
    "é",
    "%s%n",
    " from unknown[{F}]",
    "unknown[{F}]",
    "unknown[{F}]: SASL LOGIN authentication failed: UGFzc3dvcmQ6",
    "[{F}]:25",
    "]: SASL LOGIN authentication failed",
    "rip={F}, lip=192.0.2.10",
    ", rip={F}, lip=192.0.2.10",
    ", rip={F}, lip=192.0.2.10, session=<{G}>",
    ", rip={F}, lip=192.0.2.10, session=<{G}",
    ">, rip={F}",
    ">, method=PLAIN, rip={F}, lip=192.0.2.10, TLS, session=<{G}>",
    "): user=<y>, method=PLAIN, rip={F}, lip=192.0.2.10",
    ": user=<y>, rip={F}, lip=192.0.2.10, TLS, session=<{G}>",
    ",{F}",
    ",{F}): unknown user",
    ",{F},<{G}>): Password mismatch",
    ",{F},<AAAA>): unknown user",
    "?,{F}): Username character disallowed by auth_username_chars: 0x2c (username: ",
    ",{F}): Password mismatch (given password: ",
    ",{F},sasl:plain)<{G}>: sql: unknown user",
    ",{F},sasl:plain): ",
    " (given password: ",
    "): ",
    ") {Discarded}, [{F}]:1 [{F}] <a@b.example> -> <c@d.example>",
    ", ip: {F}, from: <",
    " client-ip={F};",
    "; client-ip={F}; helo=",
    ", client_address={F}, ",
    " rhost={F}",
    " rhost={F}  user=y",
    " [{F}]",
    " [{F}] not internal",
    ">, proto=SMTP helo=<",
    "; from=<",
    "> to=<",
    " proto=ESMTP helo=<[{F}]>",
    ": 5.7.1 ",
    " from unknown[{F}]; from=<a> to=<b> proto=SMTP helo=<c>",
    "Nov 20 00:00:00 mail postfix/smtpd[1]: warning: unknown[{F}]: SASL LOGIN authentication failed: authentication failure",
    "Nov 20 00:00:00 mail dovecot: imap-login: Disconnected (auth failed, 9 attempts in 9 secs): user=<y>, method=PLAIN, rip={F}, lip=192.0.2.10, session=<{G}>",
    "2026-11-20T18:34:01+00:00 mail dovecot: auth: sql(x,{F}): unknown user",
    "message repeated 9 times: [ connect from unknown[{F}]]",
    "{\"MESSAGE\":\"connect from unknown[{F}]\",\"SYSLOG_IDENTIFIER\":\"postfix/smtpd\"}",
    "(reason unavailable), sasl_username=",
    "{F}",
    "UGFzc3dvcmQ6",
];

/// Xorshift (Marsaglia 2003): the same lines in every run.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() >> 33) as usize % end
    }
}

/// One to four pieces, sometimes many, sometimes cut in the middle, sometimes with a byte changed.
fn payload(dice: &mut Dice, out: &mut Vec<u8>) {
    out.clear();
    let forged = FORGED[dice.below(4) / 3];
    let pieces = if dice.below(500) == 0 { 40 } else { 1 + dice.below(4) };
    for _ in 0..pieces {
        let mut piece = PIECES[dice.below(PIECES.len())];
        while let Some((before, mark, after)) = mark(piece) {
            out.extend_from_slice(before.as_bytes());
            out.extend_from_slice(if mark == 'F' { forged.as_bytes() } else { FORGED_SESSION.as_bytes() });
            piece = after;
        }
        out.extend_from_slice(piece.as_bytes());
    }
    if dice.below(4) == 0 {
        out.truncate(dice.below(out.len() + 1));
    }
    if dice.below(8) == 0 && !out.is_empty() {
        let at = dice.below(out.len());
        out[at] = dice.next() as u8;
    }
}

/// The first `{F}` or `{G}`, with what stands before and after it.
fn mark(piece: &str) -> Option<(&str, char, &str)> {
    let at = piece.find("{F}").into_iter().chain(piece.find("{G}")).min()?;
    Some((&piece[..at], piece[at + 1..].chars().next()?, &piece[at + 3..]))
}

/// As the program writes it.
fn written(text: &mut Vec<u8>, writes: Writes) {
    match writes {
        Raw => text.retain(|b| *b != b'\n'),
        Host => {
            text.retain(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
            text.truncate(255);
        }
        Clean(limit) => {
            for b in text.iter_mut() {
                if *b < 0x20 || *b == 0x7f {
                    *b = b'?';
                }
            }
            if text.len() > limit {
                text.truncate(limit - 3);
                text.extend_from_slice(b"...");
            }
        }
    }
}

fn fill(template: &Template, dice: &mut Dice, text: &mut Vec<u8>, line: &mut Vec<u8>) {
    line.clear();
    line.extend_from_slice(STAMP.as_bytes());
    let mut rest = template.line;
    while let Some(at) = rest.find("{P}").into_iter().chain(rest.find("{T}")).chain(rest.find("{S}")).min() {
        line.extend_from_slice(&rest.as_bytes()[..at]);
        match &rest[at..at + 3] {
            "{T}" => line.extend_from_slice(TRUE.as_bytes()),
            "{S}" => line.extend_from_slice(TRUE_SESSION.as_bytes()),
            _ => {
                payload(dice, text);
                written(text, template.writes);
                line.extend_from_slice(text);
            }
        }
        rest = &rest[at + 3..];
    }
    line.extend_from_slice(rest.as_bytes());
}

/// Whether no address that a client could have forged is in the event; says what is wrong.
fn wrong(parser: &mut Parser, line: &[u8], template: &Template) -> Option<String> {
    let truth: IpAddr = TRUE.parse().unwrap();
    let client = parser.parse(line).address();
    let fault = match client {
        Some(address) if address != truth => format!("believed {address}"),
        None if template.found => "found nobody".to_owned(),
        _ => return None,
    };
    Some(format!("{fault}: {}", String::from_utf8_lossy(line)))
}

#[test]
fn nobody_is_forged() {
    let mut parser = parser();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let (mut text, mut line) = (Vec::new(), Vec::new());
    let mut faults = Vec::new();
    let mut seen = vec![false; TEMPLATES.len()];
    for number in 0..LINES {
        let which = number % TEMPLATES.len();
        let template = &TEMPLATES[which];
        fill(template, &mut dice, &mut text, &mut line);
        if let Some(fault) = wrong(&mut parser, &line, template).filter(|_| !seen[which]) {
            seen[which] = true;
            faults.push(format!("line {number}: {fault}"));
        }
    }
    assert!(faults.is_empty(), "{} kinds of line:\n{}", faults.len(), faults.join("\n"));
}

/// Logs of a real server under attack: its attackers wrote 203.0.113.40 into every field there is, and it sent nothing.
#[test]
fn nobody_is_forged_in_real_logs() {
    let victim: IpAddr = "203.0.113.40".parse().unwrap();
    for path in ["lab-real/mail.log", "lab-real/rfc3339-verbose/mail.log"] {
        let Some(log) = fixture(path) else { continue };
        let mut parser = parser();
        for line in split_lines(&log) {
            let event = parser.parse(line);
            let shown = || String::from_utf8_lossy(line);
            assert_ne!(event.address(), Some(victim), "{}", shown());
            if event.program == Program::DovecotLogin {
                assert!(event.client.is_some(), "nobody found: {}", shown());
            }
        }
    }
}

/// Parsing takes time in proportion to the length, whatever it is.
#[test]
fn long_lines_are_linear() {
    const LONG: usize = 64 * 1024;
    let mut parser = parser();
    let mut slow = Vec::new();
    for template in TEMPLATES {
        for piece in PIECES.iter().filter(|piece| !piece.is_empty()) {
            let piece = piece.replace("{F}", FORGED[0]).replace("{G}", FORGED_SESSION);
            let places = template.line.matches("{P}").count().max(1);
            let payload = piece.repeat(LONG / places / piece.len());
            let line =
                template.line.replace("{P}", &payload).replace("{T}", TRUE).replace("{S}", TRUE_SESSION);
            let line = format!("{STAMP}{line}");
            let took = fastest(&mut parser, line.as_bytes());
            if took > LINEAR {
                slow.push(format!("{took:?} for {} bytes of {piece:?} in {}", line.len(), template.line));
            }
        }
    }
    assert!(slow.is_empty(), "{} lines:\n{}", slow.len(), slow.join("\n"));
}

/// What 64 kB of anything may take; a build without optimisation gets ten times as long.
const LINEAR: Duration = Duration::from_millis(if cfg!(debug_assertions) { 10 } else { 1 });

/// The fastest of a few runs: the others were interrupted.
fn fastest(parser: &mut Parser, line: &[u8]) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        let _ = parser.parse(line);
        best = best.min(start.elapsed());
        if best < Duration::from_millis(1) {
            break;
        }
    }
    best
}
