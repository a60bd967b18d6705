//! BIMI assertion records.

use super::tags::Tags;

/// A BIMI record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Where the mark is (`l=`); empty if the domain declines.
    pub location: String,
    /// Where the mark's certificate is (`a=`), empty if there is none.
    pub evidence: String,
    /// What is wrong with it.
    pub problems: Vec<String>,
}

impl Record {
    /// Reads a record; none if the text is not meant as one.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        if !text.trim_start().to_ascii_lowercase().replace(' ', "").starts_with("v=bimi") {
            return None;
        }
        let tags = Tags::read(text);
        let mut record = Self {
            location: tags.get("l").unwrap_or_default().to_owned(),
            evidence: tags.get("a").unwrap_or_default().to_owned(),
            problems: tags.problems.clone(),
        };
        if !tags.begins_with("v", "BIMI1") {
            record.problems.push("it does not begin with v=BIMI1".to_owned());
        }
        if tags.get("l").is_none() {
            record.problems.push("it has no l=".to_owned());
        }
        for (tag, url) in [("l", &record.location), ("a", &record.evidence)] {
            if !url.is_empty() && !url.starts_with("https://") {
                record.problems.push(format!("{tag}={url} is not https"));
            }
        }
        if !record.location.is_empty() && !record.location.to_ascii_lowercase().ends_with(".svg") {
            record.problems.push(format!("l={} is no .svg", record.location));
        }
        Some(record)
    }
}
