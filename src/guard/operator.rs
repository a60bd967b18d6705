//! Whoever logs in to this host while the daemon runs is not banned either.

use std::sync::mpsc::Sender;
use std::time::Duration;

use mailward_decide::Protection;
use mailward_model::{Network, Span};
use mailward_source::Waker;

use super::{Guard, Message, clock};
use crate::config::discover::{Host, operator_sessions};

/// How often sessions are looked for.
const EVERY: Duration = Duration::from_secs(60);
/// How long a session protects its place after it was last seen.
pub(crate) const KEPT: Span = Span::from_hours(12);

/// Looks for sessions on a thread of its own: it asks other programs, which may be slow.
pub(super) fn follow(sender: Sender<Message>, waker: Waker) {
    let look = move || {
        loop {
            std::thread::sleep(EVERY);
            let places: Vec<Network> =
                operator_sessions(&Host::this()).into_iter().map(Network::host).collect();
            if places.is_empty() {
                continue;
            }
            if sender.send(Message::Sessions(places)).is_err() {
                return;
            }
            waker.wake();
        }
    };
    // Without it only sessions from before the start are protected; there is nothing better to do.
    let _ = std::thread::Builder::new().name("operator".into()).spawn(look);
}

impl Guard {
    /// Protects these places for a while, and lifts bans that would cut them off.
    pub(super) fn protect_sessions(&mut self, places: &[Network]) {
        if !self.setup.protect_operator {
            return;
        }
        let now = clock();
        let until = now.plus(KEPT);
        let never = self.engine.bans_mut().never_ban_mut();
        for place in places {
            never.unprotect(*place, |why| *why == Protection::OperatorSession);
            never.protect(*place, Protection::OperatorSession, Some(until));
        }
        self.porter.protect_sessions(places, until);
        for protected in self.engine.bans().forbidden(now) {
            if let Some(ban) = self.engine.bans_mut().lift(protected.target) {
                self.lift(&ban, now, "mailward", "somebody is logged in to this host from there");
            }
        }
    }
}
