//! Where the entry of a key lies: the part of a table that is the same for every table, so that the processor has it at
//! hand at every line.

/// Positions by the hashes of their keys, densely from 0 in the order they came; [`Index::swap_remove`] puts the last in
/// the place of one that goes.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Open addressing with linear probing (Knuth, volume 3, section 6.4, algorithms L and R): at most three of four slots
    /// are used, and their number is a power of two.
    slots: Vec<Slot>,
    len: usize,
}

/// A hash and a position plus one; 0 in a free slot.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    hash: u32,
    next: u32,
}

#[expect(clippy::indexing_slicing, reason = "slots are masked by their number")]
impl Index {
    /// The most positions.
    pub(crate) const MOST: usize = 1 << 31;

    /// The position of a key with this hash.
    #[inline]
    pub(crate) fn find(&self, hash: u32, is_it: impl Fn(usize) -> bool) -> Option<usize> {
        if self.slots.is_empty() {
            return None;
        }
        let mut at = hash as usize & self.mask();
        loop {
            let slot = self.slots[at];
            let position = (slot.next as usize).checked_sub(1)?;
            if slot.hash == hash && is_it(position) {
                return Some(position);
            }
            at = (at + 1) & self.mask();
        }
    }

    /// Appends a position for a key with this hash, and tells it.
    pub(crate) fn push(&mut self, hash: u32) -> usize {
        if self.len >= self.slots.len() / 4 * 3 {
            self.grow();
        }
        self.len += 1;
        self.place(Slot { hash, next: self.len as u32 });
        self.len - 1
    }

    /// Removes a position whose key has this hash, and puts the last one there, whose key has that hash.
    pub(crate) fn swap_remove(&mut self, position: usize, hash: u32, hash_of_last: u32) {
        let hole = self.slot_of(position, hash);
        let last = self.slot_of(self.len - 1, hash_of_last);
        self.slots[last].next = position as u32 + 1;
        self.len -= 1;
        self.free(hole);
    }

    fn mask(&self) -> usize {
        self.slots.len() - 1
    }

    fn slot_of(&self, position: usize, hash: u32) -> usize {
        let mut at = hash as usize & self.mask();
        while self.slots[at].next as usize != position + 1 {
            at = (at + 1) & self.mask();
        }
        at
    }

    fn place(&mut self, new: Slot) {
        let mut at = new.hash as usize & self.mask();
        while self.slots[at].next > 0 {
            at = (at + 1) & self.mask();
        }
        self.slots[at] = new;
    }

    /// Frees a slot and moves up those behind it that would not be found any more.
    fn free(&mut self, mut hole: usize) {
        let mut at = (hole + 1) & self.mask();
        while self.slots[at].next > 0 {
            let way = at.wrapping_sub(self.slots[at].hash as usize) & self.mask();
            if way >= at.wrapping_sub(hole) & self.mask() {
                self.slots[hole] = self.slots[at];
                hole = at;
            }
            at = (at + 1) & self.mask();
        }
        self.slots[hole] = Slot::default();
    }

    fn grow(&mut self) {
        let new = vec![Slot::default(); (self.slots.len() * 2).max(16)];
        let old = std::mem::replace(&mut self.slots, new);
        old.into_iter().filter(|slot| slot.next > 0).for_each(|slot| self.place(slot));
    }
}
