//! The attackers of the incident.

use super::script::{MILLI, Micros, Peer, SECOND, Script};
use super::traffic::{TLS, screen};

const MINUTE: Micros = 60 * SECOND;
const SUBMISSIONS: &str = "postfix/submissions/smtpd";
const SUBMISSION: &str = "postfix/submission/smtpd";

/// Plans all of them.
pub(super) fn plan(script: &mut Script) {
    tls_probes(script);
    pregreet(script);
    brute_force(script);
    spray(script);
    mailbox_guesser(script);
    listed(script);
    relay(script);
    helo(script);
    harvest(script);
    foreign_protocol(script);
    forged_sender(script);
    lookers(script);
}

/// How a TLS probe ends.
#[derive(Clone, Copy)]
enum Probe {
    Lost,
    Reset,
    Protocol,
    Version,
    Http,
}

/// One campaign of a whole network: no address comes often enough to be noticed alone, but for one.
fn tls_probes(script: &mut Script) {
    let what = "breaks off TLS handshakes on 465, mostly once or twice an address";
    script.truth.attack("tls-probes", "tls-probe", what, Some("192.0.2.0/24"));
    const HOSTS: [u8; 21] =
        [5, 11, 18, 23, 34, 42, 51, 64, 68, 79, 83, 96, 107, 113, 128, 139, 146, 162, 177, 191, 240];
    const KINDS: [Probe; 9] = [
        Probe::Lost,
        Probe::Lost,
        Probe::Reset,
        Probe::Lost,
        Probe::Protocol,
        Probe::Lost,
        Probe::Version,
        Probe::Lost,
        Probe::Http,
    ];
    for n in 0..36_u64 {
        let first_round = HOSTS.get(n as usize).copied();
        let host = first_round.unwrap_or_else(|| if n % 3 == 0 { 64 } else { script.random.one(&HOSTS, 5) });
        let when = (20 + n * 48) * SECOND + script.random.between(0, 14_000) * MILLI;
        let kind = KINDS.get(n as usize % KINDS.len()).copied().unwrap_or(Probe::Lost);
        script.at(when, move |script, when| probe(script, when, host, kind));
    }
}

fn probe(script: &mut Script, when: Micros, host: u8, kind: Probe) {
    let peer = Peer { name: "unknown", address: [192, 0, 2, host].into() };
    let end = when + script.random.between(120, 380) * MILLI;
    let pid = script.process(SUBMISSIONS, when, end + MILLI);
    script.log(when, SUBMISSIONS, pid, &format!("connect from {peer}"));
    let (how, library) = match kind {
        Probe::Lost => ("lost connection", None),
        Probe::Reset => ("Connection reset by peer", None),
        Probe::Protocol => {
            ("-1", Some("0A000102:SSL routines::unsupported protocol:../ssl/statem/statem_srvr.c:1657:"))
        }
        Probe::Version => {
            ("-1", Some("0A00010B:SSL routines::wrong version number:../ssl/record/ssl3_record.c:354:"))
        }
        Probe::Http => ("-1", Some("0A00009C:SSL routines::http request:../ssl/record/ssl3_record.c:345:")),
    };
    script.log(end, SUBMISSIONS, pid, &format!("SSL_accept error from {peer}: {how}"));
    if let Some(library) = library {
        script.log(end + 20, SUBMISSIONS, pid, &format!("warning: TLS library problem: error:{library}"));
    }
    script.log(end + 70, SUBMISSIONS, pid, &format!("lost connection after CONNECT from {peer}"));
    script.log(end + 130, SUBMISSIONS, pid, &format!("disconnect from {peer} commands=0/0"));
    script.truth.offence("tls-probes", end, peer.address, None);
}

fn pregreet(script: &mut Script) {
    script.truth.attack("pregreet", "pregreet", "talks before the greeting, every four minutes", None);
    script.every(95 * SECOND, 236 * SECOND, 7, |script, when, _| {
        let peer = Peer::unnamed("203.0.113.9");
        let (pid, port) = (script.only("postscreen"), script.random.port());
        let say = |script: &mut Script, at, text: &str| script.log(at, "postfix/postscreen", pid, text);
        say(script, when, &format!("CONNECT from [203.0.113.9]:{port} to [{}]:25", peer.server()));
        let early = script.random.between(6, 28);
        let at = when + early * 10 * MILLI;
        say(
            script,
            at,
            &format!("PREGREET 14 after 0.{early:02} from [203.0.113.9]:{port}: EHLO ylmf-pc\\r\\n"),
        );
        let gone = at + 380 * MILLI;
        say(
            script,
            gone,
            &format!("HANGUP after 0.38 from [203.0.113.9]:{port} in tests after SMTP handshake"),
        );
        say(script, gone + 26, &format!("DISCONNECT [203.0.113.9]:{port}"));
        script.truth.offence("pregreet", at, peer.address, None);
    });
}

/// A failed SMTP AUTH: the auth process at once, Postfix after Dovecot's delay of two seconds.
fn failed_auth(
    script: &mut Script,
    when: Micros,
    service: &'static str,
    peer: Peer,
    user: &str,
    digits: &str,
    known: bool,
) -> Micros {
    let pid = script.process(service, when, when + 4 * SECOND);
    script.log(when, service, pid, &format!("connect from {peer}"));
    let at = when + script.random.between(9, 25) * MILLI;
    script.log(at, service, pid, &format!("Anonymous TLS connection established from {peer}: {TLS}"));
    let at = at + script.random.between(200, 420) * MILLI;
    let why = if known { "Password mismatch" } else { "unknown user" };
    let text =
        format!("auth: passwd-file({user},{}): {why} (SHA1 of given password: {digits})", peer.address);
    script.dovecot(at, &text);
    let at = at + 2 * SECOND + script.random.between(1, 12) * MILLI;
    let text = format!(
        "warning: {peer}: SASL LOGIN authentication failed: (reason unavailable), sasl_username={user}"
    );
    script.log(at, service, pid, &text);
    let bye = at + script.random.between(40, 90) * MILLI;
    let commands = if service == SUBMISSION {
        "ehlo=2 starttls=1 auth=0/1 quit=1 commands=4/5"
    } else {
        "ehlo=1 auth=0/1 quit=1 commands=2/3"
    };
    script.log(bye, service, pid, &format!("disconnect from {peer} {commands}"));
    at
}

fn brute_force(script: &mut Script) {
    let what = "guesses on 587, nine times in two minutes, many names and passwords";
    script.truth.attack("sasl-brute-force", "auth-failure", what, None);
    const NAMES: [(&str, bool); 9] = [
        ("ines@example.net", true),
        ("admin@example.net", false),
        ("accounts@example.org", true),
        ("test", false),
        ("ines@example.net", true),
        ("jonas@example.net", true),
        ("postmaster@example.net", true),
        ("info@example.org", false),
        ("ines@example.net", true),
    ];
    script.every(11 * MINUTE, 13 * SECOND, 9, |script, when, n| {
        let peer = Peer::unnamed("198.51.100.201");
        let (user, known) = NAMES.get(n as usize).copied().unwrap_or(("root", false));
        let digits = script.random.word("0123456789abcdef", 6);
        let at = failed_auth(script, when, SUBMISSION, peer, user, &digits, known);
        script.truth.tried("sasl-brute-force", 1);
        script.truth.offence("sasl-brute-force", at, peer.address, Some(user));
    });
}

/// One try an address, two passwords, two accounts: below every threshold that looks at addresses.
fn spray(script: &mut Script) {
    let what = "guesses on 465 once from each of twelve addresses at two accounts";
    script.truth.attack("sasl-spray", "auth-failure", what, None);
    const HOSTS: [&str; 12] = [
        "198.51.100.131",
        "203.0.113.150",
        "198.51.100.138",
        "203.0.113.157",
        "198.51.100.149",
        "203.0.113.166",
        "198.51.100.158",
        "203.0.113.173",
        "198.51.100.164",
        "203.0.113.188",
        "198.51.100.179",
        "203.0.113.197",
    ];
    script.every(80 * SECOND, 141 * SECOND, 12, |script, when, n| {
        let peer = Peer::unnamed(HOSTS.get(n as usize).copied().unwrap_or("198.51.100.131"));
        let user = if n % 3 == 2 { "jonas@example.net" } else { "ines@example.net" };
        let digits = if n < 7 { "c2f05b" } else { "70d9e4" };
        let at = failed_auth(script, when, SUBMISSIONS, peer, user, digits, true);
        script.truth.tried("sasl-spray", 1);
        script.truth.offence("sasl-spray", at, peer.address, Some(user));
    });
}

fn mailbox_guesser(script: &mut Script) {
    let what = "guesses on 993, three passwords a connection";
    script.truth.attack("imap-brute-force", "auth-failure", what, None);
    script.every(7 * MINUTE, 52 * SECOND, 5, |script, when, _| {
        let peer = Peer::unnamed("203.0.113.230");
        let session = script.session(when, peer);
        let mut at = when + 90 * MILLI;
        for _ in 0..3 {
            let digits = script.random.word("0123456789abcdef", 6);
            let text = format!(
                "auth: passwd-file(lena@example.org,203.0.113.230,<{session}>): Password mismatch \
                 (SHA1 of given password: {digits})"
            );
            script.dovecot(at, &text);
            at += 4 * SECOND + script.random.between(2, 30) * MILLI;
        }
        let seconds = (at - when) / SECOND;
        let text = format!(
            "imap-login: Disconnected: Connection closed (auth failed, 3 attempts in {seconds} secs): \
             user=<lena@example.org>, method=PLAIN, rip=203.0.113.230, lip={}, TLS: Connection closed, \
             session=<{session}>",
            peer.server()
        );
        script.dovecot(at, &text);
        script.truth.tried("imap-brute-force", 3);
        script.truth.offence("imap-brute-force", at, peer.address, Some("lena@example.org"));
    });
}

fn listed(script: &mut Script) {
    let what = "delivers from addresses on a DNS blocklist; postscreen refuses them";
    script.truth.attack("dnsbl", "dnsbl", what, None);
    const HOSTS: [&str; 5] =
        ["203.0.113.101", "203.0.113.118", "198.51.100.87", "203.0.113.101", "198.51.100.94"];
    const TO: [&str; 3] = ["ines@example.net", "lena@example.org", "accounts@example.org"];
    script.every(170 * SECOND, 178 * SECOND, 9, |script, when, n| {
        let peer = Peer::unnamed(HOSTS.get(n as usize % HOSTS.len()).copied().unwrap_or("203.0.113.101"));
        let to = TO.get(n as usize % TO.len()).copied().unwrap_or(TO[0]);
        let (address, port, pid) = (peer.address, script.random.port(), script.only("postscreen"));
        let say = |script: &mut Script, at, text: &str| script.log(at, "postfix/postscreen", pid, text);
        say(script, when, &format!("CONNECT from [{address}]:{port} to [{}]:25", peer.server()));
        let lookup = script.process("dnsblog", when, when + 200 * MILLI);
        let found = format!("addr {address} listed by domain zen.spamhaus.org as 127.0.0.4");
        let at = when + script.random.between(40, 150) * MILLI;
        script.log(at, "postfix/dnsblog", lookup, &found);
        let at = when + 6 * SECOND + script.random.between(1, 40) * MILLI;
        say(script, at, &format!("DNSBL rank 3 for [{address}]:{port}"));
        let at = at + script.random.between(300, 800) * MILLI;
        let text = format!(
            "NOQUEUE: reject: RCPT from [{address}]:{port}: 550 5.7.1 Service unavailable; client [{address}] blocked \
             using zen.spamhaus.org; from=<deal{n}@spam.example>, to=<{to}>, proto=ESMTP, helo=<srv{n}.spam.example>"
        );
        say(script, at, &text);
        say(script, at + 70 * MILLI, &format!("DISCONNECT [{address}]:{port}"));
        script.truth.offence("dnsbl", at, address, None);
    });
}

/// A client that gets as far as smtpd and is refused at RCPT.
fn refused(script: &mut Script, when: Micros, peer: Peer, reject: &str) -> Micros {
    let port = script.random.port();
    let t = screen(script, when, peer, port);
    let pid = script.process("smtpd", t, t + SECOND);
    script.log(t, "postfix/smtpd", pid, &format!("connect from {peer}"));
    let at = t + script.random.between(150, 420) * MILLI;
    script.log(at, "postfix/smtpd", pid, &format!("NOQUEUE: reject: RCPT from {peer}: {reject}"));
    let bye = format!("disconnect from {peer} ehlo=1 mail=1 rcpt=0/1 quit=1 commands=3/4");
    script.log(at + 90 * MILLI, "postfix/smtpd", pid, &bye);
    at
}

fn relay(script: &mut Script) {
    script.truth.attack(
        "relay-probe",
        "relay-probe",
        "tries to send to other domains through this server",
        None,
    );
    script.every(4 * MINUTE, 7 * MINUTE, 4, |script, when, n| {
        let peer = Peer::unnamed("198.51.100.214");
        let text = format!(
            "554 5.7.1 <check{n}@freemail.example>: Relay access denied; from=<check{n}@freemail.example> \
             to=<check{n}@freemail.example> proto=ESMTP helo=<WIN-8QK2LD0V5TR>"
        );
        let at = refused(script, when, peer, &text);
        script.truth.offence("relay-probe", at, peer.address, None);
    });
}

fn helo(script: &mut Script) {
    script.truth.attack("helo-abuse", "helo-abuse", "calls itself by bare words", None);
    script.every(6 * MINUTE, 3 * MINUTE, 5, |script, when, n| {
        let peer = Peer::unnamed("198.51.100.219");
        let name = if n % 2 == 0 { "User" } else { "localhost" };
        let text = format!(
            "504 5.5.2 <{name}>: Helo command rejected: need fully-qualified hostname; from=<news@spam.example> \
             to=<jonas@example.net> proto=ESMTP helo=<{name}>"
        );
        let at = refused(script, when, peer, &text);
        script.truth.offence("helo-abuse", at, peer.address, None);
    });
}

fn harvest(script: &mut Script) {
    let what = "asks for many names until the server hangs up";
    script.truth.attack("user-harvest", "user-harvest", what, None);
    const NAMES: [&str; 9] = ["aaron", "abel", "ada", "agnes", "albert", "alina", "amelie", "anders", "anna"];
    script.every(16 * MINUTE, 8 * MINUTE, 2, |script, when, _| {
        let peer = Peer::unnamed("203.0.113.126");
        let port = script.random.port();
        let t = screen(script, when, peer, port);
        let pid = script.process("smtpd", t, t + 12 * SECOND);
        script.log(t, "postfix/smtpd", pid, &format!("connect from {peer}"));
        let mut at = t;
        for name in NAMES {
            at += script.random.between(110, 300) * MILLI;
            // The quota look-up asks Dovecot for every recipient; it has no address and is no login.
            script.dovecot(at, &format!("auth: passwd-file({name}@example.net): unknown user "));
            at += 3 * MILLI;
            let text = format!(
                "NOQUEUE: reject: RCPT from {peer}: 550 5.1.1 <{name}@example.net>: Recipient address rejected: User \
                 unknown in virtual mailbox table; from=<w@spam.example> to=<{name}@example.net> proto=ESMTP \
                 helo=<pool126.spam.example>"
            );
            script.log(at, "postfix/smtpd", pid, &text);
            script.truth.offence("user-harvest", at, peer.address, None);
        }
        script.log(at + 900 * MILLI, "postfix/smtpd", pid, &format!("too many errors after RCPT from {peer}"));
        let bye = format!("disconnect from {peer} ehlo=1 mail=1 rcpt=0/9 commands=2/11");
        script.log(at + 901 * MILLI, "postfix/smtpd", pid, &bye);
    });
}

fn foreign_protocol(script: &mut Script) {
    script.truth.attack("foreign-protocol", "protocol-abuse", "speaks HTTP to port 25", None);
    script.every(9 * MINUTE, 4 * MINUTE, 3, |script, when, _| {
        let peer = Peer::unnamed("198.51.100.60");
        let port = script.random.port();
        let t = screen(script, when, peer, port);
        let pid = script.process("smtpd", t, t + SECOND);
        script.log(t, "postfix/smtpd", pid, &format!("connect from {peer}"));
        let at = t + 80 * MILLI;
        script.log(
            at,
            "postfix/smtpd",
            pid,
            &format!("warning: non-SMTP command from {peer}: GET / HTTP/1.1"),
        );
        script.log(
            at + 40,
            "postfix/smtpd",
            pid,
            &format!("disconnect from {peer} unknown=0/1 commands=0/1"),
        );
        script.truth.offence("foreign-protocol", at, peer.address, None);
    });
}

fn forged_sender(script: &mut Script) {
    let what = "sends from a domain that does not exist";
    script.truth.attack("forged-sender", "sender-abuse", what, None);
    script.every(5 * MINUTE, 10 * MINUTE, 2, |script, when, _| {
        let peer = Peer::unnamed("203.0.113.212");
        let text = "450 4.1.8 <pay@no-such-domain.example>: Sender address rejected: Domain not found; \
                    from=<pay@no-such-domain.example> to=<ines@example.net> proto=ESMTP helo=<out.spam.example>";
        let at = refused(script, when, peer, text);
        script.truth.offence("forged-sender", at, peer.address, None);
    });
}

/// Opens connections and leaves, in postscreen's tests.
fn lookers(script: &mut Script) {
    let what = "connects and leaves within postscreen's tests, each once";
    script.truth.attack("hang-up", "protocol-abuse", what, None);
    const HOSTS: [&str; 4] = ["203.0.113.33", "203.0.113.38", "198.51.100.112", "198.51.100.117"];
    script.every(3 * MINUTE, 6 * MINUTE, 4, |script, when, n| {
        let peer = Peer::unnamed(HOSTS.get(n as usize).copied().unwrap_or("203.0.113.33"));
        let (address, port, pid) = (peer.address, script.random.port(), script.only("postscreen"));
        let tenths = script.random.between(11, 39);
        let at = when + tenths * 100 * MILLI;
        let lines = [
            (when, format!("CONNECT from [{address}]:{port} to [{}]:25", peer.server())),
            (
                at,
                format!(
                    "HANGUP after {}.{} from [{address}]:{port} in tests before SMTP handshake",
                    tenths / 10,
                    tenths % 10
                ),
            ),
            (at + 60, format!("DISCONNECT [{address}]:{port}")),
        ];
        for (at, text) in lines {
            script.log(at, "postfix/postscreen", pid, &text);
        }
        script.truth.offence("hang-up", at, address, None);
    });
}
