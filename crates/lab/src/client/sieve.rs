//! ManageSieve (RFC 5804).

use std::net::IpAddr;

use super::Mailbox;
use super::base64::base64;
use super::conn::{Conn, Times, Trouble};
use super::tls::Trust;

/// A ManageSieve connection.
#[derive(Debug)]
pub struct Sieve {
    /// The connection, for what ManageSieve does not foresee.
    pub conn: Conn,
}

impl Sieve {
    /// Connects; the greeting is not read yet.
    ///
    /// # Errors
    /// When the connection cannot be opened.
    pub fn open(source: IpAddr, times: Times) -> Result<Self, Trouble> {
        Ok(Self { conn: Conn::open(source, 4190, times)? })
    }

    /// Greeting and STARTTLS, after which the server greets again.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn hello(&mut self, trust: &Trust) -> Result<(), Trouble> {
        self.answer()?;
        self.conn.line("STARTTLS")?;
        if self.answer()? {
            self.conn.start_tls(trust)?;
            self.answer()?;
        }
        Ok(())
    }

    /// Reads to OK, NO or BYE; whether it was OK.
    fn answer(&mut self) -> Result<bool, Trouble> {
        loop {
            let line = self.conn.read_line()?;
            match line.split([' ', '(']).next() {
                Some("OK") => return Ok(true),
                Some("NO" | "BYE") => return Ok(false),
                _ => {}
            }
        }
    }

    /// LOGOUT, and an orderly end whatever the answer.
    pub fn logout(mut self) {
        let _ = self.conn.line("LOGOUT").and_then(|()| self.answer());
        self.conn.close();
    }
}

impl Mailbox for Sieve {
    fn login(&mut self, user: &str, password: &str) -> Result<bool, Trouble> {
        let token = base64(format!("\0{user}\0{password}").as_bytes());
        self.conn.line(&format!("AUTHENTICATE \"PLAIN\" \"{token}\""))?;
        self.answer()
    }
}
