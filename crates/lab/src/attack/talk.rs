//! Clients that do not talk SMTP as agreed.

use std::time::Duration;

use super::run::Try;
use super::{Attack, attack};
use crate::client::Trouble;
use crate::topology::{DOMAINS, HOSTNAME, MAIL4, NORA};

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        count: 10,
        rate: 2.0,
        parallel: 4,
        ..attack("pregreet", "Talks before the server's greeting, as spam bots do.", 25, pregreet)
    },
    Attack {
        count: 12,
        rate: 2.0,
        parallel: 4,
        ..attack("helo-abuse", "Calls itself by bare words, the server's own name or invalid ones.", 25, helo)
    },
    Attack {
        count: 10,
        rate: 2.0,
        parallel: 4,
        ..attack("non-smtp-command", "Speaks HTTP, SIP or nonsense to SMTP ports.", 25, foreign)
    },
    Attack {
        count: 10,
        rate: 2.0,
        parallel: 4,
        ..attack(
            "command-pipelining",
            "Sends all commands at once without waiting for answers.",
            25,
            pipelining,
        )
    },
];

fn pregreet(attempt: &Try<'_>) -> Result<(), Trouble> {
    let mut smtp = attempt.smtp(25)?;
    smtp.conn.send(b"EHLO User\r\n")?;
    let mut reply = smtp.reply()?;
    if reply.good() {
        smtp.command(&format!("MAIL FROM:<bot{}@spam.example>", attempt.n))?;
        reply = smtp.command(&format!("RCPT TO:<{}>", NORA.name))?;
    }
    attempt.reply(&reply);
    smtp.quit();
    Ok(())
}

fn helo(attempt: &Try<'_>) -> Result<(), Trouble> {
    let names = [
        "ylmf-pc",
        "localhost",
        HOSTNAME,
        &format!("[{MAIL4}]"),
        "User",
        "bad_name!.example",
        "-dash-.example",
        DOMAINS[0],
        &format!("{}.example", "a".repeat(70)),
    ]
    .map(str::to_owned);
    let name = names.get(attempt.n % names.len()).map_or("x", String::as_str);
    let mut smtp = attempt.smtp(25)?;
    smtp.reply()?;
    smtp.command(&format!("{} {name}", attempt.either("EHLO", "HELO")))?;
    smtp.command(&format!("MAIL FROM:<a{}@spam.example>", attempt.n))?;
    attempt.reply(&smtp.command(&format!("RCPT TO:<{}>", NORA.name))?);
    smtp.quit();
    Ok(())
}

fn foreign(attempt: &Try<'_>) -> Result<(), Trouble> {
    const TALK: [&str; 5] = [
        "GET / HTTP/1.1\r\nHost: mail.example.org\r\nUser-Agent: crawler/1.0\r\n\r\n",
        "POST /login HTTP/1.0\r\nContent-Length: 4\r\n\r\na=bc",
        "CONNECT www.example.com:443 HTTP/1.1\r\n\r\n",
        "OPTIONS sip:nm SIP/2.0\r\nVia: SIP/2.0/TCP nm\r\nFrom: <sip:nm@nm>\r\n\r\n",
        "Subject: hello\r\nFrom: me\r\n\r\n",
    ];
    let talk = TALK.get(attempt.n % TALK.len()).copied().unwrap_or_default();
    let mut smtp = attempt.smtp(attempt.either(25, 587))?;
    attempt.reply(&smtp.reply()?);
    smtp.conn.send(talk.as_bytes())?;
    smtp.conn.drain(Duration::from_secs(2));
    Ok(())
}

fn pipelining(attempt: &Try<'_>) -> Result<(), Trouble> {
    let mut smtp = attempt.smtp(25)?;
    attempt.reply(&smtp.reply()?);
    let n = attempt.n;
    let all = format!(
        "EHLO pipe{n}.spam.example\r\nMAIL FROM:<a@spam.example>\r\nRCPT TO:<nobody{n}@example.org>\r\nDATA\r\n\
         Subject: a\r\n\r\na\r\n.\r\nQUIT\r\n"
    );
    smtp.conn.send(all.as_bytes())?;
    smtp.conn.drain(Duration::from_secs(5));
    Ok(())
}
