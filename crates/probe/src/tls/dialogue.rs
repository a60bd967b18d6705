//! What is said in the clear before TLS: SMTP and LMTP (RFC 3207), IMAP and POP3 (RFC 2595), ManageSieve (RFC 5804).

use std::io;

use mailward_audit::facts::MailProtocol;

use super::link::Link;

/// Why TLS did not begin.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoTls {
    /// The server wants no more connections.
    #[error("the server answered `{0}`; it counts connections, so try again later")]
    Busy(String),
    /// STARTTLS is not among the capabilities.
    #[error("STARTTLS is not offered")]
    NotOffered,
    /// STARTTLS was answered with a refusal.
    #[error("STARTTLS was refused with `{0}`")]
    Refused(String),
    /// The connection broke.
    #[error("the connection broke before TLS: {0}")]
    Broken(#[from] io::Error),
}

/// Goes through the dialogue up to where TLS begins; `with` is sent in one packet with STARTTLS.
pub(super) fn start_tls(link: &mut Link, service: MailProtocol, with: &str) -> Result<(), NoTls> {
    match service {
        MailProtocol::Smtp => smtp(link, "EHLO", with),
        MailProtocol::Lmtp => smtp(link, "LHLO", with),
        MailProtocol::Imap => imap(link, with),
        MailProtocol::Pop3 => pop3(link, with),
        MailProtocol::Sieve => sieve(link, with),
    }
}

/// A command that shows itself in the answers when it is executed, and one that ends the session: sent before and after the handshake.
pub(super) const fn injected(service: MailProtocol) -> (&'static str, &'static str) {
    match service {
        MailProtocol::Smtp | MailProtocol::Lmtp => ("NOOP\r\n", "QUIT\r\n"),
        MailProtocol::Imap => ("injected NOOP\r\n", "b LOGOUT\r\n"),
        MailProtocol::Pop3 => ("CAPA\r\n", "QUIT\r\n"),
        MailProtocol::Sieve => ("NOOP \"injected\"\r\n", "LOGOUT\r\n"),
    }
}

/// How many answers to the command sent before the handshake are in what came after it.
pub(super) fn answers_to_injected(service: MailProtocol, said: &str) -> u8 {
    let count = match service {
        // One answer is for QUIT. A server that refuses to go on after such a packet says so with 5xx at most.
        MailProtocol::Smtp | MailProtocol::Lmtp => {
            said.lines().filter(|line| line.starts_with("250")).count()
        }
        MailProtocol::Imap => said.lines().filter(|line| line.starts_with("injected ")).count(),
        MailProtocol::Pop3 => said
            .lines()
            .filter(|line| line.starts_with("+OK") || line.starts_with("-ERR"))
            .count()
            .saturating_sub(1),
        MailProtocol::Sieve => said.matches("\"injected\"").count(),
    };
    u8::try_from(count).unwrap_or(u8::MAX)
}

fn smtp(link: &mut Link, hello: &str, with: &str) -> Result<(), NoTls> {
    smtp_answer(link)?;
    let own = link.own_domain();
    link.say(&format!("{hello} {own}"))?;
    let capabilities = smtp_answer(link)?;
    let offered =
        |line: &String| line.get(4..).is_some_and(|word| word.trim().eq_ignore_ascii_case("STARTTLS"));
    if !capabilities.iter().any(offered) {
        return Err(NoTls::NotOffered);
    }
    link.say(format!("STARTTLS\r\n{with}").trim_end())?;
    smtp_answer(link).map(drop)
}

/// The lines of an answer of 2xx.
fn smtp_answer(link: &mut Link) -> Result<Vec<String>, NoTls> {
    let mut lines = Vec::new();
    while lines.len() < 100 {
        let line = link.line()?;
        let last = line.as_bytes().get(3) != Some(&b'-');
        lines.push(line);
        if last {
            break;
        }
    }
    match lines.last() {
        Some(line) if line.starts_with("421") => Err(NoTls::Busy(line.clone())),
        Some(line) if !line.starts_with('2') => Err(NoTls::Refused(line.clone())),
        _ => Ok(lines),
    }
}

fn imap(link: &mut Link, with: &str) -> Result<(), NoTls> {
    let greeting = link.line()?;
    if greeting.starts_with("* BYE") {
        return Err(NoTls::Busy(greeting));
    }
    if !says(&greeting, "STARTTLS") {
        link.say("c CAPABILITY")?;
        let capabilities = until(link, |line| line.starts_with("c "))?;
        if !capabilities.iter().any(|line| says(line, "STARTTLS")) {
            return Err(NoTls::NotOffered);
        }
    }
    link.say(format!("s STARTTLS\r\n{with}").trim_end())?;
    let answers = until(link, |line| line.starts_with("s "))?;
    accepted(answers, "s OK")
}

fn pop3(link: &mut Link, with: &str) -> Result<(), NoTls> {
    let greeting = link.line()?;
    if !greeting.starts_with("+OK") {
        return Err(NoTls::Busy(greeting));
    }
    link.say("CAPA")?;
    let first = link.line()?;
    if !first.starts_with("+OK") || !until(link, |line| line == ".")?.iter().any(|line| says(line, "STLS")) {
        return Err(NoTls::NotOffered);
    }
    link.say(format!("STLS\r\n{with}").trim_end())?;
    let answer = link.line()?;
    accepted(vec![answer], "+OK")
}

fn sieve(link: &mut Link, with: &str) -> Result<(), NoTls> {
    let ends =
        |line: &str| ["OK", "NO", "BYE"].iter().any(|word| line.to_ascii_uppercase().starts_with(word));
    let greeting = until(link, ends)?;
    match greeting.last() {
        Some(last) if !last.to_ascii_uppercase().starts_with("OK") => return Err(NoTls::Busy(last.clone())),
        _ => {}
    }
    if !greeting.iter().any(|line| says(line, "\"STARTTLS\"")) {
        return Err(NoTls::NotOffered);
    }
    link.say(format!("STARTTLS\r\n{with}").trim_end())?;
    accepted(until(link, ends)?, "OK")
}

fn accepted(answers: Vec<String>, begins: &str) -> Result<(), NoTls> {
    match answers.into_iter().next_back() {
        Some(last) if last.to_ascii_uppercase().starts_with(&begins.to_ascii_uppercase()) => Ok(()),
        last => Err(NoTls::Refused(last.unwrap_or_default())),
    }
}

fn says(line: &str, word: &str) -> bool {
    line.to_ascii_uppercase().contains(word)
}

/// Lines up to the one that ends the answer, at most a hundred.
fn until(link: &mut Link, last: impl Fn(&str) -> bool) -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    while lines.len() < 100 {
        let line = link.line()?;
        let ends = last(&line);
        lines.push(line);
        if ends {
            return Ok(lines);
        }
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "an answer without an end"))
}
