//! Asks the DNS what a server's domains, names and addresses call for, and fetches the policies that they announce. What to ask
//! next is decided by [`mailward_audit::questions`] from the answers so far; here is who asks.

mod answer;
mod fetch;
mod plan;
mod reading;
mod resolver;
mod round_trip;
pub mod signing;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use mailward_audit::facts::{Answer, Dns, Known, SigningKey};
use mailward_audit::questions;

pub use fetch::Fetch;
pub use resolver::Resolver;

/// Questions and fetches in flight at a time.
const AT_ONCE: usize = 24;
/// Answers refer to others at most this many times; an SPF record may nest ten deep.
const ROUNDS: usize = 24;
/// A hundred domains call for some 3,000 questions; what is over this is not asked, and checks say so.
const MOST: usize = 20_000;

/// What to ask about, and whom.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The resolver; none for those that the system uses.
    pub resolver: Option<SocketAddr>,
    /// The port at which name servers are asked themselves; 53 but in tests.
    pub authoritative_port: u16,
    /// The mail domains.
    pub domains: Vec<String>,
    /// The names that the server calls itself, the one of HELO first.
    pub hosts: Vec<String>,
    /// Its addresses as the Internet sees them; those of `hosts` are added.
    pub addresses: Vec<String>,
    /// Whether the server is looked at from outside.
    pub outside: bool,
    /// Zones of block lists.
    pub lists: Vec<String>,
    /// The keys that mail is signed with.
    pub signing: Known<Vec<SigningKey>>,
    /// How documents are fetched.
    pub fetch: Fetch,
    /// How long all of it may take.
    pub deadline: Duration,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            resolver: None,
            authoritative_port: 53,
            domains: Vec::new(),
            hosts: Vec::new(),
            addresses: Vec::new(),
            outside: false,
            lists: Vec::new(),
            signing: Known::Unasked,
            fetch: Fetch::default(),
            deadline: Duration::from_secs(20),
        }
    }
}

/// The keys that a place's mail is signed with; absent if nothing there signs.
#[must_use]
pub fn signing_keys(tree: &crate::Tree) -> Known<Vec<SigningKey>> {
    signing::collect(&reading::Files::of(tree))
}

/// Asks all that the plan calls for. Without a resolver that answers, that is all that is known afterwards.
#[must_use]
pub fn collect(plan: &Plan) -> Dns {
    let end = Instant::now() + plan.deadline;
    let mut dns = Dns {
        domains: plan.domains.clone(),
        hosts: plan.hosts.clone(),
        addresses: plan.addresses.clone(),
        outside: plan.outside,
        lists: plan.lists.clone(),
        signing: plan.signing.clone(),
        ..Dns::default()
    };
    match Resolver::find(plan.resolver, plan.authoritative_port, end) {
        Ok((resolver, root)) => {
            dns.resolver = Known::Is(resolver.address().to_string());
            dns.validating = validates(&root);
            dns.answers.insert(Dns::question("NS", questions::SIGNED), root);
            rounds(&mut dns, &resolver, &plan.fetch, end);
        }
        Err(why) => {
            dns.resolver = Known::Unread(why.clone());
            dns.validating = Known::Unread(why);
        }
    }
    round_trip::verify_all(&mut dns);
    dns
}

/// The root is signed, so a resolver that validates vouches for it. One without the root (a test's) tells nothing.
fn validates(root: &Known<Answer>) -> Known<bool> {
    match root {
        Known::Is(answer) if !answer.records.is_empty() => Known::Is(answer.authenticated),
        Known::Is(answer) => Known::Unread(format!("the resolver answered NS . with {}", answer.code)),
        other => Known::Unread(format!("the resolver did not answer NS .: {other:?}")),
    }
}

fn rounds(dns: &mut Dns, resolver: &Resolver, fetch: &Fetch, end: Instant) {
    for _ in 0..ROUNDS {
        let wanted = questions::questions(dns);
        let wanted: BTreeSet<String> =
            wanted.into_iter().take(MOST.saturating_sub(dns.answers.len())).collect();
        if wanted.is_empty() {
            break;
        }
        dns.answers.extend(at_once(wanted, |question| resolver.ask(question, end)));
        own_addresses(dns);
    }
    let pinned = |host: &str| dns.addresses_of(host).unwrap_or_default();
    dns.fetched = at_once(questions::documents(dns), |url| fetch.get(url, &pinned, end));
}

/// What the server's own names lead to is the server, unless somebody knows better.
fn own_addresses(dns: &mut Dns) {
    if !dns.addresses.is_empty() {
        return;
    }
    let found: BTreeSet<String> = dns
        .hosts
        .iter()
        .filter_map(|host| dns.addresses_of(host).ok())
        .flatten()
        .map(|address| address.to_string())
        .collect();
    dns.addresses = found.into_iter().collect();
}

/// Does the same for all, many at a time.
fn at_once<T: Send>(all: BTreeSet<String>, act: impl Fn(&str) -> T + Sync) -> BTreeMap<String, T> {
    let workers = all.len().min(AT_ONCE);
    let left = Mutex::new(all.into_iter());
    let next = || left.lock().ok()?.next();
    let work = || {
        let mut done = Vec::new();
        while let Some(item) = next() {
            let result = act(&item);
            done.push((item, result));
        }
        done
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()).flatten().collect()
    })
}
