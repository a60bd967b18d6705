//! Test mails to an address that the operator named.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use mailward_audit::Server;
use mailward_audit::facts::{Facts, MailService, Talk, Trial};
use mailward_probe::Place;
use mailward_probe::talk::{self, Mailing, Target};

use super::collect;
use crate::cli::Usage;

/// Test mails to port 25 of each host; of this one at an address of its own that it does not trust, where there is one.
pub(super) fn trials(
    facts: &Facts,
    local: bool,
    targets: &[Target],
    recipient: &str,
) -> anyhow::Result<Vec<Trial>> {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"<>\",;:\\()[]".contains(&byte);
    if !recipient.contains('@') || recipient.starts_with('-') || !recipient.bytes().all(plain) {
        return Err(Usage(format!("--deliver-to {recipient}: give a mail address of your own")).into());
    }
    let mailing = Mailing {
        recipient: recipient.to_owned(),
        token: format!("mailward-{:x}", jiff::Timestamp::now().as_microsecond()),
        log: facts.log.path.split(' ').next().filter(|path| local && !path.is_empty()).map(PathBuf::from),
        place: local.then(|| Place::behind(&facts.about.prefix)),
    };
    let own = untrusted(facts).filter(|_| local);
    let at = |target: &Target| {
        let address = own.map_or(target.address, |own| SocketAddr::new(own, target.address.port()));
        talk::trial(&Target { address, ..target.clone() }, &collect::manners(&[]), &mailing)
    };
    Ok(targets.iter().filter(|target| target.service == MailService::Smtp).map(at).collect())
}

/// A wrong password for the operator's own account and for one that nobody has, beside what else was said at each port.
pub(super) fn wrong_passwords(facts: &mut Facts, targets: &[Target], account: &str) {
    for target in targets {
        let tried = talk::wrong_passwords(target, &collect::manners(&[]), account);
        let same = |talk: &&mut Talk| {
            talk.port == target.address.port() && talk.address == target.address.ip().to_string()
        };
        if let Some(talk) = facts.talks.iter_mut().find(same) {
            talk.tried.extend(tried);
        }
    }
}

/// An address of this machine that Postfix does not trust: rules that spare trusted clients hold for it.
fn untrusted(facts: &Facts) -> Option<IpAddr> {
    let server = Server::new(facts);
    let trusted = server.postfix().ok()?.networks(None).ok()?;
    let own = facts.host.addresses.known()?;
    let mut own = own.iter().filter_map(|interface| interface.network.split('/').next()?.parse().ok());
    own.find(|address: &IpAddr| address.is_ipv4() && trusted.contains(*address) == Some(false))
}
