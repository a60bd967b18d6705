//! A stub resolver: UDP, TCP when an answer is cut off, a few tries, a deadline.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::str::FromStr;
use std::time::{Duration, Instant};

use hickory_proto::op::{Edns, Message, MessageType, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use mailward_audit::facts::{Answer, Dns, Known};
use mailward_audit::questions;
use thiserror::Error;

use super::answer;

/// How long each try waits. The last is the longest: a resolver that asks dead servers takes its time.
const TRIES: [Duration; 3] =
    [Duration::from_millis(1200), Duration::from_millis(2500), Duration::from_secs(4)];
/// How long a resolver has to show that it is there.
const GREETING: Duration = Duration::from_secs(3);
/// What fits without fragments (RFC 9715).
const PAYLOAD: u16 = 1232;
/// As much of an answer as is read.
const LARGEST: usize = 65_535;

/// Why there is no answer.
#[derive(Debug, Error)]
enum AskError {
    /// The question cannot be put.
    #[error("{question} is no question that can be asked: {why}")]
    Question { question: String, why: String },
    /// Nobody answered.
    #[error("{server} did not answer {question}: {why}; asking again may help: dig @{server} {question}")]
    Silent { server: IpAddr, question: String, why: String },
}

/// A resolver that answers.
#[derive(Clone, Debug)]
pub struct Resolver {
    address: SocketAddr,
    authoritative_port: u16,
}

impl Resolver {
    /// The first resolver that answers, with its answer about the root: the given one, or those of `/etc/resolv.conf`.
    ///
    /// # Errors
    /// When none answers.
    pub fn find(
        given: Option<SocketAddr>,
        authoritative_port: u16,
        end: Instant,
    ) -> Result<(Self, Known<Answer>), String> {
        let candidates = given.map_or_else(system, |address| vec![address]);
        for address in &candidates {
            let resolver = Self { address: *address, authoritative_port };
            let soon = end.min(Instant::now() + GREETING);
            let root = resolver.ask(&Dns::question("NS", questions::SIGNED), soon);
            if matches!(root, Known::Is(_)) {
                return Ok((resolver, root));
            }
        }
        let names: Vec<_> = candidates.iter().map(ToString::to_string).collect();
        Err(match names.as_slice() {
            [] => "no resolver: /etc/resolv.conf names none".to_owned(),
            names => format!("no resolver answered ({})", names.join(", ")),
        })
    }

    /// Who is asked.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks a question: `TXT example.org`, or with ` @192.0.2.1` after it a name server itself.
    #[must_use]
    pub fn ask(&self, question: &str, end: Instant) -> Known<Answer> {
        let (asked, server) = match question.split_once(" @") {
            Some((asked, server)) => (asked, server.parse().ok().map(|ip: IpAddr| self.direct(ip))),
            None => (question, Some(self.address)),
        };
        let Some(server) = server else { return Known::Unread(format!("{question} names no server")) };
        // The root is asked of a server itself to learn whether it serves strangers.
        let recursive = server == self.address || asked == "NS .";
        match exchange(server, asked, Asking { recursive, unchecked: false }, end) {
            Ok((message, millis)) => Known::Is(self.understood(&message, asked, millis, recursive, end)),
            Err(error) => Known::Unread(error.to_string()),
        }
    }

    const fn direct(&self, server: IpAddr) -> SocketAddr {
        SocketAddr::new(server, self.authoritative_port)
    }

    /// A `SERVFAIL` that goes away when nothing is checked is a broken signature.
    fn understood(
        &self,
        message: &Message,
        asked: &str,
        millis: u32,
        recursive: bool,
        end: Instant,
    ) -> Answer {
        let mut answer = answer::read(message, asked, millis);
        if recursive && message.metadata.response_code == ResponseCode::ServFail {
            let again = exchange(self.address, asked, Asking { recursive, unchecked: true }, end);
            answer.unchecked = again.ok().map(|(message, _)| answer::code(&message).to_owned());
        }
        answer
    }
}

/// The resolvers of `/etc/resolv.conf`, at most three (resolv.conf(5)).
fn system() -> Vec<SocketAddr> {
    let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let servers = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        (words.next()? == "nameserver").then(|| words.next()?.parse().ok()).flatten()
    });
    servers.take(3).map(|ip| SocketAddr::new(ip, 53)).collect()
}

#[derive(Clone, Copy)]
struct Asking {
    recursive: bool,
    unchecked: bool,
}

fn message(question: &str, asking: Asking) -> Result<Message, AskError> {
    let wrong = |why: String| AskError::Question { question: question.to_owned(), why };
    let (kind, name) = question.split_once(' ').ok_or_else(|| wrong("it has no name".to_owned()))?;
    let kind = match kind.strip_prefix("TYPE").map(str::parse::<u16>) {
        Some(Ok(number)) => RecordType::from(number),
        _ => RecordType::from_str(kind).map_err(|error| wrong(error.to_string()))?,
    };
    let mut name = Name::from_ascii(name).map_err(|error| wrong(error.to_string()))?;
    name.set_fqdn(true);
    let mut message = Message::query();
    message.metadata.recursion_desired = asking.recursive;
    message.metadata.authentic_data = asking.recursive;
    message.metadata.checking_disabled = asking.unchecked;
    message.add_query(Query::query(name, kind));
    let mut edns = Edns::new();
    edns.set_max_payload(PAYLOAD).set_dnssec_ok(true);
    message.set_edns(edns);
    Ok(message)
}

fn exchange(
    server: SocketAddr,
    question: &str,
    asking: Asking,
    end: Instant,
) -> Result<(Message, u32), AskError> {
    let mut why = "the time was up".to_owned();
    // A name server answers from memory; a resolver may have to ask around.
    let tries = if asking.recursive { TRIES.len() } else { TRIES.len() - 1 };
    for wait in TRIES.into_iter().take(tries) {
        let message = message(question, asking)?;
        let begun = Instant::now();
        let left = end.saturating_duration_since(begun).min(wait);
        if left.is_zero() {
            break;
        }
        match once(server, &message, left) {
            Ok(answer) => {
                return Ok((answer, u32::try_from(begun.elapsed().as_millis()).unwrap_or(u32::MAX)));
            }
            Err(error) => why = error.to_string(),
        }
    }
    Err(AskError::Silent { server: server.ip(), question: question.to_owned(), why })
}

fn once(server: SocketAddr, message: &Message, wait: Duration) -> io::Result<Message> {
    let end = Instant::now() + wait;
    let question = message.to_vec().map_err(io::Error::other)?;
    let answer = datagram(server, message, &question, end)?;
    if answer.metadata.truncation {
        return stream(server, message, &question, end + wait);
    }
    Ok(answer)
}

fn left(end: Instant) -> io::Result<Duration> {
    let left = end.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// A socket of its own, with a port that the kernel chose, for every question; connected, so that nobody else's answer comes in.
fn datagram(server: SocketAddr, message: &Message, question: &[u8], end: Instant) -> io::Result<Message> {
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(server)?;
    socket.send(question)?;
    let mut buffer = vec![0; LARGEST];
    loop {
        socket.set_read_timeout(Some(left(end)?))?;
        let length = socket.recv(&mut buffer)?;
        // What does not answer the question is somebody's guess; the answer may still come.
        if let Some(answer) = buffer.get(..length).and_then(|bytes| answers(message, bytes)) {
            return Ok(answer);
        }
    }
}

fn stream(server: SocketAddr, message: &Message, question: &[u8], end: Instant) -> io::Result<Message> {
    let mut stream = TcpStream::connect_timeout(&server, left(end)?)?;
    stream.set_write_timeout(Some(left(end)?))?;
    let length = u16::try_from(question.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), question].concat())?;
    let mut length = [0; 2];
    stream.set_read_timeout(Some(left(end)?))?;
    stream.read_exact(&mut length)?;
    let mut body = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.set_read_timeout(Some(left(end)?))?;
    stream.read_exact(&mut body)?;
    answers(message, &body).ok_or_else(|| io::Error::other("the answer cannot be read"))
}

fn answers(message: &Message, bytes: &[u8]) -> Option<Message> {
    let answer = Message::from_vec(bytes).ok()?;
    let fits = answer.metadata.message_type == MessageType::Response
        && answer.metadata.id == message.metadata.id
        && answer.queries == message.queries;
    fits.then_some(answer)
}
