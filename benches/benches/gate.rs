//! Decisions of the Gate: ten million rows in memory, two limits, one thread.
//!
//! Rows are generated once; building a row's request, the decision and the settlement at the row's own time are
//! measured. The answer is checked: what was admitted obeys both limits over the whole run.
#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use std::{hint::black_box, time::Instant};
use tollgate_core::{ManualClock, Nanos, Wall};
use tollgate_policy::{Gate, Request, Usage};

const ROWS: usize = 10_000_000;
const AGENTS: usize = 64;

struct Row {
    now: u64,
    agent: u32,
    input: u32,
    output: u32,
}

/// Requests a microsecond apart on average, of 64 agents, with model-like token counts.
fn rows() -> Vec<Row> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut now = 0;
    let row = |_| {
        now += random() % 2_000;
        Row {
            now,
            agent: u32::try_from(random() % AGENTS as u64).unwrap_or(0),
            input: u32::try_from(random() % 2_000 + 1).unwrap_or(1),
            output: u32::try_from(random() % 500 + 1).unwrap_or(1),
        }
    };
    (0..ROWS).map(row).collect()
}

/// Per agent, so many requests and tokens a second: rows bring 15,600 requests and 19.5 million tokens.
fn policy(requests: u64, tokens: u64) -> String {
    format!(
        r#"
        [[limit]]
        name = "agent-rps"
        by = ["agent"]
        unit = "requests"
        max = {requests}
        per = "1s"

        [[limit]]
        name = "agent-tps"
        by = ["agent"]
        unit = "tokens"
        max = {tokens}
        per = "1s"
        "#
    )
}

fn run(policy: &str, rows: &[Row], agents: &[String]) -> (u64, u64) {
    let gate = Gate::builder()
        .clock(ManualClock::new())
        .build(policy)
        .expect("the policy is valid");
    let (mut admitted, mut tokens) = (0, 0);
    for row in rows {
        let (input, output) = (u64::from(row.input), u64::from(row.output));
        let request = Request::new()
            .with("agent", &agents[row.agent as usize])
            .input_tokens(input)
            .output_tokens(output);
        let (now, wall) = (Nanos(row.now), Wall(0));
        if let Ok(reservation) = black_box(gate.admit_at(&request, now, wall)) {
            admitted += 1;
            tokens += input + output;
            reservation.settle_at(
                Usage {
                    input_tokens: input,
                    output_tokens: output,
                    micro_usd: 0,
                },
                now,
                wall,
            );
        }
    }
    (admitted, tokens)
}

fn decisions(c: &mut Criterion) {
    let rows = rows();
    let agents: Vec<String> = (0..AGENTS)
        .map(|agent| format!("agent-{agent:04}"))
        .collect();
    let seconds = rows.last().map_or(0, |row| row.now).div_ceil(1_000_000_000);
    let mut group = c.benchmark_group("gate/two_limits/threads_1");
    group
        .sample_size(10)
        .sampling_mode(SamplingMode::Flat)
        .throughput(Throughput::Elements(ROWS as u64));
    for (name, requests, per_second) in [
        ("all_admitted", 1_000_000, 1_000_000_000),
        ("half_refused", 7_800, 100_000_000),
        ("nine_in_ten_refused", 1_560, 100_000_000),
    ] {
        let policy = policy(requests, per_second);
        group.bench_function(name, |b| {
            b.iter_custom(|times| {
                let start = Instant::now();
                for _ in 0..times {
                    let (admitted, tokens) = run(&policy, &rows, &agents);
                    let spans = (seconds + 1) * AGENTS as u64;
                    assert!(
                        admitted <= requests * spans && tokens <= per_second * spans,
                        "over a limit"
                    );
                }
                start.elapsed()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, decisions);
criterion_main!(benches);
