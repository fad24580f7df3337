//! A request that was admitted, until it is settled.

use super::{Inner, accounts::Account};
use crate::{Refusal, Usage, file::OnDrop, meter::AnyReceipt};
use std::{cell::Cell, fmt};
use tollgate_core::{Cost, Meter, Moment, Nanos, Wall};
use tollgate_sync::Arc;

/// Units charged to a meter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Charge {
    pub(super) receipt: AnyReceipt,
    pub(super) units: u64,
}

/// What all limits hold. On the heap: a reservation is moved a few times, and receipts are large.
pub(super) type Holds = Vec<Hold>;

/// The most holds for which a thread keeps the room.
const SPARE_MOST: usize = 16;

thread_local! {
    /// The room of the last reservation that ended on this thread, for its next one: the heap is asked for it once.
    static SPARE: Cell<Holds> = const { Cell::new(Vec::new()) };
}

/// Room for as many holds.
#[inline]
pub(super) fn room_for(holds: usize) -> Holds {
    let mut room = SPARE.try_with(Cell::take).unwrap_or_default();
    room.reserve(holds);
    room
}

/// Lets go of `holds`, and keeps their room for the next.
#[inline]
pub(super) fn let_go(mut holds: Holds) {
    holds.clear();
    if holds.capacity() <= SPARE_MOST {
        // A thread that ends keeps none.
        let _ = SPARE.try_with(|spare| spare.set(holds));
    }
}

/// What one limit holds for a reservation.
#[derive(Debug)]
pub(super) struct Hold {
    pub(super) account: Arc<Account>,
    /// The charge of the admission, if it cost anything.
    charge: Option<Charge>,
    /// Charges of extensions, each with its account: a reload may have put another in place.
    extended: Vec<(Arc<Account>, Charge)>,
}

impl Hold {
    pub(super) const fn new(account: Arc<Account>, charge: Option<Charge>) -> Self {
        Self {
            account,
            charge,
            extended: Vec::new(),
        }
    }

    /// Adds what an extension holds.
    pub(super) fn extend(&mut self, new: Self) {
        self.extended
            .extend(new.charge.map(|charge| (new.account, charge)));
    }

    /// Gives back `surplus` units, from the last charge on; true if something came back.
    pub(super) fn refund(&mut self, at: Moment, mut surplus: u64) -> bool {
        if surplus == 0 {
            return false;
        }
        let mut came_back = false;
        let mut refund = |account: &Account, charge: &Charge| {
            let part = surplus.min(charge.units);
            if part > 0 {
                came_back |= account.refund(at, &charge.receipt, part) > 0;
            }
            surplus -= part;
        };
        while let Some((account, charge)) = self.extended.pop() {
            refund(&account, &charge);
        }
        if let Some(charge) = self.charge.take() {
            refund(&self.account, &charge);
        }
        came_back
    }

    fn charged(&self) -> u64 {
        let first = self.charge.as_ref().map_or(0, |charge| charge.units);
        let extended = self.extended.iter().map(|(_, charge)| charge.units);
        extended.fold(first, u64::saturating_add)
    }
}

/// An admitted request: its estimate is charged, and the truth is still to come.
///
/// There are four ways out: [`settle`](Self::settle) with what was used, [`release`](Self::release) if the request
/// was never sent, [`extend`](Self::extend) to go on, and dropping it, which does what each limit declares
/// (`on_drop`). Settling twice does not compile.
#[must_use = "a reservation that is dropped is given back or kept, as its limits declare"]
pub struct Reservation {
    pub(super) gate: Arc<Inner>,
    pub(super) holds: Holds,
    pub(super) estimate: Usage,
    pub(super) share: Option<crate::Share>,
}

impl Reservation {
    /// What is charged: the estimate and all extensions.
    #[must_use]
    pub const fn estimate(&self) -> &Usage {
        &self.estimate
    }

    /// Replaces the estimate by what was used: a surplus is given back by the rule of each limit, and what was used
    /// beyond it is charged all the same (debt). With a ledger of `durability = "every commit"` it returns when such a debt is on disk;
    /// else it waits for nothing.
    pub fn settle(self, actual: Usage) {
        let at = self.gate.clock.moment();
        self.settle_moment(actual, at);
    }

    /// As [`settle`](Self::settle), at a time of the caller's.
    pub fn settle_at(self, actual: Usage, now: Nanos, wall: Wall) {
        self.settle_moment(actual, Moment::new(now, wall));
    }

    fn settle_moment(mut self, actual: Usage, at: Moment) {
        let (mut came_back, mut owes) = (false, false);
        let mut holds = std::mem::take(&mut self.holds);
        for hold in &mut holds {
            let limit = &hold.account.limit;
            if limit.counts_open() {
                came_back |= hold.refund(at, u64::MAX);
                continue;
            }
            let (actual, charged) = (actual.of(limit.unit), hold.charged());
            if actual <= charged {
                came_back |= hold.refund(at, charged - actual);
            } else if let Some(extra) = Cost::new(actual - charged) {
                owes |= self.gate.charge_anyway(hold, extra, at);
            }
        }
        if owes {
            self.gate.accounts.keeper.settled();
        }
        if came_back {
            self.gate.wake(&holds);
        }
        let_go(holds);
    }

    /// Asks for `more` on top of the estimate, as an admission does.
    ///
    /// # Errors
    /// As [`Gate::admit`](crate::Gate::admit); then the reservation stays as it was.
    pub fn extend(&mut self, more: Usage) -> Result<(), Refusal> {
        let at = self.gate.clock.moment();
        self.extend_moment(more, at)
    }

    /// As [`extend`](Self::extend), at a time of the caller's.
    ///
    /// # Errors
    /// As [`extend`](Self::extend).
    pub fn extend_at(&mut self, more: Usage, now: Nanos, wall: Wall) -> Result<(), Refusal> {
        self.extend_moment(more, Moment::new(now, wall))
    }

    fn extend_moment(&mut self, more: Usage, at: Moment) -> Result<(), Refusal> {
        let gate = Arc::clone(&self.gate);
        gate.extend(self, more, at)?;
        self.estimate = self.estimate.plus(&more);
        Ok(())
    }

    /// Gives the whole charge back: the request was never sent.
    pub fn release(self) {
        let at = self.gate.clock.moment();
        self.release_moment(at);
    }

    /// As [`release`](Self::release), at a time of the caller's.
    pub fn release_at(self, now: Nanos, wall: Wall) {
        self.release_moment(Moment::new(now, wall));
    }

    fn release_moment(mut self, at: Moment) {
        let mut holds = std::mem::take(&mut self.holds);
        for hold in holds.iter_mut().rev() {
            hold.refund(at, u64::MAX);
        }
        self.gate.wake(&holds);
        let_go(holds);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.holds.is_empty() {
            return;
        }
        let at = self.gate.clock.moment();
        let mut holds = std::mem::take(&mut self.holds);
        for hold in holds.iter_mut().rev() {
            let limit = &hold.account.limit;
            if limit.counts_open() || limit.on_drop == OnDrop::Release {
                hold.refund(at, u64::MAX);
            }
        }
        self.gate.wake(&holds);
        let_go(holds);
    }
}

impl fmt::Debug for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limits = self.holds.iter().map(|hold| &hold.account.limit.name);
        f.debug_struct("Reservation")
            .field("estimate", &self.estimate)
            .field("limits", &limits.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl Inner {
    /// Wakes who waits for the accounts of `holds`.
    fn wake(&self, holds: &[Hold]) {
        self.lines.wake(holds.iter().map(|hold| &*hold.account));
    }

    /// Charges what was used beyond an estimate. An account that was replaced meanwhile leads to the one in force. True if a ledger
    /// is to have it on record.
    pub(super) fn charge_anyway(&self, hold: &Hold, extra: Cost, at: Moment) -> bool {
        let mut account = Arc::clone(&hold.account);
        while let Some(meter) = &account.meter {
            match meter.charge_anyway(at, extra, account.rule.ceiling) {
                Ok(charged) => {
                    let (before, after, full) = (charged.before, charged.after, charged.full);
                    self.tell_crossed(&account, before, after, full);
                    return meter.is_leased();
                }
                // Its limit is no longer in the policy: nothing to charge.
                Err(_) => match self.standing(&account, at) {
                    Some(standing) if !Arc::ptr_eq(&standing, &account) => account = standing,
                    _ => return false,
                },
            }
        }
        false
    }
}
