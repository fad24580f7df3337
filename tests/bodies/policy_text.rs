//! Policy files: any text is read, or told what is wrong and where; and figures against readings of our own.

use super::Source;
use tollgate_policy::{Algorithm, Gate, PolicyFile};

/// Most mistakes that are told.
const TOLD_MAX: usize = 100;

/// Any bytes.
pub(super) fn policy_text(bytes: &[u8]) {
    let Ok(text) = PolicyFile::text(bytes) else {
        let wrong = PolicyFile::text(bytes).expect_err("it was wrong before");
        let mistake = &wrong.mistakes()[0];
        let lines: Vec<_> = bytes.split(|byte| *byte == b'\n').collect();
        assert!((1..=lines.len()).contains(&mistake.line));
        let line = lines[mistake.line - 1];
        let before = line.utf8_chunks().next().map_or("", |chunk| chunk.valid());
        let before = before.trim_start_matches('\u{feff}');
        assert_eq!(mistake.column, before.chars().count() + 1);
        return;
    };
    assert_eq!(text.as_bytes(), bytes);
    let read = PolicyFile::parse(text);
    assert_eq!(
        read,
        PolicyFile::parse(text),
        "it is read the same way twice"
    );
    match read {
        Err(errors) => {
            told(text, &errors);
            assert!(Gate::from_toml(text).is_err());
        }
        Ok(file) => {
            assert!(!file.limits.is_empty());
            if !text.starts_with('\u{feff}') {
                let marked = PolicyFile::parse(&format!("\u{feff}{text}"));
                assert_eq!(
                    marked.as_ref(),
                    Ok(&file),
                    "a byte order mark means nothing"
                );
            }
            // Within a text of several lines, their ends are part of it.
            if !text.contains("\"\"\"") && !text.contains("'''") {
                let dos = text.replace("\r\n", "\n").replace('\n', "\r\n");
                assert_eq!(
                    PolicyFile::parse(&dos),
                    Ok(file),
                    "nor do the ends of lines"
                );
            }
            compiles(text);
        }
    }
}

/// What is valid is fit for a gate, and for a reload of it.
fn compiles(text: &str) {
    let gate = match Gate::builder().without_ledger().build(text) {
        Ok(gate) => gate,
        Err(errors) => panic!("valid and unfit: {errors}\n{text}"),
    };
    let reload = gate.reload(text).expect("it was fit before");
    assert!(reload.fresh.is_empty() && reload.added.is_empty() && reload.removed.is_empty());
}

/// Some mistakes, in order, at places of the text.
fn told(text: &str, errors: &tollgate_policy::PolicyErrors) {
    let mistakes = errors.mistakes();
    assert!((1..=TOLD_MAX).contains(&mistakes.len()));
    assert!(mistakes.is_sorted_by_key(|error| (error.line, error.column)));
    let shown = errors.to_string();
    let lines_told = mistakes.len() + usize::from(errors.untold() > 0);
    assert_eq!(shown.lines().count(), lines_told, "one a line: {shown}");
    let lines: Vec<_> = text.split('\n').map(|line| line.chars().count()).collect();
    for error in mistakes {
        assert!((1..=lines.len()).contains(&error.line), "{error}");
        assert!(
            (1..=lines[error.line - 1] + 1).contains(&error.column),
            "{error}"
        );
        assert!(
            !error.message.is_empty() && !error.remedy.is_empty(),
            "{error}"
        );
    }
}

/// Text of the letters that figures are made of, and some that they are not.
fn figure(source: &Source<'_>) -> String {
    const LETTERS: [char; 26] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '0', '9', '_', '.', '-', '+', 'e', 'E',
        'm', 's', 'h', 'd', ' ', '٣', 'x', '$',
    ];
    // Mostly a number, at times with something else in it.
    let mut text = String::new();
    for _ in 0..source.number(0..=24) {
        let among = if source.one_in(6) { LETTERS.len() } else { 12 };
        text.push(LETTERS[source.index(among)]);
    }
    text + source.pick(&["", "ms", "s", "m", "h", "d", ".5", "0"])
}

/// Digits, with underscores only between them, without those.
fn digits(text: &str) -> Option<Vec<u128>> {
    let mut digits = Vec::new();
    let mut after_digit = false;
    for letter in text.chars() {
        match letter {
            '0'..='9' => digits.push(u128::from(u32::from(letter) - u32::from('0'))),
            '_' if after_digit => {}
            _ => return None,
        }
        after_digit = letter != '_';
    }
    after_digit.then_some(digits)
}

fn number(digits: &[u128]) -> Option<u128> {
    digits.iter().try_fold(0_u128, |sum, digit| {
        sum.checked_mul(10)?.checked_add(*digit)
    })
}

/// Millionths of a dollar, as the page of the policy file says: a decimal number of at most six places, up to 2^63 - 1.
fn micro_usd(text: &str) -> Option<u64> {
    let negative = text.starts_with('-');
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, places) = match text.split_once('.') {
        Some((whole, places)) => (digits(whole)?, digits(places)?),
        None => (digits(text)?, Vec::new()),
    };
    if places.len() > 6 {
        return None;
    }
    let mut all = whole;
    all.extend(&places);
    all.extend(vec![0; 6 - places.len()]);
    let value = number(&all)?;
    let value = u64::try_from(value)
        .ok()
        .filter(|value| i64::try_from(*value).is_ok())?;
    (value == 0 || !negative).then_some(value)
}

/// Nanoseconds, as the page says: a whole number with a unit, of at most ten years of 365 days.
fn nanos(text: &str) -> Option<u64> {
    const UNITS: [(&str, u128); 5] = [
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
        ("d", 86_400_000_000_000),
    ];
    let end = text.find(|letter: char| !letter.is_ascii_digit())?;
    let (count, unit) = text.split_at(end);
    let (_, length) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let nanos = number(&digits(count)?)?.checked_mul(*length)?;
    let fits = (1..=3_650 * 86_400_000_000_000).contains(&nanos);
    u64::try_from(nanos).ok().filter(|_| fits)
}

/// Amounts of money and periods: read exactly as the page of the policy file says, or refused.
pub(super) fn policy_figures(bytes: &[u8]) {
    let source = Source::new(bytes);
    let (max, per) = (figure(&source), figure(&source));

    let text =
        format!("[[limit]]\nname = 'l'\nunit = 'usd'\nalgorithm = 'lifetime'\nmax = '{max}'\n");
    let read = PolicyFile::parse(&text).map(|file| file.limits[0].max);
    assert_eq!(read.ok().flatten(), micro_usd(&max), "{max:?}");
    // The same number without quotes, where TOML has such a one.
    if let Ok(file) = PolicyFile::parse(
        &text
            .replace('\'', "")
            .replace("= l\n", "= 'l'\n")
            .replace("= usd", "= 'usd'")
            .replace("= lifetime", "= 'lifetime'"),
    ) {
        assert_eq!(
            file.limits[0].max,
            micro_usd(max.trim()),
            "{max:?} without quotes"
        );
    }

    let text = format!("[[limit]]\nname = 'l'\nunit = 'requests'\nmax = 1\nper = '{per}'\n");
    let read = PolicyFile::parse(&text).map(|file| file.limits[0].algorithm.clone());
    let expected = nanos(&per).map(|per_ns| Algorithm::Gcra {
        per_ns,
        initial: None,
    });
    assert_eq!(read.ok(), expected, "{per:?}");
}

/// Decimals of the command line: factors of estimates and seconds.
pub(super) fn decimals(bytes: &[u8]) {
    use tollgate_server::decimal::{Factor, seconds};
    let source = Source::new(bytes);
    let text = figure(&source);
    let amount = source.number(0..=1_000_000_000_000_000);
    // As documented: digits, a point, and at most nine decimals.
    let billionths = || {
        let (whole, places) = text.split_once('.').unwrap_or((&text, "0"));
        if whole.contains('_') || places.contains('_') {
            return None;
        }
        let (mut all, places) = (digits(whole)?, digits(places)?);
        let missing = 9_usize.checked_sub(places.len())?;
        all.extend(places);
        all.extend(vec![0; missing]);
        number(&all)
    };
    let expected = billionths();
    let factor = text.parse::<Factor>().ok();
    let is_factor = expected.filter(|value| (1..=1_000_000_000_000).contains(value));
    assert_eq!(factor.is_some(), is_factor.is_some(), "{text:?}");
    if let (Some(factor), Some(billionths)) = (factor, is_factor) {
        let product = (u128::from(amount) * billionths).div_ceil(1_000_000_000);
        assert_eq!(
            u128::from(factor.apply(amount)),
            product,
            "{amount} times {text}"
        );
        assert_eq!(factor.is_one(), billionths == 1_000_000_000);
        assert_eq!(
            factor.to_string().parse(),
            Ok(factor),
            "what is written is read back"
        );
    }
    let nanos = seconds(&text).ok().map(|duration| duration.as_nanos());
    assert_eq!(
        nanos,
        expected.filter(|value| *value <= 86_400 * 1_000_000_000),
        "{text:?}"
    );
}
