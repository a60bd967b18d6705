//! Messages to web services, each in the JSON that it takes; text stays text in each of them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mailward_report::Severity;
use serde_json::{Value, json};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::{Message, SendError, secret};

/// A web service that takes messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Web {
    /// Which one.
    pub service: Service,
    /// Its address; for Slack and Teams the secret is the address.
    pub url: Option<String>,
    /// The file of its token, or of its whole address.
    pub secret: Option<PathBuf>,
    /// The topic, room or chat there.
    pub to: String,
    /// The JSON for [`Service::Webhook`], with `{subject}`, `{text}`, `{severity}` where JSON strings belong.
    pub template: Option<String>,
}

/// Services whose JSON is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// ntfy: <https://docs.ntfy.sh/publish/#publish-as-json>.
    Ntfy,
    /// Gotify: <https://gotify.net/docs/pushmsg>.
    Gotify,
    /// Matrix: client-server API v3, `PUT …/rooms/{room}/send/m.room.message/{txn}`.
    Matrix,
    /// Slack's incoming webhooks, and whoever takes the same (Mattermost, Rocket.Chat).
    Slack,
    /// Telegram's Bot API, `sendMessage`.
    Telegram,
    /// Microsoft Teams' workflow webhooks: an Adaptive Card.
    Teams,
    /// Anything else, with a template.
    Webhook,
}

/// A request as it is to be made.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) put: bool,
    pub(crate) url: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Value,
}

/// What a service shows of a text; Telegram takes 4,096 characters, the others more.
const LONGEST: usize = 3_500;
const PATIENCE: Duration = Duration::from_secs(20);
/// Without a template.
const TEMPLATE: &str = r#"{"subject": {subject}, "text": {text}, "severity": {severity}}"#;

/// Sends a message.
pub(crate) fn send(web: &Web, message: &Message) -> Result<(), SendError> {
    let secret = web.secret.as_deref().map(secret::read).transpose()?.unwrap_or_default();
    let request = request(web, message, &secret)?;
    let uri: ureq::http::Uri =
        request.url.parse().map_err(|_| SendError::Setting("the service's url is no address".into()))?;
    let host = uri.host().unwrap_or_default().to_owned();
    let wrong = |why: &str| SendError::Web { host: host.clone(), why: secret::without(&secret, why) };
    let agent = agent();
    let mut post = if request.put { agent.put(uri) } else { agent.post(uri) };
    for (name, value) in &request.headers {
        post = post.header(*name, value);
    }
    let body = request.body.to_string();
    let mut answer = post
        .header("Content-Type", "application/json")
        .send(body.as_bytes())
        .map_err(|error| wrong(&error.to_string()))?;
    if answer.status().is_success() {
        return Ok(());
    }
    let said = answer.body_mut().with_config().limit(2_000).lossy_utf8(true).read_to_string();
    Err(wrong(&format!("HTTP {}: {}", answer.status().as_u16(), said.unwrap_or_default())))
}

fn agent() -> ureq::Agent {
    let roots: Vec<Certificate<'static>> = rustls_native_certs::load_native_certs()
        .certs
        .iter()
        .map(|root| Certificate::from_der(root).to_owned())
        .collect();
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&roots))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    ureq::Agent::config_builder()
        .tls_config(tls)
        .timeout_global(Some(PATIENCE))
        // A redirect would take the token to another host; an answer that is no success is read below.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .user_agent("mailward")
        .build()
        .into()
}

/// The request that a service takes.
pub(crate) fn request(web: &Web, message: &Message, secret: &str) -> Result<Request, SendError> {
    let Message { subject, text, severity, .. } = message;
    let text: String = text.chars().take(LONGEST).collect();
    let both = format!("{subject}\n\n{text}");
    let base = web.url.as_deref().unwrap_or_default().trim_end_matches('/');
    let bearer = || vec![("Authorization", format!("Bearer {secret}"))];
    let post = |url: String, headers, body| Request { put: false, url, headers, body };
    Ok(match web.service {
        Service::Ntfy => {
            let body =
                json!({ "topic": web.to, "title": subject, "message": text, "priority": urgency(*severity) });
            post(base.to_owned(), if secret.is_empty() { Vec::new() } else { bearer() }, body)
        }
        Service::Gotify => {
            let priority = u64::from(urgency(*severity)) * 2;
            let body = json!({ "title": subject, "message": text, "priority": priority });
            post(format!("{base}/message"), vec![("X-Gotify-Key", secret.to_owned())], body)
        }
        Service::Matrix => {
            let (room, id) = (encoded(&web.to), encoded(&message.id));
            let url = format!("{base}/_matrix/client/v3/rooms/{room}/send/m.room.message/{id}");
            let body = json!({ "msgtype": "m.text", "body": both });
            Request { put: true, ..post(url, bearer(), body) }
        }
        Service::Slack => {
            let body = json!({ "text": for_slack(&both) });
            post(secret.to_owned(), Vec::new(), body)
        }
        Service::Telegram => {
            let base = if base.is_empty() { "https://api.telegram.org" } else { base };
            // Without a parse_mode nothing in the text is markup.
            let body =
                json!({ "chat_id": web.to, "text": both, "link_preview_options": { "is_disabled": true } });
            post(format!("{base}/bot{secret}/sendMessage"), Vec::new(), body)
        }
        Service::Teams => post(secret.to_owned(), Vec::new(), card(subject, &text)),
        Service::Webhook => {
            let body = filled(web.template.as_deref().unwrap_or(TEMPLATE), message)?;
            post(base.to_owned(), if secret.is_empty() { Vec::new() } else { bearer() }, body)
        }
    })
}

/// A template with the message in it, if that is JSON.
pub(crate) fn filled(template: &str, message: &Message) -> Result<Value, SendError> {
    let string = |text: &str| Value::from(text).to_string();
    let mut filled = String::new();
    let mut rest = template;
    // From left to right, so that nothing is put into what was put in.
    while let Some(start) = rest.find('{') {
        let (before, from) = rest.split_at(start);
        filled.push_str(before);
        let places = [
            ("{subject}", &message.subject),
            ("{text}", &message.text),
            ("{severity}", &message.severity.name().to_owned()),
        ]
        .map(|(name, text)| (name, string(text)));
        match places.iter().find_map(|(name, text)| Some((text, from.strip_prefix(name)?))) {
            Some((text, behind)) => {
                filled.push_str(text);
                rest = behind;
            }
            None => {
                filled.push('{');
                rest = from.get(1..).unwrap_or_default();
            }
        }
    }
    filled.push_str(rest);
    serde_json::from_str(&filled).map_err(|error| {
        SendError::Setting(format!(
            "template is no JSON once it is filled in: {error}; places are {{subject}}, {{text}} and {{severity}}, without quotes around them"
        ))
    })
}

/// 1 to 5, as ntfy counts.
const fn urgency(severity: Severity) -> u8 {
    match severity {
        Severity::Info => 2,
        Severity::Low | Severity::Medium => 3,
        Severity::High => 4,
        Severity::Critical => 5,
    }
}

/// Slack's three control characters: <https://docs.slack.dev/messaging/formatting-message-text>.
fn for_slack(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    // In a block of its own nothing is markup; three backticks would end it.
    format!("```{}```", escaped.replace("```", "'''"))
}

/// An Adaptive Card; its text blocks know some Markdown, so each of its characters is escaped.
fn card(subject: &str, text: &str) -> Value {
    let block = |text: &str, size: &str| json!({ "type": "TextBlock", "text": for_markdown(text), "wrap": true, "size": size });
    let lines = text.lines().filter(|line| !line.trim().is_empty()).map(|line| block(line, "default"));
    let body: Vec<Value> = std::iter::once(block(subject, "medium")).chain(lines).collect();
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.2",
                "body": body,
            },
        }],
    })
}

fn for_markdown(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.trim_start().chars() {
        if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '(' | ')' | '#' | '!' | '<' | '>' | '~' | '|') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// RFC 3986 section 2.3: all but the unreserved is written as bytes.
fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}
