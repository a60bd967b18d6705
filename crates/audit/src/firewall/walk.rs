//! Whether a stranger's new connection to a port comes through the rules. What cannot be decided is followed both ways.

use serde_json::Value;

use super::{Firewall, Rule};

/// Whether a port can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It can.
    Open,
    /// It cannot.
    Closed,
    /// That depends on what is not known: the source, marks, sets that change.
    Depends,
}

/// What may become of a packet.
#[derive(Clone, Copy, Debug, Default)]
struct Fates {
    accepted: bool,
    dropped: bool,
    /// Nothing decided it.
    passed: bool,
}

/// Chains within chains.
const DEEPEST: usize = 16;

impl Firewall {
    /// Whether a stranger's new TCP connection to a port of this machine comes through.
    #[must_use]
    pub fn reach(&self, port: u16) -> Reach {
        let input = self.chains.iter().filter(|chain| chain.hook == "input" && chain.kind != "nat");
        let mut all = Fates { accepted: true, ..Fates::default() };
        for chain in input {
            let mut fates = self.chain(&chain.table, &chain.name, port, 0);
            if fates.passed {
                fates.accepted |= !chain.drops;
                fates.dropped |= chain.drops;
            }
            // Every chain of the hook has to let it pass.
            all.accepted &= fates.accepted;
            all.dropped |= fates.dropped;
        }
        match (all.accepted, all.dropped) {
            (true, false) => Reach::Open,
            (false, _) => Reach::Closed,
            (true, true) => Reach::Depends,
        }
    }

    fn chain(&self, table: &str, name: &str, port: u16, depth: usize) -> Fates {
        let mut fates = Fates { passed: true, ..Fates::default() };
        if depth > DEEPEST {
            return fates;
        }
        for rule in self.rules.iter().filter(|rule| rule.table == table && rule.chain == name) {
            let Some(applies) = self.applies(rule, port) else {
                let taken = self.verdict(rule, port, depth);
                fates.accepted |= taken.accepted;
                fates.dropped |= taken.dropped;
                continue;
            };
            if applies {
                let taken = self.verdict(rule, port, depth);
                fates.accepted |= taken.accepted;
                fates.dropped |= taken.dropped;
                if !taken.passed {
                    return Fates { passed: false, ..fates };
                }
            }
        }
        fates
    }

    fn verdict(&self, rule: &Rule, port: u16, depth: usize) -> Fates {
        for statement in &rule.statements {
            let target =
                |key: &str| statement.get(key).and_then(|jump| jump.get("target")).and_then(Value::as_str);
            if statement.get("accept").is_some() {
                return Fates { accepted: true, ..Fates::default() };
            }
            if statement.get("drop").is_some() || statement.get("reject").is_some() {
                return Fates { dropped: true, ..Fates::default() };
            }
            if let Some(name) = target("jump").or_else(|| target("goto")) {
                return self.chain(&rule.table, name, port, depth + 1);
            }
        }
        Fates { passed: true, ..Fates::default() }
    }

    /// Whether all conditions of a rule hold; none if that is not known.
    fn applies(&self, rule: &Rule, port: u16) -> Option<bool> {
        let mut known = true;
        for statement in &rule.statements {
            let Some(condition) = statement.get("match") else {
                if is_over_rate(statement) {
                    return Some(false);
                }
                // Matches of iptables that nft does not know by name.
                known &= statement.get("xt").is_none();
                continue;
            };
            match self.holds(rule, condition, port) {
                Some(true) => {}
                Some(false) => return Some(false),
                None => known = false,
            }
        }
        known.then_some(true)
    }

    fn holds(&self, rule: &Rule, condition: &Value, port: u16) -> Option<bool> {
        let left = condition.get("left")?;
        let right = condition.get("right")?;
        let holds = self.equals(rule, left, right, port)?;
        Some(holds != (condition.get("op").and_then(Value::as_str) == Some("!=")))
    }

    fn equals(&self, rule: &Rule, left: &Value, right: &Value, port: u16) -> Option<bool> {
        let key = |of: &str| left.pointer(&format!("/{of}/key")).and_then(Value::as_str);
        if key("ct") == Some("state") {
            return Some(names(right).contains(&"new"));
        }
        if let Some(key) = key("meta") {
            return match key {
                "iif" | "iifname" if names(right) == ["lo"] => Some(false),
                "l4proto" => Some(names(right).contains(&"tcp")),
                _ => None,
            };
        }
        if let Some(masked) = left.get("&").and_then(Value::as_array) {
            return begins_connection(masked, right);
        }
        let field = left.pointer("/payload/field").and_then(Value::as_str)?;
        let protocol = left.pointer("/payload/protocol").and_then(Value::as_str)?;
        match (protocol, field) {
            ("tcp" | "th", "dport") => self.has_port(rule, right, port),
            ("udp" | "icmp" | "icmpv6" | "sctp", _) => Some(false),
            // A stranger is in no list of ours.
            ("ip" | "ip6", "saddr") => Some(right.pointer("/prefix/len").and_then(Value::as_u64) == Some(0)),
            ("ip" | "ip6", "protocol" | "nexthdr") => Some(names(right).contains(&"tcp")),
            _ => None,
        }
    }

    pub(super) fn has_port(&self, rule: &Rule, right: &Value, port: u16) -> Option<bool> {
        match right {
            Value::Number(number) => Some(number.as_u64() == Some(u64::from(port))),
            Value::String(name) => {
                let name = name.strip_prefix('@')?;
                let set = self.sets.iter().find(|set| set.table == rule.table && set.name == name)?;
                Some(set.elements.iter().any(|element| self.has_port(rule, element, port) == Some(true)))
            }
            Value::Object(object) => {
                if let Some(items) = object.get("set").and_then(Value::as_array) {
                    return Some(items.iter().any(|item| self.has_port(rule, item, port) == Some(true)));
                }
                let range = object.get("range").and_then(Value::as_array)?;
                let bound = |at: usize| range.get(at).and_then(Value::as_u64);
                Some((bound(0)?..=bound(1)?).contains(&u64::from(port)))
            }
            _ => None,
        }
    }
}

/// Whether a statement holds for those alone who are over a rate: nobody is with his first connection.
fn is_over_rate(statement: &Value) -> bool {
    let within_set = statement.pointer("/set/stmt/0/limit");
    let limit = statement.get("limit").or(within_set);
    limit.and_then(|limit| limit.get("inv")).and_then(Value::as_bool) == Some(true)
}

/// Whether a condition on the flags of TCP holds for the first segment of a connection, which has SYN alone.
fn begins_connection(masked: &[Value], right: &Value) -> Option<bool> {
    let [flags, mask] = masked else { return None };
    if flags.pointer("/payload/field").and_then(Value::as_str) != Some("flags") {
        return None;
    }
    let wanted = names(right);
    let seen = if names(mask).contains(&"syn") { vec!["syn"] } else { Vec::new() };
    Some(wanted == seen)
}

/// The names in a value, a list of them or a set.
fn names(value: &Value) -> Vec<&str> {
    match value {
        Value::String(name) => vec![name],
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        Value::Object(object) => object
            .get("set")
            .or_else(|| object.get("|"))
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Facts;
    use crate::facts::{Known, Said};

    /// As nftables 1.0.6 prints a ruleset with an allow list of ports, a list of addresses, a loopback rule and a jump.
    const PRINTED: &str = r#"{"nftables": [{"chain": {"family": "inet", "table": "f", "name": "input", "type": "filter", "hook": "input", "prio": 0, "policy": "drop"}},
        {"chain": {"family": "inet", "table": "f", "name": "other"}},
        {"rule": {"family": "inet", "table": "f", "chain": "input", "expr": [{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["established", "related"]}}, {"accept": null}]}},
        {"rule": {"family": "inet", "table": "f", "chain": "input", "expr": [{"match": {"op": "==", "left": {"meta": {"key": "iif"}}, "right": "lo"}}, {"accept": null}]}},
        {"rule": {"family": "inet", "table": "f", "chain": "input", "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": {"set": [22, 25, 465]}}}, {"accept": null}]}},
        {"rule": {"family": "inet", "table": "f", "chain": "input", "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": {"range": [10000, 10100]}}}, {"jump": {"target": "other"}}]}},
        {"rule": {"family": "inet", "table": "f", "chain": "input", "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": {"prefix": {"addr": "10.0.0.0", "len": 8}}}}, {"accept": null}]}},
        {"rule": {"family": "inet", "table": "f", "chain": "input", "expr": [{"match": {"op": "==", "left": {"meta": {"key": "mark"}}, "right": 7}}, {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 993}}, {"accept": null}]}},
        {"rule": {"family": "inet", "table": "f", "chain": "other", "expr": [{"match": {"op": "!=", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 10050}}, {"counter": {"packets": 0, "bytes": 0}}, {"accept": null}]}}]}"#;

    fn read(text: &str) -> Firewall {
        let mut facts = Facts::default();
        facts.said.insert("nft -j list ruleset".into(), Known::Is(Said::ok(text)));
        Firewall::read(&facts, "nft -j list ruleset").unwrap()
    }

    #[test]
    fn a_strangers_connection_is_followed() {
        let firewall = read(PRINTED);
        for (port, reach) in [
            (25, Reach::Open),
            (6379, Reach::Closed),
            (10_024, Reach::Open),
            (10_050, Reach::Closed),
            (993, Reach::Depends),
        ] {
            assert_eq!(firewall.reach(port), reach, "{port}");
        }
        assert_eq!(read(r#"{"nftables": []}"#).reach(6379), Reach::Open);
    }
}
