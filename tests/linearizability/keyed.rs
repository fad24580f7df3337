//! A table of limits: each key is a limit of its own, whoever else comes, goes, or takes over its slot.

use crate::histories::{Instants, Rounds, SECOND, cost, held};
use std::time::Duration;
use tollgate_core::{Limit, Nanos};
use tollgate_table::{Class, GRACE, KeyedDecision, KeyedLimiter};
use tollgate_testkit::{
    Answer, RateLimit,
    linear::{Around, Spec},
    model::{Gcra, Model},
};

const KEYS: u64 = 6;

/// One call: a key, a cost and an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Asked {
    key: u64,
    cost: u64,
    at: u64,
}

/// The limits of each key. Under two, a denial may also be due to a charge of the first that another caller of the key
/// is about to back out of, or has just made.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Keys(Vec<Vec<Gcra>>);

impl Keys {
    fn new(limits: &[RateLimit]) -> Self {
        let fresh: Vec<Gcra> = limits
            .iter()
            .map(|limit| Gcra::quantized(*limit, 16))
            .collect();
        Self(vec![fresh; usize::try_from(KEYS).expect("few")])
    }
}

impl Spec for Keys {
    type Ask = Asked;
    type Heard = Answer;

    fn step(&mut self, around: &Around<'_, Asked, Answer>) -> bool {
        let Asked { key, cost, at } = around.call().ask;
        let limits = &mut self.0[usize::try_from(key).expect("few")];
        // Of two limits the first may hold units of callers under way.
        let under_way = around
            .overlapping()
            .filter(|(call, before)| call.ask.key == key && !(call.heard.admitted() && *before))
            .map(|(call, _)| call.ask.cost);
        let fuller = under_way.sum::<u64>();
        let answers = limits.iter().map(|limit| limit.look(at, cost));
        let longest = answers
            .max_by_key(|answer| answer.retry_after())
            .expect("a limit");
        match (around.call().heard, longest) {
            (Answer::Admit, Answer::Admit) => {
                for limit in limits {
                    limit.charge(at, cost);
                }
                true
            }
            (Answer::Admit, _) => false,
            (heard, Answer::Admit) => {
                limits.len() == 2
                    && !heard.admitted()
                    && !limits[0].look(at, cost + fuller).admitted()
            }
            (heard, longest) if limits.len() == 1 || around.alone() => heard == longest,
            // Either limit may tell its wait, the first with what callers under way may have charged to it.
            (Answer::Wait(heard), Answer::Wait(_)) => {
                let waits = [limits[0].look(at, cost + fuller), limits[1].look(at, cost)];
                let most = waits.map(wait_of).into_iter().max();
                let least = limits.iter().map(|limit| wait_of(limit.look(at, cost)));
                let least = least.filter(|wait| *wait > 0).min();
                least <= Some(heard) && Some(heard) <= most
            }
            (heard, longest) => heard == longest,
        }
    }
}

/// In nanoseconds; the longest for what never fits.
fn wait_of(answer: Answer) -> u128 {
    match answer {
        Answer::Admit => 0,
        Answer::Wait(wait) => wait,
        Answer::Never => u128::MAX,
    }
}

fn table(name: &str, class: Class, limits: &[RateLimit], rounds: &Rounds) {
    held(name, |seed| {
        // Four lines of four slots, of which few are in use: every key finds one.
        let table = KeyedLimiter::<u64>::builder(class)
            .max_keys(8)
            .seed(seed)
            .build()
            .expect("a small table");
        let calls = rounds.run(seed, |scribe, chance, _, at| {
            let asked = Asked {
                key: chance.below(KEYS) / (1 + chance.below(3)),
                cost: 1 + chance.below(2),
                at,
            };
            scribe.call(asked, |_| {
                let answer = match table.try_acquire_at(&asked.key, cost(asked.cost), Nanos(at)) {
                    Ok(KeyedDecision::Allowed(_)) => Answer::Admit,
                    Ok(KeyedDecision::Denied(denied)) => {
                        Answer::Wait(denied.retry_after().as_nanos())
                    }
                    Ok(KeyedDecision::Full(_)) => panic!("no slot for {asked:?}"),
                    Err(_) => Answer::Never,
                };
                (answer, ())
            });
        });
        (Keys::new(limits), calls)
    });
}

fn rounds(step: u64, instants: Instants) -> Rounds {
    Rounds {
        rounds: 6,
        ..Rounds::new(step, instants)
    }
}

/// All come back within the rounds, so slots are taken over again and again.
#[test]
fn a_keyed_limiter_answers_as_one_caller_at_a_time_would_hear() {
    let limit = Limit::per_second(7).with_capacity(3);
    let plain = [RateLimit::new(7, SECOND, 3)];
    let together = rounds(SECOND / 40, Instants::Rounds);
    table("KeyedLimiter", limit.into(), &plain, &together);

    // No call is older than the latest by more than the grace: 140 steps at most, in a round.
    const STEP: u64 = 50_000;
    assert!(Duration::from_nanos(140 * STEP) < GRACE);
    let limit =
        Limit::new(7, Duration::from_nanos(40 * STEP)).and_then(|limit| limit.try_with_capacity(3));
    let plain = [RateLimit::new(7, 40 * STEP, 3)];
    let drawn = Rounds {
        pause: 50,
        ..rounds(STEP, Instants::Drawn)
    };
    table(
        "KeyedLimiter, Drawn",
        limit.expect("a small limit").into(),
        &plain,
        &drawn,
    );
}

#[test]
fn keys_under_two_limits_are_denied_only_for_what_is_taken_or_backed_out() {
    let class = [
        Limit::per_second(9).with_capacity(4),
        Limit::per_second(5).with_capacity(3),
    ];
    let plain = [RateLimit::new(9, SECOND, 4), RateLimit::new(5, SECOND, 3)];
    let together = rounds(SECOND / 40, Instants::Rounds);
    table("KeyedLimiter, two limits", class.into(), &plain, &together);
}
