//! How OpenDKIM and Rspamd are told to sign.

use crate::check::{not_applicable, pass};
use crate::plan::Change;
use crate::{Check, Finding, Judged, Remedy, Server, Severity, Untold};

const CONF: &str = "/etc/opendkim.conf";

/// OpenDKIM's settings, the last of each name.
struct Conf<'a> {
    lines: Vec<(usize, &'a str, &'a str)>,
}

impl<'a> Conf<'a> {
    /// Reads opendkim.conf(5).
    fn read(server: &Server<'a>) -> Result<Self, Untold> {
        let Some(text) = server.facts.text(CONF)? else {
            return not_applicable("OpenDKIM is not configured here");
        };
        let lines = text.lines().enumerate().filter_map(|(number, line)| {
            let line = line.split('#').next().unwrap_or_default().trim();
            let (name, value) = line.split_once(char::is_whitespace)?;
            Some((number + 1, name, value.trim().trim_matches('"')))
        });
        Ok(Self { lines: lines.collect() })
    }

    fn get(&self, name: &str) -> Option<(usize, &'a str)> {
        let found = self.lines.iter().rev().find(|(_, key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(line, _, value)| (*line, *value))
    }

    /// Whether it signs at all: `Mode` has an `s`, which is the default.
    fn signs(&self) -> Result<(), Untold> {
        match self.get("Mode") {
            Some((_, mode)) if !mode.contains('s') => not_applicable("OpenDKIM only verifies"),
            _ => Ok(()),
        }
    }
}

fn set(line: &str, name: &str) -> Remedy {
    let value = line.strip_prefix(name).unwrap_or(line).trim();
    Remedy::new(format!("Set `{line}`."))
        .change(Change::setting(CONF, "", name, value))
        .prove(format!("grep -i '^{name}' {CONF}"))
}

fn place(found: Option<(usize, &str)>) -> String {
    found.map_or_else(|| CONF.to_owned(), |(line, _)| format!("{CONF}:{line}"))
}

pub(super) static DKM_009: Check = Check {
    id: "DKM-009",
    title: "Mail is signed with SHA-1",
    severity: Severity::High,
    why: "Verifiers must treat such signatures as failed.",
    proof: "`SignatureAlgorithm` of OpenDKIM.",
    fix: "Set `SignatureAlgorithm rsa-sha256`.",
    references: &["RFC 8301 3.1"],
    judge: dkm_009,
};

fn dkm_009(server: &Server<'_>) -> Judged {
    let conf = Conf::read(server)?;
    conf.signs()?;
    let found = conf.get("SignatureAlgorithm");
    match found {
        Some((_, value)) if value.eq_ignore_ascii_case("rsa-sha1") => {
            Ok(Finding::new(Severity::High, "", "OpenDKIM signs with rsa-sha1")
                .cause("SignatureAlgorithm")
                .seen(place(found), format!("SignatureAlgorithm {value}"))
                .remedy(set("SignatureAlgorithm rsa-sha256", "SignatureAlgorithm"))
                .into())
        }
        _ => pass("OpenDKIM signs with rsa-sha256"),
    }
}

pub(super) static DKM_010: Check = Check {
    id: "DKM-010",
    title: "Only the first part of a message is signed",
    severity: Severity::High,
    why: "With `l=` anybody can append text to a signed message, and it still verifies.",
    proof: "`BodyLengthDB` of OpenDKIM.",
    fix: "Remove `BodyLengthDB`.",
    references: &["RFC 6376 8.2"],
    judge: dkm_010,
};

fn dkm_010(server: &Server<'_>) -> Judged {
    let conf = Conf::read(server)?;
    conf.signs()?;
    let found = ["BodyLengthDB", "BodyLengths"].iter().find_map(|name| Some((*name, conf.get(name)?)));
    match found {
        Some((name, (line, value)))
            if !value.eq_ignore_ascii_case("no") && !value.eq_ignore_ascii_case("false") =>
        {
            Ok(Finding::new(Severity::High, "", "OpenDKIM signs only the first part of messages")
                .cause(name)
                .seen(format!("{CONF}:{line}"), format!("{name} {value}"))
                .remedy(
                    Remedy::new("Remove the setting.")
                        .change(Change::Setting {
                            file: CONF.to_owned(),
                            section: String::new(),
                            name: (*name).to_owned(),
                            value: None,
                        })
                        .prove(format!("grep -i bodylength {CONF}")),
                )
                .into())
        }
        _ => pass("OpenDKIM signs whole messages"),
    }
}

pub(super) static DKM_011: Check = Check {
    id: "DKM-011",
    title: "A header that people see is not protected by the signature",
    severity: Severity::Medium,
    why: "A second From or Subject can be added to a signed message without breaking the signature.",
    proof: "`SignHeaders` and `OversignHeaders` of OpenDKIM.",
    fix: "Set `OversignHeaders From`, and sign From, Subject, To, Date, Reply-To and the MIME headers.",
    references: &["RFC 6376 5.4", "RFC 6376 8.15"],
    judge: dkm_011,
};

/// Those that must be signed, and those that ought to be.
const HEADERS: &[&str] = &["from", "subject", "to", "date"];

fn dkm_011(server: &Server<'_>) -> Judged {
    let conf = Conf::read(server)?;
    conf.signs()?;
    let names = |value: &str| -> Vec<String> {
        value
            .split([',', ':', ' '])
            .map(|name| name.trim_start_matches(['+', '-']).to_ascii_lowercase())
            .collect()
    };
    let over = conf.get("OversignHeaders");
    if !over.is_some_and(|(_, value)| names(value).iter().any(|name| name == "from")) {
        return Ok(Finding::new(Severity::Medium, "", "OpenDKIM does not over-sign From")
            .cause("OversignHeaders")
            .seen(place(over), over.map_or("OversignHeaders is not set", |(_, value)| value))
            .remedy(set("OversignHeaders From", "OversignHeaders"))
            .into());
    }
    let sign = conf.get("SignHeaders");
    let replaced = sign.map(|(_, value)| value).filter(|value| !value.starts_with(['+', '-', '*']));
    let missing: Vec<&str> = replaced
        .map(names)
        .map(|signed| {
            HEADERS.iter().copied().filter(|header| !signed.iter().any(|name| name == header)).collect()
        })
        .unwrap_or_default();
    if missing.is_empty() {
        return pass("OpenDKIM signs what people see, and over-signs From");
    }
    Ok(Finding::new(Severity::Medium, "", format!("OpenDKIM does not sign {}", missing.join(", ")))
        .cause("SignHeaders")
        .seen(place(sign), replaced.unwrap_or_default())
        .remedy(set("SignHeaders *,+autocrypt", "SignHeaders"))
        .into())
}

pub(super) static DKM_013: Check = Check {
    id: "DKM-013",
    title: "Signatures break when a blank is changed on the way",
    severity: Severity::Low,
    why: "With simple/simple a folded header line or a blank at a line's end makes the signature fail.",
    proof: "`Canonicalization` of OpenDKIM; its default is simple/simple.",
    fix: "Set `Canonicalization relaxed/simple` or `relaxed/relaxed`.",
    references: &["RFC 6376 3.4"],
    judge: dkm_013,
};

fn dkm_013(server: &Server<'_>) -> Judged {
    let conf = Conf::read(server)?;
    conf.signs()?;
    let found = conf.get("Canonicalization");
    let value = found.map_or("simple/simple", |(_, value)| value);
    if value.to_ascii_lowercase().starts_with("relaxed") {
        return pass(format!("Canonicalization {value}"));
    }
    Ok(Finding::new(Severity::Low, "", "OpenDKIM signs header lines exactly as they are written")
        .cause("Canonicalization")
        .seen(place(found), if found.is_some() { value } else { "not set: simple/simple" })
        .remedy(set("Canonicalization relaxed/simple", "Canonicalization"))
        .into())
}

pub(super) static DKM_016: Check = Check {
    id: "DKM-016",
    title: "Two programs sign or verify the same mail",
    severity: Severity::Medium,
    why: "Mail is signed twice, results contradict each other, and changing a key in one place changes half of it.",
    proof: "OpenDKIM and Rspamd both among Postfix's milters, or both with keys for one domain.",
    fix: "Let one do it: with Rspamd, take OpenDKIM away.",
    references: &["RFC 8601 5"],
    judge: dkm_016,
};

fn dkm_016(server: &Server<'_>) -> Judged {
    let by_rspamd = |table: &str| table.contains("rspamd");
    let keys = server.facts.dns.signing.known().into_iter().flatten();
    let keys: Vec<_> = keys.filter(|key| !key.senders.is_empty()).collect();
    let running = |name: &str| {
        let processes = server.facts.host.processes.get()?;
        Ok::<_, Untold>(processes.iter().any(|process| process.name == name))
    };
    if !(running("opendkim")? && running("rspamd")?) {
        return pass("OpenDKIM and Rspamd do not run side by side");
    }
    let twice = keys.iter().find(|key| {
        by_rspamd(&key.table)
            && keys.iter().any(|other| !by_rspamd(&other.table) && other.domain == key.domain)
    });
    let milters = server.postfix()?.value("smtpd_milters").unwrap_or_default();
    let rspamd = milters.contains("11332") || milters.contains("rspamd");
    let opendkim = ["opendkim", "8891", "12301"].iter().any(|name| milters.contains(name));
    if twice.is_none() && !(rspamd && opendkim) {
        return pass("mail passes one of OpenDKIM and Rspamd only");
    }
    let mut finding = Finding::new(Severity::Medium, "", "OpenDKIM and Rspamd both handle DKIM")
        .cause("smtpd_milters")
        .seen("smtpd_milters", milters);
    if let Some(key) = twice {
        finding =
            finding.seen(&*key.table, format!("a key of {}, for which OpenDKIM has one, too", key.domain));
    }
    Ok(finding
        .remedy(
            Remedy::new(
                "Take OpenDKIM out of the milters and stop it; with docker-mailserver set ENABLE_OPENDKIM=0.",
            )
            .apply("systemctl disable --now opendkim && postfix reload")
            .prove("postconf -h smtpd_milters"),
        )
        .into())
}
