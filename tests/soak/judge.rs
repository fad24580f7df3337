//! The first law, exactly, from the journal and the policies of its seed: every account of every limit.

use crate::{
    journal::{Entry, What},
    policies::{Algorithm, DAY, Policies},
};
use std::collections::BTreeMap;
use tollgate_testkit::{
    Periods, RateLimit,
    law::{Event, Kind, Law, Verdict, check_changing, raise_all},
};

/// An event of one account, when it happened among all, and under which policy.
#[derive(Clone, Copy, Debug)]
struct Noted {
    event: Event,
    began: u64,
    ended: u64,
    epoch: usize,
}

/// What a reservation came to.
#[derive(Clone, Debug)]
struct Life {
    agent: usize,
    model: usize,
    /// The admission, then its extensions: when, and input and output.
    charges: Vec<(Entry, usize, u64, u64)>,
    end: Option<(Entry, usize)>,
}

/// Judges every account.
///
/// # Errors
/// The first breach: limit, account and evidence.
pub(crate) fn judge(policies: &Policies, entries: &[Entry]) -> Result<u64, String> {
    let mut entries = entries.to_vec();
    entries.sort_by_key(|entry| entry.began);
    let (lives, changes) = lives(&entries);
    let days = entries.iter().map(|entry| entry.at).max().unwrap_or(0) / DAY + 70;
    let mut judged = 0;
    for (place, limit) in policies.limits.iter().enumerate() {
        if limit.shadow {
            continue;
        }
        let mut accounts: BTreeMap<usize, (usize, Vec<Noted>)> = BTreeMap::new();
        for life in lives.values().filter(|life| limit.applies(life.model)) {
            let account = limit.account(life.agent, life.model);
            let (_, noted) = accounts.entry(account).or_insert((life.agent, Vec::new()));
            note(policies, place, life, noted);
        }
        let periods = limit.periods(policies.wall, days);
        for (account, (agent, noted)) in accounts {
            judged += 1;
            let verdict = account_verdict(policies, place, agent, &periods, &changes, noted);
            if let Verdict::Broken(evidence) = verdict {
                return Err(format!(
                    "limit {place} ({limit:?}), account {account}: {evidence}"
                ));
            }
        }
    }
    Ok(judged)
}

fn lives(entries: &[Entry]) -> (BTreeMap<u64, Life>, Vec<u64>) {
    let (mut lives, mut changes): (BTreeMap<u64, Life>, Vec<u64>) = Default::default();
    for entry in entries {
        let epoch = changes.len();
        match entry.what {
            What::Reload => changes.push(entry.at),
            What::Admit {
                agent,
                model,
                input,
                output,
            } => {
                let charges = vec![(*entry, epoch, input, output)];
                lives.insert(
                    entry.id,
                    Life {
                        agent,
                        model,
                        charges,
                        end: None,
                    },
                );
            }
            What::Extend { output } => {
                if let Some(life) = lives.get_mut(&entry.id) {
                    life.charges.push((*entry, epoch, 0, output));
                }
            }
            What::Settle { .. } | What::Release | What::Drop => {
                if let Some(life) = lives.get_mut(&entry.id) {
                    life.end = Some((*entry, epoch));
                }
            }
        }
    }
    (lives, changes)
}

/// The events of one reservation under one limit.
fn note(policies: &Policies, place: usize, life: &Life, noted: &mut Vec<Noted>) {
    let limit = &policies.limits[place];
    let counts_open = limit.algorithm == Algorithm::Concurrency;
    let mut charges: Vec<(Entry, usize, u64)> = Vec::new();
    for (number, (entry, epoch, input, output)) in life.charges.iter().enumerate() {
        // A request is counted once.
        let again = number > 0 && limit.unit == crate::policies::Unit::Requests;
        let cost = if again {
            0
        } else {
            limit.cost(*input, *output)
        };
        // Who asks for nothing is asked nothing.
        if cost > 0 {
            charges.push((*entry, *epoch, cost));
        }
    }
    let charged: u64 = charges.iter().map(|(_, _, cost)| cost).sum();
    let kept = match life.end.map(|(entry, _)| entry.what) {
        _ if counts_open => charged,
        Some(What::Settle { input, output }) => limit.cost(input, output),
        Some(What::Release) => 0,
        Some(What::Drop) if limit.releases => 0,
        _ => charged,
    };
    // What comes back comes off the last charge first.
    let mut surplus = charged.saturating_sub(kept);
    for (_, _, cost) in charges.iter_mut().rev() {
        let part = surplus.min(*cost);
        (*cost, surplus) = (*cost - part, surplus - part);
    }
    noted.extend(charges.into_iter().map(|(entry, epoch, cost)| Noted {
        event: Event::admitted(entry.at, cost),
        began: entry.began,
        ended: entry.ended,
        epoch,
    }));
    let Some((end, epoch)) = life.end else { return };
    let event = if counts_open {
        Event::closed(end.at, charged)
    } else if kept > charged {
        Event::debt(end.at, kept - charged)
    } else {
        return;
    };
    let (began, ended) = (end.began, end.ended);
    noted.push(Noted {
        event,
        began,
        ended,
        epoch,
    });
}

/// A debt counts from the latest instant at which its account was charged before it. Where that cannot be told, since it
/// raced with an admission, it is left out: that accuses nobody wrongly.
fn place_debts(noted: &mut Vec<Noted>) {
    let admitted: Vec<Noted> = noted
        .iter()
        .filter(|note| note.event.kind == Kind::Admitted)
        .copied()
        .collect();
    noted.retain_mut(|note| {
        if note.event.kind != Kind::Debt {
            return true;
        }
        let before = |other: &&Noted| other.ended < note.began;
        let latest = admitted
            .iter()
            .filter(before)
            .map(|other| other.event.at)
            .max();
        note.event.at = note.event.at.max(latest.unwrap_or(0));
        !admitted
            .iter()
            .any(|other| other.began < note.ended && note.began < other.ended)
    });
}

fn account_verdict(
    policies: &Policies,
    place: usize,
    agent: usize,
    periods: &Periods,
    changes: &[u64],
    mut noted: Vec<Noted>,
) -> Verdict {
    let limit = &policies.limits[place];
    let figures = |epoch: usize| policies.figures(epoch, place, agent);
    // A calendar counts an older `now` in the latest period, and a lifetime knows none.
    let ordered = matches!(
        limit.algorithm,
        Algorithm::Calendar { .. } | Algorithm::Lifetime
    );
    // Who kept nothing left nothing behind, but in a calendar a later period.
    let kept = |note: &Noted| note.event.units > 0;
    if !ordered {
        noted.retain(kept);
    }
    place_debts(&mut noted);
    match limit.algorithm {
        Algorithm::Gcra => {
            let begins = |epoch: usize| epoch.checked_sub(1).map_or(0, |before| changes[before]);
            let limits = (0..=changes.len()).map(|epoch| {
                let figures = figures(epoch);
                (
                    begins(epoch),
                    RateLimit::new(figures.max, limit.per(), figures.capacity),
                )
            });
            noted.sort_by_key(|note| (note.event.at, note.event.kind));
            check_changing(
                &limits.collect::<Vec<_>>(),
                noted.iter().map(|note| note.event),
                0,
            )
        }
        Algorithm::Concurrency => {
            // Open at least from the end of the admission to the beginning of what closed it.
            let point = |note: &Noted| match note.event.kind {
                Kind::Closed => note.began,
                _ => note.ended,
            };
            noted.sort_by_key(point);
            for note in &mut noted {
                note.event.at = point(note);
            }
            under_each_max(
                &noted,
                changes.len(),
                &|epoch| figures(epoch).max,
                &|max, events| Law::Concurrency { max }.check(events, 0),
            )
        }
        _ => {
            noted.sort_by_key(|note| (note.ended, note.event.kind));
            if ordered {
                let mut events: Vec<Event> = noted.iter().map(|note| note.event).collect();
                raise_all(&mut events);
                noted
                    .iter_mut()
                    .zip(events)
                    .for_each(|(note, event)| note.event = event);
                noted.retain(kept);
            } else {
                noted.sort_by_key(|note| (note.event.at, note.event.kind));
            }
            // What is debt in the period of a change is decided by the larger max, which a stretch does not know: then what
            // is carried over is left out, and each period judged by itself.
            let changed = (0..=changes.len()).any(|epoch| figures(epoch).max != figures(0).max);
            if changed
                && matches!(
                    limit.algorithm,
                    Algorithm::Fixed | Algorithm::Calendar { .. }
                )
            {
                noted.retain(|note| note.event.kind != Kind::Debt);
            }
            under_each_max(
                &noted,
                changes.len(),
                &|epoch| figures(epoch).max,
                &|max, events| {
                    let law = match limit.algorithm {
                        Algorithm::Fixed | Algorithm::Calendar { .. } => Law::Periods {
                            periods: periods.clone(),
                            max,
                        },
                        Algorithm::Lifetime => Law::Lifetime { max },
                        _ => Law::Window {
                            window: limit.per(),
                            max,
                        },
                    };
                    law.check(events, 0)
                },
            )
        }
    }
}

/// Holds each stretch of epochs in which no more than some max was in force to that max. Closings count in each.
fn under_each_max(
    noted: &[Noted],
    last: usize,
    max_of: &dyn Fn(usize) -> u64,
    check: &dyn Fn(u64, Vec<Event>) -> Verdict,
) -> Verdict {
    let mut maxes: Vec<u64> = (0..=last).map(max_of).collect();
    maxes.sort_unstable();
    maxes.dedup();
    let mut verdict = Verdict::Held;
    for max in maxes {
        let mut from = 0;
        while from <= last {
            let until = (from..=last)
                .find(|epoch| max_of(*epoch) > max)
                .unwrap_or(last + 1);
            let within = |note: &&Noted| (from..until).contains(&note.epoch);
            let opened: Vec<Event> = noted.iter().filter(within).map(|note| note.event).collect();
            // Closings of what was opened in an earlier stretch take nothing from this one's.
            verdict = verdict.and(check(max, opened));
            from = until.max(from) + 1;
        }
    }
    verdict
}
