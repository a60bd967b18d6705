//! The audit as a document.

use jiff::tz::TimeZone;

use super::{AuditReport, CheckView, FindingView, RemedyView, Told};
use crate::words::{counted, number};
use crate::{
    Align, At, Bar, Bars, Block, Cell, Document, Figure, Look, Severity, Shown, Table, Tone, View, terminal,
};

/// The severities, the worst first.
const WORST_FIRST: [Severity; 5] =
    [Severity::Critical, Severity::High, Severity::Medium, Severity::Low, Severity::Info];

impl View for AuditReport {
    fn document(&self, zone: &TimeZone) -> Document {
        let mut blocks = self.opening();
        blocks.extend(self.changes());
        blocks.extend(self.findings());
        blocks.extend(self.areas());
        blocks.extend(self.services());
        blocks.extend(super::coverage::table(&self.coverage));
        blocks.extend(self.suppressed());
        blocks.extend(self.attacks(zone));
        blocks.push(Block::Section("All other checks".into()));
        blocks.push(self.others());
        blocks.extend(told("What is right", &self.passed, "shown by"));
        blocks.extend(told("What could not be told", &self.could_not_tell, "because"));
        blocks.extend(told("What does not apply here", &self.not_applicable, "because"));
        Document { title: self.title().into(), subtitle: self.subtitle(zone).into(), blocks }
    }

    fn text(&self, look: &Look) -> String {
        let next = Document { blocks: self.next(), ..Document::default() };
        format!("{}\n{}", terminal::render(&self.document(&look.zone), look), terminal::render(&next, look))
    }
}

impl AuditReport {
    fn title(&self) -> String {
        format!("Audit of {}", self.host)
    }

    fn subtitle(&self, zone: &TimeZone) -> String {
        format!(
            "{} · {} · {} · Mailward {}",
            self.deployment,
            self.from,
            day(self.taken, zone),
            self.mailward
        )
    }

    /// How many of each severity, and of checks.
    fn opening(&self) -> Vec<Block> {
        let mut figures: Vec<_> = WORST_FIRST
            .into_iter()
            .map(|severity| Figure {
                value: Cell::toned(number(self.count(severity)), figure_tone(severity, self.count(severity))),
                label: severity.name().into(),
            })
            .collect();
        figures.push(Figure {
            value: Cell::toned(number(self.passed.len() as u64), Tone::Good),
            label: "passed".into(),
        });
        figures.push(Figure {
            value: Cell::dim(number(self.could_not_tell.len() as u64)),
            label: "could not tell".into(),
        });
        let mut blocks = vec![Block::Figures(figures)];
        blocks.extend(self.notes.iter().map(|note| Block::Notice {
            tone: Tone::Notable,
            title: note.as_str().into(),
            body: Shown::default(),
            remedy: Shown::default(),
        }));
        blocks
    }

    /// New, fixed and unchanged since last time.
    fn changes(&self) -> Option<Block> {
        self.baseline?;
        let of =
            |change: &str| self.findings.iter().filter(|finding| finding.change == change).count() as u64;
        let mut words = vec![
            Cell::from("Since last time: "),
            Cell::strong(format!("{} new", of("new"))),
            Cell::from(format!(", {} unchanged, ", of("unchanged"))),
            Cell::toned(format!("{} fixed", self.fixed.len()), Tone::Good),
        ];
        let fixed: Vec<_> = self.fixed.iter().map(|gone| gone.id.as_str()).collect();
        words.push(Cell::dim(if fixed.is_empty() {
            String::new()
        } else {
            format!(" ({})", fixed.join(", "))
        }));
        Some(Block::Paragraph(words))
    }

    fn findings(&self) -> Vec<Block> {
        if self.findings.is_empty() {
            return vec![
                Block::Section("Findings".into()),
                Block::Notice {
                    tone: Tone::Good,
                    title: format!(
                        "Nothing wrong was found in {}",
                        counted(self.passed.len() as u64, "check")
                    )
                    .into(),
                    body: Shown::default(),
                    remedy: Shown::default(),
                },
            ];
        }
        let mut blocks = Vec::new();
        for severity in WORST_FIRST {
            let these: Vec<_> = self.findings.iter().filter(|finding| finding.severity == severity).collect();
            if !these.is_empty() {
                blocks.push(Block::Section(capitalised(severity.name()).into()));
                blocks.extend(these.into_iter().flat_map(finding));
            }
        }
        blocks
    }

    /// How each part of the server adds up.
    fn areas(&self) -> Vec<Block> {
        let mut table = Table::new([
            ("area", Align::Wrap),
            ("worst", Align::Left),
            ("failed", Align::Right),
            ("passed", Align::Right),
            ("could not tell", Align::Right),
            ("not here", Align::Right),
        ]);
        for area in &self.areas {
            table.row([
                area.title.as_str().into(),
                area.worst.map_or_else(|| Cell::dim("—"), |worst| Cell::toned(worst.name(), worst.tone())),
                number(area.failed).into(),
                number(area.passed).into(),
                number(area.could_not_tell).into(),
                number(area.not_applicable).into(),
            ]);
        }
        if table.rows.is_empty() {
            return Vec::new();
        }
        vec![Block::Section("By area, in checks".into()), Block::Table(table)]
    }

    /// What should run, and does or does not.
    fn services(&self) -> Vec<Block> {
        if self.services.is_empty() {
            return Vec::new();
        }
        let (up, down): (Vec<_>, Vec<_>) = self.services.iter().partition(|service| service.running);
        let names: Vec<_> = up.iter().map(|service| service.name.as_str()).collect();
        let mut blocks = vec![Block::Section("Services that are turned on".into())];
        blocks.extend(down.into_iter().map(|service| Block::Notice {
            tone: Tone::Bad,
            title: format!("{} is turned on and does not run", service.name).into(),
            body: format!("{}; turned on by {}", service.seen, service.because).into(),
            remedy: Shown::default(),
        }));
        if !names.is_empty() {
            blocks.push(Block::Paragraph(vec![
                Cell::toned(format!("{} running: ", names.len()), Tone::Good),
                names.join(", ").into(),
            ]));
        }
        blocks
    }

    /// The statistics of the log in short, and all of them behind it.
    fn attacks(&self, zone: &TimeZone) -> Vec<Block> {
        let Some(attacks) = &self.attacks else { return Vec::new() };
        let document = attacks.document(zone);
        let mut bars = Bars { caption: "offences by kind".into(), ..Bars::default() };
        bars.rows.extend(attacks.by_kind.iter().take(8).map(|kind| Bar {
            label: kind.kind.as_str().into(),
            value: kind.count,
            note: Cell::default(),
        }));
        let mut blocks = vec![Block::Section("Attacks in the log".into())];
        if bars.rows.is_empty() {
            blocks.push(Block::Paragraph(vec!["No attack was found in it.".into()]));
        } else {
            blocks.push(Block::Bars(bars));
        }
        let title = Cell::strong(format!("{}: all statistics", document.title));
        blocks.push(Block::Detail { title, blocks: document.blocks, minor: true });
        blocks
    }

    fn others(&self) -> Block {
        let of = |checks: &[Told]| number(checks.len() as u64);
        Block::Paragraph(vec![
            Cell::toned(format!("{} passed", of(&self.passed)), Tone::Good),
            Cell::from(format!(
                ", {} could not be told, {} do not apply here.",
                of(&self.could_not_tell),
                of(&self.not_applicable)
            )),
        ])
    }

    fn suppressed(&self) -> Vec<Block> {
        if self.suppressed.is_empty() {
            return Vec::new();
        }
        let mut table = Table::new([
            ("id", Align::Left),
            ("finding", Align::Wrap),
            ("accepted because", Align::Wrap),
            ("until", Align::Left),
        ]);
        for finding in &self.suppressed {
            let why = finding.suppression.clone().unwrap_or_default();
            table.row([
                finding.id.as_str().into(),
                finding.summary.as_str().into(),
                format!("{} ({})", why.reason, why.owner).into(),
                why.until.into(),
            ]);
        }
        vec![Block::Section("Accepted".into()), Block::Table(table)]
    }

    /// What to type next, for the terminal only.
    fn next(&self) -> Vec<Block> {
        let Some(worst) = self.findings.first() else { return Vec::new() };
        let line = |words: &str, command: String| Block::Paragraph(vec![words.into(), Cell::code(command)]);
        vec![
            line("Evidence and the whole remedy of one:  ", format!("mailward audit --explain {}", worst.id)),
            line(
                "All of it, for a browser:  ",
                "mailward audit --format html --output audit.html".to_owned(),
            ),
        ]
    }
}

/// A finding: what is wrong and what to do, and all the rest behind it.
fn finding(finding: &FindingView) -> [Block; 2] {
    let change = if finding.change == "new" { " (new)" } else { "" };
    let title = format!("{}  {}{change}", finding.id, finding.summary);
    let notice = Block::Notice {
        tone: finding.severity.tone(),
        title: title.into(),
        body: finding.remedy.advice.as_str().into(),
        remedy: Shown::default(),
    };
    let title = Cell::dim("Evidence, effect and remedy");
    [notice, Block::Detail { title, blocks: everything(finding), minor: true }]
}

/// Everything about a finding but its summary.
fn everything(finding: &FindingView) -> Vec<Block> {
    let mut facts: Vec<(Shown, Cell)> = vec![
        ("severity".into(), Cell::toned(finding.severity.name(), finding.severity.tone())),
        ("weakness".into(), finding.title.as_str().into()),
    ];
    let mut fact = |name: &str, value: &str| {
        if !value.is_empty() {
            facts.push((name.into(), value.into()));
        }
    };
    fact("where", &finding.subject);
    fact("cause", &finding.cause);
    fact("effect", &finding.effect);
    let mut blocks = vec![Block::Facts(facts)];
    let mut table = Table::new([("seen at", Align::Wrap), ("evidence", Align::Wrap)]);
    for evidence in &finding.evidence {
        table.row([evidence.place.as_str().into(), Cell::code(evidence.seen.as_str())]);
    }
    if !table.rows.is_empty() {
        blocks.push(Block::Table(table));
    }
    blocks.extend(remedy(&finding.remedy));
    if !finding.references.is_empty() {
        blocks.push(Block::Paragraph(vec![Cell::dim(format!("See {}", finding.references.join(", ")))]));
    }
    blocks
}

fn remedy(remedy: &RemedyView) -> Vec<Block> {
    let mut blocks = Vec::new();
    for edit in &remedy.edits {
        let minus = edit.remove.iter().map(|line| Cell::toned(format!("- {line}"), Tone::Bad));
        let plus = edit.add.iter().map(|line| Cell::toned(format!("+ {line}"), Tone::Good));
        blocks.push(Block::Edit { target: edit.target.as_str().into(), lines: minus.chain(plus).collect() });
    }
    for (words, command) in [("Put in force:  ", &remedy.apply), ("Prove it:  ", &remedy.prove)] {
        if !command.is_empty() {
            blocks.push(Block::Paragraph(vec![words.into(), Cell::code(command.as_str())]));
        }
    }
    blocks
}

/// All findings of one check, with all there is to know.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct Explained(pub Vec<FindingView>);

impl View for Explained {
    fn document(&self, _: &TimeZone) -> Document {
        let mut blocks = Vec::new();
        for finding in &self.0 {
            blocks.push(Block::Section(finding.summary.as_str().into()));
            blocks.push(Block::Paragraph(vec![finding.remedy.advice.as_str().into()]));
            blocks.extend(everything(finding));
        }
        let title = self.0.first().map_or_else(String::new, |finding| finding.id.clone());
        Document { title: title.into(), subtitle: Shown::default(), blocks }
    }
}

impl View for CheckView {
    fn document(&self, _: &TimeZone) -> Document {
        let fact = |name: &str, value: &str| (Shown::from(name), Cell::from(value));
        let facts = vec![
            (Shown::from("severity"), Cell::toned(self.severity.name(), self.severity.tone())),
            fact("effect", &self.why),
            fact("proof", &self.proof),
            fact("remedy", &self.fix),
            fact("see", &self.references.join(", ")),
        ];
        Document {
            title: format!("{}  {}", self.id, self.title).into(),
            subtitle: self.family.as_str().into(),
            blocks: vec![Block::Facts(facts)],
        }
    }
}

/// Checks that did not fail, behind a heading; a terminal leaves them out.
fn told(title: &str, checks: &[Told], because: &str) -> Option<Block> {
    if checks.is_empty() {
        return None;
    }
    let mut table =
        Table::new([("id", Align::Left), ("weakness looked for", Align::Wrap), (because, Align::Wrap)]);
    for check in checks {
        table.row([check.id.as_str().into(), check.title.as_str().into(), Cell::dim(check.because.as_str())]);
    }
    let title = Cell::strong(format!("{title}: {}", counted(checks.len() as u64, "check")));
    Some(Block::Detail { title, blocks: vec![Block::Table(table)], minor: true })
}

fn day(at: At, zone: &TimeZone) -> String {
    jiff::Timestamp::from_microsecond(at.0.micros())
        .map(|time| time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string())
        .unwrap_or_default()
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

const fn figure_tone(severity: Severity, count: u64) -> Tone {
    if count == 0 { Tone::Dim } else { severity.tone() }
}
