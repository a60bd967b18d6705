//! What there is to ask about a server of which the rest is known.

use std::collections::BTreeSet;
use std::net::IpAddr;

use mailward_audit::postfix::Postfix;
use mailward_audit::records::{address, dnsbl, is_host_name, parent};
use mailward_audit::{Facts, Server};

use super::Plan;

impl Plan {
    /// Domains, names, addresses and block lists as accounts, Postfix and interfaces tell them.
    #[must_use]
    pub fn of(facts: &Facts) -> Self {
        let server = Server::new(facts);
        let postfix = server.postfix().ok();
        let value = |name: &str| postfix.and_then(|postfix| postfix.value(name)).unwrap_or_default();
        let host = value("myhostname").to_ascii_lowercase();
        let host = if is_host_name(&host) { host } else { facts.about.host.to_ascii_lowercase() };
        let helo = value("smtp_helo_name").to_ascii_lowercase();
        let mut hosts: Vec<String> = [helo, host].into_iter().filter(|host| is_host_name(host)).collect();
        hosts.dedup();
        let own = postfix.map(Postfix::own_domains).unwrap_or_default();
        let own = own.into_iter().filter(|name| mail_domain(name) && !hosts.contains(name));
        let mut domains: BTreeSet<String> = of_accounts(facts).chain(own).collect();
        // From outside the name is all there is: mail.example.org most likely serves example.org.
        if let (true, true, Some(above)) =
            (domains.is_empty(), facts.about.remote, hosts.first().and_then(|host| parent(host)))
        {
            domains.extend(Some(above.to_owned()).filter(|name| is_host_name(name)));
        }
        Self {
            domains: domains.into_iter().collect(),
            hosts,
            addresses: public(facts),
            lists: lists(facts),
            signing: facts.dns.signing.clone(),
            outside: facts.about.remote,
            ..Self::default()
        }
    }
}

fn of_accounts(facts: &Facts) -> impl Iterator<Item = String> {
    let accounts = facts.accounts.known().into_iter().flatten();
    let domains = accounts.filter_map(|account| Some(account.name.rsplit_once('@')?.1.to_ascii_lowercase()));
    domains.filter(|domain| mail_domain(domain))
}

fn mail_domain(name: &str) -> bool {
    is_host_name(name) && !name.ends_with(".localdomain") && !name.starts_with("localhost.")
}

fn public(facts: &Facts) -> Vec<String> {
    let interfaces = facts.host.addresses.known().into_iter().flatten();
    let addresses =
        interfaces.filter_map(|interface| interface.network.split('/').next()?.parse::<IpAddr>().ok());
    addresses.filter(|ip| address::special(*ip).is_none()).map(|ip| ip.to_string()).collect()
}

/// The lists that the server uses, and a few that others use to judge it.
fn lists(facts: &Facts) -> Vec<String> {
    let common = dnsbl::ADDRESS_LISTS.iter().chain(dnsbl::DOMAIN_LISTS.iter().map(|(zone, _)| zone));
    let used = dnsbl::used(&Server::new(facts)).unwrap_or_default();
    let all: BTreeSet<String> =
        common.map(|zone| (*zone).to_owned()).chain(used.into_iter().map(|(entry, _)| entry.zone)).collect();
    all.into_iter().collect()
}
