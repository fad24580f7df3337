//! Our search against another: stateright's tester, on the same histories.

use crate::histories::Chance;
use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};
use tollgate_testkit::linear::{Around, Call, Spec, check};

/// A counter with room for some, in both houses' terms. True: taken.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Room(u64);

impl Spec for Room {
    type Ask = u64;
    type Heard = bool;

    fn step(&mut self, around: &Around<'_, u64, bool>) -> bool {
        self.invoke(&around.call().ask) == around.call().heard
    }
}

impl SequentialSpec for Room {
    type Op = u64;
    type Ret = bool;

    fn invoke(&mut self, units: &u64) -> bool {
        let left = self.0.checked_sub(*units);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }
}

/// Calls of three threads. Each is answered right when it ends, or when it begins, but for one in eight: some histories
/// can be explained, some cannot.
fn history(room: u64, seed: u64) -> Vec<Call<u64, bool>> {
    let mut chance = Chance::new(seed, 0);
    let (mut point, mut calls, mut open, mut state) = (0, Vec::new(), [None; 3], Room(room));
    for _ in 0..20 {
        let thread = usize::try_from(chance.below(3)).expect("three");
        match open[thread].take() {
            None => {
                let ask = 1 + chance.below(3);
                let early = chance.once_in(2).then(|| state.invoke(&ask));
                open[thread] = Some((point, ask, early));
            }
            Some((began, ask, early)) => {
                let heard = early.unwrap_or_else(|| state.invoke(&ask)) ^ chance.once_in(8);
                calls.push(Call {
                    thread,
                    began,
                    ended: point,
                    ask,
                    heard,
                });
            }
        }
        point += 1;
    }
    calls.sort_by_key(|call| call.began);
    calls
}

/// As stateright sees it: what begins and ends, in order.
fn by_stateright(room: u64, calls: &[Call<u64, bool>]) -> bool {
    let mut tester = LinearizabilityTester::new(Room(room));
    let mut points: Vec<(u64, &Call<u64, bool>)> = Vec::new();
    points.extend(
        calls
            .iter()
            .flat_map(|call| [(call.began, call), (call.ended, call)]),
    );
    points.sort_by_key(|(point, _)| *point);
    for (point, call) in points {
        let noted = if point == call.began {
            tester.on_invoke(call.thread, call.ask)
        } else {
            tester.on_return(call.thread, call.heard)
        };
        noted.expect("calls of a thread follow one another");
    }
    tester.is_consistent()
}

#[test]
fn both_searches_agree() {
    let (mut explained, mut not) = (0, 0);
    for seed in 0..3_000 {
        let room = 1 + seed % 7;
        let calls = history(room, seed);
        let held = check(&Room(room), &calls).held();
        assert_eq!(
            held,
            by_stateright(room, &calls),
            "room for {room}: {calls:#?}"
        );
        if held { explained += 1 } else { not += 1 }
    }
    assert!(explained > 300 && not > 300, "{explained} and {not}");
}
