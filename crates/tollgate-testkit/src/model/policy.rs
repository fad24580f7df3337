//! Several limits, all or nothing.

use super::{Model, Receipt};
use crate::answer::Answer;

/// What one request asks of one limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    cost: u64,
    max: Option<u64>,
}

impl Ask {
    /// `cost` units, as the top class.
    #[must_use]
    pub const fn new(cost: u64) -> Self {
        Self { cost, max: None }
    }

    /// The same, seen by a class that may have at most `max` units committed.
    #[must_use]
    pub const fn under(self, max: u64) -> Self {
        Self {
            max: Some(max),
            ..self
        }
    }
}

/// Why a policy refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The place of the binding limit: of those that deny, the one with the longest wait, the first of equals. One
    /// that waiting cannot help waits longest.
    pub limit: usize,
    /// Its least wait in nanoseconds. None if waiting cannot help.
    pub retry_after: Option<u128>,
}

/// What each limit of a policy took of one request, in their order.
pub type PolicyReceipt = Vec<Option<Receipt>>;

/// Limits that all apply, in the order of their file.
///
/// A request gives one [`Ask`] for each limit, or `None` where a limit does not apply to it. Missing asks at the end
/// are `None`.
///
/// ```
/// use tollgate_testkit::{RateLimit, model::{Ask, Gcra, Policy, SlidingLog}};
///
/// let mut policy = Policy::new();
/// policy.add(SlidingLog::new(60, 2)); // two requests
/// policy.add(Gcra::new(RateLimit::new(1, 10, 5))); // five tokens, and one more every 10 ns
///
/// let asks = |tokens| [Some(Ask::new(1)), Some(Ask::new(tokens))];
/// policy.try_acquire(0, &asks(5)).expect("both are fresh");
/// let refusal = policy.try_acquire(0, &asks(5)).expect_err("no tokens are left");
/// assert_eq!((refusal.limit, refusal.retry_after), (1, Some(50)));
/// ```
#[derive(Debug, Default)]
pub struct Policy {
    limits: Vec<Box<dyn Model>>,
}

impl Policy {
    /// A policy without limits, which admits everything.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a limit after the others.
    pub fn add(&mut self, limit: impl Model + 'static) {
        self.add_boxed(Box::new(limit));
    }

    /// Adds a limit after the others.
    pub fn add_boxed(&mut self, limit: Box<dyn Model>) {
        self.limits.push(limit);
    }

    /// The limits, in order.
    #[must_use]
    pub fn limits(&self) -> &[Box<dyn Model>] {
        &self.limits
    }

    /// What each limit would say, changing nothing. None where the request does not ask.
    #[must_use]
    pub fn explain(&self, now: u64, asks: &[Option<Ask>]) -> Vec<Option<Answer>> {
        let asks = asks.iter().copied().chain(std::iter::repeat(None));
        let limits = self.limits.iter().zip(asks);
        limits
            .map(|(limit, ask)| {
                ask.map(|ask| limit.look_under(now, ask.cost, ask.max.unwrap_or(limit.max())))
            })
            .collect()
    }

    /// Whether every limit has room. Changes nothing.
    ///
    /// # Errors
    /// The [`Refusal`] of the binding limit.
    pub fn look(&self, now: u64, asks: &[Option<Ask>]) -> Result<(), Refusal> {
        let mut binding = None::<Refusal>;
        for (limit, answer) in self.explain(now, asks).into_iter().enumerate() {
            let retry_after = match answer {
                None | Some(Answer::Admit) => continue,
                Some(Answer::Wait(wait)) => Some(wait),
                Some(Answer::Never) => None,
            };
            let longer = match (binding.map(|binding| binding.retry_after), retry_after) {
                (None, _) => true,
                (Some(None), _) => false,
                (Some(Some(_)), None) => true,
                (Some(Some(longest)), Some(wait)) => wait > longest,
            };
            if longer {
                binding = Some(Refusal { limit, retry_after });
            }
        }
        binding.map_or(Ok(()), Err)
    }

    /// Charges every limit that is asked, or none.
    ///
    /// # Errors
    /// The [`Refusal`] of the binding limit. Nothing was charged.
    pub fn try_acquire(
        &mut self,
        now: u64,
        asks: &[Option<Ask>],
    ) -> Result<PolicyReceipt, Refusal> {
        self.look(now, asks)?;
        let asks = asks.iter().copied().chain(std::iter::repeat(None));
        let limits = self.limits.iter_mut().zip(asks);
        Ok(limits
            .map(|(limit, ask)| ask.map(|ask| limit.charge(now, ask.cost)))
            .collect())
    }

    /// Settles one limit of a request at its actual cost: gives back the surplus of the estimate, or charges what
    /// was spent beyond it. Does nothing for a limit that the request did not ask.
    pub fn settle(&mut self, now: u64, receipt: &mut PolicyReceipt, limit: usize, actual: u64) {
        let Some(model) = self.limits.get_mut(limit) else {
            return;
        };
        let Some(Some(receipt)) = receipt.get_mut(limit) else {
            return;
        };
        let estimate = receipt.kept();
        if actual < estimate {
            model.refund(now, receipt, estimate - actual);
        } else if actual > estimate {
            model.charge_anyway(now, actual - estimate);
        }
    }

    /// Gives back all that a request was charged, as far as the rule of each limit goes.
    pub fn release(&mut self, now: u64, receipt: &mut PolicyReceipt) {
        for limit in 0..self.limits.len() {
            self.settle(now, receipt, limit, 0);
        }
    }
}
