//! The mail host that is weakened, and what the audit says of it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use mailward_lab::Lab;
use mailward_lab::topology::{MAIL4, Place};
use serde_json::Value;

/// The lab's mail host.
pub(crate) struct Host<'a> {
    pub(crate) lab: &'a Lab,
    pub(crate) mailward: &'a Path,
}

/// From where the audit looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// On the host, without a connection.
    Offline,
    /// On the host, its ports too.
    Ports,
    /// Over the network, as a stranger.
    Outside,
}

/// What an audit found: findings by fingerprint, each as it stands in the report.
pub(super) struct Seen {
    pub(super) findings: BTreeMap<String, Value>,
    pub(super) took: Duration,
}

impl Host<'_> {
    /// Where a file of the mail host is on this machine.
    pub(super) fn file(&self, path: &str) -> Result<PathBuf> {
        self.lab.file(Path::new(path)).with_context(|| format!("{path} is not the mail host's own"))
    }

    /// Runs a program on the mail host.
    pub(super) fn run(&self, words: &[&str]) -> Result<String> {
        let (status, out, errors) = self.output(Place::Mail, words)?;
        ensure!(status == Some(0), "{words:?}: {errors}");
        Ok(out)
    }

    /// Tells the daemons of their new configuration, where anybody is going to ask them.
    pub(super) fn reload(&self, look: Look) -> Result<()> {
        if look != Look::Offline {
            self.run(&["/usr/sbin/postfix", "reload"])?;
            self.run(&["/usr/bin/doveadm", "reload"])?;
        }
        Ok(())
    }

    pub(crate) fn output(&self, place: Place, words: &[&str]) -> Result<(Option<i32>, String, String)> {
        let (program, args) = words.split_first().context("a command without words")?;
        let args: Vec<OsString> = args.iter().map(Into::into).collect();
        let output = self.lab.command(place, program.as_ref(), &args)?.output()?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok((output.status.code(), text(output.stdout), text(output.stderr)))
    }

    /// Audits. From outside, what fits the findings of the ports alone is told.
    pub(super) fn audit(&self, look: Look) -> Result<Seen> {
        let address = MAIL4.to_string();
        let (place, how): (_, &[&str]) = match look {
            Look::Offline => (Place::Mail, &["--offline"]),
            Look::Ports => (Place::Mail, &["--resolver", "none"]),
            Look::Outside => (
                Place::Good,
                &[
                    "--resolver",
                    "none",
                    "--domain",
                    "example.org",
                    "--domain",
                    "example.net",
                    "--remote",
                    &address,
                ],
            ),
        };
        let mailward = self.mailward.to_string_lossy();
        let words = [&[&*mailward, "audit", "--format", "json"], how].concat();
        let begin = Instant::now();
        let (status, out, errors) = self.output(place, &words)?;
        ensure!(matches!(status, Some(0 | 1)), "{words:?}: {errors}");
        let report: Value = serde_json::from_str(&out).context("the audit's JSON")?;
        let findings =
            report.get("findings").and_then(Value::as_array).context("a report without findings")?;
        let named = |finding: &Value| {
            let name = finding.get("fingerprint").and_then(Value::as_str).unwrap_or_default();
            (name.to_owned(), finding.clone())
        };
        Ok(Seen { findings: findings.iter().map(named).collect(), took: begin.elapsed() })
    }
}
