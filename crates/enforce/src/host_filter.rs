//! The packet filter of the host, in a table of its own, through nft(8).
//!
//! A new ruleset is tried out first: its rules lie beside the old ones and act only while an element with a timeout lives in
//! the set `trial`. When the kernel takes that element out, the next packet is judged as before, whatever became of this
//! process, of the connection it was started from, or of anybody else. To confirm is to delete the element while it lives, in
//! the same transaction that leads the hooks to the new rules for good: too late, and the kernel refuses all of it.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use mailward_host::run::{Limits, RunError, output_with_input};
use serde_json::Value;

/// The packet filter of this host.
#[derive(Clone, Debug)]
pub struct HostFilter {
    nft: PathBuf,
    table: String,
}

/// One of two places for a ruleset in the table; the names of its sets and chains end with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The first.
    A,
    /// The second.
    B,
}

/// What is in the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loaded {
    /// No table.
    Nothing,
    /// A table that holds no ruleset of ours any more: somebody changed it.
    Broken,
    /// Rulesets of ours.
    Rules {
        /// The one that was confirmed.
        kept: Option<Side>,
        /// The one on trial.
        trial: Option<Trial>,
    },
}

/// A ruleset on trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// Where it is.
    pub side: Side,
    /// How long it still acts, in whole seconds; none when its time is over, and it only lies there.
    pub left: Option<Duration>,
    /// What it was called when it began; empty when its time is over.
    pub id: String,
}

/// Why the packet filter could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum HostFilterError {
    /// No nft(8).
    #[error(
        "nft(8) is not installed, which writes packet filters; install it (apt install nftables) and try again"
    )]
    NoNft,
    /// It could not be run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// It refused something. Nothing was changed.
    #[error("nft(8) refused to {step}, and nothing was changed: {words}")]
    Refused {
        /// What was being done.
        step: &'static str,
        /// Its words.
        words: String,
    },
    /// Its listing could not be read.
    #[error(
        "nft(8) listed the table in a form that is not known ({0}); see: nft -j list table inet mailward_firewall"
    )]
    Listing(String),
    /// The trial is over.
    #[error(
        "the trial is over, and the rules before it act again; to begin another: mailward firewall apply"
    )]
    TooLate,
}

const LIMITS: Limits = Limits { timeout: Duration::from_secs(20), max_output: 32 << 20 };

impl Side {
    /// What names end with.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }

    const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::A, Self::B].into_iter().find(|side| side.name() == name)
    }
}

impl Loaded {
    /// Where the next ruleset goes.
    #[must_use]
    pub fn free(&self) -> Side {
        match self {
            Self::Rules { kept: Some(kept), .. } => kept.other(),
            _ => Side::A,
        }
    }
}

impl HostFilter {
    /// The filter in a table of the family `inet`.
    ///
    /// # Errors
    /// Without nft(8).
    pub fn new(table: &str) -> Result<Self, HostFilterError> {
        let places = ["/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft", "/usr/local/sbin/nft"];
        let nft = places.iter().map(PathBuf::from).find(|path| path.is_file());
        Ok(Self { nft: nft.ok_or(HostFilterError::NoNft)?, table: table.to_owned() })
    }

    /// What is in the kernel now.
    ///
    /// # Errors
    /// When nft(8) fails.
    pub fn loaded(&self) -> Result<Loaded, HostFilterError> {
        let Some(text) = self.list(&["-j"])? else { return Ok(Loaded::Nothing) };
        let json: Value =
            serde_json::from_str(&text).map_err(|error| HostFilterError::Listing(error.to_string()))?;
        let items = json.get("nftables").and_then(Value::as_array);
        Ok(read(items.ok_or_else(|| HostFilterError::Listing("no list".to_owned()))?))
    }

    /// The table as nft(8) prints it, without what changes by itself: counters, and elements that have their time. None where
    /// there is no table.
    ///
    /// # Errors
    /// When nft(8) fails.
    pub fn listing(&self) -> Result<Option<String>, HostFilterError> {
        Ok(self.list(&["-s"])?.map(|text| without_passing_elements(&text)))
    }

    fn list(&self, options: &[&str]) -> Result<Option<String>, HostFilterError> {
        let words = [options, &["list", "table", "inet", &self.table]].concat();
        let said = output_with_input(&self.nft, &words, b"", LIMITS)?;
        let complaint = String::from_utf8_lossy(&said.stderr);
        if said.status.success() {
            return Ok(Some(String::from_utf8_lossy(&said.stdout).into_owned()));
        }
        if complaint.contains("No such file or directory") {
            return Ok(None);
        }
        Err(HostFilterError::Refused { step: "list the table", words: in_one_line(&complaint) })
    }

    /// Lets a ruleset act for a while. Its definition is for the side that [`Loaded::free`] tells.
    ///
    /// # Errors
    /// When nft(8) finds the ruleset wrong, or the kernel refuses it; nothing is changed then.
    pub fn try_out(&self, definition: &str, length: Duration, id: &str) -> Result<(), HostFilterError> {
        let loaded = self.tidy()?;
        let side = loaded.free();
        let mut script = match loaded {
            Loaded::Broken => format!("delete table inet {}\n", self.table),
            _ => String::new(),
        };
        let table = &self.table;
        let _ = writeln!(script, "table inet {table} {{");
        script.push_str("  set trial { typeof meta nfproto; flags timeout; }\n");
        script.push_str(definition);
        HOOKS.iter().for_each(|hook| script.push_str(&base_chain(hook, "")));
        script.push_str("}\n");
        let kept = if let Loaded::Rules { kept, .. } = loaded { kept } else { None };
        for hook in HOOKS {
            let _ = writeln!(script, "flush chain inet {table} {hook}");
            let _ = writeln!(
                script,
                "add rule inet {table} {hook} meta nfproto @trial goto {hook}_{}",
                side.name()
            );
            script.push_str(&self.lead(hook, kept));
        }
        let element = format!("timeout {}s comment \"{id}\"", length.as_secs().max(1));
        let _ = writeln!(script, "add element inet {table} trial {{ ipv4 {element}, ipv6 {element} }}");
        self.check(&script)?;
        self.load(&script, "try the ruleset out")
    }

    /// Makes the ruleset on trial the one that acts.
    ///
    /// # Errors
    /// When the trial is over; nothing is changed then.
    pub fn confirm(&self) -> Result<(), HostFilterError> {
        let Loaded::Rules { kept, trial: Some(Trial { side, left: Some(_), .. }) } = self.loaded()? else {
            return Err(HostFilterError::TooLate);
        };
        let mut script = format!("delete element inet {} trial {{ ipv4, ipv6 }}\n", self.table);
        script.push_str(&self.settle(Some(side), kept)?);
        match self.load(&script, "confirm the ruleset") {
            Err(HostFilterError::Refused { words, .. }) if words.contains("No such file") => {
                Err(HostFilterError::TooLate)
            }
            done => done,
        }
    }

    /// Ends a trial, whether its time is over or not: what acted before it acts again, and nothing else is left.
    ///
    /// # Errors
    /// When nft(8) fails.
    pub fn end_trial(&self) -> Result<(), HostFilterError> {
        match self.loaded()? {
            Loaded::Rules { kept: Some(kept), trial: Some(trial) } => {
                let script = self.settle(Some(kept), Some(trial.side))?;
                self.load(&script, "end the trial")
            }
            Loaded::Rules { kept: None, trial: Some(_) } => self.remove(),
            _ => Ok(()),
        }
    }

    /// Takes away what a trial left behind whose time is over, or that another one replaces.
    fn tidy(&self) -> Result<Loaded, HostFilterError> {
        self.end_trial()?;
        self.loaded()
    }

    /// Takes the table away with all that is in it.
    ///
    /// # Errors
    /// When nft(8) fails.
    pub fn remove(&self) -> Result<(), HostFilterError> {
        match self.loaded()? {
            Loaded::Nothing => Ok(()),
            _ => self.load(&format!("delete table inet {}\n", self.table), "take the table away"),
        }
    }

    /// A file that puts a confirmed ruleset into the kernel, whatever is there, for nft(8) alone.
    #[must_use]
    pub fn file(&self, definition: &str, side: Side) -> String {
        let table = &self.table;
        let chains: String = HOOKS.iter().map(|hook| base_chain(hook, side.name())).collect();
        format!(
            "#!/usr/sbin/nft -f\n# The packet filter of this mail host, made and confirmed by `mailward firewall`. A change by \
             hand is overwritten.\ntable inet {table}\ndelete table inet {table}\ntable inet {table} {{\n{definition}{chains}}}\n"
        )
    }

    /// Loads such a file's text.
    ///
    /// # Errors
    /// When nft(8) finds it wrong, or the kernel refuses it; nothing is changed then.
    pub fn restore(&self, file: &str) -> Result<(), HostFilterError> {
        self.check(file)?;
        self.load(file, "load the saved ruleset")
    }

    /// Asks nft(8) whether it would take this.
    fn check(&self, script: &str) -> Result<(), HostFilterError> {
        self.run(&["-c", "-f", "-"], script, "take the ruleset")
    }

    /// One transaction.
    fn load(&self, script: &str, step: &'static str) -> Result<(), HostFilterError> {
        self.run(&["-f", "-"], script, step)
    }

    fn run(&self, words: &[&str], script: &str, step: &'static str) -> Result<(), HostFilterError> {
        let said = output_with_input(&self.nft, words, script.as_bytes(), LIMITS)?;
        if said.status.success() {
            return Ok(());
        }
        Err(HostFilterError::Refused { step, words: in_one_line(&String::from_utf8_lossy(&said.stderr)) })
    }

    /// Leads the hooks to one side, and takes away the other and the set of trials.
    fn settle(&self, stays: Option<Side>, goes: Option<Side>) -> Result<String, HostFilterError> {
        let table = &self.table;
        let mut script = String::new();
        for hook in HOOKS {
            let _ = writeln!(script, "flush chain inet {table} {hook}");
            script.push_str(&self.lead(hook, stays));
        }
        let text = self.list(&["-j"])?.unwrap_or_default();
        let json: Value = serde_json::from_str(&text).unwrap_or_default();
        let items = json.get("nftables").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let names = |kind: &str| -> Vec<&str> {
            let names = items.iter().filter_map(|item| item.get(kind)?.get("name")?.as_str());
            names.filter(|name| goes.is_some_and(|side| side_of(name) == Some(side))).collect()
        };
        let (chains, sets) = (names("chain"), names("set"));
        // Emptied first, nothing refers to anything any more.
        for (verb, names) in [("flush chain", &chains), ("delete chain", &chains), ("delete set", &sets)] {
            script.extend(names.iter().map(|name| format!("{verb} inet {table} {name}\n")));
        }
        let _ = writeln!(script, "delete set inet {table} trial");
        Ok(script)
    }

    fn lead(&self, hook: &str, side: Option<Side>) -> String {
        let table = &self.table;
        side.map_or_else(String::new, |side| {
            format!("add rule inet {table} {hook} goto {hook}_{}\n", side.name())
        })
    }
}

/// Where packets are judged: those for this host, and those that are sent on to containers.
const HOOKS: [&str; 2] = ["input", "forward"];

/// A chain on a hook. It accepts what the ruleset that it leads to does not drop; without one it is as if it were not there.
fn base_chain(hook: &str, side: &str) -> String {
    let lead = if side.is_empty() { String::new() } else { format!(" goto {hook}_{side};") };
    format!("  chain {hook} {{ type filter hook {hook} priority filter; policy accept;{lead} }}\n")
}

/// `input_a` is on side A.
fn side_of(name: &str) -> Option<Side> {
    Side::named(name.rsplit_once('_')?.1)
}

fn read(items: &[Value]) -> Loaded {
    let (mut kept, mut tried) = (None, None);
    for rule in items.iter().filter_map(|item| item.get("rule")) {
        let of_input = rule.get("chain").and_then(Value::as_str) == Some("input");
        let statements = rule.get("expr").and_then(Value::as_array);
        for statement in statements.filter(|_| of_input).into_iter().flatten() {
            let target = statement.pointer("/goto/target").and_then(Value::as_str);
            let side = target.and_then(side_of);
            let conditional = rule.to_string().contains("\"@trial\"");
            if conditional { tried = tried.or(side) } else { kept = kept.or(side) }
        }
    }
    if kept.is_none() && tried.is_none() {
        return Loaded::Broken;
    }
    Loaded::Rules { kept, trial: tried.map(|side| trial(items, side)) }
}

fn trial(items: &[Value], side: Side) -> Trial {
    let sets = items.iter().filter_map(|item| item.get("set"));
    let set = sets.filter(|set| set.get("name").and_then(Value::as_str) == Some("trial"));
    let mut elements = set.filter_map(|set| set.pointer("/elem/0/elem"));
    let element = elements.next();
    let left = element.and_then(|element| element.get("expires")).and_then(Value::as_u64);
    let id = element.and_then(|element| element.get("comment")).and_then(Value::as_str);
    Trial { side, left: left.map(Duration::from_secs), id: id.unwrap_or_default().to_owned() }
}

/// A listing without the elements of sets whose elements have a timeout.
fn without_passing_elements(listing: &str) -> String {
    let (mut kept, mut passing, mut within) = (String::new(), false, false);
    for line in listing.lines() {
        let words = line.trim_start();
        if words.starts_with("set ") {
            passing = false;
        }
        passing |= words.starts_with("flags ") && words.contains("timeout");
        within |= passing && words.starts_with("elements = {");
        // The elements stand last in a set, over as many lines as they need.
        within &= words != "}";
        if !within {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// nft(8) draws below a line where in it the mistake is; a message is one line.
fn in_one_line(words: &str) -> String {
    let lines = words.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines: Vec<&str> =
        lines.filter(|line| !line.chars().all(|c| matches!(c, '^' | '~' | ' '))).take(6).collect();
    lines.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As nftables 1.0.6 prints it.
    const LISTED: &str = "\
table inet t {
\tset ports {
\t\ttype inet_service
\t\telements = { 25, 465,
\t\t\t     993 }
\t}

\tset rates {
\t\ttype ipv4_addr
\t\tflags dynamic,timeout
\t\ttimeout 2m
\t\telements = { 192.0.2.7 limit rate over 30/minute,
\t\t\t     192.0.2.8 limit rate over 30/minute }
\t}

\tchain input {
\t\ttcp dport @ports accept
\t}
}
";

    #[test]
    fn only_elements_that_pass_are_left_out() {
        let kept = without_passing_elements(LISTED);
        assert!(kept.contains("993 }") && kept.contains("timeout 2m\n\t}\n\n\tchain input {"), "{kept}");
        assert!(!kept.contains("192.0.2"), "{kept}");
    }

    #[test]
    fn what_nft_lists_is_understood() {
        let rule = |chain: &str, target: &str, on_trial: bool| {
            let condition = serde_json::json!({"match": {"op": "==", "left": {"meta": {"key": "nfproto"}}, "right": "@trial"}});
            let lead = serde_json::json!({"goto": {"target": target}});
            let statements = if on_trial { vec![condition, lead] } else { vec![lead] };
            serde_json::json!({"rule": {"chain": chain, "expr": statements}})
        };
        let set = |elements: Value| serde_json::json!({"set": {"name": "trial", "elem": elements}});
        let alive =
            serde_json::json!([{"elem": {"val": "ipv4", "timeout": 60, "expires": 42, "comment": "7"}}]);
        let on_trial = |left: Option<u64>, id: &str| {
            Some(Trial { side: Side::B, left: left.map(Duration::from_secs), id: id.to_owned() })
        };
        let rows = [
            (vec![], Loaded::Broken),
            (vec![rule("input", "somewhere", false)], Loaded::Broken),
            (vec![rule("input", "input_a", false)], Loaded::Rules { kept: Some(Side::A), trial: None }),
            (
                vec![set(alive), rule("input", "input_b", true), rule("input", "input_a", false)],
                Loaded::Rules { kept: Some(Side::A), trial: on_trial(Some(42), "7") },
            ),
            (
                vec![set(serde_json::json!([])), rule("input", "input_b", true)],
                Loaded::Rules { kept: None, trial: on_trial(None, "") },
            ),
        ];
        for (items, expected) in rows {
            assert_eq!(read(&items), expected, "{items:?}");
        }
    }
}
