//! The Gate: random policies and random histories, every decision against the composed model, and across reloads and
//! evictions against the laws.

#[path = "../properties/policies.rs"]
#[allow(dead_code, reason = "the property tests of the Gate ask more of it")]
mod policies;

use self::policies::{
    AGENTS, Algorithm, Asked, Limit, MILLI, MODELS, Unit, gate, policy, usage, wall,
};
use super::Source;
use tollgate_core::{ManualClock, Nanos};
use tollgate_policy::{Gate, Refusal, Reservation};
use tollgate_testkit::{
    RateLimit,
    law::{Event, Law, check_changing, raise_all, raise_debts},
    model::{Ask, Model, Policy, PolicyReceipt, Receipt},
};

const ACCOUNTS: usize = 4;
const STEPS_MAX: usize = 120;
const SECOND: u64 = 1_000_000_000;

fn algorithm(source: &Source<'_>) -> Algorithm {
    match source.number(0..=10) {
        0..3 => {
            let capacity = source.number(1..=40);
            let initial = source.one_in(5).then(|| source.number(0..=capacity));
            Algorithm::Gcra { capacity, initial }
        }
        3..5 => Algorithm::Window {
            slots: u32::try_from(source.number(1..=12)).expect("twelve"),
        },
        5..7 => Algorithm::Log,
        7 => Algorithm::Fixed,
        8 => Algorithm::Calendar,
        9 => Algorithm::Lifetime,
        _ => Algorithm::Concurrency,
    }
}

fn limit(source: &Source<'_>) -> Limit {
    let algorithm = algorithm(source);
    let counts_open = algorithm == Algorithm::Concurrency;
    let starts_low = matches!(
        algorithm,
        Algorithm::Gcra {
            initial: Some(_),
            ..
        }
    );
    let unit = source.pick(&[Unit::Tokens, Unit::Input, Unit::Requests]);
    let by_agent = source.one_in(2);
    let max = if source.one_in(12) {
        0
    } else {
        source.number(1..=40)
    };
    Limit {
        unit: if counts_open { Unit::Requests } else { unit },
        max,
        per: source.pick(&[1_000, 60_000, 7_777, 20_000]) * MILLI,
        algorithm,
        by_agent,
        by_model: source.one_in(3),
        when: source.one_in(3),
        // A shadow that counts what is open would be refunded by others' ends.
        shadow: source.one_in(7) && !counts_open,
        releases: source.one_in(2),
        // A capacity below `initial` is a mistake of the file.
        overridden: (source.one_in(3) && !starts_low && by_agent).then(|| source.number(1..=60)),
    }
}

fn asked(source: &Source<'_>) -> Asked {
    Asked {
        agent: source.index(2),
        model: source.index(2),
        class: source.one_in(5).then(|| source.index(2)),
        input: if source.one_in(5) {
            source.number(1..=30)
        } else {
            source.number(1..=4)
        },
        output: source.number(1..=4),
    }
}

/// The next instant: the same, a little or periods later, and, if it may be, before.
fn moved(source: &Source<'_>, now: u64, steps_back: bool) -> u64 {
    let (on, back) = match source.number(0..=20) {
        0..6 => (0, 0),
        6..12 => (source.number(0..=SECOND / 5), 0),
        12..15 => (source.number(0..=3 * SECOND), 0),
        15..17 => (SECOND, 0),
        17 => (source.number(0..=100 * SECOND), 0),
        18 => (source.number(0..=7_200 * SECOND), 0),
        _ => (0, source.number(0..=2 * SECOND)),
    };
    if steps_back {
        (now + on).saturating_sub(back)
    } else {
        now + on + back
    }
}

/// What the model knows of a reservation.
struct Held {
    ask: Asked,
    /// Input and output, extensions included.
    charged: (u64, u64),
    /// Of the admission and of each extension.
    receipts: Vec<PolicyReceipt>,
    /// What each shadow took.
    shadowed: Vec<Vec<Receipt>>,
}

/// The accounts of all limits in file order: those that refuse as the testkit's policy, shadows beside it.
struct World<'a> {
    limits: &'a [Limit],
    policy: Policy,
    shadows: Vec<Vec<Box<dyn Model>>>,
}

type Denied = (usize, Option<u128>);

impl<'a> World<'a> {
    fn new(limits: &'a [Limit]) -> Self {
        let models = |limit: &Limit| -> Vec<_> {
            (0..ACCOUNTS).map(|account| limit.model(account)).collect()
        };
        let mut policy = Policy::new();
        limits
            .iter()
            .flat_map(models)
            .for_each(|model| policy.add_boxed(model));
        Self {
            limits,
            policy,
            shadows: limits.iter().map(models).collect(),
        }
    }

    /// One ask for each account of each limit that refuses: at most one of a limit's is asked.
    fn acquire(
        &mut self,
        now: u64,
        ask: &Asked,
        cost: impl Fn(&Limit) -> u64,
    ) -> Result<PolicyReceipt, Denied> {
        let mut asks: Vec<Option<Ask>> = vec![None; self.limits.len() * ACCOUNTS];
        for (place, limit) in self.limits.iter().enumerate() {
            if limit.applies(ask) && !limit.shadow && cost(limit) > 0 {
                asks[place * ACCOUNTS + limit.account(ask)] = Some(limit.ask(ask, cost(limit)));
            }
        }
        let taken = self.policy.try_acquire(now, &asks);
        taken.map_err(|refusal| (refusal.limit / ACCOUNTS, refusal.retry_after))
    }

    /// Shadows count what fits; of an extension only those that took the admission.
    fn shadow(&mut self, now: u64, held: &mut Held, is_first: bool, cost: impl Fn(&Limit) -> u64) {
        for (place, limit) in self.limits.iter().enumerate() {
            let may = is_first || !held.shadowed[place].is_empty();
            let model = &mut self.shadows[place][limit.account(&held.ask)];
            if may
                && limit.shadow
                && limit.applies(&held.ask)
                && cost(limit) > 0
                && model
                    .look_under(now, cost(limit), limit.share(&held.ask))
                    .admitted()
            {
                held.shadowed[place].push(model.charge(now, cost(limit)));
            }
        }
    }

    fn admit(&mut self, now: u64, ask: Asked) -> Result<Held, Denied> {
        // A start below the capacity counts from the first request on, admitted or not.
        for (place, limit) in self.limits.iter().enumerate() {
            if limit.applies(&ask) {
                let account = limit.account(&ask);
                let _started = self.policy.limits()[place * ACCOUNTS + account].used(now);
                let _started = self.shadows[place][account].used(now);
            }
        }
        let cost = |limit: &Limit| limit.cost(ask.input, ask.output);
        let receipts = vec![self.acquire(now, &ask, cost)?];
        let shadowed = vec![Vec::new(); self.limits.len()];
        let mut held = Held {
            ask,
            charged: (ask.input, ask.output),
            receipts,
            shadowed,
        };
        self.shadow(now, &mut held, true, cost);
        Ok(held)
    }

    fn extend(&mut self, now: u64, held: &mut Held, input: u64) -> Result<(), Denied> {
        // The request itself was counted when it was admitted.
        let more = |limit: &Limit| {
            if limit.unit == Unit::Requests {
                0
            } else {
                limit.cost(input, 0)
            }
        };
        let receipt = self.acquire(now, &held.ask.clone(), more)?;
        held.receipts.push(receipt);
        self.shadow(now, held, false, more);
        held.charged.0 += input;
        Ok(())
    }

    /// Ends a reservation: `kept` says of each limit how much of what it charged it keeps, or what more there is.
    fn end(&mut self, now: u64, mut held: Held, kept: impl Fn(&Limit, u64) -> u64) {
        for (place, limit) in self.limits.iter().enumerate() {
            let account = limit.account(&held.ask);
            let index = place * ACCOUNTS + account;
            let of_policy = held
                .receipts
                .iter()
                .filter_map(|receipt| receipt[index].as_ref());
            let charged: u64 = of_policy
                .chain(&held.shadowed[place])
                .map(Receipt::kept)
                .sum();
            let took = !held.shadowed[place].is_empty() || held.receipts[0][index].is_some();
            if !took {
                continue;
            }
            let kept = if limit.algorithm == Algorithm::Concurrency {
                0
            } else {
                kept(limit, charged)
            };
            // The last charge first.
            let mut surplus = charged.saturating_sub(kept);
            for receipt in held.shadowed[place].iter_mut().rev() {
                let part = surplus.min(receipt.kept());
                self.shadows[place][account].refund(now, receipt, part);
                surplus -= part;
            }
            for receipt in held.receipts.iter_mut().rev() {
                let Some(of_limit) = &receipt[index] else {
                    continue;
                };
                let (whole, part) = (of_limit.kept(), surplus.min(of_limit.kept()));
                if part > 0 {
                    self.policy.settle(now, receipt, index, whole - part);
                    surplus -= part;
                }
            }
            let extra = kept.saturating_sub(charged);
            if extra > 0 && limit.shadow {
                self.shadows[place][account].charge_anyway(now, extra);
            } else if extra > 0 {
                let whole = held.receipts[0][index].as_ref().map_or(0, Receipt::kept);
                self.policy
                    .settle(now, &mut held.receipts[0], index, whole + extra);
            }
        }
    }

    /// What the Gate tells of each account must be what the models say.
    fn agrees(&self, gate: &Gate, now: u64, text: &str) {
        for (agent, model) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let scope = [("agent", AGENTS[agent]), ("model", MODELS[model])];
            let ask = Asked {
                agent,
                model,
                class: None,
                input: 1,
                output: 1,
            };
            for told in gate.usage_at(&scope, Nanos(now), wall(now)) {
                let place: usize = told.limit.parse().expect("limits are named by their place");
                let limit = &self.limits[place];
                // An account that starts low is not there before it is asked for; what admits nothing counts nothing.
                let starts_low = matches!(
                    limit.algorithm,
                    Algorithm::Gcra {
                        initial: Some(_),
                        ..
                    }
                );
                if starts_low || limit.ceiling(limit.account(&ask)) == 0 {
                    continue;
                }
                let used = if limit.shadow {
                    self.shadows[place][limit.account(&ask)].used(now)
                } else {
                    self.policy.limits()[place * ACCOUNTS + limit.account(&ask)].used(now)
                };
                assert_eq!(
                    u128::from(told.used),
                    used,
                    "limit {place} at {now} under\n{text}"
                );
            }
        }
    }
}

fn denied(refusal: &Refusal) -> Denied {
    let limited = refusal.limited().expect("only limits refuse");
    let place = limited
        .limit
        .parse()
        .expect("limits are named by their place");
    (place, limited.retry_after.map(|wait| wait.as_nanos()))
}

/// Every decision, binding limit, wait and figure is that of the composed model: with every way that a reservation can end
/// while the clock goes on, and without refunds where it steps back.
pub(super) fn gate_decisions(bytes: &[u8]) {
    let source = Source::new(bytes);
    let steps_back = source.one_in(3);
    let mut limits: Vec<Limit> = (0..=source.index(4)).map(|_| limit(&source)).collect();
    for limit in &mut limits {
        // A log may have forgotten what an old `now` would see, and is then stricter.
        if limit.algorithm == Algorithm::Log && steps_back {
            limit.algorithm = Algorithm::Window { slots: 5 };
        }
        // Rates of requests tell only a few charges apart: they are not settled later, but for releases.
        if matches!(limit.algorithm, Algorithm::Gcra { .. })
            && limit.unit == Unit::Requests
            && !steps_back
        {
            limit.unit = Unit::Input;
        }
    }
    let text = policy(&limits);
    let (gate, clock) = gate(&text);
    let mut world = World::new(&limits);
    let mut open: Vec<(Reservation, Held)> = Vec::new();
    let mut now = 0;
    for _ in 0..STEPS_MAX {
        if !source.goes_on() {
            break;
        }
        now = moved(&source, now, steps_back);
        let at = (Nanos(now), wall(now));
        match source.number(0..=15) {
            0..8 => {
                let ask = asked(&source);
                match (
                    gate.admit_at(&ask.request(), at.0, at.1),
                    world.admit(now, ask),
                ) {
                    (Ok(reservation), Ok(held)) => open.push((reservation, held)),
                    (Err(refusal), Err(expected)) => {
                        assert_eq!(
                            denied(&refusal),
                            expected,
                            "{refusal} at {now} under\n{text}"
                        );
                    }
                    (answer, expected) => {
                        panic!("{answer:?} but {:?} at {now} under\n{text}", expected.err());
                    }
                }
            }
            15 => {
                let reload = gate
                    .reload_at(&text, at.0, at.1)
                    .expect("it was a good policy before");
                assert_eq!(
                    reload.kept.len(),
                    limits.len(),
                    "the same policy keeps everything"
                );
            }
            _ if open.is_empty() => {}
            8..10 => {
                let place = source.index(open.len());
                let (reservation, held) = &mut open[place];
                let input = source.number(1..=8);
                let answer = reservation.extend_at(usage(input, 0), at.0, at.1);
                let answer = answer.map_err(|refusal| denied(&refusal));
                assert_eq!(
                    answer,
                    world.extend(now, held, input),
                    "extending at {now} under\n{text}"
                );
            }
            choice => {
                let (reservation, held) = open.swap_remove(source.index(open.len()));
                let (input, output) = held.charged;
                if choice == 13 && !steps_back {
                    world.end(now, held, |_, _| 0);
                    reservation.release_at(at.0, at.1);
                } else if choice == 14 && !steps_back {
                    world.end(
                        now,
                        held,
                        |limit, charged| if limit.releases { 0 } else { charged },
                    );
                    // A drop reads the gate's own clock.
                    clock.set(at.0);
                    clock.set_wall(at.1);
                    drop(reservation);
                } else {
                    let (input, output) = match source.number(0..=3) {
                        0 => (input, output),
                        1 => (input + source.number(1..=20), output),
                        _ if steps_back => (input, output + source.number(0..=5)),
                        _ => (source.number(0..=input), source.number(0..=output)),
                    };
                    world.end(now, held, |limit, _| limit.cost(input, output));
                    reservation.settle_at(usage(input, output), at.0, at.1);
                }
            }
        }
        world.agrees(&gate, now, &text);
    }
    for (reservation, held) in open {
        reservation.settle_at(usage(held.charged.0, held.charged.1), Nanos(now), wall(now));
    }
}

/// What one limit was charged for a reservation: which of its versions, and the events, in order.
#[derive(Clone, Debug, Default)]
struct Charged {
    version: usize,
    events: Vec<usize>,
}

/// A limit across its reloads.
#[derive(Default)]
struct Kept {
    /// From when on it had which figures, since it last started fresh.
    figures: Vec<(u64, Limit)>,
    /// How often it started fresh.
    version: usize,
    /// By account.
    events: [Vec<Event>; ACCOUNTS],
}

impl Kept {
    fn judge(&self, text: &str) {
        let (_, first) = &self.figures[0];
        for (account, events) in self.events.iter().enumerate() {
            let mut events = events.clone();
            // Only what was kept says from when a debt counts.
            events.retain(|event| event.units > 0);
            match first.algorithm {
                // A wall clock that was set back is counted in the period that had begun, and these two know no time.
                Algorithm::Calendar | Algorithm::Lifetime | Algorithm::Concurrency => {
                    raise_all(&mut events);
                }
                _ => raise_debts(&mut events),
            }
            let verdict = if let Algorithm::Gcra { .. } = first.algorithm {
                let rates = self
                    .figures
                    .iter()
                    .map(|(from, limit)| (*from, RateLimit::new(limit.max, limit.per, limit.max)));
                check_changing(&rates.collect::<Vec<_>>(), events, 0)
            } else {
                let largest = self
                    .figures
                    .iter()
                    .map(|(_, limit)| limit)
                    .max_by_key(|limit| limit.max);
                let law: Law = largest.expect("it had one from the start").law(account);
                law.check(events, 0)
            };
            assert!(
                verdict.held(),
                "{verdict} of {:?} under\n{text}",
                self.figures
            );
        }
    }
}

/// A gate of few accounts, and the record of what it admitted and kept.
struct Recorded {
    gate: Gate,
    clock: ManualClock,
    in_force: Vec<Limit>,
    limits: Vec<Kept>,
    open: Vec<(Reservation, Asked, Vec<Charged>)>,
}

impl Recorded {
    fn charge(
        &mut self,
        now: u64,
        ask: &Asked,
        charged: &mut [Charged],
        cost: impl Fn(&Limit) -> u64,
    ) {
        for (place, limit) in self.in_force.iter().enumerate() {
            if !limit.applies(ask) || cost(limit) == 0 {
                continue;
            }
            let kept = &mut self.limits[place];
            if charged[place].events.is_empty() {
                charged[place].version = kept.version;
            }
            if charged[place].version == kept.version {
                let events = &mut kept.events[limit.account(ask)];
                charged[place].events.push(events.len());
                events.push(Event::admitted(now, cost(limit)));
            }
        }
    }

    fn end(
        &mut self,
        now: u64,
        ask: &Asked,
        charged: &[Charged],
        keeps: impl Fn(&Limit, u64) -> u64,
    ) {
        for (place, limit) in self.in_force.iter().enumerate() {
            let kept = &mut self.limits[place];
            if charged[place].events.is_empty() || charged[place].version != kept.version {
                continue;
            }
            let events = &mut kept.events[limit.account(ask)];
            let units = charged[place]
                .events
                .iter()
                .map(|event| events[*event].units)
                .sum();
            if limit.algorithm == Algorithm::Concurrency {
                events.push(Event::closed(now, units));
                continue;
            }
            let keeps = keeps(limit, units);
            let mut surplus = units.saturating_sub(keeps);
            for event in charged[place].events.iter().rev() {
                let part = surplus.min(events[*event].units);
                events[*event].units -= part;
                surplus -= part;
            }
            if keeps > units {
                events.push(Event::debt(now, keeps - units));
            }
        }
    }

    fn reload(&mut self, source: &Source<'_>, now: u64, accounts: u64) {
        for limit in &mut self.in_force {
            limit.max = source.number(1..=40);
            if let Algorithm::Gcra { capacity, .. } = &mut limit.algorithm {
                *capacity = limit.max;
            }
        }
        let text = text_of(&self.in_force, accounts);
        let reload = self
            .gate
            .reload_at(&text, Nanos(now), wall(now))
            .expect("a good policy");
        for (place, limit) in self.in_force.iter().enumerate() {
            let kept = &mut self.limits[place];
            if reload.fresh.iter().any(|name| **name == place.to_string()) {
                kept.judge(&text);
                *kept = Kept {
                    version: kept.version + 1,
                    ..Kept::default()
                };
            }
            kept.figures.push((now, limit.clone()));
        }
    }
}

fn text_of(limits: &[Limit], accounts: u64) -> String {
    format!("max_accounts = {accounts}\n{}", policy(limits))
}

/// The first law across reloads, evictions, debts, refunds and clocks that step back.
pub(super) fn gate_reloads(bytes: &[u8]) {
    let source = Source::new(bytes);
    let plain = |limit: Limit| {
        let max = limit.max.max(1);
        Limit {
            max,
            algorithm: match limit.algorithm {
                Algorithm::Gcra { .. } => Algorithm::Gcra {
                    capacity: max,
                    initial: None,
                },
                other => other,
            },
            shadow: false,
            overridden: None,
            // Of few lengths, so that rates have a common multiple.
            per: if limit.per.is_multiple_of(2_000 * MILLI) {
                7 * SECOND
            } else {
                SECOND
            },
            ..limit
        }
    };
    let limits: Vec<Limit> = (0..=source.index(3))
        .map(|_| plain(limit(&source)))
        .collect();
    let accounts = source.pick(&[3, 4, 6, 100]);
    let (gate, clock) = gate(&text_of(&limits, accounts));
    let mut recorded = Recorded {
        gate,
        clock,
        limits: limits
            .iter()
            .map(|limit| Kept {
                figures: vec![(0, limit.clone())],
                ..Kept::default()
            })
            .collect(),
        in_force: limits,
        open: Vec::new(),
    };
    let (mut now, mut latest, mut floor) = (0, 0, 0);
    for _ in 0..STEPS_MAX {
        if !source.goes_on() {
            break;
        }
        now = moved(&source, now, true).max(floor);
        latest = now.max(latest);
        let at = (Nanos(now), wall(now));
        match source.number(0..=15) {
            0..9 => {
                let ask = asked(&source);
                if let Ok(reservation) = recorded.gate.admit_at(&ask.request(), at.0, at.1) {
                    let mut charged = vec![Charged::default(); recorded.limits.len()];
                    recorded.charge(now, &ask, &mut charged, |limit| {
                        limit.cost(ask.input, ask.output)
                    });
                    recorded.open.push((reservation, ask, charged));
                }
            }
            15 => {
                // Rates change as of an instant: no `now` is earlier.
                (now, floor) = (latest, latest);
                recorded.reload(&source, now, accounts);
            }
            _ if recorded.open.is_empty() => {}
            9 => {
                let place = source.index(recorded.open.len());
                let (mut reservation, ask, mut charged) = recorded.open.swap_remove(place);
                let input = source.number(1..=8);
                if reservation.extend_at(usage(input, 0), at.0, at.1).is_ok() {
                    let more = |limit: &Limit| {
                        if limit.unit == Unit::Requests {
                            0
                        } else {
                            limit.cost(input, 0)
                        }
                    };
                    recorded.charge(now, &ask, &mut charged, more);
                }
                recorded.open.push((reservation, ask, charged));
            }
            choice => {
                let place = source.index(recorded.open.len());
                let (reservation, ask, charged) = recorded.open.swap_remove(place);
                match choice {
                    10 => {
                        recorded.end(now, &ask, &charged, |_, _| 0);
                        reservation.release_at(at.0, at.1);
                    }
                    11 => {
                        recorded.end(
                            now,
                            &ask,
                            &charged,
                            |limit, units| if limit.releases { 0 } else { units },
                        );
                        // A drop reads the gate's own clock.
                        recorded.clock.set(at.0);
                        recorded.clock.set_wall(at.1);
                        drop(reservation);
                    }
                    _ => {
                        let estimate = *reservation.estimate();
                        let tenths = source.number(0..=13);
                        let part = |units: u64| units * tenths / 10;
                        let (input, output) =
                            (part(estimate.input_tokens), part(estimate.output_tokens));
                        recorded.end(now, &ask, &charged, |limit, _| limit.cost(input, output));
                        reservation.settle_at(usage(input, output), at.0, at.1);
                    }
                }
            }
        }
    }
    let text = text_of(&recorded.in_force, accounts);
    recorded.limits.iter().for_each(|kept| kept.judge(&text));
}
