//! Messages as mail, by any SMTP server.

use std::path::PathBuf;
use std::time::Duration;

use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, SmtpTransport, Transport};

use crate::{Message, SendError, secret};

/// Mail to people, by an SMTP server. This host's own is one like any other: what it does not take waits here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// To whom.
    pub to: Vec<String>,
    /// From whom; none is `mailward@` this host.
    pub from: Option<String>,
    /// The server's name or address.
    pub server: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub security: Security,
    /// The name to log in with, and the file of the password.
    pub login: Option<(String, PathBuf)>,
}

/// How a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// Not at all: only for this host itself.
    None,
    /// By STARTTLS; a server without it gets nothing.
    StartTls,
    /// From the first byte.
    Tls,
}

const PATIENCE: Duration = Duration::from_secs(30);

/// Hands a message to the mail server.
pub(crate) fn send(mail: &Mail, message: &Message, host: &str) -> Result<(), SendError> {
    let written = write(mail, message, host)?;
    let place = format!("{}:{}", mail.server, mail.port);
    let wrong = |why: String| SendError::Mail { server: place.clone(), why };
    let mut transport = SmtpTransport::builder_dangerous(&mail.server)
        .port(mail.port)
        .timeout(Some(PATIENCE))
        .tls(tls(&mail.server, mail.security).map_err(|error| wrong(error.to_string()))?)
        .hello_name(ClientId::Domain(host.to_owned()));
    let mut password = String::new();
    if let Some((name, file)) = &mail.login {
        password = secret::read(file)?;
        transport = transport.credentials(Credentials::new(name.clone(), password.clone()));
    }
    match transport.build().send(&written) {
        Ok(_) => Ok(()),
        Err(error) => Err(wrong(secret::without(&password, &with_causes(&error)))),
    }
}

fn tls(server: &str, security: Security) -> Result<Tls, lettre::transport::smtp::Error> {
    Ok(match security {
        Security::None => Tls::None,
        Security::StartTls => Tls::Required(TlsParameters::new(server.to_owned())?),
        Security::Tls => Tls::Wrapper(TlsParameters::new(server.to_owned())?),
    })
}

/// The mail with its headers.
fn write(mail: &Mail, message: &Message, host: &str) -> Result<lettre::Message, SendError> {
    let from = mail.from.clone().unwrap_or_else(|| format!("mailward@{host}"));
    let mut builder = lettre::Message::builder()
        .from(Mailbox::new(Some("Mailward".into()), address(&from)?))
        .subject(&message.subject)
        // The same for each try: who got it, and could not say so, gets it once.
        .message_id(Some(format!("<{}.mailward@{host}>", message.id)))
        .header(AutoSubmitted);
    for to in &mail.to {
        builder = builder.to(Mailbox::new(None, address(to)?));
    }
    let plain = SinglePart::plain(message.text.clone());
    let written = match &message.html {
        None => builder.singlepart(plain),
        Some(html) => builder
            .multipart(MultiPart::alternative().singlepart(plain).singlepart(SinglePart::html(html.clone()))),
    };
    written.map_err(|error| SendError::Setting(format!("no mail can be made: {error}")))
}

fn address(text: &str) -> Result<Address, SendError> {
    text.parse().map_err(|error| SendError::Setting(format!("\"{text}\" is no mail address: {error}")))
}

/// RFC 3834 section 5: no vacation message answers an alert.
#[derive(Clone)]
struct AutoSubmitted;

impl lettre::message::header::Header for AutoSubmitted {
    fn name() -> lettre::message::header::HeaderName {
        lettre::message::header::HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> lettre::message::header::HeaderValue {
        lettre::message::header::HeaderValue::new(Self::name(), "auto-generated".into())
    }
}

/// What an error says, with what caused it.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}
