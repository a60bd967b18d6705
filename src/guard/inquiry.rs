//! What commands ask of the gate, and order it: `/v1/policy` and `/v1/login` on the control socket.

use mailward_decide::Fingerprint;
use mailward_decide::policy::Exception;
use mailward_gate::{Gate, GateError, Latency, Stats};
use mailward_model::{Account, Text};
use mailward_store::InPath;
use mailward_web::{Method, Request, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::control::{document, failed, order};
use super::gate::MEMORY;
use super::{Guard, clock};
use crate::policy::{Explained, asked};

/// A request of Postfix, to be explained.
#[derive(Debug, Deserialize)]
struct ExplainOrder {
    request: String,
}

/// Leaves the greylist out for somebody.
#[derive(Debug, Deserialize)]
struct ExceptOrder {
    exception: String,
    #[serde(default)]
    by: String,
}

/// Forgets somebody whom the greylist has seen.
#[derive(Debug, Deserialize)]
struct ForgetOrder {
    who: String,
}

impl Guard {
    /// Answers what is asked about the gate.
    pub(super) fn answer_of_the_gate(&self, request: &Request) -> Result<Response, Response> {
        let Some(gate) = self.porter.gate() else { return Err(self.why_no_gate()) };
        match (request.method, request.path.as_str()) {
            (Method::Get, "/v1/policy") => {
                let (stats, seen) =
                    asked_of(gate.ask(|state| (state.stats.clone(), state.policy.greylist().len())))?;
                Ok(Response::ok(counts(&stats, seen)))
            }
            (Method::Post, "/v1/policy/explain") => explain(gate, &order(request)?),
            (Method::Get, "/v1/policy/exceptions") => {
                let all = asked_of(gate.ask(|state| state.policy.allowed().to_vec()))?;
                Ok(Response::ok(
                    json!({ "exceptions": all.iter().map(ToString::to_string).collect::<Vec<_>>() }),
                ))
            }
            (Method::Post, "/v1/policy/exceptions") => self.except(gate, &order(request)?),
            (Method::Delete, "/v1/policy/exceptions") => {
                self.take_back(gate, &exception(request.parameter("exception").unwrap_or_default())?)
            }
            (Method::Post, "/v1/policy/forget") => self.forget(gate, &order(request)?),
            (Method::Get, "/v1/policy/limits") => limits(gate, account(request)?),
            (Method::Delete, "/v1/policy/limits") => forgive(gate, account(request)?),
            (Method::Get, "/v1/login") => {
                let stats = asked_of(gate.ask(|state| state.stats.clone()))?;
                Ok(Response::ok(logins(&stats)))
            }
            (Method::Get, "/v1/login/explain") => {
                let (account, now) = (account(request)?, clock());
                let known = account.clone();
                let explained = asked_of(gate.ask(move |state| state.logins.explain(&known, now)))?;
                document(&crate::login::Explained::of(&account, &explained))
            }
            _ => Err(Response::error(404, "there is no such thing to ask for")),
        }
    }

    fn why_no_gate(&self) -> Response {
        let why = self.porter.trouble().unwrap_or_else(|| {
            "neither Postfix nor Dovecot is answered here. To have them answered: [policy] or [login] enabled = true in mailward.toml, and systemctl restart mailward".into()
        });
        Response::error(409, &why)
    }

    /// Written to the disk before it is said to be done.
    fn except(&self, gate: &Gate, order: &ExceptOrder) -> Result<Response, Response> {
        let exception = exception(&order.exception)?;
        let text = exception.to_string();
        self.memory()?.except(&text, clock(), &order.by).map_err(|error| failed(&error))?;
        asked_of(gate.ask(move |state| state.policy.allow(exception)))?;
        Ok(Response::ok(json!({ "exception": text })))
    }

    fn take_back(&self, gate: &Gate, exception: &Exception) -> Result<Response, Response> {
        let text = exception.to_string();
        let known = self.memory()?.take_back(&text).map_err(|error| failed(&error))?;
        let theirs = exception.clone();
        asked_of(gate.ask(move |state| state.policy.disallow(&theirs)))?;
        let unknown = || {
            Response::error(404, &format!("there is no exception \"{text}\". See: mailward greylist allow"))
        };
        if known { Ok(Response::ok(json!({ "removed": text }))) } else { Err(unknown()) }
    }

    /// By what the disk says who that is: in memory there are only fingerprints.
    fn forget(&self, gate: &Gate, order: &ForgetOrder) -> Result<Response, Response> {
        if order.who.is_empty() {
            return Err(Response::error(400, "nobody is named: everybody would be forgotten"));
        }
        let keys = self.memory()?.keys_of(&order.who.to_ascii_lowercase()).map_err(|error| failed(&error))?;
        let forgotten = asked_of(gate.ask(move |state| {
            let greylist = state.policy.greylist_mut();
            keys.into_iter().filter(|key| greylist.forget(Fingerprint::from_bits(*key))).count()
        }))?;
        Ok(Response::ok(json!({ "forgotten": forgotten })))
    }

    fn memory(&self) -> Result<InPath, Response> {
        InPath::open(&self.setup.state.join(MEMORY)).map_err(|error| failed(&error))
    }
}

fn asked_of<T>(answer: Result<T, GateError>) -> Result<T, Response> {
    answer.map_err(|error| Response::error(503, &error.to_string()))
}

fn counts(stats: &Stats, seen: usize) -> Value {
    let answers: Vec<_> = stats
        .policy
        .iter()
        .map(|((said, by), count)| json!({ "answer": said, "by": by, "count": count }))
        .collect();
    let latency = &stats.policy_latency;
    json!({
        "answers": answers,
        "questions": latency.count(),
        "microseconds": quantiles(latency),
        "garbled": stats.garbled,
        "not_kept": stats.not_kept,
        "greylist": seen,
    })
}

fn logins(stats: &Stats) -> Value {
    let answers: Vec<_> = stats
        .login
        .iter()
        .map(|((verdict, ground), count)| json!({ "verdict": verdict, "ground": ground, "count": count }))
        .collect();
    json!({ "answers": answers, "questions": stats.login_latency.count(), "wrong_keys": stats.wrong_keys, "microseconds": quantiles(&stats.login_latency) })
}

fn quantiles(latency: &Latency) -> Value {
    json!({ "half": latency.within(500), "99 of 100": latency.within(990), "999 of 1000": latency.within(999) })
}

fn explain(gate: &Gate, order: &ExplainOrder) -> Result<Response, Response> {
    let requests =
        asked(order.request.as_bytes()).map_err(|error| Response::error(400, &error.to_string()))?;
    let mut all = Vec::new();
    for request in requests {
        let now = clock();
        all.push(asked_of(gate.ask(move |state| {
            Explained::by(&state.policy, &state.geo, &request.question(), &state.bans, now)
        }))?);
    }
    document(&all)
}

fn exception(text: &str) -> Result<Exception, Response> {
    text.parse().map_err(|why: String| Response::error(400, &why))
}

fn account(request: &Request) -> Result<Account, Response> {
    Account::of(Text::from(request.parameter("account").unwrap_or_default()))
        .ok_or_else(|| Response::error(400, "an account is missing"))
}

fn limits(gate: &Gate, account: Account) -> Result<Response, Response> {
    let name = account.to_string();
    let now = clock();
    let (limits, sent) = asked_of(gate.ask(move |state| {
        (state.policy.outgoing().limits(&account, now), state.policy.outgoing().sent(&account).copied())
    }))?;
    let rows: Vec<_> = limits
        .iter()
        .map(|(what, quota, used)| json!({ "what": what, "limit": quota.to_string(), "at_once": quota.burst, "used": used }))
        .collect();
    let over = sent.and_then(|sent| sent.over).map(|over| over.to_string());
    Ok(Response::ok(json!({
        "account": name,
        "known": sent.is_some(),
        "usual": sent.map_or(0, |sent| sent.usual),
        "over": over,
        "limits": rows,
    })))
}

fn forgive(gate: &Gate, account: Account) -> Result<Response, Response> {
    let name = account.to_string();
    let known = asked_of(gate.ask(move |state| state.policy.outgoing_mut().forgive(&account)))?;
    let unknown = || Response::error(404, &format!("{name} has sent nothing yet"));
    if known { Ok(Response::ok(json!({ "account": name }))) } else { Err(unknown()) }
}
