//! A sliding window: ours holds in every window; pingora counts an interval in a sketch and lets the caller compare.

use super::{Group, Outcome, Scale, one_limit};
use crate::{Entry, Terms};
use std::time::Duration;

fn entries() -> Vec<Entry<()>> {
    #[cfg_attr(not(feature = "peers"), expect(unused_mut, reason = "no peers to add"))]
    let mut entries = crate::ours::window();
    #[cfg(feature = "peers")]
    entries.extend(crate::peers::window());
    entries
}

pub(super) fn groups(scale: &Scale) -> Vec<Group> {
    let hour = Duration::from_secs(3_600);
    let mut groups: Vec<Group> = Scale::threads()
        .into_iter()
        .flat_map(|threads| {
            let roomy = Terms {
                period: hour,
                ..Terms::inexhaustible(threads)
            };
            [
                one_limit::group(
                    format!("window/allowed/threads_{threads}"),
                    scale,
                    &entries(),
                    &roomy,
                    Outcome::all_allowed,
                ),
                one_limit::group(
                    format!("window/denied/threads_{threads}"),
                    scale,
                    &entries(),
                    &Terms::still(1_000, 1, threads),
                    Outcome::all_denied,
                ),
            ]
        })
        .collect();
    for group in &mut groups {
        group.against = if cfg!(feature = "peers") {
            "pingora_observe"
        } else {
            "tollgate_ring"
        };
    }
    groups
}
