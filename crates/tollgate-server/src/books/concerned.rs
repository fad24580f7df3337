//! Which limits have a say in a request, and whose account it is.

use std::collections::HashMap;

use tollgate_policy::{LimitRule, Mode, OverrideRule, PolicyFile, Share, Usage};

use crate::rules::Terms;
use crate::trace::Row;

/// What one request asks of one limit.
#[derive(Debug)]
pub(crate) struct Concern {
    /// The limit's place in the policy.
    pub(crate) limit: usize,
    /// The account's place in the limit's books.
    pub(crate) account: usize,
    /// Units estimated, and so charged.
    pub(crate) estimate: u64,
    /// Units really used.
    pub(crate) actual: u64,
    /// The share of the limit that the request's class may see.
    pub(crate) share: Option<Share>,
    /// What an exact model holds for it.
    pub(crate) receipt: Option<tollgate_testkit::model::Receipt>,
}

/// Matches requests with limits, by the policy file alone.
#[derive(Debug)]
pub(crate) struct Concerned {
    limits: Vec<Accounts>,
    classes: HashMap<String, Share>,
}

#[derive(Debug)]
struct Accounts {
    rule: LimitRule,
    overrides: Vec<OverrideRule>,
    /// Places of accounts by their scope values; none for accounts that are off.
    known: HashMap<Vec<String>, Option<usize>>,
}

impl Concerned {
    pub(super) fn new(file: &PolicyFile) -> Self {
        let limits = file
            .limits
            .iter()
            .enumerate()
            .map(|(place, rule)| Accounts {
                rule: rule.clone(),
                overrides: file
                    .overrides
                    .iter()
                    .filter(|other| other.limit == place)
                    .cloned()
                    .collect(),
                known: HashMap::new(),
            });
        let classes = file
            .priorities
            .iter()
            .map(|class| (class.name.clone(), class.share));
        Self {
            limits: limits.collect(),
            classes: classes.collect(),
        }
    }

    /// The concerns of `row` in file order. A new account is opened by `open`, which tells its place.
    pub(super) fn by(
        &mut self,
        row: &Row,
        estimate: &Usage,
        actual: &Usage,
        mut open: impl FnMut(usize, Terms) -> usize,
    ) -> Vec<Concern> {
        let share = row
            .class()
            .and_then(|class| self.classes.get(class))
            .copied();
        let mut concerns = Vec::with_capacity(self.limits.len());
        for (limit, accounts) in self.limits.iter_mut().enumerate() {
            let Some(account) = accounts.of(row, |terms| open(limit, terms)) else {
                continue;
            };
            concerns.push(Concern {
                limit,
                account,
                estimate: estimate.of(accounts.rule.unit),
                actual: actual.of(accounts.rule.unit),
                share,
                receipt: None,
            });
        }
        concerns
    }
}

impl Accounts {
    fn of(&mut self, row: &Row, open: impl FnOnce(Terms) -> usize) -> Option<usize> {
        let value = |name: &str| {
            row.scopes
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| value)
        };
        let matches = self
            .rule
            .when
            .iter()
            .all(|(name, pattern)| value(name).is_some_and(|value| pattern.matches(value)));
        if !matches {
            return None;
        }
        let values: Vec<String> = self
            .rule
            .by
            .iter()
            .map(|name| value(name).map(str::to_owned))
            .collect::<Option<_>>()?;
        if let Some(known) = self.known.get(&values) {
            return *known;
        }
        // The last override that fits the account wins.
        let fits = |other: &&OverrideRule| {
            other
                .where_
                .iter()
                .all(|(name, wanted)| value(name) == Some(wanted))
        };
        let terms = Terms::new(&self.rule, self.overrides.iter().rev().find(fits));
        let place = (terms.mode != Mode::Off).then(|| open(terms));
        self.known.insert(values, place);
        place
    }
}
