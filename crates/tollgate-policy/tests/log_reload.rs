//! A log keeps what it has committed, whatever becomes of its maximum.

use std::time::Duration;
use tollgate_core::ManualClock;
use tollgate_policy::{Gate, Refusal, Request, Reservation, Usage};

fn policy(max: u64) -> String {
    format!(
        r#"
        [[limit]]
        name = "minute"
        by = ["agent"]
        unit = "tokens"
        max = {max}
        per = "1m"
        algorithm = "log"
        "#
    )
}

fn gate(max: u64) -> (Gate, ManualClock) {
    let clock = ManualClock::new();
    let gate = Gate::builder().clock(clock.clone());
    (gate.build(&policy(max)).unwrap(), clock)
}

fn admit(gate: &Gate, tokens: u64) -> Result<Reservation, Refusal> {
    gate.admit(&Request::new().with("agent", "a").input_tokens(tokens))
}

fn spent(tokens: u64) -> Usage {
    Usage {
        input_tokens: tokens,
        ..Usage::default()
    }
}

fn reload(gate: &Gate, max: u64) {
    let reload = gate.reload(&policy(max)).unwrap();
    assert_eq!(reload.kept, ["minute".into()]);
    assert!(reload.fresh.is_empty());
}

#[track_caller]
fn used(gate: &Gate, units: u64) {
    assert_eq!(gate.usage(&[("agent", "a")])[0].used, units);
}

#[track_caller]
fn refused(gate: &Gate, tokens: u64, wait_seconds: u64) {
    match admit(gate, tokens) {
        Err(Refusal::Limited(limited)) => {
            assert_eq!(limited.retry_after, Some(Duration::from_secs(wait_seconds)));
        }
        other => panic!("{other:?}"),
    }
}

/// A log used to have a place for each unit of the largest maximum that it was made for, and to start fresh when that
/// was raised.
#[test]
fn raised_maximum_keeps_units_to_the_instant_and_receipts() {
    let (gate, clock) = gate(2);
    let second = Duration::from_secs(1);
    let open = admit(&gate, 2).unwrap();
    refused(&gate, 1, 60);

    reload(&gate, 100);
    used(&gate, 2);
    refused(&gate, 99, 60);
    for _ in 0..40 {
        clock.advance(second);
        admit(&gate, 1).unwrap().settle(spent(1));
    }
    used(&gate, 42);
    open.settle(spent(1));
    used(&gate, 41);
    refused(&gate, 60, 20);
    admit(&gate, 59).unwrap().release();

    clock.advance(20 * second);
    for left in 1..=40 {
        used(&gate, 41 - left);
        clock.advance(second);
    }
    used(&gate, 0);
}

#[test]
fn lowered_maximum_waits_for_what_was_committed_and_can_be_raised_again() {
    let (gate, clock) = gate(50);
    let second = Duration::from_secs(1);
    for _ in 0..50 {
        admit(&gate, 1).unwrap().settle(spent(1));
        clock.advance(second);
    }
    refused(&gate, 1, 10);
    reload(&gate, 5);
    // 46 of them must leave; the 46th came at 45 s.
    refused(&gate, 1, 55);
    reload(&gate, 51);
    admit(&gate, 1).unwrap().settle(spent(1));
    used(&gate, 51);
    clock.advance(10 * second);
    used(&gate, 50);
    clock.advance(49 * second);
    used(&gate, 1);
}
