//! A right limiter keeps everything; each fault is found by the check that is there for it.

use super::*;
use crate::model::{Gcra, Model};
use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering::SeqCst},
};

fn plan() -> Plan {
    Plan::quick(3)
}

/// An exact rate behind a lock, with a fault.
fn faulty(
    fault: impl Fn(&mut Gcra, u64, u64) -> Answer + Sync + Copy + 'static,
) -> impl Fn(RateLimit) -> Result<Shared, String> {
    move |limit| {
        let model = Mutex::new(Gcra::new(limit));
        Ok(Box::new(move |cost, now| {
            fault(&mut model.lock().expect("nobody panics"), cost, now)
        }))
    }
}

#[test]
fn an_exact_limiter_keeps_all() {
    let trial = Trial::new(
        "exact",
        Claim::Rate,
        faulty(|model, cost, now| model.try_acquire(now, cost)),
    );
    let report = trial.run(&plan());
    for check in Check::ALL {
        assert!(report.held(check), "{report}");
    }
    assert_eq!(report.name(), "exact");
}

#[test]
fn each_fault_is_found_by_its_check() {
    type Fault = fn(&mut Gcra, u64, u64) -> Answer;
    let faults: [(Check, Fault); 3] = [
        // Takes a unit less than it admits.
        (Check::NeverOver, |model, cost, now| {
            let answer = model.look(now, cost);
            if answer.admitted() {
                model.charge(now, cost - cost / 8);
            }
            answer
        }),
        (Check::LeastWait, |model, cost, now| {
            match model.try_acquire(now, cost) {
                Answer::Wait(wait) => Answer::Wait(wait + 1),
                answer => answer,
            }
        }),
        // Charges who is denied.
        (Check::NoMark, |model, cost, now| {
            let answer = model.look(now, cost);
            if answer != Answer::Never {
                model.charge(now, cost);
            }
            answer
        }),
    ];
    for (check, fault) in faults {
        let trial = Trial::new("faulty", Claim::Rate, faulty(fault));
        let finding = trial.check(check, &plan());
        assert_eq!(finding.word(), "BROKEN", "{check:?}: {finding:?}");
        assert_eq!(
            finding,
            trial.check(check, &plan()),
            "the same seed shows the same"
        );
    }
}

/// Looks, lets others in, takes.
fn unguarded(limit: RateLimit) -> Result<impl Fn(u64, u64) -> Answer + Sync, String> {
    let used = AtomicU64::new(0);
    Ok(move |cost: u64, _now: u64| {
        let seen = used.load(SeqCst);
        std::thread::yield_now();
        if seen + cost > limit.capacity {
            return Answer::Never;
        }
        used.store(seen + cost, SeqCst);
        Answer::Admit
    })
}

#[test]
fn a_race_is_found_both_ways() {
    let trial = Trial::new("unguarded", Claim::Rate, unguarded);
    let rounds = Plan {
        rounds: 150,
        ..plan()
    };
    assert_eq!(trial.check(Check::Race, &rounds).word(), "BROKEN");
    assert_eq!(trial.check(Check::Linear, &rounds).word(), "BROKEN");
}

#[test]
fn what_cannot_be_asked_is_not_held_against_anybody() {
    let exact = || faulty(|model: &mut Gcra, cost, now| model.try_acquire(now, cost));
    let own = Trial::new("own", Claim::Rate, exact())
        .own_clock("reads the time itself")
        .run(&plan());
    for check in [
        Check::NeverOver,
        Check::AnyFigures,
        Check::OldNow,
        Check::LeastWait,
    ] {
        assert!(!own.held(check) && own.broken(check).is_none(), "{own}");
    }
    assert!(
        own.held(Check::NoMark) && own.held(Check::Race) && own.held(Check::Linear),
        "{own}"
    );

    let none = Trial::new("none", Claim::Window, |_| {
        Err::<Shared, _>("too busy".to_owned())
    })
    .run(&plan());
    assert!(
        Check::ALL
            .iter()
            .all(|check| !none.held(*check) && none.broken(*check).is_none()),
        "{none}"
    );
}

/// Without waits, a limiter that loses a part of each refill is found by denials that no law asks for.
#[test]
fn a_needless_denial_is_found_without_waits() {
    let half = |limit: RateLimit| {
        let model = Mutex::new(Gcra::new(RateLimit {
            period: limit.period.saturating_mul(2),
            ..limit
        }));
        Ok::<_, String>(move |cost: u64, now: u64| {
            model.lock().expect("nobody panics").try_acquire(now, cost)
        })
    };
    let trial = Trial::new("half", Claim::Rate, half).tells_no_wait();
    assert_eq!(trial.check(Check::LeastWait, &plan()).word(), "BROKEN");
}

/// A limiter of which one in so many, counted from the first that is built, admits a unit too much.
fn wrong_at(places: &'static [u64]) -> Trial {
    let built = AtomicU64::new(0);
    Trial::new("rarely wrong", Claim::Rate, move |limit| {
        let wrong = places.contains(&built.fetch_add(1, SeqCst));
        let left = AtomicU64::new(limit.capacity + u64::from(wrong));
        Ok(move |cost: u64, _now: u64| {
            let taken = left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(cost));
            match taken {
                Ok(_) => Answer::Admit,
                Err(_) => Answer::Never,
            }
        })
    })
}

#[test]
fn a_race_that_went_wrong_once_is_looked_for_until_it_comes_again() {
    // Plans are of 30 races a batch: the first of these is in the first batch, the other in the tenth.
    let plan = Plan::quick(1);
    let twice = wrong_at(&[10, 280]).check(Check::Race, &plan);
    assert!(
        matches!(&twice, Finding::Broken(how) if how.contains("in 2 of 300 races, in 2 of 10 batches")),
        "{twice:?}"
    );
    let once = wrong_at(&[10]).check(Check::Race, &plan);
    assert!(
        matches!(&once, Finding::Held { tried: 960, note } if note.contains("and did not again")),
        "{once:?}"
    );
    let never = wrong_at(&[]).check(Check::Race, &plan);
    assert!(
        matches!(&never, Finding::Held { tried: 120, .. }),
        "{never:?}"
    );
    let report = Report::new("rarely wrong", vec![(Check::Race, once)]);
    assert!(table(&[report]).contains("not seen"));
}

/// Behind a lock nothing races. What one caller is admitted too much is told by other checks.
#[test]
fn figures_that_are_wrong_for_one_caller_are_no_race() {
    let forgets_its_last = |limit: RateLimit| {
        let used = Mutex::new(0);
        Ok::<_, String>(move |cost: u64, _now: u64| {
            let mut used = used.lock().expect("nobody panics");
            if *used + cost > limit.capacity {
                return Answer::Never;
            }
            *used = (*used + cost) % limit.capacity;
            Answer::Admit
        })
    };
    let trial = Trial::new("forgets", Claim::Rate, forgets_its_last);
    assert_eq!(trial.check(Check::AnyFigures, &plan()).word(), "BROKEN");
    let race = trial.check(Check::Race, &plan());
    assert_eq!(race.word(), "n/a", "{race:?}");
}
