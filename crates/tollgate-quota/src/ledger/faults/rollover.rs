//! The same of a calendar's days, and of what is lent of the next one before it begins.

use super::*;
use crate::{Calendar, CalendarMeter, calendar::CalendarPeriod, lease::Ahead, ledger::file::AHEAD};
use std::collections::BTreeMap;
use tollgate_core::{Nanos, Wall};

const DAY: i64 = 86_400_000_000_000;
/// Shortly before midnight.
const EVENING: i64 = DAY - 1_000_000_000;
const MAX: u64 = 12;
const LEASE: u64 = 6;

/// Units of days, by the starts of these.
type ByDay = BTreeMap<i64, u64>;

/// What is certain at an instant.
#[derive(Clone, Debug, Default)]
struct Known {
    admitted: ByDay,
    /// What may be without another report.
    spendable: ByDay,
}

struct Days {
    disk: Disk,
    shared: Arc<Shared>,
    clerk: Clerk,
    clock: Arc<ManualClock>,
    wall: i64,
    days: Arc<Leased<CalendarMeter>>,
    admitted: ByDay,
    marks: Vec<Known>,
}

impl Days {
    fn new(fault: Option<Fault>) -> Self {
        let clock = Arc::new(ManualClock::new());
        let (disk, shared, clerk) = over(fault, Arc::clone(&clock) as _);
        let terms = Terms {
            lease: LEASE,
            initial: 0,
            has_periods: true,
        };
        let desk = Arc::clone(&shared) as _;
        let days = shared.account(KEY, terms, |number| {
            let days = Calendar::new(CalendarPeriod::Day, "UTC").unwrap();
            let meter = CalendarMeter::new(tollgate_sync::Arc::new(days), MAX);
            Arc::new(Leased::new(meter, MAX, 0, number, desk))
        });
        let mut world = Self {
            disk,
            shared,
            clerk,
            clock,
            wall: 0,
            days,
            admitted: ByDay::new(),
            marks: Vec::new(),
        };
        world.at(EVENING);
        world
    }

    fn at(&mut self, wall: i64) {
        self.wall = wall;
        self.clock.set_wall(Wall(wall));
    }

    fn known(&self) -> Known {
        let of_day = |day: i64| {
            let used = self.admitted.get(&day).copied().unwrap_or(0);
            (day, self.days.holder().left(number(day), used))
        };
        let spendable = (0..=6).map(|day| of_day(day * DAY));
        Known {
            admitted: self.admitted.clone(),
            spendable: spendable.filter(|(_, units)| *units > 0).collect(),
        }
    }

    fn mark(&mut self) {
        self.disk.state().log.push(Op::Mark(self.marks.len()));
        self.marks.push(self.known());
    }

    fn round(&mut self) {
        let (before, from) = (self.known(), self.disk.state().log.len());
        self.clerk.round();
        // Until it is on disk: the level was trimmed before, and nothing of what is lent is there yet.
        let mut during = self.known();
        during.spendable.retain(|day, units| {
            *units = before.spendable.get(day).copied().unwrap_or(0).min(*units);
            *units > 0
        });
        let mark = Op::Mark(self.marks.len());
        self.disk.state().log.insert(from, mark);
        self.marks.push(during);
        self.mark();
    }

    fn charge(&mut self, units: u64) {
        let at = Moment::new(Nanos::ZERO, Wall(self.wall));
        let cost = Cost::new(units).unwrap();
        match self.days.charge(at, cost, MAX) {
            Ok(charged) => {
                let day = start(charged.receipt.period());
                *self.admitted.entry(day).or_default() += units;
            }
            Err(refused) => assert_ne!(refused, Refused::Closed),
        }
        self.mark();
    }

    /// Three days, each but the last ended by who comes first in the next; and one that is stepped over.
    fn history(&mut self, mut between: impl FnMut(&mut Self)) {
        let steps: [fn(&mut Self); 22] = [
            |world| world.charge(1),
            Self::round,
            |world| world.charge(2),
            Self::round,
            |world| world.charge(2),
            Self::round,
            |world| world.at(DAY),
            |world| world.charge(1),
            |world| world.charge(1),
            Self::round,
            |world| world.charge(2),
            Self::round,
            |world| world.at(DAY + EVENING),
            |world| world.charge(1),
            Self::round,
            |world| world.at(2 * DAY),
            |world| world.charge(1),
            |world| world.charge(6),
            Self::round,
            |world| world.charge(5),
            |world| world.at(4 * DAY),
            Self::round,
        ];
        self.mark();
        for step in steps {
            step(self);
            between(self);
        }
    }
}

/// The start of the period of a calendar's that has this number.
fn start(period: u64) -> i64 {
    (period ^ 1 << 63).cast_signed()
}

/// The number of the period of a calendar's that starts then.
fn number(start: i64) -> u64 {
    start.cast_unsigned() ^ 1 << 63
}

/// What counts as spent of which day, by the record; and the day that the record is of.
fn on_record(disk: &Disk) -> Option<(i64, ByDay)> {
    let record = record(disk)?;
    let now = record.standing.stamp;
    let mut spent = ByDay::from([(now, record.spent())]);
    let database = disk.database().unwrap();
    let table = database.begin_read().unwrap().open_table(AHEAD).unwrap();
    if let Some(row) = table.get(KEY).unwrap() {
        let ahead = Ahead::from_row(KEY, row.value()).unwrap();
        assert!(ahead.stamp > now, "{ahead:?} beside {record:?}");
        spent.insert(ahead.stamp, ahead.units.min(MAX));
    }
    Some((now, spent))
}

/// Asks that the record covers what was admitted and may still be, of the day that it is of and all later ones; and that of no day and
/// the next one together more than a lease is lost. Returns how much that is.
fn judge(disk: &Disk, known: &Known) -> u64 {
    let (now, spent) = on_record(disk).unwrap_or((i64::MIN, ByDay::new()));
    let units = |days: &ByDay, day| days.get(&day).copied().unwrap_or(0);
    for &day in known.admitted.keys().chain(known.spendable.keys()) {
        // In a day before that of the record nobody is admitted any more.
        if day >= now {
            let least = units(&known.admitted, day) + units(&known.spendable, day);
            let found = units(&spent, day);
            assert!(
                found >= least.min(MAX),
                "day {day}: {found} on record, {known:?}"
            );
        }
    }
    let admitted: u64 = spent.keys().map(|day| units(&known.admitted, *day)).sum();
    let wasted = spent.values().sum::<u64>() - admitted;
    assert!(wasted <= LEASE, "{spent:?} on record, {known:?}");
    wasted
}

/// Property: whatever of the writes since the last sync is lost or kept when the power goes, the record covers what was admitted in
/// each day and may still be, and loses at most a lease of a day and the next.
#[test]
fn power_cut_at_every_point_of_a_rollover_covers_both_days() {
    let mut world = Days::new(None);
    let image = world.disk.state().image.clone();
    world.history(|_| {});
    let days: Vec<_> = world.admitted.values().copied().collect();
    assert_eq!(days, [4, 5, 6], "of what was lent ahead each time");
    let log = world.disk.state().log.clone();
    let (mut images, mut wasted) = (0_u64, 0);
    each_cut(image, log, |image, mark| {
        let known = mark.map_or_else(Known::default, |mark| world.marks[mark].clone());
        wasted = wasted.max(judge(&Disk::of(image), &known));
        images += 1;
    });
    println!("explored: {images} images, at most {wasted} wasted");
    assert!(images > 500, "{images}");
}

/// Property: the same of a kill while the disk fails at any operation, once or from then on; and once that is well again, all goes on.
#[test]
fn disk_that_fails_at_every_point_of_a_rollover_recovers_by_itself() {
    let mut sound = Days::new(None);
    sound.history(|_| {});
    let operations = sound.disk.state().count;
    let mut failures = 0;
    for at in 0..operations {
        for fault in Fault::each(at) {
            let mut world = Days::new(Some(fault));
            world.history(|world| {
                let copy = Disk::of(world.disk.state().image.clone());
                judge(&copy, &world.known());
            });
            failures += world.shared.status().failures;
            world.disk.state().fault = None;
            world.at(4 * DAY + EVENING);
            for _ in 0..4 {
                world.charge(1);
                world.round();
            }
            assert!(!world.shared.is_failing(), "{fault:?}");
            judge(&world.disk, &world.known());
            let (now, spent) = on_record(&world.disk).unwrap();
            assert_eq!(now, 4 * DAY);
            assert!(spent.contains_key(&(5 * DAY)), "{fault:?}: nothing ahead");
            world.at(5 * DAY);
            world.charge(1);
            assert_eq!(world.admitted.get(&(5 * DAY)), Some(&1), "{fault:?}");
        }
    }
    assert!(failures > operations as u64, "{failures}");
}

/// Property: what is admitted without a record, while the disk is full over a day's end and a whole day, keeps each day's limit, and is on
/// record once the disk is well.
#[test]
fn what_a_full_disk_leaves_off_the_record_over_a_rollover_keeps_each_days_limit() {
    let mut world = Days::new(None);
    for units in [1, 2, 2] {
        world.charge(units);
        world.round();
    }
    world.disk.state().fault = Some(Fault::From(0));
    for day in [1, 2] {
        world.at(day * DAY);
        let at = Moment::new(Nanos::ZERO, Wall(world.wall));
        let mut admitted = 0;
        while let Ok(charged) = world.days.charge_unrecorded(at, Cost::ONE, MAX) {
            assert_eq!(start(charged.receipt.period()), day * DAY);
            admitted += 1;
            if admitted == 7 {
                world.round();
            }
        }
        assert_eq!(admitted, MAX);
    }
    assert!(world.shared.is_failing());
    world.disk.state().fault = None;
    world.round();
    assert!(!world.shared.is_failing());
    let (now, spent) = on_record(&world.disk).unwrap();
    assert_eq!((now, spent.get(&now)), (2 * DAY, Some(&MAX)));
}
