//! The times in a trace.

use std::ops::Range;

use jiff::civil::DateTime;
use jiff::fmt::temporal::{DateTimeParser, PiecesOffset};
use jiff::tz::Offset;

use super::row::shown;

/// The years that 64 bits of nanoseconds since 1970 have whole: 1678 to 2261. In those beyond, periods end early.
const YEARS: Range<i64> = -9_214_560_000_000_000_000..9_214_646_400_000_000_000;

static PARSER: DateTimeParser = DateTimeParser::new();

/// Reads `YYYY-MM-DD HH:MM:SS`, with `T` or a space between, up to 9 decimals, and `Z`, `+hh:mm` or
/// nothing, which is UTC, after it. Returns nanoseconds since 1970; `Err` is what is wrong.
pub(super) fn wall_ns(text: &str) -> Result<i64, String> {
    let trimmed = text.trim_ascii();
    let wall = parse(trimmed).ok_or_else(|| {
        format!(
            "TIMESTAMP is {}; YYYY-MM-DD HH:MM:SS with up to 9 decimals and Z or +hh:mm or nothing \
             (UTC) after it would be right",
            shown(text)
        )
    })?;
    match i64::try_from(wall) {
        Ok(wall) if YEARS.contains(&wall) => Ok(wall),
        _ => Err(format!(
            "TIMESTAMP is {}; a year from 1678 to 2261 would be right",
            shown(text)
        )),
    }
}

fn parse(text: &str) -> Option<i128> {
    // The library reads more forms than a trace may have (a date alone, a zone's name, an offset of hours, a decimal
    // comma), and a leap second as the one before it; this leaves the one form, whose details it then judges.
    let bytes = text.as_bytes();
    if !is_in_form(bytes) {
        return None;
    }
    let pieces = PARSER.parse_pieces(bytes).ok()?;
    if pieces.time_zone_annotation().is_some() {
        return None;
    }
    let offset = match pieces.offset() {
        None | Some(PiecesOffset::Zulu) => Offset::UTC,
        Some(PiecesOffset::Numeric(numeric)) => numeric.offset(),
        Some(_) => return None,
    };
    let local = DateTime::from_parts(pieces.date(), pieces.time()?);
    // Beyond the library's years is beyond those of a trace.
    Some(
        offset
            .to_timestamp(local)
            .map_or(i128::MAX, |time| time.as_nanosecond()),
    )
}

/// Whether `bytes` are like `2023-11-16 18:15:46`, perhaps with decimals and an offset after it. Digits are not looked at
/// but where another form has other ones.
fn is_in_form(bytes: &[u8]) -> bool {
    let Some((time, rest)) = bytes.split_at_checked(19) else {
        return false;
    };
    let fixed = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    let is_time = fixed.iter().all(|(at, byte)| time[*at] == *byte)
        && matches!(time[10], b' ' | b'T' | b't')
        && time[17] < b'6';
    let decimals = rest.strip_prefix(b".").map_or(0, |decimals| {
        1 + decimals.iter().take_while(|b| b.is_ascii_digit()).count()
    });
    let is_offset = matches!(
        &rest[decimals..],
        [] | [b'Z' | b'z'] | [b'+' | b'-', _, _, b':', _, _]
    );
    is_time && is_offset
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_to_the_nanosecond_and_knows_offsets() {
        let base = 1_700_158_546_000_000_000;
        let cases = [
            ("2023-11-16 18:15:46", 0),
            ("2023-11-16T18:15:46", 0),
            ("2023-11-16 18:15:46Z", 0),
            ("2023-11-16 19:15:46+01:00", 0),
            ("2023-11-16 13:45:46.5-04:30", 500_000_000),
            ("2023-11-16 18:15:46.6805900", 680_590_000),
            ("2023-11-16 18:15:46.0000001", 100),
            ("2023-11-16 18:15:46.123456789", 123_456_789),
            (" 2023-11-16 18:15:46 ", 0),
        ];
        for (text, plus) in cases {
            assert_eq!(wall_ns(text), Ok(base + plus), "{text}");
        }
        assert_eq!(wall_ns("1969-12-31 23:59:59.9"), Ok(-100_000_000));
        assert_eq!(wall_ns("1678-01-01 00:00:00"), Ok(YEARS.start));
        assert_eq!(wall_ns("2261-12-31 23:59:59.999999999"), Ok(YEARS.end - 1));
    }

    #[test]
    fn other_forms_are_refused() {
        for text in [
            "",
            "2023-11-16",
            "2023-11-16 18:15",
            "2023-11-16 18",
            "20231116T181546",
            "1700158546",
            "2023-11-16 24:00:00",
            "2023-02-29 00:00:00",
            "2023-11-16 18:15:46.1234567891",
            "2023-11-16 18:15:46[Europe/Berlin]",
            "2023-11-16 18:15:46+01:00[Europe/Berlin]",
            "2023-11-16 18:15:46 and a half",
            // Forms of the library's that no trace may have; the last one it took for a second earlier.
            "2023-11-16 18:15:46+0100",
            "2023-11-16 18:15:46+01",
            "2023-11-16 18:15:46+01:00:30",
            "2023-11-16 18:15:46,5",
            "2023-11-16 18:15:60",
            "16-11-2023 18:15:46",
        ] {
            let error = wall_ns(text).unwrap_err();
            assert!(error.contains("YYYY-MM-DD HH:MM:SS"), "{text}: {error}");
        }
        for text in [
            "1066-10-14 09:00:00",
            "1677-12-31 23:59:59.9",
            "2262-01-01 00:00:00",
            "9999-12-31 23:59:59",
            "0000-01-01 00:00:00+23:59",
        ] {
            assert_eq!(
                wall_ns(text).unwrap_err(),
                format!("TIMESTAMP is \"{text}\"; a year from 1678 to 2261 would be right")
            );
        }
    }
}
