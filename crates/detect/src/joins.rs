//! One failed login counts once, although Postfix, Dovecot's auth and the login process each write a line.
//!
//! Dovecot's auth writes first, at the refusal; the line of the login process or of smtpd follows, with the same session
//! id or the same address and user. It is then counted only as far as it tells of more attempts than were counted. Where Dovecot
//! asks the login guard, its report is one more telling of the same refusal, mostly the first.

use std::hash::BuildHasher;

use mailward_model::{Account, Event, EventKind, Offence, Span, Stage};
use smallvec::SmallVec;

use crate::bounded::{Bounded, Worth};
use crate::source::Source;
use crate::window::seconds;

/// How long a refusal waits for the line that repeats it. Dovecot closes a login after three minutes, and its penalty
/// delays the answer by up to 17 seconds.
const PATIENCE: Span = Span::from_mins(4);

/// A refused password that another line may repeat.
#[derive(Clone, Copy, Debug)]
struct Refusal {
    /// What told it first.
    teller: EventKind,
    /// Whether both the report and the line of Dovecot's auth were there.
    is_twice_told: bool,
    session: Option<u64>,
    account: Option<u64>,
    number: u32,
    secs: u32,
}

#[derive(Debug, Default)]
struct Pending {
    refusals: SmallVec<[Refusal; 1]>,
    /// smtpd processes that wrote a line about a login of this source which their disconnect line will repeat.
    told: SmallVec<[(u32, u32); 1]>,
}

impl Pending {
    /// Whether a refusal was told before by another teller. Each telling answers one.
    fn knows(&mut self, new: &Refusal) -> bool {
        let oldest = new.secs.saturating_sub(PATIENCE.secs() as u32);
        let mut others =
            self.refusals.iter_mut().filter(|old| old.secs >= oldest && old.is_told_again_by(new));
        let Some(old) = others.next() else { return false };
        if old.teller == EventKind::LoginFailed {
            old.number -= 1;
        } else {
            old.is_twice_told = true;
        }
        self.refusals.retain(|refusal| refusal.number > 0);
        true
    }
}

impl Refusal {
    fn is_told_again_by(&self, new: &Self) -> bool {
        let same_session = self.session.is_some() && self.session == new.session;
        let same_account = self.account.is_some() && self.account == new.account;
        match (self.teller, new.teller) {
            // Without a session its line comes after the report.
            (EventKind::LoginFailed, EventKind::RefusalReported) => same_session,
            (EventKind::PasswordRefused, EventKind::RefusalReported)
            | (EventKind::RefusalReported, EventKind::PasswordRefused) => {
                let is_unknown = self.session.is_none() || new.session.is_none();
                !self.is_twice_told && (same_session || is_unknown && same_account)
            }
            _ => false,
        }
    }
}

impl Worth for Pending {
    fn worth(&self) -> (u32, u32) {
        let last = self.refusals.last().map_or(0, |r| r.secs).max(self.told.last().map_or(0, |t| t.1));
        (0, last)
    }
}

/// What the lines so far told about logins that later lines repeat.
#[derive(Debug)]
pub(crate) struct Joins {
    pending: Bounded<Pending>,
    hasher: foldhash::quality::RandomState,
}

impl Joins {
    /// The most that one source can have pending.
    const MOST: usize = 64;

    pub(crate) fn new(capacity: usize) -> Self {
        Self { pending: Bounded::new(capacity), hasher: foldhash::quality::RandomState::default() }
    }

    /// How many attempts this event adds to what was counted. It may be none.
    pub(crate) fn new_attempts(
        &mut self,
        event: &Event<'_>,
        source: Source,
        account: Option<&Account>,
    ) -> u32 {
        match event.kind {
            EventKind::PasswordRefused | EventKind::RefusalReported => self.refused(event, source, account),
            EventKind::LoginFailed => {
                self.told(event, source);
                let number = event.count.max(1).saturating_mul(event.repeated.max(1));
                let new = number.saturating_sub(self.claim(event, source, account, number));
                if new > 0 && !event.session_id.is_empty() {
                    // A report of it may still be under way.
                    self.expect(source, self.refusal(event, account, new));
                }
                new
            }
            EventKind::LoginUndecided => {
                self.told(event, source);
                event.repeated.max(1)
            }
            EventKind::LostConnection | EventKind::Timeout if event.stage == Stage::Auth => {
                if self.has_told(event, source) {
                    return 0;
                }
                self.told(event, source);
                event.repeated.max(1)
            }
            EventKind::Disconnect => self.at_disconnect(event, source),
            _ => event.count.max(1).saturating_mul(event.repeated.max(1)),
        }
    }

    fn refused(&mut self, event: &Event<'_>, source: Source, account: Option<&Account>) -> u32 {
        let refusal = self.refusal(event, account, event.repeated.max(1));
        if self.pending.get_mut(source).is_some_and(|pending| pending.knows(&refusal)) {
            return 0;
        }
        self.expect(source, refusal);
        refusal.number
    }

    fn refusal(&self, event: &Event<'_>, account: Option<&Account>, number: u32) -> Refusal {
        Refusal {
            teller: event.kind,
            is_twice_told: false,
            session: self.hash(event.session_id.bytes()),
            account: self.account(account),
            number,
            secs: seconds(event.time),
        }
    }

    /// Expects the line that repeats a refusal of before a restart, until that line is brought back, too. Sessions are not known any
    /// more: a line stands for all that its account had pending.
    pub(crate) fn restore(&mut self, offence: &Offence, source: Source) {
        let (account, secs) = (self.account(offence.account.as_ref()), seconds(offence.time));
        let pending = self.pending.get_mut(source);
        if offence.event == EventKind::LoginFailed {
            let is_another =
                |old: &Refusal| account.is_some() && old.account.is_some() && old.account != account;
            pending.into_iter().for_each(|pending| pending.refusals.retain(|old| is_another(old)));
            return;
        }
        let (teller, number) = (offence.event, offence.count.max(1));
        let refusal = Refusal { teller, is_twice_told: false, session: None, account, number, secs };
        if !pending.is_some_and(|pending| pending.knows(&refusal)) {
            self.expect(source, refusal);
        }
    }

    fn expect(&mut self, source: Source, refusal: Refusal) {
        let pending = self.pending.entry(source, Pending::default);
        if pending.refusals.len() >= Self::MOST {
            pending.refusals.remove(0);
        }
        pending.refusals.push(refusal);
    }

    /// How many of these attempts were already counted; they are then used up.
    fn claim(&mut self, event: &Event<'_>, source: Source, account: Option<&Account>, number: u32) -> u32 {
        let Some(pending) = self.pending.get_mut(source) else { return 0 };
        let oldest = seconds(event.time.minus(PATIENCE));
        pending.refusals.retain(|refusal| refusal.secs >= oldest);
        if pending.refusals.is_empty() {
            return 0;
        }
        let session = hash(&self.hasher, event.session_id.bytes());
        let account = account.and_then(|account| hash(&self.hasher, account.name().as_bytes()));
        let mut open = number;
        for refusal in &mut pending.refusals {
            let same = match (session, refusal.session) {
                (Some(ours), Some(theirs)) => ours == theirs,
                // Only one of the two programs knows sessions, or the user is hidden: address and user must do.
                _ => account.is_none() || refusal.account.is_none() || account == refusal.account,
            };
            if same && open > 0 && refusal.teller != EventKind::LoginFailed {
                let used = refusal.number.min(open);
                refusal.number -= used;
                open -= used;
            }
        }
        pending.refusals.retain(|refusal| refusal.number > 0);
        number - open
    }

    /// Remembers that this smtpd process wrote a line about a failed login.
    fn told(&mut self, event: &Event<'_>, source: Source) {
        if event.pid == 0 || !event.session_id.is_empty() {
            return;
        }
        let told = (event.pid, seconds(event.time));
        let pending = self.pending.entry(source, Pending::default);
        if pending.told.len() >= Self::MOST {
            pending.told.remove(0);
        }
        pending.told.push(told);
    }

    /// Whether this smtpd process wrote a line about a failed login since the connection began.
    fn has_told(&self, event: &Event<'_>, source: Source) -> bool {
        self.pending.get(source).is_some_and(|pending| pending.told.iter().any(|(pid, _)| *pid == event.pid))
    }

    /// The failed logins in a disconnect line, unless the same process has told of them.
    fn at_disconnect(&mut self, event: &Event<'_>, source: Source) -> u32 {
        let Some(pending) = self.pending.get_mut(source) else { return event.count.max(1) };
        let before = pending.told.len();
        pending.told.retain(|(pid, _)| *pid != event.pid);
        let told = before > pending.told.len();
        if pending.told.is_empty() && pending.refusals.is_empty() {
            self.pending.remove(source);
        }
        if told { 0 } else { event.count.max(1) }
    }

    fn account(&self, account: Option<&Account>) -> Option<u64> {
        account.and_then(|account| self.hash(account.name().as_bytes()))
    }

    fn hash(&self, bytes: &[u8]) -> Option<u64> {
        hash(&self.hasher, bytes)
    }
}

fn hash(hasher: &impl BuildHasher, bytes: &[u8]) -> Option<u64> {
    (!bytes.is_empty()).then(|| hasher.hash_one(bytes))
}

#[cfg(test)]
mod tests {
    use mailward_model::{Program, Text, Timestamp};
    use proptest::prelude::*;

    use super::*;

    fn told(kind: EventKind, session: &'static str, count: u32) -> Event<'static> {
        let time = Timestamp::from_secs(1_000);
        let session_id = Text::from(session);
        Event { kind, session_id, count, user: "bob".into(), ..Event::new(time, Program::DovecotAuth) }
    }

    fn counted(events: &[Event<'_>]) -> u32 {
        let (mut joins, source) = (Joins::new(100), Source::of([192, 0, 2, 1].into()));
        events.iter().map(|event| joins.new_attempts(event, source, Account::of(event.user).as_ref())).sum()
    }

    proptest! {
        #[test]
        fn failures_of_a_session_count_once_whoever_tells_them_in_whatever_order(
            number in 1..6_u32, is_verbose: bool, order in proptest::collection::vec(any::<u32>(), 12),
        ) {
            let mut events = vec![told(EventKind::LoginFailed, "s", number)];
            for _ in 0..number {
                events.push(told(EventKind::RefusalReported, "s", 1));
                if is_verbose {
                    events.push(told(EventKind::PasswordRefused, "s", 1));
                }
            }
            if is_verbose {
                // The line of the login process comes after those of auth.
                let mut rest: Vec<_> = events.drain(1..).zip(&order).collect();
                rest.sort_by_key(|(_, place)| **place);
                let line = events.remove(0);
                events.extend(rest.into_iter().map(|(event, _)| event));
                events.push(line);
            } else {
                let by = order.first().map_or(0, |at| *at as usize % events.len());
                events.rotate_left(by);
            }
            prop_assert_eq!(counted(&events), number);
        }
    }

    #[test]
    fn different_refusals_are_different() {
        use EventKind::{LoginFailed, PasswordRefused, RefusalReported};
        for (events, count) in [
            (vec![told(RefusalReported, "s", 1), told(RefusalReported, "s", 1)], 2),
            (vec![told(RefusalReported, "s", 1), told(RefusalReported, "t", 1)], 2),
            (vec![told(RefusalReported, "s", 1), told(PasswordRefused, "t", 1)], 2),
            (vec![told(RefusalReported, "s", 1), told(LoginFailed, "t", 1)], 2),
            // Postfix has no sessions.
            (vec![told(RefusalReported, "", 1), told(LoginFailed, "", 1)], 1),
            (vec![told(RefusalReported, "", 1), told(PasswordRefused, "", 1), told(LoginFailed, "", 1)], 1),
            (vec![told(PasswordRefused, "", 1), told(RefusalReported, "", 1), told(LoginFailed, "", 1)], 1),
            (vec![told(LoginFailed, "", 1), told(RefusalReported, "", 1)], 2),
        ] {
            assert_eq!(counted(&events), count, "{events:?}");
        }
    }

    #[test]
    fn a_line_of_before_a_restart_answers_no_refusal_of_after_it() {
        use EventKind::{LoginFailed, PasswordRefused, RefusalReported};
        let offence = |event, count| Offence {
            time: Timestamp::from_secs(1_000),
            kind: mailward_model::OffenceKind::AuthFailure,
            event,
            reason: mailward_model::Reason::WrongPassword,
            address: [192, 0, 2, 1].into(),
            account: Account::of("bob".into()),
            guess: None,
            service: "imap".into(),
            count,
            weight: mailward_model::Weight::Full,
        };
        for (before, then, count) in [
            (vec![offence(RefusalReported, 1)], told(LoginFailed, "s", 1), 0),
            (vec![offence(RefusalReported, 1), offence(LoginFailed, 0)], told(LoginFailed, "t", 1), 1),
            (vec![offence(RefusalReported, 1), offence(PasswordRefused, 0)], told(LoginFailed, "s", 2), 1),
        ] {
            let (mut joins, source) = (Joins::new(100), Source::of([192, 0, 2, 1].into()));
            before.iter().for_each(|offence| joins.restore(offence, source));
            let account = Account::of(then.user);
            assert_eq!(joins.new_attempts(&then, source, account.as_ref()), count, "{before:?}");
        }
    }
}
