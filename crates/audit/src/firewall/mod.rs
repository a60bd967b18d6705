//! The packet filter that is loaded: `nft -j list ruleset`, which also shows the rules of `iptables-nft`; and the one that a
//! mail host should have ([`propose`]).

mod build;
mod found;
mod iptables;
mod ruleset;
#[cfg(test)]
mod tests;
mod walk;

use serde_json::Value;

pub use build::{Fate, Obstacle, Proposal, Service, Wishes, propose};
pub use found::{Found, Other};
pub use iptables::{IptablesRule, iptables_rules};
pub use ruleset::{Opening, OpeningError, Port, Ruleset, Scope, TABLE, Transport, is_interface};
pub use walk::Reach;

use crate::{Facts, Untold};

/// The loaded rules.
#[derive(Clone, Debug, Default)]
pub struct Firewall {
    /// Chains, with what hooks them.
    pub chains: Vec<Chain>,
    /// Rules, in the order in which they are looked at.
    pub rules: Vec<Rule>,
    /// Sets, with what is in them.
    pub sets: Vec<Set>,
}

/// A chain.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chain {
    /// Its table: `inet f2b-table`.
    pub table: String,
    /// Its name.
    pub name: String,
    /// The hook; empty for a chain that is jumped to.
    pub hook: String,
    /// Its kind: `filter`, `nat`.
    pub kind: String,
    /// Its priority.
    pub priority: i64,
    /// Whether what no rule decides is dropped.
    pub drops: bool,
}

/// A rule.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rule {
    /// Its table.
    pub table: String,
    /// Its chain.
    pub chain: String,
    /// Its statements as nft prints them.
    pub statements: Vec<Value>,
}

/// A set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Set {
    /// Its table.
    pub table: String,
    /// Its name.
    pub name: String,
    /// What it holds: `ipv4_addr`.
    pub kind: String,
    /// Its elements as nft prints them.
    pub elements: Vec<Value>,
}

impl Firewall {
    /// Reads what a command said: `nft -j list ruleset`, or the same with `host ` before it.
    ///
    /// # Errors
    /// When it was not run, failed, or printed something else.
    pub fn read(facts: &Facts, command: &str) -> Result<Self, Untold> {
        let text = facts.output(command)?;
        let printed: Value = serde_json::from_str(text)
            .map_err(|error| Untold::CouldNotTell(format!("`{command}` printed no JSON: {error}")))?;
        let items = printed.get("nftables").and_then(Value::as_array);
        let items = items.ok_or_else(|| Untold::CouldNotTell(format!("`{command}` printed no ruleset")))?;
        let mut firewall = Self::default();
        items.iter().for_each(|item| firewall.take(item));
        firewall.chains.sort_by_key(|chain| chain.priority);
        Ok(firewall)
    }

    fn take(&mut self, item: &Value) {
        if let Some(chain) = item.get("chain") {
            self.chains.push(Chain {
                table: table(chain),
                name: text(chain, "name"),
                hook: text(chain, "hook"),
                kind: text(chain, "type"),
                priority: chain.get("prio").and_then(Value::as_i64).unwrap_or_default(),
                drops: text(chain, "policy") == "drop",
            });
        } else if let Some(rule) = item.get("rule") {
            let statements = rule.get("expr").and_then(Value::as_array).cloned().unwrap_or_default();
            self.rules.push(Rule { table: table(rule), chain: text(rule, "chain"), statements });
        } else if let Some(set) = item.get("set").or_else(|| item.get("map")) {
            let elements = set.get("elem").and_then(Value::as_array).cloned().unwrap_or_default();
            self.sets.push(Set {
                table: table(set),
                name: text(set, "name"),
                kind: text(set, "type"),
                elements,
            });
        }
    }

    /// The rules that look into a set, with the hook that their chain hangs on.
    pub fn rules_with_set<'a>(&'a self, set: &'a Set) -> impl Iterator<Item = (&'a Rule, &'a str)> {
        let name = format!("\"@{}\"", set.name);
        self.rules
            .iter()
            .filter(move |rule| {
                rule.table == set.table && rule.statements.iter().any(|s| s.to_string().contains(&name))
            })
            .map(|rule| (rule, self.hook(rule)))
    }

    /// The hook of a rule's chain; empty if it is jumped to.
    #[must_use]
    pub fn hook(&self, rule: &Rule) -> &str {
        let chain = self.chains.iter().find(|chain| chain.table == rule.table && chain.name == rule.chain);
        chain.map_or("", |chain| chain.hook.as_str())
    }
}

impl Rule {
    /// Whether it drops or rejects.
    #[must_use]
    pub fn refuses(&self) -> bool {
        self.statements
            .iter()
            .any(|statement| statement.get("drop").is_some() || statement.get("reject").is_some())
    }
}

fn table(item: &Value) -> String {
    format!("{} {}", text(item, "family"), text(item, "table"))
}

fn text(item: &Value, key: &str) -> String {
    item.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}
