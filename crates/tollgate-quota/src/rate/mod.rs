//! A rate with refunds: a queue served at a constant speed, in one 128-bit word and a short record.
//!
//! # Protocol
//! The word holds the TAT and the number of charges. A charge admits when
//! `max(TAT, now) + cost × T − now <= capacity × T` (GCRA, ITU-T I.371, for a cost of any size), in whole quanta of
//! a [`Scale`] in which T is exact. It first records the backlog `TAT − now` that it saw, then exchanges the word. One
//! that sees no backlog marks the word instead, and the next one that sees some says so: see `idle`.
//!
//! Had a charge made at `t0` been smaller by `s`, today's backlog would be smaller by `min(s, lowest backlog since
//! t0)`. More must not be given back, or refilled units are admitted twice; less loses throughput. So a refund
//! lowers the TAT by just that, by the records made since (`history`), and settling leaves the meter
//! where it would be had the actual cost been known at admission.
//!
//! Records err towards refunding less: where refunds were in flight, and where old charges share a slot. But the backlog
//! since `t0` was also never lower than what the charge itself was worth, less the time served since: whatever else is
//! given back, its own units stand in the queue. So a refund gives back the surplus less the time from `t0` to
//! the latest charge, at the least, whatever the records say; what matters is the latest `now` of any charge in the word,
//! since refilled units can only have been admitted again by a charge. While no time passes, no unit is lost in any race.
//! Where a charge since has found no backlog, its own units have been served, and nothing comes back.
//!
//! # Synchronization
//! - `word`: exchanged by chargers (Release: publishes their record) and by refunders (Release: publishes `started`).
//!   Loaded with Acquire by both, so that all records of charges numbered in it, and all refunds in its TAT, are seen. By a reset
//!   (Release: publishes `forgotten`), and by who closes, freezes or fills the meter (Release: publishes what they did before). All
//!   of these go on with the release sequences of those before, and so do the rest, which publish nothing (Relaxed).
//! - `forgotten`: raised by a reset before its exchange. Read after `word`: a receipt of before any reset in it is known as that.
//! - `started`: raised by a refunder before its exchange and lowered if that fails. Read after `word`: at least all
//!   refunds in it.
//! - `done`: raised after the exchange, and read before that of a charge (Relaxed, both): at most the refunds in the word that
//!   a charge exchanges. One that is not in it has exchanged the charge's word or a later one, which it has loaded (Acquire)
//!   after the charge (Release), so that the charge cannot have read what it adds here.
//! - `idle`: the number of the last charge that found no backlog and that others have followed who found some: raised by
//!   the first of these, to whom the word says so, before its exchange. Read after `word`: with the word's own mark, it
//!   tells of every such charge in it.
//! - `latest`: raised to its `now` by each charger that sees a backlog, before its exchange. Read after `word`: at least
//!   the `now` of all such charges in it; a charge that came since makes the exchange of the refund fail.
//!
//! A record holds `backlog + done` and a refunder subtracts `started`, so what lies between the two, a refund in
//! flight, errs towards refunding less.

mod history;
mod scale;
mod word;

pub use history::Depth;
pub use scale::Scale;

use history::History;
use tollgate_core::{Charged, Cost, Limit, LimitError, Meter, Moment, Nanos, Refused, Wait};
use tollgate_sync::atomic::{AtomicU64, AtomicU128, Ordering::*};
use word::{Halves, Word};

/// How much of a surplus a rate meter gives back when a cost is settled below its estimate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RefundRule {
    /// What leaves the meter as if the actual cost had been known at admission. No slack.
    #[default]
    Exact,
    /// The whole surplus, as far as there is a backlog, as today's gateways do. More is admitted, at the price of
    /// a slack: over any interval, up to the surplus that is in flight in it may pass beyond the limit.
    Eager,
}

/// A rate limit whose costs are settled after they were charged.
///
/// Exact at any rate of up to 32,768 units a nanosecond in lowest terms, else rounded upward by less than 2^-15 ns
/// a unit. A charge is one exchange, and if others stand before it in the queue, one or two more for its record. The
/// record is allocated half a KiB at a time, as such charges come.
///
/// ```
/// use tollgate_core::{Cost, Limit, Meter, Moment, Nanos, Wall};
/// use tollgate_quota::{Depth, RateMeter, RefundRule};
///
/// let limit = Limit::per_minute(1_000);
/// let meter = RateMeter::new(&limit, Depth::Long, RefundRule::Exact)?;
/// let at = |secs| Moment::new(Nanos::from_secs(secs), Wall::from_secs(0));
///
/// let estimate = Cost::new(900).unwrap();
/// let charged = meter.charge(at(0), estimate, limit.capacity()).unwrap();
/// // The call used 300: of the surplus of 600 nothing was refilled yet but for one second's worth.
/// meter.refund(at(1), &charged.receipt, 600);
/// assert_eq!(meter.used(at(1)), 284); // 300 less the 16.67 refilled, rounded up.
/// # Ok::<(), tollgate_core::LimitError>(())
/// ```
#[derive(Debug)]
pub struct RateMeter {
    scale: Scale,
    rule: RefundRule,
    /// Right shift from quanta to what records hold.
    coarse: u32,
    /// Receipts of charges numbered below this give nothing back: the meter was reset after them.
    forgotten: AtomicU64,
    word: AtomicU128,
    started: AtomicU128,
    done: AtomicU128,
    /// No charge before the one of this number has anything left to give back. Kept for exact refunds only, as is the next.
    idle: AtomicU64,
    /// The latest instant of any charge that saw a backlog, in nanoseconds.
    latest: AtomicU64,
    history: History,
}

/// What a [`RateMeter`] needs to refund a charge.
#[derive(Clone, Copy, Debug)]
pub struct RateReceipt {
    cost: u64,
    /// The refunds that its record counted, as records hold them.
    done: u64,
    /// When it was charged.
    now: Nanos,
    before: Halves,
}

/// The number under which a meter has what it took over: it comes before all charges of its own.
const CARRIED: u64 = 0;

/// What a frozen meter would have given back of a charge, for the one that took over.
#[derive(Clone, Copy, Debug)]
pub struct Carried {
    quanta: u128,
    scale: Scale,
}

/// A frozen meter's last state.
#[derive(Clone, Copy, Debug)]
struct Frozen {
    tat: u128,
    scale: Scale,
}

impl RateMeter {
    /// A meter for `limit` with nothing committed.
    ///
    /// # Errors
    /// As [`Scale::new`].
    pub fn new(limit: &Limit, depth: Depth, rule: RefundRule) -> Result<Self, LimitError> {
        Scale::new(limit).map(|scale| Self::with_word(scale, depth, rule, Word::new(0, 0)))
    }

    /// A meter on `scale` with `used` units committed as of `at`: a limit that starts with less than its capacity.
    #[must_use]
    pub fn with_used(scale: Scale, depth: Depth, rule: RefundRule, used: u64, at: Moment) -> Self {
        let tat = if used == 0 {
            0
        } else {
            scale.quanta(at.now).saturating_add(scale.worth(used))
        };
        Self::with_word(scale, depth, rule, Word::new(tat, 0))
    }

    /// A meter on `scale` that is to take over from another: see [`Self::take_over`]. Until then it is closed.
    #[must_use]
    pub fn pending(scale: Scale, depth: Depth, rule: RefundRule) -> Self {
        Self::with_word(scale, depth, rule, Word::PENDING)
    }

    fn with_word(scale: Scale, depth: Depth, rule: RefundRule, word: Word) -> Self {
        Self {
            scale,
            rule,
            coarse: scale.record_shift(),
            forgotten: AtomicU64::new(0),
            word: AtomicU128::new(word.0),
            started: AtomicU128::new(0),
            done: AtomicU128::new(0),
            idle: AtomicU64::new(0),
            latest: AtomicU64::new(0),
            history: History::new(depth),
        }
    }

    /// The scale on which the meter counts.
    #[must_use]
    pub const fn scale(&self) -> &Scale {
        &self.scale
    }

    /// How much of a surplus it gives back.
    #[must_use]
    pub const fn rule(&self) -> RefundRule {
        self.rule
    }

    /// True if the meter was closed, frozen or not yet filled.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        // Relaxed: the word is the whole answer.
        Word(self.word.load(Relaxed)).is_mark()
    }

    /// Units committed as of `at`, rounded up. None if the meter was closed, frozen or not yet filled.
    pub(crate) fn committed(&self, at: Moment) -> Option<u64> {
        // Relaxed: the word is the whole answer. Loaded once: a meter that is filled in between would have committed nothing.
        let word = Word(self.word.load(Relaxed));
        let backlog = word.tat().saturating_sub(self.scale.quanta(at.now));
        (!word.is_mark()).then(|| self.scale.units_up(backlog))
    }

    /// Takes over what `old` has committed, keeping the units: `old` is frozen, and this meter, made by
    /// [`Self::pending`], starts at the same backlog in units, rounded up. Anyone may call it, at any time and
    /// more than once: the first one's answer stands. If `old` was evicted, so is this meter. Receipts of `old` are honoured by [`Self::hand_on`] and
    /// [`Self::refund_carried`].
    ///
    /// Across the change the limit holds with the larger capacity and the integral of the rates. Lock-free.
    pub fn take_over(&self, old: &Self, at: Moment) {
        let Some(frozen) = old.freeze() else {
            // Evicted, so for good: whoever evicted it counts on nobody's charging it or what replaces it.
            self.fill(Word::CLOSED);
            return;
        };
        let old_now = frozen.scale.quanta(at.now);
        let backlog = frozen.tat.saturating_sub(old_now);
        let tat = match backlog {
            0 => 0,
            _ => self
                .scale
                .quanta(at.now)
                .saturating_add(self.scale.converted(backlog, &frozen.scale)),
        };
        self.fill(Word::new(tat, CARRIED + 1));
    }

    fn fill(&self, word: Word) {
        // Release: whoever finds it filled finds the old one frozen, and what came before. Relaxed on failure: it means that another
        // filled it, all the same.
        let _ = self
            .word
            .compare_exchange(Word::PENDING.0, word.0, Release, Relaxed);
    }

    fn freeze(&self) -> Option<Frozen> {
        // Relaxed, here and on failure: what is taken over is in the word. What its records say is asked by `hand_on`.
        let mut word = Word(self.word.load(Relaxed));
        loop {
            if word == Word::CLOSED || word == Word::PENDING {
                return None;
            }
            let frozen = Frozen {
                tat: word.tat(),
                scale: self.scale,
            };
            if word.is_mark() {
                return Some(frozen);
            }
            // Release: whoever finds it frozen, and acquires that, finds what whoever froze it did before: a gate puts the account
            // that takes over in its place.
            match self
                .word
                .compare_exchange_weak(word.0, word.frozen().0, Release, Relaxed)
            {
                Ok(_) => return Some(frozen),
                Err(held) => word = Word(held),
            }
        }
    }

    /// Whether `worth` fits beside `backlog` in the `whole`.
    #[inline]
    fn fits(&self, backlog: u128, worth: u128, whole: u128) -> Result<(), Refused> {
        if backlog.saturating_add(worth) <= whole {
            return Ok(());
        }
        Err(self.denial(backlog, worth, whole))
    }

    #[inline(never)]
    fn denial(&self, backlog: u128, worth: u128, whole: u128) -> Refused {
        let wait = if worth > whole {
            Wait::Never
        } else {
            let excess = backlog.saturating_add(worth).saturating_sub(whole);
            Wait::nanos(self.scale.nanos_up(excess))
        };
        Refused::denied(wait, backlog)
    }

    /// Charges `cost`, under the ceiling or anyway.
    fn commit(
        &self,
        at: Moment,
        cost: Cost,
        ceiling: u64,
        must_fit: bool,
    ) -> Result<Charged<RateReceipt>, Refused> {
        let now = self.scale.quanta(at.now);
        let worth = self.scale.worth(cost.get());
        let whole = self.scale.worth(ceiling);
        loop {
            // Relaxed: see the module's page. If the exchange below succeeds, the word has all that this counts.
            let done = self.done.load(Relaxed);
            // Acquire: pairs with the Release of every exchange of the word (see the module's page).
            let word = Word(self.word.load(Acquire));
            if word.is_mark() {
                return Err(Refused::Closed);
            }
            let backlog = word.tat().saturating_sub(now);
            let (after, is_idle) = (backlog.saturating_add(worth), backlog == 0);
            if must_fit {
                // Linearization point of a denial: the load of the word.
                self.fits(backlog, worth, whole)?;
            }
            if !is_idle && self.rule == RefundRule::Exact {
                // A backlog beyond what records can tell from another lap is recorded as less.
                let seen = backlog.min(1 << (61 + self.coarse));
                self.history
                    .note(word.seq(), self.coarsened(done.wrapping_add(seen)));
                // Relaxed, all: published by the exchange below. They only grow, so a stale value costs time only.
                if word.was_idle() {
                    self.idle.fetch_max(word.seq().saturating_sub(1), Relaxed);
                }
                if self.latest.load(Relaxed) < at.now.0 {
                    self.latest.fetch_max(at.now.0, Relaxed);
                }
            }
            let next = word.charged(now.saturating_add(after), is_idle);
            // Linearization point of a charge. Release: publishes its record. Exchanges go on with the release sequences of
            // those before. Relaxed on failure: nothing was read that is used.
            if self
                .word
                .compare_exchange_weak(word.0, next.0, Release, Relaxed)
                .is_ok()
            {
                let receipt = RateReceipt {
                    cost: cost.get(),
                    done: self.coarsened(done),
                    now: at.now,
                    before: word.halves(),
                };
                return Ok(Charged {
                    receipt,
                    before: backlog,
                    after,
                    full: whole,
                });
            }
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "sums are kept modulo 2^64")]
    const fn coarsened(&self, quanta: u128) -> u64 {
        (quanta >> self.coarse) as u64
    }

    /// What of `surplus` quanta the `lowest` backlog since the receipt's charge allows to give back, `started` being
    /// all refunds begun so far.
    fn allowed(&self, receipt: &RateReceipt, lowest: i64, started: u128, surplus: u128) -> u128 {
        let since = self.coarsened(started).wrapping_sub(receipt.done);
        if since >= 1 << 62 {
            return 0;
        }
        if lowest == i64::MAX {
            return surplus;
        }
        let lowest = u64::try_from(lowest.saturating_sub_unsigned(since)).unwrap_or(0);
        // `started` was rounded down: where that can matter, a whole step less.
        let lowest = if self.coarse == 0 {
            lowest
        } else {
            lowest.saturating_sub(1)
        };
        surplus.min(u128::from(lowest) << self.coarse)
    }

    /// True if a charge after the one of number `seq` found no backlog, as `word` tells, which was loaded before; or if numbers
    /// have begun again since, so that nothing can be told.
    fn is_served(&self, seq: u64, word: Word) -> bool {
        if seq >= word.seq() {
            return true;
        }
        // Relaxed: published by the exchange of the word (Release), which was loaded before (Acquire).
        seq < self.idle.load(Relaxed) || word.was_idle() && seq + 1 < word.seq()
    }

    /// What of `surplus` quanta of a charge has surely not been served: the charge was worth as much at least, and no
    /// charge in the word that was loaded before came later than `latest`.
    fn unserved(&self, charged_at: Nanos, surplus: u128) -> u128 {
        // Relaxed: published by the exchange of the word (Release), which was loaded before (Acquire).
        let latest = self.scale.quanta(Nanos(self.latest.load(Relaxed)));
        surplus.saturating_sub(latest.saturating_sub(self.scale.quanta(charged_at)))
    }

    /// Gives back a whole charge if nothing happened since: the TAT that it replaced is put back. Its record stays
    /// and binds nobody: whoever comes next sees no larger backlog. Returns the units that come back as of `at`: what was
    /// refilled since does not.
    fn back_out(&self, at: Moment, receipt: &RateReceipt) -> Option<u64> {
        let before = receipt.before.whole();
        let (charged_at, worth) = (
            self.scale.quanta(receipt.now),
            self.scale.worth(receipt.cost),
        );
        // As `commit` made it.
        let tat = before.tat().max(charged_at).saturating_add(worth);
        let after = before.charged(tat, before.tat() <= charged_at);
        let back = after.with_tat(before.tat());
        // Relaxed: nothing is read after it, and it publishes nothing of its own.
        self.word
            .compare_exchange(after.0, back.0, Relaxed, Relaxed)
            .ok()?;
        let now = self.scale.quanta(at.now);
        if back.tat() >= now {
            return Some(receipt.cost);
        }
        let unserved = after.tat().saturating_sub(now);
        Some(self.scale.units_down(unserved.min(worth)))
    }

    /// What of `surplus` units this meter, frozen since another has taken over, would give back of a charge: as much as
    /// its own records allow. [`Self::refund_carried`] of the other one does the rest. Counted as given back here, so
    /// that no two receipts are honoured for the same units.
    #[must_use]
    pub fn hand_on(&self, receipt: &RateReceipt, surplus: u64) -> Carried {
        let worth = self.scale.worth(surplus.min(receipt.cost));
        self.hand_on_quanta(receipt, worth)
    }

    fn hand_on_quanta(&self, receipt: &RateReceipt, surplus: u128) -> Carried {
        let carried = |quanta| Carried {
            quanta,
            scale: self.scale,
        };
        // Acquire: all records and refunds that the word stands for are seen below.
        let word = Word(self.word.load(Acquire));
        let seq = receipt.before.whole().seq();
        // Relaxed: as in `refund_exact`.
        if !word.is_frozen() || seq < self.forgotten.load(Relaxed) {
            return carried(0);
        }
        if self.rule == RefundRule::Eager {
            return carried(surplus);
        }
        if self.is_served(seq, word) {
            return carried(0);
        }
        let Some(lowest) = self.history.lowest(seq, word.seq(), receipt.done) else {
            return carried(0);
        };
        // Relaxed: read after the records' own sums (Acquire there), so it counts all that these add back.
        let mut started = self.started.load(Relaxed);
        loop {
            let amount = self.allowed(receipt, lowest, started, surplus);
            if amount == 0 {
                return carried(0);
            }
            // The word changes no more, so this exchange decides between those who hand on. Relaxed, both: whoever reads
            // a record's sum that includes this one reads it after the Release below.
            match self.started.compare_exchange_weak(
                started,
                started.wrapping_add(amount),
                Relaxed,
                Relaxed,
            ) {
                Ok(_) => {
                    self.history.refunded(seq, self.coarsened(amount));
                    return carried(amount);
                }
                Err(held) => started = held,
            }
        }
    }

    /// Gives back what the meter that this one took over from handed on, as far as this one's own backlog since then
    /// allows, and returns how many units' worth, rounded down. What comes back is rounded down to a quantum of this meter, which at
    /// rates of a unit a nanosecond may be a whole unit.
    ///
    /// # Errors
    /// What this meter hands on, if it was frozen too.
    pub fn refund_carried(&self, at: Moment, carried: Carried) -> Result<u64, Carried> {
        let surplus = self.scale.converted_down(carried.quanta, &carried.scale);
        let receipt = RateReceipt {
            cost: 0,
            done: 0,
            now: Nanos::ZERO,
            before: Word::new(0, CARRIED).halves(),
        };
        let amount = match self.rule {
            _ if surplus == 0 => 0,
            // Its units were charged to another meter, so no instant is known from which they stood in this one.
            RefundRule::Exact => self.refund_exact(at, &receipt, surplus, None),
            RefundRule::Eager => self.refund_eager(at, &receipt, surplus),
        };
        // Relaxed: `hand_on_quanta` looks again.
        if amount == 0 && Word(self.word.load(Relaxed)).is_frozen() {
            return Err(self.hand_on_quanta(&receipt, surplus));
        }
        Ok(self.scale.units_down(amount))
    }

    fn refund_exact(
        &self,
        at: Moment,
        receipt: &RateReceipt,
        surplus: u128,
        charged_at: Option<Nanos>,
    ) -> u128 {
        let now = self.scale.quanta(at.now);
        let (seq, base) = (receipt.before.whole().seq(), receipt.done);
        loop {
            // Acquire: all records and refunds that the word stands for are seen below.
            let word = Word(self.word.load(Acquire));
            // Relaxed: a reset raises it before its exchange (Release), which this word has seen or fails by.
            if word.is_mark() || seq < self.forgotten.load(Relaxed) || self.is_served(seq, word) {
                return 0;
            }
            let backlog = word.tat().saturating_sub(now);
            let unserved = charged_at.map_or(0, |at| self.unserved(at, surplus));
            // None if it is too old to tell, or the slots were taken by charges newer than the word.
            let lowest = self.history.lowest(seq, word.seq(), base);
            // Relaxed, here and below: the loads before are Acquire and the exchange of the word is Release.
            let started = self.started.load(Relaxed);
            let recorded =
                lowest.map_or(0, |lowest| self.allowed(receipt, lowest, started, surplus));
            let amount = recorded.max(unserved).min(backlog);
            if amount == 0 {
                // Relaxed: only compared.
                if lowest.is_none() && self.word.load(Relaxed) != word.0 {
                    continue;
                }
                return 0;
            }
            if self
                .started
                .compare_exchange(started, started.wrapping_add(amount), Relaxed, Relaxed)
                .is_err()
            {
                continue;
            }
            let next = word.with_tat(word.tat() - amount);
            // Linearization point of a refund. Release: publishes `started`, so that whoever is charged after counts no refund
            // as done that is not seen as started.
            if self
                .word
                .compare_exchange(word.0, next.0, Release, Relaxed)
                .is_ok()
            {
                self.history.refunded(seq, self.coarsened(amount));
                // Relaxed: see the module's page.
                self.done.fetch_add(amount, Relaxed);
                return amount;
            }
            // Relaxed: too high a sum in between only refunds less.
            self.started.fetch_add(amount.wrapping_neg(), Relaxed);
        }
    }

    fn refund_eager(&self, at: Moment, receipt: &RateReceipt, surplus: u128) -> u128 {
        let now = self.scale.quanta(at.now);
        // Acquire, here and on failure: pairs with the Release of a reset.
        let mut word = Word(self.word.load(Acquire));
        loop {
            let amount = surplus.min(word.tat().saturating_sub(now));
            // Relaxed: a reset raises it before its exchange (Release), which this word has seen or fails by.
            if word.is_mark()
                || amount == 0
                || receipt.before.whole().seq() < self.forgotten.load(Relaxed)
            {
                return 0;
            }
            let next = word.with_tat(word.tat() - amount);
            // Relaxed on success: as in `back_out`.
            match self
                .word
                .compare_exchange_weak(word.0, next.0, Relaxed, Acquire)
            {
                Ok(_) => return amount,
                Err(held) => word = Word(held),
            }
        }
    }
}

impl Meter for RateMeter {
    type Receipt = RateReceipt;

    fn look(&self, at: Moment, cost: Cost, ceiling: u64) -> Result<(), Refused> {
        // Relaxed: the word is the whole answer.
        let word = Word(self.word.load(Relaxed));
        if word.is_mark() {
            return Err(Refused::Closed);
        }
        let backlog = word.tat().saturating_sub(self.scale.quanta(at.now));
        let worth = self.scale.worth(cost.get());
        self.fits(backlog, worth, self.scale.worth(ceiling))
    }

    fn charge(
        &self,
        at: Moment,
        cost: Cost,
        ceiling: u64,
    ) -> Result<Charged<RateReceipt>, Refused> {
        self.commit(at, cost, ceiling, true)
    }

    fn charge_anyway(
        &self,
        at: Moment,
        extra: Cost,
        ceiling: u64,
    ) -> Result<Charged<RateReceipt>, Refused> {
        self.commit(at, extra, ceiling, false)
    }

    fn refund(&self, at: Moment, receipt: &RateReceipt, surplus: u64) -> u64 {
        let surplus = surplus.min(receipt.cost);
        if surplus == receipt.cost
            && let Some(units) = self.back_out(at, receipt)
        {
            return units;
        }
        let worth = self.scale.worth(surplus);
        let amount = match self.rule {
            _ if surplus == 0 => 0,
            RefundRule::Exact => self.refund_exact(at, receipt, worth, Some(receipt.now)),
            RefundRule::Eager => self.refund_eager(at, receipt, worth),
        };
        self.scale.units_down(amount)
    }

    fn units(&self, committed: u128) -> u64 {
        self.scale.units_up(committed)
    }

    fn used(&self, at: Moment) -> u64 {
        self.committed(at).unwrap_or(0)
    }

    fn close_at_rest(&self, at: Moment) -> bool {
        let now = self.scale.quanta(at.now);
        // Relaxed, here and on failure: the word alone decides.
        let mut word = Word(self.word.load(Relaxed));
        loop {
            if word.is_mark() {
                return word == Word::CLOSED;
            }
            if word.tat() > now {
                return false;
            }
            // Release: whoever finds it closed, and acquires that, finds what whoever closed it did before: a gate tells until when it
            // may have been used.
            match self
                .word
                .compare_exchange_weak(word.0, Word::CLOSED.0, Release, Relaxed)
            {
                Ok(_) => return true,
                Err(held) => word = Word(held),
            }
        }
    }

    fn reset(&self, _at: Moment) {
        // Relaxed, here and on failure: nothing beside the word is read.
        let mut word = Word(self.word.load(Relaxed));
        while !word.is_mark() {
            // An exact refund finds no backlog of its own any more; an eager one asks for this. Raised too far by a
            // failed exchange, it only forfeits. Relaxed: published by the exchange.
            self.forgotten.fetch_max(word.next_seq(), Relaxed);
            // Release: publishes `forgotten`.
            match self.word.compare_exchange_weak(
                word.0,
                Word::new(0, word.next_seq()).0,
                Release,
                Relaxed,
            ) {
                Ok(_) => return,
                Err(held) => word = Word(held),
            }
        }
    }
}
