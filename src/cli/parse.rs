//! `mailward parse`: log lines into typed events, a JSON line each.

use std::borrow::Cow;
use std::io::{BufWriter, Write};
use std::net::IpAddr;

use mailward_model::{Event, Text, Weight};
use mailward_parse::{Parser, split_lines};
use serde::Serialize;

use super::{Outcome, input};

/// Options of `parse`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    logs: input::Logs,
    /// Print only lines that are not known
    #[arg(long)]
    unknown: bool,
}

/// One line, as JSON.
#[derive(Debug, Serialize)]
struct Line<'a> {
    n: u64,
    time: String,
    host: Option<Cow<'a, str>>,
    program: &'static str,
    service: Option<Cow<'a, str>>,
    event: &'static str,
    offence: Option<&'static str>,
    address: Option<IpAddr>,
    user: Option<Cow<'a, str>>,
    #[serde(flatten)]
    rest: Rest<'a>,
}

/// What not every line has; it is left out where there is none.
#[derive(Debug, Default, Serialize)]
#[serde(default)]
struct Rest<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "is_zero")]
    pid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue_id: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_name: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "is_zero")]
    client_port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    relay: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    relay_address: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sender: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    helo: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<&'static str>,
    #[serde(skip_serializing_if = "is_zero")]
    reply_code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    dsn: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_protocol: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_cipher: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_digits: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "is_one")]
    count: u32,
    #[serde(skip_serializing_if = "is_one")]
    repeated: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "is_zero")]
    size: u64,
    #[serde(skip_serializing_if = "is_zero")]
    recipients: u32,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let mut out = BufWriter::with_capacity(1 << 18, std::io::stdout().lock());
    let mut n = 0;
    for path in &args.logs.files {
        let mut parser = Parser::new(args.logs.context(path)?);
        input::each_block(path, |block| {
            for line in split_lines(block) {
                n += 1;
                let event = parser.parse(line);
                if args.unknown && event.kind != mailward_model::EventKind::Unknown {
                    continue;
                }
                crate::json::to_writer(&mut out, &document(n, &event))?;
                out.write_all(b"\n")?;
            }
            Ok(())
        })?;
    }
    out.flush()?;
    Ok(Outcome::Fine)
}

fn document<'a>(n: u64, event: &Event<'a>) -> Line<'a> {
    let judged = mailward_detect::judge(event);
    Line {
        n,
        time: event.time.to_string(),
        host: text(event.host),
        program: event.program.name(),
        service: text(event.service),
        event: event.kind.name(),
        offence: judged.map(|(kind, _)| kind.name()),
        address: event.address(),
        user: text(event.user),
        rest: rest(event, judged.map(|(_, weight)| weight)),
    }
}

fn rest<'a>(event: &Event<'a>, weight: Option<Weight>) -> Rest<'a> {
    use mailward_model::{Reason, Stage};
    Rest {
        weight: weight.map(Weight::name),
        tag: text(event.tag),
        pid: event.pid,
        reason: (event.reason != Reason::None).then(|| event.reason.name()),
        detail: text(event.detail),
        queue_id: text(event.queue_id),
        session_id: text(event.session_id),
        client_name: event.client.and_then(|client| text(client.name)),
        client_port: event.client.map_or(0, |client| client.port),
        relay: text(event.relay),
        relay_address: event.relay_address,
        method: text(event.method),
        sender: event.sender_given.then(|| event.sender.lossy()),
        recipient: text(event.recipient),
        helo: text(event.helo),
        protocol: text(event.protocol),
        stage: (event.stage != Stage::None).then(|| event.stage.name()),
        reply_code: event.reply_code,
        dsn: text(event.dsn),
        tls_protocol: event.tls.and_then(|tls| text(tls.protocol)),
        tls_cipher: event.tls.and_then(|tls| text(tls.cipher)),
        password_digits: text(event.password_digits),
        count: event.count,
        repeated: event.repeated,
        message_id: text(event.message_id),
        object: text(event.object),
        size: event.size,
        recipients: event.recipients,
    }
}

fn text(text: Text<'_>) -> Option<Cow<'_, str>> {
    text.some().map(Text::lossy)
}

fn is_zero<T: PartialEq + Default>(value: &T) -> bool {
    *value == T::default()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
const fn is_one(value: &u32) -> bool {
    *value == 1
}
