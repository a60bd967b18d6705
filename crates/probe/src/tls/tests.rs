//! Whatever a server sends, reading it ends, and what was built is what is read.

use mailward_audit::facts::{Suite, TlsVersion};
use proptest::prelude::*;

use super::certificate::{certificate, certificates, key, ocsp_status, rsa_key};
use super::hello::{Hello, SIGNATURES, put};
use super::reply::{Flight, Reply, read};

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        _ = read(&bytes);
        _ = certificate(&bytes);
        _ = rsa_key(&bytes);
        _ = ocsp_status(&bytes);
        _ = (certificates(&bytes), key(&bytes));
    }

    /// Records whose lengths are right hold messages whose lengths need not be.
    #[test]
    fn any_messages_are_read(kinds in proptest::collection::vec((0..30_u8, proptest::collection::vec(any::<u8>(), 0..80)), 0..8)) {
        let mut stream = Vec::new();
        for (kind, body) in kinds {
            let mut message = vec![kind];
            put(&mut message, 3, &body);
            stream.extend([22, 3, 3]);
            put(&mut stream, 2, &message);
        }
        _ = read(&stream);
    }

    /// However a flight is cut into pieces, nothing is concluded before its end.
    #[test]
    fn a_flight_is_read_when_it_is_whole(cut in 0..100_usize, suite in any::<u16>()) {
        let whole = flight(suite);
        let cut = cut.min(whole.len() - 1);
        prop_assert_eq!(read(&whole[..cut]), None);
        let Some(Reply::Flight(read)) = read(&whole) else { panic!("no flight") };
        prop_assert_eq!(read.suite, Some(Suite(suite)));
        prop_assert!(read.secure_renegotiation && read.asks_certificate && !read.heartbeat);
    }

    #[test]
    fn a_hello_says_its_lengths(count in 0..260_usize, name in "[a-z]{0,60}") {
        for version in TlsVersion::ALL.into_iter().skip(1) {
            let hello = Hello {
                version,
                suites: Suite::all().take(count).collect(),
                groups: Vec::new(),
                signatures: SIGNATURES,
                name: Some(name.clone()),
                fallback: true,
                compression: version < TlsVersion::Tls13,
            };
            let bytes = hello.bytes();
            let record = usize::from(u16::from_be_bytes([bytes[3], bytes[4]]));
            let message = usize::from(u16::from_be_bytes([bytes[7], bytes[8]]));
            prop_assert_eq!((record, message), (bytes.len() - 5, bytes.len() - 9));
        }
    }
}

/// ServerHello with renegotiation_info, CertificateRequest, ServerHelloDone.
fn flight(suite: u16) -> Vec<u8> {
    let mut hello = vec![3, 3];
    hello.extend([7; 32]);
    hello.push(0);
    hello.extend(suite.to_be_bytes());
    hello.extend([0, 0, 5, 0xff, 1, 0, 1, 0]);
    let mut messages = Vec::new();
    for (kind, body) in [(2, hello.as_slice()), (13, &[1, 1, 0, 0, 0, 0]), (14, &[])] {
        messages.push(kind);
        put(&mut messages, 3, body);
    }
    let mut record = vec![22, 3, 3];
    put(&mut record, 2, &messages);
    record
}

#[test]
fn what_is_not_tls_is_told() {
    let foreign = |text: &str| read(text.as_bytes());
    assert_eq!(
        foreign("220 mail.example.org ESMTP\r\n"),
        Some(Reply::Foreign("220 mail.example.org ESMTP".to_owned()))
    );
    assert_eq!(read(&[21, 3, 1, 0, 2, 2, 40]), Some(Reply::Alert(40)));
    let warned: Vec<u8> = [&[21, 3, 1, 0, 2, 1, 112][..], &flight(0xc02f)].concat();
    assert!(matches!(read(&warned), Some(Reply::Flight(flight)) if flight.suite == Some(Suite(0xc02f))));
    let ssl2 = [0x80, 11, 4, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0];
    let expected = Flight { version: Some(TlsVersion::Ssl2), ..Flight::default() };
    assert_eq!(read(&ssl2), Some(Reply::Flight(Box::new(expected))));
}
