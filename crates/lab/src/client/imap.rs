//! IMAP4rev1 (RFC 3501): enough to log in, look around and read.

use std::net::IpAddr;

use super::Mailbox;
use super::conn::{Conn, Times, Trouble};
use super::tls::Trust;

/// An IMAP connection.
#[derive(Debug)]
pub struct Imap {
    /// The connection, for what IMAP does not foresee.
    pub conn: Conn,
    port: u16,
    tag: u32,
}

impl Imap {
    /// Connects; the greeting is not read yet.
    ///
    /// # Errors
    /// When the connection cannot be opened.
    pub fn open(source: IpAddr, port: u16, times: Times) -> Result<Self, Trouble> {
        Ok(Self { conn: Conn::open(source, port, times)?, port, tag: 0 })
    }

    /// Greeting and TLS: at once on 993, by STARTTLS on 143.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn hello(&mut self, trust: &Trust) -> Result<(), Trouble> {
        if self.port == 993 {
            self.conn.start_tls(trust)?;
        }
        self.conn.read_line()?;
        if self.port == 143 && self.command("STARTTLS")?.0 {
            self.conn.start_tls(trust)?;
        }
        Ok(())
    }

    /// Sends a command; whether it was answered with OK, and all lines of the answer.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn command(&mut self, text: &str) -> Result<(bool, Vec<String>), Trouble> {
        self.tag += 1;
        let tag = format!("c{}", self.tag);
        self.conn.line(&format!("{tag} {text}"))?;
        let mut lines = Vec::new();
        loop {
            let line = self.conn.read_line()?;
            let status = line.strip_prefix(&tag).map(|rest| rest.trim_start().starts_with("OK"));
            lines.push(line);
            if let Some(good) = status {
                return Ok((good, lines));
            }
        }
    }

    /// LOGIN with the user name as a literal, which may hold any byte.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn login_literal(&mut self, user: &str, password: &str) -> Result<bool, Trouble> {
        self.conn.line(&format!("lit LOGIN {{{}}}", user.len()))?;
        self.conn.read_line()?;
        self.conn.line(&format!("{user} {}", quoted(password)))?;
        let line = self.conn.read_line()?;
        Ok(line.starts_with("lit OK"))
    }

    /// LOGOUT, and an orderly end whatever the answer.
    pub fn logout(mut self) {
        let _ = self.command("LOGOUT");
        self.conn.close();
    }
}

impl Mailbox for Imap {
    fn login(&mut self, user: &str, password: &str) -> Result<bool, Trouble> {
        Ok(self.command(&format!("LOGIN {} {}", quoted(user), quoted(password)))?.0)
    }
}

/// A quoted string (RFC 3501, 4.3).
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
