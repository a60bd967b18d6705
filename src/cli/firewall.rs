//! `mailward firewall`: the packet filter of the host, tried out before it stays.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use jiff::tz::TimeZone;
use mailward_audit::firewall::{Fate, Proposal, Scope, Service};
use mailward_report::{Align, Block, Cell, Document, Shown, Table, Tone, View};
use serde::Serialize;

use super::{Format, Outcome, remote};
use crate::firewall::{Applied, HostFirewall, Proof, Restored, State};

/// Commands of `firewall`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// What listens, what would be open and closed, and why; nothing is changed.
    Plan(PlanArgs),
    /// Let the planned rules act for a while; without `confirm` the kernel itself ends them.
    Apply(ApplyArgs),
    /// Make the rules on trial stay. Counts from an SSH connection that is newer than they are, or from a console.
    Confirm,
    /// End a trial now: what acted before it acts again.
    Undo,
    /// Take the confirmed rules away, from the kernel and from the disk.
    Off,
    /// Load the confirmed rules, after a start of the machine or after somebody flushed them.
    Restore,
    /// What acts, what is on trial, and whether somebody changed it.
    Status(remote::Print),
    /// Waits for the end of a trial; `apply` starts it.
    #[command(hide = true)]
    Watch {
        /// The trial.
        id: String,
    },
}

/// Options of `firewall plan`.
#[derive(Debug, clap::Args)]
pub(crate) struct PlanArgs {
    /// Close what neither is mail or SSH nor is named in the configuration
    #[arg(long)]
    close_others: bool,
    /// Print the ruleset itself, for nft(8)
    #[arg(long, conflicts_with = "format")]
    ruleset: bool,
    /// For people, or for programs
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Options of `firewall apply`.
#[derive(Debug, clap::Args)]
pub(crate) struct ApplyArgs {
    /// Close what neither is mail or SSH nor is named in the configuration
    #[arg(long)]
    close_others: bool,
}

/// Runs a command.
pub(crate) fn run(config: Option<&Path>, command: &Command) -> anyhow::Result<Outcome> {
    let firewall = HostFirewall::open(config)?;
    match command {
        Command::Plan(args) => plan(&firewall, args),
        Command::Apply(args) => apply(&firewall, args),
        Command::Confirm => confirm(&firewall),
        Command::Undo => undo(&firewall),
        Command::Off => off(&firewall),
        Command::Restore => restore(&firewall),
        Command::Status(print) => status(&firewall, print),
        Command::Watch { id } => firewall.watch(id).map(|()| Outcome::Fine),
    }
}

fn say(text: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout().lock(), "{text}")?)
}

fn plan(firewall: &HostFirewall, args: &PlanArgs) -> anyhow::Result<Outcome> {
    let proposal = firewall.proposal(args.close_others)?;
    if args.ruleset {
        std::io::stdout().lock().write_all(firewall.text(&proposal)?.as_bytes())?;
    } else {
        let view = Planned::of(&proposal, firewall.changes(&proposal)?);
        remote::show(&view, &remote::Print::in_format(args.format))?;
    }
    Ok(if proposal.obstacles.is_empty() { Outcome::Fine } else { Outcome::Findings })
}

fn apply(firewall: &HostFirewall, args: &ApplyArgs) -> anyhow::Result<Outcome> {
    let proposal = firewall.proposal(args.close_others)?;
    match firewall.apply(&proposal)? {
        Applied::Same => say("These rules act already; nothing was changed.")?,
        Applied::SameTrial(left) => say(&format!(
            "These rules are on trial already, for {} more seconds; nothing was changed.\nTo make them stay, from a new SSH \
             connection: mailward firewall confirm",
            left.as_secs()
        ))?,
        Applied::Trial(length) => say(&on_trial(length))?,
        Applied::Hindered => {
            remote::show(&Planned::of(&proposal, Vec::new()), &remote::Print::in_format(Format::Text))?;
            say("Nothing was changed.")?;
            return Ok(Outcome::Findings);
        }
    }
    Ok(Outcome::Fine)
}

fn on_trial(length: Duration) -> String {
    format!(
        "The rules act now, for {} seconds; connections that are open stay open. Then the kernel itself goes back to what was \
         before.\nTo make them stay, open a NEW SSH connection and type there:\n\n    mailward firewall confirm\n\nTo go back at \
         once: mailward firewall undo",
        length.as_secs()
    )
}

fn confirm(firewall: &HostFirewall) -> anyhow::Result<Outcome> {
    say(match firewall.confirm()? {
        Proof::Connection => "Confirmed, over a connection that the rules let in. They stay.",
        Proof::Console => {
            "Confirmed. No SSH connection leads to this shell, so it is taken for a console. The rules stay."
        }
    })?;
    if !is_loaded_at_boot() {
        say("They are not loaded when the machine starts yet: systemctl enable mailward-firewall")?;
    }
    Ok(Outcome::Fine)
}

fn undo(firewall: &HostFirewall) -> anyhow::Result<Outcome> {
    say(if firewall.undo()? {
        "The trial is ended; what acted before it acts again."
    } else {
        "Nothing is on trial, and nothing was changed. To take confirmed rules away: mailward firewall off"
    })?;
    Ok(Outcome::Fine)
}

fn off(firewall: &HostFirewall) -> anyhow::Result<Outcome> {
    say(if firewall.off()? {
        "The rules are taken away; nothing is filtered here any more. Bans are elsewhere and hold on."
    } else {
        "There were no rules."
    })?;
    Ok(Outcome::Fine)
}

fn restore(firewall: &HostFirewall) -> anyhow::Result<Outcome> {
    say(match firewall.restore()? {
        Restored::Nothing => "No rules were ever confirmed, so there are none to load.",
        Restored::Same => "The confirmed rules act already.",
        Restored::Loaded => "The confirmed rules are loaded.",
    })?;
    Ok(Outcome::Fine)
}

/// Whether systemd(1) starts the unit that restores the rules.
fn is_loaded_at_boot() -> bool {
    let folders = std::fs::read_dir("/etc/systemd/system").into_iter().flatten().flatten();
    folders
        .filter(|entry| entry.file_name().to_string_lossy().ends_with(".wants"))
        .any(|entry| entry.path().join("mailward-firewall.service").is_symlink())
}

/// What `firewall plan` tells.
#[derive(Serialize)]
struct Planned {
    /// `whole`, or `beside` another firewall.
    scope: &'static str,
    services: Vec<Row>,
    notes: Vec<String>,
    obstacles: Vec<Hindrance>,
    /// How it differs from what was confirmed.
    changes: Vec<String>,
}

#[derive(Serialize)]
struct Row {
    port: String,
    programs: Vec<String>,
    published: bool,
    /// `open`, `restricted`, `inside`, `left`, `closed`, `undecided`.
    fate: &'static str,
    why: String,
}

#[derive(Serialize)]
struct Hindrance {
    what: String,
    remedy: String,
}

impl Planned {
    fn of(proposal: &Proposal, changes: Vec<String>) -> Self {
        let hindrance = |obstacle: &mailward_audit::firewall::Obstacle| Hindrance {
            what: obstacle.what.clone(),
            remedy: obstacle.remedy.clone(),
        };
        Self {
            scope: if proposal.ruleset.scope == Scope::Whole { "whole" } else { "beside" },
            services: proposal.services.iter().map(Row::of).collect(),
            notes: proposal.notes.clone(),
            obstacles: proposal.obstacles.iter().map(hindrance).collect(),
            changes,
        }
    }
}

impl Row {
    fn of(service: &Service) -> Self {
        let (fate, why) = match &service.fate {
            Fate::Open(why) => ("open", (*why).to_owned()),
            Fate::For(networks) => {
                let names: Vec<String> = networks.iter().map(ToString::to_string).collect();
                ("restricted", format!("open to {}", names.join(", ")))
            }
            Fate::Inside(why) => ("inside", (*why).to_owned()),
            Fate::Left(other) => ("left", format!("{other} decides")),
            Fate::Closed(why) => ("closed", why.clone()),
            Fate::Undecided => ("undecided", "nobody said".to_owned()),
        };
        Self {
            port: service.port.to_string(),
            programs: service.programs.iter().cloned().collect(),
            published: service.published,
            fate,
            why,
        }
    }

    fn cells(&self) -> Vec<Cell> {
        let tone = match self.fate {
            "open" | "restricted" => Tone::Good,
            "undecided" => Tone::Bad,
            _ => Tone::Dim,
        };
        let container = self.published.then(|| "container".to_owned());
        let programs: Vec<String> = container.into_iter().chain(self.programs.iter().cloned()).collect();
        vec![
            Cell::strong(self.port.as_str()),
            programs.join(", ").into(),
            Cell::toned(self.fate, tone),
            self.why.as_str().into(),
        ]
    }
}

impl View for Planned {
    fn document(&self, _: &TimeZone) -> Document {
        let columns = [
            ("port", Align::Left),
            ("who listens", Align::Wrap),
            ("new connections", Align::Left),
            ("why", Align::Wrap),
        ];
        let rows = self.services.iter().map(Row::cells).collect();
        let mut blocks = vec![Block::Table(Table { rows, ..Table::new(columns) })];
        blocks.push(Block::Paragraph(vec![ALWAYS.into()]));
        blocks.extend(self.notes.iter().map(|note| Block::Paragraph(vec![note.as_str().into()])));
        blocks.extend(self.obstacles.iter().map(|obstacle| Block::Notice {
            tone: Tone::Bad,
            title: obstacle.what.as_str().into(),
            body: Shown::default(),
            remedy: obstacle.remedy.as_str().into(),
        }));
        blocks.extend(changed_lines("What differs from the rules that were confirmed", &self.changes));
        let subtitle =
            "Only new connections from outside are judged; what this host opens itself is not.".into();
        Document { title: "The packet filter for this host".into(), subtitle, blocks }
    }
}

const ALWAYS: &str = "Always let in: what belongs to open connections, loopback, answers of DHCP, and of ICMP what TCP and IPv6 \
                      live on; ping, at a measured rate. All else is closed, other protocols (VRRP, GRE, ESP) too.";

fn changed_lines(title: &str, lines: &[String]) -> Option<Block> {
    let cell = |line: &String| {
        let tone = if line.starts_with('+') { Tone::Good } else { Tone::Bad };
        Cell::toned(line.as_str(), tone)
    };
    let lines: Vec<Cell> = lines.iter().map(cell).collect();
    (!lines.is_empty()).then(|| Block::Edit { target: title.into(), lines })
}

/// What `firewall status` tells.
#[derive(Serialize)]
struct Status {
    /// `off`, `in-force`, `gone`, `changed`, `unsaved`.
    state: &'static str,
    /// Seconds for which rules on trial still act.
    trial: Option<u64>,
    /// Lines that came and went since the rules were confirmed.
    changes: Vec<String>,
    /// Ports at which somebody listens and that stay closed.
    closed: Vec<String>,
    /// Whether a plan made now would be another one.
    stale: bool,
    /// Whether the rules are loaded when the machine starts.
    at_boot: bool,
}

fn status(firewall: &HostFirewall, print: &remote::Print) -> anyhow::Result<Outcome> {
    let trial = firewall.on_trial()?;
    let state = firewall.state()?;
    let proposal = firewall.proposal(false)?;
    let closed = |service: &&Service| !matches!(service.fate, Fate::Open(_) | Fate::For(_) | Fate::Left(_));
    let (name, changes) = match &state {
        State::Off => ("off", Vec::new()),
        State::InForce => ("in-force", Vec::new()),
        State::Gone => ("gone", Vec::new()),
        State::Changed(lines) => ("changed", lines.clone()),
        State::Unsaved => ("unsaved", Vec::new()),
    };
    let status = Status {
        state: name,
        trial: trial.map(|left| left.as_secs()),
        changes,
        closed: proposal.services.iter().filter(closed).map(Service::name).collect(),
        stale: !firewall.changes(&proposal)?.is_empty(),
        at_boot: is_loaded_at_boot(),
    };
    remote::show(&status, print)?;
    Ok(if matches!(state, State::Off | State::InForce) { Outcome::Fine } else { Outcome::Findings })
}

impl Status {
    fn acts(&self) -> (Cell, &'static str) {
        let good = |text: &'static str| Cell::toned(text, Tone::Good);
        let bad = |text: &'static str| Cell::toned(text, Tone::Bad);
        match self.state {
            "off" if self.trial.is_some() => (Cell::dim("none are confirmed"), "mailward firewall confirm"),
            "off" => (Cell::dim("none: nothing is filtered"), "mailward firewall plan"),
            "in-force" => (good("the confirmed rules act, as they were confirmed"), ""),
            "gone" => {
                (bad("somebody took the confirmed rules out of the kernel"), "mailward firewall restore")
            }
            "changed" => (bad("somebody changed the confirmed rules"), "mailward firewall restore"),
            _ => (bad("rules act that are saved nowhere"), "mailward firewall apply"),
        }
    }
}

impl View for Status {
    fn document(&self, _: &TimeZone) -> Document {
        let (acts, next) = self.acts();
        let mut facts: Vec<(Shown, Cell)> = vec![("rules".into(), acts)];
        if let Some(left) = self.trial {
            let text =
                format!("new rules act for {left} more seconds; mailward firewall confirm makes them stay");
            facts.push(("trial".into(), Cell::toned(text, Tone::Notable)));
        }
        if self.state != "off" {
            let boot = if self.at_boot { "loaded" } else { "not loaded: systemctl enable mailward-firewall" };
            facts.push(("at boot".into(), boot.into()));
        }
        if !self.closed.is_empty() && matches!(self.state, "in-force" | "changed") {
            facts.push(("listens, closed".into(), self.closed.join(", ").into()));
        }
        let mut blocks = vec![Block::Facts(facts)];
        blocks.extend(changed_lines("Since the rules were confirmed", &self.changes));
        if self.stale && self.state == "in-force" {
            let text = "What listens, or the configuration, is not what it was: mailward firewall plan shows what would change.";
            blocks.push(Block::Paragraph(vec![text.into()]));
        }
        if !next.is_empty() {
            blocks.push(Block::Paragraph(vec!["Next: ".into(), Cell::code(next)]));
        }
        Document { title: "The packet filter of this host".into(), subtitle: Shown::default(), blocks }
    }
}
