//! A level: up to how much the meter of an account may commit, of two periods.
//!
//! # Protocol
//! Of each of two periods a *slot* has the most units that may be committed in it: of the current one, and of the next or the last one. A
//! charge is made on the meter alone. Whoever made one then looks whether what is committed by it is within the level of its period;
//! else he gives it back. The authority alone writes here.
//!
//! - *Raising*, when a record of that level is certain: one store.
//! - *Lowering*, before a report: one store, and then the meter is read by an exchange. Either that exchange comes after the charge, in the
//!   order of all changes of the meter, and then the report has the charge; or before, and then whoever charged finds the lower
//!   level.
//!
//! A slot that is given to another period has nothing first, then that period, then its units. So whoever reads a period, its units and the period
//! again, and finds it unchanged, has units of that period: periods only grow.
//!
//! # Synchronization
//! - `most`: the authority lowers it before the Release fence that comes before its exchange on the meter; a charge loads it
//!   after the Acquire fence that follows its own. Of the two exchanges the later has read from the earlier, or from exchanges
//!   in between. So a level that is lower is seen; one that is raised may be seen late, which only lets less pass.
//! - `period`: Release, and Acquire by who reads: with the period he sees that the units of the one before were taken away. The units are
//!   Release and Acquire too: with the units of a later period the second look at the period sees that.

use tollgate_sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
    fence,
};

/// No period has this number.
const NONE: u64 = u64::MAX;

#[derive(Debug)]
struct Slot {
    period: AtomicU64,
    most: AtomicU64,
}

#[derive(Debug)]
pub(super) struct Level {
    slots: [Slot; 2],
}

/// What the authority finds: the periods and the units of both slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found([(u64, u64); 2]);

impl Found {
    /// The most that may be committed in `period`.
    pub(super) fn most(&self, period: u64) -> u64 {
        let slot = self.0.iter().find(|slot| slot.0 == period);
        slot.map_or(0, |slot| slot.1)
    }

    /// What is lent of a period after `period`.
    pub(super) fn after(&self, period: u64) -> Option<(u64, u64)> {
        let is_lent = |slot: &(u64, u64)| slot.0 > period && slot.0 != NONE && slot.1 > 0;
        self.0.iter().copied().find(is_lent)
    }
}

impl Level {
    pub(super) fn new() -> Self {
        let slot = || Slot {
            period: AtomicU64::new(NONE),
            most: AtomicU64::new(0),
        };
        Self {
            slots: [slot(), slot()],
        }
    }

    /// The most that may be committed in `period`, for whoever has just charged the meter in it.
    #[inline]
    pub(super) fn most_after_a_charge(&self, period: u64) -> u64 {
        // The charge read from the exchange with which the authority read the meter after it lowered a level, or the authority finds the
        // charge.
        Self::after_a_change();
        self.most(period)
    }

    /// The most that may be committed in `period`.
    #[inline]
    pub(super) fn most(&self, period: u64) -> u64 {
        for slot in &self.slots {
            // Acquire: pairs with the Release in `give`. The units of the period before were taken away.
            if slot.period.load(Acquire) == period {
                // Acquire: pairs with the Release in `give`. With the units of a later period that is seen below.
                let most = slot.most.load(Acquire);
                // Relaxed: as said.
                let is_still_of_it = slot.period.load(Relaxed) == period;
                return if is_still_of_it { most } else { 0 };
            }
        }
        0
    }

    /// The most that may be committed in any period.
    #[inline]
    pub(super) fn highest(&self) -> u64 {
        // Relaxed: a hint.
        let [one, other] = &self.slots;
        one.most.load(Relaxed).max(other.most.load(Relaxed))
    }

    /// Lowers the level of `period` to at most `most`.
    pub(super) fn trim(&self, period: u64, most: u64) -> Found {
        if let Some(slot) = self.slot(period)
            && most < slot.most.load(Relaxed)
        {
            // Relaxed: the fence after it orders it.
            slot.most.store(most, Relaxed);
        }
        // Relaxed: who reports is who writes them.
        let found = |slot: &Slot| (slot.period.load(Relaxed), slot.most.load(Relaxed));
        let [one, other] = &self.slots;
        Found([found(one), found(other)])
    }

    /// Raises the level of `period` to `most`. Nothing is left of earlier ones.
    pub(super) fn set(&self, period: u64, most: u64) {
        for slot in &self.slots {
            // Relaxed, both: who reports is who writes the first; the second lets less pass.
            if slot.period.load(Relaxed) < period {
                slot.most.store(0, Relaxed);
            }
        }
        match self.slot(period) {
            // Release: as in `give`.
            Some(slot) => slot.most.store(most, Release),
            None => give(self.oldest(), period, most),
        }
    }

    /// Raises the level of `next` to `most`, in the other slot than that of `period`.
    pub(super) fn set_ahead(&self, period: u64, next: u64, most: u64) {
        let [one, other] = &self.slots;
        // Relaxed: who reports is who writes them.
        let of = |slot: &Slot| slot.period.load(Relaxed);
        let ahead = match (of(one), of(other)) {
            (now, _) if now == period => other,
            (_, now) if now == period => one,
            _ => return,
        };
        if of(ahead) == next {
            // Release: as in `give`.
            ahead.most.store(most, Release);
        } else {
            give(ahead, next, most);
        }
    }

    /// For who has just changed the meter: what follows comes after a reading of the meter that came before that change.
    #[inline]
    pub(super) fn after_a_change() {
        // Acquire fence: pairs with the Release fence before the authority's exchange, if that came before the change.
        fence(Acquire);
    }

    /// Lowers the levels of periods after `period` to at most `most`.
    pub(super) fn trim_after(&self, period: u64, most: u64) {
        for slot in &self.slots {
            // Relaxed, all: who reports is who writes them; the fence after it orders the last.
            let is_later = slot.period.load(Relaxed) > period;
            if is_later && slot.most.load(Relaxed) > most {
                slot.most.store(most, Relaxed);
            }
        }
    }

    pub(super) fn revoke(&self) {
        for slot in &self.slots {
            // Release: who finds nothing because of this finds it revoked.
            slot.most.store(0, Release);
        }
    }

    /// The slot of `period`, for who reports.
    fn slot(&self, period: u64) -> Option<&Slot> {
        // Relaxed: who reports is who writes them.
        let is_of = |slot: &&Slot| slot.period.load(Relaxed) == period;
        self.slots.iter().find(is_of)
    }

    /// The slot of no period, or of the earlier one.
    fn oldest(&self) -> &Slot {
        let [one, other] = &self.slots;
        // Relaxed: as in `slot`. `NONE` comes before all others.
        let age = |slot: &Slot| slot.period.load(Relaxed).wrapping_add(1);
        if age(one) <= age(other) { one } else { other }
    }
}

/// Gives `slot` to `period`, of which up to `most` may be committed.
fn give(slot: &Slot, period: u64, most: u64) {
    // Relaxed: the period publishes it.
    slot.most.store(0, Relaxed);
    // Release: pairs with the Acquire of who finds the period. The units of the one before are gone.
    slot.period.store(period, Release);
    // Release: pairs with the Acquire of who finds the units of this period by the one before.
    slot.most.store(most, Release);
}
