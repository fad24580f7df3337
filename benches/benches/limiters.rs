//! All groups under criterion, row by row, for work on one of them: `cargo bench -p tollgate-benches --features peers
//! -- one_limit/allowed`. Ratios between rows are for `cargo xtask bench`, which interleaves them.
//!
//! What a group shares is built before its first row is measured, also if a filter leaves no row of it: give the name
//! of a stage in `STAGE` to build no other.

use criterion::{Criterion, Throughput};
use std::{env, time::Duration};
use tollgate_benches::groups::{Scale, stages};

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    let scale = Scale::quick();
    let wanted = env::var("STAGE").unwrap_or_default();
    for stage in stages(&scale) {
        if !stage.name.starts_with(&wanted) {
            continue;
        }
        for group in stage.build(&scale) {
            let mut bench = criterion.benchmark_group(&group.name);
            bench.throughput(Throughput::Elements(1));
            for row in group.rows {
                let mut round = 0;
                bench.bench_function(&row.name, |b| {
                    b.iter_custom(|asks| {
                        round += 1;
                        let outcome = row.run(asks, round);
                        assert_eq!(outcome.wrong, None, "{}", row.name);
                        outcome.sample.elapsed
                    });
                });
            }
            bench.finish();
        }
    }
    criterion.final_summary();
}
