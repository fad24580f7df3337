//! Debt of periods, while calls settle late and the maximum changes: every decision and every wait is the model's.

use crate::policies::{gate, usage, wall};
use proptest::prelude::*;
use std::time::Duration;
use tollgate_core::Nanos;
use tollgate_policy::{Request, Reservation};
use tollgate_testkit::{
    Answer, Periods,
    model::{Model, PeriodBudget, Receipt},
};

const SECOND: u64 = 1_000_000_000;
const HOUR: u64 = 3_600 * SECOND;

#[derive(Clone, Debug)]
enum Step {
    /// A call that estimates so much, perhaps of the class that sees half of the maximum.
    Admit {
        estimate: u64,
        batch: bool,
    },
    /// The end of a call that is open, counted back from the latest, and what it used.
    Settle {
        back: usize,
        actual: u64,
    },
    Reload {
        max: u64,
    },
}

/// Figures about `max`: far below, near, or twice as much.
fn steps(period: u64) -> impl Strategy<Value = Vec<(u64, Step)>> {
    let moves = prop_oneof![
        6 => Just(0),
        4 => 0..period / 3,
        2 => 0..3 * period,
        1 => 0..40 * period,
    ];
    let step = prop_oneof![
        8 => (1_u64..25, any::<bool>()).prop_map(|(estimate, batch)| Step::Admit { estimate, batch }),
        6 => (0_usize..6, 0_u64..60).prop_map(|(back, actual)| Step::Settle { back, actual }),
        2 => (0_u64..40).prop_map(|max| Step::Reload { max }),
    ];
    prop::collection::vec((moves, step), 1..60)
}

fn policy(algorithm: &str, max: u64) -> String {
    format!(
        "[[limit]]\nname = \"l\"\nunit = \"input_tokens\"\nmax = {max}\n{algorithm}\n\
         [[priority]]\nname = \"batch\"\nshare = 0.5\n"
    )
}

/// A call that is open, its estimate, and its charge on the model.
type Open = (Reservation, u64, Receipt);

fn decides_as_the_model(
    algorithm: &str,
    period: u64,
    first_max: u64,
    steps: Vec<(u64, Step)>,
) -> Result<(), TestCaseError> {
    let (gate, _clock) = gate(&policy(algorithm, first_max));
    let phase = u64::try_from(wall(0).0).expect("a time of our day") % period;
    let mut model = PeriodBudget::new(Periods::every(period, phase), first_max);
    // A call that asks for nothing makes the account, which then knows the maxima of its first period.
    let nothing = gate.admit_at(&Request::new(), Nanos(0), wall(0));
    drop(nothing.expect("it costs nothing"));
    let mut open: Vec<Open> = Vec::new();
    let mut now = 0;
    for (moved, step) in steps {
        now += moved;
        let at = (Nanos(now), wall(now));
        match step {
            Step::Admit { estimate, batch } => {
                let seen = match model.max() {
                    max if batch && max > 0 => (max / 2).max(1),
                    max => max,
                };
                let request = Request::new().input_tokens(estimate);
                let request = if batch {
                    request.class("batch")
                } else {
                    request
                };
                let expected = model.look_under(now, estimate, seen);
                let used = model.used(now);
                match gate.admit_at(&request, at.0, at.1) {
                    Ok(reservation) => {
                        prop_assert_eq!(expected, Answer::Admit);
                        open.push((reservation, estimate, model.charge(now, estimate)));
                    }
                    Err(refusal) => {
                        let limited = refusal.limited().expect("the limit refused");
                        let wait = limited.retry_after.as_ref().map(Duration::as_nanos);
                        prop_assert_eq!(expected, wait.map_or(Answer::Never, Answer::Wait));
                        prop_assert_eq!(u128::from(limited.used), used);
                    }
                }
            }
            Step::Settle { back, actual } => {
                let Some(place) = open.len().checked_sub(back + 1) else {
                    continue;
                };
                let (reservation, estimate, mut receipt) = open.remove(place);
                reservation.settle_at(usage(actual, 0), at.0, at.1);
                match actual.checked_sub(estimate) {
                    None | Some(0) => model.refund(now, &mut receipt, estimate - actual),
                    Some(extra) => drop(model.charge(now, extra)),
                }
            }
            Step::Reload { max } => {
                let reload = gate.reload_at(&policy(algorithm, max), at.0, at.1);
                prop_assert_eq!(reload.expect("a good policy").kept.len(), 1);
                model.set_max(now, max);
            }
        }
        let used = gate.usage_at(&[], at.0, at.1)[0].used;
        prop_assert_eq!(u128::from(used), model.used(now), "at {}", now);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn fixed_windows_have_later_ones_pay((first_max, steps) in (0_u64..40, steps(SECOND))) {
        decides_as_the_model("algorithm = \"fixed\"\nper = \"1s\"", SECOND, first_max, steps)?;
    }

    #[test]
    fn calendars_have_later_periods_pay((first_max, steps) in (0_u64..40, steps(HOUR))) {
        decides_as_the_model("algorithm = \"calendar\"\nper = \"hour\"", HOUR, first_max, steps)?;
    }
}

/// A quota that is lowered after most of it was used does not shut the months that follow.
#[test]
fn a_lowered_quota_opens_again_with_the_next_period() {
    let month = "algorithm = \"calendar\"\nper = \"month\"";
    let (gate, _clock) = gate(&policy(month, 1_000));
    let admit =
        |tokens, now| gate.admit_at(&Request::new().input_tokens(tokens), Nanos(now), wall(now));
    let kept = admit(900, 0).expect("it is fresh");
    gate.reload_at(&policy(month, 100), Nanos(1), wall(1))
        .expect("a good policy");
    let wait = match admit(1, 1) {
        Err(refusal) => refusal.limited().and_then(|limited| limited.retry_after),
        Ok(_) => None,
    };
    let wait = wait.expect("until the month ends");
    assert!(wait < Duration::from_secs(31 * 86_400), "{wait:?}");
    let next_month = 1 + u64::try_from(wait.as_nanos()).expect("a month");
    drop(kept);
    assert!(admit(100, next_month).is_ok());
}
