//! The text of the configuration into settings, or into every mistake that is in it.

use std::collections::HashSet;
use std::ops::Range;

use mailward_detect::rules::Response;
use mailward_detect::{Rule, Rules};
use mailward_model::Span;
use toml::de::{DeTable, DeValue};

use super::field::Value;
use super::mistake::{Mistake, Mistakes, meant};
use super::settings::Settings;
use super::table::{BAN, OF_RULE, RULES, SECTIONS, Section, Setting};

/// The settings; what is not in the text has its default.
pub(super) fn read(text: &str) -> Result<Settings, Vec<Mistake>> {
    let mut mistakes = Mistakes::new(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let at = error.span().unwrap_or(0..0);
        // The first in a line is the mistake, the others follow from it.
        if !mistakes.is_wrong(&at) {
            mistakes.add(at, error.message(), "");
        }
    }
    let broken = !errors.is_empty();
    let mut reader = Reader { settings: Settings::default(), mistakes, places: Places::default(), broken };
    reader.file(table.get_ref());
    reader.whole();
    let mistakes = reader.mistakes.finish();
    if mistakes.is_empty() { Ok(reader.settings) } else { Err(mistakes) }
}

struct Reader<'a> {
    settings: Settings,
    mistakes: Mistakes<'a>,
    places: Places,
    /// Whether it is no TOML.
    broken: bool,
}

/// Where settings stand that are looked at together with others.
#[derive(Default)]
struct Places(Vec<(&'static str, &'static str, Range<usize>)>);

impl Places {
    fn of(&self, section: &str, key: &str) -> Option<Range<usize>> {
        self.0.iter().find(|(s, k, _)| (*s, *k) == (section, key)).map(|(.., at)| at.clone())
    }
}

impl Reader<'_> {
    fn file(&mut self, table: &DeTable<'_>) {
        for (name, value) in table {
            // What the parser made of a broken line only confuses.
            if self.mistakes.is_wrong(&name.span()) {
                continue;
            }
            match (name.get_ref().as_ref(), value.get_ref()) {
                (RULES, DeValue::Table(rules)) => self.rules(rules),
                (name, DeValue::Table(settings)) if section(name).is_some() => {
                    section(name).into_iter().for_each(|section| self.section(section, settings));
                }
                (other, _) => self.unknown_section(other, name.span(), value),
            }
        }
    }

    fn section(&mut self, section: &'static Section, table: &DeTable<'_>) {
        for (key, value) in table {
            if self.mistakes.is_wrong(&key.span()) {
                continue;
            }
            match section.settings.iter().find(|setting| setting.key == key.get_ref()) {
                Some(setting) => {
                    self.places.0.push((section.name, setting.key, value.span()));
                    (setting.read)(&mut self.settings, value, &mut self.mistakes);
                }
                None => {
                    let problem = format!("[{}] has no setting \"{}\"", section.name, key.get_ref());
                    self.mistakes.add(
                        key.span(),
                        problem,
                        help(key.get_ref(), section.settings, Some(section.name)),
                    );
                }
            }
        }
    }

    fn unknown_section(&mut self, name: &str, at: Range<usize>, value: &Value<'_>) {
        let names = || SECTIONS.iter().map(|section| section.name).chain([RULES]);
        if names().any(|section| section == name) {
            return self.mistakes.add(
                at,
                format!("{name} is a section"),
                format!("write [{name}], and its settings below"),
            );
        }
        let is_section = matches!(value.get_ref(), DeValue::Table(_));

        let problem = match is_section {
            true => format!("there is no section [{name}]"),
            false => format!("\"{name}\" stands in no section"),
        };
        let near = meant(name, names());
        // Perhaps a broken line before it made it what it is.
        if self.broken && near.is_none() {
            return;
        }
        let help = match (home(name), near) {
            (Some(home), _) if !is_section => format!("it belongs below [{home}]"),
            (_, Some(near)) => format!("did you mean [{near}]?"),
            _ => format!(
                "there are: {}",
                names().map(|name| format!("[{name}]")).collect::<Vec<_>>().join(", ")
            ),
        };
        self.mistakes.add(at, problem, help);
    }

    fn rules(&mut self, table: &DeTable<'_>) {
        for (id, value) in table {
            if self.mistakes.is_wrong(&id.span()) {
                continue;
            }
            let name = id.get_ref();
            match (self.settings.rules.rule(name).copied(), value.get_ref()) {
                (Some(rule), DeValue::Table(settings)) => self.rule(rule, settings),
                (Some(_), _) => {
                    self.mistakes.add(
                        id.span(),
                        format!("{name} is a rule"),
                        format!("write [rules.{name}], and its settings below"),
                    );
                }
                (None, _) => self.unknown_rule(name, id.span()),
            }
        }
    }

    fn rule(&mut self, mut rule: Rule, table: &DeTable<'_>) {
        for (key, value) in table {
            if self.mistakes.is_wrong(&key.span()) {
                continue;
            }
            let name = key.get_ref().as_ref();
            match OF_RULE.iter().find(|setting| setting.key == name) {
                Some(setting) if setting.key == BAN.key && rule.response == Response::Tell => {
                    let problem = format!("{} bans nobody, it only tells", rule.id);
                    self.mistakes.add(key.span(), problem, "leave ban out");
                }
                Some(setting) => {
                    (setting.read)(&mut rule, value, &mut self.mistakes);
                    if setting.key == "threshold" && rule.threshold > rule.most() {
                        let problem = format!("no more than {} are remembered for {}", rule.most(), rule.id);
                        self.mistakes.add(
                            value.span(),
                            problem,
                            "a greater threshold would never be reached",
                        );
                    }
                }
                None => {
                    let problem = format!("[rules.{}] has no setting \"{name}\"", rule.id);
                    self.mistakes.add(key.span(), problem, help(name, OF_RULE, None));
                }
            }
        }
        if let Some(place) = self.settings.rules.rule_mut(rule.id.0) {
            *place = rule;
        }
    }

    fn unknown_rule(&mut self, name: &str, at: Range<usize>) {
        let rules = Rules::default();
        let ids = || rules.0.iter().map(|rule| rule.id.0);
        let help = match meant(name, ids()) {
            Some(near) => format!("did you mean {near}?"),
            None => "`mailward config show --defaults` lists them".into(),
        };
        self.mistakes.add(at, format!("there is no rule \"{name}\""), help);
    }

    /// What single settings do not show.
    fn whole(&mut self) {
        let ladder = &self.settings.ladder;
        let steps = self.places.of("ladder", "steps");
        let at = steps.clone().or_else(|| self.places.of("ladder", "most")).unwrap_or(0..0);
        let longest = ladder.steps.iter().max().copied().unwrap_or_default();
        let problem = if ladder.steps.is_empty() {
            Some("steps is empty: bans would have no length".to_owned())
        } else if ladder.steps.iter().any(|step| *step < Span::from_mins(1)) {
            Some("each of steps must be at least 1m".to_owned())
        } else if !ladder.steps.is_sorted() {
            Some("steps must grow: a repeat is never banned for less".to_owned())
        } else if longest > ladder.most {
            Some(format!("steps goes up to {longest}, and most allows {}", ladder.most))
        } else {
            None
        };
        if let Some(problem) = problem {
            self.mistakes.add(
                at,
                problem,
                "such as steps = [\"1h\", \"6h\", \"24h\", \"1w\", \"4w\"], most = \"4w\"",
            );
        }
        self.greylist();
        self.login_limits();
        self.names();
    }

    /// Whoever comes again must find the window open, and be remembered.
    fn greylist(&mut self) {
        let greylist = &self.settings.policy.settings.greylist;
        let mut places = ["delay", "window", "memory"].into_iter();
        let at = places.find_map(|key| self.places.of("greylist", key)).unwrap_or(0..0);
        let problem = if greylist.delay >= greylist.window {
            format!(
                "window ({}) is over before delay ({}): nobody would come through",
                greylist.window, greylist.delay
            )
        } else if greylist.window > greylist.memory {
            format!("memory ({}) is over before window ({})", greylist.memory, greylist.window)
        } else {
            return;
        };
        self.mistakes.add(at, problem, "such as delay = \"5m\", window = \"2d\", memory = \"35d\"");
    }

    fn login_limits(&mut self) {
        let mut known = HashSet::new();
        let twice = self.settings.login.limits.iter().find(|limit| !known.insert(limit.account()));
        if let (Some(limit), Some(at)) = (twice, self.places.of("login", "limits")) {
            let problem = format!("limits has two entries for {}", limit.account().name());
            self.mistakes.add(at, problem, "write one, such as \"bob@example.org only imap,smtp from DE\"");
        }
    }

    fn names(&mut self) {
        let zone = &self.settings.sources.time_zone;
        if self.settings.sources.zone().is_none()
            && let Some(at) = self.places.of("sources", "time-zone")
        {
            let problem = format!("there is no time zone \"{zone}\"");
            self.mistakes.add(
                at,
                problem,
                "\"local\", \"UTC\", or a name as in `timedatectl list-timezones` (package tzdata)",
            );
        }
        let table = &self.settings.firewall.options.table;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        // nft(8): identifiers begin with a letter; NFT_NAME_MAXLEN is 256.
        if !(table.starts_with(|c: char| c.is_ascii_alphabetic())
            && table.chars().all(plain)
            && table.len() < 64)
            && let Some(at) = self.places.of("firewall", "table")
        {
            self.mistakes.add(
                at,
                "table must be a name of letters, digits and _ that begins with a letter",
                "such as \"mailward\"",
            );
        }
    }
}

fn section(name: &str) -> Option<&'static Section> {
    SECTIONS.iter().find(|section| section.name == name)
}

/// The section that has this setting, if only one does.
fn home(key: &str) -> Option<&'static str> {
    let mut homes =
        SECTIONS.iter().filter(|section| section.settings.iter().any(|setting| setting.key == key));
    let home = homes.next()?;
    homes.next().is_none().then_some(home.name)
}

/// What may have been meant, or where it belongs, or what there is.
fn help<T>(given: &str, settings: &[Setting<T>], of: Option<&str>) -> String {
    if let Some(home) = home(given).filter(|_| of.is_some()) {
        return format!("\"{given}\" belongs below [{home}]");
    }
    match meant(given, settings.iter().map(|setting| setting.key)) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => {
            format!("it has: {}", settings.iter().map(|setting| setting.key).collect::<Vec<_>>().join(", "))
        }
    }
}
