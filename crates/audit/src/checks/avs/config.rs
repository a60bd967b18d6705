//! The filters' configuration, as far as the checks ask: amavis' Perl by its assignments, Rspamd's dump by its blocks,
//! SpamAssassin's and ClamAV's lines.

use crate::dms::volume_text;
use crate::facts::Deployment;
use crate::{Facts, Server, Untold};

/// A line that is no comment.
#[derive(Clone, Debug)]
pub(super) struct Line<'a> {
    /// Its file, shortened to its name, and number.
    pub(super) place: String,
    pub(super) text: &'a str,
}

/// The lines of a file.
pub(super) fn lines<'a>(path: &str, text: &'a str) -> Vec<Line<'a>> {
    let lines = text.lines().enumerate().map(|(number, text)| (number + 1, text.trim()));
    lines
        .filter(|(_, text)| !text.is_empty() && !text.starts_with('#'))
        .map(|(number, text)| Line { place: format!("{path}:{number}"), text })
        .collect()
}

const AMAVIS: &str = "/etc/amavis/conf.d";

/// amavis' configuration: the files that it reads, in its order, the last assignment wins.
pub(super) fn amavis(facts: &Facts) -> Result<Vec<Line<'_>>, Untold> {
    let read: Vec<(&str, &str)> = facts
        .below(AMAVIS)
        .filter(|(path, _)| is_read(path))
        .filter_map(|(path, file)| Some((path, file.text.known()?.as_str())))
        .collect();
    let mut all: Vec<Line<'_>> = read.iter().flat_map(|(path, text)| lines(path, text)).collect();
    let own = volume_text(facts, "amavis.cf").ok().flatten();
    if facts.about.deployment == Deployment::DockerMailserver
        && !read.iter().any(|(path, _)| path.ends_with("/50-user"))
    {
        all.extend(own.into_iter().flat_map(|text| lines("amavis.cf", text)));
    }
    if all.is_empty() {
        return Err(Untold::CouldNotTell("amavis' configuration was not read".to_owned()));
    }
    Ok(all)
}

/// Whether amavis reads a file of conf.d: names with other characters than these are passed over (amavisd-new's Debian patch).
pub(super) fn is_read(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

/// The last assignment of a variable of amavis, with what it gives.
pub(super) fn assigned<'a>(lines: &'a [Line<'a>], variable: &str) -> Option<(&'a Line<'a>, &'a str)> {
    lines.iter().rev().find_map(|line| {
        let (name, value) = line.text.split_once('=')?;
        let value = value.trim().split(';').next().unwrap_or_default().trim();
        (name.trim() == variable).then_some((line, value))
    })
}

/// Rspamd's whole configuration as it resolved it.
pub(super) fn rspamd(facts: &Facts) -> Option<&str> {
    facts.output("rspamadm configdump").ok().filter(|text| !text.trim().is_empty())
}

/// The first block of a name in Rspamd's dump, without its braces.
pub(super) fn block<'a>(dump: &'a str, name: &str) -> Option<&'a str> {
    let start = dump.match_indices(name).find_map(|(at, _)| {
        let before = dump.get(..at)?;
        let alone = before.rsplit('\n').next().is_none_or(|line| line.trim().is_empty());
        let after = dump.get(at + name.len()..)?;
        let opens = after.trim_start_matches([' ', '"', '=']).starts_with('{');
        (alone && opens).then(|| at + name.len() + after.find('{').unwrap_or_default() + 1)
    })?;
    let rest = dump.get(start..)?;
    let mut depth = 1_u32;
    for (at, char) in rest.char_indices() {
        match char {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return rest.get(..at);
        }
    }
    Some(rest)
}

/// A setting of a block: `name = value;`.
pub(super) fn setting<'a>(block: &'a str, name: &str) -> Option<&'a str> {
    block.lines().find_map(|line| {
        let line = line.trim();
        let rest = line.strip_prefix(name)?.trim_start();
        let value = rest.strip_prefix('=').unwrap_or(rest).trim();
        (rest.len() < line.len() && !value.starts_with('{'))
            .then(|| value.trim_end_matches([';', ',']).trim_matches('"'))
    })
}

/// The items of a list of a block, `name [ ... ]`, or its one value.
pub(super) fn list<'a>(block: &'a str, name: &str) -> Vec<&'a str> {
    let Some(at) = block.find(name) else { return Vec::new() };
    let rest = block.get(at + name.len()..).unwrap_or_default();
    let head = rest.lines().next().unwrap_or_default();
    let text = if head.contains('[') { rest.split(']').next().unwrap_or_default() } else { head };
    text.split(['[', ',', '\n', '=', ';'])
        .map(|item| item.trim().trim_matches('"'))
        .filter(|item| !item.is_empty())
        .collect()
}

/// SpamAssassin's lines: the system's, and docker-mailserver's own file.
pub(super) fn spamassassin(facts: &Facts) -> Vec<Line<'_>> {
    let system = facts
        .below("/etc/spamassassin")
        .chain(facts.below("/etc/mail/spamassassin"))
        .filter(|(path, _)| path.ends_with(".cf"))
        .filter_map(|(path, file)| Some((path, file.text.known()?.as_str())));
    let own = volume_text(facts, "spamassassin-rules.cf").ok().flatten();
    system
        .chain(own.map(|text| ("spamassassin-rules.cf", text)))
        .flat_map(|(path, text)| lines(path, text))
        .collect()
}

/// ClamAV's daemon, by its option lines.
pub(super) fn clamd<'a>(facts: &'a Facts, option: &str) -> Result<Option<&'a str>, Untold> {
    let text = facts.text("/etc/clamav/clamd.conf")?;
    Ok(text.and_then(|text| {
        text.lines().find_map(|line| line.trim().strip_prefix(option)?.strip_prefix(' ').map(str::trim))
    }))
}

/// Whether a program runs; none if nobody knows.
pub(super) fn runs(server: &Server<'_>, names: &[&str]) -> Option<bool> {
    if let Some(processes) = server.facts.host.processes.known() {
        return Some(processes.iter().any(|process| names.iter().any(|name| process.name.starts_with(name))));
    }
    let status = server.facts.output("supervisorctl status").ok()?;
    let is = |line: &str| names.iter().any(|name| line.starts_with(name)) && line.contains("RUNNING");
    Some(status.lines().any(is))
}

/// Whether amavis is what judges content here.
pub(super) fn amavis_used(server: &Server<'_>) -> Result<bool, Untold> {
    if let Ok(dms) = server.dms() {
        return Ok(dms.in_force("ENABLE_AMAVIS")?.is_on());
    }
    match runs(server, &["amavis"]) {
        Some(runs) => Ok(runs),
        None => Ok(amavis(server.facts).is_ok()),
    }
}

/// Bytes of `25M`, `50mb`, `1048576`.
pub(super) fn bytes(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim().chars().next() {
        Some('k') => 1 << 10,
        Some('m') => 1 << 20,
        Some('g') => 1 << 30,
        None | Some('b') => 1,
        Some(_) => return None,
    };
    number.replace('_', "").parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rspamds_dump_is_found_by_blocks() {
        let dump = "worker {\n    normal {\n    }\n    controller {\n        bind_socket [\n            \"0.0.0.0:11334\",\n        ]\n        password = \"***\";\n        secure_ip = \"127.0.0.1\";\n    }\n}\nactions {\n    reject = 15;\n}\n";
        let controller = block(dump, "controller").unwrap();
        assert_eq!(list(controller, "bind_socket"), ["0.0.0.0:11334"]);
        assert_eq!(list(controller, "secure_ip"), ["127.0.0.1"]);
        assert_eq!(setting(controller, "password"), Some("***"));
        assert_eq!(setting(block(dump, "actions").unwrap(), "reject"), Some("15"));
        assert_eq!(block(dump, "antivirus"), None);
    }

    #[test]
    fn sizes_have_units() {
        for (text, size) in [
            ("25M", Some(26_214_400)),
            ("50mb", Some(52_428_800)),
            ("10240000", Some(10_240_000)),
            ("x", None),
        ] {
            assert_eq!(bytes(text), size, "{text}");
        }
    }
}
