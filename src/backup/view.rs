//! What is told of backups: JSON documents, and documents for people.

use std::path::PathBuf;

use jiff::tz::TimeZone;
use mailward_backup::{Captured, Message, Restored, Snapshot};
use mailward_model::Timestamp;
use mailward_report::{Align, At, Block, Cell, Document, Shown, Table, Tone, View};
use serde::Serialize;

use super::{Plan, Trial, short};

/// A snapshot.
#[derive(Debug, Serialize)]
pub(crate) struct SnapshotView {
    id: String,
    taken: At,
    host: String,
    files: u64,
    bytes: u64,
    added: u64,
    proven: Option<At>,
}

impl SnapshotView {
    pub(crate) fn of(snapshot: &Snapshot, proven: Option<Timestamp>) -> Self {
        Self {
            id: snapshot.id.clone(),
            taken: At(Timestamp::from_micros(snapshot.taken)),
            host: snapshot.host.clone(),
            files: snapshot.files,
            bytes: snapshot.bytes,
            added: snapshot.added,
            proven: proven.map(At),
        }
    }
}

/// `backup list`.
#[derive(Debug, Serialize)]
pub(crate) struct Listing {
    pub(crate) repository: PathBuf,
    pub(crate) snapshots: Vec<SnapshotView>,
}

impl View for Listing {
    fn document(&self, zone: &TimeZone) -> Document {
        let mut table = Table::new([
            ("snapshot", Align::Left),
            ("taken", Align::Left),
            ("host", Align::Left),
            ("files", Align::Right),
            ("size", Align::Right),
            ("new", Align::Right),
            ("proven", Align::Left),
        ]);
        for snapshot in &self.snapshots {
            table.row([
                Cell::code(short(&snapshot.id)),
                time(snapshot.taken.0, zone).into(),
                snapshot.host.as_str().into(),
                snapshot.files.to_string().into(),
                size(snapshot.bytes).into(),
                size(snapshot.added).into(),
                snapshot.proven.as_ref().map_or_else(|| Cell::dim("no"), |at| time(at.0, zone).into()),
            ]);
        }
        let unproven = self.snapshots.last().is_some_and(|newest| newest.proven.is_none());
        let mut blocks = vec![match self.snapshots.is_empty() {
            true => Block::Paragraph(vec!["There is no snapshot yet: mailward backup run".into()]),
            false => Block::Table(table),
        }];
        if unproven {
            blocks.push(notice(
                Tone::Notable,
                "The newest snapshot was never restored on trial",
                "Nothing is forgotten until it was.",
                "mailward backup drill",
            ));
        }
        Document { title: "Backups".into(), subtitle: self.repository.display().to_string().into(), blocks }
    }
}

/// Paths in a snapshot.
#[derive(Debug, Serialize)]
pub(crate) struct Contents {
    pub(crate) snapshot: String,
    pub(crate) entries: Vec<EntryView>,
}

/// A file or directory in a snapshot.
#[derive(Debug, Serialize)]
pub(crate) struct EntryView {
    pub(crate) path: PathBuf,
    pub(crate) directory: bool,
    pub(crate) bytes: u64,
    pub(crate) changed: At,
}

impl View for Contents {
    fn document(&self, zone: &TimeZone) -> Document {
        let mut table = Table::new([("size", Align::Right), ("changed", Align::Left), ("path", Align::Left)]);
        for entry in &self.entries {
            let bytes = if entry.directory { Cell::dim("directory") } else { size(entry.bytes).into() };
            table.row([bytes, time(entry.changed.0, zone).into(), entry.path.display().to_string().into()]);
        }
        Document {
            title: format!("Snapshot {}", short(&self.snapshot)).into(),
            subtitle: Shown::default(),
            blocks: vec![Block::Table(table)],
        }
    }
}

/// `backup run --dry-run`.
#[derive(Debug, Serialize)]
pub(crate) struct DryRun {
    pub(crate) repository: PathBuf,
    #[serde(flatten)]
    pub(crate) plan: Plan,
}

impl View for DryRun {
    fn document(&self, _: &TimeZone) -> Document {
        let table = |items: &[super::plan::Item]| {
            let mut table = Table::new([("path", Align::Left), ("what it is", Align::Left)]);
            for item in items {
                table.row([Cell::code(item.path.display().to_string()), item.why.as_str().into()]);
            }
            Block::Table(table)
        };
        let blocks = vec![
            Block::Section("Saved".into()),
            table(&self.plan.saved),
            Block::Section("Left out".into()),
            table(&self.plan.left_out),
            Block::Paragraph(vec![Cell::dim(
                "Dovecot's caches and full-text indexes and unfinished deliveries are left out as well: their programs make them anew. SQLite \
                 databases are copied by SQLite. More: `include`, less: `exclude`, in [backup] of mailward.toml.",
            )]),
        ];
        Document {
            title: "What a backup would save".into(),
            subtitle: format!("to {}", self.repository.display()).into(),
            blocks,
        }
    }
}

/// `backup run`.
#[derive(Debug, Serialize)]
pub(crate) struct Ran {
    pub(crate) repository: PathBuf,
    pub(crate) made: bool,
    pub(crate) key_file: PathBuf,
    pub(crate) snapshot: SnapshotView,
    pub(crate) seconds: f64,
    pub(crate) passes: u32,
    pub(crate) databases: Vec<PathBuf>,
    /// Changed each time they were read.
    pub(crate) restless: Vec<PathBuf>,
    pub(crate) unread: Vec<(PathBuf, String)>,
}

impl Ran {
    pub(crate) fn new(
        repository: PathBuf,
        key_file: PathBuf,
        made: bool,
        seconds: f64,
        captured: Captured,
    ) -> Self {
        Self {
            repository,
            made,
            key_file,
            snapshot: SnapshotView::of(&captured.snapshot, None),
            seconds,
            passes: captured.passes,
            databases: captured.databases,
            restless: captured.restless,
            unread: captured.unread,
        }
    }
}

impl View for Ran {
    fn document(&self, zone: &TimeZone) -> Document {
        let snapshot = &self.snapshot;
        let mut facts: Vec<(Shown, Cell)> = vec![
            ("snapshot".into(), Cell::strong(short(&snapshot.id))),
            ("taken".into(), time(snapshot.taken.0, zone).into()),
            ("saved".into(), format!("{} files, {}", snapshot.files, size(snapshot.bytes)).into()),
            ("new".into(), format!("{} after compression and encryption", size(snapshot.added)).into()),
            ("took".into(), format!("{:.1} s", self.seconds).into()),
        ];
        if self.passes > 1 {
            let again = format!("{} passes, because files changed while they were read", self.passes);
            facts.push(("read".into(), again.into()));
        }
        let mut blocks = vec![Block::Facts(facts)];
        if self.made {
            blocks.push(notice(
                Tone::Notable,
                &format!("A new repository, and its key in {}", self.key_file.display()),
                "Nobody can read the backups without that key, and it is on this machine alone.",
                "mailward backup key",
            ));
        }
        for (path, why) in &self.unread {
            blocks.push(notice(Tone::Bad, &format!("Not saved: {}", path.display()), why, ""));
        }
        for path in &self.restless {
            let body = "What was read of it is a beginning of the file; no part of it is of another time.";
            blocks.push(notice(
                Tone::Notable,
                &format!("Changed each time it was read: {}", path.display()),
                body,
                "",
            ));
        }
        Document { title: "Saved".into(), subtitle: self.repository.display().to_string().into(), blocks }
    }
}

/// `backup check`.
#[derive(Debug, Serialize)]
pub(crate) struct Checked {
    pub(crate) repository: PathBuf,
    pub(crate) read_data: bool,
    pub(crate) wrong: Vec<String>,
}

impl View for Checked {
    fn document(&self, _: &TimeZone) -> Document {
        let mut blocks: Vec<Block> =
            self.wrong.iter().map(|wrong| notice(Tone::Bad, wrong, "", "")).collect();
        if self.wrong.is_empty() {
            let how = if self.read_data {
                "every byte was read"
            } else {
                "names, sizes and directories; `--read-data` reads every byte"
            };
            blocks.push(Block::Paragraph(vec![
                Cell::toned("Nothing is wrong", Tone::Good),
                format!(" ({how}).").into(),
            ]));
        } else {
            blocks.push(notice(
                Tone::Notable,
                "What is damaged can be given up, and saved anew from the server",
                "Move the pack files that are named away from data/; snapshots that need them lose those files, and the next run saves again what is \
                 still on the server.",
                "mailward backup run",
            ));
        }
        Document { title: "Check".into(), subtitle: self.repository.display().to_string().into(), blocks }
    }
}

/// `backup restore`.
#[derive(Debug, Serialize)]
pub(crate) struct Brought {
    pub(crate) snapshot: String,
    pub(crate) into: PathBuf,
    pub(crate) paths: Vec<PathBuf>,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) already_there: u64,
    pub(crate) without_owner: u64,
}

impl Brought {
    pub(crate) fn new(snapshot: &Snapshot, into: PathBuf, paths: Vec<PathBuf>, done: Restored) -> Self {
        Self {
            snapshot: snapshot.id.clone(),
            into,
            paths,
            files: done.files,
            bytes: done.bytes,
            already_there: done.there,
            without_owner: done.unowned,
        }
    }
}

impl View for Brought {
    fn document(&self, _: &TimeZone) -> Document {
        let mut facts: Vec<(Shown, Cell)> = vec![
            ("restored".into(), format!("{} files, {}", self.files, size(self.bytes)).into()),
            ("to".into(), Cell::strong(self.into.display().to_string())),
        ];
        if self.already_there > 0 {
            facts.push(("there already".into(), format!("{} files", self.already_there).into()));
        }
        let mut blocks = vec![Block::Facts(facts)];
        if self.without_owner > 0 {
            blocks.push(notice(
                Tone::Notable,
                &format!(
                    "{} files have no owner of their own: only root may give files away",
                    self.without_owner
                ),
                "",
                "sudo mailward backup restore …",
            ));
        }
        Document {
            title: "Restored".into(),
            subtitle: format!("from snapshot {}", short(&self.snapshot)).into(),
            blocks,
        }
    }
}

/// `backup drill`.
#[derive(Debug, Serialize)]
pub(crate) struct Drilled {
    pub(crate) snapshot: SnapshotView,
    #[serde(flatten)]
    pub(crate) trial: Trial,
}

impl View for Drilled {
    fn document(&self, zone: &TimeZone) -> Document {
        let trial = &self.trial;
        let what = if trial.whole { "everything" } else { "a sample" };
        let saved =
            format!("{} files, {}: what was saved, by checksum ({what})", trial.files, size(trial.bytes));
        let mut facts: Vec<(Shown, Cell)> = vec![
            ("taken".into(), time(self.snapshot.taken.0, zone).into()),
            ("came back".into(), Cell::toned(saved, Tone::Good)),
            (
                "as on the server".into(),
                format!("{} of them, byte for byte; the others were changed since", trial.as_live).into(),
            ),
        ];
        for step in &trial.steps {
            let seen = match step.fine {
                Some(true) => Cell::toned(step.seen.as_str(), Tone::Good),
                Some(false) => Cell::toned(step.seen.as_str(), Tone::Bad),
                None => Cell::dim(format!("not tried: {}", step.seen)),
            };
            facts.push((step.what.as_str().into(), seen));
        }
        let mut blocks = vec![Block::Facts(facts)];
        let all = |paths: &[PathBuf], what: &str, blocks: &mut Vec<Block>| {
            for path in paths.iter().take(20) {
                blocks.push(notice(Tone::Bad, &format!("{what}: {}", path.display()), "", ""));
            }
        };
        all(&trial.wrong, "Did not come back as it was saved", &mut blocks);
        all(&trial.not_as_live, "Is not what lies on the server, although nobody changed that", &mut blocks);
        if !trial.is_fine() {
            let title = "The snapshot is not proven, and nothing is forgotten";
            blocks.push(notice(Tone::Bad, title, "", "mailward backup check --read-data"));
        }
        let title = if trial.is_fine() { "Proven" } else { "Not proven" };
        let subtitle = format!("snapshot {}", short(&self.snapshot.id)).into();
        Document { title: title.into(), subtitle, blocks }
    }
}

/// `backup forget`.
#[derive(Debug, Serialize)]
pub(crate) struct Forgotten {
    pub(crate) dry_run: bool,
    pub(crate) kept: Vec<KeptView>,
    pub(crate) forgotten: Vec<SnapshotView>,
}

/// A snapshot that stays.
#[derive(Debug, Serialize)]
pub(crate) struct KeptView {
    #[serde(flatten)]
    pub(crate) snapshot: SnapshotView,
    pub(crate) kept_as: Vec<&'static str>,
}

impl View for Forgotten {
    fn document(&self, zone: &TimeZone) -> Document {
        let mut table =
            Table::new([("snapshot", Align::Left), ("taken", Align::Left), ("kept as", Align::Left)]);
        let kept = self.kept.iter().map(|kept| (&kept.snapshot, Cell::from(kept.kept_as.join(", "))));
        let gone = self
            .forgotten
            .iter()
            .map(|snapshot| (snapshot, Cell::dim(if self.dry_run { "would go" } else { "gone" })));
        let mut rows: Vec<_> = kept.chain(gone).collect();
        rows.sort_by_key(|(snapshot, _)| snapshot.taken.0);
        for (snapshot, fate) in rows {
            table.row([Cell::code(short(&snapshot.id)), time(snapshot.taken.0, zone).into(), fate]);
        }
        let note = "The space of what is gone comes free with the next forgetting, a day later: whoever saves at this moment may still need it.";
        let mut blocks = vec![Block::Table(table)];
        if !self.dry_run && !self.forgotten.is_empty() {
            blocks.push(Block::Paragraph(vec![Cell::dim(note)]));
        }
        let title = if self.dry_run { "What would be forgotten" } else { "Forgotten" };
        Document { title: title.into(), subtitle: Shown::default(), blocks }
    }
}

/// Messages that were found.
#[derive(Debug, Serialize)]
pub(crate) struct Messages {
    pub(crate) snapshot: String,
    pub(crate) messages: Vec<MessageView>,
}

/// A message that was found.
#[derive(Debug, Serialize)]
pub(crate) struct MessageView {
    path: PathBuf,
    sent: Option<At>,
    from: String,
    subject: String,
    bytes: u64,
}

impl From<Message> for MessageView {
    fn from(message: Message) -> Self {
        let sent = message.sent.map(|seconds| At(Timestamp::from_micros(seconds.saturating_mul(1_000_000))));
        Self { path: message.path, sent, from: message.from, subject: message.subject, bytes: message.size }
    }
}

impl View for Messages {
    fn document(&self, zone: &TimeZone) -> Document {
        let mut table = Table::new([
            ("sent", Align::Left),
            ("from", Align::Left),
            ("subject", Align::Left),
            ("size", Align::Right),
            ("file", Align::Left),
        ]);
        for message in &self.messages {
            table.row([
                message.sent.as_ref().map(|at| time(at.0, zone)).unwrap_or_default().into(),
                message.from.as_str().into(),
                message.subject.as_str().into(),
                size(message.bytes).into(),
                message.path.display().to_string().into(),
            ]);
        }
        let blocks = match self.messages.len() {
            0 => vec![Block::Paragraph(vec!["No message is like that.".into()])],
            count => vec![
                Block::Table(table),
                Block::Paragraph(vec![Cell::dim(format!(
                    "{count} found. Say it more exactly until one is left, or --all to restore them all; --path FILE takes one of them."
                ))]),
            ],
        };
        Document {
            title: "Messages".into(),
            subtitle: format!("in snapshot {}", short(&self.snapshot)).into(),
            blocks,
        }
    }
}

pub(super) fn notice(tone: Tone, title: &str, body: &str, remedy: &str) -> Block {
    Block::Notice { tone, title: title.into(), body: body.into(), remedy: remedy.into() }
}

pub(super) fn time(at: Timestamp, zone: &TimeZone) -> String {
    let time = jiff::Timestamp::from_microsecond(at.micros()).unwrap_or_default();
    time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
}

/// Bytes as people say them.
pub(crate) fn size(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
    let mut value = bytes as f64;
    let mut unit = "bytes";
    for next in units {
        if value < 1024.0 {
            break;
        }
        (value, unit) = (value / 1024.0, next);
    }
    if unit == "bytes" { format!("{bytes} bytes") } else { format!("{value:.1} {unit}") }
}
