//! One address guesses passwords.

use super::run::{Try, guess};
use super::{Attack, Company, attack};
use crate::client::{Mailbox, Trouble};
use crate::topology::{DOMAINS, QUINN, TARGETS, accounts};

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        count: 20,
        ..attack("sasl-bruteforce", "Guesses one account's password by SMTP AUTH on 587 and 465.", 587, sasl)
    },
    Attack {
        count: 20,
        target: TARGETS[0],
        ..attack("imap-bruteforce", "Guesses one account's password by IMAP on 143 and 993.", 993, imap)
    },
    Attack {
        count: 20,
        target: TARGETS[1],
        ..attack("pop3-bruteforce", "Guesses one account's password by POP3 on 110 and 995.", 995, pop3)
    },
    Attack {
        target: TARGETS[4],
        ..attack("sieve-bruteforce", "Guesses one account's password by ManageSieve on 4190.", 4190, sieve)
    },
    Attack {
        count: 4,
        rate: 1.0,
        parallel: 4,
        target: TARGETS[2],
        ..attack(
            "imap-persistent",
            "Guesses eight passwords in each of few IMAP connections, which Dovecot logs only at their end; the last is right.",
            993,
            imap_persistent,
        )
    },
    Attack {
        count: 24,
        rate: 1.0,
        ..attack("password-spray", "Tries one password on many accounts, real and invented.", 587, spray)
    },
    Attack {
        count: 8,
        rate: 0.1,
        parallel: 2,
        company: Company::First,
        target: TARGETS[3],
        ..attack("slow-bruteforce", "Guesses by SMTP AUTH once in ten seconds.", 587, sasl)
    },
    Attack {
        count: 16,
        rate: 1.0,
        parallel: 4,
        target: QUINN,
        ..attack(
            "lucky-guess",
            "Has the right password on the ninth try; `logins` should stay 0.",
            587,
            lucky,
        )
    },
];

/// One guess by SMTP AUTH.
pub(super) fn smtp_guess(
    attempt: &Try<'_>,
    port: u16,
    user: &str,
    password: &str,
    login: bool,
) -> Result<(), Trouble> {
    let mut smtp = attempt.smtp(port)?;
    // A bot behind some router names itself by its private address.
    let mut reply = smtp.hello(&format!("[10.20.0.{}]", attempt.n % 250 + 1), attempt.trust)?;
    if reply.good() {
        reply = if login { smtp.auth_login(user, password)? } else { smtp.auth_plain(user, password)? };
    }
    attempt.reply(&reply);
    if reply.code == 235 {
        attempt.note("logins");
    }
    smtp.quit();
    Ok(())
}

/// One guess in an open mailbox connection; whether it was right.
pub(super) fn box_guess(
    attempt: &Try<'_>,
    mailbox: &mut impl Mailbox,
    user: &str,
    password: &str,
) -> Result<bool, Trouble> {
    let right = mailbox.login(user, password)?;
    attempt.said(if right { "OK" } else { "NO" });
    if right {
        attempt.note("logins");
    }
    Ok(right)
}

fn sasl(attempt: &Try<'_>) -> Result<(), Trouble> {
    smtp_guess(attempt, attempt.either(587, 465), attempt.target.name, &attempt.guess(), attempt.n % 4 < 2)
}

pub(super) fn imap(attempt: &Try<'_>) -> Result<(), Trouble> {
    let mut imap = attempt.imap(attempt.either(143, 993))?;
    imap.hello(attempt.trust)?;
    box_guess(attempt, &mut imap, attempt.target.name, &attempt.guess()).map(drop)
}

fn pop3(attempt: &Try<'_>) -> Result<(), Trouble> {
    let mut pop3 = attempt.pop3(attempt.either(110, 995))?;
    pop3.hello(attempt.trust)?;
    box_guess(attempt, &mut pop3, attempt.target.name, &attempt.guess()).map(drop)
}

fn sieve(attempt: &Try<'_>) -> Result<(), Trouble> {
    let mut sieve = attempt.sieve()?;
    sieve.hello(attempt.trust)?;
    box_guess(attempt, &mut sieve, attempt.target.name, &attempt.guess()).map(drop)
}

fn imap_persistent(attempt: &Try<'_>) -> Result<(), Trouble> {
    let mut imap = attempt.imap(993)?;
    imap.hello(attempt.trust)?;
    for k in 0..8 {
        let last = (attempt.n, k) == (3, 7);
        let password = if last { attempt.target.password.to_owned() } else { guess(attempt.n * 8 + k) };
        if box_guess(attempt, &mut imap, attempt.target.name, &password)? {
            break;
        }
    }
    Ok(())
}

/// The `n`th name of a sprayer's list: every third exists.
pub(super) fn sprayed(n: usize) -> String {
    const INVENTED: [&str; 8] = ["admin", "info", "sales", "test", "office", "backup", "scan", "billing"];
    match n % 3 {
        0 => accounts().cycle().nth(n / 3).map_or("root", |account| account.name).to_owned(),
        k => {
            let local = INVENTED.get(n / 2 % INVENTED.len()).copied().unwrap_or("root");
            format!("{local}@{}", DOMAINS.get(k % 2).copied().unwrap_or(DOMAINS[0]))
        }
    }
}

fn spray(attempt: &Try<'_>) -> Result<(), Trouble> {
    const WORD: &str = "Spring2026!";
    let user = sprayed(attempt.n);
    if attempt.either(true, false) {
        return smtp_guess(attempt, 587, &user, WORD, false);
    }
    let mut imap = attempt.imap(993)?;
    imap.hello(attempt.trust)?;
    box_guess(attempt, &mut imap, &user, WORD).map(drop)
}

fn lucky(attempt: &Try<'_>) -> Result<(), Trouble> {
    let word = if attempt.n == 8 { attempt.target.password.to_owned() } else { attempt.guess() };
    smtp_guess(attempt, 587, attempt.target.name, &word, true)
}
