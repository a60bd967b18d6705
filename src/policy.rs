//! Requests of Postfix as texts, and verdicts in words: the same for the daemon and for a trial without it.

use mailward_decide::Bans;
use mailward_decide::policy::{Evidence, Policy, Question};
use mailward_gate::Geo;
use mailward_gate::policy::{Asked, action};
use mailward_model::Timestamp;
use mailward_wire::policy::{Decoder, PolicyError};
use serde::{Deserialize, Serialize};

/// A verdict with every step to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Explained {
    /// Who asked for what.
    pub(crate) question: String,
    /// What was looked at, and what was found.
    pub(crate) steps: Vec<Found>,
    /// What Postfix is told.
    pub(crate) action: String,
    /// Which part says so; nobody, where it passes.
    pub(crate) by: Option<String>,
}

/// A step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Found {
    pub(crate) what: String,
    pub(crate) found: String,
}

impl Explained {
    /// What a policy says, without the DNS.
    pub(crate) fn by(
        policy: &Policy,
        geo: &Geo,
        question: &Question<'_>,
        bans: &Bans,
        now: Timestamp,
    ) -> Self {
        let (verdict, steps) = policy.explain(question, &evidence(geo, question), bans, now);
        let mut out = Vec::new();
        action(verdict.answer, &verdict.warnings).write(&mut out);
        Self {
            question: format!(
                "{} from {} to {}, sender {}",
                question.stage,
                question.client,
                or_nobody(question.recipient),
                or_nobody(question.sender)
            ),
            steps: steps
                .into_iter()
                .map(|step| Found { what: step.what.to_owned(), found: step.found })
                .collect(),
            action: String::from_utf8_lossy(&out).trim_end().to_owned(),
            by: verdict.by.map(|family| family.name().to_owned()),
        }
    }
}

/// What is known of a client without the DNS.
pub(crate) fn evidence(geo: &Geo, question: &Question<'_>) -> Evidence {
    Evidence { country: geo.find(question.client).country, ..Evidence::default() }
}

fn or_nobody(address: &str) -> String {
    if address.is_empty() { "<>".to_owned() } else { mailward_model::Text::from(address).to_string() }
}

/// The requests in a text, as Postfix would send them; the last empty line may be missing.
pub(crate) fn asked(text: &[u8]) -> Result<Vec<Asked<'static>>, PolicyError> {
    let mut decoder = Decoder::default();
    decoder.push(text);
    if !text.ends_with(b"\n\n") {
        decoder.push(if text.ends_with(b"\n") { b"\n" } else { b"\n\n" });
    }
    let mut all = Vec::new();
    while let Some(request) = decoder.next_request()? {
        all.extend(Asked::of(&request).map(Asked::into_owned));
    }
    Ok(all)
}
