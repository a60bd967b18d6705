//! What a server answers to a ClientHello, up to where it goes on in secret or waits for the client.

use mailward_audit::facts::{Group, Suite, SuiteClass, TlsVersion};

use super::cursor::Cursor;

/// An answer to a ClientHello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// A ServerHello and what came with it in the clear.
    Flight(Box<Flight>),
    /// An alert, by number.
    Alert(u8),
    /// The connection was closed without a word.
    Closed,
    /// Nothing came in time.
    Silent,
    /// Something that is not TLS, its beginning.
    Foreign(String),
}

/// A server's first messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Flight {
    pub(super) version: Option<TlsVersion>,
    pub(super) suite: Option<Suite>,
    pub(super) compression: bool,
    pub(super) secure_renegotiation: bool,
    pub(super) extended_master_secret: bool,
    pub(super) heartbeat: bool,
    /// The group of the key exchange, or the one asked for by a HelloRetryRequest.
    pub(super) group: Option<Group>,
    pub(super) certificates: Vec<Vec<u8>>,
    pub(super) stapled: Option<Vec<u8>>,
    /// The prime of a finite-field key exchange.
    pub(super) prime: Option<Vec<u8>>,
    pub(super) asks_certificate: bool,
}

/// More than any honest chain needs.
pub(super) const MOST: usize = 128 * 1024;

/// Reads what came so far; nothing when more has to come.
pub(super) fn read(bytes: &[u8]) -> Option<Reply> {
    let first = *bytes.first()?;
    if first & 0x80 != 0 && bytes.get(2) == Some(&4) {
        return Some(ssl2(bytes));
    }
    if !(20..=24).contains(&first) || bytes.get(1).is_some_and(|major| *major != 3) {
        return Some(foreign(bytes));
    }
    let (messages, alert) = records(bytes);
    if let Some(alert) = alert {
        return Some(Reply::Alert(alert));
    }
    let flight = flight(&messages);
    match flight {
        Some(flight) => Some(Reply::Flight(Box::new(flight))),
        None if bytes.len() >= MOST => Some(Reply::Foreign("more than 128 KiB without an end".to_owned())),
        None => None,
    }
}

fn ssl2(bytes: &[u8]) -> Reply {
    let version = bytes.get(5..7).is_some_and(|version| version == [0, 2]);
    match version {
        true => Reply::Flight(Box::new(Flight { version: Some(TlsVersion::Ssl2), ..Flight::default() })),
        false => foreign(bytes),
    }
}

fn foreign(bytes: &[u8]) -> Reply {
    let text = String::from_utf8_lossy(bytes.get(..200).unwrap_or(bytes));
    Reply::Foreign(text.chars().filter(|letter| !letter.is_control()).collect())
}

/// The handshake messages in whole records, and the first alert that ends it.
fn records(bytes: &[u8]) -> (Vec<u8>, Option<u8>) {
    let mut rest = Cursor(bytes);
    let mut messages = Vec::new();
    while let Some((kind, body)) = record(&mut rest) {
        match kind {
            22 => messages.extend(body),
            // A warning about the name (112) is no refusal.
            21 => match body {
                [1, 112] | [] => {}
                [_, alert, ..] => return (messages, Some(*alert)),
                [_] => {}
            },
            _ => {}
        }
    }
    (messages, None)
}

/// The next whole record: its type and its body.
pub(super) fn record<'a>(rest: &mut Cursor<'a>) -> Option<(u8, &'a [u8])> {
    let kind = rest.u8()?;
    rest.u16()?;
    Some((kind, rest.vector(2)?))
}

/// The next whole handshake message: its type and its body.
pub(super) fn message<'a>(rest: &mut Cursor<'a>) -> Option<(u8, &'a [u8])> {
    Some((rest.u8()?, rest.vector(3)?))
}

/// The flight, if its end is there: ServerHelloDone, or the ServerHello of TLS 1.3, after which all is encrypted.
fn flight(messages: &[u8]) -> Option<Flight> {
    let mut rest = Cursor(messages);
    let mut flight = Flight::default();
    while let Some((kind, body)) = message(&mut rest) {
        let mut body = Cursor(body);
        match kind {
            2 => flight.server_hello(&mut body)?,
            11 => flight.certificates = certificates(&mut body).unwrap_or_default(),
            12 => _ = flight.key_exchange(&mut body),
            13 => flight.asks_certificate = true,
            14 => return Some(flight),
            22 => flight.stapled = stapled(&mut body),
            _ => {}
        }
        if flight.version == Some(TlsVersion::Tls13) {
            return Some(flight);
        }
    }
    None
}

impl Flight {
    fn server_hello(&mut self, body: &mut Cursor<'_>) -> Option<()> {
        self.version = version(body.u16()?);
        body.take(32)?;
        body.vector(1)?;
        self.suite = Some(Suite(body.u16()?));
        self.compression = body.u8()? != 0;
        let mut extensions = Cursor(body.vector(2).unwrap_or_default());
        while let Some(number) = extensions.u16() {
            let Some(content) = extensions.vector(2) else { break };
            self.extension(number, content);
        }
        Some(())
    }

    fn extension(&mut self, number: u16, content: &[u8]) {
        let mut content = Cursor(content);
        match number {
            15 => self.heartbeat = true,
            23 => self.extended_master_secret = true,
            43 => self.version = content.u16().and_then(version).or(self.version),
            51 => self.group = content.u16().map(Group),
            0xff01 => self.secure_renegotiation = true,
            _ => {}
        }
    }

    /// RFC 5246 7.4.3, RFC 8422 5.4.
    fn key_exchange(&mut self, body: &mut Cursor<'_>) -> Option<()> {
        let name = self.suite?.name()?;
        if name.contains("ECDH") {
            let named = body.u8()? == 3;
            self.group = named.then(|| body.u16().map(Group)).flatten();
        } else if name.contains("DH") {
            self.prime = Some(body.vector(2)?.to_vec());
        }
        Some(())
    }

    /// The class of the chosen suite.
    pub(super) fn class(&self) -> Option<SuiteClass> {
        self.suite?.class()
    }
}

fn version(number: u16) -> Option<TlsVersion> {
    TlsVersion::ALL.into_iter().find(|version| super::hello::wire_version(*version) == number)
}

fn certificates(body: &mut Cursor<'_>) -> Option<Vec<Vec<u8>>> {
    let mut list = Cursor(body.vector(3)?);
    let mut certificates = Vec::new();
    while !list.is_empty() {
        certificates.push(list.vector(3)?.to_vec());
    }
    Some(certificates)
}

fn stapled(body: &mut Cursor<'_>) -> Option<Vec<u8>> {
    (body.u8()? == 1).then(|| body.vector(3).map(<[u8]>::to_vec)).flatten()
}
