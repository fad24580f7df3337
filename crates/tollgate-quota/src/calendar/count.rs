//! How many periods lie between two instants, and where the one begins that is so many later: in steps from one change
//! of the clocks to the next, never period by period.

use super::{
    Calendar, SECOND,
    date::{DateRule, midnight},
    zone::Zone,
};
use jiff::civil::Date;
use tollgate_core::Wall;

/// The last date that any instant of the range could lie in.
const DATE_LAST: Date = Date::constant(2262, 12, 31);

impl Calendar {
    /// How many periods begin after `from` up to and with `to`. Linear in the changes of the clocks between the two.
    pub(super) fn passed(&self, from: Wall, to: Wall) -> u64 {
        let (from, to) = (from.0.div_euclid(SECOND), to.0.div_euclid(SECOND));
        let passed = match self.dates {
            None => self.zone.hours_between(from, to),
            Some(rule) => {
                let first = self.dates_around(rule, from).date;
                let last = self.dates_around(rule, to).date;
                rule.between(first, last) - left_out(rule, &self.zone, first, last)
            }
        };
        u64::try_from(passed).unwrap_or(0)
    }

    /// The start of the period that is `later` periods after the one around `from`; none if that lies beyond the range
    /// of [`Wall`]. Linear in the changes of the clocks between the two.
    pub(super) fn start_after(&self, from: Wall, later: u64) -> Option<Wall> {
        let from = from.0.div_euclid(SECOND);
        let later = i64::try_from(later).ok()?;
        let start = match self.dates {
            None => self.zone.hour_after(from, later, i64::MAX / SECOND)?,
            Some(rule) => {
                let first = self.dates_around(rule, from).date;
                let mut more = 0;
                loop {
                    let date = rule.start_after(first, later.checked_add(more)?)?;
                    if date > DATE_LAST {
                        return None;
                    }
                    let left_out = left_out(rule, &self.zone, first, date);
                    if left_out == more {
                        break self.zone.first_showing(midnight(date));
                    }
                    more = left_out;
                }
            }
        };
        Some(Wall::from_secs(start)).filter(|start| *start < Wall(i64::MAX))
    }
}

/// How many periods that start with a date from `first` up to but without `last` have no instant, since the clocks left
/// them out. No clock was ever put ahead by three days, so these are days.
fn left_out(rule: DateRule, zone: &Zone, first: Date, last: Date) -> i64 {
    if rule == DateRule::Day {
        zone.days_left_out(first, last)
    } else {
        0
    }
}
