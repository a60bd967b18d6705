//! The honest users of the incident, and what of theirs looks like an attack.

use super::script::{MILLI, Micros, Peer, SECOND, Script};
use super::traffic::{Delivery, Submission, read, receive, screen, submit};

const MINUTE: Micros = 60 * SECOND;

/// Plans all of them.
pub(super) fn plan(script: &mut Script) {
    deliveries(script);
    mailboxes(script);
    submissions(script);
    old_password(script);
    newsletter(script);
    phone(script);
    old_server(script);
    own_outage(script);
    monitor(script);
}

fn servers() -> [(Peer, &'static str); 7] {
    [
        (Peer::new("mx1.relay.example", "198.51.100.21"), "ruth@relay.example"),
        (Peer::new("out.bank.example", "198.51.100.22"), "notice@bank.example"),
        (Peer::new("mta3.school.example", "198.51.100.23"), "office@school.example"),
        (Peer::new("lists.forum.example", "198.51.100.24"), "bounces@forum.example"),
        (Peer::new("smtp.shop.example", "198.51.100.25"), "orders@shop.example"),
        (Peer::new("mx.university.example", "2001:db8:52::25"), "dean@university.example"),
        (Peer::new("mail.clinic.example", "198.51.100.27"), "reception@clinic.example"),
    ]
}

fn any_server(script: &mut Script) -> (Peer, &'static str) {
    let servers = servers();
    script.random.one(&servers, servers[0])
}

fn deliveries(script: &mut Script) {
    const TO: [&str; 5] = [
        "ines@example.net",
        "lena@example.org",
        "ines@example.net",
        "accounts@example.org",
        "jonas@example.net",
    ];
    for (server, _) in servers() {
        script.truth.honest(server.address);
    }
    script.every(6 * SECOND, 28 * SECOND, 62, |script, when, n| {
        let (from, sender) = any_server(script);
        let to = TO.get(n as usize % TO.len()).copied().unwrap_or(TO[0]);
        receive(script, when, Delivery { from, sender, to, tls: true });
    });
}

fn mailboxes(script: &mut Script) {
    let webmail = Peer::new("webmail", "172.19.0.9");
    let why = "stands for every webmail user; a private address is never banned";
    script.truth.innocent(
        "webmail in a container",
        &[webmail.address],
        "very many logins from one address",
        why,
    );
    script.every(9 * SECOND, 37 * SECOND, 47, move |script, when, n| {
        let user = if n % 4 == 3 { "jonas@example.net" } else { "ines@example.net" };
        read(script, when, webmail, user, false);
    });
    let home6 = Peer::new("home", "2001:db8:71::15");
    script.truth.honest(home6.address);
    script.every(41 * SECOND, 230 * SECOND, 7, move |script, when, _| {
        read(script, when, home6, "lena@example.org", true);
    });
    let neighbour = Peer::new("line219.cheap.example", "192.0.2.219");
    let why = "logs in and sends without a failure; a ban of the whole network would cut her off";
    script.truth.innocent(
        "a user in the attackers' network",
        &[neighbour.address],
        "lives in 192.0.2.0/24",
        why,
    );
    script.every(70 * SECOND, 205 * SECOND, 8, move |script, when, _| {
        read(script, when, neighbour, "marta@example.org", false);
    });
}

fn submissions(script: &mut Script) {
    let office = Peer::new("gw.office.example", "203.0.113.140");
    let neighbour = Peer::new("line219.cheap.example", "192.0.2.219");
    let laptop = Peer::new("unknown", "198.51.100.77");
    script.truth.honest(laptop.address);
    const TO: [&str; 4] =
        ["ruth@relay.example", "orders@shop.example", "reception@clinic.example", "office@school.example"];
    script.every(50 * SECOND, 120 * SECOND, 14, move |script, when, n| {
        let (from, user, implicit_tls) = match n % 3 {
            0 => (office, "lena@example.org", false),
            1 => (laptop, "karim@example.net", true),
            _ => (neighbour, "marta@example.org", false),
        };
        let (via, _) = any_server(script);
        let to = TO.get(n as usize % TO.len()).copied().unwrap_or(TO[0]);
        submit(script, when, Submission { from, user, to, via, implicit_tls });
    });
}

/// A scanner that asks for mail with the password of last year, behind an office's one address.
fn old_password(script: &mut Script) {
    let office = Peer::new("gw.office.example", "203.0.113.140");
    let why = "one account, the same password every time, and a colleague logs in from the same address";
    script.truth.innocent(
        "a device with an old password",
        &[office.address],
        "password failures for half an hour",
        why,
    );
    script.every(100 * SECOND, 225 * SECOND, 7, move |script, when, _| {
        let session = script.session(when, office);
        let text = format!(
            "auth: passwd-file(accounts@example.org,203.0.113.140,<{session}>): Password mismatch \
             (SHA1 of given password: 5ab7d2)"
        );
        script.dovecot(when, &text);
        let text = format!(
            "imap-login: Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): \
             user=<accounts@example.org>, method=PLAIN, rip=203.0.113.140, lip={}, TLS: Connection closed, \
             session=<{session}>",
            office.server()
        );
        script.dovecot(when + 2 * SECOND + 6 * MILLI, &text);
    });
    script.every(30 * SECOND, 6 * MINUTE, 5, move |script, when, _| {
        read(script, when, office, "lena@example.org", false);
    });
}

/// Writes to somebody who has left, every time that there is news.
fn newsletter(script: &mut Script) {
    let publisher = Peer::new("news.publisher.example", "198.51.100.33");
    let why = "a mail server with a confirmed name, one former user, and deliveries to another";
    script.truth.innocent("a newsletter", &[publisher.address], "unknown recipients", why);
    script.every(140 * SECOND, 395 * SECOND, 4, move |script, when, n| {
        let port = script.random.port();
        let t = screen(script, when, publisher, port);
        let pid = script.process("smtpd", t, t + SECOND);
        let say = |script: &mut Script, at, text: &str| script.log(at, "postfix/smtpd", pid, text);
        say(script, t, &format!("connect from {publisher}"));
        let at = t + 160 * MILLI;
        script.dovecot(at, "auth: passwd-file(ulrich@example.net): unknown user ");
        let text = format!(
            "NOQUEUE: reject: RCPT from {publisher}: 550 5.1.1 <ulrich@example.net>: Recipient address rejected: User \
             unknown in virtual mailbox table; from=<news@publisher.example> to=<ulrich@example.net> proto=ESMTP \
             helo=<news.publisher.example>"
        );
        say(script, at + 2 * MILLI, &text);
        say(script, at + 60 * MILLI, &format!("disconnect from {publisher} ehlo=1 mail=1 rcpt=0/1 quit=1 commands=3/4"));
        if n % 2 == 1 {
            let mail = Delivery { from: publisher, sender: "news@publisher.example", to: "ines@example.net", tls: true };
            receive(script, at + 5 * SECOND, mail);
        }
    });
}

/// Breaks off a handshake when its network changes, and is back three seconds later; looks around between.
fn phone(script: &mut Script) {
    let phone = Peer::new("m71.mobile.example", "203.0.113.71");
    let why = "logs in seconds later from the same address";
    script.truth.innocent(
        "a phone",
        &[phone.address],
        "broken TLS handshakes, connections without a login",
        why,
    );
    script.every(210 * SECOND, 9 * MINUTE, 3, move |script, when, _| {
        let program = "postfix/submissions/smtpd";
        let pid = script.process(program, when, when + SECOND);
        let at = when + script.random.between(200, 700) * MILLI;
        let lines = [
            (when, format!("connect from {phone}")),
            (at, format!("SSL_accept error from {phone}: lost connection")),
            (at + 60, format!("lost connection after CONNECT from {phone}")),
            (at + 120, format!("disconnect from {phone} commands=0/0")),
        ];
        for (at, text) in lines {
            script.log(at, program, pid, &text);
        }
        read(script, at + 3 * SECOND, phone, "jonas@example.net", true);
        let [_, _, (via, _), ..] = servers();
        let mail =
            Submission { from: phone, user: "jonas@example.net", to: "office@school.example", via, implicit_tls: true };
        submit(script, at + 20 * SECOND, mail);
        let session = script.session(at + 60 * SECOND, phone);
        let text = format!(
            "imap-login: Disconnected: Connection closed (no auth attempts in 1 secs): user=<>, rip=203.0.113.71, \
             lip={}, TLS: Connection closed, session=<{session}>",
            phone.server()
        );
        script.dovecot(at + 61 * SECOND, &text);
    });
}

/// Knows TLS 1.0 only; fails, and then delivers in the clear, as mail servers do.
fn old_server(script: &mut Script) {
    let parish = Peer::new("old.parish.example", "198.51.100.41");
    let why = "a mail server with a confirmed name that delivers a moment later without TLS";
    script.truth.innocent(
        "a mail server that knows TLS 1.0 only",
        &[parish.address],
        "failed TLS handshakes",
        why,
    );
    script.every(5 * MINUTE, 11 * MINUTE, 2, move |script, when, _| {
        let port = script.random.port();
        let t = screen(script, when, parish, port);
        let pid = script.process("smtpd", t, t + SECOND);
        let at = t + 90 * MILLI;
        let lines = [
            (t, format!("connect from {parish}")),
            (at, format!("SSL_accept error from {parish}: -1")),
            (
                at + 18,
                "warning: TLS library problem: error:0A000102:SSL routines::unsupported protocol:\
                       ../ssl/statem/statem_srvr.c:1657:"
                    .to_owned(),
            ),
            (at + 70, format!("lost connection after STARTTLS from {parish}")),
            (at + 130, format!("disconnect from {parish} ehlo=1 starttls=0/1 commands=1/2")),
        ];
        for (at, text) in lines {
            script.log(at, "postfix/smtpd", pid, &text);
        }
        let mail =
            Delivery { from: parish, sender: "bells@parish.example", to: "lena@example.org", tls: false };
        receive(script, at + 2 * SECOND, mail);
    });
}

/// Half a minute in which our resolver does not answer: honest senders are put off, and come again.
fn own_outage(script: &mut Script) {
    let resolver_down = 18 * MINUTE;
    let why = "the resolver was down for everybody; they deliver minutes later";
    let put_off: Vec<_> = servers().into_iter().filter(|(peer, _)| peer.address.is_ipv4()).take(4).collect();
    let addresses: Vec<_> = put_off.iter().map(|(peer, _)| peer.address).collect();
    script.truth.innocent("mail servers during our own outage", &addresses, "sender domains not found", why);
    for (n, (from, sender)) in put_off.into_iter().enumerate() {
        for k in 0..3_u64 {
            let when = resolver_down + (n as u64 * 2_700 + k * 9_100) * MILLI;
            script.at(when, move |script, when| {
                let port = script.random.port();
                let t = screen(script, when, from, port);
                let pid = script.process("smtpd", t, t + SECOND);
                let text = format!(
                    "NOQUEUE: reject: RCPT from {from}: 450 4.1.8 <{sender}>: Sender address rejected: Domain not \
                     found; from=<{sender}> to=<ines@example.net> proto=ESMTP helo=<{}>",
                    from.name
                );
                let lines = [
                    (t, format!("connect from {from}")),
                    (t + 210 * MILLI, text),
                    (t + 280 * MILLI, format!("disconnect from {from} ehlo=1 mail=1 rcpt=0/1 quit=1 commands=3/4")),
                ];
                for (at, text) in lines {
                    script.log(at, "postfix/smtpd", pid, &text);
                }
            });
        }
        let mail = Delivery { from, sender, to: "ines@example.net", tls: true };
        script.at(resolver_down + (300 + 11 * n as u64) * SECOND, move |script, when| {
            receive(script, when, mail);
        });
    }
}

/// Connects to 25 and 993 every five minutes and leaves.
fn monitor(script: &mut Script) {
    let monitor = Peer::new("check1.uptime.example", "203.0.113.90");
    let why = "always the same two ports at a fixed interval, without a byte";
    script.truth.innocent("an uptime monitor", &[monitor.address], "connections that are left at once", why);
    script.every(60 * SECOND, 5 * MINUTE, 6, move |script, when, _| {
        let (pid, port) = (script.only("postscreen"), script.random.port());
        let lines = [
            (when, format!("CONNECT from [203.0.113.90]:{port} to [{}]:25", monitor.server())),
            (when + 90, format!("HANGUP after 0 from [203.0.113.90]:{port} in tests before SMTP handshake")),
            (when + 110, format!("DISCONNECT [203.0.113.90]:{port}")),
        ];
        for (at, text) in lines {
            script.log(at, "postfix/postscreen", pid, &text);
        }
        let session = script.session(when + 300 * MILLI, monitor);
        let text = format!(
            "imap-login: Disconnected: Connection closed (no auth attempts in 0 secs): user=<>, rip=203.0.113.90, \
             lip={}, TLS handshaking: Connection closed, session=<{session}>",
            monitor.server()
        );
        script.dovecot(when + 301 * MILLI, &text);
    });
}
