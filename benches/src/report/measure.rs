//! Measuring groups in interleaved rounds.

use super::figures::{GroupFigures, RowFigures};
use crate::groups::{Group, Scale, stages};
use indicatif::ProgressBar;

/// Measures all groups whose name begins with `only`.
#[must_use]
pub fn groups(scale: &Scale, only: &str, progress: &ProgressBar) -> Vec<GroupFigures> {
    let mut figures = Vec::new();
    for stage in stages(scale) {
        if !stage.name.starts_with(only) && !only.starts_with(&stage.name) {
            continue;
        }
        progress.set_message(format!("{}: building", stage.name));
        for group in stage.build(scale) {
            if !group.name.starts_with(only) {
                continue;
            }
            progress.set_message(group.name.clone());
            figures.push(interleaved(&group, scale));
            progress.inc(1);
        }
    }
    figures
}

/// Measures a group: in each round each row once, beginning with another one each time, so that what else happens on
/// the machine meets all rows alike.
fn interleaved(group: &Group, scale: &Scale) -> GroupFigures {
    let asks: Vec<u64> = group
        .rows
        .iter()
        .map(|row| row.asks_in(scale.slice))
        .collect();
    let mut rows: Vec<RowFigures> = group
        .rows
        .iter()
        .map(|row| RowFigures {
            name: row.name.clone(),
            role: row.role,
            ns: Vec::with_capacity(group.rounds),
            wrong: None,
        })
        .collect();
    for round in 0..group.rounds {
        for place in 0..rows.len() {
            let at = (place + round) % rows.len();
            let outcome = group.rows[at].run(asks[at], round);
            rows[at].ns.push(outcome.sample.ns());
            rows[at].wrong = rows[at].wrong.take().or(outcome.wrong);
        }
    }
    GroupFigures {
        name: group.name.clone(),
        against: group.against.to_owned(),
        rows,
        absent: group.absent.clone(),
    }
}
