//! Every body over random bytes.

use proptest::{collection::vec, prelude::*, test_runner::RngSeed};
use tollgate_tests::bodies;

/// Random bytes for the body of that name, the same in every run: new ones are the fuzzers' to find. A failure is made as
/// small as it gets.
fn over_random_bytes(body: &str, cases: u32) {
    let config = ProptestConfig {
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(0x7011),
        ..ProptestConfig::with_cases(cases)
    };
    let bytes = prop_oneof![vec(any::<u8>(), 0..80), vec(any::<u8>(), 0..1_000)];
    proptest!(config, |(bytes in bytes)| bodies::run(body, &bytes));
    println!("explored: {cases} executions");
}

macro_rules! tests {
    ($($body:ident: $cases:literal),+ $(,)?) => {
        $(
            #[test]
            fn $body() {
                over_random_bytes(stringify!($body), $cases);
            }
        )+

        #[test]
        fn no_body_is_left_out() {
            let tested = [$(stringify!($body)),+];
            for body in bodies::ALL {
                assert!(tested.contains(&body.name), "{}", body.name);
            }
        }
    };
}

tests! {
    limiter: 500,
    token_bucket: 200,
    sharded_limiter: 300,
    ring: 500,
    sharded_ring: 300,
    log: 500,
    fixed: 500,
    tallies: 200,
    rate_refunds: 500,
    rate_changes: 500,
    rate_eager: 200,
    calendar: 200,
    keyed: 300,
    keyed_pairs: 200,
    keyed_batches: 100,
    gate_decisions: 500,
    gate_reloads: 500,
    policy_text: 200,
    policy_figures: 1_000,
    decimals: 1_000,
    trace: 300,
    timestamp: 1_000,
    chat_body: 200,
    text_count: 8,
    image: 300,
}
