//! Heap bytes by key of everybody, counted by the allocator: one line of JSON each. A program of its own, since
//! counting would slow down those who allocate as they decide.

use cap::Cap;
use std::{alloc::System, env, time::Duration};
use tollgate_benches::{Entry, Role, groups, keys::Key, report::MemoryFigures};

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

/// Who takes longer to take up the keys is not counted.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() {
    let keys = env::args()
        .nth(1)
        .and_then(|keys| keys.parse().ok())
        .unwrap_or(100_000);
    // What is shared by all rows is there before anything is counted.
    let _ = tollgate_benches::ours::coarse_clock();
    tell(&groups::u64_entries(), keys);
    tell(&groups::text_entries(), keys);
}

fn tell<K: Key>(entries: &[Entry<K>], keys: usize) {
    for entry in entries.iter().filter(|entry| entry.role != Role::Floor) {
        let before = HEAP.allocated();
        let Ok(subject) = groups::filled(entry, keys, PATIENCE) else {
            continue;
        };
        let held = HEAP.allocated().saturating_sub(before) + subject.mapped_bytes();
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let figures = MemoryFigures {
            name: entry.name.to_owned(),
            role: entry.role,
            kind: K::NAME.to_owned(),
            keys: keys as u64,
            bytes_per_key: held as f64 / keys as f64,
        };
        println!(
            "{}",
            serde_json::to_string(&figures).expect("figures are plain")
        );
    }
}
