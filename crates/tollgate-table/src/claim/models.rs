//! Claims of one key that race, from where it becomes narrow: slots are reserved or claimed already, each by a caller to
//! whom another one was free. Races from the start are on the public face; a checker has no time for as many callers there.

use super::{Claim, Free, Reserved};
use crate::{
    cell::Charged,
    lines::Slot,
    overflow::Overflow,
    planted::Flaw,
    table::{Answer, Ask, Table},
    word::{Now, Word},
};
use std::sync::Arc;
use tollgate_core::{Cost, Limit, Nanos, gcra::Gcra};
use tollgate_sync::{
    atomic::Ordering::{Acquire, Relaxed},
    thread,
};

const KEY: u64 = 7;
const NOW: Nanos = Nanos::new(5_000);

/// Where a caller starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// It has reserved the slot at this position.
    Reserved(usize),
    /// It has published a claim at this position.
    Published(usize),
    /// It knows nothing.
    Outside,
    /// It published a claim at this position, and was never seen again.
    Dead(usize),
}

/// Callers of one key with a capacity of one unit: one of them takes it, one slot is active, and no claim is left.
///
/// # Panics
/// If that is not so.
pub fn race(starts: &[Start], slots: usize, flaw: Option<Flaw>) {
    let table = Table::new(slots, 1, Overflow::Deny, flaw).expect("a few words");
    let table = Arc::new(table);
    for start in starts {
        match *start {
            Start::Reserved(position) => {
                reserve(&table, position);
            }
            Start::Published(position) | Start::Dead(position) => {
                table.publish(reserve(&table, position), KEY);
            }
            Start::Outside => {}
        }
    }
    let alive = starts
        .iter()
        .filter(|start| !matches!(start, Start::Dead(_)));
    let callers: Vec<_> = alive
        .map(|start| {
            let (table, start) = (Arc::clone(&table), *start);
            thread::spawn(move || go_on(&table, start))
        })
        .collect();
    let taken = callers
        .into_iter()
        .map(|caller| caller.join().expect("no caller panics"))
        .filter(|taken| *taken)
        .count();
    let (mut active, mut claims) = (0, 0);
    for slot in table.place(KEY).candidates() {
        match Word::of(slot.word.load(Acquire)) {
            Word::Tat(_) => active += usize::from(slot.hash.load(Relaxed) == KEY),
            Word::Claimed(_) | Word::Reserved => claims += 1,
            Word::Killed(_) => {}
        }
    }
    assert_eq!(active, 1, "slots of the key");
    assert_eq!(claims, 0, "claims left behind");
    assert_eq!(taken, 1, "units taken");
}

/// Goes on from `start`; true if the unit was taken.
fn go_on(table: &Table, start: Start) -> bool {
    let gcra = Gcra::new(Limit::per_hour(1)).expect("a limit");
    let ask = Ask {
        hash: KEY,
        gcra: &gcra,
        cost: Cost::ONE,
        now: Now::new(NOW),
    };
    let mut own = match start {
        Start::Reserved(position) => Some(table.publish(reserved(table, position), KEY)),
        Start::Published(position) => Some(reserved(table, position).0),
        Start::Outside | Start::Dead(_) => None,
    };
    let answer = table.rounds(table.place(KEY), &ask, &mut own);
    if let Some(own) = own {
        own.kill();
    }
    matches!(
        answer.expect("it fits"),
        Answer::Charged(Charged::Allowed(..))
    )
}

fn slot(table: &Table, position: usize) -> Slot<'_> {
    let mut slots = table.place(KEY).candidates();
    slots.nth(position).expect("as many slots")
}

/// The reservation that an empty slot gets.
fn reserved(table: &Table, position: usize) -> Reserved<'_> {
    let slot = slot(table, position);
    let number = Word::of(0).free_at(0).expect("an empty slot");
    Reserved(Claim {
        position,
        slot,
        number,
    })
}

fn reserve(table: &Table, position: usize) -> Reserved<'_> {
    let Claim { slot, number, .. } = reserved(table, position).0;
    let free = Free {
        position,
        slot,
        word: 0,
        number,
    };
    table.reserve(free).expect("nobody else is there yet")
}
