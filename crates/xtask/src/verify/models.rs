//! The models of every interleaving, under loom: all that `tests/models.toml` lists, and nothing else.

use super::{
    Depth, Outcome, Part, Run,
    suite::{self, Build, Case, Ran},
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    fs,
    time::Duration,
};

pub(crate) const PART: Part = Part {
    name: "models",
    shows: "every interleaving of a few threads, under loom",
    from: Depth::Quick,
    run,
};

/// All models.
const LIST: &str = "tests/models.toml";

/// Flags and target folder of a build for loom.
pub(super) const LOOM: (&str, &str) = ("--cfg model_loom", "target/loom");

/// As long as one model may take, on a machine that is busy with others too.
const LIMIT_QUICK: Duration = Duration::from_secs(300);
const LIMIT_FULL: Duration = Duration::from_secs(1800);

/// As many are shown as the slowest.
const SLOWEST: usize = 5;

fn run(run: &Run) -> Outcome {
    let listed = match listed() {
        Ok(listed) => listed,
        Err(why) => return Outcome::failed("", None, why),
    };
    let cases = match cases(run, &listed) {
        Ok(cases) => cases,
        Err(why) => return Outcome::failed("", None, why),
    };
    let explored = format!("{} models of {}", cases.len(), listed.of());
    let limit = if run.quick() { LIMIT_QUICK } else { LIMIT_FULL };
    let ran = suite::run_each(run, cases, limit);
    run.show(&slowest(&ran));
    conclude(explored, &ran)
}

fn listed() -> Result<List, String> {
    let listed = fs::read_to_string(LIST).map_err(|error| error.to_string());
    let listed = listed.and_then(|text| List::read(&text));
    listed.map_err(|why| format!("{LIST}: {why}"))
}

/// The models of `package` that are run in full alone.
pub(super) fn slow_of(package: &str) -> Result<Vec<String>, String> {
    let programs = listed()?.0.remove(package).unwrap_or_default();
    Ok(programs
        .into_values()
        .flat_map(|models| models.full)
        .collect())
}

/// Passed if all did and each explored something.
pub(super) fn conclude(explored: String, ran: &[Ran]) -> Outcome {
    let executions = ran.iter().map(Ran::executions).sum();
    let wrong = ran.iter().filter_map(|ran| match &ran.lines {
        Err(why) => Some(why.clone()),
        Ok(_) if ran.executions() == 0 => Some(format!("{} explored nothing", ran.case.test)),
        Ok(_) => None,
    });
    let wrong: Vec<_> = wrong.collect();
    if wrong.is_empty() {
        Outcome::passed(explored, Some(executions))
    } else {
        Outcome::failed(explored, Some(executions), wrong.join("\n"))
    }
}

pub(super) fn slowest(ran: &[Ran]) -> String {
    let mut by_time: Vec<_> = ran.iter().collect();
    by_time.sort_by_key(|ran| Reverse(ran.took));
    let rows = by_time.iter().take(SLOWEST).map(|ran| {
        let (case, took) = (&ran.case, ran.took.as_secs_f64());
        let executions = ran.executions();
        format!(
            "{took:>7.1} s {executions:>9} executions  {} {}\n",
            case.program.package, case.test
        )
    });
    format!("the slowest:\n{}", rows.collect::<String>())
}

/// Builds the programs that the list names, all at once, and looks up each model in them.
fn cases(run: &Run, list: &List) -> Result<Vec<Case>, String> {
    let mut arguments = vec!["--profile", "model"];
    for package in list.0.keys() {
        arguments.extend(["--package", package]);
    }
    let programs: BTreeSet<_> = list.0.values().flat_map(BTreeMap::keys).collect();
    for program in programs {
        arguments.extend(["--test", program]);
    }
    let build = Build {
        arguments,
        flags: LOOM.0,
        target: LOOM.1,
        folder: None,
    };
    let built = suite::build(run, &build)?;
    let mut cases = Vec::new();
    for (package, programs) in &list.0 {
        for (name, models) in programs {
            let program = built
                .iter()
                .find(|program| program.package == *package && program.name == *name)
                .ok_or_else(|| format!("{LIST} lists {package} {name}, which was not built"))?;
            let known = program.tests()?;
            models.compare(&known, package)?;
            let wanted = known
                .into_iter()
                .filter(|test| models.has(test, run.quick()));
            cases.extend(wanted.map(|test| Case::new(program, test)));
        }
    }
    Ok(cases)
}

/// The models of one test program.
#[derive(Debug, Default, PartialEq, Eq)]
struct Models {
    quick: Vec<String>,
    full: Vec<String>,
}

impl Models {
    fn has(&self, test: &str, quick: bool) -> bool {
        let named = |list: &[String]| list.iter().any(|name| name == test);
        named(&self.quick) || (!quick && named(&self.full))
    }

    /// What is listed must be there, and what is there must be listed.
    fn compare(&self, there: &[String], package: &str) -> Result<(), String> {
        let listed = || self.quick.iter().chain(&self.full);
        if let Some(gone) = listed().find(|name| !there.contains(name)) {
            return Err(format!("{LIST} lists {package} {gone}, which does not run"));
        }
        if let Some(new) = there
            .iter()
            .find(|name| listed().all(|known| known != *name))
        {
            return Err(format!("{LIST} does not list {package} {new}"));
        }
        Ok(())
    }
}

/// By crate and test program.
#[derive(Debug, PartialEq, Eq)]
struct List(BTreeMap<String, BTreeMap<String, Models>>);

impl List {
    fn read(text: &str) -> Result<Self, String> {
        let table: toml::Table = text.parse().map_err(|error| format!("{error}"))?;
        let mut list = BTreeMap::new();
        for (package, programs) in table {
            let programs = programs.as_table().ok_or("tables are [crate.program]")?;
            let models = programs
                .iter()
                .map(|(program, models)| Ok((program.clone(), Models::read(models)?)));
            list.insert(package, models.collect::<Result<_, String>>()?);
        }
        Ok(Self(list))
    }

    /// Of so many crates.
    fn of(&self) -> String {
        format!("{} crates", self.0.len())
    }
}

impl Models {
    fn read(value: &toml::Value) -> Result<Self, String> {
        let table = value.as_table().ok_or("tables are [crate.program]")?;
        let names = |key: &str| {
            let list = table.get(key).and_then(toml::Value::as_array);
            let list = list.ok_or_else(|| format!("needs a list `{key}`"))?;
            let name = |name: &toml::Value| name.as_str().map(str::to_owned);
            list.iter()
                .map(|item| name(item).ok_or_else(|| format!("`{key}` is a list of names")))
                .collect::<Result<Vec<_>, _>>()
        };
        Ok(Self {
            quick: names("quick")?,
            full: names("full")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn models() -> Models {
        let list = List::read("[a.loom]\nquick = ['one']\nfull = ['two']").expect("a list");
        let mut programs = list.0.into_values().next().expect("a crate");
        programs.remove("loom").expect("a program")
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_listed_model_that_is_not_there_fails() {
        let why = models().compare(&names(&["one"]), "a");
        assert!(why.is_err_and(|why| why.contains("two, which does not run")));
    }

    #[test]
    fn a_model_that_is_not_listed_fails() {
        let why = models().compare(&names(&["one", "two", "three"]), "a");
        assert!(why.is_err_and(|why| why.contains("does not list a three")));
    }

    #[test]
    fn quick_runs_leave_out_what_is_long() {
        let models = models();
        assert!(models.compare(&names(&["two", "one"]), "a").is_ok());
        assert!(models.has("one", true) && !models.has("two", true));
        assert!(models.has("two", false) && !models.has("three", false));
    }
}
