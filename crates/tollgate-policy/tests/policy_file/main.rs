//! What a policy file says, where its mistakes stand, and that no text whatever makes the reader fail.

mod any_text;

use tollgate_policy::{
    Algorithm, CalendarPeriod, CalendarRule, Dry, Failing, LedgerRule, LimitRule, Mode, OnDrop,
    OverrideRule, PolicyFile, PriorityRule, Refund, Share, Unit, Weekday,
};

const EXAMPLE: &str = r#"
[[limit]]
name = "agent-rpm"
by = ["agent", "provider"]      # scope; absent or [] = one account for all
unit = "requests"               # requests | tokens | input_tokens | output_tokens | usd
max = 60
per = "1m"                      # 250ms, 10s, 5m, 1h; with calendar: day | week | month | year
capacity = 10                   # default: max
algorithm = "gcra"              # gcra | window | log | fixed | calendar | lifetime | concurrency
when = { model = "gpt-4o*" }    # optional; all must match; * is any run of characters
mode = "enforce"                # enforce | shadow | off
refund = "exact"                # exact | eager, for limits whose cost is settled later
warn_at = [0.8, 0.95]

[[override]]                    # a named limit, for some scopes
limit = "agent-rpm"
where = { agent = "did:agent:premium" }
max = 200

[[priority]]                    # a class may use only part of every capacity
name = "batch"
share = 0.5
"#;

/// Every key that a limit may have, each algorithm, and the ways TOML has to write them.
const EVERYTHING: &str = r#"
max_accounts = 250_000
priority = [{ name = "batch", share = 0.25 }, { name = 'top', share = 1 }]

[ledger]
path = "/var/lib/tollgate/ledger"
durability = "every commit"
history = "30d"
dry = "refuse"
failing = "allow"

[[limit]]
name = "burst"
unit = "usd"
max = "1_000.50"
capacity = 0.000001
initial = 0
per = "250ms"
refund = "eager"
on_drop = "release"
mode = "shadow"
warn_at = [1, 0.5, 0.000001]
when.region = 'a\*b\\*'
when.model = "*"

[[limit]]
name = "slots"
by = ["team:x", "été"]
unit = "tokens"
max = 0x10
per = "10s"
algorithm = "window"
slots = 4096
warn_at = []

[[limit]]
name = "stamps"
unit = "input_tokens"
max = 4_194_304
per = "5m"
algorithm = "log"
[limit.when]
"user agent" = ""

[[limit]]
name = "side by side"
unit = "output_tokens"
max = 4_503_599_627_370_494
per = "3650d"
algorithm = "fixed"
mode = "off"

[[limit]]
name = "monthly"
unit = "usd"
max = 12.345678
per = "month"
algorithm = "calendar"
zone = "europe/berlin"
anchor_day = 31

[[limit]]
name = "weekly"
unit = "requests"
max = 0
per = "week"
algorithm = "calendar"
week_starts = "sunday"
persist = false

[[limit]]
name = "ever"
by = ["agent"]
unit = "usd"
algorithm = "lifetime"
lease = 0.5

[[limit]]
name = "open"
unit = "requests"
max = 8
algorithm = "concurrency"

[[override]]
limit = "ever"
where = { agent = "a:*" }
max = 9_223_372_036_854.775807
mode = "shadow"

[[override]]
limit = "slots"
where = { "été" = "", "team:x" = "1" }
mode = "off"
"#;

fn parse(text: &str) -> PolicyFile {
    PolicyFile::parse(text).unwrap_or_else(|errors| panic!("{errors}"))
}

fn share(ppm: u32) -> Share {
    Share::ppm(ppm).unwrap()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(key, value)| (key.to_string(), value.to_string()))
        .collect()
}

/// A limit that says nothing but what it must.
fn plain(name: &str, unit: Unit, max: u64, algorithm: Algorithm) -> LimitRule {
    const HOUR_NS: u64 = 3_600_000_000_000;
    let persist = match algorithm {
        Algorithm::Calendar(_) | Algorithm::Lifetime => true,
        Algorithm::Gcra { per_ns, .. }
        | Algorithm::Fixed { per_ns }
        | Algorithm::Window { per_ns, .. }
        | Algorithm::Log { per_ns } => per_ns >= HOUR_NS,
        Algorithm::Concurrency => false,
    };
    LimitRule {
        name: name.into(),
        by: vec![],
        unit,
        max: Some(max),
        capacity: None,
        algorithm,
        when: vec![],
        mode: Mode::Enforce,
        refund: Refund::Exact,
        on_drop: OnDrop::Keep,
        warn_at: vec![share(800_000), share(950_000)],
        persist,
        lease: None,
    }
}

#[test]
fn the_example_says_what_its_comments_say() {
    let limit = LimitRule {
        by: vec!["agent".into(), "provider".into()],
        capacity: Some(10),
        when: vec![("model".into(), "gpt-4o*".parse().unwrap())],
        ..plain(
            "agent-rpm",
            Unit::Requests,
            60,
            Algorithm::Gcra {
                per_ns: 60_000_000_000,
                initial: None,
            },
        )
    };
    let premium = OverrideRule {
        limit: 0,
        where_: pairs(&[("agent", "did:agent:premium")]),
        max: Some(200),
        capacity: None,
        mode: None,
    };
    let expected = PolicyFile {
        max_accounts: 1_000_000,
        limits: vec![limit],
        overrides: vec![premium],
        priorities: vec![PriorityRule {
            name: "batch".into(),
            share: share(500_000),
        }],
        ledger: None,
    };
    assert_eq!(parse(EXAMPLE), expected);
}

#[test]
fn every_key_is_read() {
    let monthly = CalendarRule {
        period: CalendarPeriod::Month { anchor_day: 31 },
        zone: "Europe/Berlin".into(),
    };
    let weekly = CalendarRule {
        period: CalendarPeriod::Week {
            starts: Weekday::Sunday,
        },
        zone: "UTC".into(),
    };
    let limits = vec![
        LimitRule {
            capacity: Some(1),
            when: vec![
                ("region".into(), r"a\*b\\*".parse().unwrap()),
                ("model".into(), "*".parse().unwrap()),
            ],
            mode: Mode::Shadow,
            refund: Refund::Eager,
            on_drop: OnDrop::Release,
            warn_at: vec![share(1), share(500_000), Share::WHOLE],
            ..plain(
                "burst",
                Unit::Usd,
                1_000_500_000,
                Algorithm::Gcra {
                    per_ns: 250_000_000,
                    initial: Some(0),
                },
            )
        },
        LimitRule {
            by: vec!["team:x".into(), "été".into()],
            warn_at: vec![],
            ..plain(
                "slots",
                Unit::Tokens,
                16,
                Algorithm::Window {
                    per_ns: 10_000_000_000,
                    slots: 4_096,
                },
            )
        },
        LimitRule {
            when: vec![("user agent".into(), "".parse().unwrap())],
            ..plain(
                "stamps",
                Unit::InputTokens,
                4_194_304,
                Algorithm::Log {
                    per_ns: 300_000_000_000,
                },
            )
        },
        LimitRule {
            mode: Mode::Off,
            ..plain(
                "side by side",
                Unit::OutputTokens,
                4_503_599_627_370_494,
                Algorithm::Fixed {
                    per_ns: 315_360_000_000_000_000,
                },
            )
        },
        plain(
            "monthly",
            Unit::Usd,
            12_345_678,
            Algorithm::Calendar(monthly),
        ),
        LimitRule {
            persist: false,
            ..plain("weekly", Unit::Requests, 0, Algorithm::Calendar(weekly))
        },
        LimitRule {
            by: vec!["agent".into()],
            max: None,
            lease: Some(500_000),
            ..plain("ever", Unit::Usd, 0, Algorithm::Lifetime)
        },
        LimitRule {
            on_drop: OnDrop::Release,
            ..plain("open", Unit::Requests, 8, Algorithm::Concurrency)
        },
    ];
    let overrides = vec![
        OverrideRule {
            limit: 6,
            where_: pairs(&[("agent", "a:*")]),
            max: Some(9_223_372_036_854_775_807),
            capacity: None,
            mode: Some(Mode::Shadow),
        },
        OverrideRule {
            limit: 1,
            where_: pairs(&[("été", ""), ("team:x", "1")]),
            max: None,
            capacity: None,
            mode: Some(Mode::Off),
        },
    ];
    let priorities = vec![
        PriorityRule {
            name: "batch".into(),
            share: share(250_000),
        },
        PriorityRule {
            name: "top".into(),
            share: Share::WHOLE,
        },
    ];
    let file = parse(EVERYTHING);
    assert_eq!(file.limits, limits);
    assert_eq!(
        file,
        PolicyFile {
            max_accounts: 250_000,
            limits,
            overrides,
            priorities,
            ledger: Some(LedgerRule {
                path: "/var/lib/tollgate/ledger".into(),
                within_ns: None,
                history_ns: 30 * 86_400_000_000_000,
                dry: Dry::Refuse,
                failing: Failing::Allow,
            }),
        }
    );
}

#[test]
fn the_other_words_of_the_calendar_have_their_defaults() {
    for (per, period) in [
        ("hour", CalendarPeriod::Hour),
        ("day", CalendarPeriod::Day),
        (
            "week",
            CalendarPeriod::Week {
                starts: Weekday::Monday,
            },
        ),
        ("month", CalendarPeriod::Month { anchor_day: 1 }),
        ("year", CalendarPeriod::Year),
    ] {
        let file = parse(&format!(
            "[[limit]]\nname = 'a'\nunit = 'requests'\nmax = 1\nalgorithm = 'calendar'\nper = '{per}'\n"
        ));
        let expected = Algorithm::Calendar(CalendarRule {
            period,
            zone: "UTC".into(),
        });
        assert_eq!(file.limits[0].algorithm, expected);
    }
}

#[test]
fn an_override_without_capacity_leaves_the_capacity_of_the_limit() {
    let text = "[[limit]]\nname = 'a'\nby = ['x']\nunit = 'requests'\nmax = 9\ncapacity = 8\ninitial = 7\nper = '1s'\n\
                [[override]]\nlimit = 'a'\nwhere = { x = '1' }\nmax = 1\n";
    assert_eq!(parse(text).overrides[0].max, Some(1));
    // Without one it has the capacity of its maximum, which `initial` then exceeds.
    let errors = PolicyFile::parse(&text.replace("capacity = 8\n", "")).unwrap_err();
    assert!(
        errors
            .to_string()
            .starts_with("line 11, column 7: a capacity of 1 is below `initial`"),
        "{errors}"
    );
}

#[test]
fn line_ends_are_as_one_likes_and_the_last_one_is_optional() {
    let file = parse(EXAMPLE);
    assert_eq!(parse(&EXAMPLE.replace('\n', "\r\n")), file);
    assert_eq!(parse(EXAMPLE.trim_end()), file);
    assert_eq!(parse(&format!("\u{feff}{EXAMPLE}")), file);
}

#[test]
fn places_count_lines_and_characters() {
    let place = |text: &str| {
        let errors = PolicyFile::parse(text).unwrap_err();
        errors
            .mistakes()
            .iter()
            .map(|error| (error.line, error.column))
            .collect::<Vec<_>>()
    };
    let body = "name = 'a'\nunit = 'requests'\nmax = 1\nper = '1s'\n";
    assert_eq!(
        place(&format!(
            "[[limit]]\r\n{}\tmode  = 'x'\r\n",
            body.replace('\n', "\r\n")
        )),
        [(6, 10)]
    );
    assert_eq!(
        place(&format!(
            "[[limit]]\n{body}when = {{ \"été\" = 1, '日本' = 2 }}\n"
        )),
        [(6, 18), (6, 28)]
    );
    assert_eq!(place(&format!("\u{feff}[[limits]]\n{body}")), [(1, 3)]);
    assert_eq!(
        place(&format!("# été\n[[limit]]\n{body}# 日本\nmode = 'é' 1")),
        [(8, 12)]
    );
    assert_eq!(place("\u{feff}é = 1"), [(1, 1)]);
}

#[test]
fn a_byte_that_is_no_text_is_told_with_its_place() {
    for (bytes, line, column) in [
        (&b"\xff"[..], 1, 1),
        (b"a = 1\nb = 'x\xe9'\n\xff", 2, 7),
        ("\u{feff}é\u{e9}".as_bytes().split_last().unwrap().1, 1, 2),
        (b"a\r\n\xed\xa0\x80", 2, 1),
        (b"\xff\xfea\0=\0", 1, 1),
    ] {
        let errors = PolicyFile::text(bytes).unwrap_err();
        let [mistake] = errors.mistakes() else {
            panic!("{errors}");
        };
        assert_eq!((mistake.line, mistake.column), (line, column), "{errors}");
    }
    assert_eq!(PolicyFile::text(EVERYTHING.as_bytes()), Ok(EVERYTHING));
}

#[test]
fn a_file_of_the_wrong_kind_is_answered_shortly() {
    let errors = PolicyFile::parse(&"a = 1\n".repeat(101)).unwrap_err();
    assert_eq!(errors.mistakes().len(), 100);
    let text: String = (0..1_234).map(|index| format!("a{index} = 1\n")).collect();
    let errors = PolicyFile::parse(&text).unwrap_err().named("gate.toml");
    assert_eq!((errors.mistakes().len(), errors.untold()), (100, 1_134));
    let told = errors.to_string();
    assert_eq!(told.lines().count(), 101);
    assert!(told.starts_with("gate.toml: line 1, column 1: unknown key `a0` in the file; "));
    assert!(told.ends_with("\nand 1134 more"));
}

fn told(text: &str) -> String {
    PolicyFile::parse(text).unwrap_err().to_string()
}

#[test]
fn everything_is_bounded() {
    let limit = |name: &str| {
        format!("[[limit]]\nname = '{name}'\nunit = 'requests'\nby = ['x']\nmax = 1\nper = '1s'\n")
    };
    let long = format!("{}#{}", limit("a"), "#".repeat(4 << 20));
    assert!(PolicyFile::parse(&long[..4 << 20]).is_ok());
    assert_eq!(
        told(&long[..(4 << 20) + 1]),
        "line 1, column 1: the file has 4194305 bytes; a policy has at most 4194304"
    );

    let many: String = (0..10_001).map(|index| limit(&index.to_string())).collect();
    assert!(PolicyFile::parse(&many[..many.rfind("[[").unwrap()]).is_ok());
    assert_eq!(
        told(&many),
        "line 60001, column 1: more than 10000 [[limit]] tables; take some out"
    );

    let one = limit("a");
    let many = format!(
        "{one}{}",
        "[[override]]\nlimit='a'\nwhere.x=''\nmax=1\n".repeat(100_001)
    );
    assert_eq!(
        told(&many),
        "line 400007, column 1: more than 100000 [[override]] tables; take some out"
    );

    let many: String = (0..1_001)
        .map(|index| format!("[[priority]]\nname = '{index}'\nshare = 1\n"))
        .collect();
    assert_eq!(
        told(&format!("{one}{many}")),
        "line 3007, column 1: more than 1000 [[priority]] tables; take some out"
    );
}

/// The parser recurses for brackets and its tree for keys, so either could overflow the 2 MiB of a thread.
#[test]
fn hostile_nesting_is_an_error() {
    let n = 100_000;
    let key = ["k"; 79].join(".");
    for text in [
        "[".repeat(n),
        format!("a = {}", "[".repeat(n)),
        format!("a = {}{}", "[".repeat(n), "]".repeat(n)),
        format!("a = {}", "{a=".repeat(n)),
        format!("a = {}1{}", "{a=".repeat(n), "}".repeat(n)),
        format!("a{} = 1", ".a".repeat(n)),
        format!("[a{}]", ".a".repeat(n)),
        format!("[[a{}]]", ".a".repeat(n)),
        format!(
            "[{key}]\n{}x = 1{}",
            format!("{key} = {{").repeat(78),
            "}".repeat(78)
        ),
        format!("{{{}", "\n[[limit]]".repeat(n)),
        "'''".repeat(n),
        "\\".repeat(n),
        "\r".repeat(n),
        "\0".repeat(n),
    ] {
        let errors = PolicyFile::parse(&text).unwrap_err();
        assert!(!errors.mistakes().is_empty());
    }
}
