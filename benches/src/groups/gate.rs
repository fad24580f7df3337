//! Decisions of the Gate: rows in memory, two limits, one thread.
//!
//! Rows are generated once; building a row's request, the decision and the settlement at the row's own time are
//! measured. The answer is checked: what was admitted obeys both limits over the whole run.

use super::{Group, Outcome, Row, Scale};
use crate::{Role, Sample, floors};
use std::{hint::black_box, rc::Rc, time::Instant};
use tollgate_core::{ManualClock, Nanos, Wall};
use tollgate_policy::{Gate, Request, Usage};

const AGENTS: usize = 64;

struct Trace {
    rows: Vec<Line>,
    agents: Vec<String>,
    seconds: u64,
}

struct Line {
    now: u64,
    agent: u32,
    input: u32,
    output: u32,
}

impl Trace {
    /// Requests a microsecond apart on average, of 64 agents, with model-like token counts.
    fn new(rows: usize) -> Self {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            u32::try_from(state % below).unwrap_or(0)
        };
        let mut now = 0;
        let rows: Vec<Line> = (0..rows)
            .map(|_| {
                now += u64::from(random(2_000));
                Line {
                    now,
                    agent: random(AGENTS as u64),
                    input: random(2_000) + 1,
                    output: random(500) + 1,
                }
            })
            .collect();
        Self {
            agents: (0..AGENTS)
                .map(|agent| format!("agent-{agent:04}"))
                .collect(),
            seconds: now.div_ceil(1_000_000_000),
            rows,
        }
    }

    fn run(&self, policy: &str, requests: u64, per_second: u64) -> Outcome {
        let gate = Gate::builder()
            .clock(ManualClock::new())
            .build(policy)
            .expect("the policy is valid");
        let (mut admitted, mut tokens) = (0, 0);
        let start = Instant::now();
        for row in &self.rows {
            let (input, output) = (u64::from(row.input), u64::from(row.output));
            let request = Request::new()
                .with("agent", &self.agents[row.agent as usize])
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
        let elapsed = start.elapsed();
        // Each second's worth, and a capacity of a second's worth to begin with.
        let spans = (self.seconds + 1) * AGENTS as u64;
        let over = admitted > requests * spans || tokens > per_second * spans;
        Outcome {
            sample: Sample {
                elapsed,
                asked: self.rows.len() as u64,
                allowed: admitted,
            },
            wrong: over.then(|| format!("admitted {admitted} requests, {tokens} tokens")),
        }
    }
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

pub(super) fn groups(scale: &Scale) -> Vec<Group> {
    let trace = Rc::new(Trace::new(scale.gate_rows));
    let mut group = super::one_limit::group(
        "gate/two_limits/threads_1".to_owned(),
        scale,
        &floors::floors(),
        &crate::Terms::inexhaustible(1),
        Outcome::all_allowed,
    );
    group.against = "exchange_u128";
    group.rounds = scale.gate_rounds;
    group.rows.retain(|row| row.name == group.against);
    for (name, requests, per_second) in [
        ("tollgate_all_admitted", 1_000_000, 1_000_000_000),
        ("tollgate_half_refused", 7_800, 100_000_000),
        ("tollgate_nine_in_ten_refused", 1_560, 100_000_000),
    ] {
        let (trace, policy) = (Rc::clone(&trace), policy(requests, per_second));
        let asks = Some(trace.rows.len() as u64);
        group
            .rows
            .push(Row::new(name, Role::Ours, asks, move |_, _| {
                trace.run(&policy, requests, per_second)
            }));
    }
    vec![group]
}
