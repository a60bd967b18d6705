//! MTA-STS: the TXT record and the policy (RFC 8461 3).

use super::tags::Tags;

/// The `id` of the TXT record.
///
/// # Errors
/// What is wrong with the record.
pub fn id(text: &str) -> Result<String, String> {
    let tags = Tags::read(text);
    if !tags.begins_with("v", "STSv1") {
        return Err("it does not begin with v=STSv1".to_owned());
    }
    if let Some(problem) = tags.problems.first() {
        return Err(problem.clone());
    }
    match tags.get("id") {
        None => Err("it has no id".to_owned()),
        Some(id) if (1..=32).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            Ok(id.to_owned())
        }
        Some(id) => Err(format!("id={id} is not 1 to 32 letters and digits")),
    }
}

/// Whether a TXT record is meant as one of MTA-STS.
#[must_use]
pub fn is_meant(text: &str) -> bool {
    text.to_ascii_lowercase().replace(' ', "").contains("v=sts")
}

/// Whether a TXT record counts as one of MTA-STS; others are passed over (RFC 8461 3.1).
#[must_use]
pub fn is_record(text: &str) -> bool {
    Tags::read(text).begins_with("v", "STSv1")
}

/// A policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// `enforce`, `testing`, `none`.
    pub mode: String,
    /// Names and `*.` patterns of the exchangers.
    pub mx: Vec<String>,
    /// Seconds for which senders keep it.
    pub max_age: u64,
    /// What is wrong with it.
    pub problems: Vec<String>,
}

/// The longest that a policy may be kept, seconds.
pub const LONGEST: u64 = 31_557_600;

impl Policy {
    /// Reads a policy.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut policy = Self::default();
        let (mut version, mut age) = (None, None);
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            match line.split_once(':').map(|(name, value)| (name.trim(), value.trim())) {
                Some(("version", value)) => version = version.or(Some(value)),
                Some(("mode", value)) if policy.mode.is_empty() => value.clone_into(&mut policy.mode),
                Some(("max_age", value)) => age = age.or(Some(value)),
                Some(("mx", value)) => policy.mx.push(value.trim_end_matches('.').to_ascii_lowercase()),
                Some(_) => {}
                None => policy.problems.push(format!("`{line}` has no `:`")),
            }
        }
        policy.judge(version, age);
        policy
    }

    fn judge(&mut self, version: Option<&str>, age: Option<&str>) {
        if version != Some("STSv1") {
            self.problems.push("no `version: STSv1`".to_owned());
        }
        if !matches!(self.mode.as_str(), "enforce" | "testing" | "none") {
            self.problems.push(format!("mode `{}` is not enforce, testing or none", self.mode));
        }
        match age.map(str::parse) {
            Some(Ok(age)) => self.max_age = age,
            Some(Err(_)) => self.problems.push(format!("max_age `{}` is no number", age.unwrap_or_default())),
            None => self.problems.push("no `max_age`".to_owned()),
        }
        if self.max_age > LONGEST {
            self.problems.push(format!("max_age {} is over {LONGEST}", self.max_age));
        }
        if self.mx.is_empty() && self.mode != "none" {
            self.problems.push("no `mx`".to_owned());
        }
    }

    /// Whether an exchanger is one of the policy's. A `*.` stands for exactly one label (RFC 8461 4.1).
    #[must_use]
    pub fn covers(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.');
        self.mx.iter().any(|pattern| match pattern.strip_prefix("*.") {
            Some(parent) => host.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(parent)),
            None => host.eq_ignore_ascii_case(pattern),
        })
    }
}

/// Where a domain's policy is.
#[must_use]
pub fn url(domain: &str) -> String {
    format!("https://mta-sts.{domain}/.well-known/mta-sts.txt")
}
