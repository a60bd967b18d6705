//! TLS-RPT records (RFC 8460 3).

use super::tags::Tags;

/// Where reports go.
///
/// # Errors
/// What is wrong with the record.
pub fn targets(text: &str) -> Result<Vec<String>, String> {
    let tags = Tags::read(text);
    if !tags.begins_with("v", "TLSRPTv1") {
        return Err("it does not begin with v=TLSRPTv1".to_owned());
    }
    if let Some(problem) = tags.problems.first() {
        return Err(problem.clone());
    }
    let Some(rua) = tags.get("rua") else { return Err("it has no rua".to_owned()) };
    rua.split(',').map(|target| target_of(target.trim())).collect()
}

fn target_of(target: &str) -> Result<String, String> {
    let mail = target.strip_prefix("mailto:").is_some_and(|address| address.contains('@'));
    let web = target.strip_prefix("https://").is_some_and(|rest| rest.contains('.'));
    if mail || web {
        Ok(target.to_owned())
    } else {
        Err(format!("`{target}` is no mailto: or https: address"))
    }
}

/// Whether a TXT record is meant as one of TLS-RPT.
#[must_use]
pub fn is_meant(text: &str) -> bool {
    text.to_ascii_lowercase().replace(' ', "").contains("v=tlsrpt")
}

/// Whether a TXT record counts as one of TLS-RPT; others are passed over.
#[must_use]
pub fn is_record(text: &str) -> bool {
    Tags::read(text).begins_with("v", "TLSRPTv1")
}
