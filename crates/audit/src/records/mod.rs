//! Readers of what the DNS holds about mail: SPF, DKIM, DMARC, MTA-STS, TLS-RPT, TLSA, CAA, and what block lists answer. They
//! take text that anybody may have published, and say what it means and what is wrong with it.

pub mod address;
pub mod base64;
pub mod bimi;
pub mod caa;
pub mod der;
pub mod dkim;
pub mod dmarc;
pub mod dnsbl;
pub mod spf;
pub mod sts;
pub mod tags;
pub mod tlsa;
pub mod tlsrpt;

/// Whether a name is one that a host may have (RFC 952, 1123): letters, digits and hyphens, a dot somewhere, no number at the end.
#[must_use]
pub fn is_host_name(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    name.len() <= 253
        && name.contains('.')
        && name.split('.').all(label)
        && !last.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether `name` is `domain` or below it.
#[must_use]
pub fn is_within(name: &str, domain: &str) -> bool {
    let (name, domain) = (name.trim_end_matches('.'), domain.trim_end_matches('.'));
    match name.len().checked_sub(domain.len()) {
        Some(0) => name.eq_ignore_ascii_case(domain),
        Some(rest) => {
            name.get(rest..).is_some_and(|end| end.eq_ignore_ascii_case(domain))
                && name.get(..rest).is_some_and(|start| start.ends_with('.'))
        }
        None => false,
    }
}

/// The name above: `example.org` of `mail.example.org`.
#[must_use]
pub fn parent(name: &str) -> Option<&str> {
    name.split_once('.').map(|(_, parent)| parent).filter(|parent| !parent.is_empty())
}
