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
        let placed =
            |service, list: &str| placed(postfix, service, parameter, &without(list, endpoint), &rule);
        if !is_wired(&main, endpoint) {
            changes.push(Change::parameter(parameter, placed(None, &main)));
        }
        // What comes back from a filter was asked about when it came in.
        for service in postfix.smtpd().filter(|service| !postfix.loopback_only(service)) {
            let own = service.overridden(parameter).filter(|own| !is_wired(own, endpoint));
            changes.extend(
                own.map(|own| Change::overriding(service.key(), parameter, placed(Some(service), own))),
            );
        }
    }
    changes
}

/// Whether a list asks there, and goes on by itself where nobody answers.
fn is_wired(list: &str, endpoint: &str) -> bool {
    let goes_on = |piece: &String| words(piece).any(|word| word.eq_ignore_ascii_case("default_action=dunno"));
    list::pieces(list).iter().any(|piece| asks(piece, endpoint) && goes_on(piece))
}

/// The list without rules that ask there, such as those of a service that listened there before.
fn without(list: &str, endpoint: &str) -> String {
    list::without(list, |piece| asks(piece, endpoint))
}

fn asks(piece: &str, endpoint: &str) -> bool {
    let mut words = words(piece);
    words.next() == Some("check_policy_service") && words.any(|word| word == endpoint)
}

fn words(piece: &str) -> impl Iterator<Item = &str> {
    piece.split(|c: char| c.is_whitespace() || ",{}".contains(c)).filter(|word| !word.is_empty())
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
