//! Log text that names an innocent, in every field that a client controls.
//!
//! None of it may ever count against [`BYSTANDER`], who does nothing at all.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{IpAddr, Ipv6Addr, TcpListener};
use std::thread;
use std::time::Duration;

use super::run::{After, Try};
use super::{Attack, Sources, attack};
use crate::client::{Mailbox as _, Reach, Smtp, Times, Trouble, Trust, base64, letter, reach};
use crate::topology::{BYSTANDER, HOME, HOSTILE_NAMED, NORA, Place, ROGUE};

pub(super) const ATTACKS: &[Attack] = &[Attack {
    sources: Sources::Scattered(16),
    count: 4 * KINDS.len(),
    rate: 4.0,
    parallel: 16,
    after: Some(bystander_connects),
    ..attack(
        "log-injection",
        "Writes log text that names an innocent address into every field that a client controls.",
        587,
        inject,
    )
}];

/// A kind of injection: its name and what it does.
type Kind = (&'static str, fn(&Try<'_>) -> Result<(), Trouble>);

const KINDS: [Kind; 24] = [
    ("helo", |t| port25(t, &format!("EHLO x from {}", sasl_text()), &[])),
    ("helo-reject", |t| port25(t, &format!("HELO reject:_{}", reject_text().replace(' ', "_")), &[])),
    ("helo-address", |t| port25(t, &format!("HELO [{}]", bystander()), &["RCPT TO:<x@elsewhere.example>"])),
    ("sender", |t| {
        port25(t, "EHLO a.example", &[&format!("MAIL FROM:<\"x from {}\"@rogue.example>", sasl_text())])
    }),
    ("sender-end", |t| {
        let forged = format!("MAIL FROM:<\"a> NOQUEUE: reject: {} <b\"@rogue.example>", reject_text());
        port25(t, "EHLO a.example", &[&forged, "RCPT TO:<x@elsewhere.example>"])
    }),
    ("recipient", |t| {
        port25(
            t,
            "EHLO a.example",
            &["MAIL FROM:<>", &format!("RCPT TO:<\"x, rip={}, lip=1\"@example.org>", bystander())],
        )
    }),
    ("command", |t| port25(t, &format!("GET / from unknown[{}]: Relay access denied", bystander()), &[])),
    ("unknown-commands", |t| {
        let junk = format!("XYZZY rip={b}, from unknown[{b}]", b = bystander());
        port25(t, "EHLO a.example", &[&junk, &junk, &junk])
    }),
    ("pregreet", |t| {
        pregreet(
            t,
            &format!("EHLO x from [{b}]:4242: PREGREET 11 after 0.01 from [{b}]:25\r\n", b = bystander()),
        )
    }),
    ("pregreet-line", |t| {
        pregreet(t, &format!("EHLO x\r\nMar  1 00:00:00 mail postfix/smtpd[1]: warning: {}\r\n", sasl_text()))
    }),
    ("auth-mechanism", |t| {
        submission(t, |smtp| smtp.command(&format!("AUTH from_{}", sasl_text().replace(' ', "_"))).map(drop))
    }),
    ("sasl-plain", |t| {
        submission(t, |smtp| smtp.auth_plain(&format!("x from {}", sasl_text()), "x").map(drop))
    }),
    ("sasl-line", |t| {
        submission(t, |smtp| {
            smtp.auth_login(
                &format!("x\nMar  1 00:00:00 mail postfix/smtpd[1]: warning: {}", sasl_text()),
                "x",
            )
            .map(drop)
        })
    }),
    ("sasl-rip", |t| submission(t, |smtp| smtp.auth_login(&tail("x"), "x").map(drop))),
    ("imap-rip", |t| imap(t, &format!("x, rip={}, lip=198.51.100.25, TLS", bystander()))),
    ("imap-end", |t| imap(t, &tail("x"))),
    ("imap-whole", |t| imap(t, &format!("x): {}", tail("user=<y")))),
    ("imap-worker", |t| imap(t, &format!("x,{},<AAAA>): Password mismatch", bystander()))),
    ("imap-unicode", |t| imap(t, &format!("\u{202e}rip={b},\u{2028}\u{85}rip={b}", b = bystander()))),
    ("imap-line", imap_line),
    ("pop3-rip", |t| pop3(t, &tail("x"))),
    ("message-id", message_id),
    ("reverse-name", reverse_names),
    ("remote-reply", remote_reply),
];

fn inject(attempt: &Try<'_>) -> Result<(), Trouble> {
    let Some((name, go)) = KINDS.get(attempt.n % KINDS.len()) else { return Ok(()) };
    let result = go(attempt);
    attempt.said(name);
    match result {
        // The server may well end a connection that talks like this.
        Err(Trouble::Closed | Trouble::Tls(_)) => Ok(()),
        other => other,
    }
}

fn bystander() -> IpAddr {
    BYSTANDER.address
}

fn sasl_text() -> String {
    format!("unknown[{}]: SASL LOGIN authentication failed: UGFzc3dvcmQ6", bystander())
}

fn reject_text() -> String {
    format!(
        "RCPT from unknown[{b}]: 554 5.7.1 Service unavailable; Client host [{b}] blocked",
        b = bystander()
    )
}

/// The end of one of Dovecot's login lines, after a user name that closes its own bracket.
fn tail(user: &str) -> String {
    format!("{user}>, method=PLAIN, rip={}, lip=198.51.100.25, TLS, session=<AAAA>", bystander())
}

fn port25(attempt: &Try<'_>, hello: &str, more: &[&str]) -> Result<(), Trouble> {
    let mut smtp = attempt.smtp(25)?;
    smtp.reply()?;
    smtp.command(hello)?;
    let usual = ["MAIL FROM:<a@rogue.example>", "RCPT TO:<nobody@example.org>"];
    for command in more.iter().chain(&usual) {
        smtp.command(command)?;
    }
    smtp.quit();
    Ok(())
}

/// From an address that postscreen has not let pass yet.
fn pregreet(attempt: &Try<'_>, text: &str) -> Result<(), Trouble> {
    let n = u16::try_from(attempt.n).unwrap_or(0);
    let fresh = Ipv6Addr::new(0x2001, 0xdb8, 0xbad, 0x66, 0, 0, 0, n);
    let mut smtp = Smtp::open(fresh.into(), 25, Times::ATTACKER)?;
    smtp.conn.send(text.as_bytes())?;
    smtp.conn.drain(Duration::from_secs(4));
    Ok(())
}

fn submission(attempt: &Try<'_>, go: impl FnOnce(&mut Smtp) -> Result<(), Trouble>) -> Result<(), Trouble> {
    let mut smtp = attempt.smtp(587)?;
    if smtp.hello("client.example", attempt.trust)?.good() {
        go(&mut smtp)?;
    }
    smtp.quit();
    Ok(())
}

fn imap(attempt: &Try<'_>, user: &str) -> Result<(), Trouble> {
    let mut imap = attempt.imap(993)?;
    imap.hello(attempt.trust)?;
    imap.login(user, "x").map(drop)
}

/// A literal may hold line ends.
fn imap_line(attempt: &Try<'_>) -> Result<(), Trouble> {
    let mut imap = attempt.imap(993)?;
    imap.hello(attempt.trust)?;
    let forged = format!(
        "x\r\nMar  1 00:00:00 mail dovecot: imap-login: Disconnected (auth failed, 9 attempts in 9 secs): {}",
        tail("user=<y")
    );
    imap.login_literal(&forged, "x").map(drop)
}

fn pop3(attempt: &Try<'_>, user: &str) -> Result<(), Trouble> {
    let mut pop3 = attempt.pop3(995)?;
    pop3.hello(attempt.trust)?;
    pop3.login(user, "x").map(drop)
}

fn message_id(attempt: &Try<'_>) -> Result<(), Trouble> {
    let mut smtp = attempt.smtp(25)?;
    smtp.reply()?;
    smtp.command("EHLO a.example")?;
    let id = format!("a from {t}\n id from {t}@rogue.example", t = sasl_text());
    let text = letter("a@rogue.example", NORA.name, &sasl_text(), &id, "x");
    smtp.message("a@rogue.example", &[NORA.name.to_owned()], &text)?;
    smtp.quit();
    Ok(())
}

/// From addresses whose reverse names look like log text.
fn reverse_names(attempt: &Try<'_>) -> Result<(), Trouble> {
    for source in HOSTILE_NAMED {
        let mut smtp = Smtp::open(source.into(), 587, Times::ATTACKER)?;
        if smtp.hello("client.example", attempt.trust)?.good() {
            smtp.command(&format!("AUTH PLAIN {}", base64(b"\0nora@example.org\0wrong")))?;
        }
        smtp.quit();
    }
    Ok(())
}

/// An honest user writes to a server whose refusal looks like log text, which Postfix quotes.
fn remote_reply(attempt: &Try<'_>) -> Result<(), Trouble> {
    let lab = |error: std::io::Error| Trouble::Lab(error.to_string());
    // Another round's server may still hold the port; one is enough.
    let Ok(listener) = TcpListener::bind((ROGUE, 25)) else { return Ok(()) };
    listener.set_nonblocking(true).map_err(lab)?;
    let server = thread::spawn(move || refuse_one(&listener));
    let sent = attempt.lab.within(Place::Good, || Ok(write_to_rogue(attempt.lab)));
    let _ = server.join();
    sent.map_err(|error| Trouble::Lab(error.to_string()))?
}

fn refuse_one(listener: &TcpListener) -> std::io::Result<()> {
    for _ in 0..100 {
        let Ok((stream, _)) = listener.accept() else {
            thread::sleep(Duration::from_millis(100));
            continue;
        };
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let mut out = &stream;
        write!(out, "220 mx.rogue.example\r\n")?;
        for line in BufReader::new(&stream).lines() {
            let line = line?.to_ascii_uppercase();
            match line.split(' ').next() {
                Some("QUIT") => break,
                Some("RCPT") => write!(out, "550 5.7.1 x) from {}\r\n", sasl_text())?,
                _ => write!(out, "250 ok\r\n")?,
            }
        }
        return Ok(());
    }
    Ok(())
}

fn write_to_rogue(lab: &crate::Lab) -> Result<(), Trouble> {
    let trust = Trust::authority(&lab.authority()).map_err(|error| Trouble::Lab(error.to_string()))?;
    let mut smtp = Smtp::open(HOME.address, 587, Times::HONEST)?;
    smtp.hello("[192.168.178.20]", &trust)?;
    smtp.auth_plain(NORA.name, NORA.password)?;
    let to = "bob@rogue.example".to_owned();
    let text = letter(NORA.name, &to, "Re: offer", "reply@line21.example", "No, thank you.");
    smtp.message(NORA.name, &[to], &text)?;
    smtp.quit();
    Ok(())
}

/// After some time to react: can the innocent still connect, on every port?
fn bystander_connects(after: &After<'_>) {
    thread::sleep(Duration::from_secs(2));
    let open = after.lab.within(Place::Good, || {
        let reached = [25, 587, 993].map(|port| reach(bystander(), port, Duration::from_secs(1)));
        Ok(reached.iter().all(|reach| matches!(reach, Ok(Reach::Open))))
    });
    after.note("bystander_connects", usize::from(open.unwrap_or(false)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn kinds_have_names_of_their_own_and_each_is_tried() {
        let names: BTreeSet<_> = KINDS.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), KINDS.len());
        assert_eq!(ATTACKS[0].count % KINDS.len(), 0);
        // Sources and kinds must not march in step, or a kind would always come from the same address.
        assert_ne!(KINDS.len() % 16, 0);
    }
}
