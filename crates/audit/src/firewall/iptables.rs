//! Rules as `iptables-save` prints them.

/// A rule of `iptables-save`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IptablesRule {
    /// Its table: `filter`, `nat`.
    pub table: String,
    /// Its chain.
    pub chain: String,
    /// What it jumps to: `ACCEPT`, `DROP`, a chain.
    pub target: String,
    /// The ports it is about; empty for all.
    pub ports: Vec<u16>,
    /// Its text.
    pub text: String,
}

/// The rules that `iptables-save` printed.
#[must_use]
pub fn iptables_rules(text: &str) -> Vec<IptablesRule> {
    let mut table = String::new();
    let mut rules = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('*') {
            table = name.trim().to_owned();
        } else if let Some(rest) = line.strip_prefix("-A ") {
            let chain = rest.split(' ').next().unwrap_or_default().to_owned();
            let target = after(rest, "-j").unwrap_or_default().to_owned();
            let ports = after(rest, "--dport").or_else(|| after(rest, "--dports"));
            let ports = ports.map(|list| list.split(',').filter_map(|port| port.parse().ok()).collect());
            rules.push(IptablesRule {
                table: table.clone(),
                chain,
                target,
                ports: ports.unwrap_or_default(),
                text: line.to_owned(),
            });
        }
    }
    rules
}

impl IptablesRule {
    /// Whether it holds back by rate for all sources together.
    #[must_use]
    pub fn limits_together(&self) -> bool {
        self.text.contains("-m limit ") && !self.text.contains("-m hashlimit ")
    }
}

/// The word after an option.
fn after<'a>(text: &'a str, option: &str) -> Option<&'a str> {
    let mut words = text.split(' ');
    words.find(|word| *word == option)?;
    words.next()
}
