//! `mailward audit` from the command line: facts that were collected elsewhere, its reports, exit codes, what was accepted, and how
//! its page looks in a browser.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

/// A server of which four commands and one file are known; enough for some checks to fail, and some to pass.
fn facts(directory: &Path, changes: &str) -> PathBuf {
    let said = |stdout: &str| json!({ "is": { "status": 0, "stdout": stdout } });
    let postconf = format!(
        "compatibility_level = 3.6\nmyhostname = mail.example.org\nmydestination = localhost\n\
         mynetworks = 127.0.0.0/8 [::1]/128\nsmtpd_banner = $myhostname ESMTP\nsmtpd_helo_required = yes\n\
         disable_vrfy_command = yes\nsmtpd_forbid_bare_newline = normalize\n{changes}"
    );
    let facts = json!({
        "about": { "version": "0.1.0", "taken": "2026-03-01T12:00:00Z", "host": "mail.example.org" },
        "said": {
            "postconf mail_version": said("mail_version = 3.7.11\n"),
            "postconf -n": said(&postconf),
            "postconf -M": said("smtp       inet  n       -       y       -       -       smtpd\n"),
            "postconf -P": said(""),
        },
    });
    let path = directory.join("facts.json");
    std::fs::write(&path, facts.to_string()).unwrap();
    path
}

/// Runs `mailward audit` with a configuration of its own, so that this machine's does not matter.
fn audit(directory: &Path, config: &str, args: &[&str]) -> Output {
    let file = directory.join("mailward.toml");
    let state = format!("[guard]\nstate-directory = \"{}/state\"\n{config}", directory.display());
    std::fs::write(&file, state).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailward"));
    command.arg("--config").arg(&file).arg("audit").args(args);
    command.env("COLUMNS", "80").env_remove("SSH_CONNECTION").output().unwrap()
}

fn report(directory: &Path, config: &str, args: &[&str]) -> Value {
    let output = audit(directory, config, &[args, &["--format", "json"]].concat());
    assert!(matches!(output.status.code(), Some(0 | 1)), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn ids(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|finding| finding["id"].as_str().unwrap()).collect()
}

const VRFY: &str = "disable_vrfy_command = no\n";

#[test]
fn a_weakness_is_found_in_facts_of_another_machine() {
    let directory = tempfile::tempdir().unwrap();
    let sound = facts(directory.path(), "");
    let before = report(directory.path(), "", &["--facts", sound.to_str().unwrap()]);
    assert!(!ids(&before["findings"]).contains(&"SMT-007"));
    assert!(ids(&before["passed"]).contains(&"SMT-007"));
    let weak = facts(directory.path(), VRFY);
    let after = report(directory.path(), "", &["--facts", weak.to_str().unwrap()]);
    let mut new = ids(&after["findings"]);
    new.retain(|id| !ids(&before["findings"]).contains(id));
    assert_eq!(new, ["SMT-007"]);
    assert_eq!((&after["host"], &after["schema"]), (&json!("mail.example.org"), &json!(1)));
}

#[test]
fn exit_codes_say_what_was_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = facts(directory.path(), VRFY);
    let path = path.to_str().unwrap();
    let bad = directory.path().join("bad.json");
    std::fs::write(&bad, "no facts").unwrap();
    for (args, code, said) in [
        (vec!["--facts", path, "--only", "SMT-007"], 1, ""),
        (vec!["--facts", path, "--only", "SMT-007", "--fail-on", "medium"], 0, ""),
        (vec!["--facts", path, "--fail-on", "never"], 0, ""),
        (vec!["--facts", path, "--skip", "SMT-007", "--only", "SMT-007"], 0, ""),
        (vec!["--facts", path, "--only", "SMT-999"], 2, "neither a check nor a family"),
        (vec!["--facts", path, "--explain", "nonsense"], 2, "neither a check nor a family"),
        (vec!["--facts", bad.to_str().unwrap()], 3, "holds no facts"),
        (vec!["--facts", "/nowhere/facts.json"], 3, "--save-facts"),
        (vec!["--facts", path, "--remote", "mail.example.org"], 2, "cannot be used with"),
        (vec!["--resolver", "example", "--offline", "--no-log"], 2, "--resolver example"),
    ] {
        let output = audit(directory.path(), "", &args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {stderr}");
        assert!(stderr.contains(said), "{args:?}: {stderr}");
    }
}

#[test]
fn everything_about_one_check() {
    let directory = tempfile::tempdir().unwrap();
    let path = facts(directory.path(), VRFY);
    let path = path.to_str().unwrap();
    for (id, said) in [
        ("smt-007", vec!["disable_vrfy_command = no", "+ disable_vrfy_command = yes", "postfix reload"]),
        ("SMT-014", vec!["SMT-014", "passed", "normalize"]),
        ("DMS-001", vec!["does not apply"]),
        ("QUE-001", vec!["could not tell"]),
    ] {
        let output = audit(directory.path(), "", &["--facts", path, "--explain", id]);
        let text = String::from_utf8(output.stdout).unwrap();
        for part in said {
            assert!(text.contains(part), "{id}: no {part:?} in {text}");
        }
    }
}

#[test]
fn what_is_accepted_does_not_count_and_stays_in_sight() {
    let directory = tempfile::tempdir().unwrap();
    let path = facts(directory.path(), VRFY);
    let path = path.to_str().unwrap();
    let entry = |until| {
        format!(
            "[audit]\naccept = [{{ check = \"SMT-007\", reason = \"a partner asks\", owner = \"alice\", until = \"{until}\" }}]\n"
        )
    };
    let accepted = report(directory.path(), &entry("9999-12-31"), &["--facts", path]);
    assert!(!ids(&accepted["findings"]).contains(&"SMT-007"));
    assert_eq!(ids(&accepted["suppressed"]), ["SMT-007"]);
    assert_eq!(accepted["suppressed"][0]["suppression"]["owner"], "alice");
    let over = report(directory.path(), &entry("2020-01-01"), &["--facts", path]);
    assert!(ids(&over["findings"]).contains(&"SMT-007"));
    assert!(over["notes"][0].as_str().unwrap().contains("it counts again"));
}

#[test]
fn an_earlier_report_tells_what_is_new_and_what_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let weak = facts(directory.path(), VRFY);
    let baseline = directory.path().join("before.json");
    let args =
        ["--facts", weak.to_str().unwrap(), "--format", "json", "--output", baseline.to_str().unwrap()];
    assert_eq!(audit(directory.path(), "", &args).status.code(), Some(1));
    let other = facts(directory.path(), "soft_bounce = yes\n");
    let args = ["--facts", other.to_str().unwrap(), "--baseline", baseline.to_str().unwrap()];
    let after = report(directory.path(), "", &args);
    let change = |id: &str| {
        let all = after["findings"].as_array().unwrap();
        all.iter().find(|finding| finding["id"] == id).map(|finding| finding["change"].clone())
    };
    assert_eq!(change("PFX-021"), Some(json!("new")));
    assert_eq!(change("SMT-007"), None);
    assert_eq!(ids(&after["fixed"]), ["SMT-007"]);
    assert_eq!(change("SMT-013"), Some(json!("unchanged")));
}

#[test]
fn sarif_names_rules_places_and_fingerprints() {
    let directory = tempfile::tempdir().unwrap();
    let path = facts(directory.path(), VRFY);
    let args = ["--facts", path.to_str().unwrap(), "--only", "SMT-007", "--format", "sarif"];
    let sarif: Value = serde_json::from_slice(&audit(directory.path(), "", &args).stdout).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    assert_eq!(run["tool"]["driver"]["rules"][0]["id"], "SMT-007");
    let result = &run["results"][0];
    assert_eq!((&result["ruleId"], &result["level"]), (&json!("SMT-007"), &json!("note")));
    assert_eq!(result["partialFingerprints"]["mailward/v1"], "SMT-007");
    assert!(!result["locations"].as_array().unwrap().is_empty());
}

#[test]
fn the_terminal_report_fits_80_columns() {
    let directory = tempfile::tempdir().unwrap();
    let path = facts(directory.path(), VRFY);
    let output = audit(directory.path(), "", &["--facts", path.to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    // A command is never broken: it is copied and typed.
    let long: Vec<_> =
        text.lines().filter(|line| line.chars().count() > 80 && !line.contains("mailward audit")).collect();
    assert!(long.is_empty(), "{long:#?}");
    assert!(text.contains("SMT-007") && text.contains("could not be told"), "{text}");
}

/// A page that holds the report in a frame of a given width, and writes down how wide its content became.
fn measuring(report: &Path, width: u32) -> String {
    format!(
        "<!doctype html><iframe id=f src='file://{}' style='width:{width}px;height:900px;border:0'></iframe><script>\
         f.onload = () => {{ document.title = 'width ' + f.contentDocument.documentElement.scrollWidth; }};</script>",
        report.display()
    )
}

/// The report in a real browser: nothing sticks out at the width of a phone or of a desktop.
#[test]
fn the_page_fits_a_phone_and_a_desktop() {
    let Some(chromium) =
        ["/usr/bin/chromium", "/usr/bin/chromium-browser"].iter().find(|path| Path::new(path).exists())
    else {
        eprintln!("SKIPPED: no Chromium here; `cargo xtask setup` installs it");
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let path = facts(directory.path(), VRFY);
    let page = directory.path().join("audit.html");
    let args = ["--facts", path.to_str().unwrap(), "--format", "html", "--output", page.to_str().unwrap()];
    audit(directory.path(), "", &args);
    for width in [390, 1280] {
        let wrapper = directory.path().join("wrapper.html");
        std::fs::write(&wrapper, measuring(&page, width)).unwrap();
        let profile = format!("--user-data-dir={}", directory.path().join("profile").display());
        let output = Command::new(chromium)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files", &profile])
            .args(["--window-size=1400,1000", "--virtual-time-budget=10000", "--dump-dom"])
            .arg(format!("file://{}", wrapper.display()))
            .output()
            .unwrap();
        let dom = String::from_utf8_lossy(&output.stdout);
        let told = dom.split("<title>width ").nth(1).and_then(|rest| rest.split('<').next());
        let measured: u32 = told.unwrap_or_default().parse().unwrap_or_else(|_| panic!("no width in {dom}"));
        assert!(measured <= width, "the page is {measured} wide in {width}");
    }
}
