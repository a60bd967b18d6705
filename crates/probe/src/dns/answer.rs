//! Answers as facts.

use std::str::FromStr;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use mailward_audit::facts::Answer;

/// The type of signatures.
const RRSIG: u16 = 46;
/// More aliases than this are a loop.
const ALIASES: usize = 16;

/// What an answer's code is called.
pub(super) fn code(message: &Message) -> &'static str {
    match message.metadata.response_code {
        ResponseCode::NoError => "NOERROR",
        ResponseCode::NXDomain => "NXDOMAIN",
        ResponseCode::ServFail => "SERVFAIL",
        ResponseCode::Refused => "REFUSED",
        ResponseCode::FormErr => "FORMERR",
        ResponseCode::NotImp => "NOTIMP",
        _ => "ERROR",
    }
}

/// Reads an answer to a question: `MX example.org`.
pub(super) fn read(message: &Message, question: &str, millis: u32) -> Answer {
    let kind = question.split(' ').next().unwrap_or_default();
    let kind = kind
        .strip_prefix("TYPE")
        .and_then(|number| number.parse().ok())
        .or_else(|| RecordType::from_str(kind).ok().map(u16::from))
        .unwrap_or_default();
    let asked: Vec<&Record> =
        message.answers.iter().filter(|record| u16::from(record.record_type()) == kind).collect();
    let signature = message.answers.iter().filter_map(signature).min();
    Answer {
        code: code(message).to_owned(),
        records: asked.iter().map(|record| presented(&record.data)).collect(),
        aliases: aliases(message),
        authenticated: message.metadata.authentic_data,
        ttl: asked.iter().map(|record| record.ttl).min().unwrap_or_default(),
        signed_until: signature.map(|(until, _)| until),
        signed_from: signature.map(|(_, from)| from),
        unchecked: None,
        millis,
    }
}

fn aliases(message: &Message) -> Vec<String> {
    let mut at = message.queries.first().map(|query| query.name.clone());
    let mut found = Vec::new();
    while let (Some(name), true) = (at.take(), found.len() < ALIASES) {
        let target = message.answers.iter().find_map(|record| match &record.data {
            RData::CNAME(target) if record.name == name => Some(target.0.clone()),
            _ => None,
        });
        found.extend(target.as_ref().map(named));
        at = target;
    }
    found
}

/// When a signature ends and begins: the fifth and sixth field (RFC 4034 3.1), modulo 2^32 (3.1.5), which is good until 2106.
fn signature(record: &Record) -> Option<(i64, i64)> {
    let RData::Unknown { rdata, .. } = &record.data else { return None };
    if u16::from(record.record_type()) != RRSIG {
        return None;
    }
    let field = |from: usize| {
        let octets = rdata.anything.get(from..from + 4)?;
        Some(i64::from(u32::from_be_bytes(octets.try_into().ok()?)))
    };
    Some((field(8)?, field(12)?))
}

fn named(name: &Name) -> String {
    let text = name.to_ascii().to_ascii_lowercase();
    match text.trim_end_matches('.') {
        "" => ".".to_owned(),
        text => text.to_owned(),
    }
}

fn presented(data: &RData) -> String {
    match data {
        RData::MX(mx) => format!("{} {}", mx.preference, named(&mx.exchange)),
        RData::TXT(txt) => String::from_utf8_lossy(&txt.txt_data.concat()).into_owned(),
        RData::NS(name) => named(&name.0),
        RData::CNAME(name) => named(&name.0),
        RData::PTR(name) => named(&name.0),
        RData::SRV(srv) => format!("{} {} {} {}", srv.priority, srv.weight, srv.port, named(&srv.target)),
        RData::SOA(soa) => format!(
            "{} {} {} {} {} {} {}",
            named(&soa.mname),
            named(&soa.rname),
            soa.serial,
            soa.refresh,
            soa.retry,
            soa.expire,
            soa.minimum
        ),
        RData::TLSA(tlsa) => format!(
            "{} {} {} {}",
            u8::from(tlsa.cert_usage),
            u8::from(tlsa.selector),
            u8::from(tlsa.matching),
            hexadecimal(&tlsa.cert_data)
        ),
        RData::CAA(caa) => format!(
            "{} {} {}",
            if caa.issuer_critical { 128 } else { 0 },
            caa.tag,
            String::from_utf8_lossy(&caa.value)
        ),
        // The deprecated SPF type has the form of TXT.
        RData::Unknown { code, rdata } if u16::from(*code) == 99 => strings(&rdata.anything),
        RData::Unknown { rdata, .. } => hexadecimal(&rdata.anything),
        other => other.to_string(),
    }
}

fn strings(mut data: &[u8]) -> String {
    let mut all = Vec::new();
    while let Some((&length, rest)) = data.split_first() {
        let (string, rest) = rest.split_at(rest.len().min(usize::from(length)));
        all.extend_from_slice(string);
        data = rest;
    }
    String::from_utf8_lossy(&all).into_owned()
}

fn hexadecimal(octets: &[u8]) -> String {
    use std::fmt::Write as _;
    octets.iter().fold(String::new(), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}
