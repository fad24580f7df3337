//! Reads what only a limit of the calendar says.

use jiff::tz::TimeZoneDatabase;

use super::item::Item;
use super::mistakes::{Mistakes, Read};
use super::period::{Per, Word};
use super::rule::{CalendarRule, WEEKDAYS};
use super::table::Fields;
use super::words::quoted;
use tollgate_quota::calendar::{CalendarPeriod, Weekday, zone_name};

const ZONE_DEFAULT: &str = "UTC";
const ANCHOR_DAY_DEFAULT: u8 = 1;

/// Which months and weeks, and of which clock on the wall.
#[derive(Debug)]
pub(super) struct Settings {
    zone: Read<Option<String>>,
    week_starts: Read<Option<Weekday>>,
    anchor_day: Read<Option<u8>>,
}

impl Settings {
    pub(super) fn read(fields: &Fields<'_>, mistakes: &mut Mistakes) -> Self {
        Self {
            zone: fields.optional("zone", mistakes, zone),
            week_starts: fields.optional("week_starts", mistakes, |item, mistakes| {
                item.choice(&WEEKDAYS, mistakes)
            }),
            anchor_day: fields.optional("anchor_day", mistakes, |item, mistakes| {
                item.whole(1..=31, mistakes)
            }),
        }
    }

    /// The periods of a limit whose `per` is at the place given with it.
    pub(super) fn rule(
        self,
        per: Read<Option<(Per, usize)>>,
        fields: &Fields<'_>,
        mistakes: &mut Mistakes,
    ) -> Read<CalendarRule> {
        let word = match per? {
            Some((Per::Calendar(word), _)) => word,
            Some((Per::Duration(_), at)) => {
                let message = "`per` is a duration, but calendar needs a period of the calendar";
                let remedy = "write \"hour\", \"day\", \"week\", \"month\" or \"year\", \
                              or choose algorithm = \"fixed\" or \"window\"";
                return Err(mistakes.tell(at, message, remedy));
            }
            None => {
                let message = "[[limit]] has no `per`, which calendar needs";
                let remedy = "add per = \"hour\", \"day\", \"week\", \"month\" or \"year\"";
                return Err(mistakes.tell(fields.at, message, remedy));
            }
        };
        let week = only_with(word, Word::Week, "week_starts", fields, mistakes);
        let month = only_with(word, Word::Month, "anchor_day", fields, mistakes);
        week.and(month)?;
        let period = match word {
            Word::Hour => CalendarPeriod::Hour,
            Word::Day => CalendarPeriod::Day,
            Word::Week => CalendarPeriod::Week {
                starts: self.week_starts?.unwrap_or(Weekday::Monday),
            },
            Word::Month => CalendarPeriod::Month {
                anchor_day: self.anchor_day?.unwrap_or(ANCHOR_DAY_DEFAULT),
            },
            Word::Year => CalendarPeriod::Year,
        };
        Ok(CalendarRule {
            period,
            zone: self.zone?.unwrap_or_else(|| ZONE_DEFAULT.to_owned()),
        })
    }
}

/// Tells `key` if the period is not the one that it belongs to.
fn only_with(
    word: Word,
    owner: Word,
    key: &str,
    fields: &Fields<'_>,
    mistakes: &mut Mistakes,
) -> Read<()> {
    match fields.get(key) {
        Some(item) if word != owner => {
            let message = format!("`{key}` goes only with per = \"{}\"", owner.name());
            Err(mistakes.tell(item.key_at, message, "remove it"))
        }
        _ => Ok(()),
    }
}

/// The name of a time zone as its database spells it.
fn zone(item: Item<'_>, mistakes: &mut Mistakes) -> Read<String> {
    const REMEDY: &str = "write a name of the IANA database, such as \"Europe/Berlin\" or \"UTC\"";
    let wanted = item.string(REMEDY, mistakes)?;
    // What a machine's own database knows beyond the one of the crate, such as `localtime`, means something else
    // on the next machine; and what it lacks cannot be used on this one.
    if let Some(name) = zone_name(wanted) {
        return Ok(name);
    }
    let known = TimeZoneDatabase::bundled();
    let names: Vec<_> = known.available().collect();
    let remedy = match mistakes.nearest(wanted, names.iter().map(|name| name.as_str())) {
        Some(nearest) => format!("did you mean \"{nearest}\"? {REMEDY}"),
        None => REMEDY.to_owned(),
    };
    let message = format!("unknown time zone {}", quoted(wanted, '"'));
    Err(mistakes.tell(item.at, message, remedy))
}
