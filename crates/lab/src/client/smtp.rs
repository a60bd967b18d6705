//! SMTP and message submission (RFC 5321, RFC 6409).

use std::net::IpAddr;

use super::base64::base64;
use super::conn::{Conn, Times, Trouble};
use super::tls::Trust;

/// A server's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Its three digits, 0 where it had none.
    pub code: u16,
    /// All its lines.
    pub text: String,
}

impl Reply {
    /// Whether the server agreed: 2xx, or 3xx, which asks for more.
    #[must_use]
    pub const fn good(&self) -> bool {
        matches!(self.code, 200..400)
    }
}

/// An SMTP connection.
#[derive(Debug)]
pub struct Smtp {
    /// The connection, for what SMTP does not foresee.
    pub conn: Conn,
    port: u16,
}

impl Smtp {
    /// Connects; the greeting is not read yet.
    ///
    /// # Errors
    /// When the connection cannot be opened.
    pub fn open(source: IpAddr, port: u16, times: Times) -> Result<Self, Trouble> {
        Ok(Self { conn: Conn::open(source, port, times)?, port })
    }

    /// Reads an answer. postscreen's greeting comes in two parts that belong together: `220-` and, later, `220 `.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn reply(&mut self) -> Result<Reply, Trouble> {
        let mut lines = Vec::new();
        loop {
            let line = self.conn.read_line()?;
            let more = line.as_bytes().get(3) == Some(&b'-');
            let code = line.get(..3).and_then(|digits| digits.parse().ok()).unwrap_or(0);
            lines.push(line);
            if !more {
                return Ok(Reply { code, text: lines.join("\n") });
            }
        }
    }

    /// Sends a command and reads the answer.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn command(&mut self, text: &str) -> Result<Reply, Trouble> {
        self.conn.line(text)?;
        self.reply()
    }

    /// Greeting, EHLO and, on the submission ports, TLS. Returns the last answer.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn hello(&mut self, name: &str, trust: &Trust) -> Result<Reply, Trouble> {
        if self.port == 465 {
            self.conn.start_tls(trust)?;
        }
        let greeting = self.reply()?;
        if !greeting.good() {
            return Ok(greeting);
        }
        let ehlo = format!("EHLO {name}");
        let reply = self.command(&ehlo)?;
        if self.port != 587 || !reply.good() {
            return Ok(reply);
        }
        let reply = self.command("STARTTLS")?;
        if !reply.good() {
            return Ok(reply);
        }
        self.conn.start_tls(trust)?;
        self.command(&ehlo)
    }

    /// AUTH PLAIN (RFC 4616).
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn auth_plain(&mut self, user: &str, password: &str) -> Result<Reply, Trouble> {
        let token = base64(format!("\0{user}\0{password}").as_bytes());
        self.command(&format!("AUTH PLAIN {token}"))
    }

    /// AUTH LOGIN.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn auth_login(&mut self, user: &str, password: &str) -> Result<Reply, Trouble> {
        for step in ["AUTH LOGIN".to_owned(), base64(user.as_bytes())] {
            let reply = self.command(&step)?;
            if reply.code != 334 {
                return Ok(reply);
            }
        }
        self.command(&base64(password.as_bytes()))
    }

    /// One message to some recipients. Returns the answer that decided its fate.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn message(&mut self, sender: &str, recipients: &[String], text: &str) -> Result<Reply, Trouble> {
        let mut decisive = self.command(&format!("MAIL FROM:<{sender}>"))?;
        if !decisive.good() {
            return Ok(decisive);
        }
        let mut taken = false;
        for recipient in recipients {
            decisive = self.command(&format!("RCPT TO:<{recipient}>"))?;
            taken |= decisive.good();
        }
        if taken { self.data(text) } else { Ok(decisive) }
    }

    /// The message's text, with dots stuffed (RFC 5321, 4.5.2).
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn data(&mut self, text: &str) -> Result<Reply, Trouble> {
        let reply = self.command("DATA")?;
        if reply.code != 354 {
            return Ok(reply);
        }
        for line in text.lines() {
            let dot = if line.starts_with('.') { "." } else { "" };
            self.conn.line(&format!("{dot}{line}"))?;
        }
        self.command(".")
    }

    /// QUIT, and an orderly end whatever the answer.
    pub fn quit(mut self) {
        let _ = self.command("QUIT");
        self.conn.close();
    }
}

/// A message's text with the headers that mail servers expect.
#[must_use]
pub(crate) fn letter(from: &str, to: &str, subject: &str, id: &str, body: &str) -> String {
    format!("From: {from}\nTo: {to}\nSubject: {subject}\nMessage-ID: <{id}>\n\n{body}\n")
}
