//! How numbers, spans and times are written for people.

use std::borrow::Cow;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// 1234567 as `1,234,567`.
pub(crate) fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Millionths of a dollar as dollars: whole cents with two decimals, all else with six.
pub(crate) fn dollars(micro: u128) -> String {
    let (whole, part) = (micro / 1_000_000, micro % 1_000_000);
    let whole = grouped(whole);
    if part.is_multiple_of(10_000) {
        format!("${whole}.{:02}", part / 10_000)
    } else {
        format!("${whole}.{part:06}")
    }
}

/// A share as `12.3 %`; nothing of nothing is 0.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    let per_mille = (u128::from(part) * 2000 + u128::from(whole))
        .checked_div(2 * u128::from(whole))
        .unwrap_or(0);
    format!("{}.{} %", per_mille / 10, per_mille % 10)
}

/// A span in at most two units, such as `3.25 s` or `2 min 5 s`.
pub(crate) fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let two = |a: u64, big: &str, b: u64, small: &str| match b {
        0 => format!("{a} {big}"),
        _ => format!("{a} {big} {b} {small}"),
    };
    match seconds {
        0 if span.is_zero() => "0 s".into(),
        0 if span.as_micros() == 0 => format!("{} ns", span.as_nanos()),
        0 if span.as_millis() == 0 => format!("{:.1} µs", span.as_secs_f64() * 1e6),
        0 if span.subsec_nanos().is_multiple_of(1_000_000) => format!("{} ms", span.as_millis()),
        0 => format!("{:.1} ms", span.as_secs_f64() * 1e3),
        1..60 if span.subsec_nanos() == 0 => format!("{seconds} s"),
        1..60 => format!("{:.2} s", span.as_secs_f64()),
        60..3600 => two(seconds / 60, "min", seconds % 60, "s"),
        3600..86_400 => two(seconds / 3600, "h", seconds / 60 % 60, "min"),
        _ => two(seconds / 86_400, "d", seconds / 3600 % 24, "h"),
    }
}

/// A round span as a policy writes it: `250ms`, `1m`, `90s`.
pub(crate) fn round_span(span: Duration) -> String {
    let units = [
        (86_400_000_000_000, "d"),
        (3_600_000_000_000, "h"),
        (60_000_000_000, "m"),
        (1_000_000_000, "s"),
        (1_000_000, "ms"),
        (1_000, "us"),
    ];
    let nanos = span.as_nanos();
    units
        .iter()
        .find(|(unit, _)| nanos >= *unit && nanos.is_multiple_of(*unit))
        .map_or_else(
            || format!("{nanos}ns"),
            |(unit, name)| format!("{}{name}", nanos / unit),
        )
}

/// A text from a file or a path, on one line: characters that could play tricks on a terminal or a reader are
/// written as escapes.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains(plays_tricks) {
        return text.into();
    }
    let mut plain = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        if plays_tricks(letter) {
            plain.extend(letter.escape_debug());
        } else {
            plain.push(letter);
        }
    }
    plain.into()
}

/// Control characters, ends of lines, and what turns the direction of what follows.
pub(crate) fn plays_tricks(letter: char) -> bool {
    let turns = matches!(
        letter,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}') || turns
}

/// A plain name of at most `longest` characters, its middle left out if it is longer: names often differ at
/// their ends.
pub(crate) fn shortened(name: &str, longest: usize) -> String {
    let name = plain(name);
    let length = name.chars().count();
    if length <= longest {
        return name.into_owned();
    }
    let kept = longest.saturating_sub(1);
    let start = name.chars().take(kept.div_ceil(2));
    start
        .chain(['…'])
        .chain(name.chars().skip(length - kept / 2))
        .collect()
}

/// A time in UTC by a `strftime` pattern.
pub(crate) fn utc(wall_ns: i64, pattern: &str) -> String {
    match Timestamp::from_nanosecond(i128::from(wall_ns)) {
        Ok(time) => time.to_zoned(TimeZone::UTC).strftime(pattern).to_string(),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(dollars(0), "$0.00");
        assert_eq!(dollars(25_000_000), "$25.00");
        assert_eq!(dollars(1_234_567_890_123), "$1,234,567.890123");
        assert_eq!(dollars(1_500), "$0.001500");
        assert_eq!(percent(1, 3), "33.3 %");
        assert_eq!(percent(2, 3), "66.7 %");
        assert_eq!(percent(0, 0), "0.0 %");
    }

    #[test]
    fn long_names_keep_both_ends() {
        assert_eq!(shortened("agent-rpm", 9), "agent-rpm");
        assert_eq!(shortened("agent-rpm-of-team-7", 9), "agen…am-7");
        assert_eq!(shortened("ägent-rpm-of-team-7", 8), "ägen…m-7");
    }

    #[test]
    fn control_characters_are_written_as_escapes() {
        assert_eq!(plain("a \"b\" \\ é\u{301}"), "a \"b\" \\ é\u{301}");
        assert_eq!(
            plain("a\x1b[2J\r\n\t\u{9b}\x7f\0"),
            r"a\u{1b}[2J\r\n\t\u{9b}\u{7f}\0"
        );
        assert_eq!(plain("a\u{202e}b\u{2028}"), r"a\u{202e}b\u{2028}");
        assert_eq!(shortened("a\x1b[2J", 24), r"a\u{1b}[2J");
    }

    #[test]
    fn spans_and_times_read_well() {
        let cases = [
            (0, "0 s"),
            (17, "17 ns"),
            (1_700, "1.7 µs"),
            (250_000_000, "250 ms"),
            (250_100_000, "250.1 ms"),
            (3_250_000_000, "3.25 s"),
            (10_000_000_000, "10 s"),
            (125_000_000_000, "2 min 5 s"),
            (7_200_000_000_000, "2 h"),
            (90_000_000_000_000, "1 d 1 h"),
        ];
        for (nanos, text) in cases {
            assert_eq!(span(Duration::from_nanos(nanos)), text);
        }
        assert_eq!(round_span(Duration::from_secs(60)), "1m");
        assert_eq!(round_span(Duration::from_secs(90)), "90s");
        assert_eq!(round_span(Duration::from_millis(250)), "250ms");
        assert_eq!(round_span(Duration::from_nanos(1)), "1ns");
        assert_eq!(
            utc(1_700_158_546_680_590_000, "%Y-%m-%d %H:%M:%S"),
            "2023-11-16 18:15:46"
        );
    }
}
