//! Pieces of an explanation, for the daemon and for old logs alike.

use mailward_detect::Rules;
use mailward_model::{Account, Event, Network, Offence, Signal, Subject};
use mailward_report::explain::{EventView, OffenceView, SignalView};

/// An address, a network, or else an account.
pub(crate) fn subject(text: &str) -> Subject {
    match text.parse::<Network>() {
        Ok(network) if network.is_host() => Subject::Address(network.address()),
        Ok(network) => Subject::Network(network),
        Err(_) => Account::of(text.into())
            .map_or_else(|| Subject::Network(Network::host([0, 0, 0, 0].into())), Subject::Account),
    }
}

/// An event, with the fields that a person asks for.
pub(crate) fn event_view(event: &Event<'_>) -> EventView {
    let texts = [
        ("user", event.user),
        ("method", event.method),
        ("sender", event.sender),
        ("recipient", event.recipient),
        ("helo", event.helo),
        ("list", event.object),
        ("session", event.session_id),
    ];
    EventView {
        event: event.kind.name().into(),
        program: event.program.name().into(),
        service: event.service.to_string(),
        reason: event.reason.name().into(),
        fields: texts
            .iter()
            .filter(|(_, text)| !text.is_empty())
            .map(|(name, text)| ((*name).to_owned(), text.to_string()))
            .collect(),
    }
}

/// An offence.
pub(crate) fn offence_view(offence: &Offence) -> OffenceView {
    OffenceView {
        kind: offence.kind.name().into(),
        count: offence.count,
        weight: offence.weight.name().into(),
        account: offence.account.as_ref().map(ToString::to_string),
    }
}

/// A signal.
pub(crate) fn signal_view(signal: &Signal) -> SignalView {
    SignalView {
        rule: signal.rule.to_string(),
        title: title(signal.rule.0),
        subject: signal.subject.to_string(),
        count: signal.count,
        threshold: signal.threshold,
        window_seconds: signal.window.secs(),
    }
}

/// The title of a rule; empty for one that is not known any more.
pub(crate) fn title(rule: &str) -> String {
    Rules::default().rule(rule).map_or("", |rule| rule.title).into()
}
