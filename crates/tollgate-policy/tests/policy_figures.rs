//! Whatever figures a file has: if it is read without a mistake, a gate can work by it, and else the values that the
//! mistakes name are the largest that fit.

use proptest::prelude::*;
use tollgate_policy::{Gate, PolicyError, PolicyFile};
use tollgate_window::{ExactLog, FixedWindow, PeriodCounter, SlottedRing};

const ALGORITHMS: [&str; 7] = [
    "gcra",
    "window",
    "log",
    "fixed",
    "calendar",
    "lifetime",
    "concurrency",
];

/// Figures of every size up to the largest that a file may have, and those about the largest of each window.
fn figure() -> impl Strategy<Value = u64> {
    let edges = [
        ExactLog::MAX_UNITS,
        SlottedRing::MAX_UNITS,
        FixedWindow::MAX_UNITS,
        PeriodCounter::UNITS_MAX,
    ];
    prop_oneof![
        8 => (1..=u64::MAX >> 1, 0_u32..63).prop_map(|(figure, shift)| (figure >> shift).max(1)),
        1 => (prop::sample::select(edges.to_vec()), 0..2_u64).prop_map(|(edge, more)| edge + more),
    ]
}

fn per(algorithm: &str) -> BoxedStrategy<Option<String>> {
    match algorithm {
        "calendar" => prop::sample::select(&["hour", "day", "week", "month", "year"][..])
            .prop_map(|word| Some(word.to_owned()))
            .boxed(),
        "lifetime" | "concurrency" => Just(None).boxed(),
        _ => (1..=315_360_000_000_u64, 0_u32..39)
            .prop_map(|(ms, shift)| Some(format!("{}ms", (ms >> shift).max(1))))
            .boxed(),
    }
}

prop_compose! {
    /// A limit and an override of it, one key a line.
    fn policy()(algorithm in prop::sample::select(&ALGORITHMS[..]))(
        per in per(algorithm),
        algorithm in Just(algorithm),
        max in prop::option::weighted(0.9, figure()),
        capacity in prop::option::of(figure()),
        slots in prop::option::of(1_u32..=4_096),
        own_max in prop::option::of(figure()),
        own_capacity in prop::option::of(figure()),
    ) -> String {
        let unit = if algorithm == "concurrency" { "requests" } else { "tokens" };
        let mut text = format!("[[limit]]\nname = \"a\"\nby = [\"x\"]\nunit = \"{unit}\"\nalgorithm = \"{algorithm}\"\n");
        let mut key = |key, value: Option<String>| {
            if let Some(value) = value {
                text += &format!("{key} = {value}\n");
            }
        };
        let gcra = |capacity: Option<u64>| capacity.filter(|_| algorithm == "gcra").map(|units| units.to_string());
        key("per", per.map(|per| format!("\"{per}\"")));
        key("max", max.map(|max| max.to_string()));
        key("capacity", gcra(capacity));
        key("slots", slots.filter(|_| algorithm == "window").map(|slots| slots.to_string()));
        key("[[override]]\nlimit", Some("\"a\"\nwhere.x = \"1\"\nmode = \"enforce\"".into()));
        key("max", own_max.or(max.xor(Some(1))).map(|max| max.to_string()));
        key("capacity", gcra(own_capacity));
        text
    }
}

fn mistakes(text: &str) -> Vec<PolicyError> {
    match PolicyFile::parse(text) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.mistakes().to_vec(),
    }
}

/// The value that `mistake` says would fit, if it names one.
fn most(mistake: &PolicyError) -> Option<u64> {
    let told = format!("{} {}", mistake.message, mistake.remedy);
    let (_, most) = told.split_once("at most ")?;
    let digits = most.bytes().take_while(u8::is_ascii_digit).count();
    most[..digits].parse().ok()
}

/// The text with `value` in the place that `mistake` tells to change.
fn amended(text: &str, mistake: &PolicyError, value: u64) -> String {
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    let line = &mut lines[mistake.line - 1];
    match ["capacity", "slots"]
        .into_iter()
        .find(|key| mistake.remedy.contains(&format!("`{key}` of at most")))
    {
        Some(key) => line.insert_str(0, &format!("{key} = {value}\n")),
        None => {
            let (key, _) = line.split_once(" = ").unwrap();
            *line = format!("{key} = {value}");
        }
    }
    lines.join("\n")
}

/// Whether the same kind of figure is still told to be too large.
fn is_told(text: &str, mistake: &PolicyError) -> bool {
    let kinds = [
        "can count",
        "keeps a stamp",
        "can tell apart",
        "to refill",
        "slots",
    ];
    let of_a_kind = |other: &PolicyError| {
        kinds
            .iter()
            .any(|kind| mistake.message.contains(kind) && other.message.contains(kind))
    };
    mistakes(text).iter().any(of_a_kind)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_file_without_a_mistake_is_one_to_work_by(text in policy()) {
        let told = mistakes(&text);
        match Gate::from_toml(&text) {
            Ok(_) => prop_assert_eq!(told, []),
            Err(errors) => prop_assert_eq!(told, errors.mistakes(), "{}\n{}", text, errors),
        }
    }

    #[test]
    fn the_values_that_mistakes_name_are_the_largest_that_fit(text in policy(), max in figure()) {
        let (limit, _) = text.split_once("[[override]]").unwrap();
        let limit = if limit.contains("max = ") { limit.to_owned() } else { format!("{limit}max = {max}\n") };
        for mistake in mistakes(&limit) {
            let Some(most) = most(&mistake) else {
                return Err(TestCaseError::fail(format!("{limit}\n{mistake}")));
            };
            prop_assert!(!is_told(&amended(&limit, &mistake, most), &mistake), "{}\n{}", limit, mistake);
            prop_assert!(is_told(&amended(&limit, &mistake, most + 1), &mistake), "{}\n{}", limit, mistake);
        }
    }
}
