//! Cases of the VER family.

use mailward_audit::Facts;
use mailward_audit::facts::{Known, Package, Process};

use crate::Case;
use crate::build::{dovecot, file, nothing, postfix, postfix_of, said};

const BOOKWORM: &str = "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n";

/// Facts with a system and installed packages.
fn with(facts: Facts, os_release: &str, packages: &[(&str, &str)]) -> Facts {
    let mut facts = file(facts, "/etc/os-release", os_release);
    let package = |(name, version): &(&str, &str)| Package {
        name: (*name).to_owned(),
        version: (*version).to_owned(),
        ..Package::default()
    };
    facts.host.packages = Known::Is(packages.iter().map(package).collect());
    facts
}

fn system(os_release: &str) -> Facts {
    file(nothing(), "/etc/os-release", os_release)
}

fn on(day: &str) -> Facts {
    let mut facts = nothing();
    facts.about.taken = format!("{day}T12:00:00Z");
    facts
}

/// A Postfix of a branch, on a release of Debian.
fn branch(version: &str, debian: &str) -> Facts {
    with(
        postfix_of(version, "myhostname = a.example\n", ""),
        &format!("ID=debian\nVERSION_ID=\"{debian}\"\n"),
        &[("postfix", version)],
    )
}

/// A server that knows its package manager's candidates.
fn updates(candidate: Option<&str>, libraries: &[&str]) -> Facts {
    let mut facts = said(nothing(), "apt-cache policy", "postfix:\n");
    let package = Package {
        name: "postfix".to_owned(),
        version: "1".to_owned(),
        candidate: candidate.map(str::to_owned),
        security: true,
    };
    facts.host.packages = Known::Is(vec![package]);
    let deleted_libraries = libraries.iter().map(|library| (*library).to_owned()).collect();
    facts.host.processes = Known::Is(vec![Process {
        pid: 7,
        name: "smtpd".to_owned(),
        deleted_libraries,
        ..Process::default()
    }]);
    facts
}

/// The cases, by id.
pub(crate) const CASES: &[Case] = &[
    Case {
        id: "VER-001",
        fails: || branch("3.4.23", "10"),
        shows: "Nobody maintains Postfix 3.4",
        passes: || branch("3.5.25", "11"),
    },
    Case {
        id: "VER-002",
        fails: || with(postfix(""), BOOKWORM, &[("postfix", "3.7.6-0+deb12u2")]),
        shows: "3.7.9-0+deb12u1 mends CVE-2023-51764",
        passes: || with(postfix(""), BOOKWORM, &[("postfix", "3.7.11-0+deb12u1")]),
    },
    Case {
        id: "VER-002",
        fails: || {
            said(postfix(""), "postconf -d", "config_directory = /etc/postfix\nmail_version = 3.5.18\n")
        },
        shows: "no parameter smtpd_forbid_bare_newline",
        passes: || {
            let offset = "smtpd_data_restrictions = reject_unauth_pipelining\nsmtpd_discard_ehlo_keywords = chunking\n";
            with(postfix(offset), BOOKWORM, &[("postfix", "3.7.6-0+deb12u2")])
        },
    },
    Case {
        id: "VER-003",
        fails: || with(dovecot(nothing(), ""), BOOKWORM, &[("dovecot-core", "1:2.3.19.1+dfsg1-2.1")]),
        shows: "CVE-2024-23184",
        passes: || {
            with(dovecot(nothing(), ""), BOOKWORM, &[("dovecot-core", "1:2.3.19.1+dfsg1-2.1+deb12u7")])
        },
    },
    Case {
        id: "VER-004",
        fails: || with(nothing(), BOOKWORM, &[("opendkim", "2.11.0~beta2-8")]),
        shows: "CVE-2022-48521",
        passes: || {
            with(
                nothing(),
                BOOKWORM,
                &[("opendkim", "2.11.0~beta2-8+deb12u1"), ("clamav", "1.4.6+dfsg-0+deb12u1")],
            )
        },
    },
    Case {
        id: "VER-004",
        fails: || {
            with(
                nothing(),
                "ID=ubuntu\nVERSION_ID=\"20.04\"\nVERSION_CODENAME=focal\n",
                &[("clamav", "0.103.12+dfsg-0ubuntu0.20.04.1")],
            )
        },
        shows: "no signatures",
        passes: || with(nothing(), BOOKWORM, &[("openssl", "3.0.22-1~deb12u2")]),
    },
    Case {
        id: "VER-005",
        fails: || updates(Some("2"), &[]),
        shows: "1 is installed, 2 is there",
        passes: || updates(None, &[]),
    },
    Case {
        id: "VER-005",
        fails: || updates(None, &["/usr/lib/x86_64-linux-gnu/libssl.so.3"]),
        shows: "/proc/7/maps (smtpd)",
        passes: || updates(None, &[]),
    },
    Case {
        id: "VER-006",
        fails: || system("ID=debian\nVERSION_ID=\"10\"\n"),
        shows: "out of support since 2024-06-30",
        passes: || system(BOOKWORM),
    },
    Case {
        id: "VER-006",
        fails: || system("ID=ubuntu\nVERSION_ID=\"20.04\"\n"),
        shows: "2025-05-31",
        passes: || {
            file(
                system("ID=ubuntu\nVERSION_ID=\"20.04\"\n"),
                "/etc/apt/sources.list.d/ubuntu-esm.list",
                "deb https://esm.ubuntu.com/infra/ubuntu focal-infra-security main\n",
            )
        },
    },
    Case {
        id: "VER-007",
        fails: || on("2028-01-01"),
        shows: "more than a year old",
        passes: || on("2027-01-01"),
    },
];
