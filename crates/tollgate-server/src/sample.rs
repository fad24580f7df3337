//! A made trace: a day of five agents, from noon to noon, as CSV text.
//!
//! People work by day and a batch job by night; every agent now and then has a burst. All numbers are
//! whole and the random numbers are seeded, so that every machine makes the same trace.

use std::fmt::Write as _;

use rand_pcg::Pcg64;
use rand_pcg::rand_core::{Rng, SeedableRng};

use crate::figures;

/// The policy that goes with the trace.
pub(crate) const POLICY: &str = include_str!("../policies/sample.toml");

/// 3 March 2025, 12:00 UTC, a Monday.
const START: i64 = 1_741_003_200;
const SECONDS: i64 = 86_400;
const SEED: u64 = 20_250_303;

/// Who calls, what, and how often.
struct Agent {
    name: &'static str,
    provider: &'static str,
    model: &'static str,
    class: &'static str,
    /// Requests an hour, by the hour of the day in UTC.
    by_hour: [u32; 24],
    /// In a burst, this many times as many.
    burst: u32,
    /// Bursts a day, on average.
    bursts: u32,
    input: (u64, u64),
    output: (u64, u64),
    /// Millionths of a dollar for a thousand tokens of input and of output.
    price: (u64, u64),
}

const OFFICE: [u32; 24] = [
    10, 6, 4, 4, 6, 16, 60, 160, 300, 380, 400, 380, 320, 360, 400, 380, 300, 200, 110, 70, 50, 36,
    24, 16,
];
const EVENING: [u32; 24] = [
    110, 60, 30, 16, 14, 20, 50, 90, 120, 130, 130, 140, 150, 150, 150, 160, 180, 220, 280, 330,
    350, 320, 260, 180,
];
const STEADY: [u32; 24] = [70; 24];
const NIGHT: [u32; 24] = [
    0, 900, 1300, 1100, 500, 40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
];

const AGENTS: [Agent; 5] = [
    Agent {
        name: "code-review",
        provider: "anthropic",
        model: "claude-sonnet-4",
        class: "",
        by_hour: OFFICE,
        burst: 12,
        bursts: 9,
        input: (800, 9_000),
        output: (60, 1_200),
        price: (3_000, 15_000),
    },
    Agent {
        name: "support-bot",
        provider: "openai",
        model: "gpt-4o-mini",
        class: "",
        by_hour: EVENING,
        burst: 10,
        bursts: 8,
        input: (200, 2_400),
        output: (40, 500),
        price: (150, 600),
    },
    Agent {
        name: "research",
        provider: "openai",
        model: "gpt-4o",
        class: "",
        by_hour: OFFICE,
        burst: 8,
        bursts: 6,
        input: (500, 12_000),
        output: (100, 2_000),
        price: (2_500, 10_000),
    },
    Agent {
        name: "monitor",
        provider: "openai",
        model: "gpt-4o-mini",
        class: "",
        by_hour: STEADY,
        burst: 60,
        bursts: 4,
        input: (300, 900),
        output: (10, 60),
        price: (150, 600),
    },
    Agent {
        name: "nightly-summary",
        provider: "openai",
        model: "gpt-4o",
        class: "batch",
        by_hour: NIGHT,
        burst: 3,
        bursts: 20,
        input: (900, 4_200),
        output: (100, 500),
        price: (2_500, 10_000),
    },
];

/// Writes the trace.
pub(crate) fn trace() -> String {
    let mut random = Pcg64::seed_from_u64(SEED);
    let mut burst_until = [0_i64; AGENTS.len()];
    let mut text = String::from(
        "TIMESTAMP,ContextTokens,GeneratedTokens,CostMicroUsd,class,agent,provider,model\n",
    );
    for second in 0..SECONDS {
        let mut asked = Vec::new();
        for (agent, until) in AGENTS.iter().zip(&mut burst_until) {
            if below(&mut random, 86_400) < agent.bursts.into() {
                *until = second + 20 + i64::from(below_u32(&mut random, 70));
            }
            let bursting = second < *until;
            for _ in 0..requests(&mut random, agent, second, bursting) {
                asked.push((below(&mut random, 10_000_000), agent));
            }
        }
        asked.sort_by_key(|(tick, _)| *tick);
        for (tick, agent) in asked {
            write_row(&mut text, &mut random, second, tick, agent);
        }
    }
    text
}

fn requests(random: &mut Pcg64, agent: &Agent, second: i64, bursting: bool) -> u64 {
    let hour = usize::try_from((START + second) / 3600 % 24).unwrap_or(0);
    let times = if bursting { agent.burst } else { 1 };
    let hourly = u64::from(agent.by_hour[hour]) * u64::from(times);
    hourly / 3600 + u64::from(below(random, 3600) < hourly % 3600)
}

fn write_row(text: &mut String, random: &mut Pcg64, second: i64, tick: u64, agent: &Agent) {
    let input = skewed(random, agent.input);
    let output = skewed(random, agent.output);
    let cost = (input * agent.price.0 + output * agent.price.1).div_ceil(1000);
    let time = figures::utc((START + second) * 1_000_000_000, "%F %T");
    let Agent {
        class,
        name,
        provider,
        model,
        ..
    } = agent;
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "{time}.{tick:07},{input},{output},{cost},{class},{name},{provider},{model}"
    );
}

/// Between `least` and `most`, most often near the least.
fn skewed(random: &mut Pcg64, (least, most): (u64, u64)) -> u64 {
    let part = below(random, 1000);
    least + (most - least) * part * part * part / 1_000_000_000
}

/// Evenly from 0 up to `end`; the bias is below 2^-32 for ends this small.
fn below(random: &mut Pcg64, end: u32) -> u64 {
    let product = u128::from(random.next_u64()) * u128::from(end);
    u64::try_from(product >> 64).unwrap_or(0)
}

fn below_u32(random: &mut Pcg64, end: u32) -> u32 {
    u32::try_from(below(random, end)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Row, Trace};

    #[test]
    fn the_sample_is_a_day_of_ordered_rows_and_always_the_same() {
        let text = trace();
        assert_eq!(text, trace());
        let mut rows = Trace::new(text.as_bytes()).unwrap();
        let (mut row, mut last, mut count, mut by_hour) = (Row::default(), i64::MIN, 0, [0; 24]);
        let mut agents = std::collections::BTreeSet::new();
        while rows.read(&mut row).unwrap() {
            assert!(row.wall_ns >= last, "row {} goes back in time", row.number);
            last = row.wall_ns;
            count += 1;
            by_hour[usize::try_from(row.wall_ns / 3_600_000_000_000 % 24).unwrap()] += 1;
            agents.extend(
                row.scopes
                    .iter()
                    .filter(|(name, _)| *name == "agent")
                    .map(|(_, v)| v.to_owned()),
            );
        }
        assert!((15_000..30_000).contains(&count), "{count}");
        assert_eq!(agents.len(), AGENTS.len());
        assert!(by_hour[14] > 5 * by_hour[6], "{by_hour:?}");
    }
}
