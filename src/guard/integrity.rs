//! Watches configuration and the places where intruders stay, on a thread of its own: a slow disk holds up no ban.
//!
//! A change is told once, when two looks have seen it: an editor may be at work, or a plan that accepts its own changes when it is
//! done. It stays a finding until it is accepted or undone.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use mailward_audit::integrity::Change;
use mailward_model::{Span, Text, Timestamp};
use mailward_probe::integrity::Watcher;
use mailward_report::Severity;
use mailward_report::status::HealthFinding;
use mailward_source::Waker;

use super::health::finding;
use super::{Guard, Message, clock};
use crate::config::Settings;
use crate::integrity::{self, Acceptance};
use crate::record::Record;

/// How soon a change is looked at once more before it is told.
const SETTLED: Duration = Duration::from_secs(5);

/// Held in the state directory by who carries out a plan.
const PLANS: &str = "plans/lock";

/// Changes of one look that are told one by one.
const TOLD: usize = 50;

/// Changes that a finding names.
const NAMED: usize = 3;

/// What is wrong with the files, as of the last look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// How bad the worst change is, how many there are, and the first of them.
    changed: Option<(Severity, usize, Vec<String>)>,
    /// Why nothing can be told, or not everything.
    trouble: Option<String>,
    /// Whether that is because somebody has been at the baseline.
    forged: bool,
}

/// What a look brought.
#[derive(Debug)]
pub(super) struct News {
    standing: Standing,
    /// Changes that were not told yet.
    changes: Vec<(Record, Severity)>,
    /// Something to say.
    note: Option<String>,
}

/// The thread that looks.
#[derive(Debug)]
pub(super) struct Watch {
    wishes: Sender<Wish>,
    /// When the last look ended, in microseconds; 0 before the first.
    looked: Arc<AtomicI64>,
}

enum Wish {
    /// Look now.
    Look,
    /// Go on with these settings; without any, do not look.
    Settings(Option<Box<Settings>>),
}

impl Watch {
    /// Begins to look, if the settings want it.
    pub(super) fn start(settings: Option<Settings>, sender: Sender<Message>, waker: Waker) -> Self {
        let (wishes, heard) = channel();
        let looked = Arc::new(AtomicI64::new(0));
        let ends = looked.clone();
        let follow = move || {
            mailward_host::priority::step_back();
            Looker {
                sender,
                waker,
                looked: ends,
                first: true,
                told: BTreeSet::new(),
                candidates: BTreeSet::new(),
            }
            .follow(settings, &heard);
        };
        // Without it nothing is watched, which the age of the last look tells.
        let _ = std::thread::Builder::new().name("integrity".into()).spawn(follow);
        Self { wishes, looked }
    }

    /// Looks now.
    pub(super) fn look(&self) {
        let _ = self.wishes.send(Wish::Look);
    }

    /// Goes on with other settings.
    pub(super) fn settings(&self, settings: Option<Settings>) {
        let _ = self.wishes.send(Wish::Settings(settings.map(Box::new)));
    }
}

struct Looker {
    sender: Sender<Message>,
    waker: Waker,
    looked: Arc<AtomicI64>,
    /// Whether it has not looked yet: only then a baseline may be missing.
    first: bool,
    told: BTreeSet<String>,
    /// Changes that the last look saw.
    candidates: BTreeSet<String>,
}

impl Looker {
    fn follow(&mut self, mut settings: Option<Settings>, wishes: &Receiver<Wish>) {
        let mut watcher = None;
        loop {
            let patience = settings.as_ref().map(|settings| self.look(settings, &mut watcher));
            let wish = match patience {
                Some(patience) => wishes.recv_timeout(patience),
                None => wishes.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match wish {
                Ok(Wish::Settings(new)) => {
                    settings = new.map(|new| *new);
                    watcher = None;
                    if settings.is_none() {
                        self.tell(News { standing: Standing::default(), changes: Vec::new(), note: None });
                    }
                }
                Ok(Wish::Look) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Looks, tells, and says how long there is nothing to do.
    fn look(&mut self, settings: &Settings, watcher: &mut Option<Watcher>) -> Duration {
        let interval = Duration::from_secs(settings.integrity.interval.secs());
        let looked = self.compared(settings, watcher);
        let unsettled = matches!(&looked, Ok((_, unsettled)) if *unsettled);
        self.tell(match looked {
            Ok((news, _)) => news,
            Err(error) => News {
                standing: Standing { trouble: Some(format!("{error:#}")), ..Standing::default() },
                changes: Vec::new(),
                note: None,
            },
        });
        self.looked.store(clock().micros(), Ordering::Relaxed);
        if unsettled { interval.min(SETTLED) } else { interval }
    }

    fn tell(&self, news: News) {
        if self.sender.send(Message::Integrity(Box::new(news))).is_ok() {
            self.waker.wake();
        }
    }

    /// What a look brings, and whether there is something that the next one has to confirm.
    fn compared(
        &mut self,
        settings: &Settings,
        watcher: &mut Option<Watcher>,
    ) -> anyhow::Result<(News, bool)> {
        let state = &settings.guard.state_directory;
        let Some(mut baseline) = integrity::load(state, true)? else {
            anyhow::ensure!(
                self.first,
                "the baseline is gone; look at what is there (docs/integrity.md), then: mailward integrity accept"
            );
            let news = began(settings)?;
            self.first = false;
            return Ok((news, false));
        };
        if std::mem::take(&mut self.first) {
            self.told = integrity::told(state).into_iter().collect();
        }
        let forged = baseline.is_forged();
        baseline.forget_texts();
        let watcher = match watcher {
            Some(watcher) => watcher,
            None => watcher.insert(integrity::watcher(settings)?.without_texts()),
        };
        let seen = watcher.look(&baseline.entries);
        if mailward_host::lock::is_held(&state.join(PLANS)) {
            // A plan is being carried out, and accepts what it wrote when it is done.
            self.candidates.clear();
        }
        let changes = integrity::changes(&baseline.entries, &seen, watcher);
        let named = |change: &Change| change.fingerprint().to_string();
        let now: BTreeSet<String> = changes.iter().map(named).collect();
        let settled = |name: &String| self.told.contains(name) || self.candidates.contains(name);
        let standing: Vec<&Change> = changes.iter().filter(|change| settled(&named(change))).collect();
        let new: Vec<&&Change> =
            standing.iter().filter(|change| !self.told.contains(&named(change))).collect();
        let news = News {
            standing: Standing {
                changed: summary(&standing),
                trouble: seen.cut.then(|| "there are more files than are watched".to_owned()),
                forged,
            },
            note: (new.len() > TOLD)
                .then(|| format!("{} more files were changed outside of a plan", new.len() - TOLD)),
            changes: new
                .iter()
                .take(TOLD)
                .map(|change| (record(change, clock()), severity(change)))
                .collect(),
        };
        let told: BTreeSet<String> = standing.iter().map(|change| named(change)).collect();
        let unsettled = now.len() > told.len();
        if told != self.told {
            let all: Vec<String> = told.iter().cloned().collect();
            // At worst a change is told once more after the next start.
            let _ = integrity::set_told(state, &all);
        }
        (self.told, self.candidates) = (told, now);
        Ok((news, unsettled))
    }
}

/// The first time: what is there is taken as right, and said so.
fn began(settings: &Settings) -> anyhow::Result<News> {
    let mut watcher = integrity::watcher(settings)?;
    let seen = watcher.look(&mailward_audit::integrity::Entries::new());
    let who = Acceptance { by: "mailward guard, at its first start", now: clock() };
    let state = &settings.guard.state_directory;
    let note = integrity::begin(state, seen, who)?
        .map(|(digest, files)| format!("{files} files are watched from now on; baseline SHA-256 {digest}"));
    Ok(News { standing: Standing::default(), changes: Vec::new(), note })
}

fn summary(changes: &[&Change]) -> Option<(Severity, usize, Vec<String>)> {
    let worst = changes.iter().map(|change| severity(change)).max()?;
    let mut first: Vec<&&Change> = changes.iter().collect();
    first.sort_by_key(|change| std::cmp::Reverse(change.severity()));
    let name = |change: &&&Change| format!("{} {}", change.what().name(), shown(&change.path));
    Some((worst, changes.len(), first.iter().take(NAMED).map(name).collect()))
}

fn severity(change: &Change) -> Severity {
    crate::cli::severity(change.severity())
}

fn shown(path: &Path) -> String {
    Text::new(path.as_os_str().as_encoded_bytes()).to_string()
}

fn record(change: &Change, now: Timestamp) -> Record {
    let aspects: Vec<String> = change.aspects().iter().map(ToString::to_string).collect();
    let role = change.role();
    let reason = if aspects.is_empty() {
        role.name().to_owned()
    } else {
        format!("{}: {}", role.name(), aspects.join("; "))
    };
    Record::integrity(change.what().name(), shown(&change.path), reason, now)
}

impl Guard {
    /// Takes over what a look brought.
    pub(super) fn hear_of_files(&mut self, news: News) {
        for (change, severity) in &news.changes {
            self.voice.integrity(change);
            self.tell_change(change, *severity);
        }
        if let Some(note) = &news.note {
            self.voice.say(note);
        }
        self.files = news.standing;
    }

    /// What is wrong with the files.
    pub(super) fn findings_of_files(&self) -> Vec<HealthFinding> {
        let mut findings = Vec::new();
        if let Some((severity, count, first)) = &self.files.changed {
            let title = match count {
                1 => "A file was changed outside of a plan".to_owned(),
                count => format!("{count} files were changed outside of a plan"),
            };
            let rest = count.saturating_sub(first.len());
            let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
            let detail = format!("{}{more}", first.join(", "));
            let remedy =
                "mailward integrity status shows the lines; if it was you: mailward integrity accept";
            findings.push(finding("integrity.changed", *severity, &title, &detail, remedy));
        }
        if self.files.forged {
            let detail = "its digest is not the one that Mailward wrote";
            let remedy = "compare with a copy of the digest that you keep elsewhere; docs/integrity.md";
            let title = "Somebody else changed the baseline of files";
            findings.push(finding("integrity.forged", Severity::Critical, title, detail, remedy));
        }
        if let Some(trouble) = self.files.trouble.clone().or_else(|| self.overdue()) {
            findings.push(finding(
                "integrity.failed",
                Severity::High,
                "Files are not watched as they should be",
                &trouble,
                "",
            ));
        }
        findings
    }

    /// Why the last look is long ago, if it is: a file system that does not answer stops the thread.
    fn overdue(&self) -> Option<String> {
        let settings = Some(&self.setup.settings.integrity).filter(|settings| settings.watch)?;
        let interval = settings.interval;
        let looked = self.watch.looked.load(Ordering::Relaxed);
        let since = if looked == 0 { self.stats.started } else { Timestamp::from_micros(looked) };
        let late = clock().since(since);
        (late > Span::from_micros(interval.micros() + Span::from_mins(15).micros())).then(|| {
            format!(
                "the last look ended {late} ago; a file system may not answer: cat /proc/{}/task/*/stack",
                std::process::id()
            )
        })
    }
}
