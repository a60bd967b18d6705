//! What testssl.sh and SSLyze say, in our words.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mailward_audit::facts::{Group, MailProtocol, Suite, TlsVersion};
use serde_json::Value;

/// What another scanner says of a port.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) versions: BTreeMap<TlsVersion, bool>,
    pub(crate) suites: BTreeMap<TlsVersion, BTreeSet<Suite>>,
    pub(crate) groups: Option<BTreeSet<Group>>,
    pub(crate) facts: BTreeMap<&'static str, String>,
    /// The groups it asks for; all that it names are curves.
    asked: BTreeSet<Group>,
    /// The suites it asks for; empty for all.
    suites_asked: BTreeSet<Suite>,
}

impl Told {
    pub(crate) fn knows(&self, group: Group) -> bool {
        self.asked.contains(&group)
    }

    pub(crate) fn asks(&self, suite: Suite) -> bool {
        self.suites_asked.is_empty() || self.suites_asked.contains(&suite)
    }
}

/// Where both are, unless one is missing.
pub(crate) fn installed() -> Option<(PathBuf, PathBuf)> {
    let find = |variable: &str, names: &[&str]| {
        let named = std::env::var_os(variable).map(PathBuf::from);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let found = std::env::split_paths(&path)
            .flat_map(|folder| names.iter().map(move |name| folder.join(name)).collect::<Vec<_>>());
        named.into_iter().chain(found).find(|path| path.exists())
    };
    let both = (find("TESTSSL", &["testssl", "testssl.sh"]), find("SSLYZE", &["sslyze"]));
    match both {
        (Some(testssl), Some(sslyze)) => Some((testssl, sslyze)),
        missing => {
            eprintln!("SKIPPED: testssl.sh and SSLyze have to be installed: {missing:?}");
            None
        }
    }
}

pub(crate) fn testssl(program: &Path, service: MailProtocol, port: u16, starttls: bool) -> Told {
    let folder = tempfile::TempDir::new().expect("a folder");
    let json = folder.path().join("out.json");
    let mut command = limited(program);
    command
        .args([
            "--quiet",
            "--color",
            "0",
            "--warnings",
            "off",
            "--ip",
            "one",
            "-p",
            "-E",
            "-f",
            "-S",
            "-U",
            "--jsonfile",
        ])
        .arg(&json);
    if starttls {
        command.args(["--starttls", &service.to_string()]);
    }
    command.arg(format!("localhost:{port}")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().expect("testssl.sh runs");
    let text = std::fs::read_to_string(&json).expect("its result");
    // What it wrote before it was ended lacks the bracket at the end.
    let text = text.trim_end();
    let whole =
        if text.ends_with(']') { text.to_owned() } else { format!("{}]", text.trim_end_matches(',')) };
    let rows: Vec<Value> = serde_json::from_str(&whole).expect("JSON");
    let text = |row: &Value, key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut told = Told { asked: [23, 24, 25, 29, 30].map(Group).into(), ..Told::default() };
    for row in &rows {
        let (id, finding) = (text(row, "id"), text(row, "finding"));
        testssl_row(&mut told, &id, &finding);
    }
    told
}

fn testssl_row(told: &mut Told, id: &str, finding: &str) {
    let version = |name: &str| {
        let names = ["sslv2", "sslv3", "tls1", "tls1_1", "tls1_2", "tls1_3"];
        let index = names.iter().position(|known| known.eq_ignore_ascii_case(name))?;
        TlsVersion::ALL.get(index).copied()
    };
    let vulnerable = || (!finding.starts_with("not vulnerable")).to_string();
    if let Some(version) = version(id) {
        told.versions.insert(version, finding.starts_with("offered"));
    } else if let Some((name, number)) = id.strip_prefix("cipher-").and_then(|rest| rest.rsplit_once("_x")) {
        let suite = Suite(u16::from_str_radix(number, 16).expect("a number"));
        told.suites.entry(version(name).expect("a version")).or_default().insert(suite);
    }
    let words = || finding.split_whitespace();
    match id {
        "PFS_ECDHE_curves" | "FS_ECDHE_curves" => told.groups = Some(words().map(group).collect()),
        "DH_groups" => {
            _ = told.facts.insert(
                "finite-field groups",
                words().filter(|word| word.starts_with("ffdhe")).collect::<Vec<_>>().join(" "),
            );
        }
        "cert_fingerprintSHA256" => _ = told.facts.insert("certificate", finding.to_ascii_lowercase()),
        "cert_keySize" => _ = told.facts.insert("key bits", words().nth(1).unwrap_or_default().to_owned()),
        "heartbleed" => _ = told.facts.insert("heartbleed", vulnerable()),
        "CCS" => _ = told.facts.insert("early CCS", vulnerable()),
        "ROBOT" => _ = told.facts.insert("ROBOT", vulnerable()),
        "CRIME_TLS" => _ = told.facts.insert("compression", vulnerable()),
        "secure_renego" => {
            _ = told.facts.insert("secure renegotiation", finding.starts_with("supported").to_string());
        }
        "TLS_session_ticket" => {
            let seconds = words().find(|word| word.parse::<u32>().is_ok()).unwrap_or("0");
            told.facts.insert("ticket lifetime", seconds.to_owned());
        }
        _ => {}
    }
}

/// A command that ends within five minutes.
fn limited(program: &Path) -> Command {
    let mut command = Command::new("/usr/bin/timeout");
    command.arg("300").arg(program);
    command
}

/// A group by any of its names.
fn group(name: &str) -> Group {
    let usual = match name {
        "prime256v1" => "secp256r1",
        "prime192v1" => "secp192r1",
        "X25519" => "x25519",
        "X448" => "x448",
        other => other,
    };
    Group::from(usual.to_owned())
}

pub(crate) fn sslyze(program: &Path, service: MailProtocol, port: u16, starttls: bool) -> Told {
    let folder = tempfile::TempDir::new().expect("a folder");
    let json = folder.path().join("out.json");
    let mut command = limited(program);
    command.arg("--json_out").arg(&json);
    if starttls {
        command.args(["--starttls", &service.to_string()]);
    }
    command.arg(format!("127.0.0.1:{port}")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // It exits with 1 when a server does not conform to Mozilla's profile.
    command.status().expect("SSLyze runs");
    let Ok(text) = std::fs::read_to_string(&json) else {
        eprintln!("  SSLyze did not end within five minutes");
        return Told::default();
    };
    let all: Value = serde_json::from_str(&small_numbers(&text)).expect("JSON");
    let scans = all.pointer("/server_scan_results/0/scan_result").expect("a result");
    let at = |path: &str| scans.pointer(path);
    let mut told = Told::default();
    let names = ["ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1", "tls_1_2", "tls_1_3"];
    for (version, name) in TlsVersion::ALL.into_iter().zip(names) {
        sslyze_suites(&mut told, version, at(&format!("/{name}_cipher_suites/result")));
    }
    let curves = |key: &str| {
        let list = at(&format!("/elliptic_curves/result/{key}")).and_then(Value::as_array);
        let names = list.into_iter().flatten().filter_map(|curve| curve.get("name")?.as_str());
        names.map(group).filter(|group| group.0 != 0).collect::<BTreeSet<_>>()
    };
    let accepted = curves("supported_curves");
    told.asked = accepted.union(&curves("rejected_curves")).copied().collect();
    told.groups = (!told.asked.is_empty()).then_some(accepted);
    let leaf = at("/certificate_info/result/certificate_deployments/0/received_certificate_chain/0/as_pem")
        .and_then(Value::as_str);
    let leaf = mailward_probe::tls::certificates(leaf.unwrap_or_default().as_bytes());
    let leaf = leaf.known().and_then(|all| all.first()).expect("a certificate");
    told.facts.insert("certificate", leaf.sha256.clone());
    for (what, path) in [
        ("heartbleed", "/heartbleed/result/is_vulnerable_to_heartbleed"),
        ("early CCS", "/openssl_ccs_injection/result/is_vulnerable_to_ccs_injection"),
        ("compression", "/tls_compression/result/supports_compression"),
        ("secure renegotiation", "/session_renegotiation/result/supports_secure_renegotiation"),
        ("master secret", "/tls_extended_master_secret/result/supports_ems_extension"),
    ] {
        if let Some(value) = at(path).and_then(Value::as_bool) {
            told.facts.insert(what, value.to_string());
        }
    }
    if let Some(robot) = at("/robot/result/robot_result").and_then(Value::as_str) {
        told.facts.insert("ROBOT", (!robot.starts_with("NOT_VULNERABLE")).to_string());
    }
    told
}

/// Serial numbers and moduli are written as numbers of any length; nobody asks for them here.
fn small_numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut quoted, mut escaped, mut digits) = (false, false, 0);
    for letter in text.chars() {
        digits = if letter.is_ascii_digit() && !quoted { digits + 1 } else { 0 };
        quoted ^= letter == '"' && !escaped;
        escaped = letter == '\\' && !escaped;
        if digits <= 15 {
            out.push(letter);
        }
    }
    out
}

fn sslyze_suites(told: &mut Told, version: TlsVersion, result: Option<&Value>) {
    let Some(result) = result else { return };
    let list = |key: &str| {
        let list = result.get(key).and_then(Value::as_array);
        let names =
            list.into_iter().flatten().filter_map(|suite| suite.pointer("/cipher_suite/name")?.as_str());
        names.map(|name| Suite::from(name.to_owned())).filter(|suite| suite.0 != 0).collect::<BTreeSet<_>>()
    };
    let accepted = list("accepted_cipher_suites");
    told.versions.insert(version, !accepted.is_empty());
    told.suites_asked.extend(accepted.iter().copied().chain(list("rejected_cipher_suites")));
    if version > TlsVersion::Ssl2 {
        told.suites.insert(version, accepted);
    }
}
