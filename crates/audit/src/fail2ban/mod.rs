//! fail2ban's jails: as `fail2ban-client -d` resolves them, or as files and docker-mailserver's stock say; and what they would
//! have done about the attacks in a log.

mod dump;
mod ini;
mod literal;
mod pattern;
pub(crate) mod sample;
pub(crate) mod stock;
pub mod trial;

pub use pattern::Filter;

use ini::Ini;

use crate::dms::{Dms, volume_text};
use crate::facts::Deployment;
use crate::{Facts, Untold};

/// fail2ban's configuration.
#[derive(Clone, Debug, Default)]
pub struct Fail2ban {
    /// The jails that are on.
    pub jails: Vec<Jail>,
    /// Jails that are written down and do not run.
    pub skipped: Vec<Skipped>,
    /// How it was learnt.
    pub source: String,
    /// What it is told about IPv6, where that is known: `auto`, `no`.
    pub ipv6: Option<String>,
}

/// A jail.
#[derive(Clone, Debug)]
pub struct Jail {
    /// Its name.
    pub name: String,
    /// Its filter's name; empty if it has none, or where only the patterns are known.
    pub filter_name: String,
    /// Its filter's mode, where that is known.
    pub mode: String,
    /// Which lines it counts.
    pub filter: Filter,
    /// How many of them ban.
    pub max_retry: u32,
    /// Within how many seconds.
    pub find_time: i64,
    /// For how many seconds; less than 0 for ever.
    pub ban_time: i64,
    /// Whether the time grows for those who come again.
    pub grows: bool,
    /// Addresses and networks it never bans.
    pub ignored: Vec<String>,
    /// The logs it reads.
    pub logs: Vec<String>,
    /// Whether it reads the journal.
    pub journal: bool,
    /// What it does to ban.
    pub actions: Vec<String>,
    /// The ports that it closes, as they are written.
    pub ports: String,
    /// How it is known.
    pub origin: Origin,
}

/// How a jail is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// From `fail2ban-client -d`.
    #[default]
    Resolved,
    /// docker-mailserver's own.
    Shipped,
    /// From a file.
    File,
}

/// A jail that is written down and does not run.
#[derive(Clone, Debug)]
pub struct Skipped {
    /// Its name.
    pub name: String,
    /// Why it does not run.
    pub why: String,
    /// What shows it: a file, or `fail2ban-client -d`.
    pub place: String,
    /// The jail as it would be if its filter were there; none if the filter is nowhere.
    pub would_be: Option<Jail>,
}

impl Default for Jail {
    fn default() -> Self {
        // fail2ban's own defaults.
        Self {
            name: String::new(),
            filter_name: String::new(),
            mode: String::new(),
            filter: Filter::default(),
            max_retry: 5,
            find_time: 600,
            ban_time: 600,
            grows: false,
            ignored: Vec::new(),
            logs: Vec::new(),
            journal: false,
            actions: Vec::new(),
            ports: String::new(),
            origin: Origin::default(),
        }
    }
}

const ETC: &str = "/etc/fail2ban";

impl Fail2ban {
    /// Reads it.
    ///
    /// # Errors
    /// When there is no fail2ban, or nothing is known of it.
    pub fn read(facts: &Facts) -> Result<Self, Untold> {
        let dms = Dms::read(facts).ok();
        if let Some(dms) = &dms
            && !dms.in_force("ENABLE_FAIL2BAN")?.is_on()
        {
            return Err(Untold::NotApplicable("fail2ban is off".to_owned()));
        }
        let mut found = match facts.output("fail2ban-client -d") {
            Ok(text) => Self::resolved(text),
            Err(why) => Self::from_files(facts).ok_or(why)?,
        };
        if dms.is_some() {
            found.override_file(facts);
        }
        Ok(found)
    }

    fn resolved(text: &str) -> Self {
        let dump = dump::read(text);
        let skipped = dump.errors.iter().map(|error| Skipped {
            name: error.split('\'').nth(1).unwrap_or_default().to_owned(),
            why: error.clone(),
            place: "fail2ban-client -d".to_owned(),
            would_be: None,
        });
        Self {
            skipped: skipped.collect(),
            jails: dump.jails,
            source: "fail2ban-client -d".to_owned(),
            ipv6: dump.ipv6,
        }
    }

    fn from_files(facts: &Facts) -> Option<Self> {
        if facts.about.deployment == Deployment::DockerMailserver {
            let source = "docker-mailserver's own jails".to_owned();
            return Some(Self { jails: stock::docker_mailserver(), source, ..Self::default() });
        }
        let text = jail_files(facts);
        if text.is_empty() {
            return None;
        }
        let mut found = Self { source: format!("{ETC}/jail.*"), ..Self::default() };
        found.take(facts, &Ini::read(&text), &found.source.clone());
        Some(found)
    }

    /// docker-mailserver's file for own jails. In force only in a container that was created after it, and judged as if.
    fn override_file(&mut self, facts: &Facts) {
        if let Ok(Some(text)) = volume_text(facts, "fail2ban-jail.cf") {
            self.take(facts, &Ini::read(text), "fail2ban-jail.cf");
        }
    }

    /// Takes the jails of a file, over those of the same names.
    fn take(&mut self, facts: &Facts, ini: &Ini, place: &str) {
        for name in ini.names().filter(|name| !matches!(*name, "DEFAULT" | "INCLUDES")) {
            let known = self.jails.iter().find(|jail| jail.name == name).cloned();
            let on = ini.get(name, "enabled").map_or(known.is_some(), |value| is_yes(&value));
            self.jails.retain(|jail| jail.name != name);
            if !on {
                continue;
            }
            let jail = jail(ini, name, known.unwrap_or_default());
            let had = self.skipped.iter().position(|skipped| skipped.name == name);
            match with_filter(facts, jail) {
                Ok(jail) => self.jails.push(jail),
                Err(skipped) => {
                    let skipped = Skipped { place: place.to_owned(), ..*skipped };
                    match had.and_then(|at| self.skipped.get_mut(at)) {
                        Some(there) => there.would_be = skipped.would_be,
                        None => self.skipped.push(skipped),
                    }
                }
            }
        }
    }
}

/// What every jail leaves out that says nothing else.
pub(crate) fn ignored_by_default(facts: &Facts) -> Vec<String> {
    let value = Ini::read(&jail_files(facts)).get("DEFAULT", "ignoreip");
    value.map(|value| words(&value)).unwrap_or_default()
}

fn words(value: &str) -> Vec<String> {
    value.split([',', ' ', '\n']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// The jail files in the order in which the later win.
fn jail_files(facts: &Facts) -> String {
    let text = |path: &str| facts.text(path).ok().flatten().map(str::to_owned);
    let below = |end: &str| {
        facts
            .below("/etc/fail2ban/jail.d")
            .filter(move |(path, _)| path.ends_with(end))
            .filter_map(|(_, file)| file.text.known().cloned())
            .collect::<Vec<_>>()
    };
    let mut all = vec![text("/etc/fail2ban/jail.conf")];
    all.extend(below(".conf").into_iter().map(Some));
    all.push(text("/etc/fail2ban/jail.local"));
    all.extend(below(".local").into_iter().map(Some));
    all.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

fn is_yes(value: &str) -> bool {
    matches!(value.to_ascii_lowercase().as_str(), "true" | "1" | "yes" | "on")
}

fn jail(ini: &Ini, name: &str, known: Jail) -> Jail {
    let get = |key: &str| ini.get(name, key);
    let filter = get("filter").unwrap_or_else(|| {
        if known.filter_name.is_empty() { name.to_owned() } else { known.filter_name.clone() }
    });
    let (filter_name, option) = filter.split_once('[').unwrap_or((filter.as_str(), ""));
    let of_option = option.trim_end_matches(']').strip_prefix("mode=").map(str::to_owned);
    let mode = get("mode").or(of_option.filter(|mode| !mode.contains('%'))).unwrap_or(known.mode);
    Jail {
        name: name.to_owned(),
        filter_name: filter_name.trim().to_owned(),
        mode,
        max_retry: get("maxretry").and_then(|value| value.parse().ok()).unwrap_or(known.max_retry),
        find_time: get("findtime").and_then(|value| seconds(&value)).unwrap_or(known.find_time),
        ban_time: get("bantime").and_then(|value| seconds(&value)).unwrap_or(known.ban_time),
        grows: get("bantime.increment").map_or(known.grows, |value| is_yes(&value)),
        ignored: get("ignoreip").map_or(known.ignored, |value| words(&value)),
        logs: get("logpath").map_or(known.logs, |value| words(&value)),
        journal: get("backend").is_some_and(|backend| backend == "systemd"),
        actions: get("banaction").map_or(known.actions, |action| vec![action]),
        ports: get("port").unwrap_or(known.ports),
        origin: Origin::File,
        filter: known.filter,
    }
}

/// A jail with the patterns of its filter, or why it does not start.
fn with_filter(facts: &Facts, mut jail: Jail) -> Result<Jail, Box<Skipped>> {
    let name = jail.filter_name.clone();
    let own = ["local", "conf"]
        .iter()
        .find_map(|end| facts.text(&format!("{ETC}/filter.d/{name}.{end}")).ok().flatten());
    if let Some(filter) = stock::filter(&name, &jail.mode) {
        jail.filter = filter;
        return Ok(jail);
    }
    if let Some(text) = own {
        jail.filter = own_filter(text);
        return Ok(jail);
    }
    let listed = facts.below("/etc/fail2ban/filter.d").next().is_some();
    let there =
        facts.below("/etc/fail2ban/filter.d").any(|(path, _)| path.ends_with(&format!("/{name}.conf")));
    if there || !listed && stock::FILTERS.contains(&name.as_str()) || name.is_empty() {
        return Ok(jail);
    }
    let why = format!("Jail '{}' is skipped: there is no filter '{name}'", jail.name);
    // Somebody may have put the filter where docker-mailserver does not look.
    let aside = ["fail2ban-filter.cf".to_owned(), format!("{name}.conf"), format!("fail2ban-{name}.cf")];
    let aside = aside.iter().find_map(|file| volume_text(facts, file).ok().flatten());
    let would_be = aside.map(|text| Jail { filter: own_filter(text), ..jail.clone() });
    Err(Box::new(Skipped { name: jail.name, why, place: String::new(), would_be }))
}

fn own_filter(text: &str) -> Filter {
    let ini = Ini::read(text);
    let get = |key: &str| ini.get("Definition", key).unwrap_or_default();
    let (prefix, fail, ignore) = (get("prefregex"), get("failregex"), get("ignoreregex"));
    let lines =
        |text: &'_ str| text.lines().map(str::to_owned).filter(|line| !line.is_empty()).collect::<Vec<_>>();
    let (fail, ignore) = (lines(&fail), lines(&ignore));
    Filter::new(Some(&prefix), fail.iter().map(String::as_str), ignore.iter().map(String::as_str))
}

/// fail2ban's times: seconds, or numbers with units (`1w`, `2h 30m`, `180d`); less than 0 for ever.
pub(crate) fn seconds(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<i64>() {
        return Some(seconds);
    }
    let mut total = 0_i64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|at| *at > 0)?;
        let (number, tail) = rest.split_at(digits);
        let tail = tail.trim_start();
        let end = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let factor = match unit {
            "s" | "sec" | "secs" | "second" | "seconds" => 1,
            "m" | "mm" | "min" | "minute" | "minutes" => 60,
            "h" | "hh" | "hour" | "hours" => 3_600,
            "d" | "dd" | "day" | "days" => 86_400,
            "w" | "ww" | "week" | "weeks" => 604_800,
            "mo" | "mon" | "month" | "months" => 2_629_800,
            "y" | "year" | "years" => 31_557_600,
            _ => return None,
        };
        total = total.checked_add(number.parse::<i64>().ok()?.checked_mul(factor)?)?;
        rest = tail.trim_start_matches([' ', '+']);
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        for (text, time) in [
            ("1w", Some(604_800)),
            ("600", Some(600)),
            ("-1", Some(-1)),
            ("2h 30m", Some(9000)),
            ("180d", Some(15_552_000)),
            ("x", None),
            ("5", Some(5)),
            ("1h+", Some(3600)),
        ] {
            assert_eq!(seconds(text), time, "{text}");
        }
    }
}
