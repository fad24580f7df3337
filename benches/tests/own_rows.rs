//! Our own rows run and answer right, at sizes that tell nothing about time.

use std::time::Duration;
use tollgate_benches::{
    Role,
    groups::{Scale, stages},
};

#[test]
fn our_rows_answer_right_in_every_workload() {
    let scale = Scale::smoke();
    let mut ours = 0;
    for stage in stages(&scale) {
        // Floors take memory, and answer nothing.
        if stage.name.starts_with("floor") {
            continue;
        }
        for group in stage.build(&scale) {
            assert!(
                group
                    .absent
                    .iter()
                    .all(|(name, _)| !name.starts_with("tollgate"))
            );
            for row in group.rows.iter().filter(|row| row.role == Role::Ours) {
                let outcome = row.run(row.asks_in(Duration::from_micros(50)), 1);
                assert_eq!(outcome.wrong, None, "{}/{}", group.name, row.name);
                ours += 1;
            }
        }
    }
    assert!(ours > 10, "{ours}");
}
