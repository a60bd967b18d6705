//! What to ask of the DNS next: first what a server's domains, names and addresses call for, then what the answers refer to. The
//! collector asks until there is nothing left to ask, so that a check's every question has been asked.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::facts::{Dns, Known};
use crate::records::{address, dmarc, dnsbl, is_host_name, parent, spf, sts, tlsrpt};

/// A label that nobody has, to find wildcards with.
pub const NOBODY: &str = "mailward-no-such-name";
/// Names that clients look for, and that often lead to a service that is gone.
pub const CONVENIENCE: &[&str] = &["autodiscover", "autoconfig", "mta-sts"];
/// Services that clients look for (RFC 6186, RFC 8314 5.1).
pub const SERVICES: &[&str] =
    &["_imaps._tcp", "_imap._tcp", "_pop3s._tcp", "_pop3._tcp", "_submissions._tcp", "_submission._tcp"];
/// A zone that is always signed: the root.
pub const SIGNED: &str = ".";

/// The questions that were not asked yet.
#[must_use]
pub fn questions(dns: &Dns) -> BTreeSet<String> {
    let mut plan = Plan { dns, wanted: BTreeSet::new() };
    plan.ask("NS", SIGNED);
    for domain in &dns.domains {
        plan.domain(domain);
    }
    for host in hosts(dns) {
        plan.host(&host);
    }
    for address in addresses(dns) {
        plan.address(address);
    }
    plan.lists();
    plan.signing();
    plan.wanted
}

/// Documents that were not fetched yet: policies of domains that announce one.
#[must_use]
pub fn documents(dns: &Dns) -> BTreeSet<String> {
    let announces = |domain: &&String| {
        let records = dns.records("TXT", &format!("_mta-sts.{domain}"));
        records.is_ok_and(|records| records.iter().any(|text| sts::is_meant(text)))
    };
    let urls = dns.domains.iter().filter(announces).map(|domain| sts::url(domain));
    urls.filter(|url| !dns.fetched.contains_key(url)).collect()
}

/// The server's own names and the exchangers of its domains.
#[must_use]
pub fn hosts(dns: &Dns) -> BTreeSet<String> {
    let exchangers = dns.domains.iter().filter_map(|domain| dns.exchangers(domain).ok()).flatten();
    exchangers
        .map(|(_, host)| host)
        .chain(dns.hosts.iter().cloned())
        .filter(|host| is_host_name(host))
        .collect()
}

/// The server's addresses, as far as they are any.
#[must_use]
pub fn addresses(dns: &Dns) -> Vec<IpAddr> {
    dns.addresses.iter().filter_map(|address| address.parse().ok()).collect()
}

/// The name servers of the zone that a name is in.
#[must_use]
pub fn name_servers(dns: &Dns, name: &str) -> Vec<String> {
    let mut above = Some(name);
    while let Some(zone) = above {
        match dns.records("NS", zone) {
            Ok([]) => above = parent(zone),
            Ok(servers) => return servers.to_vec(),
            Err(_) => return Vec::new(),
        }
    }
    Vec::new()
}

/// Where a record really is: the name that aliases lead to.
#[must_use]
pub fn led_to<'a>(dns: &'a Dns, kind: &str, name: &'a str) -> &'a str {
    dns.answer(kind, name).ok().and_then(|answer| answer.aliases.last()).map_or(name, String::as_str)
}

struct Plan<'a> {
    dns: &'a Dns,
    wanted: BTreeSet<String>,
}

impl Plan<'_> {
    fn ask(&mut self, kind: &str, name: &str) {
        let question = Dns::question(kind, name);
        if !self.dns.answers.contains_key(&question) {
            self.wanted.insert(question);
        }
    }

    fn records(&self, kind: &str, name: &str) -> Vec<String> {
        self.dns.records(kind, name).map(<[String]>::to_vec).unwrap_or_default()
    }

    fn domain(&mut self, domain: &str) {
        for kind in ["MX", "NS", "SOA", "A", "AAAA", "TXT", "TYPE99"] {
            self.ask(kind, domain);
        }
        self.dmarc(domain);
        self.spf(domain);
        for prefix in ["_mta-sts", "_smtp._tls", "default._bimi"] {
            self.ask("TXT", &format!("{prefix}.{domain}"));
        }
        for prefix in SERVICES {
            self.ask("SRV", &format!("{prefix}.{domain}"));
        }
        for prefix in CONVENIENCE.iter().chain(&[NOBODY, "www"]) {
            self.ask("A", &format!("{prefix}.{domain}"));
            self.ask("AAAA", &format!("{prefix}.{domain}"));
        }
        for kind in ["MX", "TXT"] {
            self.ask(kind, &format!("{NOBODY}.{domain}"));
        }
        self.ask("TXT", &format!("www.{domain}"));
        self.tls_reports(domain);
        self.name_servers(domain);
    }

    /// The domain's own policy, and that its outside report addresses are allowed.
    fn dmarc(&mut self, domain: &str) {
        self.walk(domain);
        let Ok(Some(found)) = dmarc::discover(self.dns, domain) else { return };
        for target in found.record.aggregate.iter().chain(&found.record.failure) {
            let Some((_, target)) = target.rsplit_once('@') else { continue };
            self.walk(target);
            self.ask("MX", target);
            self.ask("A", target);
            self.ask("TXT", &format!("{}._report._dmarc.{target}", found.domain));
        }
    }

    fn walk(&mut self, domain: &str) {
        for name in dmarc::walk(domain) {
            self.ask("TXT", &format!("_dmarc.{name}"));
        }
    }

    fn spf(&mut self, domain: &str) {
        self.wanted.extend(spf::tree(self.dns, domain).missing);
        for address in addresses(self.dns) {
            for host in self.dns.hosts.iter().take(1) {
                let subject = spf::Subject {
                    address: Some(address),
                    sender: format!("postmaster@{domain}"),
                    helo: host.clone(),
                };
                if let spf::Verdict::Missing(question) = spf::check(self.dns, domain, &subject) {
                    self.wanted.insert(question);
                }
            }
        }
    }

    fn tls_reports(&mut self, domain: &str) {
        for text in self.records("TXT", &format!("_smtp._tls.{domain}")) {
            for target in tlsrpt::targets(&text).unwrap_or_default() {
                if let Some((_, target)) =
                    target.strip_prefix("mailto:").and_then(|mail| mail.rsplit_once('@'))
                {
                    self.ask("MX", target);
                    self.ask("A", target);
                }
            }
        }
    }

    /// Each name server is asked itself, once its addresses are known.
    fn name_servers(&mut self, domain: &str) {
        for server in self.records("NS", domain) {
            self.ask("A", &server);
            self.ask("AAAA", &server);
            for address in self.records("A", &server).iter().take(1) {
                for kind in ["SOA", "MX", "TXT"] {
                    self.ask(kind, &format!("{domain} @{address}"));
                }
            }
        }
    }

    fn host(&mut self, host: &str) {
        for kind in ["A", "AAAA", "CNAME", "TXT"] {
            self.ask(kind, host);
        }
        self.ask("TLSA", &format!("_25._tcp.{host}"));
        self.wanted.extend(spf::tree(self.dns, host).missing);
        let mut name = Some(host);
        while let Some(above) = name.filter(|name| name.contains('.')) {
            self.ask("CAA", above);
            if !self.records("CAA", above).is_empty() {
                break;
            }
            name = parent(above);
        }
    }

    fn address(&mut self, address: IpAddr) {
        let pointer = address::pointer(address);
        self.ask("PTR", &pointer);
        if self.dns.outside {
            self.ask("NS", &format!(". @{address}"));
        }
        let kind = if address.is_ipv4() { "A" } else { "AAAA" };
        for name in self.records("PTR", &pointer).iter().take(5) {
            self.ask(kind, name);
        }
    }

    /// A list is believed only after it was seen to list what it must, and not what it must not.
    fn lists(&mut self) {
        for zone in &self.dns.lists {
            let test = dnsbl::DOMAIN_LISTS.iter().find(|(list, _)| list == zone);
            let must = test.map_or_else(|| dnsbl::listed_test(zone), |(_, name)| format!("{name}.{zone}"));
            self.ask("A", &must);
            if test.is_none() {
                self.ask("A", &dnsbl::clean_test(zone));
            }
            if !works(self.dns, zone, &must) {
                continue;
            }
            match test {
                Some(_) => {
                    for domain in &self.dns.domains {
                        self.listing(&format!("{domain}.{zone}"));
                    }
                }
                None => {
                    for address in addresses(self.dns) {
                        self.listing(&dnsbl::name_of(address, zone));
                    }
                }
            }
        }
    }

    fn listing(&mut self, name: &str) {
        self.ask("A", name);
        if !self.records("A", name).is_empty() {
            self.ask("TXT", name);
        }
    }

    fn signing(&mut self) {
        let Known::Is(keys) = &self.dns.signing else { return };
        for key in keys {
            let name = format!("{}._domainkey.{}", key.selector, key.domain);
            self.ask("TXT", &name);
            // Nobody signs with it yet, or any more: its record is about to come or to go.
            if key.senders.is_empty() {
                self.everywhere(led_to(self.dns, "TXT", &name));
            }
        }
    }

    /// A record at each name server of its zone.
    fn everywhere(&mut self, name: &str) {
        let mut above = Some(name);
        while let Some(zone) = above {
            self.ask("NS", zone);
            let known = self.dns.answer("NS", zone).map(|answer| answer.records.is_empty());
            above = if known == Ok(true) { parent(zone) } else { None };
        }
        for server in name_servers(self.dns, name) {
            self.ask("A", &server);
            for address in self.records("A", &server).iter().take(1) {
                self.ask("TXT", &format!("{name} @{address}"));
            }
        }
    }
}

fn works(dns: &Dns, zone: &str, must: &str) -> bool {
    dns.records("A", must)
        .is_ok_and(|records| matches!(dnsbl::meaning(zone, records), dnsbl::Meaning::Listed(_)))
}
