//! The books that a replay keeps beside the gate: who was concerned, what passed, and whether that was lawful.
//!
//! Nothing here asks the gate. Limits are matched with requests from the policy file, accounts are told
//! apart by their scope values, and the verdicts come from the testkit's laws and exact models, so that
//! a mistake of the gate does not vouch for itself.

mod account;
mod calendar;
mod concerned;
mod judge;
mod promise;

use std::time::Duration;

use tollgate_policy::{LimitRule, PolicyFile, Refund, Usage};
use tollgate_testkit::Answer;

use self::account::Account;
pub(crate) use self::concerned::Concern;
use self::concerned::Concerned;
use self::promise::Promise;
use crate::report::{Laws, Verdict};
use crate::trace::Row;

/// What the gate decided: admitted, or refused by a limit (its place in the policy) with a wait, if any helps.
pub(crate) type Decision = Result<(), (usize, Option<Duration>)>;

/// Whether the laws are checked, and how far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Checks {
    /// Off: only sums are kept.
    pub(crate) laws: bool,
    /// Whether estimates equal the truth, so that an exact model can run beside the gate.
    pub(crate) estimates_are_true: bool,
}

/// The books of one replay.
#[derive(Debug)]
pub(crate) struct Books {
    limits: Vec<Book>,
    concerned: Concerned,
    checks: Checks,
    epoch_ns: i64,
    latest: u64,
    /// Whether a row came that was more than [`GRACE_NS`] older than what came before it.
    steps_back: bool,
    max_accounts: usize,
    /// The first decision that the exact models would not have made.
    disagreement: Option<String>,
    /// The first refusal that changed a limit.
    changed: Option<String>,
}

/// One limit with its accounts.
#[derive(Debug)]
struct Book {
    rule: LimitRule,
    promise: Promise,
    accounts: Vec<Account>,
}

/// Callers that are no older than this never notice that an account was evicted.
const GRACE_NS: u64 = 1_000_000_000;

/// Sums of one limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) admitted: u128,
    pub(crate) debt: u128,
    pub(crate) most_in_window: u128,
    pub(crate) counted_later: u64,
}

impl Books {
    /// Empty books. Times are in nanoseconds since `epoch_ns`, which counts since 1970.
    pub(crate) fn new(file: &PolicyFile, epoch_ns: i64, checks: Checks) -> Self {
        let book = |rule: &LimitRule| Book {
            rule: rule.clone(),
            promise: Promise::new(rule, epoch_ns),
            accounts: Vec::new(),
        };
        Self {
            limits: file.limits.iter().map(book).collect(),
            concerned: Concerned::new(file),
            checks,
            epoch_ns,
            latest: 0,
            steps_back: false,
            max_accounts: file.max_accounts,
            disagreement: None,
            changed: None,
        }
    }

    /// Which limits have a say in `row`, in file order, and what it asks of each. The row is one that the gate
    /// could judge: it has the scopes that those limits count by, and its class is in the policy.
    pub(crate) fn concerns(
        &mut self,
        row: &Row,
        now: u64,
        estimate: &Usage,
        actual: &Usage,
    ) -> Vec<Concern> {
        let concerns = self.concerned.by(row, estimate, actual, |limit, terms| {
            let book = &mut self.limits[limit];
            let with_model = self.checks.laws && self.checks.estimates_are_true;
            book.accounts
                .push(Account::new(&book.promise, terms, now, with_model));
            book.accounts.len() - 1
        });
        self.steps_back |= now.saturating_add(GRACE_NS) < self.latest;
        self.latest = self.latest.max(now);
        concerns
    }

    /// Units that the account of a concern may have committed; none is unlimited.
    pub(crate) fn ceiling(&self, concern: &Concern) -> Option<u64> {
        self.account(concern).ceiling
    }

    /// Enters what the gate decided about the request of `concerns` at `now`.
    pub(crate) fn decided(
        &mut self,
        row: u64,
        now: u64,
        concerns: &mut [Concern],
        decision: &Decision,
    ) {
        if self.checks.laws && self.checks.estimates_are_true {
            self.compare(row, now, concerns, decision);
        }
        if decision.is_ok() {
            for concern in concerns {
                let book = &mut self.limits[concern.limit];
                book.accounts[concern.account].admit(now, concern, &book.promise);
            }
        }
    }

    /// Enters the settlement of an admitted request.
    pub(crate) fn settled(&mut self, now: u64, concerns: &mut [Concern]) {
        self.latest = self.latest.max(now);
        for concern in concerns {
            let book = &mut self.limits[concern.limit];
            book.accounts[concern.account].settle(now, concern, &book.promise);
        }
    }

    /// Enters that the refusal of a row changed what some limit says.
    pub(crate) fn changed_by_denial(&mut self, row: u64, change: &str) {
        self.changed
            .get_or_insert_with(|| format!("row {row} was refused: {change}"));
    }

    /// The sums of the limit at `place`.
    pub(crate) fn sums(&self, place: usize) -> Sums {
        let book = &self.limits[place];
        let mut sums = Sums::default();
        for account in &book.accounts {
            sums.admitted += account.admitted;
            sums.debt += account.debt;
            sums.counted_later += account.counted_later;
            sums.most_in_window = sums
                .most_in_window
                .max(account.most_in_window(&book.promise));
        }
        sums
    }

    /// The verdict on each law.
    pub(crate) fn laws(&self) -> Laws {
        if !self.checks.laws {
            let off = || Verdict::NotChecked("turned off (--laws off)".into());
            return Laws {
                never_over: off(),
                never_needlessly_under: off(),
                denial_changes_nothing: off(),
            };
        }
        Laws {
            never_over: self.never_over(),
            never_needlessly_under: self.never_needlessly_under(),
            denial_changes_nothing: match &self.changed {
                // What makes room for its account may evict another, and be stricter to callers of the past.
                Some(_) if self.evicts() && self.steps_back => Verdict::NotChecked(
                    "more accounts were seen than the policy keeps at once, and rows step back in time".into(),
                ),
                Some(what) => Verdict::Broken(what.clone()),
                None => Verdict::Held,
            },
        }
    }

    /// Whether the gate may have had to evict accounts.
    fn evicts(&self) -> bool {
        let accounts: usize = self.limits.iter().map(|book| book.accounts.len()).sum();
        accounts > self.max_accounts
    }

    fn never_needlessly_under(&self) -> Verdict {
        if !self.checks.estimates_are_true {
            return Verdict::NotChecked("estimates differ from the truth (--estimate)".into());
        }
        let unknown = self
            .limits
            .iter()
            .find_map(|book| book.promise.unknown_at(self.latest, &book.rule));
        if let Some(reason) = unknown {
            return Verdict::NotChecked(reason);
        }
        if self.evicts() {
            return Verdict::NotChecked(
                "more accounts were seen than the policy keeps at once".into(),
            );
        }
        match &self.disagreement {
            Some(what) => Verdict::Broken(what.clone()),
            None => Verdict::Held,
        }
    }

    /// Holds a decision against that of the exact models, and keeps these in step with the gate.
    fn compare(&mut self, row: u64, now: u64, concerns: &mut [Concern], decision: &Decision) {
        let said = decision
            .as_ref()
            .err()
            .map(|(limit, wait)| (*limit, wait.map(|wait| wait.as_nanos())));
        let mut binding: Option<(usize, Option<u128>)> = None;
        for concern in concerns.iter() {
            let book = &self.limits[concern.limit];
            let account = &book.accounts[concern.account];
            let mut wait = match account.look(now, concern) {
                Answer::Admit => Some(0),
                // The gate tells waits in 64 bits of nanoseconds: 584 years stand for all that are longer.
                Answer::Wait(wait) => Some(wait.min(u64::MAX.into())),
                Answer::Never => None,
            };
            // A row that steps back may be told to wait until the log remembers.
            if let Some((limit, Some(longer))) = said
                && limit == concern.limit
                && account.may_have_forgotten(now, &book.promise)
            {
                wait = wait.map(|wait| wait.max(longer));
            }
            if wait == Some(0) {
                continue;
            }
            // The longest wait binds; none at all is longer than any; the first of equals stays.
            let longer = binding.is_none_or(|(_, bound)| match (bound, wait) {
                (None, _) => false,
                (Some(_), None) => true,
                (Some(bound), Some(wait)) => wait > bound,
            });
            if longer {
                binding = Some((concern.limit, wait));
            }
        }
        if said != binding && self.disagreement.is_none() {
            let words = |answer: Option<(usize, Option<u128>)>| match answer {
                None => "admitted".to_owned(),
                Some((limit, Some(wait))) => {
                    format!(
                        "refused by {:?} for {wait} ns",
                        self.limits[limit].rule.name
                    )
                }
                Some((limit, None)) => {
                    format!("refused by {:?} for ever", self.limits[limit].rule.name)
                }
            };
            self.disagreement = Some(format!(
                "row {row} was {}, and the exact model has {}",
                words(said),
                words(binding)
            ));
        }
    }

    fn account(&self, concern: &Concern) -> &Account {
        &self.limits[concern.limit].accounts[concern.account]
    }
}

impl Book {
    /// Units beyond the limit that it declares for an account.
    fn slack(&self, account: &Account) -> u64 {
        match self.rule.refund {
            Refund::Exact => 0,
            Refund::Eager => account.most_surplus_in_flight(),
        }
    }
}
