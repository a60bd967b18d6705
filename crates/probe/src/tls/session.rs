//! A whole handshake, by rustls: the certificate that TLS 1.3 sends in secret, tickets, and commands within.

use std::io::{Read as _, Write as _};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use mailward_audit::facts::{Group, Suite, TlsVersion};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{
    ClientSessionStore, ResolvesClientCert, Tls12ClientSessionValue, Tls13ClientSessionValue,
};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, NamedGroup, ProtocolVersion, SignatureScheme,
    StreamOwned, SupportedProtocolVersion,
};

use super::cursor::Cursor;
use super::link::Link;
use super::reply::{message, record};

/// What a whole handshake showed.
#[derive(Debug, Default)]
pub(super) struct Session {
    pub(super) version: Option<TlsVersion>,
    pub(super) suite: Option<Suite>,
    pub(super) group: Option<Group>,
    pub(super) certificates: Vec<Vec<u8>>,
    pub(super) stapled: Vec<u8>,
    pub(super) asks_certificate: bool,
    /// The most bytes of early data that a ticket allows; nothing when no ticket of TLS 1.3 came.
    pub(super) early_data: Option<u32>,
    /// The lifetime in a ticket of TLS 1.2.
    pub(super) ticket_lifetime: Option<u32>,
    /// What was said inside.
    pub(super) said: String,
}

/// Shakes hands, sends `last` and reads until the server closes.
pub(super) fn hold(
    link: Link,
    name: Option<&str>,
    versions: &[&'static SupportedProtocolVersion],
    last: &str,
) -> Result<Session, rustls::Error> {
    let watch = Arc::new(Watch::default());
    let config = config(versions, name.is_some(), &watch)?;
    let server = ServerName::try_from(name.unwrap_or("mail.invalid").to_owned())
        .or_else(|_| ServerName::try_from("mail.invalid"))
        .map_err(|error| rustls::Error::General(error.to_string()))?;
    let connection = ClientConnection::new(Arc::new(config), server)?;
    let mut stream = StreamOwned::new(connection, link);
    if let Err(error) = stream.conn.complete_io(&mut stream.sock) {
        return Err(rustls::Error::General(error.to_string()));
    }
    let said = exchange(&mut stream, last);
    Ok(watch.session(&stream, said))
}

/// Sends the last command, and reads what comes before the end, at most 16 KiB.
fn exchange(stream: &mut StreamOwned<ClientConnection, Link>, last: &str) -> String {
    let mut said = Vec::new();
    if stream.write_all(last.as_bytes()).is_ok() {
        // A server that closes without a goodbye of TLS has said all the same what it said.
        _ = stream.take(16 * 1024).read_to_end(&mut said);
    }
    String::from_utf8_lossy(&said).into_owned()
}

fn config(
    versions: &[&'static SupportedProtocolVersion],
    sni: bool,
    watch: &Arc<Watch>,
) -> Result<ClientConfig, rustls::Error> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(versions)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(watch) as Arc<dyn ServerCertVerifier>)
        .with_client_cert_resolver(Arc::clone(watch) as Arc<dyn ResolvesClientCert>);
    config.enable_sni = sni;
    config.resumption = rustls::client::Resumption::store(Arc::clone(watch) as Arc<dyn ClientSessionStore>);
    Ok(config)
}

/// Looks on while rustls works. Any certificate is taken: nothing secret is sent, and the chain is judged later.
#[derive(Debug, Default)]
struct Watch {
    stapled: Mutex<Vec<u8>>,
    asked: AtomicBool,
    ticket: AtomicBool,
    early_data: AtomicU32,
}

impl Watch {
    fn session(&self, stream: &StreamOwned<ClientConnection, Link>, said: String) -> Session {
        let connection = &stream.conn;
        let version = match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => Some(TlsVersion::Tls13),
            Some(ProtocolVersion::TLSv1_2) => Some(TlsVersion::Tls12),
            _ => None,
        };
        let group =
            connection.negotiated_key_exchange_group().map(|group| Group(NamedGroup::into(group.name())));
        Session {
            version,
            suite: connection.negotiated_cipher_suite().map(|suite| Suite(suite.suite().into())),
            group,
            certificates: connection
                .peer_certificates()
                .unwrap_or_default()
                .iter()
                .map(|der| der.to_vec())
                .collect(),
            stapled: self.stapled.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            asks_certificate: self.asked.load(Ordering::Relaxed),
            early_data: self.ticket.load(Ordering::Relaxed).then(|| self.early_data.load(Ordering::Relaxed)),
            ticket_lifetime: ticket_lifetime(&stream.sock.seen),
            said,
        }
    }
}

/// TLS 1.2 sends its ticket before it turns encryption on (RFC 5077 3.3).
fn ticket_lifetime(seen: &[u8]) -> Option<u32> {
    let mut rest = Cursor(seen);
    let mut messages = Vec::new();
    while let Some((kind, body)) = record(&mut rest) {
        match kind {
            22 => messages.extend(body),
            20 => break,
            _ => {}
        }
    }
    let mut rest = Cursor(&messages);
    let (_, ticket) = std::iter::from_fn(|| message(&mut rest)).find(|(kind, _)| *kind == 4)?;
    u32::try_from(Cursor(ticket).number(4)?).ok()
}

impl ServerCertVerifier for Watch {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        stapled: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        *self.stapled.lock().unwrap_or_else(PoisonError::into_inner) = stapled.to_vec();
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        use SignatureScheme as S;
        vec![
            S::ECDSA_NISTP256_SHA256,
            S::ECDSA_NISTP384_SHA384,
            S::ECDSA_NISTP521_SHA512,
            S::ED25519,
            S::ED448,
            S::RSA_PSS_SHA256,
            S::RSA_PSS_SHA384,
            S::RSA_PSS_SHA512,
            S::RSA_PKCS1_SHA256,
            S::RSA_PKCS1_SHA384,
            S::RSA_PKCS1_SHA512,
            S::RSA_PKCS1_SHA1,
            S::ECDSA_SHA1_Legacy,
        ]
    }
}

impl ResolvesClientCert for Watch {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        None
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl ClientSessionStore for Watch {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, _: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        self.ticket.store(true, Ordering::Relaxed);
        self.early_data.fetch_max(ticket.max_early_data_size(), Ordering::Relaxed);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        None
    }
}
