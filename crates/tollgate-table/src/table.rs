//! One charge of one key: find its slot, or get one, or do what was declared for a table without room.

use crate::{
    cell::{Cell, Charge, Charged},
    lines::{Lines, Slot, slots},
    overflow::Overflow,
    pair::second_hash,
    place::Place,
    planted::Flaw,
    word::Now,
};
use std::time::Duration;
use tollgate_core::{
    Cost, CostExceedsCapacity, Snapshot,
    gcra::{Gcra, Step},
};
use tollgate_sync::atomic::{AtomicU64, Ordering::Relaxed};

/// All state of a keyed limiter.
#[derive(Debug)]
pub(crate) struct Table {
    lines: Lines,
    overflow: Overflow,
    /// For [`Overflow::SharedCell`]: of each line, a TAT for each limit that a key may have. Else empty.
    shared: Box<[AtomicU64]>,
    /// How many those are.
    limits: usize,
    /// None but in models.
    flaw: Option<Flaw>,
}

/// A request for a key under one limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask<'a> {
    /// The stored hash, which differs between the limits of a key. Never 0.
    pub(crate) hash: u64,
    pub(crate) gcra: &'a Gcra,
    pub(crate) cost: Cost,
    pub(crate) now: Now,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer<'t> {
    Charged(Charged<'t>),
    /// Allowed without a slot, by [`Overflow::Allow`].
    Uncounted(tollgate_core::Allowed),
    /// Denied, since no slot is free for so long.
    Full(Duration),
}

/// Shared cells of a line.
pub(crate) const fn shared_per_line(limits: usize, overflow: Overflow) -> usize {
    match overflow {
        Overflow::SharedCell => limits,
        Overflow::Deny | Overflow::Allow => 0,
    }
}

impl Table {
    /// A table of so many lines, at least one, for keys of up to so many limits.
    pub(crate) fn new(
        line_count: usize,
        limits: usize,
        overflow: Overflow,
        flaw: Option<Flaw>,
    ) -> std::io::Result<Self> {
        let line_count = line_count.max(1);
        let lines = Lines::new(line_count)?;
        let shared = line_count * shared_per_line(limits, overflow);
        Ok(Self {
            lines,
            overflow,
            shared: (0..shared).map(|_| AtomicU64::new(0)).collect(),
            limits,
            flaw,
        })
    }

    pub(crate) const fn lines(&self) -> &Lines {
        &self.lines
    }

    /// Exactly what the table was given, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(self.lines.all()) + size_of_val(&*self.shared)
    }

    /// Whether a model asked for this mistake. Nobody else can.
    #[inline]
    pub(crate) fn planted(&self, flaw: Flaw) -> bool {
        cfg!(model_loom) && self.flaw == Some(flaw)
    }

    #[inline]
    pub(crate) fn place(&self, hash: u64) -> Place<'_> {
        Place::new(self.lines.all(), hash)
    }

    /// Charges the key under its limit number `limit`, or denies it.
    #[inline]
    pub(crate) fn charge<'t>(
        &'t self,
        place: Place<'t>,
        limit: usize,
        ask: &Ask<'_>,
    ) -> Result<Answer<'t>, CostExceedsCapacity> {
        for slot in slots(place.home()) {
            // Relaxed: only a hint, verified by whoever follows it.
            if slot.hash.load(Relaxed) == ask.hash {
                match self.hit(slot, ask)? {
                    Some(answer) => return Ok(answer),
                    None => break,
                }
            }
        }
        self.charge_elsewhere(place, limit, ask)
    }

    #[inline(never)]
    fn charge_elsewhere<'t>(
        &'t self,
        place: Place<'t>,
        limit: usize,
        ask: &Ask<'_>,
    ) -> Result<Answer<'t>, CostExceedsCapacity> {
        // A model goes on as if the hints were missed, which at any time they may be: the look below finds the same.
        if !cfg!(any(model_loom, model_shuttle)) {
            for slot in place.others().flat_map(slots) {
                // Relaxed: as above.
                if slot.hash.load(Relaxed) == ask.hash
                    && let Some(answer) = self.hit(slot, ask)?
                {
                    return Ok(answer);
                }
            }
        }
        match self.claim(place, ask)? {
            Answer::Full(wait) => self.overflow(place, limit, ask, wait),
            answer => Ok(answer),
        }
    }

    /// Charges the slot if it is the key's.
    #[inline]
    pub(crate) fn hit<'t>(
        &self,
        slot: Slot<'t>,
        ask: &Ask<'_>,
    ) -> Result<Option<Answer<'t>>, CostExceedsCapacity> {
        let cell = Cell::of_key(slot, ask.hash);
        let charged = cell.charge(
            ask.gcra,
            ask.cost,
            ask.now,
            self.planted(Flaw::TrustTheHint),
        )?;
        Ok(charged.map(Answer::Charged))
    }

    #[cold]
    fn overflow<'t>(
        &'t self,
        place: Place<'t>,
        limit: usize,
        ask: &Ask<'_>,
        wait: Duration,
    ) -> Result<Answer<'t>, CostExceedsCapacity> {
        match self.overflow {
            Overflow::Deny => Ok(Answer::Full(wait)),
            Overflow::Allow => Ok(match ask.gcra.step(0, ask.now.nanos(), ask.cost)? {
                Step::Take { allowed, .. } => Answer::Uncounted(allowed),
                Step::Deny(_) => Answer::Full(wait),
            }),
            Overflow::SharedCell => {
                let number = place.home_number() * self.limits + limit;
                let Some(word) = self.shared.get(number) else {
                    return Ok(Answer::Full(wait));
                };
                let charged = Cell::shared(word).charge(ask.gcra, ask.cost, ask.now, false)?;
                Ok(charged.map_or(Answer::Full(wait), Answer::Charged))
            }
        }
    }

    /// What the key holds under one limit: all of it, if it has no slot.
    pub(crate) fn seen(&self, place: Place<'_>, hash: u64, gcra: &Gcra, now: Now) -> Snapshot {
        place
            .candidates()
            .find_map(|slot| {
                // Relaxed: only a hint, verified by the peek.
                if slot.hash.load(Relaxed) != hash {
                    return None;
                }
                Cell::of_key(slot, hash).peek(gcra, now)
            })
            .unwrap_or_else(|| gcra.snapshot(0, now.nanos()))
    }

    /// Makes the key with this hash whole as of `now`, under all limits.
    pub(crate) fn reset(&self, hash: u64, now: Now) {
        for slot in self.place(hash).candidates() {
            // Relaxed: only a hint, verified by the reset.
            let held = slot.hash.load(Relaxed);
            if held == hash || held == second_hash(hash) {
                Cell::of_key(slot, held).reset(now);
            }
        }
    }

    pub(crate) fn back_out(&self, charge: Charge<'_>, now: impl FnOnce() -> Now) {
        charge.back_out(now, self.planted(Flaw::StoreOnBackOut));
    }
}
