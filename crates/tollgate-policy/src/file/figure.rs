//! The readings of values that are numbers.

use std::fmt;
use std::ops::RangeInclusive;

use toml::de::DeValue;

use super::item::Item;
use super::mistakes::{Mistakes, Read};
use super::number::{self, AMOUNT_MAX};
use super::rule::Unit;
use super::words::amount_text;
use tollgate_quota::threshold::Share;

impl Item<'_> {
    pub(super) fn whole<T>(self, range: RangeInclusive<T>, mistakes: &mut Mistakes) -> Read<T>
    where
        T: TryFrom<u64> + PartialOrd + fmt::Display,
    {
        let remedy = whole_remedy(range.start(), range.end());
        let value = self.integer(&remedy, mistakes)?;
        match T::try_from(value)
            .ok()
            .filter(|value| range.contains(value))
        {
            Some(value) => Ok(value),
            None => Err(self.out_of_range(&remedy, mistakes)),
        }
    }

    fn integer(self, remedy: &str, mistakes: &mut Mistakes) -> Read<u64> {
        match self.value {
            DeValue::Integer(integer) => {
                number::integer(integer).map_err(|_| self.out_of_range(remedy, mistakes))
            }
            DeValue::String(_) => Err(self.wrong(
                "a whole number",
                &format!("{remedy}, without quotes"),
                mistakes,
            )),
            _ => Err(self.wrong("a whole number", remedy, mistakes)),
        }
    }

    /// Units; of [`Unit::Usd`], millionths of a dollar.
    pub(super) fn amount(self, unit: Read<Unit>, mistakes: &mut Mistakes) -> Read<u64> {
        self.units(unit, 0, mistakes)
    }

    /// An amount that unlike a maximum may not be 0.
    pub(super) fn capacity(self, unit: Read<Unit>, mistakes: &mut Mistakes) -> Read<u64> {
        match self.units(unit, 1, mistakes)? {
            0 => {
                let remedy = "to allow nothing write max = 0";
                Err(mistakes.tell(self.at, "a capacity of 0 never admits", remedy))
            }
            capacity => Ok(capacity),
        }
    }

    /// An amount of any size; a remedy names none below `least`.
    /// Where the unit is not known, only what is wrong for all units is told.
    fn units(self, unit: Read<Unit>, least: u64, mistakes: &mut Mistakes) -> Read<u64> {
        match (unit, self.value) {
            (Ok(Unit::Usd), _) => self.usd(least, mistakes),
            (Ok(_), _) | (Err(_), DeValue::Integer(_)) => {
                self.integer(&whole_remedy(least, AMOUNT_MAX), mistakes)
            }
            (Err(reported), DeValue::Float(_) | DeValue::String(_)) => Err(reported),
            (Err(_), _) => Err(self.wrong("a number", "write how many units", mistakes)),
        }
    }

    fn usd(self, least: u64, mistakes: &mut Mistakes) -> Read<u64> {
        let [least, most] = [least, AMOUNT_MAX].map(|amount| amount_text(Unit::Usd, amount));
        let remedy = format!("write dollars from {least} to {most}, with at most 6 decimal places");
        let text = match self.value {
            DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str(),
            DeValue::Float(float) => float.as_str(),
            DeValue::String(text) => text,
            _ => return Err(self.wrong("an amount in dollars", &remedy, mistakes)),
        };
        self.millionths(text, "an amount in dollars", &remedy, mistakes)
    }

    /// A part above 0 and at most 1.
    pub(super) fn share(self, mistakes: &mut Mistakes) -> Read<Share> {
        const REMEDY: &str =
            "write a part above 0 and at most 1, such as 0.5, with at most 6 decimal places";
        let text = match self.value {
            DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str(),
            DeValue::Float(float) => float.as_str(),
            DeValue::String(_) => {
                return Err(self.wrong(
                    "a decimal number",
                    &format!("{REMEDY}, without quotes"),
                    mistakes,
                ));
            }
            _ => return Err(self.wrong("a decimal number", REMEDY, mistakes)),
        };
        let millionths = self.millionths(text, "a decimal number", REMEDY, mistakes)?;
        match u32::try_from(millionths).map(Share::ppm) {
            Ok(Ok(share)) => Ok(share),
            _ => Err(self.out_of_range(REMEDY, mistakes)),
        }
    }

    fn millionths(
        self,
        text: &str,
        expected: &str,
        remedy: &str,
        mistakes: &mut Mistakes,
    ) -> Read<u64> {
        number::millionths(text).map_err(|fault| match fault {
            number::Fault::Negative | number::Fault::TooLarge => {
                self.out_of_range(remedy, mistakes)
            }
            number::Fault::Exponent => mistakes.tell(
                self.at,
                format!("{} is {}, with an exponent", self.label(), self.found()),
                "write the number out, such as 0.25",
            ),
            number::Fault::Places(places) => mistakes.tell(
                self.at,
                format!(
                    "{} is {}, with {places} decimal places",
                    self.label(),
                    self.found()
                ),
                "write at most 6, since nothing finer is counted",
            ),
            number::Fault::NoNumber => self.wrong(expected, remedy, mistakes),
        })
    }
}

fn whole_remedy(from: impl fmt::Display, to: impl fmt::Display) -> String {
    format!("write a whole number from {from} to {to}")
}
