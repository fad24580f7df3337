//! One random life of a gate.

use super::judge::{Account, Kind, Now, Place, Time};
use std::{
    collections::{BTreeMap, VecDeque},
    fmt::Write,
    fs,
    path::PathBuf,
    sync::Arc,
    thread,
    time::Duration,
};
use tempfile::TempDir;
use tollgate_core::{Clock, ManualClock, Wall};
use tollgate_policy::{Gate, PolicyFile, Refusal, Request, Reservation, Usage};
use tollgate_quota::ledger::Ledger;
use tollgate_tests::chance::Chance;

const SECOND: Time = 1_000_000_000;
const HOUR: Time = 3_600 * SECOND;
const DAY: Time = 24 * HOUR;
/// 1 November 2026.
const BEGINNING: Time = 1_793_491_200 * SECOND;
const AGENTS: [&str; 4] = ["a", "b", "c", "d"];
/// Longer than a commit takes.
const LONG: Duration = Duration::from_secs(60);
/// Steps that are shown if one is wrong.
const TRACED: usize = 60;

/// One limit of the policy in force.
#[derive(Clone, Debug)]
struct Limit {
    name: &'static str,
    kind: Kind,
    max: u64,
    lease: u64,
    /// Of what counts trailing units: the slots of a ring, or none for an exact log.
    slots: Option<u64>,
}

/// What a life is like.
#[derive(Clone, Copy, Debug)]
struct Manner {
    history: Time,
    sets_clock_back: bool,
    is_killed: bool,
    changes: bool,
    every_commit: bool,
    refuses_dry: bool,
    few_places: bool,
}

/// Where charges were counted: under which limit.
type Places = Vec<(Limit, Place)>;

struct Open {
    reservation: Reservation,
    agent: &'static str,
    units: u64,
    places: Places,
}

/// How often what happened.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Told {
    pub(crate) admitted: u64,
    denied: u64,
    owed: u64,
    stops: u64,
    kills: u64,
    set_back: u64,
    reloads: u64,
    without_place: u64,
}

impl Told {
    fn each(&mut self) -> [&mut u64; 8] {
        [
            &mut self.admitted,
            &mut self.denied,
            &mut self.owed,
            &mut self.stops,
            &mut self.kills,
            &mut self.set_back,
            &mut self.reloads,
            &mut self.without_place,
        ]
    }

    pub(crate) fn add(&mut self, other: &Self) {
        let mut other = *other;
        for (sum, more) in self.each().into_iter().zip(other.each()) {
            *sum += *more;
        }
    }

    /// Whether all of it happened.
    pub(crate) fn is_varied(mut self) -> bool {
        self.each().into_iter().all(|times| *times > 0)
    }
}

/// A process, as far as it lives.
struct Process {
    gate: Gate,
    ledger: Ledger,
    clock: Arc<ManualClock>,
}

pub(crate) struct Life {
    chance: Chance,
    manner: Manner,
    folder: TempDir,
    /// Which file it is by now: a kill goes on with a copy.
    file: u64,
    limits: Vec<Limit>,
    process: Option<Process>,
    open: Vec<Open>,
    /// By limit, by its kind, and by agent.
    accounts: BTreeMap<(&'static str, Kind, &'static str), Account>,
    /// Debts that were told since the last commit: where, and how many units.
    unflushed: Vec<(Limit, &'static str, Place, u64)>,
    /// The time that has truly passed, and the latest that any clock has read.
    passed: Time,
    latest: Time,
    /// The largest cost since the last start, and what each lifetime budget has wasted so far.
    cost_max: u64,
    wasted: BTreeMap<&'static str, u64>,
    told: Told,
    trace: VecDeque<String>,
}

impl Life {
    pub(crate) fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed, 0);
        let manner = Manner {
            history: chance.one_of(&[2 * DAY, 10 * DAY, 400 * DAY]),
            sets_clock_back: chance.once_in(2),
            is_killed: !chance.once_in(3),
            changes: chance.once_in(2),
            every_commit: chance.once_in(4),
            refuses_dry: chance.once_in(2),
            few_places: chance.once_in(2),
        };
        let mut life = Self {
            limits: limits(&mut chance),
            chance,
            manner,
            folder: tempfile::tempdir().expect("a folder"),
            file: 0,
            process: None,
            open: Vec::new(),
            accounts: BTreeMap::new(),
            unflushed: Vec::new(),
            passed: 0,
            latest: BEGINNING,
            cost_max: 0,
            wasted: BTreeMap::new(),
            told: Told::default(),
            trace: VecDeque::new(),
        };
        life.start(BEGINNING);
        life
    }

    pub(crate) fn told(&self) -> Told {
        self.told
    }

    /// The last steps.
    pub(crate) fn trace(&self) -> String {
        let mut text = format!("{:?}\n", self.manner);
        for line in &self.trace {
            let _ = writeln!(text, "{line}");
        }
        text
    }

    fn note(&mut self, line: String) {
        let wall = self.process.as_ref().map_or(0, |_| self.now().wall);
        let hours = (wall - BEGINNING) / HOUR;
        self.trace.push_back(format!("{hours} h: {line}"));
        if self.trace.len() > TRACED {
            self.trace.pop_front();
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join(self.file.to_string())
    }

    fn process(&self) -> &Process {
        self.process.as_ref().expect("one is alive")
    }

    fn now(&self) -> Now {
        let wall = self.process().clock.moment().wall.0;
        Now {
            latest: self.latest.max(wall),
            wall,
            passed: self.passed,
        }
    }

    fn policy(&self) -> String {
        let Manner {
            history,
            every_commit,
            refuses_dry,
            few_places,
            ..
        } = self.manner;
        let places = if few_places {
            "max_accounts = 12\n"
        } else {
            ""
        };
        // Nothing is written but what is asked for.
        let durability = if every_commit {
            "every commit"
        } else {
            "within 60s"
        };
        let dry = if refuses_dry { "refuse" } else { "wait" };
        let mut text = format!(
            "{places}[ledger]\npath = '{}'\ndurability = \"{durability}\"\nhistory = \"{}h\"\ndry = \"{dry}\"\n",
            self.path().display(),
            history / HOUR
        );
        for Limit {
            name,
            kind,
            max,
            lease,
            slots,
        } in &self.limits
        {
            let how = match (kind, slots) {
                (Kind::Lifetime, _) => "algorithm = \"lifetime\"".to_owned(),
                (Kind::Days, _) => "algorithm = \"calendar\"\nper = \"day\"".to_owned(),
                (Kind::Windows(per), _) => {
                    format!("algorithm = \"fixed\"\nper = \"{}h\"", per / HOUR)
                }
                (Kind::Rate(per), _) => format!("per = \"{}h\"", per / HOUR),
                (Kind::Trailing(per), None) => {
                    format!("algorithm = \"log\"\nper = \"{}h\"", per / HOUR)
                }
                (Kind::Trailing(per), Some(slots)) => {
                    format!(
                        "algorithm = \"window\"\nslots = {slots}\nper = \"{}h\"",
                        per / HOUR
                    )
                }
            };
            let _ = writeln!(
                text,
                "[[limit]]\nname = \"{name}\"\nby = [\"agent\"]\nunit = \"tokens\"\nmax = {max}\nlease = {lease}\n{how}"
            );
        }
        text
    }

    fn start(&mut self, wall: Time) {
        let clock = Arc::new(ManualClock::new());
        clock.set_wall(Wall(wall));
        let text = self.policy();
        let file = PolicyFile::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let options = file.ledger.expect("it has one").options();
        let ledger = Ledger::open(&options).expect("a ledger");
        let gate = Gate::builder()
            .clock(Arc::clone(&clock))
            .ledger(ledger.clone());
        let gate = gate
            .build(&text)
            .unwrap_or_else(|error| panic!("{error}\n{text}"));
        self.process = Some(Process {
            gate,
            ledger,
            clock,
        });
        self.latest = self.latest.max(wall);
        self.cost_max = 0;
        self.tell_maxima();
    }

    /// The maxima are those of the policy from now on.
    fn tell_maxima(&mut self) {
        for Limit {
            name, kind, max, ..
        } in &self.limits
        {
            for agent in AGENTS {
                let account = self
                    .accounts
                    .entry((*name, kind.clone(), agent))
                    .or_default();
                account.set_max(kind, *max, self.passed);
            }
        }
    }

    fn account(&mut self, limit: &Limit, agent: &'static str) -> &mut Account {
        self.accounts
            .entry((limit.name, limit.kind.clone(), agent))
            .or_default()
    }

    pub(crate) fn step(&mut self) -> Result<(), String> {
        match self.chance.below(100) {
            0..50 => self.admit()?,
            50..70 => self.settle(),
            70..82 => self.wait(),
            82..90 => self.flush(),
            90..93 if self.manner.changes => self.reload(),
            93..97 => self.restart()?,
            _ => {}
        }
        Ok(())
    }

    fn admit(&mut self) -> Result<(), String> {
        let agent = self.chance.one_of(&AGENTS);
        let most = if self.chance.once_in(12) { 30 } else { 6 };
        let units = 1 + self.chance.below(most);
        self.cost_max = self.cost_max.max(units);
        for _ in 0..8 {
            let request = Request::new().with("agent", agent).input_tokens(units);
            match self.process().gate.admit(&request) {
                Ok(reservation) => {
                    self.note(format!("{agent} is admitted {units}"));
                    self.told.admitted += 1;
                    let (now, mut places) = (self.now(), Places::new());
                    for limit in self.limits.clone() {
                        let account = self.account(&limit, agent);
                        let place = account.admit(&limit.kind, now, units, limit.max);
                        let place =
                            place.map_err(|why| format!("{} of {agent}: {why}", limit.name))?;
                        places.push((limit, place));
                    }
                    self.open.push(Open {
                        reservation,
                        agent,
                        units,
                        places,
                    });
                    return Ok(());
                }
                Err(Refusal::Limited(_)) => {
                    self.told.denied += 1;
                    return Ok(());
                }
                Err(Refusal::TooManyAccounts { .. }) => {
                    self.told.without_place += 1;
                    return Ok(());
                }
                Err(Refusal::NothingLent {
                    is_failing: false, ..
                }) => self.flush(),
                Err(other) => return Err(format!("{agent} asks for {units}: {other}")),
            }
        }
        Err(format!("{agent} is lent nothing of {units}"))
    }

    fn settle(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let place = self.chance.place(self.open.len());
        let Open {
            reservation,
            agent,
            units,
            places,
        } = self.open.swap_remove(place);
        let actual = match self.chance.below(8) {
            0..3 => units,
            3..6 => self.chance.below(units + 1),
            6 => units + 1 + self.chance.below(40),
            _ => 0,
        };
        self.note(format!("{agent} has used {actual} of {units}"));
        if actual == 0 {
            reservation.release();
        } else {
            reservation.settle(Usage {
                input_tokens: actual,
                ..Usage::default()
            });
        }
        let now = self.now();
        for (limit, place) in places {
            let is_there = |known: &Limit| known.name == limit.name && known.kind == limit.kind;
            if actual <= units {
                let account = self.account(&limit, agent);
                account.take_back(&limit.kind, place, units - actual, now.passed);
            } else if self.limits.iter().any(is_there) {
                self.told.owed += 1;
                let owed = self
                    .account(&limit, agent)
                    .owe(&limit.kind, now, actual - units);
                self.unflushed.push((limit, agent, owed, actual - units));
            }
        }
        if self.manner.every_commit {
            self.unflushed.clear();
        }
    }

    fn wait(&mut self) {
        let by = match self.chance.below(8) {
            0 => self.time_below(30 * HOUR),
            1 => self.time_below(12 * DAY),
            2..5 => self.time_below(HOUR),
            5 => DAY - self.now().wall.rem_euclid(DAY) - self.time_below(11 * 60 * SECOND),
            _ => self.time_below(60 * SECOND),
        };
        let by = by.max(0);
        self.process()
            .clock
            .advance(Duration::from_nanos(by.unsigned_abs()));
        self.passed += by;
        self.latest = self.latest.max(self.now().wall);
        self.note(format!("{} s pass", by / SECOND));
    }

    fn time_below(&mut self, end: Time) -> Time {
        Time::try_from(self.chance.below(end.unsigned_abs())).unwrap_or(0)
    }

    fn flush(&mut self) {
        let ledger = &self.process().ledger;
        assert!(ledger.flush(LONG), "{:?}", ledger.status());
        self.unflushed.clear();
    }

    /// Another policy: of other figures, or of other limits.
    fn reload(&mut self) {
        self.told.reloads += 1;
        if self.chance.once_in(2) {
            self.limits = limits(&mut self.chance);
        } else {
            for limit in &mut self.limits {
                limit.max = 1 + self.chance.below(limit.max * 2);
            }
        }
        let text = self.policy();
        let reloaded = self.process().gate.reload(&text);
        reloaded.unwrap_or_else(|error| panic!("{error}\n{text}"));
        self.tell_maxima();
        self.note(format!("reload: {:?}", self.limits));
    }

    /// What each limit says that each agent has used.
    fn usage(&self) -> Vec<(&'static str, String, u64)> {
        let of = |agent: &'static str| {
            let usage = self.process().gate.usage(&[("agent", agent)]);
            usage
                .into_iter()
                .map(move |of| (agent, of.limit.to_string(), of.used))
        };
        AGENTS.into_iter().flat_map(of).collect()
    }

    /// The process ends, and another begins.
    fn restart(&mut self) -> Result<(), String> {
        let (before, is_killed) = (
            self.now().wall,
            self.manner.is_killed && self.chance.once_in(2),
        );
        let mut usage = None;
        // What a kill may waste; not known if what is owed may be lost or not.
        let mut waste_max = Some(0);
        if is_killed {
            self.told.kills += 1;
            waste_max = self.chance.once_in(2).then(|| LEASE_MAX.max(self.cost_max));
            if waste_max.is_some() {
                self.flush();
            }
            self.note(format!("kill, which may waste {waste_max:?}"));
            self.kill();
        } else {
            self.told.stops += 1;
            self.flush();
            usage = Some(self.usage());
            self.note("stop".to_owned());
            let ledger = self.process().ledger.clone();
            if !ledger.close() {
                return Err(format!("it does not close: {:?}", ledger.status()));
            }
        }
        // What is still open stays charged.
        self.open.clear();
        self.unflushed.clear();
        self.process = None;
        let by = match self.chance.below(6) {
            0 => 0,
            1 => self.time_below(HOUR),
            2 => self.time_below(48 * HOUR),
            3 => self.time_below(40 * DAY),
            _ => self.time_below(30 * SECOND),
        };
        let is_back = self.manner.sets_clock_back && self.chance.once_in(2);
        // History is not kept for longer.
        let earliest = self.latest - self.manner.history + HOUR;
        let wall = if is_back {
            (before - by).max(earliest).min(before)
        } else {
            before + by
        };
        self.told.set_back += u64::from(wall < before);
        self.passed += (wall - before).max(0);
        self.start(wall);
        self.note(format!("start: {:?}", self.limits));
        let is_same = wall == before;
        let after = self.usage();
        if let Some(usage) = usage.filter(|_| is_same) {
            let stays = |name: &str| {
                let limit = self.limits.iter().find(|limit| limit.name == name);
                limit.is_some_and(|limit| limit.kind.stays())
            };
            for (before, after) in usage.iter().zip(&after).filter(|(of, _)| stays(&of.1)) {
                if before != after {
                    return Err(format!(
                        "{before:?} before a clean stop, and {after:?} after it"
                    ));
                }
            }
        }
        self.judge_waste(&after, waste_max)
    }

    /// A lifetime budget tells all that is wasted: at once at most so much, if that is known.
    fn judge_waste(
        &mut self,
        usage: &[(&'static str, String, u64)],
        most: Option<u64>,
    ) -> Result<(), String> {
        let ever = self
            .limits
            .iter()
            .find(|limit| limit.kind == Kind::Lifetime);
        let Some(limit) = ever.cloned() else {
            // What is wasted while it is away cannot be told from what is wasted later.
            self.wasted.clear();
            return Ok(());
        };
        for agent in AGENTS {
            let told = usage
                .iter()
                .find(|(of, name, _)| *of == agent && name == limit.name);
            let told = told.map_or(0, |(_, _, used)| *used);
            let used = self.account(&limit, agent).in_all();
            let Some(wasted) = told.checked_sub(used) else {
                return Err(format!(
                    "{} of {agent}: {told} on record, and {used} was used",
                    limit.name
                ));
            };
            let before = self.wasted.insert(agent, wasted);
            if let (Some(before), Some(most)) = (before, most)
                && wasted > before + most
            {
                return Err(format!(
                    "{} of {agent}: {} wasted at once",
                    limit.name,
                    wasted - before
                ));
            }
        }
        Ok(())
    }

    /// The file as a kill at this instant leaves it: the process goes on in another.
    fn kill(&mut self) {
        let from = self.path();
        self.file += 1;
        let to = self.path();
        let ledger = self.process().ledger.clone();
        loop {
            let read = || (ledger.status().commits, fs::read(&from).expect("a file"));
            let before = read();
            thread::sleep(Duration::from_millis(1));
            if before == read() {
                fs::write(&to, before.1).expect("room");
                break;
            }
        }
        let passed = self.passed;
        // What was told since the last commit may be lost.
        for (limit, agent, place, units) in std::mem::take(&mut self.unflushed) {
            self.account(&limit, agent)
                .take_back(&limit.kind, place, units, passed);
        }
        self.open.clear();
        self.process = None;
        drop(ledger);
        let _ = fs::remove_file(from);
    }
}

/// The largest lease of a policy.
const LEASE_MAX: u64 = 6;

/// Some limits, each of whose maxima and leases are random.
fn limits(chance: &mut Chance) -> Vec<Limit> {
    let kinds = [
        ("daily", Kind::Days, 25, None),
        ("ever", Kind::Lifetime, 300, None),
        (
            "window",
            Kind::Windows(chance.one_of(&[HOUR, 5 * HOUR])),
            14,
            None,
        ),
        (
            "slots",
            Kind::Trailing(chance.one_of(&[HOUR, 6 * HOUR])),
            14,
            Some(chance.one_of(&[4, 10])),
        ),
        (
            "log",
            Kind::Trailing(chance.one_of(&[HOUR, 30 * HOUR])),
            14,
            None,
        ),
        ("rate", Kind::Rate(20 * HOUR), 14, None),
    ];
    let mut limits = Vec::new();
    for (name, kind, max, slots) in kinds {
        if !chance.once_in(4) {
            limits.push(Limit {
                name,
                kind,
                max: max / 2 + chance.below(max),
                lease: 1 + chance.below(LEASE_MAX),
                slots,
            });
        }
    }
    if limits.is_empty() {
        limits.push(Limit {
            name: "ever",
            kind: Kind::Lifetime,
            max: 200,
            lease: 3,
            slots: None,
        });
    }
    limits
}
