//! DMARC records and their discovery (RFC 9989 4.7, 4.10), with the tags that RFC 7489 had besides.

use super::{parent, tags::Tags};
use crate::Untold;
use crate::facts::Dns;

/// What a domain asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Policy {
    /// Nothing.
    None,
    /// To treat it as suspicious.
    Quarantine,
    /// To refuse it.
    Reject,
}

impl Policy {
    fn read(text: &str) -> Option<Self> {
        [Self::None, Self::Quarantine, Self::Reject]
            .into_iter()
            .find(|policy| policy.name().eq_ignore_ascii_case(text))
    }

    /// As the record has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }
}

/// A DMARC record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// For the domain (`p`).
    pub policy: Option<Policy>,
    /// For existing subdomains (`sp`).
    pub subdomains: Option<Policy>,
    /// For subdomains that do not exist (`np`).
    pub nonexistent: Option<Policy>,
    /// Whether DKIM has to match the domain exactly (`adkim=s`).
    pub strict_dkim: bool,
    /// Whether SPF has to match the domain exactly (`aspf=s`).
    pub strict_spf: bool,
    /// Whether the policy is only tested (`t=y`).
    pub testing: bool,
    /// To how many of a hundred messages RFC 7489 readers apply it.
    pub percent: Option<u8>,
    /// Whether this is a public suffix (`psd=y`), or says that it is none (`psd=n`).
    pub public_suffix: Option<bool>,
    /// Mail addresses for aggregate reports, without `mailto:` and size.
    pub aggregate: Vec<String>,
    /// Mail addresses for failure reports.
    pub failure: Vec<String>,
    /// Tags that RFC 9989 no longer has.
    pub obsolete: Vec<String>,
    /// What is wrong with it so that it does not do what was meant.
    pub problems: Vec<String>,
    /// What is wrong with it and passed over by receivers, who take the default instead.
    pub passed_over: Vec<String>,
}

const KNOWN: &[&str] =
    &["v", "p", "sp", "np", "adkim", "aspf", "fo", "psd", "rua", "ruf", "t", "pct", "rf", "ri"];

/// Whether a TXT record is a DMARC record; others are passed over.
#[must_use]
pub fn is_record(text: &str) -> bool {
    let Some((name, rest)) = text.split_once('=') else { return false };
    let rest = rest.trim_start();
    name.trim() == "v"
        && rest.strip_prefix("DMARC1").is_some_and(|rest| {
            let rest = rest.trim_start();
            rest.is_empty() || rest.starts_with(';')
        })
}

/// Whether a TXT record at `_dmarc` is meant as a DMARC record, even if it is none.
#[must_use]
pub fn is_meant(text: &str) -> bool {
    let text: String = text.to_ascii_lowercase().split_whitespace().collect();
    let policy = ["p=none", "p=quarantine", "p=reject"].iter().any(|policy| text.contains(policy));
    text.contains("v=dmarc") || text.starts_with("dmarc") || policy
}

/// Why a text that is meant as a DMARC record is none.
#[must_use]
pub fn why_not(text: &str) -> String {
    let shown: String = text.chars().take(40).collect();
    if text.trim_start().to_ascii_lowercase().starts_with("v=dmarc1") {
        format!("`{shown}`: v=DMARC1 is not followed by `;` and spelt exactly so")
    } else {
        format!("`{shown}`: v=DMARC1 is not the first tag")
    }
}

impl Record {
    /// Reads a record.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let tags = Tags::read(text);
        let mut record = Self { problems: tags.problems.clone(), ..Self::default() };
        if !tags.begins_with("v", "DMARC1") {
            record.problems.push("v=DMARC1 is not the first tag".to_owned());
        }
        record.policies(&tags);
        record.switches(&tags);
        record.aggregate = record.targets(&tags, "rua");
        record.failure = record.targets(&tags, "ruf");
        record.percent = record.percent(&tags);
        // Without a policy that can be read, reports alone are asked for (RFC 9989 4.10.1, RFC 7489 6.6.3).
        if tags.get("p").is_none() && record.aggregate.is_empty() {
            record.problems.push("neither p= nor an address for reports".to_owned());
        }
        record.obsolete(&tags);
        record
    }

    fn policies(&mut self, tags: &Tags) {
        let mut read = |tag: &str| {
            let text = tags.get(tag)?;
            let policy = Policy::read(text);
            if policy.is_none() {
                self.problems.push(format!("{tag}={text} is not none, quarantine or reject"));
            }
            policy
        };
        (self.policy, self.subdomains, self.nonexistent) = (read("p"), read("sp"), read("np"));
    }

    fn switches(&mut self, tags: &Tags) {
        let mut one_of = |tag: &str, values: &[&str]| {
            let text = tags.get(tag)?;
            let found = values.iter().position(|value| value.eq_ignore_ascii_case(text));
            if found.is_none() {
                self.passed_over.push(format!("{tag}={text} is not one of {}", values.join(", ")));
            }
            found
        };
        let strict = |found: Option<usize>| found == Some(1);
        let dkim = strict(one_of("adkim", &["r", "s"]));
        let spf = strict(one_of("aspf", &["r", "s"]));
        let testing = strict(one_of("t", &["n", "y"]));
        let suffix = one_of("psd", &["n", "y", "u"]);
        (self.strict_dkim, self.strict_spf, self.testing) = (dkim, spf, testing);
        self.public_suffix =
            suffix.and_then(|found| [Some(false), Some(true), None].get(found).copied().flatten());
        for option in tags.get("fo").unwrap_or("0").split(':') {
            if !matches!(option.trim(), "0" | "1" | "d" | "s") {
                self.passed_over.push(format!("fo={option} is not 0, 1, d or s"));
            }
        }
    }

    fn targets(&mut self, tags: &Tags, tag: &str) -> Vec<String> {
        let mut found = Vec::new();
        for uri in tags.get(tag).into_iter().flat_map(|list| list.split(',')).map(str::trim) {
            let address = uri
                .get(..7)
                .filter(|scheme| scheme.eq_ignore_ascii_case("mailto:"))
                .and_then(|_| uri.get(7..))
                .map(|rest| rest.split_once('!').map_or(rest, |(address, _)| address))
                .filter(|address| {
                    address.split_once('@').is_some_and(|(local, domain)| {
                        !local.is_empty() && domain.contains('.') && !domain.contains(['@', ' '])
                    })
                });
            match address {
                Some(address) => found.push(address.to_owned()),
                None => self.problems.push(format!("{tag}: `{uri}` is no mailto: address")),
            }
        }
        found
    }

    fn percent(&mut self, tags: &Tags) -> Option<u8> {
        let text = tags.get("pct")?;
        let percent = text.parse().ok().filter(|&percent: &u8| percent <= 100);
        if percent.is_none() {
            self.passed_over.push(format!("pct={text} is no number from 0 to 100"));
        }
        percent
    }

    fn obsolete(&mut self, tags: &Tags) {
        let gone = tags.all.iter().filter(|(tag, _)| matches!(tag.as_str(), "pct" | "rf" | "ri"));
        self.obsolete = gone.map(|(tag, value)| format!("{tag}={value}")).collect();
        for tag in ["rua", "ruf"] {
            if tags.get(tag).is_some_and(|list| list.contains('!')) {
                self.obsolete.push(format!("size limit in {tag}"));
            }
        }
        for (tag, _) in tags.all.iter().filter(|(tag, _)| !KNOWN.contains(&tag.as_str())) {
            self.passed_over.push(format!("there is no tag `{tag}`"));
        }
    }

    /// What holds for the domain itself: with a policy that cannot be read and somewhere to report to, none.
    #[must_use]
    pub fn for_domain(&self) -> Option<Policy> {
        self.policy.or((!self.aggregate.is_empty()).then_some(Policy::None))
    }

    /// What holds for subdomains that exist.
    #[must_use]
    pub fn for_subdomains(&self) -> Option<Policy> {
        self.subdomains.or_else(|| self.for_domain())
    }

    /// What holds for subdomains that do not.
    #[must_use]
    pub fn for_nonexistent(&self) -> Option<Policy> {
        self.nonexistent.or_else(|| self.for_subdomains())
    }
}

/// A record where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The domain that has it, without `_dmarc.`.
    pub domain: String,
    /// Its text.
    pub text: String,
    /// What it says.
    pub record: Record,
}

/// The domains that a tree walk asks, the domain itself first, at most eight (RFC 9989 4.10).
#[must_use]
pub fn walk(domain: &str) -> Vec<&str> {
    let domain = domain.trim_end_matches('.');
    let labels = domain.split('.').count();
    let mut names = vec![domain];
    let mut next = parent(domain);
    for _ in 8..labels {
        next = next.and_then(parent);
    }
    while let (Some(name), true) = (next, names.len() < 8) {
        names.push(name);
        next = parent(name);
    }
    names
}

/// The one DMARC record at a domain, if there is one; several count as none.
///
/// # Errors
/// When the DNS does not tell.
pub fn at(dns: &Dns, domain: &str) -> Result<Option<Found>, Untold> {
    let texts = dns.records("TXT", &format!("_dmarc.{domain}"))?;
    let mut records = texts.iter().filter(|text| is_record(text));
    Ok(match (records.next(), records.next()) {
        (Some(text), None) => {
            Some(Found { domain: domain.to_owned(), text: text.clone(), record: Record::read(text) })
        }
        _ => None,
    })
}

/// The record that holds for a domain: its own, its organisation's, or its public suffix's.
///
/// # Errors
/// When the DNS does not tell.
pub fn discover(dns: &Dns, domain: &str) -> Result<Option<Found>, Untold> {
    if let Some(own) = at(dns, domain)? {
        return Ok(Some(own));
    }
    let organisation = organisation(dns, domain)?;
    if let Some(found) = at(dns, &organisation)? {
        return Ok(Some(found));
    }
    for name in walk(domain) {
        if let Some(found) = at(dns, name)?.filter(|found| found.record.public_suffix == Some(true)) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The organisation that a domain belongs to, by the tree walk.
///
/// # Errors
/// When the DNS does not tell.
pub fn organisation(dns: &Dns, domain: &str) -> Result<String, Untold> {
    let names = walk(domain);
    let mut organisation = None;
    for (place, name) in names.iter().enumerate() {
        let Some(found) = at(dns, name)? else { continue };
        match found.record.public_suffix {
            Some(false) => return Ok((*name).to_owned()),
            Some(true) if place > 0 => {
                return Ok(names.get(place - 1).copied().unwrap_or(name).to_owned());
            }
            _ => organisation = Some(*name),
        }
    }
    Ok(organisation.unwrap_or(domain).to_owned())
}
