//! Cases of the TLS-RPT family.

use super::dns::{with, zone};
use crate::{Case, build};

/// The cases, by id.
pub(crate) const CASES: &[Case] = &[
    Case {
        id: "TRP-001",
        fails: || with(zone(), "TXT _smtp._tls.example.org", &[]),
        shows: "asks for no TLS reports",
        passes: zone,
    },
    Case {
        id: "TRP-002",
        fails: || with(zone(), "TXT _smtp._tls.example.org", &["v=TLSRPTv1; rua=tls@example.org"]),
        shows: "is no mailto: or https:",
        passes: zone,
    },
    Case {
        id: "TRP-003",
        fails: || build::postfix_of("3.10.1", build::MAIN_CF, build::MASTER_CF),
        shows: "smtp_tlsrpt_enable = no",
        passes: || {
            build::postfix_of(
                "3.10.1",
                &format!("{}smtp_tlsrpt_enable = yes\n", build::MAIN_CF),
                build::MASTER_CF,
            )
        },
    },
];
