//! Random traffic through a gate: one caller, whose every answer is a function of the seed, or threads in phases.

use crate::{
    journal::{Entry, What},
    policies::{AGENTS, Algorithm, CLASSES, DAY, MODELS, Policies, SECOND},
};
use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering::SeqCst},
};
use tollgate_core::{ManualClock, Nanos, Wall};
use tollgate_policy::{Gate, Mode, Refusal, Request, Reservation, Usage, Verdict};
use tollgate_tests::chance::Chance;

const AGENT_NAMES: [&str; AGENTS] = ["a0", "a1", "a2", "a3", "a4", "a5", "a6"];
const MODEL_NAMES: [&str; MODELS] = ["m0", "m1", "m2"];
/// One refusal in so many is probed for the second and the third law.
const PROBED: u64 = 3;
/// Waits beyond this are not probed: 300 days.
const WAIT_MAX: u64 = 300 * DAY;
/// Clocks step back by less.
const BACK_MAX: u64 = 5 * SECOND;
/// Most reservations that a caller holds open.
const OPEN_MAX: usize = 12;

/// What a run came to.
#[derive(Debug, Default)]
pub(crate) struct Run {
    pub(crate) entries: Vec<Entry>,
    pub(crate) calls: u64,
    pub(crate) probes: u64,
    pub(crate) reloads: u64,
    /// How the second or third law, or conservation, was broken.
    pub(crate) wrong: Option<String>,
}

/// A gate in simulated time.
pub(crate) struct World<'p> {
    policies: &'p Policies,
    gate: Gate,
    /// What a reservation is dropped by.
    manual: ManualClock,
    points: AtomicU64,
    ids: AtomicU64,
    clock: AtomicU64,
    /// The latest instant that any call was given.
    latest: AtomicU64,
}

struct Open {
    reservation: Reservation,
    id: u64,
    input: u64,
    output: u64,
}

/// One caller of a gate.
struct Caller<'w, 'p> {
    world: &'w World<'p>,
    chance: Chance,
    open: Vec<Open>,
    run: Run,
    /// Whether nobody else calls, so that answers can be probed.
    alone: bool,
    /// Whether the clock stands still.
    frozen: bool,
}

const fn usage(input_tokens: u64, output_tokens: u64) -> Usage {
    Usage {
        input_tokens,
        output_tokens,
        micro_usd: 0,
    }
}

impl<'p> World<'p> {
    fn new(policies: &'p Policies) -> Result<Self, String> {
        let clock = ManualClock::new();
        clock.set_wall(Wall(policies.wall));
        let gate = Gate::builder()
            .clock(clock.clone())
            .build(&policies.toml(0));
        Ok(Self {
            policies,
            gate: gate.map_err(|mistakes| format!("{mistakes}\n{}", policies.toml(0)))?,
            manual: clock,
            points: AtomicU64::new(1),
            ids: AtomicU64::new(1),
            clock: AtomicU64::new(SECOND),
            latest: AtomicU64::new(0),
        })
    }

    fn wall(&self, at: u64) -> Wall {
        Wall(
            self.policies
                .wall
                .saturating_add(i64::try_from(at).unwrap_or(i64::MAX)),
        )
    }

    /// Puts the next policy in force, at an instant that no call was later than.
    fn reload(&self, run: &mut Run) {
        let epoch = usize::try_from(run.reloads + 1).unwrap_or(usize::MAX);
        if epoch >= self.policies.epochs.len() {
            return;
        }
        let at = self.latest.load(SeqCst).max(self.clock.load(SeqCst));
        // No clock steps back behind it: who is decided under a policy by an instant at which another one was in force
        // is under neither.
        self.clock.store(at + BACK_MAX, SeqCst);
        self.latest.store(at, SeqCst);
        let began = self.points.fetch_add(1, SeqCst);
        let reload = self
            .gate
            .reload_at(&self.policies.toml(epoch), Nanos(at), self.wall(at));
        let ended = self.points.fetch_add(1, SeqCst);
        match reload {
            Ok(reload) if reload.fresh.is_empty() && reload.removed.is_empty() => {}
            other => {
                run.wrong = Some(format!(
                    "the reload to epoch {epoch} changed more than figures: {other:?}"
                ))
            }
        }
        run.reloads += 1;
        run.entries.push(Entry {
            began,
            ended,
            at,
            id: 0,
            what: What::Reload,
        });
    }
}

impl<'w, 'p> Caller<'w, 'p> {
    fn new(world: &'w World<'p>, chance: Chance) -> Self {
        Self {
            world,
            chance,
            open: Vec::new(),
            run: Run::default(),
            alone: true,
            frozen: false,
        }
    }

    /// The instant of the next call: mostly a little later, at times much, at times back.
    fn instant(&mut self) -> u64 {
        let clock = &self.world.clock;
        if self.frozen {
            return clock.load(SeqCst);
        }
        let by = match self.chance.below(40) {
            0..14 => 0,
            14..30 => self.chance.below(SECOND / 3),
            30..36 => self.chance.below(20 * SECOND),
            36..38 => SECOND,
            38 => self.chance.below(3_600 * SECOND),
            _ if self.chance.once_in(4) => self.chance.below(3 * DAY),
            _ => self.chance.below(7_200 * SECOND),
        };
        let now = clock.fetch_add(by, SeqCst) + by;
        let back = if self.chance.once_in(12) {
            self.chance.below(BACK_MAX)
        } else {
            0
        };
        let at = now.saturating_sub(back);
        self.world.latest.fetch_max(at, SeqCst);
        at
    }

    fn noted<T>(&mut self, at: u64, id: u64, call: impl FnOnce() -> (Option<What>, T)) -> T {
        let began = self.world.points.fetch_add(1, SeqCst);
        let (what, rest) = call();
        let ended = self.world.points.fetch_add(1, SeqCst);
        self.run.calls += 1;
        self.run.entries.extend(what.map(|what| Entry {
            began,
            ended,
            at,
            id,
            what,
        }));
        rest
    }

    fn step(&mut self) {
        let at = self.instant();
        let (now, wall) = (Nanos(at), self.world.wall(at));
        let full = self.open.len() >= OPEN_MAX;
        let kind = self.chance.below(10);
        if self.open.is_empty() || !full && kind < 6 {
            return self.admit(at);
        }
        let place = self.chance.place(self.open.len());
        let Open {
            mut reservation,
            id,
            input,
            output,
        } = self.open.swap_remove(place);
        match kind {
            0 => {
                self.world.manual.set(now);
                self.noted(at, id, || (Some(What::Drop), drop(reservation)));
            }
            1 => self.noted(at, id, || {
                (Some(What::Release), reservation.release_at(now, wall))
            }),
            2 | 3 => {
                let more = 1 + self.chance.below(8);
                let extended = self.noted(at, id, || {
                    let extended = reservation.extend_at(usage(0, more), now, wall).is_ok();
                    (extended.then_some(What::Extend { output: more }), extended)
                });
                let output = output + more * u64::from(extended);
                self.open.push(Open {
                    reservation,
                    id,
                    input,
                    output,
                });
            }
            _ => {
                // Mostly below the estimate, at times above.
                let above = if self.chance.once_in(5) { 5 } else { 1 };
                let (input, output) = (
                    self.chance.below(input + above),
                    self.chance.below(output + above),
                );
                self.noted(at, id, || {
                    reservation.settle_at(usage(input, output), now, wall);
                    (Some(What::Settle { input, output }), ())
                });
            }
        }
    }

    fn admit(&mut self, at: u64) {
        let (agent, model) = (self.chance.place(AGENTS), self.chance.place(MODELS));
        let input = 1 + match self.chance.below(5) {
            0 => self.chance.below(60),
            _ => self.chance.below(8),
        };
        let output = self.chance.below(9);
        let mut request = Request::new()
            .with("agent", AGENT_NAMES[agent])
            .with("model", MODEL_NAMES[model])
            .usage(usage(input, output));
        if self.chance.once_in(4) {
            request = request.class(self.chance.one_of(&CLASSES).0);
        }
        let scope = [("agent", AGENT_NAMES[agent]), ("model", MODEL_NAMES[model])];
        let world = self.world;
        let (now, wall) = (Nanos(at), world.wall(at));
        let probed = self.alone && self.chance.once_in(PROBED);
        let before = probed.then(|| world.gate.usage_at(&scope, now, wall));
        let id = world.ids.fetch_add(1, SeqCst);
        let admitted = self.noted(at, id, || match world.gate.admit_at(&request, now, wall) {
            Ok(reservation) => (
                Some(What::Admit {
                    agent,
                    model,
                    input,
                    output,
                }),
                Ok(reservation),
            ),
            Err(refusal) => (None, Err(refusal)),
        });
        match admitted {
            Ok(reservation) => self.open.push(Open {
                reservation,
                id,
                input,
                output,
            }),
            Err(refusal) => {
                if let Some(before) = before {
                    self.run.probes += 1;
                    let after = world.gate.usage_at(&scope, now, wall);
                    if before != after {
                        self.run.wrong = Some(format!(
                            "third law: {refusal} at {at} left {after:?} of {before:?}"
                        ));
                    }
                    self.least(&request, &refusal, at);
                }
            }
        }
    }

    /// Second law: a nanosecond before the wait is over somebody refuses, and then nobody does.
    fn least(&mut self, request: &Request<'_>, refusal: &Refusal, at: u64) {
        let Some(wait) = refusal.retry_after() else {
            return;
        };
        let Some(wait) = u64::try_from(wait.as_nanos())
            .ok()
            .filter(|wait| *wait < WAIT_MAX)
        else {
            return;
        };
        let refusals = |at: u64| {
            let explained = self
                .world
                .gate
                .explain_at(request, Nanos(at), self.world.wall(at));
            let refuses = explained.into_iter().filter(|limit| {
                limit.mode == Mode::Enforce && matches!(limit.verdict, Verdict::Refuses(_))
            });
            refuses.collect::<Vec<_>>()
        };
        if wait == 0 || refusals(at + wait - 1).is_empty() {
            self.run.wrong = Some(format!(
                "second law: {refusal} at {at}: {wait} ns, and less is enough"
            ));
        }
        let then = refusals(at + wait);
        if !then.is_empty() {
            self.run.wrong = Some(format!(
                "second law: {refusal} at {at}: {wait} ns, and then {then:?}"
            ));
        }
    }

    /// Releases what it still holds. The journal keeps it as charged: it was, until now.
    fn give_up(&mut self) {
        let at = self.world.latest.load(SeqCst);
        for Open { reservation, .. } in std::mem::take(&mut self.open) {
            reservation.release_at(Nanos(at), self.world.wall(at));
        }
    }

    /// All come back, and long after it every limit that time heals is whole again.
    fn conservation(&mut self) {
        let world = self.world;
        let at = world.latest.load(SeqCst);
        let open = std::mem::take(&mut self.open);
        for Open {
            reservation, id, ..
        } in open
        {
            self.noted(at, id, || {
                (
                    Some(What::Release),
                    reservation.release_at(Nanos(at), world.wall(at)),
                )
            });
        }
        // Debts are small: a few hundred periods pay them.
        let later = at + 400 * DAY;
        for agent in AGENT_NAMES {
            for model in MODEL_NAMES {
                let scope = [("agent", agent), ("model", model)];
                for usage in world.gate.usage_at(&scope, Nanos(later), world.wall(later)) {
                    let place: usize = usage.limit.parse().unwrap_or(0);
                    let limit = &world.policies.limits[place];
                    let heals = !matches!(
                        limit.algorithm,
                        Algorithm::Lifetime | Algorithm::Calendar { .. }
                    );
                    if heals && usage.used > 0 {
                        self.run.wrong = Some(format!(
                            "units are lost: {usage:?} long after the last call"
                        ));
                    }
                }
            }
        }
    }
}

/// One caller. The same seed makes the same calls and hears the same answers.
pub(crate) fn alone(policies: &Policies, seed: u64, steps: u64) -> Result<Run, String> {
    let world = World::new(policies)?;
    let mut caller = Caller::new(&world, Chance::new(seed, 2));
    for _ in 0..steps {
        if caller.chance.once_in(90) {
            world.reload(&mut caller.run);
        }
        caller.step();
        if caller.run.wrong.is_some() {
            return Ok(caller.run);
        }
    }
    caller.conservation();
    Ok(caller.run)
}

/// Threads in phases: within one they race, and after it one of them probes and reloads.
pub(crate) fn together(
    policies: &Policies,
    seed: u64,
    threads: usize,
    phases: u64,
    steps: u64,
) -> Result<Run, String> {
    let world = World::new(policies)?;
    // Who counts an older `now` in the latest period cannot be judged by stamps that race.
    let frozen = policies
        .limits
        .iter()
        .any(|limit| matches!(limit.algorithm, Algorithm::Calendar { .. }));
    let callers: Vec<Mutex<Caller<'_, '_>>> = (0..threads)
        .map(|thread| Mutex::new(Caller::new(&world, Chance::new(seed, 10 + thread as u64))))
        .collect();
    let mut run = Run::default();
    for _ in 0..phases {
        std::thread::scope(|scope| {
            for caller in &callers {
                scope.spawn(move || {
                    let mut caller = caller.lock().expect("nobody panics");
                    (caller.alone, caller.frozen) = (false, frozen);
                    (0..steps).for_each(|_| caller.step());
                });
            }
        });
        world.reload(&mut run);
        let mut first = callers[0].lock().expect("nobody panics");
        (first.alone, first.frozen) = (true, false);
        for _ in 0..steps {
            first.step();
        }
    }
    for caller in callers {
        let mut caller = caller.into_inner().expect("nobody panics");
        caller.give_up();
        run.calls += caller.run.calls;
        run.probes += caller.run.probes;
        run.entries.append(&mut caller.run.entries);
        run.wrong = run.wrong.or(caller.run.wrong);
    }
    let mut last = Caller::new(&world, Chance::new(seed, 3));
    last.conservation();
    run.wrong = run.wrong.or(last.run.wrong);
    run.entries.sort_by_key(|entry| entry.began);
    Ok(run)
}
