//! The first law, asked of every account.

use tollgate_policy::Mode;
use tollgate_testkit::law::{self, Event, Verdict as LawVerdict};

use super::account::Account;
use super::promise::Promise;
use super::{Book, Books};
use crate::figures;
use crate::report::Verdict;

impl Books {
    /// Whether no limit ever admitted more than it promises.
    pub(super) fn never_over(&self) -> Verdict {
        let mut verdict = Verdict::Held;
        for book in &self.limits {
            for (place, account) in book.accounts.iter().enumerate() {
                if account.mode != Mode::Enforce {
                    continue;
                }
                match self.judge(book, account) {
                    LawVerdict::Held => {}
                    LawVerdict::Broken(evidence) => {
                        let at = |ns: u64| {
                            let wall = self.epoch_ns.saturating_add_unsigned(ns);
                            figures::utc(wall, "%F %T%.f")
                        };
                        return Verdict::Broken(format!(
                            "limit {:?}, account {}: {} units from {} through {}, {} are allowed",
                            book.rule.name,
                            place + 1,
                            evidence.units,
                            at(evidence.first),
                            at(evidence.last),
                            evidence.allowed
                        ));
                    }
                    LawVerdict::NotChecked(reason) => verdict = Verdict::NotChecked(reason),
                }
            }
        }
        verdict
    }

    fn judge(&self, book: &Book, account: &Account) -> LawVerdict {
        let Some(ceiling) = account.ceiling else {
            return LawVerdict::Held;
        };
        if let Some(reason) = book.promise.unknown_at(self.latest, &book.rule) {
            return LawVerdict::NotChecked(reason);
        }
        let Some(law) = book.promise.law(account.max, ceiling) else {
            return LawVerdict::Held;
        };
        law.check(recorded(account, &book.promise), book.slack(account))
    }
}

/// The account's events as the law sees them where rows step back: each at its own time, but for debts, which count from
/// what came before them. (Those of a calendar were entered in the period that had begun.)
fn recorded(account: &Account, promise: &Promise) -> Vec<Event> {
    let mut events = account.events.clone();
    match promise {
        Promise::Rate { .. } | Promise::Window { .. } | Promise::Periods { .. } => {
            law::raise_debts(&mut events);
        }
        // These know no time: what counts is the order.
        Promise::Unknown | Promise::Lifetime | Promise::Concurrency => {
            law::raise_all(&mut events);
        }
    }
    events
}
