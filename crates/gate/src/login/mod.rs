//! Dovecot asks (auth policy).

mod logins;
mod telling;
mod theft;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use mailward_decide::login::Ground;
use mailward_model::Signal;
use mailward_wire::auth_policy::{Answer, Attempt, Command};
use mailward_wire::http::{Decoder, Request};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::door::{Limits, Seat, Service};
use crate::stream::Stream;
use crate::{Report, State, Tell, clock};

pub use logins::{Decided, Explained, Logins, Settings};
pub use telling::LoginEvent;

/// Answers Dovecot.
pub(crate) struct Desk {
    state: Rc<RefCell<State>>,
    tell: Tell,
}

/// Read at once; a request is about 500 bytes.
const PIECE: usize = 4 << 10;
/// How long the answer to a report that locks somebody out waits for the disk. Dovecot does not wait for it, and a slow disk
/// must not hold the connection.
const DISK: Duration = Duration::from_millis(3);

impl Desk {
    pub(crate) const fn new(state: Rc<RefCell<State>>, tell: Tell) -> Self {
        Self { state, tell }
    }

    /// Appends the answer.
    async fn answer(&self, request: &Request<'_>, out: &mut Vec<u8>) {
        let begun = Instant::now();
        let kept = {
            let state = &mut *self.state.borrow_mut();
            let kept = self.serve(state, request, out);
            state.stats.login_latency.add(begun.elapsed());
            kept
        };
        if let Some(kept) = kept {
            // Too late, or nobody there to write it: the log tells of the failure, too.
            let _ = timeout(DISK, kept).await;
        }
    }

    /// Gives whose word is to be waited for before the answer is sent.
    fn serve(&self, state: &mut State, request: &Request<'_>, out: &mut Vec<u8>) -> Option<Kept> {
        let State { bans, logins, geo, stats, .. } = state;
        let (now, stays) = (clock(), request.keep_alive);
        if !logins.knows(request) {
            stats.wrong_keys += 1;
            Answer::Unauthorized.write(stays, out);
            return None;
        }
        stats.wrong_keys = 0;
        match Command::of(request) {
            Ok(Command::Allow(attempt)) => {
                let judgement = logins.allow((bans, geo), &attempt, now);
                *stats.login.entry((judgement.verdict.name(), judgement.ground.name())).or_default() += 1;
                if let Ground::Stolen(_) = judgement.ground
                    && let Some(signal) = logins.stolen(&attempt, now)
                {
                    self.tell_theft(logins, &attempt, signal);
                }
                Answer::Status(logins.status(judgement.verdict)).write(stays, out);
            }
            Ok(Command::Report(report)) => {
                Answer::Done.write(stays, out);
                if let Some(signal) = logins.travelled(geo, &report, now) {
                    (self.tell)(Report::Signal(signal));
                }
                let (event, is_locked) = logins.report((bans, geo), &report, now)?;
                let (keep, kept) = is_locked.then(oneshot::channel).unzip();
                (self.tell)(Report::Refusal(event, keep));
                return kept;
            }
            // Any program of this host comes this far; it must not put itself on the allow list.
            Ok(other) if !logins.has_key() && other != Command::Ping => {
                let why = "only with a key: set [login] key in mailward.toml, and send it in X-API-Key";
                Answer::Failed(403, why.to_owned()).write(stays, out);
            }
            Ok(other) => logins.manage(other, now).write(stays, out),
            Err(error) => {
                stats.garbled += 1;
                Answer::from(error).write(stays, out);
            }
        }
        None
    }

    /// Tells that a password is stolen: at once, or when no report says that it was wrong.
    fn tell_theft(&self, logins: &mut Logins, attempt: &Attempt<'_>, signal: Signal) {
        let Some(question) = logins.unconfirmed(attempt) else { return (self.tell)(Report::Signal(signal)) };
        if !logins.suspicions().suspect(question) {
            return;
        }
        let (state, tell) = (Rc::clone(&self.state), Rc::clone(&self.tell));
        tokio::task::spawn_local(async move {
            sleep(theft::REPORTED).await;
            if state.borrow_mut().logins.suspicions().is_confirmed(question) {
                tell(Report::Signal(signal));
            }
        });
    }
}

/// Comes when what was told is on the disk.
type Kept = oneshot::Receiver<()>;

impl Service for Desk {
    async fn converse(&self, mut stream: Stream, seat: &Seat, limits: Limits) {
        let (mut decoder, mut piece, mut out) = (Decoder::default(), [0; PIECE], Vec::new());
        loop {
            let patience = if decoder.is_amid() { limits.patience } else { limits.idle };
            let Ok(length @ 1..) = stream.read(&mut piece, patience).await else { return };
            decoder.push(piece.get(..length).unwrap_or_default());
            let mut stays = true;
            while stays {
                match decoder.next_request() {
                    Ok(None) => break,
                    Ok(Some(request)) => {
                        seat.heard();
                        stays = request.keep_alive;
                        self.answer(&request, &mut out).await;
                    }
                    Err(error) => {
                        self.state.borrow_mut().stats.garbled += 1;
                        Answer::from(error).write(false, &mut out);
                        stays = false;
                    }
                }
            }
            if stream.write(&out, limits.patience).await.is_err() || !stays {
                return;
            }
            out.clear();
        }
    }
}
