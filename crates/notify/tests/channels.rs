//! Channels with real peers: Postfix's own mail sink, an HTTP server, a program.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr
)]

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use mailward_notify::{Channel, Mail, Message, Security, Service, Web};
use mailward_report::Severity;
use serde_json::Value;

const HOST: &str = "mx.example.org";
const PATIENCE: Duration = Duration::from_secs(30);

/// What an attacker could have got into an alert: the end of a mail, headers, markup, escapes of a terminal.
fn message() -> Message {
    Message {
        id: "1795305600000000.7.1".into(),
        severity: Severity::High,
        subject: "[mx.example.org] High: \"quoted\" \\ {text} é <b>&amp;".into(),
        text: "line one\n.\nBcc: everybody@example.net\n{subject} *bold* `code` [x](https://example.net) <script>\n".into(),
        html: None,
    }
}

/// A server that takes one request, and answers it with a status.
fn server(status: &'static str) -> (SocketAddr, Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap();
    let (sender, received) = channel();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (head, body) = request(&mut stream);
        let answer = "no: the token is s3cret-token";
        let length = answer.len();
        write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{answer}")
            .unwrap();
        let _ = sender.send((head, serde_json::from_slice(&body).unwrap()));
    });
    (place, received)
}

fn request(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let size = stream.read(&mut buffer).unwrap();
        bytes.extend_from_slice(&buffer[..size]);
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let length = head
                .lines()
                .find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
            let length: usize = length.unwrap().parse().unwrap();
            if bytes.len() >= end + 4 + length {
                return (head, bytes[end + 4..].to_vec());
            }
        }
        assert!(size > 0, "it ended early");
    }
}

fn secret(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("secret");
    fs::write(&path, format!("{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

/// Sends the message, and gives back the first line of the request with what was sent.
fn sent(make: impl Fn(&str, &Path) -> Web) -> (String, Value) {
    let folder = tempfile::tempdir().unwrap();
    let (place, received) = server("200 OK");
    let web = make(&format!("http://{place}"), folder.path());
    Channel::Web(web).send(&message(), HOST).unwrap();
    received.recv_timeout(PATIENCE).unwrap()
}

fn web(service: Service, url: Option<&str>, secret: Option<PathBuf>, to: &str) -> Web {
    Web { service, url: url.map(str::to_owned), secret, to: to.into(), template: None }
}

#[test]
fn each_service_gets_the_json_that_it_takes_and_text_stays_text() {
    let Message { subject, text, .. } = message();
    let both = format!("{subject}\n\n{text}");

    let (head, body) = sent(|url, folder| {
        web(Service::Ntfy, Some(url), Some(secret(folder, "s3cret-token")), "mail-alerts")
    });
    assert!(head.starts_with("POST / HTTP/1.1\r\n"), "{head}");
    assert!(head.to_lowercase().contains("authorization: bearer s3cret-token"), "{head}");
    assert_eq!((&body["topic"], &body["priority"]), (&"mail-alerts".into(), &4.into()));
    assert_eq!((&body["title"], &body["message"]), (&subject.as_str().into(), &text.as_str().into()));

    let (head, body) =
        sent(|url, folder| web(Service::Gotify, Some(url), Some(secret(folder, "s3cret-token")), ""));
    assert!(head.starts_with("POST /message "), "{head}");
    assert!(head.to_lowercase().contains("x-gotify-key: s3cret-token"), "{head}");
    assert_eq!((&body["title"], &body["priority"]), (&subject.as_str().into(), &8.into()));

    let (head, body) =
        sent(|url, folder| web(Service::Matrix, Some(url), Some(secret(folder, "t")), "!room:example.org"));
    let path = "PUT /_matrix/client/v3/rooms/%21room%3Aexample.org/send/m.room.message/1795305600000000.7.1 ";
    assert!(head.starts_with(path), "{head}");
    assert_eq!((&body["msgtype"], &body["body"]), (&"m.text".into(), &both.as_str().into()));

    let (head, body) =
        sent(|url, folder| web(Service::Telegram, Some(url), Some(secret(folder, "12:ab")), "-100"));
    assert!(head.starts_with("POST /bot12:ab/sendMessage "), "{head}");
    assert_eq!((&body["chat_id"], &body["text"]), (&"-100".into(), &both.as_str().into()));
    assert!(body.get("parse_mode").is_none());

    let hook = |service| {
        move |url: &str, folder: &Path| web(service, None, Some(secret(folder, &format!("{url}/hook/x"))), "")
    };
    let (head, body) = sent(hook(Service::Slack));
    assert!(head.starts_with("POST /hook/x "), "{head}");
    let said = body["text"].as_str().unwrap();
    assert!(
        said.contains("&lt;script&gt;") && said.contains("&amp;amp;") && !said.contains("<script>"),
        "{said}"
    );
    assert!(said.starts_with("```") && said.ends_with("```"));

    let (_, body) = sent(hook(Service::Teams));
    let card = body["attachments"][0]["content"]["body"].to_string();
    assert!(card.contains(r"\\*bold\\*") && card.contains(r"\\[x\\]\\(https://"), "{card}");

    let template = r#"{ "msg": {text}, "nested": { "title": {subject} }, "level": {severity} }"#;
    let (_, body) =
        sent(|url, _| Web { template: Some(template.into()), ..web(Service::Webhook, Some(url), None, "") });
    assert_eq!(
        (&body["msg"], &body["nested"]["title"], &body["level"]),
        (&text.as_str().into(), &subject.as_str().into(), &"high".into())
    );
}

#[test]
fn a_refusal_says_why_without_the_secret() {
    for status in ["401 Unauthorized", "500 Oops", "302 Found"] {
        let folder = tempfile::tempdir().unwrap();
        let (place, _received) = server(status);
        let token = secret(folder.path(), "s3cret-token");
        let web = web(Service::Gotify, Some(&format!("http://{place}")), Some(token), "");
        let why = Channel::Web(web).send(&message(), HOST).unwrap_err().to_string();
        let code = status.split(' ').next().unwrap();
        assert!(
            why.contains(&format!("HTTP {code}: no: the token is …")) && !why.contains("s3cret"),
            "{why}"
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let nobody = web(Service::Slack, None, Some(secret(folder.path(), "http://127.0.0.1:1/hook/s3cret")), "");
    let why = Channel::Web(nobody).send(&message(), HOST).unwrap_err().to_string();
    assert!(why.contains("127.0.0.1") && !why.contains("s3cret"), "{why}");
}

#[test]
fn a_secret_that_others_may_read_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let path = secret(folder.path(), "s3cret-token");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let open = web(Service::Gotify, Some("http://127.0.0.1:1"), Some(path), "");
    let why = Channel::Web(open).send(&message(), HOST).unwrap_err().to_string();
    assert!(why.contains("mode 640") && why.contains("chmod 600"), "{why}");
}

#[test]
fn a_program_gets_subject_and_text_and_its_failure_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("told");
    let words = |words: &[&str]| Channel::Command(words.iter().map(|word| (*word).to_owned()).collect());
    words(&["/usr/bin/tee", file.to_str().unwrap()]).send(&message(), HOST).unwrap();
    let Message { subject, text, .. } = message();
    assert_eq!(fs::read_to_string(&file).unwrap(), format!("{subject}\n\n{text}"));
    let failed = words(&["/usr/bin/tee", "/nowhere/told"]).send(&message(), HOST).unwrap_err().to_string();
    assert!(
        failed.contains("/usr/bin/tee ended with exit status: 1") && failed.contains("/nowhere"),
        "{failed}"
    );
    assert!(words(&["tee"]).send(&message(), HOST).unwrap_err().to_string().contains("absolute path"));
}

/// Postfix's smtp-sink(1), which keeps each mail in a file.
struct Sink {
    child: Child,
    folder: tempfile::TempDir,
    port: u16,
}

impl Sink {
    fn start() -> Option<Self> {
        let program = "/usr/sbin/smtp-sink";
        if !Path::new(program).exists() {
            eprintln!("SKIPPED: {program} is not here (apt install postfix)");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        // Free a moment ago; nobody else is given it so soon.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if is_root() {
            // It refuses to take mail as root.
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        }
        let child = Command::new(program)
            .current_dir(folder.path())
            .args(if is_root() { vec!["-u", "nobody"] } else { Vec::new() })
            .args(["-d", "mail.", &format!("127.0.0.1:{port}"), "10"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "smtp-sink does not listen");
        }
        Some(Self { child, folder, port })
    }

    fn mail(&self) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let files = fs::read_dir(self.folder.path()).unwrap().map(|file| file.unwrap().path());
            let texts: Vec<String> = files.map(|file| fs::read_to_string(file).unwrap()).collect();
            if let Some(text) = texts.iter().find(|text| text.contains("Subject:")) {
                return text.clone();
            }
            assert!(Instant::now() < deadline, "no mail: {texts:?}");
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_root() -> bool {
    mailward_host::user::is_root()
}

fn by_smtp(port: u16) -> Mail {
    let to = vec!["admin@example.org".into(), "second@example.net".into()];
    Mail { to, from: None, server: "127.0.0.1".into(), port, security: Security::None, login: None }
}

#[test]
fn a_mail_server_gets_a_mail_in_which_nothing_is_a_header_that_should_be_text() {
    let Some(sink) = Sink::start() else { return };
    let html = Some("<p>é <b>bold</b></p>".to_owned());
    Channel::Mail(by_smtp(sink.port)).send(&Message { html, ..message() }, HOST).unwrap();
    let mail = sink.mail();
    let (head, body) = mail.split_once("\n\n").unwrap();
    for header in [
        "X-Mail-Args: <mailward@mx.example.org>",
        "X-Rcpt-Args: <admin@example.org>",
        "X-Rcpt-Args: <second@example.net>",
        "Message-ID: <1795305600000000.7.1.mailward@mx.example.org>",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
    ] {
        assert!(head.contains(header), "{header} in {head}");
    }
    assert!(!head.contains("Bcc") && !head.contains("é"), "{head}");
    assert!(body.contains("text/plain") && body.contains("text/html"), "{body}");
}

#[test]
fn a_mail_server_that_is_not_there_is_told_and_a_password_needs_encryption() {
    let why = Channel::Mail(by_smtp(1)).send(&message(), HOST).unwrap_err().to_string();
    assert!(why.contains("127.0.0.1:1 did not take the mail"), "{why}");
    let Some(sink) = Sink::start() else { return };
    let why = Channel::Mail(Mail { security: Security::StartTls, ..by_smtp(sink.port) })
        .send(&message(), HOST)
        .unwrap_err()
        .to_string();
    assert!(why.to_lowercase().contains("tls"), "{why}");
    let wrong = Mail { to: vec!["no address".into()], ..by_smtp(sink.port) };
    assert!(Channel::Mail(wrong).send(&message(), HOST).unwrap_err().to_string().contains("no mail address"));
}
