//! Connections that are opened for their own sake: TLS probes, looking around, floods, slow talkers.

use std::thread;
use std::time::{Duration, Instant};

use super::run::Try;
use super::{Attack, Company, attack};
use crate::client::{Conn, Times, Trouble, client_hello, tls10_hello};

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        count: 24,
        ..attack(
            "ssl-probe",
            "Opens 465 and 993 and breaks off before or within the TLS handshake.",
            465,
            probe,
        )
    },
    attack("imap-probe", "Opens IMAP and POP3, asks what they can do and leaves without a login.", 993, look),
    Attack {
        count: 300,
        rate: 100.0,
        parallel: 150,
        company: Company::Alone,
        ..attack(
            "smtp-flood",
            "Opens connections to 25 and 587 as fast as it can and keeps them.",
            587,
            flood,
        )
    },
    Attack {
        count: 60,
        rate: 30.0,
        parallel: 60,
        company: Company::Alone,
        ..attack("slowloris", "Holds many connections and sends one octet now and then.", 587, slow)
    },
    Attack {
        count: 4,
        rate: 1.0,
        parallel: 2,
        ..attack(
            "starttls-injection",
            "Hides a command behind STARTTLS; it must not be answered under TLS.",
            587,
            hidden_command,
        )
    },
];

fn probe(attempt: &Try<'_>) -> Result<(), Trouble> {
    let port = attempt.either(465, 993);
    let mut conn = Conn::open(attempt.source, port, Times::ATTACKER)?;
    let lab = |error: anyhow::Error| Trouble::Lab(error.to_string());
    match attempt.n / 2 % 6 {
        0 => {}
        1 => conn.reset(),
        2 => {
            conn.send(b"EHLO scanner.example\r\n")?;
            conn.drain(Duration::from_secs(2));
        }
        3 => {
            let hello = client_hello().map_err(lab)?;
            conn.send(hello.get(..40).unwrap_or_default())?;
            thread::sleep(Duration::from_millis(100));
        }
        4 => {
            conn.send(&client_hello().map_err(lab)?)?;
            thread::sleep(Duration::from_millis(100));
            conn.reset();
        }
        _ => {
            conn.send(&tls10_hello())?;
            conn.drain(Duration::from_secs(2));
        }
    }
    Ok(())
}

fn look(attempt: &Try<'_>) -> Result<(), Trouble> {
    let implicit = attempt.n / 2 % 2 == 1;
    if attempt.n % 2 == 1 {
        let mut imap = attempt.imap(if implicit { 993 } else { 143 })?;
        imap.hello(attempt.trust)?;
        imap.command("CAPABILITY")?;
        if attempt.n % 4 == 1 {
            imap.logout();
        }
    } else {
        let mut pop3 = attempt.pop3(if implicit { 995 } else { 110 })?;
        pop3.hello(attempt.trust)?;
        pop3.conn.line("CAPA")?;
        pop3.conn.read_line()?;
    }
    Ok(())
}

fn flood(attempt: &Try<'_>) -> Result<(), Trouble> {
    let mut smtp = attempt.smtp(attempt.either(25, 587))?;
    let reply = smtp.reply()?;
    attempt.reply(&reply);
    if reply.good() {
        thread::sleep(attempt.hold.min(Duration::from_secs(2)));
    }
    Ok(())
}

fn slow(attempt: &Try<'_>) -> Result<(), Trouble> {
    const PORTS: [u16; 3] = [587, 25, 143];
    let port = PORTS.get(attempt.n % 3).copied().unwrap_or(587);
    let mut conn = match port {
        143 => Conn::open(attempt.source, port, Times::ATTACKER)?,
        _ => {
            let mut smtp = attempt.smtp(port)?;
            smtp.reply()?;
            smtp.conn
        }
    };
    let end = Instant::now() + attempt.hold;
    let pause = Duration::from_secs(attempt.either(2, 40));
    for octet in b"EHLO ".iter().chain([b'a'; 400].iter()) {
        if Instant::now() >= end {
            attempt.note("held_to_the_end");
            return Ok(());
        }
        conn.send(&[*octet]).inspect_err(|_| attempt.note("cut_by_server"))?;
        thread::sleep(pause.min(end.saturating_duration_since(Instant::now())));
    }
    Ok(())
}

fn hidden_command(attempt: &Try<'_>) -> Result<(), Trouble> {
    let mut smtp = attempt.smtp(587)?;
    smtp.reply()?;
    smtp.command("EHLO client.example")?;
    smtp.conn.send(b"STARTTLS\r\nRSET\r\n")?;
    let reply = smtp.reply()?;
    attempt.reply(&reply);
    if reply.good() {
        smtp.conn.start_tls(attempt.trust)?;
        // An answer to RSET would come first: 250 instead of NOOP's and VRFY's.
        smtp.conn.send(b"NOOP\r\nVRFY\r\n")?;
        smtp.reply()?;
        if smtp.reply()?.code == 250 {
            attempt.note("hidden_command_answered");
        }
    }
    smtp.quit();
    Ok(())
}
