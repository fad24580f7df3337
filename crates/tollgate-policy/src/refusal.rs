//! Why a request was not admitted.

use crate::file::Unit;
use std::{sync::Arc, time::Duration};
use tollgate_quota::MicroUsd;

/// A request that was not admitted. No limit keeps any part of its cost.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// A limit is reached.
    #[error(transparent)]
    Limited(#[from] Limited),
    /// The request lacks a scope that a limit counts by.
    #[error("limit `{limit}` counts by `{scope}`, and the request has no value for it")]
    MissingScope {
        /// The limit.
        limit: Arc<str>,
        /// The scope that is missing.
        scope: Arc<str>,
    },
    /// The values by which a limit would name a new account are longer than all of one account's may be together:
    /// [`Request::SCOPES_BYTES_MAX`](crate::Request::SCOPES_BYTES_MAX).
    #[error(
        "limit `{limit}` counts by `{scope}`, whose value in the request has {bytes} bytes: all values of an account may have {bytes_max} together"
    )]
    ScopesTooLong {
        /// The limit.
        limit: Arc<str>,
        /// The scope whose value is the longest.
        scope: Arc<str>,
        /// How long that is.
        bytes: usize,
        /// The most that all values of an account may have together.
        bytes_max: usize,
    },
    /// The request's priority class is not in the policy.
    #[error("the policy has no priority class `{class}`")]
    UnknownClass {
        /// The class asked for.
        class: String,
    },
    /// The request is of an account that does not exist yet, as many as allowed exist, and none of those that were looked
    /// at was at rest: 32 a request, the next ones each time.
    #[error(
        "limit `{limit}` has a new account for this request, but `max_accounts = {max_accounts}` are in use"
    )]
    TooManyAccounts {
        /// The limit.
        limit: Arc<str>,
        /// The most accounts.
        max_accounts: usize,
    },
    /// The request fits, but the ledger has lent nothing of it yet, or cannot, since the disk fails.
    #[error("limit `{limit}` is kept in a ledger, {}", lent(*.is_failing))]
    NothingLent {
        /// The limit.
        limit: Arc<str>,
        /// When it is worth asking again.
        retry_after: Duration,
        /// Whether the ledger's disk fails.
        is_failing: bool,
    },
    /// The request would wait in line, and as many as allowed wait already.
    #[error("as many requests as may wait, {max_waiting}, wait already")]
    TooManyWaiting {
        /// The most requests that wait at once.
        max_waiting: usize,
    },
}

impl Refusal {
    /// The limit that is reached, if that is why.
    #[must_use]
    pub const fn limited(&self) -> Option<&Limited> {
        match self {
            Self::Limited(limited) => Some(limited),
            _ => None,
        }
    }

    /// The least wait after which the request would be admitted, were nobody else to come; none if waiting cannot
    /// help or is not known to.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Limited(limited) => limited.retry_after,
            Self::NothingLent { retry_after, .. } => Some(*retry_after),
            _ => None,
        }
    }
}

/// The binding limit of a refusal: the one with the longest wait. All figures are of one snapshot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[error(
    "limit `{limit}` is reached: {} used, {} requested, {} allowed{}",
    named(*.unit, *.used), amount(*.unit, *.requested), amount(*.unit, *.max), advice(.retry_after, *.never_fits)
)]
pub struct Limited {
    /// The limit's name.
    pub limit: Arc<str>,
    /// What it counts.
    pub unit: Unit,
    /// Units used; of `usd`, as in the next two, millionths of a dollar.
    pub used: u64,
    /// Units requested.
    pub requested: u64,
    /// Units that this caller may use: the capacity of a gcra limit, else the maximum; a class's share of it.
    pub max: u64,
    /// The least wait after which the request would be admitted, were nobody else to come; none if time alone
    /// cannot help. A wait of 2^64 - 1 ns (584 years) stands for all that are longer.
    pub retry_after: Option<Duration>,
    /// True if the request is larger than the limit ever admits. (False with no `retry_after`: units come back
    /// only when others end.)
    pub never_fits: bool,
}

fn lent(is_failing: bool) -> &'static str {
    if is_failing {
        "whose disk fails: nothing can be lent"
    } else {
        "which has lent nothing for this request yet"
    }
}

/// So many units; money in dollars.
fn amount(unit: Unit, units: u64) -> String {
    match unit {
        Unit::Usd => MicroUsd(units).to_string(),
        _ => units.to_string(),
    }
}

/// As [`amount`], with what they are.
fn named(unit: Unit, units: u64) -> String {
    match unit {
        Unit::Usd => amount(unit, units),
        _ => format!("{units} {unit}"),
    }
}

fn advice(retry_after: &Option<Duration>, never_fits: bool) -> String {
    match retry_after {
        Some(wait) => format!(", retry after {wait:?}"),
        None if never_fits => ", which can never fit".to_owned(),
        None => ", and time alone brings none back".to_owned(),
    }
}
