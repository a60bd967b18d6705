//! The packet filter of the host: from what listens to a proposal, to a trial, to rules that act for good.
//!
//! Nobody may lock himself out. So rules act only for a while at first, which the kernel itself ends; they stay when somebody
//! confirms them over a connection that they let in.

mod files;
mod session;

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use mailward_audit::Untold;
use mailward_audit::firewall::{Proposal, TABLE, Wishes, propose};
use mailward_enforce::{HostFilter, HostFilterError, Loaded, Side, Trial};
use mailward_host::{clock, run};
use mailward_model::Network;

use crate::cli::load;
use crate::config::Settings;
use files::{Files, Note};
pub(crate) use session::Proof;

/// The packet filter of this host, as the configuration wants it.
pub(crate) struct HostFirewall {
    filter: HostFilter,
    files: Files,
    settings: Settings,
    /// The configuration that was asked for, for commands that this one starts.
    config: Option<PathBuf>,
}

/// What became of an `apply`.
pub(crate) enum Applied {
    /// This very ruleset acts already.
    Same,
    /// This very ruleset is on trial already.
    SameTrial(Duration),
    /// The ruleset acts, for so long.
    Trial(Duration),
    /// Something is in the way; nothing was changed.
    Hindered,
}

/// What became of a `restore`.
pub(crate) enum Restored {
    /// Nothing was ever confirmed.
    Nothing,
    /// It acts already.
    Same,
    /// It acts again.
    Loaded,
}

/// What the kernel holds, held against what was confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// There is no filter, and none was confirmed.
    Off,
    /// What was confirmed acts.
    InForce,
    /// What was confirmed is not in the kernel: somebody took it away.
    Gone,
    /// It was changed since: lines of nft(8)'s listing that came, with a `+`, and that went, with a `-`.
    Changed(Vec<String>),
    /// There is a ruleset in the kernel that is saved nowhere.
    Unsaved,
}

impl HostFirewall {
    /// As the configuration says. Nothing is done.
    pub(crate) fn open(config: Option<&Path>) -> anyhow::Result<Self> {
        let settings = load(config)?.settings;
        Ok(Self {
            filter: HostFilter::new(TABLE)?,
            files: Files::at(&settings.guard.state_directory),
            settings,
            config: config.map(|path| std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())),
        })
    }

    /// The filter for what listens now.
    pub(crate) fn proposal(&self, close_others: bool) -> anyhow::Result<Proposal> {
        let wishes = self.wishes(close_others)?;
        let facts = mailward_probe::filter();
        propose(&facts, &wishes).map_err(|(Untold::NotApplicable(why) | Untold::CouldNotTell(why))| {
            anyhow::anyhow!("cannot tell what is to be filtered: {why}; try as root (sudo)")
        })
    }

    fn wishes(&self, close_others: bool) -> anyhow::Result<Wishes> {
        let settings = &self.settings.host_firewall;
        let never = self.settings.never_ban.networks.iter();
        Ok(Wishes {
            allow: settings.allow.clone(),
            close: settings.close.clone(),
            close_others,
            trusted: settings.trusted_interfaces.iter().map(ToString::to_string).collect(),
            unmetered: never.map(|named| named.network).collect(),
            blocked: settings.blocked_networks.as_deref().map_or(Ok(Vec::new()), networks)?,
            mail_rate: settings.mail_rate,
            ssh_rate: settings.ssh_rate,
            session: session::port(&session::above()),
            tables: vec![format!("inet {}", self.settings.firewall.options.table)],
        })
    }

    /// The proposal as a file for nft(8), as it would be saved.
    pub(crate) fn text(&self, proposal: &Proposal) -> anyhow::Result<String> {
        let side = match self.filter.loaded()? {
            Loaded::Rules { kept: Some(kept), .. } => kept,
            _ => Side::A,
        };
        Ok(self.filter.file(&proposal.ruleset.definition(side.name()), side))
    }

    /// How the proposal differs from what was confirmed; nothing where nothing was.
    pub(crate) fn changes(&self, proposal: &Proposal) -> anyhow::Result<Vec<String>> {
        let saved = self.files.saved()?;
        saved.map_or(Ok(Vec::new()), |saved| self.text(proposal).map(|text| difference(&saved, &text)))
    }

    /// Lets the proposal act for a while.
    pub(crate) fn apply(&self, proposal: &Proposal) -> anyhow::Result<Applied> {
        if !proposal.obstacles.is_empty() {
            return Ok(Applied::Hindered);
        }
        let _lock = self.files.lock()?;
        let loaded = self.filter.loaded()?;
        let ruleset = &proposal.ruleset;
        match &loaded {
            Loaded::Rules { trial: Some(Trial { side, left: Some(left), id }), .. } => {
                let file = self.filter.file(&ruleset.definition(side.name()), *side);
                let same = |note: &Note| note.id == *id && note.file == file;
                if self.files.note()?.as_ref().is_some_and(same) {
                    return Ok(Applied::SameTrial(*left));
                }
            }
            Loaded::Rules { trial: Some(_), .. } => self.filter.end_trial()?,
            _ => {}
        }
        let loaded = self.filter.loaded()?;
        if matches!(loaded, Loaded::Rules { trial: None, .. })
            && self.files.saved()? == Some(self.text(proposal)?)
            && self.state()? == State::InForce
        {
            return Ok(Applied::Same);
        }
        self.begin_trial(proposal, loaded.free())
    }

    fn begin_trial(&self, proposal: &Proposal, side: Side) -> anyhow::Result<Applied> {
        let definition = proposal.ruleset.definition(side.name());
        let length = Duration::from_secs(self.settings.host_firewall.trial.secs());
        let id = clock::now().to_string();
        self.filter.try_out(&definition, length, &id)?;
        let began = session::ticks().context("cannot read /proc/uptime");
        let note = began.and_then(|began| {
            let file = self.filter.file(&definition, side);
            self.files.write_note(&Note::new(id.clone(), began, session::boot(), file))
        });
        if let Err(error) = note {
            self.filter.end_trial()?;
            return Err(error.context("the rules cannot be confirmed later, so they were taken back"));
        }
        self.leave_watch(&id);
        Ok(Applied::Trial(length))
    }

    /// Starts a process that takes away what is left of the trial when it is over. The rules stop acting without it; it only
    /// tidies up, so that it is no matter if it cannot be started or is killed.
    fn leave_watch(&self, id: &str) {
        let Ok(program) = std::env::current_exe() else { return };
        let mut words: Vec<&OsStr> = Vec::new();
        if let Some(config) = &self.config {
            words.extend([OsStr::new("--config"), config.as_os_str()]);
        }
        words.extend(["firewall", "watch", id].map(OsStr::new));
        let _ = run::leave_running(&program, &words);
    }

    /// Waits until a trial is over, and takes away what is left of it.
    pub(crate) fn watch(&self, id: &str) -> anyhow::Result<()> {
        // A closing terminal takes nobody along who is in no session of its.
        let _ = rustix::process::setsid();
        loop {
            match self.filter.loaded()? {
                Loaded::Rules { trial: Some(Trial { left: Some(left), id: other, .. }), .. }
                    if other == id =>
                {
                    if !self.waits_out(id, left)? {
                        return Ok(());
                    }
                }
                Loaded::Rules { trial: Some(Trial { left: None, .. }), .. } => {
                    // Whoever holds it tidies up himself.
                    let Ok(_lock) = self.files.lock() else { return Ok(()) };
                    return self.tidy();
                }
                _ => return Ok(()),
            }
        }
    }

    /// Waits until a trial's time is over; not, if it was confirmed or ended before.
    fn waits_out(&self, id: &str, left: Duration) -> anyhow::Result<bool> {
        // The kernel tells whole seconds, cut off.
        let end = Instant::now() + left + Duration::from_secs(1);
        while self.files.note()?.is_some_and(|note| note.id == id) {
            if Instant::now() > end {
                return Ok(true);
            }
            std::thread::sleep(Duration::from_millis(250));
        }
        Ok(false)
    }

    /// Takes away what is left of a trial that is over.
    fn tidy(&self) -> anyhow::Result<()> {
        if let Loaded::Rules { trial: Some(Trial { left: None, .. }), .. } = self.filter.loaded()? {
            self.filter.end_trial()?;
            self.files.forget_note()?;
        }
        Ok(())
    }

    /// Makes the rules on trial act for good.
    pub(crate) fn confirm(&self) -> anyhow::Result<Proof> {
        let _lock = self.files.lock()?;
        let trial = match self.filter.loaded()? {
            Loaded::Rules { trial: Some(trial), .. } => trial,
            _ => bail!("nothing is on trial; to begin: mailward firewall apply"),
        };
        if trial.left.is_none() {
            self.tidy()?;
            return Err(HostFilterError::TooLate.into());
        }
        let note = self.files.note()?.filter(|note| note.id == trial.id && note.boot == session::boot());
        let Some(note) = note else {
            bail!(
                "the command that began this trial was ended before it had noted it, so it cannot be confirmed. The rules before \
                 it act again by themselves; then begin anew: mailward firewall apply"
            );
        };
        let proof = session::proof(&session::above(), note.began)?;
        self.keep(&note)?;
        Ok(proof)
    }

    /// Saved first: rules that act and would be gone after the next start of the machine are worse than ones that are saved
    /// and have to be loaded.
    fn keep(&self, note: &Note) -> anyhow::Result<()> {
        let before = self.files.saved()?;
        self.files.save(&note.file)?;
        if let Err(error) = self.filter.confirm() {
            match before {
                Some(text) => self.files.save(&text)?,
                None => self.files.forget_saved()?,
            }
            return Err(error.into());
        }
        self.files.save_listing(&self.filter.listing()?.unwrap_or_default())?;
        self.files.forget_note()
    }

    /// Ends a trial now; whether there was one.
    pub(crate) fn undo(&self) -> anyhow::Result<bool> {
        let _lock = self.files.lock()?;
        let running =
            matches!(self.filter.loaded()?, Loaded::Rules { trial: Some(Trial { left: Some(_), .. }), .. });
        self.filter.end_trial()?;
        self.files.forget_note()?;
        Ok(running)
    }

    /// Takes everything away, from the kernel and from the disk; whether there was anything.
    pub(crate) fn off(&self) -> anyhow::Result<bool> {
        let _lock = self.files.lock()?;
        let was = self.filter.loaded()? != Loaded::Nothing || self.files.saved()?.is_some();
        // From the disk first: what is gone must not come back with the next start of the machine.
        self.files.forget_saved()?;
        self.files.forget_note()?;
        self.filter.remove()?;
        Ok(was)
    }

    /// Loads what was confirmed.
    pub(crate) fn restore(&self) -> anyhow::Result<Restored> {
        let _lock = self.files.lock()?;
        let Some(saved) = self.files.saved()? else { return Ok(Restored::Nothing) };
        self.tidy()?;
        match self.filter.loaded()? {
            Loaded::Rules { trial: Some(_), .. } => {
                bail!(
                    "a ruleset is on trial; confirm it, or end its trial (mailward firewall undo), then try again"
                )
            }
            Loaded::Rules { trial: None, .. } if self.state()? == State::InForce => {
                return Ok(Restored::Same);
            }
            _ => {}
        }
        self.filter.restore(&saved)?;
        self.files.save_listing(&self.filter.listing()?.unwrap_or_default())?;
        Ok(Restored::Loaded)
    }

    /// How long the rules on trial still act, if there are any; first takes away what is left of a trial that is over.
    pub(crate) fn on_trial(&self) -> anyhow::Result<Option<Duration>> {
        // Somebody else who changes it will do the same.
        if let Ok(_lock) = self.files.lock() {
            self.tidy()?;
        }
        Ok(match self.filter.loaded()? {
            Loaded::Rules { trial: Some(trial), .. } => trial.left,
            _ => None,
        })
    }

    /// What the kernel holds, held against what was confirmed.
    pub(crate) fn state(&self) -> anyhow::Result<State> {
        let saved = self.files.saved()?.is_some();
        let kept = matches!(self.filter.loaded()?, Loaded::Rules { kept: Some(_), .. });
        let on_trial = matches!(self.filter.loaded()?, Loaded::Rules { trial: Some(_), .. });
        let now = self.filter.listing()?.unwrap_or_default();
        Ok(match (saved, kept) {
            (false, false) => State::Off,
            (false, true) => State::Unsaved,
            (true, false) => State::Gone,
            // Two rulesets lie in the table now.
            (true, true) if on_trial => State::InForce,
            (true, true) => match self.files.listing()?.map(|listing| difference(&listing, &now)) {
                Some(lines) if lines.is_empty() => State::InForce,
                lines => State::Changed(lines.unwrap_or_default()),
            },
        })
    }
}

/// The lines that one text has more often than the other, each with its sign; nothing where they are the same.
fn difference(old: &str, new: &str) -> Vec<String> {
    let mut found = beyond(old, new, '-');
    found.extend(beyond(new, old, '+'));
    if found.is_empty() && !old.lines().map(str::trim).eq(new.lines().map(str::trim)) {
        found.push("the same lines in another order".to_owned());
    }
    found
}

/// The lines of one that are left when those of the other are taken out.
fn beyond(one: &str, other: &str, sign: char) -> Vec<String> {
    let mut rest: HashMap<&str, usize> = HashMap::new();
    for line in other.lines() {
        *rest.entry(line.trim()).or_default() += 1;
    }
    let left = one.lines().map(str::trim).filter(|line| match rest.get_mut(line) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        _ => true,
    });
    left.map(|line| format!("{sign} {line}")).collect()
}

/// The networks of a file, one in a line; what follows a `#` is a comment.
fn networks(path: &Path) -> anyhow::Result<Vec<Network>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read {}, blocked-networks below [host-firewall]", path.display()))?;
    let lines = (1..).zip(text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()));
    let lines = lines.filter(|(_, line)| !line.is_empty());
    let read = lines.map(|(number, line)| {
        line.parse::<Network>().map_err(|error| {
            anyhow::anyhow!("{}:{number}: {error}; write one network in a line", path.display())
        })
    });
    read.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_told_line_by_line() {
        let rows: [(&str, &str, &[&str]); 5] = [
            ("a\nb\n", "  a\n\tb", &[]),
            ("a\nb\n", "a\nc\n", &["- b", "+ c"]),
            ("a\n", "a\na\n", &["+ a"]),
            ("a\nb\n", "b\na\n", &["the same lines in another order"]),
            ("", "a\n", &["+ a"]),
        ];
        for (old, new, expected) in rows {
            assert_eq!(difference(old, new), expected, "{old:?} {new:?}");
        }
    }

    #[test]
    fn a_file_of_networks_is_read_or_its_line_told() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "# a country\n192.0.2.0/24 # some\n\n2001:db8::/32\n").unwrap();
        assert_eq!(networks(file.path()).unwrap().len(), 2);
        std::fs::write(file.path(), "192.0.2.0/24\n192.0.2.1/24\n").unwrap();
        let error = networks(file.path()).unwrap_err().to_string();
        assert!(error.contains(":2: "), "{error}");
    }
}
