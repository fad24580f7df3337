//! The report as a page of Markdown.

use super::{
    figures::{Answer, GroupFigures, Report, RowFigures},
    plots::Picture,
    setting::Setting,
    targets::{Held, TARGETS},
    why::Why,
};
use crate::Role;
use std::fmt::{self, Write as _};

/// Writes the page. Pictures are looked for in `plots/`.
///
/// # Errors
/// Never: text has room.
pub fn render(report: &Report, why: &Why, pictures: &[Picture]) -> Result<String, fmt::Error> {
    let mut page = String::from("# Results\n\n");
    settings(&mut page, report)?;
    targets(&mut page, report, why)?;
    for picture in pictures {
        writeln!(page, "![{}](plots/{})\n", picture.title, picture.file)?;
    }
    losses(&mut page, report, why)?;
    answers(&mut page, report)?;
    memory(&mut page, report)?;
    tails(&mut page, report)?;
    floods(&mut page, report)?;
    writeln!(page, "## Times\n")?;
    for named in &report.groups {
        group(&mut page, named, report)?;
    }
    Ok(page)
}

fn settings(page: &mut String, report: &Report) -> fmt::Result {
    match report.runs.as_slice() {
        [] => writeln!(page, "Nothing was measured.\n")?,
        [run] => setting(page, "Written by `cargo xtask bench`", run)?,
        runs => {
            writeln!(
                page,
                "Measured piece by piece by `cargo xtask bench --only`; with each piece stands the run that it is of.\n"
            )?;
            for (number, run) in runs.iter().enumerate() {
                setting(page, &format!("Run {}", number + 1), run)?;
            }
        }
    }
    let mut told: Vec<String> = report.runs.iter().map(versions).collect();
    told.dedup();
    for versions in told {
        writeln!(page, "Beside us: {versions}.\n")?;
    }
    writeln!(
        page,
        "Rows of a group are measured in interleaved rounds; a figure is the median of its rounds and a ratio the median \
         of the ratios of its rounds. Absolute times are this machine's and of this hour: compare within a group only.\n"
    )
}

fn setting(page: &mut String, what: &str, setting: &Setting) -> fmt::Result {
    writeln!(
        page,
        "{what} ({}) on {} UTC, commit {}. {} threads of {}, {} GiB, {}; {}; fat LTO; {}.\n",
        setting.scale,
        setting.began,
        setting.commit,
        setting.threads,
        setting.cpu,
        setting.memory_gib,
        setting.kernel,
        setting.rustc,
        if setting.real_time {
            "at real-time priority"
        } else {
            "at ordinary priority, so that other work on the machine shows"
        },
    )
}

fn versions(setting: &Setting) -> String {
    let versions = setting.versions.iter();
    let told: Vec<String> = versions
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    told.join(", ")
}

/// Which run it was, if there were several.
fn of_run(page: &mut String, report: &Report, run: usize) -> fmt::Result {
    if report.runs.len() > 1 {
        writeln!(page, "Run {}.\n", run + 1)?;
    }
    Ok(())
}

fn targets(page: &mut String, report: &Report, why: &Why) -> fmt::Result {
    let held: Vec<Held> = TARGETS.iter().map(|target| target.judge(report)).collect();
    writeln!(page, "## What we hold ourselves to\n")?;
    writeln!(page, "| | target | measured | |\n| --- | --- | --- | --- |")?;
    for one in &held {
        let verdict = match one.held {
            Some(true) => "held",
            Some(false) => "**missed**",
            None => "",
        };
        writeln!(
            page,
            "| {} | {} | {} | {verdict} |",
            one.what, one.target, one.measured
        )?;
    }
    writeln!(page)?;
    let missed: Vec<&Held> = held.iter().filter(|one| one.held == Some(false)).collect();
    if !missed.is_empty() {
        writeln!(page, "Missed:\n")?;
        for one in missed {
            writeln!(
                page,
                "- {} ({}, target {}): {}.",
                one.what,
                one.measured,
                one.target,
                why.target(one.what)
            )?;
        }
        writeln!(page)?;
    }
    Ok(())
}

/// Groups in which somebody else is faster than the best of ours.
fn losses(page: &mut String, report: &Report, why: &Why) -> fmt::Result {
    writeln!(page, "## Where we lose\n")?;
    let mut any = false;
    for group in &report.groups {
        let (Some(ours), Some(peer)) = (group.fastest(Role::Ours), group.fastest(Role::Peer))
        else {
            continue;
        };
        let times = group.times_faster(&peer.name, &ours.name).unwrap_or(0.0);
        // What rounds alone can tell apart.
        if times > 1.02 {
            any = true;
            writeln!(
                page,
                "- `{}`: {} is {times:.2}× faster than {}: {}.",
                group.name,
                peer.name,
                ours.name,
                why.group(&group.name)
            )?;
        }
    }
    if !any {
        writeln!(
            page,
            "Nowhere in this run, as far as rounds tell rows apart."
        )?;
    }
    writeln!(page)
}

fn answers(page: &mut String, report: &Report) -> fmt::Result {
    let answers = &report.answers.figures;
    if answers.is_empty() {
        return Ok(());
    }
    writeln!(page, "## Right?\n")?;
    of_run(page, report, report.answers.run)?;
    writeln!(
        page,
        "Units allowed to two threads that ask at once for twice a capacity of 1000; of a capacity of 10 at 10 a second, \
         spent and then left alone for 1.5 s; and the share that is delivered of what 7,000,000 a second allows \
         (a dash: it cannot be asked often enough to tell).\n"
    )?;
    writeln!(
        page,
        "| | at once | after idling | delivered | right? |\n| --- | --- | --- | --- | --- |"
    )?;
    for one in answers {
        writeln!(
            page,
            "| {} | {} | {} | {} | {} |",
            name(&one.name, one.role),
            one.at_once,
            one.after_idling,
            one.delivered
                .map_or_else(|| "-".to_owned(), |share| format!("{:.2} %", share * 100.0)),
            if one.wrong.is_empty() {
                "yes".to_owned()
            } else {
                format!("**no**: {}", one.wrong.join("; "))
            },
        )?;
    }
    writeln!(page)
}

fn memory(page: &mut String, report: &Report) -> fmt::Result {
    if !report.loads.figures.is_empty() {
        writeln!(page, "## Load of our table\n")?;
        of_run(page, report, report.loads.run)?;
        writeln!(
            page,
            "Tables are filled with new keys, none of which expires. Keys that found no slot are told twice: of all that came \
             until a load was reached, and of those alone that came on its last per cent, which is what a new key \
             meets at that load.\n"
        )?;
        writeln!(
            page,
            "| live keys by slot | bytes by key | without a slot, of all until then | without a slot, of the last per cent |\n| --- | --- | --- | --- |"
        )?;
        for load in &report.loads.figures {
            writeln!(
                page,
                "| {} % | {:.1} | {} of {} | {} of {} |",
                load.load_percent,
                load.bytes_per_key,
                load.refused,
                load.came,
                load.refused_last,
                load.came_last
            )?;
        }
        writeln!(page)?;
    }
    if report.memory.figures.is_empty() {
        return Ok(());
    }
    writeln!(page, "## Bytes by key\n")?;
    of_run(page, report, report.memory.run)?;
    writeln!(
        page,
        "What the allocator gave and did not get back, the keys' own bytes included, and what was mapped past it.\n"
    )?;
    writeln!(page, "| | keys | bytes by key |\n| --- | --- | --- |")?;
    for one in &report.memory.figures {
        writeln!(
            page,
            "| {} | {} {} | {:.1} |",
            name(&one.name, one.role),
            one.keys,
            one.kind,
            one.bytes_per_key
        )?;
    }
    writeln!(page)
}

fn tails(page: &mut String, report: &Report) -> fmt::Result {
    if report.tails.figures.is_empty() {
        return Ok(());
    }
    writeln!(page, "## Single operations\n")?;
    of_run(page, report, report.tails.run)?;
    writeln!(
        page,
        "Each operation on the largest table timed by itself, two clock reads included; the idle loop reads the clock twice \
         and does nothing, for as long, in turn with it on the same core. In nanoseconds; \
         1 - 1/n stands for what all but one in n took at most.\n"
    )?;
    writeln!(
        page,
        "| | operations | 1 - 1/2 | 1 - 1/100 | 1 - 1/10,000 | 1 - 1/1,000,000 | worst | above 20 µs |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- |"
    )?;
    for one in &report.tails.figures {
        let [half, hundred, ten_thousand, million] = one.ns;
        writeln!(
            page,
            "| {} | {} | {half} | {hundred} | {ten_thousand} | {million} | {} | {} |",
            name(&one.name, one.role),
            one.asks,
            one.worst_ns,
            one.above_20us
        )?;
    }
    writeln!(page)
}

fn floods(page: &mut String, report: &Report) -> fmt::Result {
    let Some(first) = report.floods.figures.first() else {
        return Ok(());
    };
    writeln!(page, "## A flood of new keys\n")?;
    of_run(page, report, report.floods.run)?;
    writeln!(
        page,
        "Built for {} keys, half of them in use; then up to {} new ones come, once each, as long as patience lasts. Exhausted keys that ask in between are due \
         nothing; afterwards each key of before is due exactly what it had left.\n",
        first.keys,
        10 * first.keys
    )?;
    writeln!(
        page,
        "| | new keys | exhausted keys got | keys forgotten | keys robbed | new keys allowed | grown, bytes by key | ns a new key | right? |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    )?;
    for one in &report.floods.figures {
        writeln!(
            page,
            "| {} | {} | {} in {} asks | {} of {} | {} | {:.1} % | {:.0} | {:.0} | {} |",
            name(&one.name, one.role),
            one.came,
            one.victims_allowed,
            one.victims_asked,
            one.forgotten,
            one.live,
            one.robbed,
            one.flood_allowed * 100.0,
            one.grown_per_key,
            one.ns,
            if one.wrong().is_empty() {
                "yes"
            } else {
                "**no**"
            },
        )?;
    }
    writeln!(page)
}

fn group(page: &mut String, group: &GroupFigures, report: &Report) -> fmt::Result {
    writeln!(page, "### {}\n", group.name)?;
    of_run(page, report, group.run)?;
    writeln!(
        page,
        "| | ns | quartiles | speed, {} = 1 | right? |\n| --- | --- | --- | --- | --- |",
        group.against
    )?;
    let mut rows: Vec<&RowFigures> = group.rows.iter().collect();
    rows.sort_by(|a, b| a.ns_median().total_cmp(&b.ns_median()));
    for row in rows {
        let (low, high) = row.quartiles();
        let times = group.times_faster(&row.name, &group.against);
        writeln!(
            page,
            "| {} | {} | {} - {} | {} | {} |",
            name(&row.name, row.role),
            figure(row.ns_median()),
            figure(low),
            figure(high),
            times.map_or_else(String::new, |times| format!("{times:.2}")),
            right(row, group, &report.answers.figures),
        )?;
    }
    for (absent, why) in &group.absent {
        writeln!(page, "| {absent} | | | | cannot be built: {why} |")?;
    }
    writeln!(page)
}

/// What the row itself was found to answer, and for one limit also what was asked apart.
fn right(row: &RowFigures, group: &GroupFigures, answers: &[Answer]) -> String {
    let mut wrong: Vec<&str> = row.wrong.iter().map(String::as_str).collect();
    if group.name.starts_with("one_limit") {
        let apart = answers.iter().find(|answer| answer.name == row.name);
        wrong.extend(
            apart
                .iter()
                .flat_map(|answer| answer.wrong.iter().map(String::as_str)),
        );
    }
    match (row.role, wrong.is_empty()) {
        (Role::Floor, true) => String::new(),
        (_, true) => "yes".to_owned(),
        (_, false) => format!("**no**: {}", wrong.join("; ")),
    }
}

fn name(name: &str, role: Role) -> String {
    match role {
        Role::Ours => format!("**{name}**"),
        Role::Peer => name.to_owned(),
        Role::Sketch | Role::Floor => format!("*{name}*"),
    }
}

/// Three digits that count.
fn figure(ns: f64) -> String {
    match ns {
        ..10.0 => format!("{ns:.2}"),
        ..100.0 => format!("{ns:.1}"),
        _ => format!("{ns:.0}"),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A report of nothing.
    pub(in crate::report) fn empty() -> Report {
        Report {
            runs: vec![Setting::default()],
            ..Report::default()
        }
    }

    fn row(name: &str, role: Role, ns: f64, wrong: Option<&str>) -> RowFigures {
        RowFigures {
            name: name.to_owned(),
            role,
            ns: vec![ns],
            wrong: wrong.map(str::to_owned),
        }
    }

    #[test]
    fn who_is_wrong_and_where_we_lose_is_told() {
        let mut report = empty();
        report.groups.push(GroupFigures {
            run: 0,
            name: "one_limit/allowed/threads_1".to_owned(),
            against: "governor".to_owned(),
            rows: vec![
                row("tollgate", Role::Ours, 20.0, None),
                row("governor", Role::Peer, 10.0, Some("allowed 5 of 6")),
            ],
            absent: Vec::new(),
        });
        let why = Why::parse("[groups]\none_limit = 'it reads no clock'").unwrap();
        let page = render(&report, &why, &[]).unwrap();
        assert!(
            page.contains("governor is 2.00× faster than tollgate: it reads no clock."),
            "{page}"
        );
        assert!(page.contains("| governor | 10.0 | 10.0 - 10.0 | 1.00 | **no**: allowed 5 of 6 |"));
        assert!(page.contains("| **tollgate** | 20.0 | 20.0 - 20.0 | 0.50 | yes |"));
    }

    #[test]
    fn pieces_say_of_which_run_they_are() {
        let group = |run| GroupFigures {
            run,
            name: format!("group_{run}"),
            against: "governor".to_owned(),
            rows: Vec::new(),
            absent: Vec::new(),
        };
        let mut report = empty();
        report.groups = vec![group(0)];
        let whole = render(&report, &Why::default(), &[]).unwrap();
        assert!(!whole.contains("Run 1"), "{whole}");
        report.runs.push(Setting::default());
        report.groups.push(group(1));
        let pieces = render(&report, &Why::default(), &[]).unwrap();
        assert!(pieces.contains("### group_0\n\nRun 1."), "{pieces}");
        assert!(pieces.contains("### group_1\n\nRun 2."), "{pieces}");
    }
}
