//! What was measured.

use super::setting::Setting;
use crate::Role;
use serde::{Deserialize, Serialize};

/// Everything that was measured, in one run or piece by piece.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Report {
    /// Where and with what, run by run.
    pub runs: Vec<Setting>,
    /// Times, group by group.
    pub groups: Vec<GroupFigures>,
    /// Answers to what others were found to answer wrongly.
    pub answers: Part<Answer>,
    /// Memory by key.
    pub memory: Part<MemoryFigures>,
    /// Single operations.
    pub tails: Part<TailFigures>,
    /// Under a flood of keys.
    pub floods: Part<FloodFigures>,
    /// New keys that find no slot.
    pub loads: Part<LoadFigures>,
}

/// Figures that were measured together; none, if they were not measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Part<T> {
    /// In which of the report's runs.
    pub run: usize,
    /// The figures.
    pub figures: Vec<T>,
}

impl<T> Default for Part<T> {
    fn default() -> Self {
        Self {
            run: 0,
            figures: Vec::new(),
        }
    }
}

impl Report {
    /// Takes over what `piece` measured, in one run, in place of what was measured before.
    pub fn take(&mut self, piece: Self) {
        let run = self.runs.len();
        self.runs.extend(piece.runs.into_iter().take(1));
        for mut group in piece.groups {
            group.run = run;
            match self.groups.iter_mut().find(|old| old.name == group.name) {
                Some(old) => *old = group,
                None => self.groups.push(group),
            }
        }
        replace(&mut self.answers, piece.answers, run);
        replace(&mut self.memory, piece.memory, run);
        replace(&mut self.tails, piece.tails, run);
        replace(&mut self.floods, piece.floods, run);
        replace(&mut self.loads, piece.loads, run);
        self.forget_runs();
    }

    /// Forgets the runs of which nothing is left, and makes one of those that are alike.
    fn forget_runs(&mut self) {
        let mut places: Vec<&mut usize> = self.groups.iter_mut().map(|one| &mut one.run).collect();
        places.extend(place(&mut self.answers));
        places.extend(place(&mut self.memory));
        places.extend(place(&mut self.tails));
        places.extend(place(&mut self.floods));
        places.extend(place(&mut self.loads));
        let mut kept: Vec<Setting> = Vec::new();
        for (run, setting) in self.runs.iter().enumerate() {
            let mut of_it = places.iter_mut().filter(|place| ***place == run).peekable();
            if of_it.peek().is_none() {
                continue;
            }
            let at = kept.iter().position(|one| one == setting);
            let at = at.unwrap_or_else(|| {
                kept.push(setting.clone());
                kept.len() - 1
            });
            // Never above its old place, so no place is met twice.
            of_it.for_each(|place| **place = at);
        }
        self.runs = kept;
    }

    /// The group of this name.
    #[must_use]
    pub fn group(&self, name: &str) -> Option<&GroupFigures> {
        self.groups.iter().find(|group| group.name == name)
    }

    /// Our rows that answered wrongly.
    #[must_use]
    pub fn ours_wrong(&self) -> Vec<String> {
        let rows = self.groups.iter().flat_map(|group| {
            let ours = group.rows.iter().filter(|row| row.role == Role::Ours);
            ours.filter_map(|row| {
                let wrong = row.wrong.as_ref()?;
                Some(format!("{}/{}: {wrong}", group.name, row.name))
            })
        });
        let answers = self
            .answers
            .figures
            .iter()
            .filter(|one| one.role == Role::Ours);
        let answers = answers.flat_map(|one| {
            one.wrong
                .iter()
                .map(move |wrong| format!("{}: {wrong}", one.name))
        });
        let floods = self
            .floods
            .figures
            .iter()
            .filter(|one| one.role == Role::Ours);
        let floods = floods.flat_map(|one| {
            one.wrong()
                .into_iter()
                .map(move |wrong| format!("{} under a flood: {wrong}", one.name))
        });
        rows.chain(answers).chain(floods).collect()
    }
}

fn replace<T>(old: &mut Part<T>, new: Part<T>, run: usize) {
    if !new.figures.is_empty() {
        *old = Part { run, ..new };
    }
}

fn place<T>(part: &mut Part<T>) -> Option<&mut usize> {
    (!part.figures.is_empty()).then_some(&mut part.run)
}

/// One workload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GroupFigures {
    /// In which of the report's runs it was measured.
    pub run: usize,
    /// Axis by axis.
    pub name: String,
    /// The row with which the others are compared.
    pub against: String,
    /// One for each implementation.
    pub rows: Vec<RowFigures>,
    /// Who could not be built, and why.
    pub absent: Vec<(String, String)>,
}

impl GroupFigures {
    /// The row of this name.
    #[must_use]
    pub fn row(&self, name: &str) -> Option<&RowFigures> {
        self.rows.iter().find(|row| row.name == name)
    }

    /// How many times faster `row` is than `other`: the median over rounds, in each of which both were measured.
    #[must_use]
    pub fn times_faster(&self, row: &str, other: &str) -> Option<f64> {
        let (row, other) = (self.row(row)?, self.row(other)?);
        let ratios = row.ns.iter().zip(&other.ns);
        median(&ratios.map(|(row, other)| other / row).collect::<Vec<_>>())
    }

    /// The fastest row of these.
    #[must_use]
    pub fn fastest(&self, role: Role) -> Option<&RowFigures> {
        self.rows
            .iter()
            .filter(|row| row.role == role)
            .min_by(|a, b| a.ns_median().total_cmp(&b.ns_median()))
    }
}

/// One implementation in one workload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RowFigures {
    /// The implementation.
    pub name: String,
    /// Whose it is.
    pub role: Role,
    /// Nanoseconds an operation, round by round.
    pub ns: Vec<f64>,
    /// What was wrong with the answers.
    pub wrong: Option<String>,
}

impl RowFigures {
    /// The median of its rounds; infinite if there are none.
    #[must_use]
    pub fn ns_median(&self) -> f64 {
        median(&self.ns).unwrap_or(f64::INFINITY)
    }

    /// The quartiles of its rounds.
    #[must_use]
    pub fn quartiles(&self) -> (f64, f64) {
        (
            share(&self.ns, 1, 4).unwrap_or(f64::INFINITY),
            share(&self.ns, 3, 4).unwrap_or(f64::INFINITY),
        )
    }
}

/// What an implementation answers where others were found to be wrong.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Answer {
    /// The implementation.
    pub name: String,
    /// Whose it is.
    pub role: Role,
    /// Units allowed to two threads at once, of a capacity of 1000.
    pub at_once: u64,
    /// Units allowed after 1.5 s of idleness, of a capacity of 10 at 10 a second.
    pub after_idling: u64,
    /// What was delivered of what a rate of 7,000,000 a second allows; `None`: it was not asked often enough to tell.
    pub delivered: Option<f64>,
    /// What of this is wrong.
    pub wrong: Vec<String>,
}

/// Memory of one implementation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MemoryFigures {
    /// The implementation.
    pub name: String,
    /// Whose it is.
    pub role: Role,
    /// The kind of key.
    pub kind: String,
    /// How many keys it held.
    pub keys: u64,
    /// Bytes by key, the keys' own included.
    pub bytes_per_key: f64,
}

/// Single operations, and an idle loop on the same core in between.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TailFigures {
    /// The implementation, or the idle loop beside it.
    pub name: String,
    /// Whose it is.
    pub role: Role,
    /// How many were timed.
    pub asks: u64,
    /// Nanoseconds of all but one in two, a hundred, ten thousand and a million.
    pub ns: [u64; 4],
    /// The longest, in nanoseconds.
    pub worst_ns: u64,
    /// How many took longer than 20 microseconds.
    pub above_20us: u64,
}

/// What a flood of new keys does.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FloodFigures {
    /// The implementation.
    pub name: String,
    /// Whose it is.
    pub role: Role,
    /// Keys it was built for; ten times as many came.
    pub keys: u64,
    /// Units that exhausted keys got during the flood. None are due.
    pub victims_allowed: u64,
    /// How often exhausted keys asked.
    pub victims_asked: u64,
    /// Keys of before that were allowed more after the flood than they had left.
    pub forgotten: u64,
    /// Keys of before that were allowed less.
    pub robbed: u64,
    /// How many such keys there were.
    pub live: u64,
    /// How many keys came: fewer than ten times as many, if it took too long.
    pub came: u64,
    /// The share of the flood's keys whose first unit was allowed.
    pub flood_allowed: f64,
    /// By how much the process grew, in bytes a key that it was built for.
    pub grown_per_key: f64,
    /// Nanoseconds a key of the flood.
    pub ns: f64,
}

impl FloodFigures {
    /// What breaks a law.
    #[must_use]
    pub fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.victims_allowed > 0 {
            wrong.push(format!("exhausted keys got {}", self.victims_allowed));
        }
        if self.forgotten > 0 {
            wrong.push(format!(
                "{} of {} keys forgotten",
                self.forgotten, self.live
            ));
        }
        if self.robbed > 0 {
            wrong.push(format!("{} of {} keys robbed", self.robbed, self.live));
        }
        wrong
    }
}

/// New keys that find no slot.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LoadFigures {
    /// Live keys by slot, in per cent.
    pub load_percent: u32,
    /// How many new keys came until it was reached.
    pub came: u64,
    /// How many of them found no slot.
    pub refused: u64,
    /// How many of them came on its last per cent.
    pub came_last: u64,
    /// How many of those found no slot.
    pub refused_last: u64,
    /// Bytes by live key.
    pub bytes_per_key: f64,
}

/// The median.
#[must_use]
pub fn median(values: &[f64]) -> Option<f64> {
    share(values, 1, 2)
}

fn share(values: &[f64], of: usize, parts: usize) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values
        .get((values.len().saturating_sub(1)) * of / parts)
        .copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(began: &str) -> Setting {
        Setting {
            began: began.to_owned(),
            ..Setting::default()
        }
    }

    fn piece(day: &str, groups: &[&str], answers: usize) -> Report {
        let answer = Answer {
            name: "x".to_owned(),
            role: Role::Peer,
            at_once: 0,
            after_idling: 0,
            delivered: None,
            wrong: Vec::new(),
        };
        Report {
            runs: vec![setting(day)],
            groups: groups
                .iter()
                .map(|name| GroupFigures {
                    run: 0,
                    name: (*name).to_owned(),
                    against: String::new(),
                    rows: Vec::new(),
                    absent: Vec::new(),
                })
                .collect(),
            answers: Part {
                run: 0,
                figures: vec![answer; answers],
            },
            ..Report::default()
        }
    }

    /// Groups with the day of their run.
    fn told(report: &Report) -> Vec<(&str, &str)> {
        let day = |run: usize| report.runs[run].began.as_str();
        let mut told: Vec<_> = report
            .groups
            .iter()
            .map(|group| (group.name.as_str(), day(group.run)))
            .collect();
        if !report.answers.figures.is_empty() {
            told.push(("answers", day(report.answers.run)));
        }
        told
    }

    #[test]
    fn a_piece_replaces_what_it_measured_and_leaves_the_rest() {
        let mut report = Report::default();
        report.take(piece("monday", &["a", "b"], 1));
        report.take(piece("tuesday", &["b", "c"], 0));
        assert_eq!(
            told(&report),
            [
                ("a", "monday"),
                ("b", "tuesday"),
                ("c", "tuesday"),
                ("answers", "monday")
            ]
        );
    }

    #[test]
    fn runs_of_which_nothing_is_left_are_forgotten_and_like_ones_are_one() {
        let mut report = Report::default();
        report.take(piece("monday", &["a"], 0));
        report.take(piece("tuesday", &["a"], 2));
        report.take(piece("tuesday", &["b"], 0));
        assert_eq!(report.runs, [setting("tuesday")]);
        report.take(piece("friday", &["a", "b"], 0));
        assert_eq!(
            told(&report),
            [("a", "friday"), ("b", "friday"), ("answers", "tuesday")]
        );
    }
}
