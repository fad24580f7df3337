//! The trace: where it lies, and what its rows say.

use std::{env, fs, path::Path};

const SECOND: u64 = 1_000_000_000;

/// One request of the trace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// Nanoseconds since the first row.
    pub(crate) now: u64,
    pub(crate) input: u64,
    pub(crate) output: u64,
}

impl Row {
    pub(crate) const fn tokens(&self) -> u64 {
        self.input + self.output
    }
}

/// A whole trace.
#[derive(Debug)]
pub(crate) struct Trace {
    /// The first row's time, in nanoseconds since the Unix epoch.
    pub(crate) start: u64,
    pub(crate) rows: Vec<Row>,
}

/// The trace that `TOLLGATE_TRACE` points to, or the one beside the repository. None, and a line about it, if there
/// is no file: the trace is not part of the repository.
pub(crate) fn load() -> Option<Trace> {
    let beside = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../shared/data/azure-llm-2023-conv.csv"
    );
    let path = env::var_os("TOLLGATE_TRACE").unwrap_or_else(|| beside.into());
    let path = Path::new(&path);
    if !path.exists() {
        println!("skipped: there is no trace at {}", path.display());
        return None;
    }
    let text = fs::read_to_string(path).expect("the trace can be read");
    let read: Vec<(u64, u64, u64)> = text.lines().skip(1).map(row).collect();
    let start = read.first().expect("the trace has rows").0;
    let rows = read.into_iter().map(|(at, input, output)| Row {
        now: at - start,
        input,
        output,
    });
    Some(Trace {
        start,
        rows: rows.collect(),
    })
}

/// `2023-11-16 18:15:46.6805900,374,44`, the time in nanoseconds since the Unix epoch.
fn row(line: &str) -> (u64, u64, u64) {
    let numbers = line
        .split(|letter: char| !letter.is_ascii_digit())
        .filter(|part| !part.is_empty());
    let numbers: Vec<u64> = numbers
        .map(|number| number.parse().expect("a row is made of numbers"))
        .collect();
    let &[
        year,
        month,
        day,
        hour,
        minute,
        second,
        fraction,
        input,
        output,
    ] = &numbers[..]
    else {
        panic!("a row has a time and two counts, found {line:?}");
    };
    let digits = line.find('.').map_or(0, |dot| {
        line[dot + 1..]
            .bytes()
            .take_while(u8::is_ascii_digit)
            .count()
    });
    let fraction = fraction * 10_u64.pow(9 - u32::try_from(digits).expect("few digits"));
    let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    (seconds * SECOND + fraction, input, output)
}

/// Days from the first of January 1970, counted one year and one month at a time.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let in_month = |month: u64| match month {
        2 => 28 + u64::from(leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let years: u64 = (1970..year).map(|year| 365 + u64::from(leap(year))).sum();
    years + (1..month).map(in_month).sum::<u64>() + day - 1
}

#[test]
fn a_row_is_read_to_the_tenth_of_a_microsecond() {
    let read = row("2023-11-16 18:15:46.6805900,374,44");
    assert_eq!(read, (1_700_158_546_680_590_000, 374, 44));
    assert_eq!(
        row("2024-03-01 00:00:00.5,1,2").0,
        1_709_251_200_500_000_000
    );
}
