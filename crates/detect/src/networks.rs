//! Guilty neighbours: sources of one network that committed the same kind of offence.

use mailward_model::OffenceKind;
use smallvec::SmallVec;

use crate::bounded::{Bounded, Worth};
use crate::source::{Neighbourhood, Source};

/// A guilty source of a network, each once per kind, the latest last.
#[derive(Clone, Copy, Debug)]
struct Guilty {
    source: Source,
    kind: OffenceKind,
    secs: u32,
}

#[derive(Debug, Default)]
struct Neighbours {
    guilty: SmallVec<[Guilty; 1]>,
}

impl Worth for Neighbours {
    fn worth(&self) -> (u32, u32) {
        (self.guilty.len() as u32, self.guilty.last().map_or(0, |guilty| guilty.secs))
    }
}

/// The guilty sources of each network.
#[derive(Debug)]
pub(crate) struct Networks {
    networks: Bounded<Neighbours>,
}

impl Networks {
    /// The most guilty sources that are kept of one network: more than any default threshold.
    const MOST: usize = 32;

    pub(crate) fn new(capacity: usize) -> Self {
        Self { networks: Bounded::new(capacity) }
    }

    /// Adds a guilty source; tells how many there are of all kinds.
    pub(crate) fn push(
        &mut self,
        network: Neighbourhood,
        source: Source,
        kind: OffenceKind,
        secs: u32,
    ) -> usize {
        let guilty = &mut self.networks.entry(network, Neighbours::default).guilty;
        guilty.retain(|other| other.source != source || other.kind != kind);
        if guilty.len() >= Self::MOST {
            guilty.remove(0);
        }
        guilty.push(Guilty { source, kind, secs });
        guilty.len()
    }

    /// Forgets the guilt of such sources.
    pub(crate) fn pardon(&mut self, is_such: impl Fn(Source) -> bool) {
        self.networks.values_mut().for_each(|network| network.guilty.retain(|one| !is_such(one.source)));
    }

    /// The sources of a network that were guilty of a kind since a second.
    pub(crate) fn guilty(
        &self,
        network: Neighbourhood,
        kind: OffenceKind,
        start: u32,
    ) -> impl Iterator<Item = Source> + Clone + '_ {
        let all = self.networks.get(network).map_or(&[][..], |found| &found.guilty);
        all.iter()
            .filter(move |guilty| guilty.kind == kind && guilty.secs > start)
            .map(|guilty| guilty.source)
    }
}
