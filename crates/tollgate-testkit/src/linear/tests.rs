//! The search against every order tried, and planted races.

use super::*;
use crate::{
    answer::Answer,
    limit::RateLimit,
    model::{Gcra, Lifetime, Model, SlidingLog},
};
use proptest::prelude::*;
use std::sync::{
    Barrier, Mutex,
    atomic::{AtomicU64, Ordering::SeqCst},
};

/// A counter with room for some: takes or denies, and tells what is left.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Left(u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Question {
    Take(u64),
    Left,
}

impl Spec for Left {
    type Ask = Question;
    type Heard = Option<u64>;

    fn step(&mut self, around: &Around<'_, Question, Option<u64>>) -> bool {
        let call = around.call();
        match (call.ask, call.heard) {
            (Question::Take(units), Some(1)) => self
                .0
                .checked_sub(units)
                .map(|left| self.0 = left)
                .is_some(),
            (Question::Take(units), _) => units > self.0,
            (Question::Left, left) => left == Some(self.0),
        }
    }
}

type History = Vec<Call<Question, Option<u64>>>;

/// Every order of `left` tried that keeps to the times.
fn any_order(state: &Left, left: &History) -> bool {
    left.is_empty()
        || (0..left.len()).any(|next| {
            let mut rest = left.clone();
            let call = rest.remove(next);
            if rest.iter().any(|other| other.ended < call.began) {
                return false;
            }
            let mut state = state.clone();
            let alone = Around {
                calls: std::slice::from_ref(&call),
                place: 0,
                first: 0,
                overlapping: &[],
                taken: 0,
            };
            state.step(&alone) && any_order(&state, &rest)
        })
}

/// Histories of up to three threads, each call at times of its own.
fn histories() -> impl Strategy<Value = History> {
    let call = (
        0_usize..3,
        0_u64..4,
        1_u64..6,
        prop_oneof![3 => (1_u64..4).prop_map(Question::Take), 1 => Just(Question::Left)],
        prop_oneof![Just(None), Just(Some(1)), (0_u64..4).prop_map(Some)],
    );
    prop::collection::vec(call, 0..8).prop_map(|calls| {
        let mut ended = [0; 3];
        let mut history: History = calls
            .into_iter()
            .map(|(thread, pause, length, ask, heard)| {
                // No two points are one: threads take turns of three.
                let began = ended[thread] + 3 * (pause + 1) + thread as u64 % 3;
                ended[thread] = began - thread as u64 % 3 + 3 * length;
                let ended = ended[thread] + thread as u64 % 3;
                Call {
                    thread,
                    began,
                    ended,
                    ask,
                    heard,
                }
            })
            .collect();
        history.sort_by_key(|call| call.began);
        history
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn finds_an_order_exactly_where_there_is_one(room in 0_u64..6, history in histories()) {
        let found = check(&Left(room), &history);
        prop_assert_eq!(found.held(), any_order(&Left(room), &history), "{:?}", found);
    }

    /// What is shown is itself no history that could be explained, and the calls before it are.
    #[test]
    fn what_it_shows_is_broken_by_itself(room in 0_u64..6, history in histories()) {
        if let Verdict::Broken(breach) = check(&Left(room), &history) {
            prop_assert!(any_order(&Left(room), &breach.explained));
            let ended = |call: &&Call<_, _>| call.ended <= breach.until;
            prop_assert!(breach.stretch.iter().any(|call| call.ended == breach.until));
            // Whichever of the calls under way then happened before: none of these choices explains the others.
            let mut shown = breach.explained.clone();
            shown.extend(breach.stretch.iter().filter(ended).cloned());
            let pending: History = breach.stretch.iter().filter(|call| !ended(call)).cloned().collect();
            for choice in 0..1_u32 << pending.len() {
                let mut history = shown.clone();
                let chosen = (0..pending.len()).filter(|place| choice >> place & 1 == 1);
                history.extend(chosen.map(|place| pending[place].clone()));
                prop_assert!(!any_order(&Left(room), &history));
            }
        }
    }
}

fn acquire(id: u64, cost: u64) -> Ask {
    Ask::Acquire { id, at: 0, cost }
}

/// Two threads that both looked before either took: the window is held open, so every run shows it.
#[test]
fn a_check_before_its_update_is_found() {
    let (used, both_looked) = (AtomicU64::new(0), Barrier::new(2));
    let calls = record(&AtomicU64::new(0), 2, |scribe| {
        scribe.call(acquire(scribe.thread() as u64, 1), |_| {
            let seen = used.load(SeqCst);
            both_looked.wait();
            used.store(seen + 1, SeqCst);
            (Heard::Answer(Answer::Admit), ())
        });
    });
    let verdict = check(&OneLimit::new(Lifetime::new(1)), &calls);
    let Verdict::Broken(breach) = verdict else {
        panic!("{verdict:?}");
    };
    assert!(
        breach
            .to_string()
            .ends_with("no order of the last 2 gives these answers"),
        "{breach}"
    );
    assert!(check(&OneLimit::new(Lifetime::new(2)), &calls).held());
}

/// A limit behind a lock, with refunds and debt, however threads race.
#[test]
fn a_limit_behind_a_lock_is_its_model() {
    let limit = RateLimit::new(1, 10, 12);
    for round in 0..50 {
        let model = Mutex::new((Gcra::new(limit), Vec::new()));
        let calls = record(&AtomicU64::new(0), 3, |scribe| {
            for number in 0..8 {
                let thread = scribe.thread() as u64;
                let (id, at) = (thread * 100 + number, (number + round) / 3 * 20);
                let ask = match (thread + number) % 4 {
                    0 => Ask::Debt { at, extra: 1 },
                    1 => Ask::Used { at },
                    _ => Ask::Acquire {
                        id,
                        at,
                        cost: 2 + thread,
                    },
                };
                scribe.call(ask, |ask| {
                    let (model, receipts) = &mut *model.lock().expect("nobody panics");
                    let heard = match *ask {
                        Ask::Debt { at, extra } => {
                            model.charge_anyway(at, extra);
                            Heard::Taken
                        }
                        Ask::Used { at } => {
                            Heard::Used(u64::try_from(model.used(at)).expect("few"))
                        }
                        Ask::Acquire { id, at, cost } => {
                            let answer = model.look(at, cost);
                            if answer.admitted() {
                                receipts.push((id, model.charge(at, cost)));
                            }
                            Heard::Answer(answer)
                        }
                        Ask::Refund { .. } => Heard::Taken,
                    };
                    (heard, ())
                });
            }
        });
        let verdict = check(&OneLimit::new(Gcra::new(limit)), &calls);
        assert!(verdict.held(), "{verdict:?}");
    }
}

fn at(began: u64, ended: u64, ask: Ask, heard: Heard) -> Call<Ask, Heard> {
    Call {
        thread: 0,
        began,
        ended,
        ask,
        heard,
    }
}

#[test]
fn allowances_hold_only_where_something_was_under_way() {
    let admit = Heard::Answer(Answer::Admit);
    let calls = |second_began| {
        [
            at(0, 3, acquire(0, 2), admit),
            at(second_began, second_began + 1, acquire(1, 2), Heard::Denied),
        ]
    };
    let fuller: one::Allowance = |around| around.overlapping().map(|_| 2).sum();
    let spec = || OneLimit::new(SlidingLog::new(10, 5));
    assert!(!check(&spec(), &calls(1)).held());
    assert!(check(&spec().may_seem_fuller(fuller), &calls(1)).held());
    assert!(!check(&spec().may_seem_fuller(fuller), &calls(4)).held());

    let refund = Ask::Refund {
        of: 0,
        at: 0,
        surplus: 2,
    };
    let gives = |units| {
        [
            at(0, 1, acquire(0, 4), admit),
            at(2, 5, refund, Heard::Gave(units)),
            at(3, 4, Ask::Used { at: 0 }, Heard::Used(4)),
            at(6, 7, Ask::Used { at: 0 }, Heard::Used(4 - units)),
        ]
    };
    let less = || spec().may_give_less(fuller);
    assert!(check(&spec(), &gives(2)).held());
    assert!(!check(&spec(), &gives(1)).held());
    assert!(check(&less(), &gives(1)).held());
    assert!(!check(&less(), &gives(3)).held());
}

#[test]
fn what_takes_too_long_is_undecided() {
    // Twenty denials that all overlap, and one admission that none explains.
    let denied = |n| at(n, 100 + n, acquire(n, 1), Heard::Answer(Answer::Never));
    let mut calls: Vec<_> = (0..20).map(denied).collect();
    calls.push(at(30, 31, acquire(30, 1), Heard::Answer(Answer::Admit)));
    let spec = OneLimit::new(Lifetime::new(0));
    assert!(matches!(
        check_within(1_000, &spec, &calls),
        Verdict::Undecided(_)
    ));
}
