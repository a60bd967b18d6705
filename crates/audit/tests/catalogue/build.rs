//! Facts for cases: small servers, to be weakened one setting at a time.

#![expect(dead_code, reason = "families use what they need")]

use mailward_audit::Facts;
use mailward_audit::facts::{Deployment, File, Known, Said};

/// A server of which nothing is known but when it was looked at.
pub(crate) fn nothing() -> Facts {
    let mut facts = Facts::default();
    facts.about.taken = "2026-03-01T12:00:00Z".to_owned();
    facts.about.host = "mail.example.org".to_owned();
    facts
}

/// With what a command said.
pub(crate) fn said(mut facts: Facts, command: &str, stdout: &str) -> Facts {
    facts.said.insert(command.to_owned(), Known::Is(Said::ok(stdout)));
    facts
}

/// With a file.
pub(crate) fn file(mut facts: Facts, path: &str, text: &str) -> Facts {
    facts.files.insert(path.to_owned(), Known::Is(File::of(text)));
    facts
}

/// A docker-mailserver of which nothing else is known.
pub(crate) fn dms() -> Facts {
    let mut facts = nothing();
    facts.about.deployment = Deployment::DockerMailserver;
    facts
}
