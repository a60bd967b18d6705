//! One document by HTTPS: no redirects, 64 KiB, a deadline, and the server's certificate judged as RFC 8461 3.3 asks.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mailward_audit::Known;
use mailward_audit::facts::Fetched;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// As much of a document as is read (RFC 8461 3.3 lets a sender stop there).
const LARGEST: usize = 64 << 10;
/// Status line and headers.
const HEAD: usize = 16 << 10;
/// How long one fetch may take.
const PATIENCE: Duration = Duration::from_secs(8);

/// How documents are fetched.
#[derive(Clone, Debug, Default)]
pub struct Fetch {
    /// Where hosts are, other than the DNS says.
    pub instead: BTreeMap<String, SocketAddr>,
    /// Certificates that are trusted besides the system's, as DER.
    pub roots: Vec<Vec<u8>>,
}

impl Fetch {
    /// Fetches a document. A certificate that does not hold is part of what was found.
    #[must_use]
    pub fn get(&self, url: &str, addresses: &dyn Fn(&str) -> Vec<IpAddr>, end: Instant) -> Known<Fetched> {
        let Some((host, path)) = url.strip_prefix("https://").and_then(|rest| rest.split_once('/')) else {
            return Known::Unread(format!("{url} is no https address"));
        };
        let end = end.min(Instant::now() + PATIENCE);
        let places = match self.instead.get(host) {
            Some(place) => vec![*place],
            None => addresses(host).into_iter().map(|ip| SocketAddr::new(ip, 443)).collect(),
        };
        let mut why = format!("{host} has no address");
        for place in places {
            match self.exchange(place, host, path, end) {
                Ok(fetched) => return Known::Is(fetched),
                Err(error) => match certificate_of(&error) {
                    Some(certificate) => return Known::Is(Fetched { certificate, ..Fetched::default() }),
                    None if is_answer(&error) => {
                        return Known::Is(Fetched { failure: error.to_string(), ..Fetched::default() });
                    }
                    None => why = format!("{place} did not serve {url}: {error}; try: curl -v {url}"),
                },
            }
        }
        Known::Unread(why)
    }

    fn exchange(&self, place: SocketAddr, host: &str, path: &str, end: Instant) -> io::Result<Fetched> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let connection = ClientConnection::new(self.config()?, name).map_err(io::Error::other)?;
        let socket = TcpStream::connect_timeout(&place, left(end)?)?;
        let mut stream = StreamOwned::new(connection, Timed { socket, end });
        let request = format!(
            "GET /{path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: mailward\r\nAccept: text/plain, */*\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes())?;
        let mut bytes = Vec::new();
        let limit = u64::try_from(HEAD + LARGEST).unwrap_or(u64::MAX);
        match (&mut stream).take(limit).read_to_end(&mut bytes) {
            // Many servers close without saying so in TLS; lengths are checked below.
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(error),
            _ => {}
        }
        response(&bytes).ok_or_else(|| io::Error::other("the answer is no HTTP"))
    }

    fn config(&self) -> io::Result<Arc<ClientConfig>> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        for root in &self.roots {
            roots.add(CertificateDer::from(root.clone())).map_err(io::Error::other)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?;
        Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
    }
}

/// A socket whose every read and write ends at the same deadline.
struct Timed {
    socket: TcpStream,
    end: Instant,
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(left(self.end)?))?;
        self.socket.read(buffer)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(left(self.end)?))?;
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

fn left(end: Instant) -> io::Result<Duration> {
    let left = end.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

fn certificate_of(error: &io::Error) -> Option<String> {
    match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::InvalidCertificate(why) => Some(why.to_string()),
        rustls::Error::NoCertificatesPresented => Some("the server shows none".to_owned()),
        _ => None,
    }
}

/// Whether the server is at fault, and not the way to it.
fn is_answer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, ConnectionReset, InvalidData, UnexpectedEof};
    let kinds = [ConnectionRefused, ConnectionReset, InvalidData, UnexpectedEof, io::ErrorKind::Other];
    kinds.contains(&error.kind())
}

fn response(bytes: &[u8]) -> Option<Fetched> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(bytes.get(..end)?);
    let body = bytes.get(end + 4..)?;
    let mut lines = head.lines();
    let status = lines.next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, &str)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim()))
        .collect();
    let header = |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| *value);
    let chunked = header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
    let body = if chunked { unchunked(body) } else { body.to_vec() };
    let body = body.get(..body.len().min(LARGEST)).unwrap_or_default();
    Some(Fetched {
        status,
        content_type: header("content-type").unwrap_or_default().to_owned(),
        body: String::from_utf8_lossy(body).into_owned(),
        redirect: header("location").filter(|_| (300..400).contains(&status)).map(str::to_owned),
        certificate: String::new(),
        failure: String::new(),
    })
}

/// As many chunks as are whole (RFC 9112 7.1).
fn unchunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = bytes.windows(2).position(|window| window == b"\r\n") {
        let size = bytes.get(..end).map(String::from_utf8_lossy).unwrap_or_default();
        let size = size.split(';').next().unwrap_or_default().trim();
        let Ok(size @ 1..) = usize::from_str_radix(size, 16) else { break };
        let Some(chunk) = end.checked_add(2 + size).and_then(|to| bytes.get(end + 2..to)) else { break };
        body.extend_from_slice(chunk);
        bytes = bytes.get(end + 2 + size + 2..).unwrap_or_default();
    }
    body
}
