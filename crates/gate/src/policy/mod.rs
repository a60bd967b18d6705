//! Postfix asks (policy delegation).

mod lists;
mod spf;

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use mailward_decide::policy::{Answer, Evidence, Question, Spf, Verdict};
use mailward_model::Text;
use mailward_wire::policy::{Action, Attribute, Decoder, Request};

use self::lists::{Heard, Lists};
use crate::dns::Resolver;
use crate::door::{Limits, Seat, Service};
use crate::stream::Stream;
use crate::{Report, State, Tell, clock};

/// Answers Postfix.
pub(crate) struct Desk {
    state: Rc<RefCell<State>>,
    resolver: Option<Rc<Resolver>>,
    lists: Lists,
    tell: Tell,
}

/// Read at once; a request is about 700 bytes.
const PIECE: usize = 4 << 10;

impl Desk {
    pub(crate) fn new(state: Rc<RefCell<State>>, resolver: Option<Resolver>, tell: Tell) -> Self {
        let resolver = resolver.map(Rc::new);
        Self { state, lists: Lists::new(resolver.clone()), resolver, tell }
    }

    /// Tries the lists of the DNS out, for as long as the gate is open.
    pub(crate) async fn watch_lists(self: Rc<Self>) {
        let wanted = || self.state.borrow().policy.settings().lists.clone();
        self.lists.watch(wanted, &*self.tell).await;
    }

    async fn answer(&self, request: &Request<'_>) -> Action {
        let begun = Instant::now();
        let Some(asked) = Asked::of(request) else { return Action::Dunno };
        let verdict = self.judge(&asked.question()).await;
        let mut state = self.state.borrow_mut();
        let (said, by) = (word(&verdict.answer), verdict.by.map_or("nobody", |family| family.name()));
        *state.stats.policy.entry((said, by)).or_default() += 1;
        state.stats.policy_latency.add(begun.elapsed());
        drop(state);
        if let Some(signal) = verdict.signal {
            (self.tell)(Report::Signal(signal));
        }
        action(verdict.answer, &verdict.warnings)
    }

    /// What the DNS says, where that could change the answer.
    async fn evidence(&self, question: &Question<'_>) -> Evidence {
        let Some(resolver) = &self.resolver else { return Evidence::default() };
        let (wants, with_spf) = {
            let state = self.state.borrow();
            (state.policy.wants_evidence(question, &state.bans, clock()), state.policy.settings().spf)
        };
        if !wants || !(with_spf || self.lists.is_on()) {
            return Evidence::default();
        }
        let spf = async { if with_spf { spf::spf(resolver, question).await } else { Spf::None } };
        let (Heard { listed, unheard }, spf) =
            tokio::join!(self.lists.listed(question.client, &*self.tell), spf);
        Evidence { listed, unheard, spf, ..Evidence::default() }
    }

    async fn judge(&self, question: &Question<'_>) -> Verdict {
        let mut evidence = self.evidence(question).await;
        let State { bans, policy, geo, .. } = &mut *self.state.borrow_mut();
        if !question.user.is_empty() {
            evidence.country = geo.find(question.client).country;
        }
        policy.judge(question, &evidence, bans, clock())
    }
}

/// The words of a request, as they are judged.
#[derive(Debug)]
pub struct Asked<'a> {
    client: std::net::IpAddr,
    stage: mailward_model::Stage,
    recipients: u32,
    name: Cow<'a, str>,
    helo: Cow<'a, str>,
    sender: Cow<'a, str>,
    recipient: Cow<'a, str>,
    instance: Cow<'a, str>,
    user: Cow<'a, str>,
    service: Cow<'a, str>,
}

impl<'a> Asked<'a> {
    /// What a request asks; nothing, where the client has no address.
    #[must_use]
    pub fn of(request: &Request<'a>) -> Option<Self> {
        let text = |attribute| request.get(attribute).lossy();
        let known = |name: Cow<'a, str>| if name == "unknown" { Cow::Borrowed("") } else { name };
        let context = request.get(Attribute::Context);
        let service = if context == Text::EMPTY { Attribute::ServerPort } else { Attribute::Context };
        Some(Self {
            client: request.client()?,
            stage: request.stage(),
            recipients: u32::try_from(request.number(Attribute::RecipientCount)).unwrap_or(u32::MAX),
            name: known(text(Attribute::ClientName)),
            helo: text(Attribute::Helo),
            sender: text(Attribute::Sender),
            recipient: text(Attribute::Recipient),
            instance: text(Attribute::Instance),
            user: text(Attribute::User),
            service: text(service),
        })
    }

    /// With words of its own.
    #[must_use]
    pub fn into_owned(self) -> Asked<'static> {
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        Asked {
            client: self.client,
            stage: self.stage,
            recipients: self.recipients,
            name: own(self.name),
            helo: own(self.helo),
            sender: own(self.sender),
            recipient: own(self.recipient),
            instance: own(self.instance),
            user: own(self.user),
            service: own(self.service),
        }
    }

    /// The same, to judge.
    #[must_use]
    pub fn question(&self) -> Question<'_> {
        Question {
            stage: self.stage,
            client: self.client,
            name: &self.name,
            helo: &self.helo,
            sender: &self.sender,
            recipient: &self.recipient,
            recipients: self.recipients,
            instance: &self.instance,
            user: &self.user,
            service: &self.service,
        }
    }
}

/// The name of an answer.
const fn word(answer: &Answer) -> &'static str {
    match answer {
        Answer::Pass => "pass",
        Answer::Later(_) => "later",
        Answer::HangUp(_) => "hang-up",
        Answer::Refuse(_) => "refuse",
    }
}

/// In Postfix's words.
#[must_use]
pub fn action(answer: Answer, warnings: &[(mailward_decide::policy::Family, String)]) -> Action {
    match (answer, warnings.first()) {
        (Answer::Later(text), _) => Action::DeferIfPermit(text),
        (Answer::HangUp(text), _) => Action::Reply(format!("421 {text}")),
        (Answer::Refuse(text), _) => Action::Reply(format!("550 {text}")),
        (Answer::Pass, Some((family, text))) => {
            Action::Warn(format!("mailward {}: would say {text}", family.name()))
        }
        (Answer::Pass, None) => Action::Dunno,
    }
}

impl Service for Desk {
    async fn converse(&self, mut stream: Stream, seat: &Seat, limits: Limits) {
        let (mut decoder, mut piece, mut out) = (Decoder::default(), [0; PIECE], Vec::new());
        loop {
            let patience = if decoder.is_amid() { limits.patience } else { limits.idle };
            let Ok(length @ 1..) = stream.read(&mut piece, patience).await else { return };
            decoder.push(piece.get(..length).unwrap_or_default());
            loop {
                let request = match decoder.next_request() {
                    Ok(Some(request)) => request,
                    Ok(None) => break,
                    // What is no request cannot be answered; Postfix goes on without us.
                    Err(_) => {
                        self.state.borrow_mut().stats.garbled += 1;
                        return;
                    }
                };
                seat.heard();
                self.answer(&request).await.write(&mut out);
                if stream.write(&out, limits.patience).await.is_err() {
                    return;
                }
                out.clear();
            }
        }
    }
}
