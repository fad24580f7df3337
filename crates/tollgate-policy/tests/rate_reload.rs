//! Open reservations of a gcra limit whose rate is changed on a reload.

use tollgate_core::ManualClock;
use tollgate_policy::{Gate, Request, Usage};

fn policy(max: u64) -> String {
    format!("[[limit]]\nname = \"tph\"\nunit = \"tokens\"\nmax = {max}\nper = \"1h\"")
}

fn tokens(tokens: u64) -> Request<'static> {
    Request::new().input_tokens(tokens)
}

fn used(gate: &Gate) -> u64 {
    gate.usage(&[])[0].used
}

/// Each change of a rate used to forfeit the surplus of every open request.
#[test]
fn an_open_reservation_gives_back_through_changes_of_the_rate() {
    let clock = ManualClock::new();
    let gate = Gate::builder().clock(clock).build(&policy(100)).unwrap();
    let released = gate.admit(&tokens(60)).unwrap();
    let settled = gate.admit(&tokens(40)).unwrap();
    for max in [101, 500, 333] {
        let reload = gate.reload(&policy(max)).unwrap();
        assert_eq!(reload.kept, ["tph".into()]);
    }
    assert!((100..=103).contains(&used(&gate)), "{}", used(&gate));
    released.release();
    assert!((40..=43).contains(&used(&gate)), "{}", used(&gate));
    settled.settle(Usage {
        input_tokens: 10,
        ..Usage::default()
    });
    assert!((10..=13).contains(&used(&gate)), "{}", used(&gate));
    // What was used beyond an estimate follows too.
    let late = gate.admit(&tokens(5)).unwrap();
    gate.reload(&policy(77)).unwrap();
    late.settle(Usage {
        input_tokens: 50,
        ..Usage::default()
    });
    assert!((60..=64).contains(&used(&gate)), "{}", used(&gate));
}
