//! Single acts: sending, reading, fetching, delivering.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use super::Legit;
use crate::client::{Conn, Imap, Mailbox as _, Pop3, Reply, Smtp, Times, Trouble, letter, tls10_hello};
use crate::topology::{Account, Innocent, PARTNER};

/// How long a message may be under way.
const DELIVERY: Duration = Duration::from_secs(20);
/// How long another mail server tries again after a 4xx.
const RETRIES: Duration = Duration::from_secs(60);
/// RFC 4954, section 6.
const TEMPORARY_AUTH_FAILURE: u16 = 454;
/// How often a mail program tries again that a server cannot say now whether a password is right.
const LOGINS: usize = 2;

fn need(truth: bool, why: impl FnOnce() -> String) -> Result<(), Trouble> {
    if truth { Ok(()) } else { Err(Trouble::Hindered(why())) }
}

fn agreed(step: &str, reply: &Reply) -> Result<(), Trouble> {
    need(reply.good(), || format!("{step}: {}", reply.text))
}

impl Legit<'_> {
    pub(super) fn subject(&self, what: &str) -> String {
        format!("{what}-{}", self.tag)
    }

    /// A mail program sends a message.
    pub(super) fn send(
        &self,
        from: Innocent,
        port: u16,
        user: Account,
        to: &[&str],
        subject: &str,
    ) -> Result<(), Trouble> {
        let mut smtp = self.submission(from, port, user)?;
        let id = format!("{subject}.{}@{}", user.local(), from.host);
        let text = letter(user.name, &to.join(", "), subject, &id, "Hello.");
        let to: Vec<_> = to.iter().map(ToString::to_string).collect();
        agreed("DATA", &smtp.message(user.name, &to, &text)?)?;
        smtp.quit();
        Ok(())
    }

    /// A mail program logs in to send. What a server calls temporary is tried again: Dovecot makes everybody behind an address wait
    /// up to 15 s after somebody there mistyped a password four times (its anvil's penalty), and Postfix waits 10 s for Dovecot.
    fn submission(&self, from: Innocent, port: u16, user: Account) -> Result<Smtp, Trouble> {
        let mut tries = 1..=LOGINS;
        loop {
            let mut smtp = Smtp::open(from.address, port, Times::HONEST)?;
            agreed("EHLO", &smtp.hello("[192.168.178.31]", &self.trust)?)?;
            let reply = smtp.auth_plain(user.name, user.password)?;
            if reply.code != TEMPORARY_AUTH_FAILURE || tries.next().is_none() {
                agreed("AUTH", &reply)?;
                return Ok(smtp);
            }
        }
    }

    /// A mail program logs in, after some typing errors, and waits for a message where a subject is given.
    pub(super) fn read(
        &self,
        from: Innocent,
        port: u16,
        user: Account,
        mistypes: usize,
        subject: Option<&str>,
    ) -> Result<(), Trouble> {
        let mut imap = Imap::open(from.address, port, Times::HONEST)?;
        imap.hello(&self.trust)?;
        for n in 1..=mistypes {
            let typed = user.password.get(n..).unwrap_or("x");
            need(!imap.login(user.name, typed)?, || "a wrong password was taken".to_owned())?;
        }
        need(imap.login(user.name, user.password)?, || "the right password was refused".to_owned())?;
        need(imap.command("SELECT INBOX")?.0, || "no INBOX".to_owned())?;
        if let Some(subject) = subject {
            find(&mut imap, subject)?;
        }
        imap.logout();
        Ok(())
    }

    /// A mail program fetches by POP3.
    pub(super) fn fetch(&self, from: Innocent, user: Account) -> Result<(), Trouble> {
        let mut pop3 = Pop3::open(from.address, 995, Times::HONEST)?;
        pop3.hello(&self.trust)?;
        need(pop3.login(user.name, user.password)?, || "the right password was refused".to_owned())?;
        need(pop3.command("STAT")?, || "no STAT".to_owned())?;
        pop3.quit();
        Ok(())
    }

    /// Another mail server delivers; as mail servers do, it comes again after a 4xx. Recipients that begin with `gone`
    /// are addresses that no longer exist.
    pub(super) fn deliver(
        &self,
        from: Innocent,
        sender: &str,
        to: &[&str],
        subject: &str,
    ) -> Result<(), Trouble> {
        let end = Instant::now() + RETRIES;
        let mut left = to.to_vec();
        while !left.is_empty() {
            left = self.deliver_once(from, sender, &left, subject)?;
            if !left.is_empty() {
                need(Instant::now() < end, || format!("still put off after {} s", RETRIES.as_secs()))?;
                thread::sleep(Duration::from_secs(3));
            }
        }
        Ok(())
    }

    /// Who has to be tried again.
    fn deliver_once<'t>(
        &self,
        from: Innocent,
        sender: &str,
        to: &[&'t str],
        subject: &str,
    ) -> Result<Vec<&'t str>, Trouble> {
        let mut smtp = Smtp::open(from.address, 25, Times::HONEST)?;
        agreed("greeting", &smtp.reply()?)?;
        agreed("EHLO", &smtp.command(&format!("EHLO {PARTNER}"))?)?;
        agreed("MAIL", &smtp.command(&format!("MAIL FROM:<{sender}>"))?)?;
        let (mut again, mut taken) = (Vec::new(), 0);
        for &recipient in to {
            let reply = smtp.command(&format!("RCPT TO:<{recipient}>"))?;
            match reply.code {
                400..500 => again.push(recipient),
                _ if reply.good() => taken += 1,
                _ => need(recipient.starts_with("gone"), || format!("RCPT: {}", reply.text))?,
            }
        }
        if taken > 0 {
            let id = format!("{subject}@partner.example");
            agreed("DATA", &smtp.data(&letter(sender, "readers", subject, &id, "Hi."))?)?;
        }
        smtp.quit();
        Ok(again)
    }

    /// Waits until a message has reached the partner.
    pub(super) fn reaches_partner(&self, subject: &str) -> Result<(), Trouble> {
        let end = Instant::now() + DELIVERY;
        loop {
            let record = fs::read_to_string(self.lab.partner_record());
            if record.is_ok_and(|text| text.lines().any(|line| line == subject)) {
                return Ok(());
            }
            need(Instant::now() < end, || "the message did not reach the partner".to_owned())?;
            thread::sleep(Duration::from_millis(200));
        }
    }

    /// A phone logs in with the password that it was given years ago.
    pub(super) fn stale_login(&self, from: Innocent, user: Account) -> Result<(), Trouble> {
        let mut imap = Imap::open(from.address, 993, Times::HONEST)?;
        imap.hello(&self.trust)?;
        need(!imap.login(user.name, "Willow-2019")?, || "an old password was taken".to_owned())?;
        imap.logout();
        Ok(())
    }

    /// A device that first tries TLS 1.0, which the servers refuse.
    pub(super) fn old_tls(&self, from: Innocent) -> Result<(), Trouble> {
        let mut conn = Conn::open(from.address, 465, Times::HONEST)?;
        conn.send(&tls10_hello())?;
        conn.drain(Duration::from_secs(2));
        Ok(())
    }

    /// Connects and leaves.
    pub(super) fn knock(&self, from: Innocent, port: u16) -> Result<(), Trouble> {
        Conn::open(from.address, port, Times::HONEST).map(drop)
    }
}

/// Waits for a message and reads its header.
fn find(imap: &mut Imap, subject: &str) -> Result<(), Trouble> {
    let end = Instant::now() + DELIVERY;
    loop {
        let (_, lines) = imap.command(&format!("SEARCH SUBJECT \"{subject}\""))?;
        let hit = lines
            .iter()
            .filter_map(|line| line.strip_prefix("* SEARCH"))
            .find_map(|numbers| numbers.split_whitespace().next().map(str::to_owned));
        if let Some(number) = hit {
            return need(imap.command(&format!("FETCH {number} BODY[HEADER]"))?.0, || "no FETCH".to_owned());
        }
        need(Instant::now() < end, || "the message did not arrive".to_owned())?;
        thread::sleep(Duration::from_millis(200));
    }
}
