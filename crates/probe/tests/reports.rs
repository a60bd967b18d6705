//! Received reports, as providers send them and as attackers do.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::io::Write;
use std::path::Path;

use mailward_audit::facts::Reports;
use mailward_probe::reports::read;

const DMARC: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<feedback xmlns="urn:ietf:params:xml:ns:dmarc-2.0">
  <version>1.0</version>
  <report_metadata>
    <org_name>receiver.example</org_name><email>dmarc@receiver.example</email>
    <report_id>2026-02-28.1</report_id>
    <date_range><begin>1772150400</begin><end>1772236800</end></date_range>
  </report_metadata>
  <policy_published><domain>Example.org</domain><adkim>r</adkim><aspf>r</aspf><p>none</p><sp>none</sp><pct>100</pct></policy_published>
  <record>
    <row><source_ip>192.0.2.25</source_ip><count>12</count>
      <policy_evaluated><disposition>none</disposition><dkim>pass</dkim><spf>fail</spf></policy_evaluated></row>
    <identifiers><header_from>example.org</header_from></identifiers>
    <auth_results>
      <dkim><domain>example.org</domain><selector>mail</selector><result>pass</result></dkim>
      <dkim><domain>list.example</domain><result>fail</result></dkim>
      <spf><domain>example.org</domain><result>softfail</result></spf>
    </auth_results>
  </record>
  <record>
    <row><source_ip>2001:db8::66</source_ip><count>3</count>
      <policy_evaluated><disposition>quarantine</disposition><dkim>fail</dkim><spf>fail</spf></policy_evaluated></row>
    <identifiers><header_from>shop.example.org</header_from></identifiers>
    <auth_results><spf><domain>evil.example</domain><result>none</result></spf></auth_results>
  </record>
</feedback>
"#;

const TLS: &str = r#"{"organization-name":"sender.example","date-range":{"start-datetime":"2026-02-27T00:00:00Z",
"end-datetime":"2026-02-27T23:59:59Z"},"contact-info":"tls@sender.example","report-id":"t1","policies":[{"policy":{"policy-type":"sts",
"policy-string":["version: STSv1"],"policy-domain":"Example.org"},"summary":{"total-successful-session-count":90,
"total-failure-session-count":7},"failure-details":[{"result-type":"certificate-expired","sending-mta-ip":"192.0.2.9",
"receiving-mx-hostname":"mail.example.org","failed-session-count":7}]}]}"#;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A mail with one attachment.
fn mail(name: &str, kind: &str, bytes: &[u8]) -> Vec<u8> {
    let encoded = mailward_audit::records::base64::encode(bytes);
    let lines: Vec<_> =
        encoded.as_bytes().chunks(76).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    format!(
        "From: dmarc@receiver.example\r\nTo: reports@example.org\r\nSubject: Report domain: example.org\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nA report.\r\n--b\r\n\
         Content-Type: {kind}; name=\"{name}\"\r\nContent-Disposition: attachment; filename=\"{name}\"\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{}\r\n--b--\r\n",
        lines.join("\r\n")
    )
    .into_bytes()
}

fn reports(files: &[(&str, Vec<u8>)]) -> Reports {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    read(folder.path()).known().unwrap().clone()
}

#[test]
fn a_dmarc_report_is_read_from_every_wrapping() {
    let xml = DMARC.as_bytes();
    for (name, bytes) in [
        ("report.xml", xml.to_vec()),
        ("report.xml.gz", gzip(xml)),
        ("report.zip", zipped(&[("report.xml", xml)])),
        ("Maildir/new/1.mail", mail("report.xml.gz", "application/gzip", &gzip(xml))),
        ("Maildir/cur/2.mail:2,S", mail("report.zip", "application/zip", &zipped(&[("report.xml", xml)]))),
    ] {
        let found = reports(&[(name, bytes)]);
        assert_eq!(found.refused, [], "{name}");
        let report = &found.dmarc[0];
        assert_eq!(
            (report.domain.as_str(), report.policy.as_str(), report.rows.len()),
            ("example.org", "none", 2),
            "{name}"
        );
        assert_eq!((report.begin, report.end), (1_772_150_400, 1_772_236_800));
        let (own, other) = (&report.rows[0], &report.rows[1]);
        assert!(own.dkim && !own.spf && own.passes() && own.count == 12);
        assert_eq!(own.signatures[0], ("example.org".to_owned(), "mail".to_owned(), "pass".to_owned()));
        assert_eq!(
            (other.header_from.as_str(), other.disposition.as_str()),
            ("shop.example.org", "quarantine")
        );
    }
}

#[test]
fn a_tls_report_is_read() {
    let found = reports(&[("t.json.gz", gzip(TLS.as_bytes()))]);
    let policy = &found.tls[0].policies[0];
    assert_eq!((policy.domain.as_str(), policy.successes, policy.failures), ("example.org", 90, 7));
    assert_eq!(policy.details, [("certificate-expired".to_owned(), "mail.example.org".to_owned(), 7)]);
    assert_eq!(found.tls[0].begin, 1_772_150_400);
}

#[test]
fn a_report_that_comes_twice_counts_once() {
    let found = reports(&[("a.xml", DMARC.into()), ("b.xml.gz", gzip(DMARC.as_bytes()))]);
    assert_eq!((found.dmarc.len(), found.repeated), (1, 1));
}

/// What is odd is refused with a reason, and nothing else is lost by it.
#[test]
fn hostile_reports_are_refused() {
    let entities = DMARC.replace("<feedback", "<!DOCTYPE lolz [<!ENTITY lol \"lol\">]><feedback");
    let bomb = gzip(&vec![b' '; 64 << 20]);
    let nested = gzip(&gzip(&gzip(&gzip(DMARC.as_bytes()))));
    let two = zipped(&[("a.xml", DMARC.as_bytes()), ("b.xml", DMARC.as_bytes())]);
    let found = reports(&[
        ("bomb.xml.gz", bomb),
        ("broken.xml", DMARC[..400].into()),
        ("entities.xml", entities.into()),
        ("letter.mail", b"Subject: hello\r\n\r\nNot a report.\r\n".to_vec()),
        ("nested.gz", nested),
        ("sound.xml", DMARC.into()),
        ("two.zip", two),
        ("words.json", b"{\"no\": \"report\"}".to_vec()),
    ]);
    assert_eq!(found.dmarc.len(), 1);
    let mut refused: Vec<_> = found
        .refused
        .iter()
        .map(|(file, why)| format!("{}: {why}", Path::new(file).file_name().unwrap().to_string_lossy()))
        .collect();
    refused.sort();
    for (line, said) in refused.iter().zip([
        "bomb.xml.gz: the unpacked report is larger than 32 MB",
        "broken.xml: it is no DMARC report",
        "entities.xml: it declares a document type",
        "nested.gz: an archive in an archive",
        "two.zip: the archive holds 2 files",
        "words.json: it is no TLS report",
    ]) {
        assert!(line.starts_with(said), "{line}");
    }
    assert_eq!(refused.len(), 6, "{refused:#?}");
}

#[test]
fn a_folder_that_is_not_there_is_told() {
    let told = read(Path::new("/nowhere/reports")).get().unwrap_err();
    assert!(format!("{told:?}").contains("/nowhere/reports"));
}
