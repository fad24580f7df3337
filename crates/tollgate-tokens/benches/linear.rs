//! Throughput of counting on hostile text, and whether eight times the text costs eight times the time.
//!
//! `cargo bench -p tollgate-tokens`. Loading is outside the measured part. Some texts cost more than their length if
//! the ratio is far above eight (quadratic would be 64); the bench then fails. The allowance is wide because the
//! larger text falls out of the caches.

use std::hint::black_box;
use std::time::{Duration, Instant};

use tollgate_tokens::{Encoding, warm_up};

const SMALL: usize = 1 << 19;
const TIMES: usize = 8;
const ROUNDS: usize = 3;
const RATIO_MAX: f64 = 30.0;

fn main() {
    // `cargo test --benches` runs this too, without the argument.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    warm_up();
    let prose = "The quick brown fox jumps over the lazy dog. ";
    for encoding in Encoding::ALL {
        for unit in [prose, " ", "\n", "a", "aA", "' ", "中A", "🚦", "\u{301}"] {
            let small = unit.repeat(SMALL / unit.len());
            let large = small.repeat(TIMES);
            assert!(encoding.count(&large) >= 7 * encoding.count(&small));
            let (one, many) = (fastest(encoding, &small), fastest(encoding, &large));
            let ratio = many.as_secs_f64() / one.as_secs_f64();
            let speed = large.len() as f64 / 1e6 / many.as_secs_f64();
            let label: String = unit.chars().take(10).collect();
            println!(
                "{encoding}/{label:?}: {speed:.1} MB/s, {TIMES} times the text in {ratio:.1} times the time"
            );
            assert!(ratio < RATIO_MAX, "{encoding} is not linear on {label:?}");
        }
    }
}

fn fastest(encoding: Encoding, text: &str) -> Duration {
    let run = || {
        let start = Instant::now();
        black_box(encoding.count(black_box(text)));
        start.elapsed()
    };
    (0..ROUNDS).map(|_| run()).min().unwrap_or_default()
}
