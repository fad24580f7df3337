//! Whether answers are right where others were found to be wrong.

use super::figures::Answer;
use crate::{Entry, Mode, Role, Shot, Subject, Terms, groups};
use std::{
    thread,
    time::{Duration, Instant},
};

const AT_ONCE: u32 = 1_000;
const BURST: u32 = 10;
const IDLE: Duration = Duration::from_millis(1_500);
const RATE: u32 = 7_000_000;
/// A tenth of a second's worth: neither a clock that is renewed every millisecond nor a pause of this thread loses any.
const RATE_CAPACITY: u32 = 700_000;
const RATE_FOR: Duration = Duration::from_millis(400);
/// Two clocks need not agree to the last millionth.
const RATE_SLACK: f64 = 0.001;

/// Asks everybody with one limit.
#[must_use]
pub fn answers() -> Vec<Answer> {
    let entries = groups::one_limit_entries();
    let second = Duration::from_secs(1);
    let bursty = Terms {
        capacity: BURST,
        units: BURST,
        period: second,
        keys: 1,
        threads: 1,
    };
    let idle: Vec<_> = entries.iter().map(|entry| spent(entry, &bursty)).collect();
    thread::sleep(IDLE);
    // All of them before anything else is asked, which takes time.
    let after_idling: Vec<u64> = idle
        .iter()
        .map(|one| {
            one.as_ref()
                .map_or(0, |subject| allowed(&**subject, 2 * BURST))
        })
        .collect();
    entries
        .iter()
        .zip(after_idling)
        .map(|(entry, after_idling)| {
            let at_once = at_once(entry);
            let delivered = delivered(entry);
            let mut wrong = Vec::new();
            if at_once != u64::from(AT_ONCE) {
                wrong.push(format!("{at_once} of {AT_ONCE} at once"));
            }
            if after_idling > u64::from(BURST) {
                wrong.push(format!("{after_idling} of {BURST} after idling"));
            }
            if let Some(share) = delivered.filter(|share| *share > 1.0 + RATE_SLACK) {
                wrong.push(format!("{:+.1} % of its rate", (share - 1.0) * 100.0));
            }
            Answer {
                name: entry.name.to_owned(),
                role: entry.role,
                at_once,
                after_idling,
                delivered,
                wrong,
            }
        })
        .collect()
}

fn allowed(subject: &dyn Subject<()>, asks: u32) -> u64 {
    (0..asks).map(|_| u64::from(subject.ask_once(&()))).sum()
}

fn spent(entry: &Entry<()>, terms: &Terms) -> Option<Box<dyn Subject<()>>> {
    let subject = (entry.build)(terms).ok()?;
    allowed(&*subject, 2 * terms.capacity);
    Some(subject)
}

/// Two threads ask for twice what there is.
fn at_once(entry: &Entry<()>) -> u64 {
    let Ok(subject) = (entry.build)(&Terms::still(AT_ONCE, 1, 2)) else {
        return 0;
    };
    let shot = Shot {
        keys: &[()],
        start: 0,
        asks: u64::from(2 * AT_ONCE),
        threads: 2,
        mode: Mode::Single,
    };
    let together = subject.run(&shot).allowed;
    // One thread may have asked for all of its share before the other began: what is left is due, and no more.
    together + allowed(&*subject, 2 * AT_ONCE)
}

/// What was allowed of what the law allows, if so much was asked for that it had to deny.
#[expect(clippy::cast_precision_loss, reason = "a share for people")]
fn delivered(entry: &Entry<()>) -> Option<f64> {
    let subject = (entry.build)(&Terms {
        capacity: RATE_CAPACITY,
        units: RATE,
        period: Duration::from_secs(1),
        keys: 1,
        threads: 1,
    })
    .ok()?;
    let start = Instant::now();
    let (mut asked, mut allowed) = (0, 0);
    let took = loop {
        let sample = subject.run(&Shot {
            keys: &[()],
            start: 0,
            asks: 10_000,
            threads: 1,
            mode: Mode::Single,
        });
        asked += sample.asked;
        allowed += sample.allowed;
        let took = start.elapsed();
        if took >= RATE_FOR {
            break took;
        }
    };
    let due = f64::from(RATE_CAPACITY) + f64::from(RATE) * took.as_secs_f64();
    (asked as f64 > 1.2 * due && entry.role != Role::Floor).then(|| allowed as f64 / due)
}
