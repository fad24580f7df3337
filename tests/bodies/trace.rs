//! Traces: any bytes are rows or say what is wrong and where; rows read from one format are the same in the other.

use super::Source;
use std::{
    fmt::Write,
    io::{BufReader, Read},
};
use tollgate_server::trace::{MAX_AMOUNT, Row, Trace, TraceError};

/// All rows, and all that was wrong, each with its row and line; until the end or what cannot be passed.
#[derive(Debug, Default, PartialEq)]
struct Whole {
    rows: Vec<Row>,
    wrong: Vec<String>,
}

/// Reads `input`, of which there are `length` bytes in `lines` lines.
fn read(input: impl Read, piece: usize, length: usize, lines: u64) -> Whole {
    let mut whole = Whole::default();
    let mut trace = match Trace::new(BufReader::with_capacity(piece, input)) {
        Ok(trace) => trace,
        Err(error) => {
            whole.wrong.push(error.to_string());
            return whole;
        }
    };
    let mut row = Row::default();
    let (mut number, mut line, mut read) = (0, 0, 0);
    loop {
        let (this_number, this_line, more) = match trace.read(&mut row) {
            Ok(false) => break,
            Ok(true) => {
                for amount in [row.input_tokens, row.output_tokens, row.micro_usd] {
                    assert!(amount <= MAX_AMOUNT);
                }
                whole.rows.push(row.clone());
                (row.number, row.line, true)
            }
            Err(TraceError::Row(bad)) => {
                whole.wrong.push(bad.to_string());
                (bad.row, bad.line, true)
            }
            Err(TraceError::Endless { row, line } | TraceError::OpenQuote { row, line }) => {
                whole.wrong.push(format!("{row} {line}"));
                (row, line, false)
            }
            Err(other) => panic!("{other}"),
        };
        assert_eq!(
            this_number,
            number + 1,
            "rows are numbered one after the other"
        );
        assert!(
            (line.max(1)..=lines).contains(&this_line),
            "row {this_number} on line {this_line} of {lines}"
        );
        let now = trace.bytes();
        assert!(
            read <= now && now <= length as u64,
            "{read}, then {now} of {length}"
        );
        (number, line, read) = (this_number, this_line, now);
        if !more {
            break;
        }
    }
    whole
}

/// Any bytes.
pub(super) fn trace(bytes: &[u8]) {
    let lines = bytes.iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
    let at_once = read(bytes, 1 << 16, bytes.len(), lines);
    let in_pieces = read(bytes, 3, bytes.len(), lines);
    assert_eq!(at_once, in_pieces, "how the bytes come in means nothing");

    // The rows that were read, written as JSON lines, are the same.
    let text: String = at_once.rows.iter().map(json).collect();
    let again = read(
        text.as_bytes(),
        1 << 16,
        text.len(),
        at_once.rows.len() as u64 + 1,
    );
    if !at_once.rows.is_empty() {
        assert!(again.wrong.is_empty(), "{:?}\n{text}", again.wrong);
        assert_eq!(again.rows.len(), at_once.rows.len());
        for (again, row) in again.rows.iter().zip(&at_once.rows) {
            let mut placed = again.clone();
            (placed.number, placed.line) = (row.number, row.line);
            assert_eq!(&placed, row, "{text}");
        }
    }
}

fn json(row: &Row) -> String {
    let mut line = String::from("{");
    let mut member = |name: &str, value: &str| {
        let comma = if line.len() > 1 { "," } else { "" };
        write!(line, "{comma}{}:{}", quoted(name), quoted(value)).expect("a string takes all");
    };
    member("TIMESTAMP", &row.timestamp);
    member("ContextTokens", &row.input_tokens.to_string());
    member("GeneratedTokens", &row.output_tokens.to_string());
    member("CostMicroUsd", &row.micro_usd.to_string());
    if let Some(class) = row.class() {
        member("class", class);
    }
    for (name, value) in row.scopes.iter() {
        member(name, value);
    }
    line + "}\n"
}

/// A JSON string in ASCII.
fn quoted(text: &str) -> String {
    let escaped = text
        .encode_utf16()
        .map(|unit| match char::from_u32(unit.into()) {
            Some(letter) if letter.is_ascii_alphanumeric() || letter == ' ' => letter.to_string(),
            _ => format!("\\u{unit:04x}"),
        });
    format!("\"{}\"", escaped.collect::<String>())
}

/// Nanoseconds since 1970 of `YYYY-MM-DD HH:MM:SS`, with `T` or a space between, up to nine decimals, and `Z`, `+hh:mm` or
/// nothing after it, by arithmetic of our own.
fn wall_ns(text: &str) -> Option<i128> {
    let bytes = text.trim_ascii().as_bytes();
    let digits = |range: std::ops::Range<usize>| {
        let digits = bytes.get(range)?;
        let all = digits.iter().all(u8::is_ascii_digit);
        all.then(|| {
            digits
                .iter()
                .fold(0_i128, |sum, digit| sum * 10 + i128::from(digit - b'0'))
        })
    };
    let is = |at: usize, among: &[u8]| bytes.get(at).is_some_and(|byte| among.contains(byte));
    if !(is(4, b"-") && is(7, b"-") && is(10, b" Tt") && is(13, b":") && is(16, b":")) {
        return None;
    }
    let (year, month, day) = (digits(0..4)?, digits(5..7)?, digits(8..10)?);
    let (hour, minute, second) = (digits(11..13)?, digits(14..16)?, digits(17..19)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = [
        31,
        if leap { 29 } else { 28 },
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    let length = usize::try_from(month)
        .ok()?
        .checked_sub(1)
        .and_then(|place| lengths.get(place))?;
    if !(1..=*length).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut rest = &bytes[19..];
    let mut nanos = 0;
    if let [b'.', after @ ..] = rest {
        let places = after
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if !(1..=9).contains(&places) {
            return None;
        }
        nanos = digits(20..20 + places)? * 10_i128.pow(9 - u32::try_from(places).ok()?);
        rest = &after[places..];
    }
    let offset = match rest {
        [] | [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let two = |tens: &u8, ones: &u8| {
                let all = tens.is_ascii_digit() && ones.is_ascii_digit();
                all.then(|| i128::from(tens - b'0') * 10 + i128::from(ones - b'0'))
            };
            let (hours, minutes) = (two(h1, h2)?, two(m1, m2)?);
            if hours > 25 || minutes > 59 {
                return None;
            }
            (hours * 60 + minutes) * if *sign == b'+' { 60 } else { -60 }
        }
        _ => return None,
    };
    let leaps = |year: i128| year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let years = (year - 1970) * 365 + leaps(year - 1) - leaps(1969);
    let before: i128 = lengths.iter().take(usize::try_from(month).ok()? - 1).sum();
    let days = years + before + day - 1;
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second - offset;
    Some(seconds * 1_000_000_000 + nanos)
}

/// A timestamp in or near the documented form, against a reading of our own.
pub(super) fn timestamp(bytes: &[u8]) {
    let source = Source::new(bytes);
    let mut text: Vec<char> = format!(
        "{:04}-{:02}-{:02}{}{:02}:{:02}:{:02}",
        source.pick(&[2023, 1970, 2024, 1678, 2261, 1600, 9999, 2000, 1900]),
        source.number(0..=13),
        source.number(0..=32),
        source.pick(&[" ", "T", "t", "_"]),
        source.number(0..=24),
        source.number(0..=60),
        source.number(0..=61),
    )
    .chars()
    .collect();
    let ends = [
        "",
        "Z",
        "+01:00",
        "-04:30",
        ".5",
        ".123456789",
        ".1234567890",
        "+23:59",
        "+0100",
        ".",
        ",5",
        "z",
        " ",
        "+1:00",
    ];
    text.extend(source.pick(&ends).chars().chain(source.pick(&ends).chars()));
    while source.goes_on() {
        let letter = source.pick(&['0', '9', '-', ':', '.', 'Z', '+', ' ', '[', 'u', '−', ',']);
        let place = source.index(text.len() + 1);
        match source.number(0..=2) {
            0 => text.insert(place, letter),
            _ if place == text.len() => {}
            1 => text[place] = letter,
            _ => drop(text.remove(place)),
        }
    }
    let text: String = text.into_iter().collect();
    let line = format!(
        "{{\"TIMESTAMP\":{},\"ContextTokens\":1,\"GeneratedTokens\":1}}",
        quoted(&text)
    );
    let found = read(line.as_bytes(), 64, line.len(), 1);
    // The years that 64 bits have whole.
    let years = -9_214_560_000_000_000_000..9_214_646_400_000_000_000;
    let expected = wall_ns(&text).filter(|wall| years.contains(wall));
    let row = found.rows.first().map(|row| i128::from(row.wall_ns));
    assert_eq!(row, expected, "{text:?}: {:?}", found.wrong);
}
