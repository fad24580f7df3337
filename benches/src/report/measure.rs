//! Measuring groups in interleaved rounds.

use super::figures::{GroupFigures, RowFigures};
use crate::groups::{Group, Scale, stages};
use indicatif::ProgressBar;
use std::io;

/// Measures the groups that are `wanted`, by their names, and tells those of each stage when it has ended.
pub fn groups(
    scale: &Scale,
    wanted: &Wanted,
    progress: &ProgressBar,
    mut told: impl FnMut(Vec<GroupFigures>) -> io::Result<()>,
) -> io::Result<()> {
    for stage in stages(scale) {
        if !wanted.any_below(&stage.name) {
            continue;
        }
        progress.set_message(format!("{}: building", stage.name));
        let mut figures = Vec::new();
        for group in stage.build(scale) {
            if !wanted.is(&group.name) {
                continue;
            }
            progress.set_message(group.name.clone());
            figures.push(interleaved(&group, scale));
            progress.inc(1);
        }
        told(figures)?;
    }
    Ok(())
}

/// What is to be measured: everything, or whatever has a name that begins with one of these.
#[derive(Clone, Debug, Default)]
pub struct Wanted(pub Vec<String>);

impl Wanted {
    /// Whether the group, or the part, of this name is.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|only| name.starts_with(only.as_str()))
    }

    /// Whether anything may be whose name begins with this.
    #[must_use]
    pub fn any_below(&self, beginning: &str) -> bool {
        self.is(beginning) || self.0.iter().any(|only| only.starts_with(beginning))
    }
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
        run: 0,
        name: group.name.clone(),
        against: group.against.to_owned(),
        rows,
        absent: group.absent.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::Wanted;

    #[test]
    fn beginnings_say_what_is_wanted() {
        let all = Wanted::default();
        assert!(all.is("keyed/u64_1k") && all.any_below("gate"));
        let some = Wanted(vec!["keyed/u64_1m/uniform".to_owned(), "flood".to_owned()]);
        assert!(some.is("keyed/u64_1m/uniform/allowed") && some.is("flood"));
        assert!(!some.is("keyed/u64_1m/zipf/allowed") && !some.is("load"));
        assert!(some.any_below("keyed/u64_1m") && !some.any_below("keyed/u64_1k"));
    }
}
