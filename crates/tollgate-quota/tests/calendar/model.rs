//! A slow model of periods: a zone's whole history laid out, and the running maximum of what its clocks showed.

use super::civil;
use jiff::{Timestamp, tz::TimeZone};
use tollgate_quota::calendar::CalendarPeriod;

const HOUR: i64 = 3_600;
/// Before and after every instant of the range, in seconds.
const FIRST: i64 = -10_000_000_000;
const LAST: i64 = 10_000_000_000;

/// A zone's history: when each stretch begins, and its offset, in seconds.
pub(crate) struct History {
    zone: TimeZone,
    stretches: Vec<(i64, i64)>,
}

impl History {
    pub(crate) fn new(zone: TimeZone) -> Self {
        let from = Timestamp::from_second(FIRST).unwrap();
        let mut stretches = vec![(FIRST, i64::from(zone.to_offset(from).seconds()))];
        stretches.extend(
            zone.following(from)
                .map(|change| {
                    (
                        change.timestamp().as_second(),
                        i64::from(change.offset().seconds()),
                    )
                })
                .take_while(|&(begin, _)| begin < LAST),
        );
        Self { zone, stretches }
    }

    /// The instants at which the offset changes.
    pub(crate) fn changes(&self) -> impl Iterator<Item = i64> {
        self.stretches.iter().skip(1).map(|&(begin, _)| begin)
    }

    /// First instant, last instant and offset of every stretch.
    fn spans(&self) -> impl Iterator<Item = (i64, i64, i64)> {
        let ends = self
            .stretches
            .iter()
            .skip(1)
            .map(|&(begin, _)| begin - 1)
            .chain([LAST]);
        self.stretches
            .iter()
            .zip(ends)
            .map(|(&(begin, offset), last)| (begin, last, offset))
    }

    /// Start and end of the period around `instant`.
    pub(crate) fn around(&self, period: CalendarPeriod, instant: i64) -> (i64, i64) {
        match period {
            CalendarPeriod::Hour => self.hour_around(instant),
            _ => {
                let (start, end) = civil::around(period, self.latest_shown(instant));
                (self.first_showing(start), self.first_showing(end))
            }
        }
    }

    /// The latest reading that the clocks had shown by `instant`, since ever.
    fn latest_shown(&self, instant: i64) -> i64 {
        self.spans()
            .take_while(|&(begin, ..)| begin <= instant)
            .map(|(_, last, offset)| last.min(instant) + offset)
            .max()
            .unwrap()
    }

    fn first_showing(&self, reading: i64) -> i64 {
        self.spans()
            .find(|&(_, last, offset)| last + offset >= reading)
            .map(|(begin, _, offset)| begin.max(reading - offset))
            .unwrap()
    }

    /// Second by second in both directions, asking for the reading each time.
    fn hour_around(&self, instant: i64) -> (i64, i64) {
        let start = (0..)
            .map(|back| instant - back)
            .find(|&second| self.begins_hour(second))
            .unwrap();
        let end = (1..)
            .map(|on| instant + on)
            .find(|&second| self.begins_hour(second))
            .unwrap();
        (start, end)
    }

    fn begins_hour(&self, second: i64) -> bool {
        let (due, shown) = (self.reading(second - 1) + 1, self.reading(second));
        shown % HOUR == 0 || (due..=shown).any(|reading| reading % HOUR == 0)
    }

    fn reading(&self, second: i64) -> i64 {
        let shown = self
            .zone
            .to_datetime(Timestamp::from_second(second).unwrap());
        jiff::tz::Offset::UTC
            .to_timestamp(shown)
            .unwrap()
            .as_second()
    }
}
