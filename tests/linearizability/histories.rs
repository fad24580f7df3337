//! How histories come about, and how many held.

use std::{
    collections::BTreeMap,
    env, fmt,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::*},
    },
    thread,
};
use tollgate_core::{Cost, Meter, Moment, Nanos, Refused, Wait, Wall};
use tollgate_testkit::{
    Answer,
    linear::{Ask, Breach, Call, Heard, Scribe, Spec, Verdict, check, record},
};
pub(crate) use tollgate_tests::chance::Chance;

pub(crate) const SECOND: u64 = 1_000_000_000;
/// Some days after the epoch: no model's time begins where its limit's does.
pub(crate) const START: u64 = 1_000_000 * SECOND;
/// Histories of a check in an ordinary run.
const ORDINARY: u64 = 60;

/// A setting of the environment, or what an ordinary run has.
fn setting(name: &str, ordinary: u64) -> u64 {
    env::var(name)
        .ok()
        .map_or(ordinary, |value| value.parse().expect("a number"))
}

/// Makes histories of seeds that follow one another, and panics with the first that no order explains.
///
/// Says how many there were, of how many calls, and how many of these overlapped another.
pub(crate) fn held<S: Spec>(name: &str, history: impl Fn(u64) -> (S, Vec<Call<S::Ask, S::Heard>>))
where
    S::Ask: Clone + fmt::Debug,
    S::Heard: Clone + fmt::Debug,
{
    let histories = setting("TOLLGATE_HISTORIES", ORDINARY);
    let (mut all, mut overlapping, mut undecided) = (0, 0, 0);
    for seed in seeds(histories) {
        let (spec, calls) = history(seed);
        all += calls.len();
        let latest = calls.iter().scan(0, |ended, call| {
            let before = *ended;
            *ended = before.max(call.ended);
            Some(call.began < before)
        });
        overlapping += latest.filter(|overlaps| *overlaps).count();
        match check(&spec, &calls) {
            Verdict::Linearizable => {}
            Verdict::Undecided(_) => undecided += 1,
            Verdict::Broken(breach) => panic!("{name}, seed {seed}:\n{breach}"),
        }
    }
    println!(
        "{name:<28} {histories:>7} histories {all:>9} calls {overlapping:>9} overlapping {undecided:>4} undecided"
    );
    assert!(
        undecided <= histories / 50,
        "{name}: {undecided} of {histories} undecided"
    );
}

/// The first breach among the histories of many seeds: for what must be found.
pub(crate) fn found<S: Spec>(
    tries: u64,
    history: impl Fn(u64) -> (S, Vec<Call<S::Ask, S::Heard>>),
) -> Option<Box<Breach<S::Ask, S::Heard>>>
where
    S::Ask: Clone,
    S::Heard: Clone,
{
    seeds(tries).find_map(|seed| {
        let (spec, calls) = history(seed);
        match check(&spec, &calls) {
            Verdict::Broken(breach) => Some(breach),
            _ => None,
        }
    })
}

fn seeds(count: u64) -> impl Iterator<Item = u64> {
    let first = setting("TOLLGATE_SEED", 0);
    first..first + count
}

/// Which instants the calls of a history are given.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Instants {
    /// All threads come back, then the clock moves for the next round.
    Rounds,
    /// Each call draws its own from one clock that moves with every reading: they land in another order than they were
    /// drawn.
    Drawn,
}

/// The rounds of a history, and the instants of their calls.
#[derive(Debug)]
pub(crate) struct Rounds {
    /// 0: drawn for each round.
    pub(crate) threads: usize,
    pub(crate) rounds: u64,
    /// Calls of a thread in a round.
    pub(crate) calls: u64,
    /// The clock moves by multiples of it.
    pub(crate) step: u64,
    /// So many times farther between rounds.
    pub(crate) pause: u64,
    pub(crate) instants: Instants,
}

impl Rounds {
    pub(crate) const fn new(step: u64, instants: Instants) -> Self {
        Self {
            threads: 0,
            rounds: 4,
            calls: 8,
            step,
            pause: 1,
            instants,
        }
    }

    /// Lets threads `work`, call by call: with what they write down, their chance, a number that no other call has, and
    /// an instant.
    pub(crate) fn run<A: Send, H: Send>(
        &self,
        seed: u64,
        work: impl Fn(&mut Scribe<'_, A, H>, &mut Chance, u64, u64) + Sync,
    ) -> Vec<Call<A, H>> {
        let mut chance = Chance::new(seed, 99);
        let threads = match self.threads {
            // Two run at once on most machines; more are where some must wait inside a call.
            0 => chance.one_of(&[2, 2, 2, 2, 3, 4]),
            threads => threads,
        };
        let mut base = START;
        let bases: Vec<u64> = (0..self.rounds)
            .map(|_| {
                base += self.moved(&mut chance) * self.pause;
                base
            })
            .collect();
        let (meeting, drawn) = (Meeting::new(threads), AtomicU64::new(0));
        record(&AtomicU64::new(0), threads, |scribe| {
            let thread = scribe.thread() as u64;
            for (round, base) in (0..).zip(&bases) {
                meeting.wait_for_all(round + 1);
                let mut chance = Chance::new(seed, round * 16 + thread);
                for number in 0..self.calls {
                    let drawn = match self.instants {
                        Instants::Rounds => 0,
                        Instants::Drawn => {
                            let by = self.moved(&mut chance) / 8 / self.step * self.step;
                            drawn.fetch_add(by, Relaxed)
                        }
                    };
                    let id = (round * 16 + thread) * 64 + number;
                    work(scribe, &mut chance, id, base + drawn);
                }
            }
        })
    }

    fn moved(&self, chance: &mut Chance) -> u64 {
        let steps = [0, 1, 2, 5, 20, 60];
        chance.one_of(&steps) * self.step
    }
}

/// Where threads wait for one another between rounds.
#[derive(Debug)]
struct Meeting {
    threads: u64,
    arrived: AtomicU64,
    /// How long to wait awake: who sleeps does not race, but with fewer cores than threads some must.
    turns: u32,
}

impl Meeting {
    fn new(threads: usize) -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self {
            threads: threads as u64,
            arrived: AtomicU64::new(0),
            turns: if cores >= threads { 20_000 } else { 200 },
        }
    }

    /// Waits for all to come for the `number`th time, from 1 on.
    fn wait_for_all(&self, number: u64) {
        // AcqRel and Acquire: what each did before is seen by all after.
        self.arrived.fetch_add(1, AcqRel);
        let mut turn = 0_u32;
        while self.arrived.load(Acquire) < number * self.threads {
            turn = turn.wrapping_add(1);
            if turn.is_multiple_of(self.turns) {
                thread::yield_now();
            }
            std::hint::spin_loop();
        }
    }
}

/// What callers of a meter do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manners {
    pub(crate) cost_max: u64,
    pub(crate) refunds: bool,
    pub(crate) debts: bool,
    pub(crate) used: bool,
}

/// A history of `meter` under one ceiling.
pub(crate) fn of_meter<M: Meter>(
    meter: &M,
    ceiling: u64,
    rounds: &Rounds,
    manners: Manners,
    seed: u64,
) -> Vec<Call<Ask, Heard>> {
    // Open admissions: anybody may settle any of them.
    let open: Mutex<BTreeMap<u64, (M::Receipt, u64)>> = Mutex::default();
    rounds.run(seed, |scribe, chance, id, at| {
        let moment = Moment::new(
            Nanos(at),
            Wall(i64::try_from(at).expect("a time of our day")),
        );
        let kind = chance.below(8);
        if manners.refunds && kind < 2 {
            let first = open.lock().expect("nobody panics").pop_first();
            if let Some((of, (receipt, cost))) = first {
                let surplus = 1 + chance.below(cost);
                scribe.call(Ask::Refund { of, at, surplus }, |_| {
                    (Heard::Gave(meter.refund(moment, &receipt, surplus)), ())
                });
                return;
            }
        }
        if manners.debts && kind == 2 {
            let extra = 1 + chance.below(manners.cost_max);
            scribe.call(Ask::Debt { at, extra }, |_| {
                let charged = meter.charge_anyway(moment, cost(extra), ceiling);
                (charged.map_or(Heard::Denied, |_| Heard::Taken), ())
            });
            return;
        }
        if manners.used && kind == 3 {
            scribe.call(Ask::Used { at }, |_| (Heard::Used(meter.used(moment)), ()));
            return;
        }
        let units = 1 + chance.below(manners.cost_max);
        let charged = scribe.call(
            Ask::Acquire {
                id,
                at,
                cost: units,
            },
            |_| match meter.charge(moment, cost(units), ceiling) {
                Ok(charged) => (Heard::Answer(Answer::Admit), Some(charged.receipt)),
                Err(Refused::Denied(denial)) => (Heard::Answer(waits(denial.wait)), None),
                Err(Refused::Closed | Refused::Dry) => (Heard::Denied, None),
            },
        );
        if let Some(receipt) = charged {
            open.lock()
                .expect("nobody panics")
                .insert(id, (receipt, units));
        }
    })
}

pub(crate) fn cost(units: u64) -> Cost {
    Cost::new(units).expect("not zero")
}

pub(crate) fn waits(wait: Wait) -> Answer {
    wait.duration()
        .map_or(Answer::Never, |wait| Answer::Wait(wait.as_nanos()))
}
