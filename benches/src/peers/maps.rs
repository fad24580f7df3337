//! Concurrent maps as substrates: what a map of textbook cells costs, with a fast hash and a cached clock.

use crate::{Asks, Entry, Role::Sketch, Terms, keys::Key, ours::coarse_clock, textbook::Gcra};
use dashmap::DashMap;
use foldhash::fast::RandomState;
use tollgate_core::Clock;
use tollgate_sync::atomic::AtomicU64;

fn parts(terms: &Terms) -> (Gcra, usize) {
    (Gcra::new(terms), terms.keys)
}

pub(super) fn keyed<K: Key>() -> Vec<Entry<K>> {
    vec![
        Entry::new("dashmap_gcra", Sketch, |terms| {
            let ((gcra, keys), clock) = (parts(terms), coarse_clock());
            let cells = DashMap::with_capacity_and_hasher(keys, RandomState::default());
            Ok(Box::new(Asks(move |key: &K| {
                let now = clock.now().0;
                if let Some(cell) = cells.get(key) {
                    return gcra.take(&cell, now);
                }
                let cell = cells.entry(key.clone()).or_insert(AtomicU64::new(0));
                gcra.take(&cell, now)
            })))
        }),
        Entry::new("scc_gcra", Sketch, |terms| {
            let ((gcra, keys), clock) = (parts(terms), coarse_clock());
            let cells = scc::HashMap::with_capacity_and_hasher(keys, RandomState::default());
            Ok(Box::new(Asks(move |key: &K| {
                let now = clock.now().0;
                cells
                    .read_sync(key, |_, cell| gcra.take(cell, now))
                    .unwrap_or_else(|| {
                        let cell = cells.entry_sync(key.clone()).or_insert(AtomicU64::new(0));
                        gcra.take(&cell, now)
                    })
            })))
        }),
        Entry::new("papaya_gcra", Sketch, |terms| {
            let ((gcra, keys), clock) = (parts(terms), coarse_clock());
            let cells = papaya::HashMap::builder()
                .capacity(keys)
                .hasher(RandomState::default())
                .build();
            Ok(Box::new(Asks(move |key: &K| {
                let cells = cells.pin();
                let cell = match cells.get(key) {
                    Some(cell) => cell,
                    None => cells.get_or_insert_with(key.clone(), || AtomicU64::new(0)),
                };
                gcra.take(cell, clock.now().0)
            })))
        }),
    ]
}
