//! A connection that is read and written line by line, in clear or inside of TLS, with one deadline for all of it.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};

/// No line is longer (RFC 5321 section 4.5.3.1.5 allows 512); what a server sends beyond that ends the talk.
const LONGEST: usize = 8 << 10;
/// No reply has more lines.
const MOST_LINES: usize = 200;

pub(super) struct Connection {
    stream: Stream,
    buffer: Vec<u8>,
    deadline: Instant,
}

enum Stream {
    Clear(TcpStream),
    Secured(Box<StreamOwned<ClientConnection, TcpStream>>),
    Local(UnixStream),
    /// Between the two.
    None,
}

impl Connection {
    pub(super) fn open(address: SocketAddr, deadline: Instant) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, left(deadline)?.min(Duration::from_secs(5)))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: Stream::Clear(stream), buffer: Vec::new(), deadline })
    }

    /// A connection to a socket of this machine.
    pub(super) fn open_local(path: &Path, deadline: Instant) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        let left = left(deadline)?;
        stream.set_read_timeout(Some(left))?;
        stream.set_write_timeout(Some(left))?;
        Ok(Self { stream: Stream::Local(stream), buffer: Vec::new(), deadline })
    }

    pub(super) fn source(&self) -> Option<SocketAddr> {
        self.tcp()?.local_addr().ok()
    }

    fn tcp(&self) -> Option<&TcpStream> {
        match &self.stream {
            Stream::Clear(tcp) => Some(tcp),
            Stream::Secured(tls) => Some(&tls.sock),
            Stream::Local(_) | Stream::None => None,
        }
    }

    /// Begins TLS. Any certificate will do: what is wrong with it is looked at elsewhere.
    pub(super) fn secure(&mut self, host: &str) -> io::Result<()> {
        let Stream::Clear(tcp) = std::mem::replace(&mut self.stream, Stream::None) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        // What came before TLS must not be read as if it came inside of it (CVE-2011-0411).
        self.buffer.clear();
        let peer: IpAddr = tcp.peer_addr()?.ip();
        let name = ServerName::try_from(host.to_owned()).unwrap_or_else(|_| ServerName::from(peer));
        let client = ClientConnection::new(config()?, name).map_err(io::Error::other)?;
        let mut tls = StreamOwned::new(client, tcp);
        self.set_timeouts(&tls.sock)?;
        while tls.conn.is_handshaking() {
            tls.conn.complete_io(&mut tls.sock)?;
        }
        self.stream = Stream::Secured(Box::new(tls));
        Ok(())
    }

    fn set_timeouts(&self, tcp: &TcpStream) -> io::Result<()> {
        let left = left(self.deadline)?;
        tcp.set_read_timeout(Some(left))?;
        tcp.set_write_timeout(Some(left))
    }

    /// Writes these bytes.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.tcp().map_or(Ok(()), |tcp| self.set_timeouts(tcp))?;
        match &mut self.stream {
            Stream::Clear(tcp) => tcp.write_all(bytes),
            Stream::Local(local) => local.write_all(bytes),
            Stream::Secured(tls) => tls.write_all(bytes).and_then(|()| tls.flush()),
            Stream::None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Says that nothing more will come, and goes on reading. Inside of TLS there is no such thing.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        match &self.stream {
            Stream::Clear(tcp) => tcp.shutdown(std::net::Shutdown::Write),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// The next line, without its end.
    pub(super) fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            if self.buffer.len() > LONGEST {
                return Err(io::Error::other("the server sent a line without an end"));
            }
            self.fill()?;
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        self.tcp().map_or(Ok(()), |tcp| self.set_timeouts(tcp))?;
        let mut bytes = [0; 4096];
        let read = match &mut self.stream {
            Stream::Clear(tcp) => tcp.read(&mut bytes)?,
            Stream::Local(local) => local.read(&mut bytes)?,
            Stream::Secured(tls) => tls.read(&mut bytes)?,
            Stream::None => 0,
        };
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.buffer.extend_from_slice(bytes.get(..read).unwrap_or_default());
        Ok(())
    }

    /// The lines up to the first for which `is_last` holds.
    pub(super) fn lines(&mut self, is_last: impl Fn(&str) -> bool) -> io::Result<Vec<String>> {
        let mut lines = Vec::new();
        while lines.len() < MOST_LINES {
            let line = self.line()?;
            let last = is_last(&line);
            lines.push(line);
            if last {
                return Ok(lines);
            }
        }
        Err(io::Error::other("the server sent a reply without an end"))
    }
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

fn config() -> io::Result<Arc<ClientConfig>> {
    static CONFIG: OnceLock<Option<Arc<ClientConfig>>> = OnceLock::new();
    let config = CONFIG.get_or_init(|| {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = Arc::new(AnyCertificate(Arc::clone(&provider)));
        let builder =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().ok()?;
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
        Some(Arc::new(builder.with_no_client_auth()))
    });
    config.clone().ok_or_else(|| io::Error::other("no TLS here"))
}

/// Takes every certificate: we tell the server nothing that is secret.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
