//! POP3 (RFC 1939).

use std::net::IpAddr;

use super::Mailbox;
use super::conn::{Conn, Times, Trouble};
use super::tls::Trust;

/// A POP3 connection.
#[derive(Debug)]
pub struct Pop3 {
    /// The connection, for what POP3 does not foresee.
    pub conn: Conn,
    port: u16,
}

impl Pop3 {
    /// Connects; the greeting is not read yet.
    ///
    /// # Errors
    /// When the connection cannot be opened.
    pub fn open(source: IpAddr, port: u16, times: Times) -> Result<Self, Trouble> {
        Ok(Self { conn: Conn::open(source, port, times)?, port })
    }

    /// Greeting and TLS: at once on 995, by STLS on 110.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn hello(&mut self, trust: &Trust) -> Result<(), Trouble> {
        if self.port == 995 {
            self.conn.start_tls(trust)?;
        }
        self.conn.read_line()?;
        if self.port == 110 && self.command("STLS")? {
            self.conn.start_tls(trust)?;
        }
        Ok(())
    }

    /// Sends a command; whether the answer was `+OK`.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn command(&mut self, text: &str) -> Result<bool, Trouble> {
        self.conn.line(text)?;
        Ok(self.conn.read_line()?.starts_with("+OK"))
    }

    /// QUIT, and an orderly end whatever the answer.
    pub fn quit(mut self) {
        let _ = self.command("QUIT");
        self.conn.close();
    }
}

impl Mailbox for Pop3 {
    fn login(&mut self, user: &str, password: &str) -> Result<bool, Trouble> {
        Ok(self.command(&format!("USER {user}"))? && self.command(&format!("PASS {password}"))?)
    }
}
