//! What the daemon counts about itself.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use mailward_engine::{Effect, Refused, Seen};
use mailward_model::{Ban, EventKind, Program, Span, Timestamp};
use mailward_report::At;
use mailward_report::attacks::ProgramLines;

/// Counts since the start.
#[derive(Debug)]
pub(super) struct Stats {
    pub(super) started: Timestamp,
    pub(super) lines: u64,
    pub(super) over_budget: u64,
    /// When the budget kept a rule from banning, last.
    over_budget_at: Option<Instant>,
    pub(super) bans: u64,
    programs: Vec<(u64, u64)>,
    sources: Vec<SourceStats>,
    last_bans: VecDeque<Ban>,
    /// Seconds and the lines counted by then, once a second at the most, for the last minute.
    marks: VecDeque<(Timestamp, u64)>,
}

/// Counts of one source.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SourceStats {
    pub(super) lines: u64,
    pub(super) last: Timestamp,
    pub(super) lag: Span,
}

impl Stats {
    const LAST_BANS: usize = 10;
    const LATELY: Duration = Duration::from_secs(3_600);

    pub(super) fn new(started: Timestamp) -> Self {
        Self {
            started,
            lines: 0,
            over_budget: 0,
            over_budget_at: None,
            bans: 0,
            programs: vec![(0, 0); Program::ALL.len()],
            sources: Vec::new(),
            last_bans: VecDeque::new(),
            marks: VecDeque::new(),
        }
    }

    pub(super) fn seen(&mut self, log: usize, seen: Seen) {
        self.lines += 1;
        if let Some((lines, unknown)) = self.programs.get_mut(seen.program as usize) {
            *lines += 1;
            *unknown += u64::from(seen.kind == EventKind::Unknown);
        }
        if self.sources.len() <= log {
            self.sources.resize(log + 1, SourceStats::default());
        }
        if let Some(source) = self.sources.get_mut(log) {
            source.lines += 1;
            source.last = seen.time;
        }
    }

    /// A batch of a source was decided on; the delay tells something only of lines that were just written.
    pub(super) fn decided(&mut self, log: usize, now: Timestamp, live: bool) {
        if let Some(source) = self.sources.get_mut(log) {
            source.lag = if live { now.since(source.last) } else { Span::ZERO };
        }
        if self.marks.back().is_none_or(|(at, _)| now.since(*at) >= Span::from_secs(1)) {
            self.marks.push_back((now, self.lines));
        }
        while self.marks.front().is_some_and(|(at, _)| now.since(*at) > Span::from_mins(1)) {
            self.marks.pop_front();
        }
    }

    pub(super) fn effect(&mut self, effect: &Effect) {
        if let Effect::Ban(cleared) = effect {
            self.banned(cleared.ban());
        }
    }

    pub(super) fn banned(&mut self, ban: &Ban) {
        self.bans += 1;
        self.last_bans.push_front(ban.clone());
        self.last_bans.truncate(Self::LAST_BANS);
    }

    pub(super) fn refused(&mut self, refused: &Refused) {
        if matches!(refused, Refused::OverBudget(..)) {
            self.over_budget += 1;
            self.over_budget_at = Some(Instant::now());
        }
    }

    /// Whether the budget kept a rule from banning lately.
    pub(super) fn is_over_budget(&self) -> bool {
        self.over_budget_at.is_some_and(|at| at.elapsed() < Self::LATELY)
    }

    pub(super) fn last_bans(&self) -> impl Iterator<Item = &Ban> {
        self.last_bans.iter()
    }

    pub(super) fn source(&self, log: usize) -> SourceStats {
        self.sources.get(log).copied().unwrap_or_default()
    }

    pub(super) fn lines_per_second(&self, now: Timestamp) -> f64 {
        let Some((at, lines)) = self.marks.front() else { return 0.0 };
        let secs = now.since(*at).micros() as f64 / 1e6;
        (self.lines - lines) as f64 / secs.max(1.0)
    }

    pub(super) fn programs(&self) -> Vec<ProgramLines> {
        let counts = Program::ALL.iter().zip(&self.programs).filter(|(_, (lines, _))| *lines > 0);
        counts
            .map(|(program, (lines, unknown))| ProgramLines {
                program: program.name().into(),
                lines: *lines,
                unknown: *unknown,
            })
            .collect()
    }
}

/// When the last line of a source came, if one did.
pub(super) fn last_line(source: SourceStats) -> Option<At> {
    (source.lines > 0).then_some(At(source.last))
}
