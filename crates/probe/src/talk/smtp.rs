//! SMTP, as a stranger who wants to know what is refused (RFC 5321). Recipients are only named; DATA is said in one message to nobody alone.

use std::time::Instant;

use mailward_audit::Known;

use super::line::Connection;
use super::{CLOSED, Ended, NOBODY, Speaker};

/// Where nobody's mail goes: a sender and a recipient that the server does not serve. Servers that look senders' domains up
/// refuse it, because example.net takes no mail (RFC 7505): what is asked about recipients is asked with an empty sender, too.
const SENDER: &str = "mailward-audit@example.net";
const NO_SENDER: &str = "MAIL FROM:<>";
const STRANGER: &str = "mailward-audit@example.com";

/// Port 25, over four connections.
pub(super) fn server(speaker: &mut Speaker<'_>) -> Result<(), Ended> {
    capabilities(speaker)?;
    helo_rules(speaker)?;
    recipients(speaker)?;
    relay(speaker)?;
    pipelining(speaker)
}

/// Ports 587 and 465, over one connection.
pub(super) fn submission(speaker: &mut Speaker<'_>) -> Result<(), Ended> {
    let mut session = Session::open(speaker)?;
    let offered = session.offered()?;
    if !session.speaker.target.implicit_tls {
        session.say("mail-before-tls", &[&format!("MAIL FROM:<{SENDER}>")])?;
        session.reset()?;
        if !session.starttls(&offered)? {
            return Ok(());
        }
    }
    session.say("rcpt-without-login", &[NO_SENDER, &format!("RCPT TO:<{STRANGER}>")])?;
    session.reset()?;
    let domains = session.speaker.manners.domains.clone();
    if let Some(domain) = domains.first() {
        let own = format!("postmaster@{domain}");
        session.say("own-rcpt-without-login", &[NO_SENDER, &format!("RCPT TO:<{own}>")])?;
    }
    session.quit();
    Ok(())
}

/// What is offered in clear and inside of TLS.
pub(super) fn greet(speaker: &mut Speaker<'_>) -> Result<(), Ended> {
    let mut session = Session::open(speaker)?;
    let offered = session.offered()?;
    if !session.speaker.target.implicit_tls {
        session.starttls(&offered)?;
    }
    session.quit();
    Ok(())
}

/// Whether mail for an address would be taken; none is sent.
pub(super) fn named(speaker: &mut Speaker<'_>, recipient: &str) -> Result<(), Ended> {
    let mut session = Session::open(speaker)?;
    session.ehlo()?;
    session.agreed(NO_SENDER)?;
    session.agreed(&format!("RCPT TO:<{recipient}>"))?;
    session.reset()?;
    session.quit();
    Ok(())
}

/// Sends a message; the name that the server gave it, if it told.
pub(super) fn message(speaker: &mut Speaker<'_>, recipient: &str) -> Result<String, Ended> {
    let mut session = Session::open(speaker)?;
    session.ehlo()?;
    session.agreed(NO_SENDER)?;
    session.agreed(&format!("RCPT TO:<{recipient}>"))?;
    session.agreed("DATA")?;
    let date = jiff::Zoned::now().strftime("%a, %d %b %Y %H:%M:%S %z");
    let reply = session.agreed(&format!(
        "From: Mailward <{recipient}>\r\nTo: <{recipient}>\r\nDate: {date}\r\nSubject: Mailward looks whether mail goes its way\r\n\
         Message-ID: <{}.{recipient}>\r\n\r\nThis message is thrown away.\r\n.",
        jiff::Timestamp::now().as_nanosecond()
    ))?;
    session.quit();
    let id = reply.split_once("queued as ").map_or("", |(_, rest)| rest);
    Ok(id.split_ascii_whitespace().next().unwrap_or_default().to_owned())
}

/// Whether an LMTP server (RFC 2033) takes mail for an address; none is given to it.
pub(super) fn lmtp(mut connection: Connection, recipient: &str) -> Result<(), Ended> {
    agreed(&mut connection, "")?;
    for line in ["LHLO localhost", NO_SENDER, &format!("RCPT TO:<{recipient}>"), "RSET"] {
        agreed(&mut connection, line)?;
    }
    let _ = connection.send(b"QUIT\r\n");
    Ok(())
}

/// Says a line, or nothing, and takes the answer, which must be a yes.
fn agreed(connection: &mut Connection, line: &str) -> Result<String, Ended> {
    if !line.is_empty() {
        connection.send(format!("{line}\r\n").as_bytes())?;
    }
    let reply = join(&connection.lines(|line| line.as_bytes().get(3) != Some(&b'-'))?);
    if reply.starts_with(['2', '3']) { Ok(reply) } else { Err(Ended(reply)) }
}

/// What is offered in clear and inside of TLS, and the commands that tell of users.
fn capabilities(speaker: &mut Speaker<'_>) -> Result<(), Ended> {
    let mut session = Session::open(speaker)?;
    let offered = session.offered()?;
    session.say("vrfy", &["VRFY postmaster"])?;
    session.say("expn", &["EXPN postmaster"])?;
    session.starttls(&offered)?;
    session.quit();
    Ok(())
}

/// Whether mail may begin without HELO, and with one that is no name.
fn helo_rules(speaker: &mut Speaker<'_>) -> Result<(), Ended> {
    let domain = speaker.manners.domains.first().cloned();
    let mut session = Session::open(speaker)?;
    session.say("mail-without-helo", &[&format!("MAIL FROM:<{SENDER}>")])?;
    session.reset()?;
    let recipient = format!("RCPT TO:<postmaster@{}>", domain.unwrap_or_else(|| "localhost".to_owned()));
    session.say("malformed-helo", &["HELO [", NO_SENDER, &recipient])?;
    session.reset()?;
    session.say("short-helo", &["HELO x", NO_SENDER, &recipient])?;
    session.quit();
    Ok(())
}

/// Mailboxes that must be there, one that must not, and the senders that may write to them.
fn recipients(speaker: &mut Speaker<'_>) -> Result<(), Ended> {
    let domains: Vec<_> = speaker.manners.domains.iter().take(3).cloned().collect();
    if domains.is_empty() {
        return Ok(());
    }
    let mut session = Session::open(speaker)?;
    session.ehlo()?;
    for domain in &domains {
        for role in ["postmaster", "abuse"] {
            let rcpt = format!("RCPT TO:<{role}@{domain}>");
            session.say(&format!("{role}@{domain}"), &[NO_SENDER, &rcpt])?;
            session.reset()?;
        }
        session.say(&format!("nobody@{domain}"), &[NO_SENDER, &format!("RCPT TO:<{NOBODY}@{domain}>")])?;
        session.reset()?;
        let own = format!("MAIL FROM:<{NOBODY}@{domain}>");
        session.say(&format!("from-own@{domain}"), &[&own, &format!("RCPT TO:<postmaster@{domain}>")])?;
        session.reset()?;
    }
    session.quit();
    Ok(())
}

/// Foreign recipients in all the spellings that were ever relayed by mistake.
fn relay(speaker: &mut Speaker<'_>) -> Result<(), Ended> {
    let own = speaker.manners.domains.first().cloned().unwrap_or_else(|| "localhost".to_owned());
    let (from, own_from) = (format!("MAIL FROM:<{SENDER}>"), format!("MAIL FROM:<postmaster@{own}>"));
    let (user, foreign) = ("mailward-audit", "example.com");
    let shapes = [
        ("relay-plain", from.as_str(), format!("RCPT TO:<{STRANGER}>")),
        ("relay-percent", NO_SENDER, format!("RCPT TO:<{user}%{foreign}@{own}>")),
        ("relay-bang", NO_SENDER, format!("RCPT TO:<{foreign}!{user}>")),
        ("relay-quoted", NO_SENDER, format!("RCPT TO:<\"{STRANGER}\"@{own}>")),
        ("relay-route", NO_SENDER, format!("RCPT TO:<@{own}:{STRANGER}>")),
        ("relay-literal", NO_SENDER, format!("RCPT TO:<{user}@[192.0.2.1]>")),
        ("relay-empty-sender", NO_SENDER, format!("RCPT TO:<{STRANGER}>")),
        ("relay-own-sender", &own_from, format!("RCPT TO:<{STRANGER}>")),
    ];
    let mut session = Session::open(speaker)?;
    session.ehlo()?;
    for (name, from, to) in &shapes {
        session.say(name, &[from, to])?;
        session.reset()?;
    }
    session.quit();
    Ok(())
}

/// Two commands before the first reply, which only a client that does not listen sends.
fn pipelining(speaker: &mut Speaker<'_>) -> Result<(), Ended> {
    let mut session = Session::open(speaker)?;
    let hello = format!("EHLO {}", session.speaker.manners.hello);
    session.connection.send(format!("{hello}\r\nMAIL FROM:<{SENDER}>\r\n").as_bytes())?;
    let _ = session.reply()?;
    let reply = session.reply()?;
    session.speaker.tried(
        "unauthorised-pipelining",
        false,
        &[&hello, "MAIL FROM:<…> in the same packet"],
        &reply,
    );
    session.quit();
    Ok(())
}

pub(super) struct Session<'s, 'a> {
    connection: Connection,
    speaker: &'s mut Speaker<'a>,
    secured: bool,
}

impl<'s, 'a> Session<'s, 'a> {
    pub(super) fn open(speaker: &'s mut Speaker<'a>) -> Result<Self, Ended> {
        let begun = Instant::now();
        let connection = speaker.connect()?;
        let secured = speaker.target.implicit_tls;
        let mut session = Self { connection, speaker, secured };
        let greeting = session.reply()?;
        session.speaker.greeted(&greeting, begun);
        Ok(session)
    }

    /// A whole reply, its lines joined by a blank.
    fn reply(&mut self) -> Result<String, Ended> {
        Ok(join(&self.reply_lines()?))
    }

    fn reply_lines(&mut self) -> Result<Vec<String>, Ended> {
        let lines = self.connection.lines(|line| line.as_bytes().get(3) != Some(&b'-'))?;
        let last = lines.last().map_or("", String::as_str);
        // RFC 5321 section 3.8: the server goes away, and wants nothing more from us.
        if last.starts_with("421") { Err(Ended(last.to_owned())) } else { Ok(lines) }
    }

    pub(super) fn command(&mut self, line: &str) -> Result<String, Ended> {
        self.connection.send(format!("{line}\r\n").as_bytes())?;
        self.reply()
    }

    pub(super) fn ehlo(&mut self) -> Result<Vec<String>, Ended> {
        let hello = format!("EHLO {}\r\n", self.speaker.manners.hello);
        self.connection.send(hello.as_bytes())?;
        let lines = self.reply_lines()?;
        Ok(lines.iter().skip(1).filter_map(|line| line.get(4..)).map(str::to_owned).collect())
    }

    /// What EHLO is answered with, kept as what is offered in clear or inside of TLS.
    fn offered(&mut self) -> Result<Vec<String>, Ended> {
        let offered = self.ehlo()?;
        let talk = &mut self.speaker.talk;
        let told = if self.secured { &mut talk.secured } else { &mut talk.plain };
        *told = Known::Is(offered.clone());
        Ok(offered)
    }

    /// Says lines until one is refused; the last one said is what the answer is to.
    fn say(&mut self, name: &str, lines: &[&str]) -> Result<(), Ended> {
        let mut sent = Vec::new();
        let mut reply = String::new();
        for line in lines {
            reply = self.command(line)?;
            sent.push(*line);
            if !reply.starts_with(['2', '3']) {
                break;
            }
        }
        self.speaker.tried(name, self.secured, &sent, &reply);
        Ok(())
    }

    /// Says a line to which the answer must be a yes.
    fn agreed(&mut self, line: &str) -> Result<String, Ended> {
        agreed(&mut self.connection, line)
    }

    fn reset(&mut self) -> Result<(), Ended> {
        self.command("RSET").map(|_| ())
    }

    /// Whether TLS began; what is offered inside is kept.
    fn starttls(&mut self, offered: &[String]) -> Result<bool, Ended> {
        if !offered.iter().any(|line| line.eq_ignore_ascii_case("STARTTLS")) {
            return Ok(false);
        }
        let reply = self.command("STARTTLS")?;
        if !reply.starts_with('2') {
            self.speaker.talk.secured = Known::Unread(format!("STARTTLS was refused: {reply}"));
            return Ok(false);
        }
        if let Err(error) = self.connection.secure(&self.speaker.target.host) {
            self.speaker.talk.secured = Known::Unread(format!("the TLS handshake failed: {error}"));
            return Ok(false);
        }
        self.secured = true;
        self.offered()?;
        Ok(true)
    }

    /// Sends bytes and nothing more, and takes the answers until the server closes, too.
    pub(super) fn break_off(mut self, bytes: &[u8]) -> Result<Known<Vec<String>>, Ended> {
        self.connection.send(bytes)?;
        self.connection.finish()?;
        let mut replies = Vec::new();
        loop {
            match self.reply() {
                Ok(reply) => replies.push(reply),
                Err(Ended(why)) if why.starts_with("421") => return Err(Ended(why)),
                Err(Ended(why)) if why == CLOSED => return Ok(Known::Is(replies)),
                Err(Ended(why)) => return Ok(Known::Unread(why)),
            }
        }
    }

    /// Says goodbye; whether the server answers does not matter any more.
    pub(super) fn quit(mut self) {
        let _ = self.command("QUIT");
    }
}

fn join(lines: &[String]) -> String {
    let mut whole = lines.first().cloned().unwrap_or_default();
    for line in lines.iter().skip(1) {
        whole.push(' ');
        whole.push_str(line.get(4..).unwrap_or_default());
    }
    whole
}
