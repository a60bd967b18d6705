//! TLS for clients: honest ones check the certificate, attackers do not; and the first bytes of handshakes.

use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme, StreamOwned,
};

use super::conn::Trouble;
use crate::topology::HOSTNAME;

/// Whose certificates a client accepts.
#[derive(Clone, Debug)]
pub struct Trust(Arc<ClientConfig>);

impl Trust {
    /// Only certificates of this authority, for the mail host's name.
    ///
    /// # Errors
    /// When the file is no certificate.
    pub fn authority(file: &Path) -> Result<Self> {
        let certificate = CertificateDer::from_pem_file(file)
            .with_context(|| format!("{}: not a certificate", file.display()))?;
        let mut roots = RootCertStore::empty();
        roots.add(certificate)?;
        let config = builder()?.with_root_certificates(roots).with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }

    /// Any certificate, as attackers do.
    ///
    /// # Errors
    /// When the TLS library cannot be set up.
    pub fn anything() -> Result<Self> {
        let verifier = Arc::new(Careless(Arc::new(ring::default_provider())));
        let config = builder()?.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }

    fn connection(&self) -> Result<ClientConnection, rustls::Error> {
        let name = ServerName::try_from(HOSTNAME).map_err(|_| rustls::Error::General("name".to_owned()))?;
        ClientConnection::new(Arc::clone(&self.0), name)
    }

    /// A handshake over an open connection.
    pub(super) fn start(
        &self,
        mut stream: TcpStream,
    ) -> Result<StreamOwned<ClientConnection, TcpStream>, Trouble> {
        let mut connection = self.connection().map_err(|error| Trouble::Tls(error.to_string()))?;
        while connection.is_handshaking() {
            connection.complete_io(&mut stream).map_err(|error| Trouble::of_handshake(&error))?;
        }
        Ok(StreamOwned::new(connection, stream))
    }
}

fn builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>> {
    let provider = Arc::new(ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?)
}

/// The whole first message of a modern client.
///
/// # Errors
/// When the TLS library cannot be set up.
pub fn client_hello() -> Result<Vec<u8>> {
    let mut hello = Vec::new();
    Trust::anything()?.connection()?.write_tls(&mut hello)?;
    Ok(hello)
}

/// The first message of a client that knows nothing newer than TLS 1.0 (RFC 2246, 7.4.1.2).
#[must_use]
pub fn tls10_hello() -> Vec<u8> {
    // AES-CBC suites of the time, and the renegotiation signal of RFC 5746.
    const SUITES: [u8; 14] = [0xc0, 0x0a, 0xc0, 0x09, 0xc0, 0x14, 0xc0, 0x13, 0, 0x35, 0, 0x2f, 0, 0xff];
    let mut body = vec![3, 1];
    body.extend([0x4d; 32]);
    body.extend([0, 0, 14]);
    body.extend(SUITES);
    body.extend([1, 0]);
    let length = u8::try_from(body.len()).unwrap_or(0);
    let mut hello = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
    hello.extend(body);
    hello
}

/// Accepts every certificate, but still checks that the peer holds its key.
#[derive(Debug)]
struct Careless(Arc<CryptoProvider>);

impl ServerCertVerifier for Careless {
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
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hellos_are_handshake_records_of_their_own_length() {
        for hello in [client_hello().unwrap(), tls10_hello()] {
            assert_eq!((hello[0], hello[1], hello[5]), (22, 3, 1));
            assert_eq!(usize::from(u16::from_be_bytes([hello[3], hello[4]])), hello.len() - 5);
        }
    }
}
