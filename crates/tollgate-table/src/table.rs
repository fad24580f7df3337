//! One charge of one key: find its slot, or get one, or do what was declared for a table without room.

use crate::{
    cell::{Cell, Charge, Charged},
    decision::{Full, KeyedDecision},
    lines::{Lines, Slot, slots},
    overflow::Overflow,
    pair::second_hash,
    place::{Place, prefetch},
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

    /// The answer for a key under one limit.
    ///
    /// Always inline, as is what it calls: for a key at home nothing is then made that the answer does not hold.
    #[inline(always)]
    pub(crate) fn decide(
        &self,
        place: Place<'_>,
        ask: &Ask<'_>,
    ) -> Result<KeyedDecision, CostExceedsCapacity> {
        let charged = self.charge_at_home(place, ask)?;
        self.decide_by(charged, place, ask)
    }

    /// As [`Self::decide`], where the home line was searched before: `slot` is the key's, or was then.
    #[inline(always)]
    pub(crate) fn decide_found(
        &self,
        slot: Option<Slot<'_>>,
        place: Place<'_>,
        ask: &Ask<'_>,
    ) -> Result<KeyedDecision, CostExceedsCapacity> {
        let charged = match slot {
            Some(slot) => self.hit(slot, ask)?,
            None => None,
        };
        self.decide_by(charged, place, ask)
    }

    #[inline(always)]
    fn decide_by(
        &self,
        at_home: Option<Charged<'_>>,
        place: Place<'_>,
        ask: &Ask<'_>,
    ) -> Result<KeyedDecision, CostExceedsCapacity> {
        match at_home {
            Some(Charged::Allowed(allowed, _)) => Ok(KeyedDecision::Allowed(allowed)),
            Some(Charged::Denied(denied)) => Ok(KeyedDecision::Denied(denied)),
            None => self.decide_elsewhere(place, ask),
        }
    }

    #[inline(never)]
    fn decide_elsewhere(
        &self,
        place: Place<'_>,
        ask: &Ask<'_>,
    ) -> Result<KeyedDecision, CostExceedsCapacity> {
        Ok(match self.charge_elsewhere(place, 0, ask)? {
            Answer::Charged(Charged::Allowed(allowed, _)) | Answer::Uncounted(allowed) => {
                KeyedDecision::Allowed(allowed)
            }
            Answer::Charged(Charged::Denied(denied)) => KeyedDecision::Denied(denied),
            Answer::Full(wait) => KeyedDecision::Full(Full::new(wait)),
        })
    }

    /// Charges the key under its limit number `limit`, or denies it.
    pub(crate) fn charge<'t>(
        &'t self,
        place: Place<'t>,
        limit: usize,
        ask: &Ask<'_>,
    ) -> Result<Answer<'t>, CostExceedsCapacity> {
        match self.charge_at_home(place, ask)? {
            Some(charged) => Ok(Answer::Charged(charged)),
            None => self.charge_elsewhere(place, limit, ask),
        }
    }

    /// Charges the key if it is in its home line.
    #[inline(always)]
    fn charge_at_home<'t>(
        &self,
        place: Place<'t>,
        ask: &Ask<'_>,
    ) -> Result<Option<Charged<'t>>, CostExceedsCapacity> {
        for slot in slots(place.home()) {
            // Relaxed: only a hint, verified by whoever follows it.
            if slot.hash.load(Relaxed) == ask.hash {
                return self.hit(slot, ask);
            }
        }
        Ok(None)
    }

    fn charge_elsewhere<'t>(
        &'t self,
        place: Place<'t>,
        limit: usize,
        ask: &Ask<'_>,
    ) -> Result<Answer<'t>, CostExceedsCapacity> {
        // All at once, rather than one after the other.
        place.others().for_each(prefetch);
        // A model goes on as if the hints were missed, which at any time they may be: the look below finds the same.
        if !cfg!(any(model_loom, model_shuttle)) {
            for slot in place.others().flat_map(slots) {
                // Relaxed: as above.
                if slot.hash.load(Relaxed) == ask.hash
                    && let Some(charged) = self.hit(slot, ask)?
                {
                    return Ok(Answer::Charged(charged));
                }
            }
        }
        match self.claim(place, ask)? {
            Answer::Full(wait) => self.overflow(place, limit, ask, wait),
            answer => Ok(answer),
        }
    }

    /// Charges the slot if it is the key's.
    #[inline(always)]
    pub(crate) fn hit<'t>(
        &self,
        slot: Slot<'t>,
        ask: &Ask<'_>,
    ) -> Result<Option<Charged<'t>>, CostExceedsCapacity> {
        let trusting = self.planted(Flaw::TrustTheHint);
        Cell::of_key(slot, ask.hash).charge(ask.gcra, ask.cost, ask.now, trusting)
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
