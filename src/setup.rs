//! Settings and the host's facts, made into what the daemon and the other commands need.

use std::path::Path;

use jiff::tz::TimeZone;
use mailward_decide::NeverBan;
use mailward_source::{Spec, Start};

use crate::guard::Setup;

/// What the configuration and the host say.
pub(crate) fn resolve(_config: Option<&Path>) -> anyhow::Result<Setup> {
    Ok(Setup {
        specs: vec![Spec::File("/var/log/mail.log".into())],
        start: Start::Beginning,
        enforce: true,
        state: "/var/lib/mailward".into(),
        socket: "/run/mailward/control.sock".into(),
        socket_group: None,
        firewall: Some(mailward_enforce::Options::default()),
        postscreen: None,
        never: NeverBan::built_in(),
        rules: mailward_detect::Rules::default(),
        patience: mailward_detect::Patience::default(),
        capacity: mailward_detect::Capacity::default(),
        ladder: mailward_decide::Ladder::default(),
        budget: mailward_decide::Budget::default(),
        retention: mailward_store::Retention::default(),
        zone: TimeZone::system(),
    })
}
