//! The DNS, asked without making anybody else wait: a socket for each question, a deadline, and a cache with a bound.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use hickory_proto::op::{Edns, Message, MessageType, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use mailward_decide::spf::is_spf;
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
    /// An SPF record, its strings joined.
    Text(String),
    /// A mail server.
    Server(String),
}

/// A stub resolver.
pub(crate) struct Resolver {
    servers: Vec<SocketAddr>,
    deadline: Duration,
    cache: RefCell<Cache>,
    sockets: Semaphore,
    /// How many questions were answered.
    answered: Cell<u64>,
    /// Until when nobody is asked, because nobody answered.
    silent_until: Cell<Option<Instant>>,
    /// Senders' domains that did not answer, one after the other, while nobody else did.
    silent_senders: Cell<u32>,
    /// Until when senders' domains are not asked for.
    senders_silent_until: Cell<Option<Instant>>,
}

/// Answers, with a bound to what they take up: whoever sends mail chooses whose answers these are.
#[derive(Default)]
struct Cache {
    answers: HashMap<(String, RecordType), Cached>,
    bytes: usize,
}

struct Cached {
    values: Values,
    until: Instant,
    bytes: usize,
}

/// Why nothing is known of a name.
enum Unknown {
    /// It was not asked for, or the server could not tell.
    Untold,
    /// Nobody answered in time.
    Silence,
}

/// Questions at a time; further ones go without an answer.
const SOCKETS: usize = 512;
/// Answers that are remembered, and the bytes of all of them.
const ANSWERS: usize = 50_000;
const BYTES: usize = 32 << 20;
/// Values of an answer that are looked at. Whoever has more means no good, or needs none of the others.
const VALUES: usize = 50;
/// The longest SPF record that is read; those of the largest senders have 2 KB.
const TEXT: usize = 4 << 10;
/// What fits without fragments (RFC 9715).
const PAYLOAD: u16 = 1_232;
/// The least and the most that an answer is remembered; "there is none" at most so long (RFC 2308 section 5).
const LEAST: u32 = 10;
const MOST: u32 = 86_400;
const MOST_NEGATIVE: u32 = 3_600;
/// How long nobody is asked after a list was asked and nobody answered: whoever asks us next does not wait in vain, too.
const SILENCE: Duration = Duration::from_secs(5);
/// One domain that does not answer says nothing about the resolver; so many do.
const IN_A_ROW: u32 = 3;

impl Resolver {
    /// One that asks these servers in turn.
    pub(crate) fn new(servers: Vec<SocketAddr>, deadline: Duration) -> Self {
        Self {
            servers,
            deadline,
            cache: RefCell::default(),
            sockets: Semaphore::new(SOCKETS),
            answered: Cell::new(0),
            silent_until: Cell::new(None),
            silent_senders: Cell::new(0),
            senders_silent_until: Cell::new(None),
        }
    }

    /// How long a question may take.
    pub(crate) const fn deadline(&self) -> Duration {
        self.deadline
    }

    /// What a name has of a kind; nothing where nobody answered in time. Senders choose these names: a name server that does not answer
    /// for one of them says nothing about the resolver.
    /// When several in a row are silent, and nobody answers meanwhile, senders' domains are left alone for a while: lists are not.
    pub(crate) async fn look(&self, name: &str, kind: RecordType) -> Option<Values> {
        if let Some(known) = self.cache.borrow().get(name, kind) {
            return Some(known);
        }
        if self.senders_silent_until.get().is_some_and(|until| until > Instant::now()) {
            return None;
        }
        let answered = self.answered.get();
        match self.known_or_asked(name, kind).await {
            Ok(values) => {
                self.silent_senders.set(0);
                Some(values)
            }
            Err(Unknown::Silence) if self.answered.get() == answered => {
                self.silent_senders.set(self.silent_senders.get().saturating_add(1));
                if self.silent_senders.get() >= IN_A_ROW {
                    self.senders_silent_until.set(Some(Instant::now() + SILENCE));
                }
                None
            }
            Err(_) => None,
        }
    }

    /// What a list answers. When it does not, and nobody else does meanwhile, the resolver is taken for silent.
    pub(crate) async fn listed(&self, name: &str) -> Option<Vec<Ipv4Addr>> {
        let answered = self.answered.get();
        let found = self.known_or_asked(name, RecordType::A).await;
        if matches!(found, Err(Unknown::Silence)) && self.answered.get() == answered {
            self.silent_until.set(Some(Instant::now() + SILENCE));
        }
        found.ok().map(|values| addresses(&values))
    }

    /// What a list answers now, whatever is remembered.
    pub(crate) async fn tried(&self, name: &str) -> Option<Vec<Ipv4Addr>> {
        self.asked(name, RecordType::A).await.ok().map(|values| addresses(&values))
    }

    async fn known_or_asked(&self, name: &str, kind: RecordType) -> Result<Values, Unknown> {
        if let Some(known) = self.cache.borrow().get(name, kind) {
            return Ok(known);
        }
        if self.silent_until.get().is_some_and(|until| until > Instant::now()) {
            return Err(Unknown::Untold);
        }
        self.asked(name, kind).await
    }

    async fn asked(&self, name: &str, kind: RecordType) -> Result<Values, Unknown> {
        // Not every sender's domain is a name.
        let question = question(name, kind).ok_or(Unknown::Untold)?;
        let _socket = self.sockets.try_acquire().map_err(|_| Unknown::Untold)?;
        let answer = timeout(self.deadline, self.ask(&question)).await.ok().flatten();
        let message = answer.ok_or(Unknown::Silence)?;
        self.answered.set(self.answered.get() + 1);
        let (values, ttl) = understood(&message).ok_or(Unknown::Untold)?;
        self.cache.borrow_mut().put((name.to_owned(), kind), Rc::clone(&values), ttl);
        Ok(values)
    }

    /// Asks each server, the first one again at the end: a datagram may be lost.
    async fn ask(&self, question: &Message) -> Option<Message> {
        let tries = self.servers.len() + 1;
        let wait = self.deadline / u32::try_from(tries).unwrap_or(u32::MAX);
        for server in self.servers.iter().cycle().take(tries) {
            if let Ok(Ok(answer)) = timeout(wait, exchange(*server, question)).await {
                return Some(answer);
            }
        }
        None
    }
}

impl Cache {
    fn get(&self, name: &str, kind: RecordType) -> Option<Values> {
        let known = self.answers.get(&(name.to_owned(), kind))?;
        (known.until > Instant::now()).then(|| Rc::clone(&known.values))
    }

    fn put(&mut self, key: (String, RecordType), values: Values, ttl: u32) {
        let now = Instant::now();
        if self.is_full() {
            self.answers.retain(|_, cached| cached.until > now);
            self.bytes = self.answers.values().map(|cached| cached.bytes).sum();
        }
        if self.is_full() {
            *self = Self::default();
        }
        let bytes = key.0.len() + values.iter().map(Value::bytes).sum::<usize>();
        let cached = Cached { values, until: now + Duration::from_secs(ttl.into()), bytes };
        let before = self.answers.insert(key, cached).map_or(0, |before| before.bytes);
        self.bytes = self.bytes + bytes - before;
    }

    fn is_full(&self) -> bool {
        self.answers.len() >= ANSWERS || self.bytes >= BYTES
    }
}

impl Value {
    fn bytes(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Text(text) | Self::Server(text) => text.len(),
                Self::Address(_) => 0,
            }
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
    let answers = || message.answers.iter().filter_map(|record| Some((value(&record.data)?, record.ttl)));
    let found = || answers().take(VALUES);
    let values: Values = found().map(|(value, _)| value).collect();
    let ttl = match found().map(|(_, ttl)| ttl).min() {
        Some(ttl) => ttl.min(MOST),
        None => negative(message),
    };
    Some((values, ttl.max(LEAST)))
}

fn addresses(values: &[Value]) -> Vec<Ipv4Addr> {
    let v4 = |value: &Value| match value {
        Value::Address(IpAddr::V4(address)) => Some(*address),
        _ => None,
    };
    values.iter().filter_map(v4).collect()
}

fn value(data: &RData) -> Option<Value> {
    match data {
        RData::A(address) => Some(Value::Address(address.0.into())),
        RData::AAAA(address) => Some(Value::Address(address.0.into())),
        RData::TXT(text) => {
            let text = String::from_utf8_lossy(&text.txt_data.concat()).into_owned();
            (text.len() <= TEXT && is_spf(&text)).then_some(Value::Text(text))
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

#[cfg(test)]
mod tests {
    use hickory_proto::rr::Record;
    use hickory_proto::rr::rdata::{A, TXT};

    use super::*;

    fn values(data: impl IntoIterator<Item = RData>) -> Values {
        let mut message = Message::query();
        for data in data {
            message.add_answer(Record::from_rdata(Name::root(), 300, data));
        }
        understood(&message).unwrap().0
    }

    #[test]
    fn of_texts_only_records_of_a_sane_length_are_kept() {
        let text = |text: &str| {
            let strings = text.as_bytes().chunks(255).map(|part| String::from_utf8(part.to_vec()).unwrap());
            RData::TXT(TXT::new(strings.collect()))
        };
        let record = format!("v=spf1 {}-all", "ip4:192.0.2.0/24 ".repeat(200));
        let kept = values([text("hello"), text(&record), text(&(record.clone() + &record))]);
        assert_eq!(&*kept, [Value::Text(record)]);
    }

    #[test]
    fn what_answers_take_up_is_bounded() {
        let address = || RData::A(A(Ipv4Addr::LOCALHOST));
        let many = values((0..200).map(|_| address()));
        assert_eq!(many.len(), VALUES);
        let (mut cache, text) = (Cache::default(), Value::Text("x".repeat(TEXT)));
        let large: Values = vec![text; VALUES].into();
        for name in 0..1_000 {
            cache.put((name.to_string(), RecordType::TXT), Rc::clone(&large), 300);
            cache.put(("again".to_owned(), RecordType::TXT), Rc::clone(&large), 300);
        }
        let bytes: usize = cache.answers.values().map(|cached| cached.bytes).sum();
        assert_eq!(bytes, cache.bytes);
        assert!(bytes < BYTES + (1 << 20), "{bytes}");
        assert!(cache.get("999", RecordType::TXT).is_some());
    }
}
