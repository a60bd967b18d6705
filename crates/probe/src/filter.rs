//! What a packet filter for this machine is made from.

use std::fs;
use std::io::ErrorKind;
use std::time::Duration;

use mailward_audit::facts::File;
use mailward_audit::{Facts, Known};
use mailward_host::run::Limits;

use crate::host;
use crate::place::Place;

/// The loaded rules, as everybody who has some lists them, and where sshd listens.
const COMMANDS: [&str; 4] = ["nft -j list ruleset", "iptables-save", "ip6tables-save", "sshd -T"];

/// Whether ufw is in force.
const UFW: &str = "/etc/ufw/ufw.conf";

/// One file for each certificate.
const RENEWALS: &str = "/etc/letsencrypt/renewal";

/// A host with more certificates has others like the first ones.
const MOST: usize = 1_000;

/// A ruleset with very many banned addresses takes a second.
const LIMITS: Limits = Limits { timeout: Duration::from_secs(20), max_output: 64 << 20 };

/// Looks at what listens on this machine, and at who filters. The mail server may run in a container: what counts is what the
/// machine itself sees of the network.
#[must_use]
pub fn filter() -> Facts {
    let place = Place::here();
    let mut facts = Facts { host: host::network(&place), ..Facts::default() };
    for command in COMMANDS {
        let words: Vec<&str> = command.split(' ').collect();
        facts.said.insert(command.to_owned(), place.run(&words, LIMITS));
    }
    let ufw = match fs::read_to_string(UFW) {
        Ok(text) => Known::Is(File::of(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Known::Absent,
        Err(error) => Known::Unread(format!("cannot read {UFW}: {error}")),
    };
    facts.files.insert(UFW.to_owned(), ufw);
    facts.files.extend(renewals());
    facts
}

/// How certbot renews certificates: its own server listens only then.
fn renewals() -> impl Iterator<Item = (String, Known<File>)> {
    let entries = fs::read_dir(RENEWALS).into_iter().flatten().flatten();
    entries.take(MOST).filter_map(|entry| {
        let path = entry.path().to_str()?.to_owned();
        let text = fs::read_to_string(&path).ok().filter(|_| path.ends_with(".conf"))?;
        Some((path, Known::Is(File::of(text))))
    })
}
