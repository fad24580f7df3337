//! The laws of a limiter, over random limits, costs and clocks: judged by the oracle, and answer by answer by an
//! exact model that shares no code with this crate.
#![cfg(not(any(model_loom, model_shuttle)))]

use proptest::{collection::vec, prelude::*};
use std::time::Duration;
use tollgate_core::{
    Cost, Decision, Limit, LimitError, Limiter, ManualClock, Nanos, TokenBucket, Turn,
};
use tollgate_testkit::{
    Answer, RateLimit,
    law::{Event, Law},
    model::{Gcra, Model},
};

/// Quanta in a nanosecond, as documented.
const QUANTA_PER_NANO: u64 = 16;
const HOUR: u64 = 3_600_000_000_000;

/// Limits whose edges are met often, and limits as people have them.
fn limits() -> impl Strategy<Value = RateLimit> {
    prop_oneof![
        (1..=40_u64, 1..=60_u64, 1..=12_u64),
        (
            1..=1_000_000_u64,
            prop::sample::select(vec![1_000_000_000, HOUR / 60, HOUR]),
            1..=1_000_000_u64
        ),
        (Just(1_u64), 1..=24 * HOUR, 1..=100_u64),
        (
            100_000_000..=16_000_000_000_u64,
            Just(1_000_000_000_u64),
            1..=(1_u64 << 40)
        ),
    ]
    .prop_map(|(units, period, capacity)| RateLimit::new(units, period, capacity))
    .prop_filter("refused when built", |plain| build(*plain).is_ok())
}

fn build(plain: RateLimit) -> Result<Limiter<ManualClock>, LimitError> {
    let limit = Limit::new(plain.units, Duration::from_nanos(plain.period))?;
    Limiter::with_clock(limit.try_with_capacity(plain.capacity)?, ManualClock::new())
}

fn limiter(plain: RateLimit) -> Limiter<ManualClock> {
    build(plain).expect("filtered above")
}

/// A request: which part of the capacity it asks for (or one unit, or one too many), and how the clock moved before it.
#[derive(Clone, Copy, Debug)]
struct Ask {
    share: u64,
    step: i64,
}

fn asks() -> impl Strategy<Value = Vec<Ask>> {
    let step = prop_oneof![
        4 => Just(0_i64),
        4 => 0..=40_i64,
        2 => 0..=5_000_000_000_i64,
        1 => -40..=0_i64,
        1 => -5_000_000_000..=0_i64,
    ];
    vec(
        (0..=70_u64, step).prop_map(|(share, step)| Ask { share, step }),
        1..80,
    )
}

impl Ask {
    fn cost(self, capacity: u64) -> u64 {
        match self.share {
            0..=25 => 1,
            70 => capacity + 1,
            share => {
                let units = u128::from(capacity) * u128::from(share - 25) / 44;
                u64::try_from(units).expect("a part of 64 bits").max(1)
            }
        }
    }
}

fn cost(units: u64) -> Cost {
    Cost::new(units).expect("a cost")
}

fn answer(decision: &Decision) -> Answer {
    match decision {
        Decision::Allowed(_) => Answer::Admit,
        Decision::Denied(denied) => Answer::Wait(denied.retry_after().as_nanos()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// Every answer is that of the exact model, its figures too, and the first law holds without slack.
    #[test]
    fn answers_are_the_models(plain in limits(), asks in asks()) {
        let limiter = limiter(plain);
        let mut model = Gcra::quantized(plain, QUANTA_PER_NANO);
        let mut now = 10 * HOUR;
        let mut admitted = Vec::new();
        for ask in asks {
            now = now.saturating_add_signed(ask.step);
            let units = ask.cost(plain.capacity);
            let expected = model.try_acquire(now, units);
            let Ok(decision) = limiter.try_acquire_at(cost(units), Nanos::new(now)) else {
                prop_assert_eq!(expected, Answer::Never);
                continue;
            };
            prop_assert_eq!(answer(&decision), expected, "{} units at {}", units, now);
            let used = model.used(now);
            let remaining = u128::from(decision.snapshot().remaining());
            prop_assert_eq!(remaining, u128::from(plain.capacity).saturating_sub(used));
            prop_assert_eq!(decision.snapshot(), limiter.peek_at(Nanos::new(now)));
            if decision.is_allowed() {
                admitted.push(Event::admitted(now, units));
            }
        }
        let verdict = Law::Rate(plain).check(admitted, 0);
        prop_assert!(verdict.held(), "{}", verdict);
    }

    /// A nanosecond less than `retry_after` is denied, and at it the cost passes.
    #[test]
    fn retry_after_is_the_least_wait(plain in limits(), asks in asks()) {
        let limiter = limiter(plain);
        let mut now = 10 * HOUR;
        for ask in asks {
            now = now.saturating_add_signed(ask.step);
            let Ok(Decision::Denied(denied)) =
                limiter.try_acquire_at(cost(ask.cost(plain.capacity)), Nanos::new(now))
            else {
                continue;
            };
            let cost = cost(ask.cost(plain.capacity));
            let due = Nanos::new(now) + denied.retry_after();
            prop_assert!(denied.retry_after() > Duration::ZERO);
            prop_assert!(limiter.peek_at(Nanos::new(due.0 - 1)).ask(cost).expect("it fits").is_denied());
            prop_assert!(limiter.peek_at(due).ask(cost).expect("it fits").is_allowed());
        }
    }

    /// Alone and asking again at each `retry_after`, a caller gets the whole rate but for the rounding of a unit's time
    /// to whole quanta. No fraction is lost from one round to the next, unless the capacity is one: that has no
    /// room for what comes in while `now` counts on to the next whole nanosecond.
    #[test]
    fn asking_at_each_retry_after_gets_the_whole_rate(plain in limits(), rounds in 1..200_u64) {
        // At most a unit a nanosecond: else there are rounds without a denial.
        let plain = RateLimit::new(plain.units.min(plain.period), plain.period, plain.capacity);
        let quanta = (u128::from(plain.period) * 16).div_ceil(u128::from(plain.units));
        let limiter = limiter(plain);
        let mut now = Nanos::ZERO;
        prop_assert!(limiter.try_acquire_at(cost(plain.capacity), now).expect("it fits").is_allowed());
        for _ in 0..rounds {
            let Ok(Decision::Denied(denied)) = limiter.try_acquire_at(Cost::ONE, now) else {
                return Err(TestCaseError::fail("admitted early"));
            };
            now = now + denied.retry_after();
            prop_assert!(limiter.try_acquire_at(Cost::ONE, now).expect("it fits").is_allowed());
        }
        let rounds = u128::from(rounds);
        let due = if plain.capacity > 1 { (rounds * quanta).div_ceil(16) } else { rounds * quanta.div_ceil(16) };
        prop_assert_eq!(u128::from(now.0), due);
    }

    /// Whatever becomes of turns and in whichever order: the first law holds at the instants they are due, and a turn
    /// that is dropped while somebody waits behind it changes nothing for anybody.
    #[test]
    fn turns_keep_the_law_in_whatever_order_they_end(
        plain in limits(),
        asks in asks(),
        ends in vec((any::<prop::sample::Index>(), any::<bool>()), 80),
        wait_max in prop_oneof![Just(0_u64), 0..200_u64, 0..HOUR],
    ) {
        let limiter = limiter(plain);
        let mut now = 10 * HOUR;
        let mut open: Vec<(Turn<'_>, u64)> = Vec::new();
        let mut kept = Vec::new();
        for (number, (ask, (place, take))) in asks.iter().zip(ends).enumerate() {
            now = now.saturating_add_signed(ask.step);
            let units = ask.cost(plain.capacity);
            if number % 3 == 0 {
                let taken = limiter.try_acquire_at(cost(units), Nanos::new(now));
                if taken.is_ok_and(|decision| decision.is_allowed()) {
                    kept.push(Event::admitted(now, units));
                }
            } else if let Ok(turn) = limiter.turn_at(cost(units), Duration::from_nanos(wait_max), Nanos::new(now)) {
                prop_assert!(turn.wait(Nanos::new(now)) <= Duration::from_nanos(wait_max));
                prop_assert!(turn.ready_at() >= Nanos::new(now));
                open.push((turn, units));
            }
            if ask.share % 2 == 1 && !open.is_empty() {
                let (place, newest) = (place.index(open.len()), open.len() - 1);
                let before = limiter.peek_at(Nanos::new(now));
                let (turn, units) = open.remove(place);
                if take {
                    kept.push(Event::admitted(turn.ready_at().0, units));
                    turn.take();
                } else {
                    drop(turn);
                }
                let after = limiter.peek_at(Nanos::new(now));
                prop_assert!(after.reset_after() <= before.reset_after());
                prop_assert!(after == before || (place == newest && !take));
            }
        }
        for (turn, units) in open {
            kept.push(Event::admitted(turn.ready_at().0, units));
            turn.take();
        }
        let verdict = Law::Rate(plain).check(kept, 0);
        prop_assert!(verdict.held(), "{}", verdict);
    }

    /// Nobody who asks later is due earlier, by a clock that does not step back.
    #[test]
    fn turns_are_due_in_the_order_they_were_taken(plain in limits(), asks in asks(), wait_max in 0..HOUR) {
        let limiter = limiter(plain);
        let (mut now, mut due) = (0, Nanos::ZERO);
        for ask in asks {
            now += ask.step.unsigned_abs();
            let wait_max = Duration::from_nanos(wait_max);
            if let Ok(turn) = limiter.turn_at(cost(ask.cost(plain.capacity)), wait_max, Nanos::new(now)) {
                prop_assert!(turn.ready_at() >= due);
                due = turn.ready_at();
                turn.take();
            }
        }
    }

    /// All turns dropped newest first leave the limiter as it was.
    #[test]
    fn turns_dropped_newest_first_leave_no_trace(plain in limits(), asks in asks()) {
        let limiter = limiter(plain);
        let now = Nanos::new(10 * HOUR);
        let before = limiter.peek_at(now);
        let mut open = Vec::new();
        for ask in &asks {
            open.extend(limiter.turn_at(cost(ask.cost(plain.capacity)), Duration::from_secs(60), now).ok());
        }
        while open.pop().is_some() {}
        prop_assert_eq!(limiter.peek_at(now), before);
    }

    /// A fractional rate is never exceeded, and missed by less than a quantum a unit. The rate is taken as the exact
    /// fraction that the double is.
    #[test]
    fn fractional_rates_are_exact(mantissa in 1..(1_u64 << 30), shift in 0..40_u32, capacity in 1..50_u64) {
        // mantissa / 2^shift units a second, exactly.
        let rate = mantissa as f64 / (1_u64 << shift) as f64;
        let Ok(bucket) = TokenBucket::builder(capacity).rate(rate).build_with_clock(ManualClock::new()) else {
            // A unit takes 10^9 × 2^shift / mantissa nanoseconds; six and a half years are 2 × 10^17.
            let unit = (1_000_000_000_u128 << shift) / u128::from(mantissa);
            prop_assert!(unit * u128::from(capacity) > 200_000_000_000_000_000);
            return Ok(());
        };
        prop_assert!(bucket.try_acquire(capacity).expect("it fits").is_allowed());
        let quanta = (16_000_000_000_u128 << shift).div_ceil(u128::from(mantissa));
        for units in 1..=capacity {
            let wait = bucket.wait_time(units).expect("it fits").as_nanos();
            prop_assert_eq!(wait, (quanta * u128::from(units)).div_ceil(16));
        }
    }
}
