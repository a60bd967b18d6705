//! Spam: from a stolen account, and from bots that never try twice.

use super::run::Try;
use super::{Attack, attack};
use crate::client::{Trouble, letter};
use crate::topology::{ROSA, accounts};

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        count: 200,
        rate: 20.0,
        target: ROSA,
        ..attack("spam-burst", "Sends 200 messages to strangers with a stolen password.", 587, burst)
    },
    Attack {
        rate: 2.0,
        parallel: 6,
        ..attack("spam-bot", "Delivers spam to real users, one try a message and never a second.", 25, bot)
    },
];

fn burst(attempt: &Try<'_>) -> Result<(), Trouble> {
    let n = attempt.n;
    let mut smtp = attempt.smtp(attempt.either(587, 465))?;
    let mut reply = smtp.hello("desktop-4711.example", attempt.trust)?;
    if reply.good() {
        reply = smtp.auth_plain(attempt.target.name, attempt.target.password)?;
    }
    if reply.code == 235 {
        attempt.note("logins");
        let to: Vec<_> = (0..3).map(|k| format!("reader{n}-{k}@shop{}.example", (n + k) % 40)).collect();
        let id = format!("b{n}@desktop-4711.example");
        let text = letter(attempt.target.name, &to.join(", "), "You have won", &id, "Click now.");
        reply = smtp.message(attempt.target.name, &to, &text)?;
        if reply.good() {
            attempt.note("messages_accepted");
        }
    }
    attempt.reply(&reply);
    smtp.quit();
    Ok(())
}

fn bot(attempt: &Try<'_>) -> Result<(), Trouble> {
    let n = attempt.n;
    let mut smtp = attempt.smtp(25)?;
    let mut reply = smtp.reply()?;
    if reply.good() {
        reply = smtp.command(&format!("EHLO host{}.spam.example", n * 37 % 1000))?;
    }
    if reply.good() {
        let to = accounts().cycle().nth(n).map_or("nobody@example.org", |account| account.name);
        let from = format!("offers{n}@spam.example");
        let text = letter(&from, to, "Cheap watches", &format!("w{n}@spam.example"), "Buy.");
        reply = smtp.message(&from, &[to.to_owned()], &text)?;
        if reply.good() {
            attempt.note("messages_accepted");
        }
    }
    attempt.reply(&reply);
    smtp.quit();
    Ok(())
}
