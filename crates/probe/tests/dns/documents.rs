//! Policies by HTTPS, from a server of our own with certificates of our own authority.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mailward_audit::Known;
use mailward_audit::facts::Fetched;
use mailward_probe::dns::Fetch;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

const HOST: &str = "mta-sts.example.org";
const URL: &str = "https://mta-sts.example.org/.well-known/mta-sts.txt";

fn openssl(directory: &Path, arguments: &str) -> Option<()> {
    let output =
        Command::new("/usr/bin/openssl").args(arguments.split(' ')).current_dir(directory).output().ok()?;
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    Some(())
}

/// An authority, and a certificate of it for a name.
struct Issued {
    root: CertificateDer<'static>,
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

fn issue(name: &str) -> Option<Issued> {
    let directory = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let at = directory.path();
    std::fs::write(at.join("ext"), format!("subjectAltName=DNS:{name}\n"))
        .unwrap_or_else(|error| panic!("{error}"));
    openssl(
        at,
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=test",
    )?;
    openssl(
        at,
        &format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out csr.pem -subj /CN={name}"
        ),
    )?;
    openssl(
        at,
        "x509 -req -in csr.pem -CA ca.pem -CAkey ca.key -CAcreateserial -out cert.pem -days 2 -extfile ext",
    )?;
    let certificate =
        |file: &str| CertificateDer::from_pem_file(at.join(file)).unwrap_or_else(|error| panic!("{error}"));
    let key = PrivateKeyDer::from_pem_file(at.join("key.pem")).unwrap_or_else(|error| panic!("{error}"));
    Some(Issued { root: certificate("ca.pem"), certificate: certificate("cert.pem"), key })
}

/// Serves one connection with an answer.
fn serve(issued: &Issued, answer: &'static str) -> SocketAddr {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap_or_else(|error| panic!("{error}"))
        .with_no_client_auth()
        .with_single_cert(vec![issued.certificate.clone()], issued.key.clone_key())
        .unwrap_or_else(|error| panic!("{error}"));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap_or_else(|error| panic!("{error}"));
    let address = listener.local_addr().unwrap_or_else(|error| panic!("{error}"));
    std::thread::spawn(move || {
        let Ok((socket, _)) = listener.accept() else { return };
        let Ok(connection) = ServerConnection::new(Arc::new(config)) else { return };
        let mut stream = StreamOwned::new(connection, socket);
        let mut request = [0; 4096];
        // A client that refuses the certificate ends the conversation; that is its answer.
        if let Ok(length) = stream.read(&mut request) {
            let text = String::from_utf8_lossy(&request[..length]).into_owned();
            assert!(
                text.starts_with("GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: mta-sts.example.org\r\n"),
                "{text}"
            );
            let _ = stream.write_all(answer.as_bytes());
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    });
    address
}

fn get(fetch: &Fetch) -> Known<Fetched> {
    let nowhere = |_: &str| -> Vec<IpAddr> { Vec::new() };
    fetch.get(URL, &nowhere, Instant::now() + Duration::from_secs(10))
}

fn fetched(answer: &'static str) -> Option<Fetched> {
    let issued = issue(HOST)?;
    let address = serve(&issued, answer);
    let fetch = Fetch { instead: [(HOST.to_owned(), address)].into(), roots: vec![issued.root.to_vec()] };
    match get(&fetch) {
        Known::Is(fetched) => Some(fetched),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_policy_is_fetched() {
    let Some(found) =
        fetched("HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nversion: STSv1\r\n")
    else {
        eprintln!("SKIPPED: openssl is not installed");
        return;
    };
    assert_eq!((found.status, found.body.as_str()), (200, "version: STSv1\r\n"));
    assert_eq!(found.content_type, "text/plain; charset=utf-8");
    assert_eq!((found.certificate, found.failure, found.redirect), (String::new(), String::new(), None));
}

#[test]
fn chunks_are_put_together() {
    let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nversion: \r\n6;x=y\r\nSTSv1\n\r\n0\r\n\r\n";
    let Some(found) = fetched(answer) else { return };
    assert_eq!(found.body, "version: STSv1\n");
}

#[test]
fn redirects_are_told_and_not_followed() {
    let Some(found) = fetched("HTTP/1.1 301 Moved\r\nLocation: https://www.example.org/\r\n\r\n") else {
        return;
    };
    assert_eq!((found.status, found.redirect.as_deref()), (301, Some("https://www.example.org/")));
}

#[test]
fn what_is_no_http_is_told() {
    let Some(found) = fetched("220 mail.example.org ESMTP\r\n\r\n") else { return };
    assert_eq!(found.failure, "the answer is no HTTP");
}

#[test]
fn a_certificate_for_another_name_is_told() {
    let Some(issued) = issue("www.example.org") else { return };
    let address = serve(&issued, "");
    let fetch = Fetch { instead: [(HOST.to_owned(), address)].into(), roots: vec![issued.root.to_vec()] };
    let Known::Is(found) = get(&fetch) else { panic!("not fetched") };
    assert!(found.certificate.contains("not valid for name"), "{found:?}");
}

#[test]
fn an_unknown_authority_is_told() {
    let Some(issued) = issue(HOST) else { return };
    let address = serve(&issued, "");
    let fetch = Fetch { instead: [(HOST.to_owned(), address)].into(), roots: Vec::new() };
    let Known::Is(found) = get(&fetch) else { panic!("not fetched") };
    assert!(found.certificate.contains("UnknownIssuer"), "{found:?}");
}

#[test]
fn a_closed_port_is_the_servers_fault() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap_or_else(|error| panic!("{error}"));
    let address = listener.local_addr().unwrap_or_else(|error| panic!("{error}"));
    drop(listener);
    let fetch = Fetch { instead: [(HOST.to_owned(), address)].into(), roots: Vec::new() };
    let Known::Is(found) = get(&fetch) else { panic!("not fetched") };
    assert!(found.failure.contains("refused"), "{found:?}");
}

#[test]
fn a_name_without_an_address_is_not_fetched() {
    assert!(matches!(get(&Fetch::default()), Known::Unread(why) if why.contains("has no address")));
}
