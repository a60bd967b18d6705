//! Reads received reports: DMARC aggregate reports (RFC 9990, XML) and TLS reports (RFC 8460, JSON), as mails with an attachment or
//! as files, compressed or not. Anybody may send one: all is bounded, nothing is fetched, and what is odd is refused and told.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use mail_parser::{MessageParser, MimeHeaders as _};
use mailward_audit::Known;
use mailward_audit::facts::{DmarcReport, DmarcRow, Reports, TlsPolicyReport, TlsReport};
use serde::Deserialize;

/// Files that are read, the newest first.
const FILES: usize = 2_000;
/// Bytes of a file, and of a report that was unpacked. Those of the largest providers are below 10 MB.
const LARGEST: u64 = 32 << 20;
/// Rows of one report that are kept.
const ROWS: usize = 20_000;
/// Folders below the one that is named, as a Maildir has them.
const DEPTH: usize = 3;

/// Reads all reports below a folder.
#[must_use]
pub fn read(folder: &Path) -> Known<Reports> {
    let mut files = Vec::new();
    if let Err(error) = list(folder, DEPTH, &mut files) {
        return Known::Unread(format!(
            "cannot read {}: {error}; it is the folder of received reports",
            folder.display()
        ));
    }
    files.sort_by_key(|(changed, _)| std::cmp::Reverse(*changed));
    let mut all = Collected {
        reports: Reports { place: folder.display().to_string(), ..Reports::default() },
        seen: BTreeSet::new(),
    };
    for (_, path) in files.into_iter().take(FILES) {
        let name = path.display().to_string();
        match bounded(&path) {
            Ok(bytes) => all.take(&name, &bytes, 0),
            Err(why) => all.refuse(&name, &why),
        }
    }
    Known::Is(all.reports)
}

fn list(folder: &Path, depth: usize, files: &mut Vec<(i64, PathBuf)>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let data = entry.path().symlink_metadata()?;
        if data.is_dir() && depth > 0 {
            list(&entry.path(), depth - 1, files)?;
        } else if data.is_file() {
            files.push((std::os::unix::fs::MetadataExt::mtime(&data), entry.path()));
        }
    }
    Ok(())
}

fn bounded(path: &Path) -> Result<Vec<u8>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    whole(file, "the file")
}

/// All of it, if it is not too large.
fn whole(from: impl Read, what: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    from.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| format!("{what}: {error}"))?;
    if bytes.len() as u64 > LARGEST {
        Err(format!("{what} is larger than {} MB", LARGEST >> 20))
    } else {
        Ok(bytes)
    }
}

struct Collected {
    reports: Reports,
    /// Organisation and id of those that were read.
    seen: BTreeSet<(String, String)>,
}

impl Collected {
    fn refuse(&mut self, file: &str, why: &str) {
        if self.reports.refused.len() < 1_000 {
            self.reports.refused.push((file.to_owned(), why.to_owned()));
        }
    }

    /// Takes a file for what its first bytes say it is.
    fn take(&mut self, file: &str, bytes: &[u8], depth: usize) {
        if depth > 2 {
            return self.refuse(file, "an archive in an archive");
        }
        let text = bytes.trim_ascii_start();
        match text {
            [0x1f, 0x8b, ..] => match whole(GzDecoder::new(bytes), "the unpacked report") {
                Ok(inner) => self.take(file, &inner, depth + 1),
                Err(why) => self.refuse(file, &why),
            },
            [b'P', b'K', 3, 4, ..] => match unzipped(bytes) {
                Ok(inner) => self.take(file, &inner, depth + 1),
                Err(why) => self.refuse(file, &why),
            },
            [b'<', ..] | [0xef, 0xbb, 0xbf, b'<', ..] => self.add(file, dmarc(bytes).map(Report::Dmarc)),
            [b'{', ..] => self.add(file, tls(text).map(Report::Tls)),
            _ => self.mail(file, bytes, depth),
        }
    }

    /// The attachments of a mail. One without any is somebody's letter, and no report.
    fn mail(&mut self, file: &str, bytes: &[u8], depth: usize) {
        let Some(message) = MessageParser::default().parse(bytes) else { return };
        for part in message.attachments() {
            let name = part.attachment_name().unwrap_or_default();
            let kind = part.content_type().and_then(|kind| kind.subtype()).unwrap_or_default();
            let report = [".xml", ".gz", ".zip", ".json"].iter().any(|end| name.ends_with(end))
                || matches!(kind, "gzip" | "zip" | "tlsrpt+gzip" | "tlsrpt+json" | "xml");
            if report {
                self.take(file, part.contents(), depth + 1);
            }
        }
    }

    fn add(&mut self, file: &str, report: Result<Report, String>) {
        let report = match report {
            Ok(report) => report,
            Err(why) => return self.refuse(file, &why),
        };
        let key = match &report {
            Report::Dmarc(report) => (report.organisation.clone(), report.id.clone()),
            Report::Tls(report) => (report.organisation.clone(), report.id.clone()),
        };
        if !self.seen.insert(key) {
            self.reports.repeated += 1;
            return;
        }
        match report {
            Report::Dmarc(report) => self.reports.dmarc.push(report),
            Report::Tls(report) => self.reports.tls.push(report),
        }
    }
}

enum Report {
    Dmarc(DmarcReport),
    Tls(TlsReport),
}

/// The only file of a ZIP archive.
fn unzipped(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|error| error.to_string())?;
    if archive.len() != 1 {
        return Err(format!("the archive holds {} files, and a report is one", archive.len()));
    }
    let file = archive.by_index(0).map_err(|error| error.to_string())?;
    whole(file, "the unpacked report")
}

#[derive(Deserialize)]
struct Feedback {
    report_metadata: Metadata,
    policy_published: Policy,
    #[serde(default)]
    record: Vec<Record>,
}

#[derive(Deserialize)]
struct Metadata {
    org_name: String,
    report_id: String,
    date_range: Range,
}

#[derive(Deserialize)]
struct Range {
    begin: i64,
    end: i64,
}

#[derive(Deserialize)]
struct Policy {
    domain: String,
    #[serde(default)]
    p: String,
    #[serde(default)]
    sp: String,
}

#[derive(Deserialize)]
struct Record {
    row: Row,
    #[serde(default)]
    identifiers: Identifiers,
    #[serde(default)]
    auth_results: Results,
}

#[derive(Deserialize)]
struct Row {
    source_ip: String,
    count: u64,
    policy_evaluated: Evaluated,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Evaluated {
    disposition: String,
    dkim: String,
    spf: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Identifiers {
    header_from: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Results {
    dkim: Vec<AuthResult>,
    spf: Vec<AuthResult>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct AuthResult {
    domain: String,
    selector: String,
    result: String,
}

fn dmarc(bytes: &[u8]) -> Result<DmarcReport, String> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_start_matches('\u{feff}');
    // A report has none; entities are how XML is made to explode.
    if text.contains("<!DOCTYPE") || text.contains("<!ENTITY") {
        return Err("it declares a document type, which a report has no need of".to_owned());
    }
    let read: Feedback =
        quick_xml::de::from_str(text).map_err(|error| format!("it is no DMARC report: {error}"))?;
    let domain = read.policy_published.domain.trim().to_ascii_lowercase();
    Ok(DmarcReport {
        organisation: read.report_metadata.org_name,
        id: read.report_metadata.report_id,
        begin: read.report_metadata.date_range.begin,
        end: read.report_metadata.date_range.end,
        policy: read.policy_published.p,
        subdomain_policy: read.policy_published.sp,
        rows: read.record.into_iter().take(ROWS).map(|record| row(record, &domain)).collect(),
        domain,
    })
}

fn row(record: Record, domain: &str) -> DmarcRow {
    let from = record.identifiers.header_from.trim().to_ascii_lowercase();
    DmarcRow {
        source: record.row.source_ip,
        count: record.row.count,
        disposition: record.row.policy_evaluated.disposition,
        dkim: record.row.policy_evaluated.dkim == "pass",
        spf: record.row.policy_evaluated.spf == "pass",
        header_from: if from.is_empty() { domain.to_owned() } else { from },
        signatures: record
            .auth_results
            .dkim
            .into_iter()
            .map(|auth| (auth.domain, auth.selector, auth.result))
            .collect(),
        senders: record.auth_results.spf.into_iter().map(|auth| (auth.domain, auth.result)).collect(),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct TlsRpt {
    organization_name: String,
    date_range: Dates,
    report_id: String,
    #[serde(default)]
    policies: Vec<PolicyResult>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Dates {
    start_datetime: String,
    end_datetime: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct PolicyResult {
    policy: TlsPolicy,
    summary: Summary,
    #[serde(default)]
    failure_details: Vec<Failure>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct TlsPolicy {
    policy_type: String,
    #[serde(default)]
    policy_domain: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Summary {
    #[serde(default)]
    total_successful_session_count: u64,
    #[serde(default)]
    total_failure_session_count: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Failure {
    result_type: String,
    #[serde(default)]
    receiving_mx_hostname: String,
    #[serde(default)]
    failed_session_count: u64,
}

fn tls(bytes: &[u8]) -> Result<TlsReport, String> {
    let read: TlsRpt =
        serde_json::from_slice(bytes).map_err(|error| format!("it is no TLS report: {error}"))?;
    let second = |text: &str| text.parse::<jiff::Timestamp>().map_or(0, jiff::Timestamp::as_second);
    Ok(TlsReport {
        organisation: read.organization_name,
        id: read.report_id,
        begin: second(&read.date_range.start_datetime),
        end: second(&read.date_range.end_datetime),
        policies: read
            .policies
            .into_iter()
            .map(|result| TlsPolicyReport {
                domain: result.policy.policy_domain.to_ascii_lowercase(),
                kind: result.policy.policy_type,
                successes: result.summary.total_successful_session_count,
                failures: result.summary.total_failure_session_count,
                details: result
                    .failure_details
                    .into_iter()
                    .take(ROWS)
                    .map(|failure| {
                        (failure.result_type, failure.receiving_mx_hostname, failure.failed_session_count)
                    })
                    .collect(),
            })
            .collect(),
    })
}
