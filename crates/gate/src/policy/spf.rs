//! SPF, with the DNS asked for what it has to know.

use std::collections::HashMap;
use std::rc::Rc;

use hickory_proto::rr::RecordType;
use mailward_decide::policy::{Question, Spf};
use mailward_decide::spf::{Found, Lookup, Published, Sending, check};
use tokio::time::timeout;

use crate::dns::{Resolver, Value};

/// Questions for one sender; ten mechanisms may ask for ten mail servers each, and nobody does.
const LOOKUPS: usize = 40;

/// What the sender's record says, as far as it is known in time.
pub(super) async fn spf(resolver: &Resolver, question: &Question<'_>) -> Spf {
    let sending = Sending {
        client: question.client,
        name: question.name,
        helo: question.helo,
        sender: question.sender,
    };
    timeout(resolver.deadline(), checked(resolver, &sending)).await.unwrap_or_default()
}

async fn checked(resolver: &Resolver, sending: &Sending<'_>) -> Spf {
    let mut known = HashMap::new();
    while known.len() < LOOKUPS {
        match check(sending, &|lookup| known.get(lookup).cloned()) {
            Ok(spf) => return spf,
            Err(lookup) => {
                let found = find(resolver, &lookup).await;
                known.insert(lookup, found);
            }
        }
    }
    Spf::None
}

async fn find(resolver: &Resolver, lookup: &Lookup) -> Found {
    let (name, kind) = match lookup {
        Lookup::Texts(name) => (name, RecordType::TXT),
        Lookup::MailServers(name) => (name, RecordType::MX),
        Lookup::Addresses { name, v6: false } => (name, RecordType::A),
        Lookup::Addresses { name, v6: true } => (name, RecordType::AAAA),
    };
    let Some(values) = resolver.look(name, kind).await else { return Found::Nothing };
    match lookup {
        Lookup::Texts(_) => Found::Record(Rc::new(Published::of(values.iter().filter_map(text)))),
        Lookup::MailServers(_) => Found::Names(values.iter().filter_map(server).collect()),
        Lookup::Addresses { .. } => Found::Addresses(values.iter().filter_map(address).collect()),
    }
}

fn text(value: &Value) -> Option<&str> {
    if let Value::Text(text) = value { Some(text) } else { None }
}

fn server(value: &Value) -> Option<String> {
    let Value::Server(name) = value else { return None };
    Some(name.trim_end_matches('.').to_ascii_lowercase()).filter(|name| !name.is_empty())
}

const fn address(value: &Value) -> Option<std::net::IpAddr> {
    if let Value::Address(address) = value { Some(*address) } else { None }
}
