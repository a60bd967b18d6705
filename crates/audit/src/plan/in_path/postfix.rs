//! Postfix asks the policy service about every recipient and every message.

use core::net::SocketAddr;

use super::Hindrance;
use crate::Server;
use crate::plan::{Change, Step, list};
use crate::postfix::{Postfix, Service};

/// What Postfix asks at. `smtpd_end_of_data_restrictions` tells how many recipients a message had in the end.
const ASKING: [&str; 3] =
    ["smtpd_recipient_restrictions", "smtpd_data_restrictions", "smtpd_end_of_data_restrictions"];

/// The steps after which Postfix asks, and goes on by itself where it is not answered; none where it does.
///
/// # Errors
/// [`Hindrance`] says why there can be none.
pub fn policy_service(
    server: &Server<'_>,
    in_container: bool,
    address: SocketAddr,
) -> Result<Vec<Step>, Hindrance> {
    let postfix = server.postfix().map_err(Hindrance::Untold)?;
    let changes = changes(postfix, &format!("inet:{address}"));
    if !changes.is_empty() && in_container && address.ip().is_loopback() {
        return Err(Hindrance::OtherHost);
    }
    Ok(changes.into_iter().map(|change| Step { change, reasons: Vec::new() }).collect())
}

fn changes(postfix: &Postfix<'_>, endpoint: &str) -> Vec<Change> {
    let rule = format!("check_policy_service {{ {endpoint}, timeout=3s, default_action=DUNNO }}");
    let mut changes = Vec::new();
    for parameter in ASKING {
        let main = postfix.written(None, parameter).unwrap_or_default();
        if !asks(&main, endpoint) {
            changes.push(Change::parameter(parameter, placed(postfix, None, parameter, &main, &rule)));
        }
        // What comes back from a filter was asked about when it came in.
        for service in postfix.smtpd().filter(|service| !postfix.loopback_only(service)) {
            let own = service.overridden(parameter).filter(|own| !asks(own, endpoint));
            changes.extend(own.map(|own| {
                let value = placed(postfix, Some(service), parameter, own, &rule);
                Change::overriding(service.key(), parameter, value)
            }));
        }
    }
    changes
}

fn asks(list: &str, endpoint: &str) -> bool {
    let is_it = |piece: &String| piece.starts_with("check_policy_service") && piece.contains(endpoint);
    list::pieces(list).iter().any(is_it)
}

/// Before all others, so that whoever is logged in is asked about, too; but not about mail that is relayed to strangers: where that is
/// not refused before, behind the rule that does.
fn placed(
    postfix: &Postfix<'_>,
    service: Option<&Service>,
    parameter: &str,
    list: &str,
    rule: &str,
) -> String {
    let refuses = |piece: &str| matches!(piece, "reject_unauth_destination" | "defer_unauth_destination");
    let relay = postfix.written(service, "smtpd_relay_restrictions").unwrap_or_default();
    let before = list::pieces(&postfix.expanded(service, &relay)).iter().any(|piece| refuses(piece));
    let own = list::pieces(list).iter().any(|piece| refuses(piece));
    if parameter == "smtpd_recipient_restrictions" && own && !before {
        return list::behind(list, refuses, rule);
    }
    list::first(list, rule)
}
