//! The checks that threads make together.

use super::{Finding, Plan, Shared, Trial};
use crate::{
    answer::Answer,
    limit::RateLimit,
    linear::{Around, Call, Spec, Verdict, check_within, record},
    stress::race_for,
    subject::Subject,
};
use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::atomic::AtomicU64,
    thread,
};

/// Steps of a search, each of which lives a history again.
const STEPS_MAX: u64 = 20_000;
/// Plans are run so many times over: what threads show must come in two of these.
const BATCHES: u64 = 4;
/// So many more are run for what came in one, until it comes in another: else it would be chance whether it is told.
const BATCHES_MORE: u64 = 28;
/// The instant of all calls: a limiter with a clock of its own does not look at it.
const NOW: u64 = 1_000_000_000_000_000;

impl Trial {
    pub(super) fn race(&self, plan: &Plan) -> Finding {
        let mut batches: Vec<Races> = Vec::new();
        for batch in 0..BATCHES + BATCHES_MORE {
            let [over, lost] = [
                batches.iter().filter(|races| races.over.is_some()).count(),
                batches.iter().filter(|races| races.lost.is_some()).count(),
            ];
            if batch >= BATCHES && over != 1 && lost != 1 {
                break;
            }
            let races = self.races(plan, batch);
            if let Some(why) = races.cannot {
                return Finding::NotApplicable(why);
            }
            batches.push(races);
        }
        let run = batches.len();
        let sum = |of: fn(&Races) -> u32| batches.iter().map(of).sum::<u32>();
        let wrong_alone = sum(|races| races.wrong_alone);
        let tried = u64::from(plan.rounds) * run as u64 - u64::from(wrong_alone);
        if tried == 0 {
            let why = "one caller alone gets more or fewer than K units".to_owned();
            return Finding::NotApplicable(why);
        }
        let mut once = false;
        for seen in [
            |races: &Races| races.over.clone(),
            |races: &Races| races.lost.clone(),
        ] {
            let seen: Vec<Seen> = batches.iter().filter_map(seen).collect();
            // Nobody is accused of what does not come again.
            once |= seen.len() == 1;
            if let [first, _, ..] = &seen[..] {
                let rounds: u32 = seen.iter().map(|seen| seen.rounds).sum();
                let (batches, how) = (seen.len(), &first.worst);
                return Finding::Broken(format!(
                    "  in {rounds} of {tried} races, in {batches} of {run} batches: {how}"
                ));
            }
        }
        let again = sum(|races| races.asked_again);
        let once = once.then(|| "a race went wrong once, and did not again".to_owned());
        let again = (again > 0)
            .then(|| format!("in {again} races the last units were found by asking again"));
        let alone = (wrong_alone > 0).then(|| {
            format!(
                "{wrong_alone} do not count: one caller alone gets more or fewer than K units there"
            )
        });
        let notes: Vec<String> = [once, again, alone].into_iter().flatten().collect();
        let note = notes.join("; ");
        Finding::Held { tried, note }
    }

    /// Threads race for K units, and one caller then asks for what is left.
    fn races(&self, plan: &Plan, batch: u64) -> Races {
        let mut races = Races::default();
        for round in 0..u64::from(plan.rounds) {
            let round = batch << 32 | round;
            let units = 1 + (plan.seed ^ round.wrapping_mul(0x9e37_79b9)) % 400;
            let subject = match self.fresh(Self::still(units)) {
                Ok(subject) => subject,
                Err(why) => {
                    races.cannot = Some(why);
                    return races;
                }
            };
            let ask = || u64::from(subject.try_acquire_at(1, NOW).admitted());
            let each = usize::try_from(units).unwrap_or(usize::MAX) * 2 / plan.threads + 8;
            let raced = race_for(plan.threads, each, |_, number| {
                if number.is_multiple_of(16) {
                    thread::yield_now();
                }
                ask()
            });
            let alone: u64 = (0..units + 8).map(|_| ask()).sum();
            let (threads, raced) = (plan.threads, raced.total);
            let total = raced + u128::from(alone);
            // What one caller gets who asks as often is no fault of the threads.
            if total != u128::from(units) && self.alone(units, plan.threads * each) != units {
                races.wrong_alone += 1;
            } else if total > u128::from(units) {
                let how = format!("{threads} threads raced for {units} units and got {total}");
                Seen::note(&mut races.over, total - u128::from(units), how);
            } else if total < u128::from(units) {
                let how = format!(
                    "{threads} threads raced for {units} units, and only {total} ever passed"
                );
                Seen::note(&mut races.lost, u128::from(units) - total, how);
            } else if raced < u128::from(units) {
                races.asked_again += 1;
            }
        }
        races
    }

    /// How many of `asked` requests a fresh limiter of so many units admits to one caller.
    fn alone(&self, units: u64, asked: usize) -> u64 {
        let admitted = |subject: &Shared| {
            let answers = (0..asked).map(|_| subject.try_acquire_at(1, NOW));
            answers.filter(|answer| answer.admitted()).count() as u64
        };
        self.fresh(Self::still(units)).as_ref().map_or(0, admitted)
    }

    pub(super) fn linear(&self, plan: &Plan) -> Finding {
        let (mut tried, mut undecided) = (0, 0);
        let mut breaches: Vec<String> = Vec::new();
        for batch in 0..BATCHES + BATCHES_MORE {
            if batch >= BATCHES && breaches.is_empty() {
                break;
            }
            for round in 0..u64::from(plan.rounds) {
                let seed = plan.seed ^ (batch << 32 | round).wrapping_mul(0x9e37_79b9);
                let room = 3 + seed % 8;
                let calls = match self.history(room, seed) {
                    Ok(calls) => calls,
                    Err(why) => return Finding::NotApplicable(why),
                };
                let spec = Again {
                    trial: self,
                    limit: Self::still(room),
                    lived: Vec::new(),
                };
                tried += 1;
                match check_within(STEPS_MAX, &spec, &calls) {
                    Verdict::Linearizable => {}
                    Verdict::Undecided(_) => undecided += 1,
                    Verdict::Broken(found) => {
                        breaches.push(format!("  at most {room} units\n{found}"));
                        break;
                    }
                }
            }
            // Nobody is accused of what does not come again.
            if breaches.len() == 2 {
                breaches.sort_by_key(String::len);
                return Finding::Broken(breaches.swap_remove(0));
            }
        }
        if !breaches.is_empty() {
            let note = "a history could not be explained once, and no other".to_owned();
            return Finding::Held { tried, note };
        }
        let declared = self.denies_in_races.as_deref();
        let declared = declared.map(|why| format!("but for denials in a race, as declared: {why}"));
        let undecided = (undecided > 0).then(|| format!("{undecided} undecided"));
        let notes: Vec<String> = declared.into_iter().chain(undecided).collect();
        Finding::Held {
            tried,
            note: notes.join("; "),
        }
    }

    fn history(&self, room: u64, seed: u64) -> Result<Vec<Call<Cost, Told>>, String> {
        let subject = self.fresh(Self::still(room))?;
        Ok(record(&AtomicU64::new(0), 3, |scribe| {
            let thread = scribe.thread() as u64;
            for number in 0..5_u64 {
                let mixed = (seed ^ thread << 8 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 60;
                let cost = if self.unit_costs { 1 } else { 1 + mixed % 3 };
                scribe.call(Cost(cost), |_| (Told::of(self, &subject, cost), ()));
            }
        }))
    }
}

/// What races came to.
#[derive(Debug, Default)]
struct Races {
    over: Option<Seen>,
    lost: Option<Seen>,
    asked_again: u32,
    /// Races that do not count: one caller alone gets more or fewer than the units.
    wrong_alone: u32,
    cannot: Option<String>,
}

/// In how many races, and the worst of them.
#[derive(Clone, Debug)]
struct Seen {
    rounds: u32,
    by: u128,
    worst: String,
}

impl Seen {
    fn note(seen: &mut Option<Self>, by: u128, worst: String) {
        let rounds = seen.as_ref().map_or(0, |seen| seen.rounds) + 1;
        match seen {
            Some(seen) if seen.by >= by => seen.rounds = rounds,
            _ => *seen = Some(Self { rounds, by, worst }),
        }
    }
}

/// Units that are asked for.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Cost(u64);

impl fmt::Debug for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} units", self.0)
    }
}

/// An answer, as far as it is compared.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Told(Answer);

impl Told {
    fn of(trial: &Trial, subject: &Shared, cost: u64) -> Self {
        let answer = subject.try_acquire_at(cost, NOW);
        // Waits by a clock that runs on differ from call to call; whether waiting helps at all is no matter of order.
        let comparable =
            trial.own_clock.is_none() && !trial.no_wait && trial.denies_in_races.is_none();
        Self(if answer.admitted() || comparable {
            answer
        } else {
            Answer::Never
        })
    }
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Answer::Never => f.write_str("denied"),
            answer => write!(f, "{answer}"),
        }
    }
}

/// What the same limiter answers to one caller at a time: a fresh one, lived again up to here.
#[derive(Clone)]
struct Again<'a> {
    trial: &'a Trial,
    limit: RateLimit,
    lived: Vec<u64>,
}

impl Spec for Again<'_> {
    type Ask = Cost;
    type Heard = Told;

    fn step(&mut self, around: &Around<'_, Cost, Told>) -> bool {
        let (Cost(cost), heard) = (around.call().ask, around.call().heard);
        let Ok(subject) = self.trial.fresh(self.limit) else {
            return false;
        };
        for cost in &self.lived {
            let _lived_before = subject.try_acquire_at(*cost, NOW);
        }
        let answer = Told::of(self.trial, &subject, cost);
        self.lived.push(cost);
        if answer == heard {
            return true;
        }
        // Declared: who was denied in a race took nothing.
        let excused =
            self.trial.denies_in_races.is_some() && !heard.0.admitted() && !around.alone();
        if excused {
            self.lived.pop();
        }
        excused
    }
}

impl PartialEq for Again<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.lived == other.lived
    }
}

impl Eq for Again<'_> {}

impl Hash for Again<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.lived.hash(state);
    }
}
