//! Which attacks in the log somebody on this host would stop, by kind: Mailward's rules, and fail2ban's jails as they are
//! configured.

use std::collections::BTreeSet;

use mailward_audit::Server;
use mailward_audit::facts::{Facts, LoggedAttack};
use mailward_audit::fail2ban::Jail;
use mailward_audit::fail2ban::trial::bans;
use mailward_report::audit::Covered;

/// A row per kind of attack, the most frequent first.
pub(super) fn rows(facts: &Facts) -> Vec<Covered> {
    let server = Server::new(facts);
    let jails: Vec<(&Jail, BTreeSet<String>)> = server
        .fail2ban()
        .map(|fail2ban| {
            fail2ban.jails.iter().map(|jail| (jail, bans(jail, &facts.log).into_keys().collect())).collect()
        })
        .unwrap_or_default();
    facts.log.attacks.iter().map(|attack| row(attack, &jails)).collect()
}

fn row(attack: &LoggedAttack, jails: &[(&Jail, BTreeSet<String>)]) -> Covered {
    let banned_by =
        |banned: &BTreeSet<String>| attack.sources.iter().any(|source| banned.contains(&source.address));
    let by: Vec<_> =
        jails.iter().filter(|(_, banned)| banned_by(banned)).map(|(jail, _)| jail.name.clone()).collect();
    let others = attack
        .sources
        .iter()
        .filter(|source| jails.iter().any(|(_, banned)| banned.contains(&source.address)))
        .count();
    Covered {
        attack: if attack.refused {
            format!("{} (refused anyway)", attack.title)
        } else {
            attack.title.clone()
        },
        seen: attack.count,
        sources: attack.distinct,
        mailward: attack.sources.iter().filter(|source| source.mailward.is_some()).count() as u64,
        others: others as u64,
        by: by.into_iter().map(|jail| format!("fail2ban {jail}")).collect(),
    }
}
