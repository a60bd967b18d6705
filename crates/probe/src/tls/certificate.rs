//! Certificates and keys: what they say, and where a chain leads.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use mailward_audit::facts::{Certificate, CertificateKey, Known, Trust};
use rustls::RootCertStore;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::ParsedCertificate;
use sha2::{Digest as _, Sha256};
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer as _, X509Certificate, X509Name};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::cursor::Cursor;
use super::flaw;

/// Roots that count as trusted.
#[derive(Clone, Debug)]
pub struct Roots(pub(super) Arc<RootCertStore>);

impl Roots {
    /// Those that the system trusts.
    #[must_use]
    pub fn of_system() -> Self {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Self(Arc::new(store))
    }

    /// With the certificates of a PEM file besides.
    #[must_use]
    pub fn and(&self, pem: &[u8]) -> Self {
        let mut store = (*self.0).clone();
        store.add_parsable_certificates(CertificateDer::pem_slice_iter(pem).flatten());
        Self(Arc::new(store))
    }
}

/// The certificates of a PEM file.
#[must_use]
pub fn certificates(pem: &[u8]) -> Known<Vec<Certificate>> {
    let parsed: Vec<_> =
        CertificateDer::pem_slice_iter(pem).flatten().filter_map(|der| certificate(&der)).collect();
    if parsed.is_empty() {
        Known::Unread("there is no certificate in it".to_owned())
    } else {
        Known::Is(parsed)
    }
}

/// The public half of the private key in a PEM file.
#[must_use]
pub fn key(pem: &[u8]) -> Known<CertificateKey> {
    let unread = |why: &dyn core::fmt::Display| Known::Unread(format!("its private key: {why}"));
    let der = match PrivateKeyDer::from_pem_slice(pem) {
        Ok(der) => der,
        Err(error) => return unread(&error),
    };
    let signer = match rustls::crypto::ring::sign::any_supported_type(&der) {
        Ok(signer) => signer,
        Err(error) => return unread(&error),
    };
    match signer.public_key().map(|spki| public_key(&spki)) {
        Some(Some(key)) => Known::Is(key),
        _ => unread(&"of a kind that is not known here"),
    }
}

fn public_key(der: &[u8]) -> Option<CertificateKey> {
    let (_, spki) = SubjectPublicKeyInfo::from_der(der).ok()?;
    Some(key_of(&spki, der))
}

/// What a certificate says; nothing if it is none.
pub(super) fn certificate(der: &[u8]) -> Option<Certificate> {
    let (_, parsed) = X509Certificate::from_der(der).ok()?;
    let (_, issuer_url) = extensions(&parsed, issuer_url).next().unzip();
    Some(Certificate {
        subject: parsed.subject().to_string(),
        common_name: common_name(parsed.subject()),
        issuer: parsed.issuer().to_string(),
        serial: hex(parsed.raw_serial()),
        names: extensions(&parsed, names).next().map(|(_, names)| names).unwrap_or_default(),
        not_before: parsed.validity().not_before.timestamp(),
        not_after: parsed.validity().not_after.timestamp(),
        key: key_of(parsed.public_key(), parsed.public_key().raw),
        signature: algorithm(&parsed.signature_algorithm.algorithm.to_id_string()),
        usages: extensions(&parsed, usages).next().map(|(_, usages)| usages).unwrap_or_default(),
        authority: parsed.is_ca(),
        self_signed: parsed.subject().as_raw() == parsed.issuer().as_raw(),
        must_staple: parsed.extensions().iter().any(|extension| extension.oid.to_id_string() == MUST_STAPLE),
        issuer_url,
        sha256: sha256(der),
    })
}

const MUST_STAPLE: &str = "1.3.6.1.5.5.7.1.24";
const CA_ISSUERS: &str = "1.3.6.1.5.5.7.48.2";

/// What is found in the extensions, with a mark that it was.
fn extensions<'a, T>(
    certificate: &'a X509Certificate<'_>,
    find: impl Fn(&ParsedExtension<'_>) -> Option<T> + 'a,
) -> impl Iterator<Item = ((), T)> + 'a {
    certificate
        .extensions()
        .iter()
        .filter_map(move |extension| Some(((), find(extension.parsed_extension())?)))
}

fn names(extension: &ParsedExtension<'_>) -> Option<Vec<String>> {
    let ParsedExtension::SubjectAlternativeName(names) = extension else { return None };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => address(bytes),
        _ => None,
    };
    Some(names.general_names.iter().filter_map(name).collect())
}

fn address(bytes: &[u8]) -> Option<String> {
    let v4 = <[u8; 4]>::try_from(bytes).map(|bytes| std::net::Ipv4Addr::from(bytes).to_string());
    let v6 = <[u8; 16]>::try_from(bytes).map(|bytes| std::net::Ipv6Addr::from(bytes).to_string());
    v4.or(v6).ok()
}

fn usages(extension: &ParsedExtension<'_>) -> Option<Vec<String>> {
    let ParsedExtension::ExtendedKeyUsage(usage) = extension else { return None };
    let named = [
        (usage.any, "any"),
        (usage.server_auth, "serverAuth"),
        (usage.client_auth, "clientAuth"),
        (usage.email_protection, "emailProtection"),
        (usage.code_signing, "codeSigning"),
        (usage.ocsp_signing, "OCSPSigning"),
    ];
    let named = named.iter().filter(|(is, _)| *is).map(|(_, name)| (*name).to_owned());
    Some(named.chain(usage.other.iter().map(x509_parser::asn1_rs::Oid::to_id_string)).collect())
}

fn issuer_url(extension: &ParsedExtension<'_>) -> Option<String> {
    let ParsedExtension::AuthorityInfoAccess(access) = extension else { return None };
    access.accessdescs.iter().find_map(|description| match &description.access_location {
        GeneralName::URI(url) if description.access_method.to_id_string() == CA_ISSUERS => {
            Some((*url).to_owned())
        }
        _ => None,
    })
}

fn common_name(name: &X509Name<'_>) -> String {
    name.iter_common_name().filter_map(|part| part.as_str().ok()).next().unwrap_or_default().to_owned()
}

fn key_of(spki: &SubjectPublicKeyInfo<'_>, der: &[u8]) -> CertificateKey {
    let kind = spki.algorithm.algorithm.to_id_string();
    let curve =
        spki.algorithm.parameters.as_ref().and_then(|any| any.as_oid().ok()).map(|oid| oid.to_id_string());
    let (curve, curve_bits) = curve.as_deref().map(curve_name).unwrap_or_default();
    let bits = match spki.parsed() {
        Ok(PublicKey::RSA(key)) => bits(key.modulus),
        Ok(PublicKey::DSA(_)) => dsa_bits(spki).unwrap_or(0),
        _ => curve_bits,
    };
    let (kind, bits) = match kind.as_str() {
        "1.2.840.113549.1.1.1" | "1.2.840.113549.1.1.10" => ("RSA", bits),
        "1.2.840.10045.2.1" => ("EC", bits),
        "1.2.840.10040.4.1" => ("DSA", bits),
        "1.3.101.112" => ("Ed25519", 256),
        "1.3.101.113" => ("Ed448", 448),
        other => (other, bits),
    };
    let flaw = match spki.parsed() {
        Ok(PublicKey::RSA(key)) => Known::Is(flaw::of_rsa(key.modulus, key.exponent)),
        _ => Known::Is(None),
    };
    CertificateKey { kind: kind.to_owned(), bits, curve, spki_sha256: sha256(der), flaw }
}

/// A DSA key is as long as the prime among its parameters (RFC 3279 2.3.2).
fn dsa_bits(spki: &SubjectPublicKeyInfo<'_>) -> Option<u32> {
    let (_, prime) = der(&mut Cursor(spki.algorithm.parameters.as_ref()?.data))?;
    Some(bits(prime))
}

/// The bits of a number.
pub(super) fn bits(number: &[u8]) -> u32 {
    let mut digits = number.iter().skip_while(|byte| **byte == 0);
    let first = digits.next().map_or(0, |first| 8 - first.leading_zeros());
    first + 8 * u32::try_from(digits.count()).unwrap_or(u32::MAX / 16)
}

fn curve_name(oid: &str) -> (String, u32) {
    let (name, bits) = match oid {
        "1.2.840.10045.3.1.1" => ("P-192", 192),
        "1.3.132.0.33" => ("P-224", 224),
        "1.2.840.10045.3.1.7" => ("P-256", 256),
        "1.3.132.0.10" => ("secp256k1", 256),
        "1.3.132.0.34" => ("P-384", 384),
        "1.3.132.0.35" => ("P-521", 521),
        "1.3.36.3.3.2.8.1.1.7" => ("brainpoolP256r1", 256),
        "1.3.36.3.3.2.8.1.1.11" => ("brainpoolP384r1", 384),
        "1.3.36.3.3.2.8.1.1.13" => ("brainpoolP512r1", 512),
        other => (other, 0),
    };
    (name.to_owned(), bits)
}

fn algorithm(oid: &str) -> String {
    match oid {
        "1.2.840.113549.1.1.2" => "md2WithRSAEncryption",
        "1.2.840.113549.1.1.4" => "md5WithRSAEncryption",
        "1.2.840.113549.1.1.5" => "sha1WithRSAEncryption",
        "1.2.840.113549.1.1.10" => "rsassaPss",
        "1.2.840.113549.1.1.11" => "sha256WithRSAEncryption",
        "1.2.840.113549.1.1.12" => "sha384WithRSAEncryption",
        "1.2.840.113549.1.1.13" => "sha512WithRSAEncryption",
        "1.2.840.113549.1.1.14" => "sha224WithRSAEncryption",
        "1.2.840.10040.4.3" => "dsa-with-SHA1",
        "2.16.840.1.101.3.4.3.2" => "dsa-with-SHA256",
        "1.2.840.10045.4.1" => "ecdsa-with-SHA1",
        "1.2.840.10045.4.3.1" => "ecdsa-with-SHA224",
        "1.2.840.10045.4.3.2" => "ecdsa-with-SHA256",
        "1.2.840.10045.4.3.3" => "ecdsa-with-SHA384",
        "1.2.840.10045.4.3.4" => "ecdsa-with-SHA512",
        "1.3.101.112" => "Ed25519",
        "1.3.101.113" => "Ed448",
        other => other,
    }
    .to_owned()
}

/// The modulus and the exponent of a certificate's RSA key.
pub(super) fn rsa_key(der: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    match certificate.public_key().parsed().ok()? {
        PublicKey::RSA(key) => Some((key.modulus.to_vec(), key.exponent.to_vec())),
        _ => None,
    }
}

/// Where a chain leads. An expired certificate is judged as of the middle of its life, so that its age does not hide the rest.
pub(super) fn trust(chain: &[Vec<u8>], now: Duration, roots: &Roots) -> Known<Trust> {
    let ders: Vec<_> = chain.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
    let Some((leaf, others)) = ders.split_first() else { return Known::Absent };
    if roots.0.is_empty() {
        return Known::Unread("this system has no store of trusted roots".to_owned());
    }
    let judged = ParsedCertificate::try_from(leaf).and_then(|parsed| {
        let provider = default_provider();
        let algorithms = provider.signature_verification_algorithms.all;
        let at = UnixTime::since_unix_epoch(within_life(leaf, now));
        verify_server_cert_signed_by_trust_anchor(&parsed, &roots.0, others, at, algorithms)
    });
    Known::Is(match judged {
        Ok(()) => Trust { trusted: true, reason: String::new() },
        Err(rustls::Error::InvalidCertificate(error)) => Trust { trusted: false, reason: reason(&error) },
        Err(error) => Trust { trusted: false, reason: error.to_string() },
    })
}

fn reason(error: &rustls::CertificateError) -> String {
    match error {
        rustls::CertificateError::UnknownIssuer => {
            "no trusted root signed it, nor anything that was sent with it".to_owned()
        }
        other => other.to_string(),
    }
}

fn within_life(leaf: &[u8], now: Duration) -> Duration {
    let Some(parsed) = certificate(leaf) else { return now };
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let at = if (parsed.not_before..=parsed.not_after).contains(&now) {
        now
    } else {
        parsed.not_before.saturating_add(parsed.life() / 2)
    };
    Duration::from_secs(u64::try_from(at).unwrap_or(0))
}

/// What a stapled OCSP answer says of the first certificate in it (RFC 6960 4.2.1).
pub(super) fn ocsp_status(response: &[u8]) -> Option<&'static str> {
    let (_, response) = der(&mut Cursor(response))?;
    let mut response = Cursor(response);
    der(&mut response)?;
    let (_, bytes) = der(&mut response)?;
    let (_, typed) = der(&mut Cursor(bytes))?;
    let mut typed = Cursor(typed);
    der(&mut typed)?;
    let (_, basic) = der(&mut typed)?;
    let (_, basic) = der(&mut Cursor(basic))?;
    let (_, data) = der(&mut Cursor(basic))?;
    let mut data = Cursor(data);
    // A version, if it is not the first, and the responder come before the time and the list.
    let singles = std::iter::from_fn(|| der(&mut data)).find(|(tag, _)| *tag == 0x30)?.1;
    let (_, single) = der(&mut Cursor(singles))?;
    let mut single = Cursor(single);
    der(&mut single)?;
    match der(&mut single)?.0 {
        0x80 => Some("good"),
        0xa1 => Some("revoked"),
        0x82 => Some("unknown"),
        _ => None,
    }
}

/// The next element of DER: its tag and its content.
fn der<'a>(rest: &mut Cursor<'a>) -> Option<(u8, &'a [u8])> {
    let tag = rest.u8()?;
    let length = match rest.u8()? {
        short @ 0..=0x7f => usize::from(short),
        long @ 0x81..=0x84 => rest.number(usize::from(long & 0x7f))?,
        _ => return None,
    };
    Some((tag, rest.take(length)?))
}

/// SHA-256, hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        // Writing to a String does not fail.
        _ = write!(out, "{byte:02x}");
        out
    })
}
