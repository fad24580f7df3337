//! Holds the journal against the limits, and the ledger against the journal.

use super::{
    child::{
        AGENTS, BUDGET_MAX, HOURLY_MAX, LEASE, RATE_CAPACITY, RATE_HOURLY, SLIDING_MAX, WINDOW_MAX,
    },
    journal::{Line, What},
};
use std::collections::HashMap;

const HOUR_NS: i64 = 3_600_000_000_000;

/// One request, as far as its process came.
#[derive(Clone, Copy, Debug, Default)]
struct Request {
    agent: usize,
    estimate: u64,
    wall: (i64, i64),
    asked: bool,
    admitted: bool,
    /// When.
    refused: Option<u64>,
    /// With how many units it is, or was about to be.
    settles: Option<u64>,
    /// When.
    settled: Option<u64>,
}

/// What is known of an agent's budget.
#[derive(Clone, Copy, Debug, Default)]
struct Budget {
    /// What was last found, and what is certain and what is possible to have come since.
    base: u64,
    least: u64,
    most: u64,
    /// As it would be if nothing were wasted.
    exact: u64,
    /// Kills since it was last found.
    kills: u64,
    /// Whether it was found before at all.
    is_known: bool,
    /// Admitted and kept over all processes, debts apart.
    kept: u64,
}

/// Units admitted between two instants.
#[derive(Clone, Copy, Debug)]
struct Kept {
    from: i64,
    to: i64,
    units: u64,
}

#[derive(Debug)]
pub(crate) struct Judge {
    /// Whether debts are never lost.
    keeps_debts: bool,
    budgets: [Budget; AGENTS.len()],
    hours: HashMap<(usize, i64), u64>,
    windows: HashMap<(usize, i64), u64>,
    /// What agents b and c were admitted and have kept, all of it between two instants, in the order of the first.
    sliding: Vec<Kept>,
    rate: Vec<Kept>,
    wasted: Vec<u64>,
    clean: u64,
    admitted: u64,
    killed: u64,
    killed_in_opening: u64,
    /// How full the fullest sliding window was, and the fullest interval of the rate, in percent.
    fullest: (u64, u64),
    /// How often everything was read beside a process.
    pub(crate) backups: u64,
}

impl Judge {
    pub(crate) fn new(keeps_debts: bool) -> Self {
        Self {
            keeps_debts,
            budgets: Default::default(),
            hours: HashMap::new(),
            windows: HashMap::new(),
            sliding: Vec::new(),
            rate: Vec::new(),
            wasted: Vec::new(),
            clean: 0,
            admitted: 0,
            killed: 0,
            killed_in_opening: 0,
            fullest: (0, 0),
            backups: 0,
        }
    }

    /// Takes in what a process has written.
    pub(crate) fn hear(&mut self, run: u64, lines: &[Line], is_clean: bool) {
        if lines.is_empty() {
            self.killed_in_opening += 1;
        }
        let mut requests: HashMap<u64, Request> = HashMap::new();
        let mut flushed = 0;
        for line in lines {
            let agent = usize::try_from(line.agent).unwrap();
            let request = requests.entry(line.request).or_default();
            match line.what {
                What::Asks => {
                    (request.agent, request.estimate) = (agent, line.units);
                    request.asked = true;
                }
                What::Admitted => {
                    request.admitted = true;
                    request.wall = line.wall;
                }
                What::Refused => request.refused = Some(line.order),
                What::Settles => request.settles = Some(line.units),
                What::Settled => {
                    request.settles = Some(line.units);
                    request.settled = Some(line.order);
                }
                What::Found => {
                    // The first request of the agent, which counts in what was found.
                    requests.remove(&line.request);
                    self.find(run, agent, line.units);
                }
                What::Flushed => {
                    flushed = flushed.max(line.units);
                    requests.remove(&line.request);
                }
            }
        }
        for request in requests.values().filter(|request| request.asked) {
            self.count(request, flushed, is_clean);
        }
        for budget in &mut self.budgets {
            budget.kills += u64::from(!is_clean);
        }
        self.clean += u64::from(is_clean);
    }

    /// A new process finds `used` of an agent's budget, of which one unit is its own.
    fn find(&mut self, run: u64, agent: usize, used: u64) {
        let budget = &mut self.budgets[agent];
        budget.kept += 1;
        self.admitted += 1;
        if budget.is_known || budget.kills > 0 || budget.exact > 0 {
            let (least, most) = (
                budget.base + budget.least + 1,
                budget.base + budget.most + 1,
            );
            let most = most + LEASE * budget.kills;
            let name = AGENTS[agent];
            assert!(
                used >= least,
                "run {run}: {used} of {name} found used, {least} were"
            );
            assert!(
                used <= most,
                "run {run}: {used} of {name} found used, at most {most} were lent"
            );
            let wasted = used.saturating_sub(budget.base + budget.most + 1);
            match wasted.checked_div(budget.kills) {
                Some(wasted) => self.wasted.push(wasted),
                None => {
                    let exact = budget.base + budget.exact + 1;
                    assert_eq!(
                        used, exact,
                        "run {run}: a clean stop wastes nothing of {name}"
                    );
                }
            }
        }
        *budget = Budget {
            base: used,
            is_known: true,
            kept: budget.kept,
            ..Budget::default()
        };
    }

    /// Adds what a request has used, at least and at most, as its process was killed or stopped.
    fn count(&mut self, request: &Request, flushed: u64, is_clean: bool) {
        let budget = &mut self.budgets[request.agent];
        let estimate = request.estimate;
        let is_on_disk = |order: u64| is_clean || order < flushed;
        if !request.admitted {
            // It may have been; or the last record may have it from before it was backed out.
            if !request.refused.is_some_and(is_on_disk) {
                budget.most += estimate;
            }
            return;
        }
        self.admitted += 1;
        let actual = request.settles.unwrap_or(estimate);
        let (kept, debt) = (actual.min(estimate), actual.saturating_sub(estimate));
        let settled = request.settled.or(request.settles.is_none().then_some(0));
        // A debt may be lost if it was told after the last flush; what came back then may not have.
        let debt_is_kept = settled.is_some_and(|order| self.keeps_debts || is_on_disk(order));
        budget.least += kept + if debt_is_kept { debt } else { 0 };
        budget.most += match settled {
            Some(order) if is_on_disk(order) || request.settles.is_none() => actual,
            _ => actual.max(estimate),
        };
        budget.exact += actual;
        budget.kept += kept;
        let (from, to) = request.wall;
        match request.agent {
            1 => self.sliding.push(Kept { from, to, units: 1 }),
            2 => self.rate.push(Kept {
                from,
                to,
                units: kept,
            }),
            _ => {}
        }
        let hour = |wall: i64, hours: i64| wall.div_euclid(hours * HOUR_NS);
        // One that spans a border may have been counted on either side.
        for (counts, hours, units, max) in [
            (&mut self.hours, 1, kept, HOURLY_MAX),
            (&mut self.windows, 2, 1, WINDOW_MAX),
        ] {
            let (before, after) = request.wall;
            if hour(before, hours) != hour(after, hours) {
                continue;
            }
            let count = counts
                .entry((request.agent, hour(before, hours)))
                .or_default();
            *count += units;
            assert!(
                *count <= max,
                "{count} of {max} in period {} of {hours} h",
                hour(before, hours)
            );
        }
    }

    pub(crate) fn conclude(&mut self, killed: u64) {
        self.killed = killed;
        let allowed = |within: i64| {
            let refilled = i128::from(within) * i128::from(RATE_HOURLY) / i128::from(HOUR_NS);
            RATE_CAPACITY + u64::try_from(refilled).unwrap()
        };
        let sliding = fullest(&mut self.sliding, HOUR_NS - 1, "window", |_| SLIDING_MAX);
        let rate = fullest(&mut self.rate, HOUR_NS, "rate", allowed);
        self.fullest = (sliding, rate);
        // As below: else nothing was shown.
        assert!(
            sliding >= 50 && rate >= 50,
            "the fullest: {sliding} % and {rate} %"
        );
        for budget in &self.budgets {
            assert!(
                budget.kept <= BUDGET_MAX,
                "{} of a budget of {BUDGET_MAX}",
                budget.kept
            );
        }
        assert!(
            self.admitted > 100 * killed / 10,
            "only {} admitted",
            self.admitted
        );
        assert!(!self.wasted.is_empty() && self.clean > 0 && self.backups > killed);
        let full = |counts: &HashMap<_, u64>, max| {
            counts
                .values()
                .filter(|count| **count * 10 >= max * 8)
                .count()
        };
        // Else no limit was in the way, and nothing was shown.
        assert!(
            full(&self.hours, HOURLY_MAX) + full(&self.windows, WINDOW_MAX) > 0,
            "no period came near its limit"
        );
    }

    pub(crate) fn told(&self) -> String {
        let mut wasted = self.wasted.clone();
        wasted.sort_unstable();
        let at = |per_mille: usize| wasted[(wasted.len() - 1) * per_mille / 1_000];
        format!(
            "{} kills, {} of them before anything was admitted, {} clean stops, {} backups, {} admitted, windows up to {} % full and a rate up to {} %; wasted of a lease of {LEASE} at each: \
             median {}, p99 {}, most {}",
            self.killed,
            self.killed_in_opening,
            self.clean,
            self.backups,
            self.admitted,
            self.fullest.0,
            self.fullest.1,
            at(500),
            at(990),
            at(1_000)
        )
    }
}

/// Holds what was kept in every interval from an admission on, of at most the length `most`, against what is `allowed` in one so long.
/// Returns how full the fullest was, in percent.
fn fullest(kept: &mut [Kept], most: i64, name: &str, allowed: impl Fn(i64) -> u64) -> u64 {
    kept.sort_unstable_by_key(|kept| kept.from);
    let mut fullest = 0;
    for (place, first) in kept.iter().enumerate() {
        // Only what is between the two ends for certain.
        let begun = kept[place..]
            .iter()
            .take_while(|kept| kept.from - first.from <= most);
        let mut within: Vec<_> = begun.filter(|kept| kept.to - first.from <= most).collect();
        within.sort_unstable_by_key(|kept| kept.to);
        let mut units = 0;
        for kept in within {
            units += kept.units;
            let passed = kept.to - first.from;
            let allowed = allowed(passed);
            assert!(
                units <= allowed,
                "{name}: {units} in {passed} ns, where {allowed} are allowed"
            );
            fullest = fullest.max(units * 100 / allowed);
        }
    }
    fullest
}
