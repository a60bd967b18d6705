//! What the login guard knows and says, in words: the same for the daemon and for a trial without it.

use mailward_decide::login::{Judgement, List};
use mailward_gate::login::{Decided, Explained as Known};
use mailward_model::{Account, RuleId};
use mailward_report::At;
use serde::{Deserialize, Serialize};

/// All that is known of an account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Explained {
    pub(crate) account: String,
    /// What it is limited to.
    pub(crate) limit: Option<String>,
    /// Whether somebody logged in with it lately: then it has places of its own, which are let in while it is attacked.
    pub(crate) used: bool,
    /// Whether only its own places are let in.
    pub(crate) locked: bool,
    /// Where it logged in last, by the database of places.
    #[serde(default)]
    pub(crate) last: Option<Last>,
    pub(crate) windows: Vec<Fill>,
    /// The latest first.
    pub(crate) verdicts: Vec<Verdict>,
    /// Entries of the lists that name it.
    pub(crate) lists: Vec<Entry>,
}

/// A login that succeeded.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Last {
    pub(crate) time: At,
    pub(crate) country: String,
}

/// How full a rule's window is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Fill {
    pub(crate) rule: String,
    pub(crate) count: u32,
    pub(crate) threshold: u32,
    pub(crate) window_seconds: u64,
}

/// What was decided of a login.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Verdict {
    pub(crate) time: At,
    pub(crate) account: String,
    pub(crate) address: String,
    #[serde(default)]
    pub(crate) country: Option<String>,
    pub(crate) protocol: String,
    pub(crate) verdict: String,
    pub(crate) ground: String,
    pub(crate) why: String,
}

/// An entry of a list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) list: String,
    pub(crate) network: Option<String>,
    pub(crate) until: Option<At>,
    pub(crate) reason: String,
}

impl Explained {
    pub(crate) fn of(account: &Account, known: &Known) -> Self {
        let fill = |(rule, count, threshold): &(mailward_detect::Rule, u32, u32)| Fill {
            rule: rule.id.to_string(),
            count: *count,
            threshold: *threshold,
            window_seconds: rule.window.secs(),
        };
        let entry = |(list, entry): &(List, mailward_decide::login::Entry)| Entry {
            list: if *list == List::Block { "block".into() } else { "allow".into() },
            network: entry.network.map(|network| network.to_string()),
            until: entry.until.map(At),
            reason: mailward_model::Text::from(&*entry.reason).to_string(),
        };
        Self {
            account: account.to_string(),
            limit: known.limit.clone(),
            used: known.is_used,
            locked: known.is_used && known.windows.iter().any(|(_, count, threshold)| count >= threshold),
            last: known.last.map(|(time, country)| Last { time: At(time), country: country.to_string() }),
            windows: known.windows.iter().map(fill).collect(),
            verdicts: known.decided.iter().map(Verdict::of).collect(),
            lists: known.listed.iter().map(entry).collect(),
        }
    }
}

impl Verdict {
    pub(crate) fn of(decided: &Decided) -> Self {
        Self {
            time: At(decided.time),
            account: decided.account.as_ref().map_or_else(String::new, ToString::to_string),
            address: decided.address.map_or_else(|| "nowhere".to_owned(), |address| address.to_string()),
            country: decided.country.map(|country| country.to_string()),
            protocol: mailward_model::Text::from(&*decided.protocol).to_string(),
            verdict: decided.judgement.verdict.name().to_owned(),
            ground: decided.judgement.ground.name().to_owned(),
            why: why(decided.judgement),
        }
    }
}

/// Why, with the rule where it was one.
fn why(judgement: Judgement) -> String {
    let words = judgement.ground.words();
    match judgement.ground.rule() {
        Some(RuleId(rule)) => format!("{words} ({rule})"),
        None => words.to_owned(),
    }
}
