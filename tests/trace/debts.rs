//! Calls that use more than they estimated, under windows that stand still: later windows pay.

use crate::{
    exact::{Answer, Exact, Fixed},
    replay::{MINUTE, usage, wall},
    rows::{Row, Trace, load},
};
use tollgate_core::{ManualClock, Nanos};
use tollgate_policy::{Gate, Request};
use tollgate_testkit::{
    Periods,
    law::{Event, Law},
};

/// Every call estimates `1 / short` of its tokens and settles at once at what it used. Returns how many were admitted,
/// and how many of the refused had to wait for more than one window.
fn replay(trace: &Trace, max: u64, per: u64, short: u64) -> (usize, usize) {
    let policy = format!(
        "[[limit]]\nname = \"l\"\nunit = \"tokens\"\nmax = {max}\nper = \"{}ms\"\nalgorithm = \"fixed\"\n",
        per / 1_000_000
    );
    let clock = ManualClock::new();
    clock.set_wall(wall(trace.start));
    let gate = Gate::builder().clock(clock).build(&policy);
    let gate = gate.expect("a good policy");
    let mut model = Fixed::new(per, max);
    let (mut admitted, mut long, mut events) = (0, 0, Vec::new());
    for (number, row) in (1..).zip(&trace.rows) {
        let (now, unix) = (Nanos(row.now), trace.start + row.now);
        let estimate = Row {
            input: row.input / short,
            output: row.output / short + 1,
            ..*row
        };
        let request = Request::new()
            .input_tokens(estimate.input)
            .output_tokens(estimate.output);
        let found = match gate.admit_at(&request, now, wall(unix)) {
            Ok(reservation) => {
                reservation.settle_at(usage(row.input, row.output), now, wall(unix));
                Answer::Fits
            }
            Err(refusal) => {
                let limited = refusal.limited().expect("the limit refused");
                assert_eq!(limited.used, model.used(unix), "row {number}");
                limited.retry_after.map_or(Answer::NeverFits, |wait| {
                    Answer::Wait(u64::try_from(wait.as_nanos()).expect("no centuries"))
                })
            }
        };
        assert_eq!(model.look(unix, estimate.tokens()), found, "row {number}");
        match found {
            Answer::Fits => {
                model.take(unix, row.tokens());
                admitted += 1;
                let kept = estimate.tokens().min(row.tokens());
                events.push(Event::admitted(unix, kept));
                events.push(Event::debt(unix, row.tokens() - kept));
            }
            Answer::Wait(wait) => long += usize::from(wait > per),
            Answer::NeverFits => {}
        }
    }
    let law = Law::Periods {
        periods: Periods::every(per, 0),
        max,
    };
    let verdict = law.check(events, 0);
    assert!(verdict.held(), "{verdict}");
    (admitted, long)
}

#[test]
fn later_windows_pay_for_calls_that_estimated_too_little() {
    let Some(trace) = load() else { return };
    for (max, per, short, owes_several_windows) in [
        (226_000, MINUTE, 4, false),
        (9_973, 3_333_000_000, 10, false),
        (1_000, 1_000_000_000, 1_000, true),
    ] {
        let (admitted, long) = replay(&trace, max, per, short);
        println!("{admitted} of {}, {long} waits", trace.rows.len());
        assert!(admitted > 0 && admitted < trace.rows.len());
        assert_eq!(long > 0, owes_several_windows);
    }
}
