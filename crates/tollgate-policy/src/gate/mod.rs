//! The Gate: a policy at work.

mod accounts;
mod admit;
mod current;
#[cfg_attr(
    not(feature = "ledger"),
    allow(
        dead_code,
        unused_imports,
        reason = "without a ledger nothing is ever dry"
    )
)]
mod keeper;
mod key;
mod line;
mod policy;
mod reload;
mod report;
mod reservation;

pub use line::{Place, Waiting};
pub use reload::Reload;
pub use report::{Explained, LimitUsage, Verdict};
pub use reservation::Reservation;

use crate::{
    Refusal, Request,
    file::{PolicyErrors, PolicyFile},
};
use accounts::{Account, Accounts};
use current::Current;
use keeper::{Keeper, Keeping};
use line::Lines;
use policy::Policy;
use std::{fmt, sync::Arc};
use tollgate_core::{Clock, Moment, Nanos, QuantaClock, Wall};
use tollgate_quota::{StatusLevels, threshold::Share};
use tollgate_sync::Mutex;

/// A share of a limit that was crossed: told once, by the admission or settlement whose exchange crossed it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Crossing {
    /// The limit's name.
    pub limit: Arc<str>,
    /// The scope values of the account, in the order of the limit's `by`.
    pub account: Vec<String>,
    /// The share that was crossed.
    pub share: Share,
    /// Units committed after it.
    pub used: u64,
    /// The whole limit.
    pub max: u64,
}

type OnCrossing = Box<dyn Fn(&Crossing) + Send + Sync>;

/// A policy at work: several limits over several scopes, one decision; a reservation, then its settlement.
///
/// An admission reads one clock, looks at the limits that apply, then charges one after another: one exchange each,
/// and, while a gcra limit has a backlog, one or two more for its record. A refusal is made of loads, but for the back-out after a lost race.
/// No lock is taken unless callers wait in line. Cloning is cheap and gives another handle of the same gate.
///
/// ```
/// use tollgate_policy::{Gate, Request, Usage};
///
/// let gate = Gate::from_toml(r#"
///     [[limit]]
///     name = "agent-rpm"
///     by = ["agent"]
///     unit = "requests"
///     max = 1
///     per = "1m"
///
///     [[limit]]
///     name = "model-tpm"
///     by = ["model"]
///     unit = "tokens"
///     max = 10_000
///     per = "1m"
/// "#)?;
/// let request = Request::new().with("agent", "a1").with("model", "gpt-4o").input_tokens(374).output_tokens(1_000);
/// let reservation = gate.admit(&request)?;
/// // The call is made, and used less:
/// reservation.settle(Usage { input_tokens: 374, output_tokens: 44, ..Usage::default() });
///
/// let refusal = gate.admit(&request).unwrap_err();
/// assert_eq!(&*refusal.limited().unwrap().limit, "agent-rpm");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Gate(tollgate_sync::Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) clock: Arc<dyn Clock>,
    policy: Current,
    pub(crate) accounts: Accounts,
    pub(crate) lines: Lines,
    levels: StatusLevels,
    on_crossing: Option<OnCrossing>,
    /// Held by reloads only, one at a time.
    reloading: Mutex<()>,
}

/// What a gate is made of, beside its policy.
pub struct GateBuilder {
    clock: Arc<dyn Clock>,
    levels: StatusLevels,
    on_crossing: Option<OnCrossing>,
    keeping: Keeping,
}

impl Gate {
    /// A gate for the policy file `text`, by the time-stamp counter. If the file has a `[ledger]`, that is opened, and a
    /// new one made where none is.
    ///
    /// # Errors
    /// Every mistake of the file, with its line, its column and what would be right; a ledger that cannot be opened.
    pub fn from_toml(text: &str) -> Result<Self, PolicyErrors> {
        Self::builder().build(text)
    }

    /// A gate with another clock, other status levels, or somebody who is told of thresholds.
    #[must_use]
    pub fn builder() -> GateBuilder {
        GateBuilder {
            clock: Arc::new(QuantaClock::new()),
            levels: StatusLevels::default(),
            on_crossing: None,
            keeping: Keeping::default(),
        }
    }

    /// Reserves the estimate of `request` under every limit that applies, or none of it under any.
    ///
    /// # Errors
    /// [`Refusal::Limited`] names the binding limit; the others say what is wrong with the request.
    pub fn admit(&self, request: &Request<'_>) -> Result<Reservation, Refusal> {
        self.admit_moment(request, self.0.clock.moment())
    }

    /// As [`admit`](Self::admit), at a time of the caller's: `now` by the gate's clock, for rates, and `wall`, for calendars.
    ///
    /// # Errors
    /// As [`admit`](Self::admit).
    pub fn admit_at(
        &self,
        request: &Request<'_>,
        now: Nanos,
        wall: Wall,
    ) -> Result<Reservation, Refusal> {
        self.admit_moment(request, Moment::new(now, wall))
    }

    fn admit_moment(&self, request: &Request<'_>, at: Moment) -> Result<Reservation, Refusal> {
        self.0
            .policy
            .with(|policy| Inner::admit(&self.0, policy, request, at, Some(&[])))
    }

    /// The clock that `admit` reads.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        &*self.0.clock
    }

    /// The ledger that keeps what limits have committed, if there is one.
    #[cfg(feature = "ledger")]
    #[must_use]
    pub fn ledger(&self) -> Option<&tollgate_quota::ledger::Ledger> {
        self.0.accounts.keeper.ledger()
    }

    /// How many accounts there are: one for each limit and each combination of its scope values that was seen and
    /// not evicted.
    #[must_use]
    pub fn accounts(&self) -> usize {
        self.0.accounts.len()
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("accounts", &self.accounts())
            .finish_non_exhaustive()
    }
}

impl GateBuilder {
    /// With `clock`, which `admit`, `settle` and waiting read.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// With status levels at other shares than 50, 80 and 95 %.
    #[must_use]
    pub fn status_levels(mut self, levels: StatusLevels) -> Self {
        self.levels = levels;
        self
    }

    /// With `tell`, which is called once for each crossing of a limit's `warn_at`, on the thread that crossed it.
    /// It runs within the admission, so it should be quick; it may call the gate. A crossing stays told if the
    /// request is backed out after all, since others came in between; if `tell` panics, the charge is kept.
    #[must_use]
    pub fn on_crossing(mut self, tell: impl Fn(&Crossing) + Send + Sync + 'static) -> Self {
        self.on_crossing = Some(Box::new(tell));
        self
    }

    /// With a ledger that is open already, in place of the one that the policy file names. One ledger serves one gate.
    #[cfg(feature = "ledger")]
    #[must_use]
    pub fn ledger(mut self, ledger: tollgate_quota::ledger::Ledger) -> Self {
        self.keeping = Keeping::In(ledger);
        self
    }

    /// Without a ledger, whatever the policy file says: for one who tries a policy and must leave no trace.
    #[must_use]
    pub fn without_ledger(mut self) -> Self {
        self.keeping = Keeping::Nowhere;
        self
    }

    /// The gate for the policy file `text`.
    ///
    /// # Errors
    /// As [`Gate::from_toml`]; a ledger given that serves another gate.
    pub fn build(self, text: &str) -> Result<Gate, PolicyErrors> {
        let file = PolicyFile::parse(text)?;
        let policy = Policy::compile(&file, self.clock.wall_offset(), None)
            .map_err(|unfit| PolicyErrors::unfit(text, unfit))?;
        let keeper = Keeper::new(self.keeping, file.ledger.as_ref(), &self.clock)
            .map_err(|(fault, remedy)| PolicyErrors::ledger(text, fault, remedy))?;
        keeper.learn(&policy, self.clock.moment());
        Ok(Gate(tollgate_sync::Arc::new(Inner {
            clock: self.clock,
            policy: Current::new(policy),
            accounts: Accounts::new(keeper),
            lines: Lines::default(),
            levels: self.levels,
            on_crossing: self.on_crossing,
            reloading: Mutex::new(()),
        })))
    }
}

impl fmt::Debug for GateBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GateBuilder")
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}

impl Inner {
    /// Tells the shares of its limit that an exchange of `account`'s meter crossed.
    #[inline(always)]
    pub(crate) fn tell_crossed(&self, account: &Account, before: u128, after: u128, full: u128) {
        if let Some(tell) = &self.on_crossing {
            tell_crossed(tell, account, before, after, full);
        }
    }
}

fn tell_crossed(tell: &OnCrossing, account: &Account, before: u128, after: u128, full: u128) {
    let limit = &account.limit;
    let crossed = limit.warn_at.crossed(before, after, full);
    for &share in crossed {
        tell(&Crossing {
            limit: Arc::clone(&limit.name),
            account: account
                .values()
                .iter()
                .map(|value| (*value).to_owned())
                .collect(),
            share,
            used: account
                .meter
                .as_ref()
                .map_or(0, |meter| tollgate_core::Meter::units(meter, after)),
            max: account.rule.ceiling,
        });
    }
}
