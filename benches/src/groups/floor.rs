//! Single operations of the machine.

use super::{Group, Outcome, Scale, one_limit};
use crate::{Terms, floors};

pub(super) fn groups(scale: &Scale) -> Vec<Group> {
    let mut groups: Vec<Group> = Scale::threads()
        .into_iter()
        .map(|threads| {
            one_limit::group(
                format!("floor/threads_{threads}"),
                scale,
                &floors::floors(),
                &Terms::inexhaustible(threads),
                Outcome::all_allowed,
            )
        })
        .collect();
    groups.push(one_limit::group(
        "floor/dram".to_owned(),
        scale,
        &floors::dram(),
        &Terms::inexhaustible(1),
        Outcome::all_allowed,
    ));
    for group in &mut groups {
        group.against = if group.name == "floor/dram" {
            "dram_independent"
        } else {
            "exchange"
        };
    }
    groups
}
