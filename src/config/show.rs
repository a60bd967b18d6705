//! Settings as commented TOML, of which reading makes the same settings.

use std::fmt::Write as _;

use mailward_detect::rules::{Measure, Response, Scope};
use mailward_detect::{Rule, Rules};

use super::settings::Settings;
use super::table::{BAN, OF_RULE, RULES, SECTIONS, Setting};

/// How settings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// All of them in force; those that differ from their default are marked.
    Effective,
    /// Those that have their default are commented out: a file to edit.
    Template,
}

/// Settings as commented TOML, without a head.
pub(crate) fn show(settings: &Settings, style: Style) -> String {
    let default = Settings::default();
    let mut out = String::new();
    for section in SECTIONS {
        comment(&mut out, section.about);
        _ = writeln!(out, "[{}]", section.name);
        for setting in section.settings {
            comment(&mut out, &about(setting, &default));
            entry(&mut out, setting, settings, &default, style);
        }
        out.push('\n');
    }
    rules(&mut out, settings, style);
    out
}

fn rules(out: &mut String, settings: &Settings, style: Style) {
    comment(
        out,
        "The rules. Each counts one kind of offence over one address, network, account or the whole server.",
    );
    let default = Rules::default();
    if let Some(rule) = default.0.first() {
        for setting in OF_RULE {
            comment(out, &format!("{}: {}", setting.key, about(setting, rule)));
        }
    }
    for rule in &settings.rules.0 {
        let Some(default) = default.rule(rule.id.0) else { continue };
        out.push('\n');
        comment(out, &format!("{}: {}", rule.title, rule.why));
        comment(out, &in_words(rule));
        let changed = OF_RULE.iter().any(|setting| (setting.show)(rule) != (setting.show)(default));
        let mark = if style == Style::Template && !changed { "# " } else { "" };
        _ = writeln!(out, "{mark}[{RULES}.{}]", rule.id);
        for setting in
            OF_RULE.iter().filter(|setting| rule.response != Response::Tell || setting.key != BAN.key)
        {
            entry(out, setting, rule, default, style);
        }
    }
}

fn entry<T>(out: &mut String, setting: &Setting<T>, of: &T, default: &T, style: Style) {
    let (value, usual) = ((setting.show)(of), (setting.show)(default));
    let line = format!("{} = {value}", setting.key);
    match (value == usual, style) {
        (true, Style::Template) => line.lines().for_each(|line| _ = writeln!(out, "# {line}")),
        (true, Style::Effective) => _ = writeln!(out, "{line}"),
        (false, _) if usual.contains('\n') || line.contains('\n') => {
            _ = writeln!(out, "# changed; the default is {}", usual.replace('\n', " "));
            _ = writeln!(out, "{line}");
        }
        (false, _) => _ = writeln!(out, "{line}  # changed; the default is {usual}"),
    }
}

/// What a setting means, and its limits.
fn about<T>(setting: &Setting<T>, of: &T) -> String {
    match setting.limits {
        Some(limits) => format!("{} ({}).", setting.about.trim_end_matches('.'), limits(of)),
        None => setting.about.to_owned(),
    }
}

/// What a rule counts, in one line.
fn in_words(rule: &Rule) -> String {
    let counts = match rule.measure {
        Measure::Offences => rule.kind.name().to_owned(),
        measure => format!("{} ({})", measure.name(), rule.kind.name()),
    };
    let over = match rule.scope {
        Scope::Source => "by address",
        Scope::Network => "by network",
        Scope::Account => "by account",
        Scope::Server => "over the whole server",
    };
    format!("It counts {counts} {over}; when the window is full: {}.", rule.response.name())
}

/// Wrapped comment lines.
fn comment(out: &mut String, text: &str) {
    const WIDTH: usize = 100;
    let mut line = String::from("#");
    for word in text.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH && line.len() > 1 {
            _ = writeln!(out, "{line}");
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    _ = writeln!(out, "{line}");
}
