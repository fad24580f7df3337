//! One charge of one key: find its slot, or get one, or do what was declared for a table without room.

use crate::{
    atomic::AtomicU64,
    cell::{Cell, Charge, Charged},
    decision::{Full, KeyedDecision},
    lines::{Lines, Slot, find},
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
use tollgate_sync::atomic::Ordering::Relaxed;

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
        match self.decide_at_home(place, ask)? {
            Some(decision) => Ok(decision),
            None => self.decide_elsewhere(ask.hash, ask.gcra, ask.cost, ask.now),
        }
    }

    /// The answer for a key in its home line; none if it is not there.
    #[inline(always)]
    pub(crate) fn decide_at_home(
        &self,
        place: Place<'_>,
        ask: &Ask<'_>,
    ) -> Result<Option<KeyedDecision>, CostExceedsCapacity> {
        let Some(slot) = find(place.home(), ask.hash) else {
            return Ok(None);
        };
        Ok(self.hit(slot, ask)?.map(|charged| match charged {
            Charged::Allowed(allowed, _) => KeyedDecision::Allowed(allowed),
            Charged::Denied(denied) => KeyedDecision::Denied(denied),
        }))
    }

    /// Takes no more than registers hold, so that a key at home costs nothing for those who are not.
    #[inline(never)]
    pub(crate) fn decide_elsewhere(
        &self,
        hash: u64,
        gcra: &Gcra,
        cost: Cost,
        now: Now,
    ) -> Result<KeyedDecision, CostExceedsCapacity> {
        let ask = Ask {
            hash,
            gcra,
            cost,
            now,
        };
        Ok(match self.charge_elsewhere(self.place(hash), 0, &ask)? {
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
        if let Some(slot) = find(place.home(), ask.hash)
            && let Some(charged) = self.hit(slot, ask)?
        {
            return Ok(Answer::Charged(charged));
        }
        self.charge_elsewhere(place, limit, ask)
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
            for line in place.others() {
                if let Some(slot) = find(line, ask.hash)
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
