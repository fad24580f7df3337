//! A request that was admitted, until it is settled.

use super::{Inner, accounts::Account};
use crate::{
    Refusal, Usage,
    file::OnDrop,
    meter::{AnyMeter, AnyReceipt},
};
use std::{cell::Cell, fmt};
use tollgate_core::{Cost, Meter, Moment, Nanos, Wall};
use tollgate_sync::Arc;

/// Units charged to a meter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Charge {
    pub(super) receipt: AnyReceipt,
    pub(super) units: u64,
}

/// What all limits hold for a reservation. On the heap: a reservation is moved a few times, and receipts are large.
#[derive(Debug, Default)]
pub(super) struct Charges {
    pub(super) holds: Vec<Hold>,
    /// In the order in which they were charged.
    extended: Vec<Extension>,
}

/// The most holds for which a thread keeps the room.
const SPARE_MOST: usize = 16;

thread_local! {
    /// The room of the last reservation that ended on this thread, for its next one: the heap is asked for it once.
    static SPARE: Cell<Option<Box<Charges>>> = const { Cell::new(None) };
}

/// Room for as many holds.
#[inline]
pub(super) fn room_for(holds: usize) -> Box<Charges> {
    let spare = SPARE.try_with(Cell::take).unwrap_or_default();
    let mut room = spare.unwrap_or_default();
    room.holds.reserve(holds);
    room
}

/// Lets go of `charges`, and keeps their room for the next.
#[inline]
pub(super) fn let_go(mut charges: Box<Charges>) {
    charges.holds.clear();
    charges.extended.clear();
    if charges.holds.capacity() <= SPARE_MOST && charges.extended.capacity() <= SPARE_MOST {
        // A thread that ends keeps none.
        let _ = SPARE.try_with(|spare| spare.set(Some(charges)));
    }
}

/// What one limit holds for a reservation, extensions apart.
#[derive(Debug)]
pub(super) struct Hold {
    pub(super) account: Arc<Account>,
    /// The charge of the admission, if it cost anything.
    pub(super) charge: Option<Charge>,
}

/// What an extension holds under one limit.
#[derive(Debug)]
struct Extension {
    /// The place of the limit's hold.
    place: usize,
    /// A reload may have put another in the place of the hold's.
    account: Arc<Account>,
    charge: Charge,
}

impl Hold {
    /// Gives back the whole charge; true if something came back.
    pub(super) fn refund_all(&self, at: Moment) -> bool {
        let back = |charge: &Charge| self.account.refund(at, &charge.receipt, charge.units) > 0;
        self.charge.as_ref().is_some_and(back)
    }

    /// Gives back `surplus` units of the charge and of its `extended` charges, from the last on; true if something
    /// came back.
    fn refund<'e>(
        &self,
        gate: &Inner,
        extended: impl DoubleEndedIterator<Item = &'e Extension>,
        at: Moment,
        mut surplus: u64,
    ) -> bool {
        let mut came_back = false;
        let first = self.charge.iter().map(|charge| (&self.account, charge));
        let extended = extended.map(|extension| (&extension.account, &extension.charge));
        for (account, charge) in first.chain(extended).rev() {
            let part = surplus.min(charge.units);
            if part > 0 {
                came_back |= gate.refund(account, at, &charge.receipt, part) > 0;
            }
            surplus -= part;
        }
        came_back
    }
}

impl Charges {
    /// The extensions of the hold at `place`.
    fn extensions(&self, place: usize) -> impl DoubleEndedIterator<Item = &Extension> {
        let of_it = move |extension: &&Extension| extension.place == place;
        self.extended.iter().filter(of_it)
    }

    /// All that is charged under the limit of `hold`, the one at `place`.
    #[inline]
    fn charged(&self, place: usize, hold: &Hold) -> u64 {
        let first = hold.charge.as_ref().map_or(0, |charge| charge.units);
        let extended = self
            .extensions(place)
            .map(|extension| extension.charge.units);
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
    /// None once it has ended.
    pub(super) charges: Option<Box<Charges>>,
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
    /// beyond it is charged all the same (debt). With a ledger of `durability = "every commit"` it returns when such a debt is on disk,
    /// or the disk fails; else it waits for nothing.
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
        let Some(charges) = self.charges.take() else {
            return;
        };
        for (place, hold) in charges.holds.iter().enumerate() {
            let limit = &hold.account.limit;
            let charged = charges.charged(place, hold);
            let actual = if limit.counts_open() {
                0
            } else {
                actual.of(limit.unit)
            };
            if let Some(extra) = Cost::new(actual.saturating_sub(charged)) {
                owes |= self.gate.charge_anyway(hold, extra, at);
            } else if actual < charged {
                came_back |=
                    hold.refund(&self.gate, charges.extensions(place), at, charged - actual);
            }
        }
        if owes {
            self.gate.accounts.keeper.settled();
        }
        if came_back {
            self.gate.wake(&charges.holds);
        }
        let_go(charges);
    }

    /// Gives back all that is charged under the limits that `gives_back` tells, the last first.
    fn give_back(&mut self, at: Moment, gives_back: impl Fn(&Account) -> bool) {
        let Some(charges) = self.charges.take() else {
            return;
        };
        for (place, hold) in charges.holds.iter().enumerate().rev() {
            if gives_back(&hold.account) {
                hold.refund(&self.gate, charges.extensions(place), at, u64::MAX);
            }
        }
        self.gate.wake(&charges.holds);
        let_go(charges);
    }

    pub(super) fn holds(&self) -> &[Hold] {
        self.charges.as_ref().map_or(&[], |charges| &charges.holds)
    }

    /// Adds what an extension holds.
    pub(super) fn extend_by(&mut self, mut new: Box<Charges>) {
        if let Some(charges) = &mut self.charges {
            for Hold { account, charge } in new.holds.drain(..) {
                let same = |hold: &Hold| hold.account.limit.id == account.limit.id;
                let place = charges.holds.iter().position(same);
                if let (Some(place), Some(charge)) = (place, charge) {
                    let extension = Extension {
                        place,
                        account,
                        charge,
                    };
                    charges.extended.push(extension);
                }
            }
        }
        let_go(new);
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
        self.give_back(at, |_| true);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.holds().is_empty() {
            return;
        }
        let at = self.gate.clock.moment();
        self.give_back(at, |account| {
            let limit = &account.limit;
            limit.counts_open() || limit.on_drop == OnDrop::Release
        });
    }
}

impl fmt::Debug for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limits = self.holds().iter().map(|hold| &hold.account.limit.name);
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

    /// Gives back up to `surplus` units of a charge to `account`, and returns how many. What a ledger keeps has them back under a limit
    /// that was removed and added again, too.
    fn refund(
        &self,
        account: &Arc<Account>,
        at: Moment,
        receipt: &AnyReceipt,
        surplus: u64,
    ) -> u64 {
        let refunded = account.refund(at, receipt, surplus);
        if refunded > 0 || !account.meter.as_ref().is_some_and(AnyMeter::is_leased) {
            return refunded;
        }
        let standing = self.standing(account, at);
        let standing = standing.filter(|standing| standing.limit.id != account.limit.id);
        account.refund_to(standing, at, receipt, surplus)
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
