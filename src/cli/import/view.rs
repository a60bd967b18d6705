//! What is brought along, as people and programs read it.

use std::path::Path;

use jiff::tz::TimeZone;
use mailward_audit::fail2ban::Fail2ban;
use mailward_report::{Align, At, Block, Cell, Document, Figure, Shown, Table, Tone, View};
use mailward_store::fail2ban::Fail2banError;
use serde::Serialize;

use super::bans::Found;
use super::jails::{Ignored, Mapped};

/// What fail2ban has, and what becomes of it.
#[derive(Debug, Default, Serialize)]
pub(crate) struct ImportReport {
    pub(crate) now: At,
    /// How the jails are known.
    source: String,
    database: String,
    jails: Vec<JailView>,
    /// Settings as they are written to mailward.toml.
    settings: Vec<String>,
    /// Networks for the allowlist.
    allowed: Vec<String>,
    ignored_left_out: Vec<String>,
    bans: Vec<BanView>,
    bans_over: u64,
    /// Bans that are not brought along, because the never-ban list forbids them.
    pub(super) forbidden: Vec<String>,
    odd: Vec<String>,
    pub(super) applied: bool,
    done: Vec<String>,
    next: Vec<Next>,
}

#[derive(Debug, Serialize)]
struct JailView {
    jail: String,
    numbers: String,
    action: String,
    rules: Vec<String>,
    note: String,
}

#[derive(Debug, Serialize)]
struct BanView {
    target: String,
    until: Option<String>,
    reason: String,
}

#[derive(Debug, Serialize)]
struct Next {
    purpose: String,
    command: String,
}

/// Bans that are listed for people.
const LISTED: usize = 20;

/// Puts together what there is.
pub(super) fn report(
    fail2ban: &Fail2ban,
    mapped: &Mapped,
    ignored: &Ignored,
    found: &Result<Found, Fail2banError>,
    database: &Path,
) -> ImportReport {
    let mut report = ImportReport {
        source: fail2ban.source.clone(),
        database: database.display().to_string(),
        jails: mapped
            .jails
            .iter()
            .map(|row| JailView {
                jail: row.name.clone(),
                numbers: row.numbers.clone(),
                action: row.action.clone(),
                rules: row.rules.clone(),
                note: row.note.clone(),
            })
            .collect(),
        settings: mapped
            .edits
            .iter()
            .map(|edit| format!("[{}] {} = {}", edit.section.join("."), edit.key, edit.value))
            .collect(),
        allowed: ignored
            .networks
            .iter()
            .map(|entry| format!("{}  {}", entry.network, entry.comment))
            .collect(),
        ignored_left_out: ignored.left_out.clone(),
        ..ImportReport::default()
    };
    if let Ok(found) = found {
        report.bans = found
            .bans
            .iter()
            .map(|ban| BanView {
                target: ban.target.to_string(),
                until: ban.until.map(|until| until.to_string()),
                reason: ban.reason.to_string(),
            })
            .collect();
        report.bans_over = found.over;
        report.forbidden.clone_from(&found.forbidden);
        report.odd.clone_from(&found.odd);
    }
    report.switch_off();
    report
}

impl ImportReport {
    /// Notes what was done.
    pub(super) fn did(&mut self, what: String) {
        self.done.push(what);
    }

    /// Notes what to type next.
    pub(super) fn next(&mut self, purpose: &str, command: &str) {
        self.next.insert(0, Next { purpose: purpose.to_owned(), command: command.to_owned() });
    }

    /// How to switch fail2ban's part off.
    fn switch_off(&mut self) {
        let covered: Vec<&str> =
            self.jails.iter().filter(|jail| !jail.rules.is_empty()).map(|jail| jail.jail.as_str()).collect();
        let command = match covered.len() {
            0 => return,
            all if all == self.jails.len() => "systemctl disable --now fail2ban".to_owned(),
            _ => covered
                .iter()
                .map(|jail| format!("fail2ban-client stop {jail}"))
                .collect::<Vec<_>>()
                .join("; "),
        };
        let mut purpose = "When you trust Mailward, switch fail2ban's mail jails off".to_owned();
        if covered.len() != self.jails.len() {
            purpose += " (for good with enabled = false in /etc/fail2ban/jail.local)";
        }
        self.next.push(Next { purpose, command });
    }

    fn jail_table(&self) -> Table {
        let mut table = Table::new([
            ("jail", Align::Left),
            ("numbers", Align::Wrap),
            ("action", Align::Wrap),
            ("Mailward's rules", Align::Wrap),
            ("what is taken over", Align::Wrap),
        ]);
        for jail in &self.jails {
            let rules = if jail.rules.is_empty() { Cell::dim("none") } else { jail.rules.join(", ").into() };
            table.row([
                jail.jail.as_str().into(),
                jail.numbers.as_str().into(),
                jail.action.as_str().into(),
                rules,
                jail.note.as_str().into(),
            ]);
        }
        table
    }

    fn ban_table(&self) -> Table {
        let mut table = Table::new([("target", Align::Left), ("until", Align::Left), ("", Align::Wrap)]);
        for ban in self.bans.iter().take(LISTED) {
            let until = ban.until.clone().unwrap_or_else(|| "lifted".to_owned());
            table.row([ban.target.as_str().into(), until.into(), ban.reason.as_str().into()]);
        }
        table.all = self.bans.len() as u64;
        table
    }
}

impl View for ImportReport {
    fn document(&self, _: &TimeZone) -> Document {
        let figure =
            |value: usize, label: &str| Figure { value: value.to_string().into(), label: label.into() };
        let mut blocks = vec![Block::Figures(vec![
            figure(self.jails.len(), "jails"),
            figure(self.bans.len(), "bans to bring along"),
            figure(self.allowed.len(), "networks to allow"),
            figure(self.settings.len(), "settings"),
        ])];
        blocks.extend([Block::Section("Jails".into()), Block::Table(self.jail_table())]);
        for (title, lines) in [
            ("Settings", &self.settings),
            ("Allowlist", &self.allowed),
            ("Ignored by fail2ban, and not brought along", &self.ignored_left_out),
            ("Not banned: the never-ban list forbids it", &self.forbidden),
            ("No address", &self.odd),
        ] {
            if !lines.is_empty() {
                let lines = lines.iter().map(|line| Cell::from(line.as_str())).collect();
                blocks.extend([Block::Section(title.into()), Block::Edit { target: "".into(), lines }]);
            }
        }
        if !self.bans.is_empty() {
            blocks.extend([Block::Section("Bans".into()), Block::Table(self.ban_table())]);
        }
        let over = Cell::dim(format!("{} ban(s) in {} are over", self.bans_over, self.database));
        blocks.push(Block::Paragraph(vec![over]));
        let done =
            self.done.iter().map(|what| Block::Paragraph(vec![Cell::toned(what.as_str(), Tone::Good)]));
        blocks.extend(done);
        blocks.push(Block::Section("Next".into()));
        if !self.applied {
            blocks.push(Block::Paragraph(vec![
                "Nothing was changed. To bring it along:  ".into(),
                Cell::code("mailward import fail2ban --apply"),
            ]));
        }
        for next in &self.next {
            blocks.push(Block::Paragraph(vec![Cell::dim(format!("{}:", next.purpose))]));
            blocks.push(Block::Paragraph(vec![Cell::code(next.command.as_str())]));
        }
        blocks.push(Block::Paragraph(vec![Cell::dim(
            "Both may run at the same time: a second ban does no harm, and neither lifts the other's.",
        )]));
        Document {
            title: "From fail2ban to Mailward".into(),
            subtitle: Shown::from(format!("jails as told by {}", self.source)),
            blocks,
        }
    }
}
