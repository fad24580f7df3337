//! What refunds bring back on the trace when estimates are too large and the truth comes late.
//!
//! The limit is a gcra of 226,000 tokens a minute, half the demand, with the capacity of a minute. The measure is
//! the tokens admitted, by their true number, against perfect estimates that are settled at once.

use crate::{
    replay::{MINUTE, usage, wall},
    rows::{Trace, load},
};
use std::{cmp::Reverse, collections::BinaryHeap};
use tollgate_core::{ManualClock, Nanos};
use tollgate_policy::{Gate, Request, Reservation};
use tollgate_testkit::{
    RateLimit,
    law::{Event, Law},
};

const TOKENS: u64 = 226_000;
const SECOND: u64 = 1_000_000_000;
const HOLD: u64 = 30 * SECOND;

/// How long a request takes.
#[derive(Clone, Copy, Debug)]
enum Hold {
    None,
    /// Always so many nanoseconds.
    Fixed(u64),
    /// As chance has it, with this mean and from this seed.
    Exponential {
        mean: u64,
        seed: u64,
    },
}

/// What a replay came to.
#[derive(Debug)]
struct Outcome {
    /// Tokens admitted, by their true number.
    admitted: u64,
    /// The least slack with which these obey the first law.
    slack: u128,
    /// The most surplus that was in flight at an instant: tokens estimated beyond the truth and not yet settled.
    surplus_max: u64,
}

/// A small generator of chance: the same numbers everywhere for the same seed.
struct Chance(u64);

impl Chance {
    /// A number above 0 and below 1.
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }
}

impl Hold {
    fn chance(self) -> Chance {
        let seed = match self {
            Self::Exponential { seed, .. } => seed,
            Self::None | Self::Fixed(_) => 1,
        };
        Chance(seed)
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a length of time is above zero"
    )]
    fn draw(self, chance: &mut Chance) -> u64 {
        match self {
            Self::None => 0,
            Self::Fixed(nanos) => nanos,
            Self::Exponential { mean, .. } => (-chance.next().ln() * mean as f64) as u64,
        }
    }
}

/// Requests in flight, by the instant they are due, then by row.
type Due = BinaryHeap<Reverse<(u64, usize)>>;

fn replay(trace: &Trace, refund: &str, factor: u64, hold: Hold) -> Outcome {
    let policy = format!(
        "[[limit]]\nname = \"tpm\"\nunit = \"tokens\"\nmax = {TOKENS}\nper = \"1m\"\nrefund = \"{refund}\""
    );
    let clock = ManualClock::new();
    clock.set_wall(wall(trace.start));
    let gate = Gate::builder()
        .clock(clock)
        .build(&policy)
        .expect("a good policy");
    let mut open: Vec<Option<Reservation>> = trace.rows.iter().map(|_| None).collect();
    let mut due = Due::new();
    let mut chance = hold.chance();
    let mut kept = Vec::new();
    let (mut surplus, mut surplus_max) = (0, 0);
    let settle = |open: &mut [Option<Reservation>], at: u64, row: usize| {
        let actual = &trace.rows[row];
        let reservation = open[row].take().expect("settled once");
        reservation.settle_at(
            usage(actual.input, actual.output),
            Nanos(at),
            wall(trace.start + at),
        );
        actual.tokens() * (factor - 1)
    };

    for (number, row) in trace.rows.iter().enumerate() {
        while let Some(&Reverse((at, earlier))) = due.peek()
            && at <= row.now
        {
            due.pop();
            surplus -= settle(&mut open, at, earlier);
        }
        let request = Request::new()
            .input_tokens(row.input * factor)
            .output_tokens(row.output * factor);
        let Ok(reservation) = gate.admit_at(&request, Nanos(row.now), wall(trace.start + row.now))
        else {
            continue;
        };
        kept.push(Event::admitted(row.now, row.tokens()));
        open[number] = Some(reservation);
        surplus += row.tokens() * (factor - 1);
        surplus_max = surplus_max.max(surplus);
        let at = row.now + hold.draw(&mut chance);
        if at == row.now {
            surplus -= settle(&mut open, at, number);
        } else {
            due.push(Reverse((at, number)));
        }
    }
    while let Some(Reverse((at, row))) = due.pop() {
        settle(&mut open, at, row);
    }

    Outcome {
        admitted: kept.iter().map(|event| event.units).sum(),
        slack: Law::Rate(RateLimit::new(TOKENS, MINUTE, TOKENS)).least_slack(kept),
        surplus_max,
    }
}

/// Runs it, tells the share of what perfect estimates admit, and asks for `least` percent of that.
fn brings_back(trace: &Trace, refund: &str, factor: u64, hold: Hold, least: u64) -> Outcome {
    let perfect = replay(trace, "exact", 1, Hold::None);
    assert_eq!((perfect.slack, perfect.surplus_max), (0, 0));
    let outcome = replay(trace, refund, factor, hold);
    let (admitted, whole) = (outcome.admitted, perfect.admitted);
    let share = admitted as f64 / whole as f64 * 100.0;
    println!("{refund}, {factor} times, {hold:?}: {share:.2} % of {whole} tokens, {outcome:?}");
    assert!(
        admitted * 100 >= whole * least,
        "{share:.2} % is less than {least} %"
    );
    outcome
}

fn exactly(trace: &Trace, factor: u64, hold: Hold, least: u64) {
    let outcome = brings_back(trace, "exact", factor, hold, least);
    assert_eq!(outcome.slack, 0, "refilled tokens were admitted twice");
}

#[test]
fn exact_refunds_after_30_seconds() {
    let Some(trace) = load() else { return };
    exactly(&trace, 2, Hold::Fixed(HOLD), 98);
    exactly(&trace, 4, Hold::Fixed(HOLD), 70);
}

#[test]
fn exact_refunds_after_exponential_holds() {
    let Some(trace) = load() else { return };
    for seed in [88_172_645_463_325_252, 2_463_534_242, 362_436_069_521_288] {
        let hold = Hold::Exponential { mean: HOLD, seed };
        exactly(&trace, 2, hold, 98);
        exactly(&trace, 4, hold, 80);
    }
}

/// The declared slack of an eager refund is the most surplus that is in flight at an instant. Let V be the backlog of a
/// queue that knew every actual cost at admission, M the meter's, S the surplus in flight. Admitting and refunding
/// never raise V + S - M, and draining does only while V is zero; so V is at most M, thus the capacity, plus
/// the largest S.
#[test]
fn eager_refunds_after_30_seconds_stay_within_the_surplus_in_flight() {
    let Some(trace) = load() else { return };
    let outcome = brings_back(&trace, "eager", 4, Hold::Fixed(HOLD), 97);
    assert!(
        outcome.slack <= u128::from(outcome.surplus_max),
        "{outcome:?}"
    );
}
