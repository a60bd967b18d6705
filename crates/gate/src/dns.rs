//! The DNS, asked without making anybody else wait: a socket for each question, a deadline, and a cache with a bound.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use hickory_proto::op::{Edns, Message, MessageType, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// What a name has of a kind; none of it where it does not exist.
pub(crate) type Values = Rc<[Value]>;

/// A record, as far as it is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Address(IpAddr),
    /// The strings of a text, joined.
    Text(String),
    /// A mail server.
    Server(String),
}

/// A stub resolver.
pub(crate) struct Resolver {
    servers: Vec<SocketAddr>,
    deadline: Duration,
    cache: RefCell<HashMap<(String, RecordType), Cached>>,
    sockets: Semaphore,
    /// Until when nobody is asked, because nobody answered.
    silent_until: Cell<Option<Instant>>,
}

#[derive(Clone)]
struct Cached {
    values: Values,
    until: Instant,
}

/// Questions at a time; further ones go without an answer.
const SOCKETS: usize = 512;
/// Answers that are remembered.
const ANSWERS: usize = 50_000;
/// What fits without fragments (RFC 9715).
const PAYLOAD: u16 = 1_232;
/// The least and the most that an answer is remembered; "there is none" at most so long (RFC 2308 section 5).
const LEAST: u32 = 10;
const MOST: u32 = 86_400;
const MOST_NEGATIVE: u32 = 3_600;
/// How long nobody is asked after a question without an answer: whoever asks us next does not wait in vain, too.
const SILENCE: Duration = Duration::from_secs(5);

impl Resolver {
    /// One that asks these servers in turn.
    pub(crate) fn new(servers: Vec<SocketAddr>, deadline: Duration) -> Self {
        Self {
            servers,
            deadline,
            cache: RefCell::default(),
            sockets: Semaphore::new(SOCKETS),
            silent_until: Cell::new(None),
        }
    }

    /// How long a question may take.
    pub(crate) const fn deadline(&self) -> Duration {
        self.deadline
    }

    /// What a name has of a kind; nothing where nobody answered in time.
    pub(crate) async fn look(&self, name: &str, kind: RecordType) -> Option<Values> {
        let key = (name.to_owned(), kind);
        if let Some(known) = self.cache.borrow().get(&key).filter(|cached| cached.until > Instant::now()) {
            return Some(Rc::clone(&known.values));
        }
        if self.silent_until.get().is_some_and(|until| until > Instant::now()) {
            return None;
        }
        let _socket = self.sockets.try_acquire().ok()?;
        let answer = timeout(self.deadline, self.ask(name, kind)).await.ok().flatten();
        let Some(message) = answer else {
            self.silent_until.set(Some(Instant::now() + SILENCE));
            return None;
        };
        let (values, ttl) = understood(&message)?;
        self.remember(key, Rc::clone(&values), ttl);
        Some(values)
    }

    /// The IPv4 addresses of a name.
    pub(crate) async fn addresses(&self, name: &str) -> Option<Vec<Ipv4Addr>> {
        let v4 = |value: &Value| match value {
            Value::Address(IpAddr::V4(address)) => Some(*address),
            _ => None,
        };
        Some(self.look(name, RecordType::A).await?.iter().filter_map(v4).collect())
    }

    /// Asks each server, the first one again at the end: a datagram may be lost.
    async fn ask(&self, name: &str, kind: RecordType) -> Option<Message> {
        let question = question(name, kind)?;
        let tries = self.servers.len() + 1;
        let wait = self.deadline / u32::try_from(tries).unwrap_or(u32::MAX);
        for server in self.servers.iter().cycle().take(tries) {
            if let Ok(Ok(answer)) = timeout(wait, exchange(*server, &question)).await {
                return Some(answer);
            }
        }
        None
    }

    fn remember(&self, key: (String, RecordType), values: Values, ttl: u32) {
        let mut cache = self.cache.borrow_mut();
        let now = Instant::now();
        if cache.len() >= ANSWERS {
            cache.retain(|_, cached| cached.until > now);
        }
        if cache.len() >= ANSWERS {
            cache.clear();
        }
        cache.insert(key, Cached { values, until: now + Duration::from_secs(ttl.into()) });
    }
}

/// The resolvers of `/etc/resolv.conf`, at most three (resolv.conf(5)).
#[must_use]
pub fn system() -> Vec<SocketAddr> {
    let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let servers = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        (words.next()? == "nameserver").then(|| words.next()?.parse().ok()).flatten()
    });
    servers.take(3).map(|ip: IpAddr| SocketAddr::new(ip, 53)).collect()
}

fn question(name: &str, kind: RecordType) -> Option<Message> {
    let mut name = Name::from_ascii(name).ok()?;
    name.set_fqdn(true);
    let mut message = Message::query();
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(name, kind));
    let mut edns = Edns::new();
    edns.set_max_payload(PAYLOAD);
    message.set_edns(edns);
    Some(message)
}

/// Values, and how long they may be remembered; nothing where the server could not tell.
fn understood(message: &Message) -> Option<(Values, u32)> {
    if !matches!(message.metadata.response_code, ResponseCode::NoError | ResponseCode::NXDomain) {
        return None;
    }
    let found = || message.answers.iter().filter_map(|record| Some((value(&record.data)?, record.ttl)));
    let values: Values = found().map(|(value, _)| value).collect();
    let ttl = match found().map(|(_, ttl)| ttl).min() {
        Some(ttl) => ttl.min(MOST),
        None => negative(message),
    };
    Some((values, ttl.max(LEAST)))
}

fn value(data: &RData) -> Option<Value> {
    match data {
        RData::A(address) => Some(Value::Address(address.0.into())),
        RData::AAAA(address) => Some(Value::Address(address.0.into())),
        RData::TXT(text) => {
            let bytes = text.txt_data.concat();
            Some(Value::Text(String::from_utf8_lossy(&bytes).into_owned()))
        }
        RData::MX(server) => Some(Value::Server(server.exchange.to_ascii())),
        _ => None,
    }
}

/// How long "there is none" holds: the lesser of the SOA record's own time and its last field (RFC 2308 section 5).
fn negative(message: &Message) -> u32 {
    let soa = message.authorities.iter().find_map(|record| match &record.data {
        RData::SOA(soa) => Some(record.ttl.min(soa.minimum)),
        _ => None,
    });
    soa.unwrap_or(LEAST).min(MOST_NEGATIVE)
}

async fn exchange(server: SocketAddr, message: &Message) -> io::Result<Message> {
    let question = message.to_vec().map_err(io::Error::other)?;
    let answer = datagram(server, message, &question).await?;
    if answer.metadata.truncation { stream(server, message, &question).await } else { Ok(answer) }
}

/// A socket of its own, with a port that the kernel chose; connected, so that nobody else's answer comes in.
async fn datagram(server: SocketAddr, message: &Message, question: &[u8]) -> io::Result<Message> {
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(question).await?;
    let mut buffer = [0; PAYLOAD as usize];
    loop {
        let length = socket.recv(&mut buffer).await?;
        // What does not answer the question is somebody's guess; the answer may still come.
        if let Some(answer) = buffer.get(..length).and_then(|bytes| answers(message, bytes)) {
            return Ok(answer);
        }
    }
}

async fn stream(server: SocketAddr, message: &Message, question: &[u8]) -> io::Result<Message> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(question.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), question].concat()).await?;
    let mut body = vec![0; stream.read_u16().await?.into()];
    stream.read_exact(&mut body).await?;
    answers(message, &body).ok_or_else(|| io::Error::other("the answer cannot be read"))
}

fn answers(message: &Message, bytes: &[u8]) -> Option<Message> {
    let answer = Message::from_vec(bytes).ok()?;
    let fits = answer.metadata.message_type == MessageType::Response
        && answer.metadata.id == message.metadata.id
        && answer.queries == message.queries;
    fits.then_some(answer)
}
