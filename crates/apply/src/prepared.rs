//! A plan with every file that it changes, before and after.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use mailward_audit::plan::{Algorithm, Change, Layout, Plan, Program};
use mailward_audit::records::{base64, der};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::ApplyError;
use crate::site::Site;
use crate::state::{Content, Rights, State};

/// The version of the stored format.
pub const VERSION: u32 = 1;

/// A plan with every file that it changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prepared {
    /// The version of this format.
    pub version: u32,
    /// The plan.
    pub plan: Plan,
    /// The files, in the order of the plan. A plan without any changes nothing.
    pub files: Vec<File>,
    /// What the server's programs had in force: a digest of what each of these commands said.
    pub effective: BTreeMap<String, String>,
}

/// A file that is changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its path as the mail server's programs see it.
    pub path: String,
    /// Where it is on this machine, without symbolic links.
    pub host: PathBuf,
    /// Who has to be told.
    pub programs: BTreeSet<Program>,
    /// How it was.
    pub before: State,
    /// How it shall be.
    pub after: State,
    /// Which steps of the plan change it.
    pub steps: Vec<usize>,
    /// Whether a program makes it of another file: a table's index. It may be made anew at any time.
    pub made: bool,
}

impl Prepared {
    /// Reads every file that a plan changes, and makes the new ones. Nothing is written.
    ///
    /// # Errors
    /// When a change cannot be made in its file.
    pub fn make(plan: Plan, layout: &Layout, site: &Site<'_>) -> Result<Self, ApplyError> {
        let mut groups: Vec<(String, Vec<usize>)> = Vec::new();
        for (at, step) in plan.steps.iter().enumerate() {
            let file = layout.file(&step.change);
            let file = file.ok_or_else(|| ApplyError::Homeless { what: format!("{:?}", step.change) })?;
            match groups.iter_mut().find(|(path, _)| *path == file) {
                Some((_, steps)) => steps.push(at),
                None => groups.push((file, vec![at])),
            }
        }
        let mut files = Vec::new();
        for (path, steps) in groups {
            let file = File::make(path, steps, &plan, layout, site)?;
            if !file.before.is_like(&file.after) {
                folders_of(&file, &mut files);
                files.push(file);
            }
        }
        let mut prepared = Self { version: VERSION, plan, files, effective: BTreeMap::new() };
        prepared.effective = prepared.in_force(site)?;
        Ok(prepared)
    }

    /// Whether it changes nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// What it changes besides what the first of its steps do, which are those of `earlier`.
    #[must_use]
    pub fn since(mut self, earlier: &Self) -> Self {
        for file in &mut self.files {
            if let Some(known) = earlier.files.iter().find(|known| known.path == file.path) {
                file.before = known.after.clone();
            }
            file.steps.retain(|at| *at >= earlier.plan.steps.len());
        }
        self.files.retain(|file| !file.before.is_like(&file.after));
        self
    }

    /// Who has to be told.
    #[must_use]
    pub fn programs(&self) -> BTreeSet<Program> {
        let all = self.files.iter().flat_map(|file| file.programs.iter().copied());
        all.filter(|program| *program != Program::Nobody).collect()
    }

    /// A plan that was written by `harden plan --save`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn load(path: &Path) -> Result<Self, ApplyError> {
        let unreadable = |why: String| ApplyError::Unreadable { path: path.to_path_buf(), why };
        let bytes = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
        let prepared: Self = serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))?;
        if prepared.version != VERSION {
            return Err(unreadable(format!("it is of version {}", prepared.version)));
        }
        Ok(prepared)
    }

    /// Writes it for `harden apply FILE`. It holds whole files, with their secrets: it is for its owner alone.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), ApplyError> {
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| ApplyError::Unreadable { path: path.to_path_buf(), why: error.to_string() })?;
        mailward_host::atomic::write(path, &text, Some(0o600)).map_err(|error| match error {
            mailward_host::atomic::WriteError::Full { path, directory } => {
                ApplyError::Full { path, directory, end: "nothing was changed" }
            }
            error => ApplyError::Program(error.to_string()),
        })
    }

    /// Nothing may have changed since it was made: no file, no link to one, nothing that is in force.
    pub(crate) fn is_fresh(&self, site: &Site<'_>) -> Result<(), ApplyError> {
        for file in &self.files {
            if site.resolve(&file.path)? != file.host || !file.is(&file.before)? {
                return Err(ApplyError::Stale { path: file.path.clone() });
            }
        }
        let now = self.in_force(site)?;
        match self.effective.iter().find(|(command, digest)| now.get(*command) != Some(digest)) {
            Some((command, _)) => Err(ApplyError::StaleServer { command: command.clone() }),
            None => Ok(()),
        }
    }

    /// Digests of what the programs that read these files have in force.
    fn in_force(&self, site: &Site<'_>) -> Result<BTreeMap<String, String>, ApplyError> {
        let all = self.programs();
        let concerns = |program| all.contains(&program) || all.contains(&Program::Container);
        let mut commands: Vec<&[&str]> = Vec::new();
        if concerns(Program::Postfix) {
            commands.extend([&["postconf", "-n"][..], &["postconf", "-M"], &["postconf", "-P"]]);
        }
        if concerns(Program::Dovecot) {
            commands.push(&["doveconf", "-n"]);
        }
        let mut digests = BTreeMap::new();
        for command in commands {
            let said = site.run(command)?;
            digests.insert(command.join(" "), digest(said.out.as_bytes()));
        }
        Ok(digests)
    }
}

impl File {
    fn make(
        path: String,
        steps: Vec<usize>,
        plan: &Plan,
        layout: &Layout,
        site: &Site<'_>,
    ) -> Result<Self, ApplyError> {
        let host = site.resolve(&path)?;
        let changes: Vec<&Change> =
            steps.iter().filter_map(|at| Some(&plan.steps.get(*at)?.change)).collect();
        let (rights, texts): (Vec<&Change>, Vec<&Change>) =
            changes.iter().copied().partition(|change| matches!(change, Change::Access { .. }));
        let before =
            State::read(&host, !texts.is_empty()).map_err(|error| ApplyError::disk(&host, "read", error))?;
        let mut after = before.clone();
        if let [Change::Key { algorithm, owner, .. }] = texts.as_slice() {
            after = key(&host, &before, *algorithm, owner.as_deref(), site)?;
        } else if texts.iter().any(|change| matches!(change, Change::Remove { .. })) {
            after = State::Absent;
        } else if !texts.is_empty() {
            after = rewritten(&host, &before, &texts, layout)?;
        }
        for change in rights {
            after = owned(&host, after, change, site)?;
        }
        let programs = changes.iter().map(|change| layout.program(change)).collect();
        Ok(Self { path, host, programs, before, after, steps, made: false })
    }

    /// Whether it is in a state now.
    pub(crate) fn is(&self, state: &State) -> Result<bool, ApplyError> {
        Ok(self.now()?.is_like(state))
    }

    /// How it is now.
    pub(crate) fn now(&self) -> Result<State, ApplyError> {
        let whole = self.before.is_whole() && self.after.is_whole();
        State::read(&self.host, whole).map_err(|error| ApplyError::disk(&self.host, "read", error))
    }
}

fn rewritten(host: &Path, before: &State, changes: &[&Change], layout: &Layout) -> Result<State, ApplyError> {
    let text = match before {
        State::Absent => None,
        state => Some(state.text().ok_or_else(|| {
            ApplyError::disk(host, "change", std::io::Error::other("it is no text in UTF-8"))
        })?),
    };
    let new = layout.rewrite(text, changes.iter().copied());
    let new = new?;
    let rights = before.rights().map_or_else(|| new_file(host), Ok)?;
    let unchanged = before.text() == Some(new.as_str());
    Ok(if unchanged {
        before.clone()
    } else {
        State::File { content: Content::Text(new), rights, times: None }
    })
}

/// A new file is its folder's owner's, and everybody may read it, as configuration is.
fn new_file(host: &Path) -> Result<Rights, ApplyError> {
    Ok(Rights { mode: 0o644, ..folder_above(host)?.1 })
}

/// The nearest folder above a path that is there, and whose it is.
fn folder_above(host: &Path) -> Result<(&Path, Rights), ApplyError> {
    let there = |path: &&Path| path.is_dir();
    let parent = host.ancestors().skip(1).find(there).unwrap_or(Path::new("/"));
    let known = std::fs::metadata(parent).map_err(|error| ApplyError::disk(parent, "look at", error))?;
    Ok((parent, Rights::of(&known)))
}

/// The folders that a new file needs, the outermost first; they are like the one that is there.
fn folders_of(file: &File, files: &mut Vec<File>) {
    let Ok((there, rights)) = folder_above(&file.host) else { return };
    let missing = file.host.ancestors().skip(1).take_while(|path| *path != there);
    let missing: Vec<&Path> = missing.collect();
    for (above, host) in missing.iter().enumerate().rev() {
        if files.iter().any(|known| known.host == *host) {
            continue;
        }
        let path = file.path.rsplitn(above + 2, '/').last().unwrap_or_default().to_owned();
        files.push(File {
            path,
            host: host.to_path_buf(),
            programs: BTreeSet::from([Program::Nobody]),
            before: State::Absent,
            after: State::Folder { rights },
            steps: file.steps.clone(),
            made: false,
        });
    }
}

/// A new private key, which its owner alone may read; one that is there stays.
fn key(
    host: &Path,
    before: &State,
    algorithm: Algorithm,
    owner: Option<&str>,
    site: &Site<'_>,
) -> Result<State, ApplyError> {
    if *before != State::Absent {
        return Ok(before.clone());
    }
    let words: &[&str] = match algorithm {
        Algorithm::Rsa => &["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
        Algorithm::Ed25519 => &["openssl", "genpkey", "-algorithm", "ED25519"],
    };
    let said = site.run(words)?;
    let made = match algorithm {
        Algorithm::Rsa => said.out.contains("PRIVATE KEY").then(|| said.out.clone()),
        Algorithm::Ed25519 => seed(&said.out),
    };
    let failed = || format!("no key could be made: `{}`: {}", words.join(" "), said.first());
    let made = made.filter(|_| said.is_fine()).ok_or_else(|| ApplyError::Program(failed()))?;
    let above = folder_above(host)?.1;
    let (uid, gid) = match owner {
        Some(name) => (site.number("passwd", name)?, site.number("group", name)?),
        None => (above.uid, above.gid),
    };
    let rights = Rights { mode: 0o600, uid, gid };
    Ok(State::File { content: Content::Text(made), rights, times: None })
}

/// An Ed25519 key as Rspamd reads it, which alone signs with one: not in PEM, but its 32 octets in base64 (`rspamd_dkim_sign_key_load`).
fn seed(pem: &str) -> Option<String> {
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    match der::Key::private(&base64::decode(&body)?)? {
        der::Key::Ed25519(seed) => Some(base64::encode(&seed) + "\n"),
        der::Key::Rsa { .. } => None,
    }
}

fn owned(host: &Path, state: State, change: &Change, site: &Site<'_>) -> Result<State, ApplyError> {
    let Change::Access { mode, owner, group, .. } = change else { return Ok(state) };
    let number = |kind, name: &Option<String>, old: u32| match name {
        Some(name) => site.number(kind, name),
        None => Ok(old),
    };
    let turned = |old: Rights| -> Result<Rights, ApplyError> {
        let (uid, gid) = (number("passwd", owner, old.uid)?, number("group", group, old.gid)?);
        Ok(Rights { mode: mode.unwrap_or(old.mode), uid, gid })
    };
    Ok(match state {
        State::Absent => return Err(ApplyError::disk(host, "change", std::io::ErrorKind::NotFound.into())),
        State::File { content, rights, times } => State::File { content, rights: turned(rights)?, times },
        State::Folder { rights } => State::Folder { rights: turned(rights)? },
        State::Rights { rights } => State::Rights { rights: turned(rights)? },
    })
}

/// A digest in hexadecimal.
fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use mailward_audit::Facts;
    use mailward_audit::plan::Step;

    use super::*;
    use crate::{ApplyError, diffs};

    fn prepared(root: &Path, changes: &[Change]) -> Result<Prepared, ApplyError> {
        let steps = changes.iter().map(|change| Step { change: change.clone(), reasons: Vec::new() });
        let plan = Plan { steps: steps.collect(), ..Plan::default() };
        let on_host = |path: &str| Some(root.join(path.trim_start_matches('/')));
        let site = Site { prefix: Vec::new(), compose: None, on_host: &on_host, state: root.join("state") };
        Prepared::make(plan, &Layout::of(&Facts::default()), &site)
    }

    /// A step that needs an earlier one is shown with its own lines, and cannot be had without the other.
    #[test]
    fn a_step_is_shown_after_those_that_it_builds_on() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("table"), "a\n").unwrap();
        let first = Change::lines("/table", &["a"], &["b"]);
        let second = Change::lines("/table", &["b"], &["c"]);
        assert!(matches!(prepared(root.path(), std::slice::from_ref(&second)), Err(ApplyError::Clash(_))));
        let so_far = prepared(root.path(), std::slice::from_ref(&first)).unwrap();
        let own = prepared(root.path(), &[first, second]).unwrap().since(&so_far);
        let lines = diffs(&own, &|_, text| text.to_owned()).remove(0).lines;
        assert!(lines.contains(&"-b".to_owned()) && lines.contains(&"+c".to_owned()), "{lines:?}");
        assert!(!lines.contains(&"-a".to_owned()) && own.files.first().unwrap().steps == [1], "{lines:?}");
    }

    /// Rspamd is the one that signs with it, and reads no PEM.
    #[test]
    fn an_ed25519_key_is_the_base64_of_its_octets() {
        const PEM: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
        assert_eq!(seed(PEM).as_deref(), Some("1O5y2/kTWErVttjx92n4rTr+fCjL8dT74Jeoj0R1WEI=\n"));
        assert_eq!(seed("no key"), None);
    }
}
