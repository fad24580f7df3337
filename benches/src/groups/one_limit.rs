//! One limit: allowed, and denied; by threads.

use super::{Group, Outcome, Row, Scale};
use crate::{Entry, Mode, Role, Sample, Shot, Terms};

/// Units of a limit that is to be exhausted.
const STILL: u32 = 1_000;

/// Everybody with one limit.
pub(crate) fn entries() -> Vec<Entry<()>> {
    let mut entries = crate::ours::one_limit();
    entries.extend(crate::textbook::one_limit());
    #[cfg(feature = "peers")]
    entries.extend(crate::peers::one_limit());
    entries
}

pub(super) fn groups(scale: &Scale) -> Vec<Group> {
    Scale::threads()
        .into_iter()
        .flat_map(|threads| {
            [
                group(
                    format!("one_limit/allowed/threads_{threads}"),
                    scale,
                    &entries(),
                    &Terms::inexhaustible(threads),
                    Outcome::all_allowed,
                ),
                group(
                    format!("one_limit/denied/threads_{threads}"),
                    scale,
                    &entries(),
                    &Terms::still(STILL, 1, threads),
                    Outcome::all_denied,
                ),
            ]
        })
        .collect()
}

/// A group with a row for each entry. A limit that can be exhausted is, before anything is measured.
pub(super) fn group(
    name: String,
    scale: &Scale,
    entries: &[Entry<()>],
    terms: &Terms,
    judge: fn(Sample) -> Outcome,
) -> Group {
    let (mut rows, mut absent) = (Vec::new(), Vec::new());
    for entry in entries {
        let subject = match (entry.build)(terms) {
            Ok(subject) => subject,
            Err(why) => {
                absent.push((entry.name.to_owned(), why));
                continue;
            }
        };
        let mut spent = None;
        if entry.role != Role::Floor && terms.capacity == STILL {
            let asked = 2 * STILL;
            let allowed = (0..asked).filter(|_| subject.ask_once(&())).count();
            if allowed != STILL as usize {
                spent = Some(format!(
                    "allowed {allowed} at once of a capacity of {STILL}"
                ));
            }
        }
        let threads = terms.threads;
        rows.push(Row::new(entry.name, entry.role, None, move |asks, _| {
            let mut outcome = judge(subject.run(&Shot {
                keys: &[()],
                start: 0,
                asks,
                threads,
                mode: Mode::Single,
            }));
            outcome.wrong = outcome.wrong.or_else(|| spent.clone());
            outcome
        }));
    }
    Group {
        name,
        against: if cfg!(feature = "peers") {
            "governor"
        } else {
            "textbook_gcra_coarse"
        },
        rounds: scale.rounds,
        rows,
        absent,
    }
}
