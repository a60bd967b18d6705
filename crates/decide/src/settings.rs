//! The numbers of the decisions, with their defaults.

use mailward_model::Span;

/// How a ban grows with each repeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ladder {
    /// The length of the first, second, … ban; a rule that asks for longer gets longer. The last holds for all after.
    pub steps: Vec<Span>,
    /// The longest ban that a rule can reach.
    pub most: Span,
    /// How long a source must be good until its earlier bans are forgotten.
    pub memory: Span,
}

impl Default for Ladder {
    fn default() -> Self {
        Self {
            steps: vec![
                Span::from_hours(1),
                Span::from_hours(6),
                Span::from_hours(24),
                Span::from_days(7),
                Span::from_days(28),
            ],
            most: Span::from_days(28),
            memory: Span::from_days(90),
        }
    }
}

/// What stops a runaway rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Bans by rules in any minute.
    pub bans_per_minute: u32,
    /// Bans by rules that hold at once.
    pub active_bans: u32,
    /// IPv4 addresses that bans by rules cover at once. The default is 1 in 4,096 of the address space.
    pub ipv4_addresses: u64,
    /// IPv6 /64 networks that bans by rules cover at once.
    pub ipv6_networks: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { bans_per_minute: 1_000, active_bans: 500_000, ipv4_addresses: 1 << 20, ipv6_networks: 1 << 24 }
    }
}
