//! Logins that never get as far as a password.

use super::run::Try;
use super::{Attack, attack};
use crate::client::{Mailbox as _, Trouble, base64};
use crate::topology::TARGETS;

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        count: 12,
        rate: 3.0,
        parallel: 4,
        target: TARGETS[7],
        ..attack("plaintext-auth", "Sends passwords without TLS, which the servers refuse.", 143, plaintext)
    },
    Attack {
        target: TARGETS[8],
        ..attack("auth-abort", "Begins a login and hangs up in the middle of it.", 587, abort)
    },
];

fn plaintext(attempt: &Try<'_>) -> Result<(), Trouble> {
    let (user, word) = (attempt.target.name, attempt.guess());
    match attempt.n % 3 {
        0 => {
            let mut smtp = attempt.smtp(587)?;
            smtp.reply()?;
            smtp.command("EHLO client.example")?;
            attempt.reply(&smtp.auth_plain(user, &word)?);
            smtp.quit();
        }
        1 => {
            let mut imap = attempt.imap(143)?;
            imap.conn.read_line()?;
            imap.login(user, &word)?;
            imap.logout();
        }
        _ => {
            let mut pop3 = attempt.pop3(110)?;
            pop3.conn.read_line()?;
            pop3.login(user, &word)?;
            pop3.quit();
        }
    }
    Ok(())
}

fn abort(attempt: &Try<'_>) -> Result<(), Trouble> {
    if attempt.n % 4 == 3 {
        let mut imap = attempt.imap(993)?;
        imap.hello(attempt.trust)?;
        imap.conn.line("a1 AUTHENTICATE PLAIN")?;
        imap.conn.read_line()?;
        return Ok(());
    }
    let mut smtp = attempt.smtp(attempt.either(587, 465))?;
    let reply = smtp.hello("client.example", attempt.trust)?;
    attempt.reply(&reply);
    if reply.good() {
        smtp.command("AUTH LOGIN")?;
        if attempt.n % 4 == 2 {
            smtp.command(&base64(attempt.target.name.as_bytes()))?;
        }
    }
    Ok(())
}
