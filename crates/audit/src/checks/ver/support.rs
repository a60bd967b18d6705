//! How long versions are maintained. The tables hold dates that were announced; they were looked through on [`REVIEWED`].

use crate::check::{could_not_tell, pass};
use crate::postfix::Version;
use crate::{Check, Finding, Judged, Outcome, Remedy, Server, Severity, Untold};

/// When the tables of this family were looked through last.
pub(super) const REVIEWED: &str = "2026-11-21";

/// The end of security support of a system: its id, the beginning of its version, the last day, and the last day of what is paid for
/// or extended.
const SYSTEMS: &[(&str, &str, &str, &str)] = &[
    ("debian", "8", "2020-06-30", ""),
    ("debian", "9", "2022-06-30", ""),
    ("debian", "10", "2024-06-30", ""),
    ("debian", "11", "2026-08-31", ""),
    ("debian", "12", "2028-06-30", ""),
    ("debian", "13", "2030-06-30", ""),
    ("ubuntu", "14.04", "2019-04-30", "2024-04-30"),
    ("ubuntu", "16.04", "2021-04-30", "2026-04-30"),
    ("ubuntu", "18.04", "2023-05-31", "2028-04-30"),
    ("ubuntu", "20.04", "2025-05-31", "2030-04-30"),
    ("ubuntu", "22.04", "2027-04-30", "2032-04-30"),
    ("ubuntu", "23.10", "2024-07-11", ""),
    ("ubuntu", "24.04", "2029-04-30", "2034-04-30"),
    ("ubuntu", "24.10", "2025-07-10", ""),
    ("ubuntu", "25.04", "2026-01-15", ""),
    ("centos", "7", "2024-06-30", ""),
    ("centos", "8", "2024-05-31", ""),
    ("centos", "9", "2027-05-31", ""),
    ("rhel", "7", "2024-06-30", "2028-06-30"),
    ("rhel", "8", "2029-05-31", ""),
    ("rhel", "9", "2032-05-31", ""),
    ("almalinux", "8", "2029-05-31", ""),
    ("almalinux", "9", "2032-05-31", ""),
    ("rocky", "8", "2029-05-31", ""),
    ("rocky", "9", "2032-05-31", ""),
    ("alpine", "3.16", "2024-05-23", ""),
    ("alpine", "3.17", "2024-11-22", ""),
    ("alpine", "3.18", "2025-05-09", ""),
    ("alpine", "3.19", "2025-11-01", ""),
    ("alpine", "3.20", "2026-04-01", ""),
    ("alpine", "3.21", "2026-11-01", ""),
    ("alpine", "3.22", "2027-05-01", ""),
];

/// The last day of branches of Postfix: the release of the fourth one after. Later ones had not ended by [`REVIEWED`] for certain.
const POSTFIX: &[(u32, u32, &str)] = &[
    (3, 2, "2021-04-29"),
    (3, 3, "2022-02-05"),
    (3, 4, "2023-04-17"),
    (3, 5, "2024-03-06"),
    (3, 6, "2025-02-16"),
];

/// A system and the end of its support.
pub(super) struct System {
    /// `debian 12`.
    name: String,
    /// `bookworm`; empty if it says none.
    pub(super) codename: String,
    /// The last day; none if the table does not have it.
    until: Option<&'static str>,
}

/// The system that the mail server runs on, by os-release(5).
pub(super) fn system(server: &Server<'_>) -> Result<System, Untold> {
    let text = match server.facts.text("/etc/os-release") {
        Ok(Some(text)) => text,
        _ => server.facts.text("/usr/lib/os-release")?.unwrap_or_default(),
    };
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.unwrap_or_default().trim_matches(['"', '\'']).to_owned()
    };
    let (id, version) = (value("ID"), value("VERSION_ID"));
    if id.is_empty() {
        return could_not_tell("os-release does not say which system it is");
    }
    let extended = server
        .facts
        .below("/etc/apt")
        .any(|(_, file)| file.text.known().is_some_and(|text| text.contains("esm.ubuntu.com")));
    let row = SYSTEMS.iter().find(|(system, branch, ..)| {
        *system == id
            && version.strip_prefix(branch).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    });
    let until = row.map(|(.., last, longer)| if extended && !longer.is_empty() { *longer } else { *last });
    Ok(System { name: format!("{id} {version}"), codename: value("VERSION_CODENAME"), until })
}

/// The day of the facts, which sorts as text.
fn today<'a>(server: &Server<'a>) -> Result<&'a str, Untold> {
    match server.facts.about.taken.get(..10) {
        Some(day) => Ok(day),
        None => could_not_tell("when the facts were taken is not known"),
    }
}

/// Whether the distribution still mends its packages; none if the table does not have it.
fn is_supported(server: &Server<'_>) -> Result<Option<bool>, Untold> {
    let (today, system) = (today(server)?, system(server)?);
    Ok(system.until.map(|until| today <= until))
}

pub(super) static VER_006: Check = Check {
    id: "VER-006",
    title: "The operating system is out of support",
    severity: Severity::High,
    why: "Flaws that are found from now on stay open: nobody mends them in these packages.",
    proof: "os-release against a dated table of announced ends of support, Debian LTS and, where its archive is in use, Ubuntu Pro included.",
    fix: "Upgrade to a release that is supported, or buy extended support.",
    references: &[
        "https://wiki.debian.org/LTS",
        "https://ubuntu.com/about/release-cycle",
        "CIS Controls v8 2.2",
    ],
    judge: ver_006,
};

fn ver_006(server: &Server<'_>) -> Judged {
    let (today, system) = (today(server)?, system(server)?);
    let Some(until) = system.until else {
        return could_not_tell(format!(
            "how long {} is supported is not in the table of {REVIEWED}",
            system.name
        ));
    };
    if today <= until {
        return pass(format!("{} is supported until {until}", system.name));
    }
    let finding =
        Finding::new(Severity::High, "", format!("{} has been out of support since {until}", system.name))
            .seen("/etc/os-release", system.name)
            .seen(format!("table of {REVIEWED}"), format!("support until {until}"));
    let remedy = Remedy::new("Upgrade the system, or the image of the container.")
        .apply("apt full-upgrade")
        .prove("cat /etc/os-release");
    Ok(Outcome::from(finding.remedy(remedy)))
}

pub(super) static VER_001: Check = Check {
    id: "VER-001",
    title: "This branch of Postfix is maintained by nobody",
    severity: Severity::Medium,
    why: "Flaws that are found from now on stay open.",
    proof: "The branch against Postfix's policy of maintaining the four newest, and the distribution's end of support, whose packages get \
            fixes by themselves.",
    fix: "Upgrade to a supported release of the distribution, or to a maintained branch of Postfix.",
    references: &["https://www.postfix.org/announcements.html"],
    judge: ver_001,
};

fn ver_001(server: &Server<'_>) -> Judged {
    let today = today(server)?;
    let version @ Version(major, minor, _) = server.postfix()?.version()?;
    let packaged = server
        .facts
        .host
        .packages
        .known()
        .is_some_and(|all| all.iter().any(|package| package.name == "postfix"));
    let ended = POSTFIX.iter().find(|(a, b, _)| (*a, *b) == (major, minor)).map(|(.., day)| *day);
    let ended = ended.or((Version(major, minor, 0) < Version(3, 2, 0)).then_some("2021-04-29"));
    let Some(day) = ended.filter(|day| today > *day) else {
        return pass(format!(
            "Postfix {version} was maintained upstream when the table was made ({REVIEWED})"
        ));
    };
    match is_supported(server) {
        Ok(Some(true)) if packaged => {
            return pass(format!("Postfix {version} ended upstream on {day}, and the distribution mends it"));
        }
        Ok(None) | Err(_) if packaged => {
            return could_not_tell("whether the distribution still mends its Postfix is not known");
        }
        _ => {}
    }
    let finding =
        Finding::new(Severity::Medium, "", format!("Nobody maintains Postfix {major}.{minor} since {day}"))
            .seen("postconf mail_version", version.to_string())
            .seen(format!("table of {REVIEWED}"), format!("the branch {major}.{minor} ended on {day}"));
    let remedy = Remedy::new("Upgrade the system, with it Postfix.")
        .apply("apt full-upgrade")
        .prove("postconf mail_version");
    Ok(Outcome::from(finding.remedy(remedy)))
}

pub(super) static VER_007: Check = Check {
    id: "VER-007",
    title: "Mailward's own tables are old",
    severity: Severity::Info,
    why: "What was found since is not in them: flaws, ends of support, block lists that were closed.",
    proof: "The date at which the tables of this program were looked through, against the date of the audit: more than a year.",
    fix: "Update Mailward.",
    references: &[],
    judge: ver_007,
};

fn ver_007(server: &Server<'_>) -> Judged {
    let today = today(server)?;
    let days = |day: &str| day.parse::<jiff::civil::Date>().ok();
    let (Some(reviewed), Some(now)) = (days(REVIEWED), days(today)) else {
        return could_not_tell("the date of the audit is none");
    };
    let age = now.since(reviewed).map_or(0, |span| span.get_days());
    if age <= 365 {
        return pass(format!("the tables are of {REVIEWED}"));
    }
    let finding = Finding::new(Severity::Info, "", "Mailward's tables of versions are more than a year old")
        .seen("tables of versions and ends of support", REVIEWED);
    let remedy = Remedy::new("Update Mailward.")
        .apply("apt-get install --only-upgrade mailward")
        .prove("mailward --version");
    Ok(Outcome::from(finding.remedy(remedy)))
}
