//! What a ledger tells those who run it: events of `tracing`, and figures of `metrics`. The [`ledger`](super) page lists both.
//!
//! Without a subscriber and a recorder, each costs a load. But for what goes on unrecorded, all are told by the ledger's thread, and none
//! while a lock is held.

use super::{AccountKey, LedgerError, flags::Row};
use metrics::{counter, gauge, histogram};
use std::{
    collections::HashMap,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tracing::{error, info, warn};

const TARGET: &str = "tollgate::ledger";

/// The name of the ledger in all that is told.
pub(super) fn named(path: &Path) -> Arc<str> {
    path.display().to_string().into()
}

/// It was opened; what was noticed about its file.
pub(super) fn opened(ledger: &Arc<str>, notices: &[String]) {
    gauge!("tollgate_ledger_failing", "ledger" => Arc::clone(ledger)).set(0);
    for notice in notices {
        noticed(ledger, notice);
    }
}

pub(super) fn noticed(ledger: &str, notice: &str) {
    warn!(target: TARGET, ledger, notice, "something was noticed about the ledger");
}

/// Its file cannot be used.
pub(super) fn refused(path: &Path, error: &LedgerError) {
    error!(target: TARGET, ledger = %path.display(), %error, "the ledger cannot be used");
}

/// Requests that are admitted although no record of them can be made.
#[derive(Debug)]
pub(super) struct Unrecorded(Row);

impl Unrecorded {
    pub(super) fn new() -> Self {
        Self(Row::new())
    }

    /// One more, under `limit`. The first since the disk was well is an event.
    pub(super) fn count(&self, ledger: &Arc<str>, limit: &Arc<str>) {
        let is_first = self.0.count();
        counter!("tollgate_ledger_unrecorded_total", "ledger" => Arc::clone(ledger), "limit" => Arc::clone(limit))
            .increment(1);
        if is_first {
            warn!(
                target: TARGET,
                ledger = &**ledger,
                limit = &**limit,
                "requests are admitted without a record: a kill would forget them"
            );
        }
    }

    pub(super) fn so_far(&self) -> u64 {
        self.0.so_far()
    }

    /// The disk is well: the next one is an event again.
    fn end(&self) {
        self.0.end();
    }
}

/// What the ledger's thread tells.
#[derive(Debug)]
pub(super) struct Teller {
    ledger: Arc<str>,
    /// Since when it cannot be written, and why by the last attempt.
    failing: Option<(Instant, LedgerError)>,
    /// Units on record beyond their limit, by limit and unit, of accounts in use.
    debts: HashMap<(String, String), u64>,
}

impl Teller {
    pub(super) fn new(ledger: Arc<str>) -> Self {
        Self {
            ledger,
            failing: None,
            debts: HashMap::new(),
        }
    }

    fn ledger(&self) -> Arc<str> {
        Arc::clone(&self.ledger)
    }

    pub(super) fn noticed(&self, notice: &str) {
        noticed(&self.ledger, notice);
    }

    /// A commit of so many records took so long; so many accounts are in use.
    pub(super) fn committed(
        &mut self,
        records: u64,
        took: Duration,
        accounts: usize,
        unrecorded: &Unrecorded,
    ) {
        counter!("tollgate_ledger_commits_total", "ledger" => self.ledger()).increment(1);
        counter!("tollgate_ledger_records_total", "ledger" => self.ledger()).increment(records);
        histogram!("tollgate_ledger_commit_seconds", "ledger" => self.ledger())
            .record(took.as_secs_f64());
        let accounts = u32::try_from(accounts).unwrap_or(u32::MAX);
        gauge!("tollgate_ledger_accounts", "ledger" => self.ledger()).set(accounts);
        if let Some((since, _)) = self.failing.take() {
            gauge!("tollgate_ledger_failing", "ledger" => self.ledger()).set(0);
            unrecorded.end();
            info!(
                target: TARGET,
                ledger = &*self.ledger,
                failed_for = ?since.elapsed(),
                "the ledger is written again: all that was admitted is on record"
            );
        }
    }

    /// A commit failed. The first since the disk was well is an event, and each that fails for another reason than the one before.
    pub(super) fn failed(&mut self, error: &LedgerError) {
        counter!("tollgate_ledger_failures_total", "ledger" => self.ledger()).increment(1);
        let since = match &self.failing {
            None => {
                gauge!("tollgate_ledger_failing", "ledger" => self.ledger()).set(1);
                error!(
                    target: TARGET,
                    ledger = &*self.ledger,
                    %error,
                    "the ledger cannot be written: limits go on from what is lent, then as their policy says"
                );
                Instant::now()
            }
            Some((_, before)) if before == error => return,
            Some((since, _)) => {
                error!(
                    target: TARGET,
                    ledger = &*self.ledger,
                    %error,
                    failing_for = ?since.elapsed(),
                    "the ledger still cannot be written, for another reason"
                );
                *since
            }
        };
        self.failing = Some((since, error.clone()));
    }

    /// The debt on record of an account is another one.
    pub(super) fn debt(&mut self, account: &[u8], before: u64, after: u64) {
        let Some(key) = AccountKey::from_bytes(account).filter(|_| before != after) else {
            return;
        };
        let names = (key.limit().to_owned(), key.unit().to_owned());
        let sum = self.debts.entry(names.clone()).or_default();
        *sum = sum.saturating_sub(before).saturating_add(after);
        let (limit, unit) = names;
        #[expect(
            clippy::cast_precision_loss,
            reason = "a gauge is a float, and this one is for people"
        )]
        let debt = *sum as f64;
        gauge!("tollgate_ledger_debt_units", "ledger" => self.ledger(), "limit" => limit, "unit" => unit)
            .set(debt);
    }
}
