//! The report as a page of Markdown.

use super::{
    figures::{Answer, GroupFigures, Report, RowFigures},
    plots::Picture,
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
    setting(&mut page, report)?;
    targets(&mut page, report, why)?;
    for picture in pictures {
        writeln!(page, "![{}](plots/{})\n", picture.title, picture.file)?;
    }
    losses(&mut page, report, why)?;
    answers(&mut page, &report.answers)?;
    memory(&mut page, report)?;
    tails(&mut page, report)?;
    floods(&mut page, report)?;
    writeln!(page, "## Times\n")?;
    for named in &report.groups {
        group(&mut page, named, &report.answers)?;
    }
    Ok(page)
}

fn setting(page: &mut String, report: &Report) -> fmt::Result {
    let setting = &report.setting;
    let versions: Vec<String> = setting
        .versions
        .iter()
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    writeln!(
        page,
        "Written by `cargo xtask bench` ({}) on {}, commit {}. {} threads of {}, {} GiB, {}; {}; fat LTO; {}.\n",
        setting.scale,
        setting.day,
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
    )?;
    writeln!(page, "Beside us: {}.\n", versions.join(", "))?;
    writeln!(
        page,
        "Rows of a group are measured in interleaved rounds; a figure is the median of its rounds and a ratio the median \
         of the ratios of its rounds. Absolute times are this machine's and of this hour: compare within a group only.\n"
    )
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

fn answers(page: &mut String, answers: &[Answer]) -> fmt::Result {
    if answers.is_empty() {
        return Ok(());
    }
    writeln!(page, "## Right?\n")?;
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
    if !report.loads.is_empty() {
        writeln!(page, "## Load of our table\n")?;
        writeln!(
            page,
            "| live keys by slot | bytes by key | keys without a slot until then | of those that came on the last per cent |\n| --- | --- | --- | --- |"
        )?;
        for load in &report.loads {
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
    if report.memory.is_empty() {
        return Ok(());
    }
    writeln!(page, "## Bytes by key\n")?;
    writeln!(
        page,
        "What the allocator gave and did not get back, the keys' own bytes included, and what was mapped past it.\n"
    )?;
    writeln!(page, "| | keys | bytes by key |\n| --- | --- | --- |")?;
    for one in &report.memory {
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
    if report.tails.is_empty() {
        return Ok(());
    }
    writeln!(page, "## Single operations\n")?;
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
    for one in &report.tails {
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
    let Some(first) = report.floods.first() else {
        return Ok(());
    };
    writeln!(page, "## A flood of new keys\n")?;
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
    for one in &report.floods {
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

fn group(page: &mut String, group: &GroupFigures, answers: &[Answer]) -> fmt::Result {
    writeln!(page, "### {}\n", group.name)?;
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
            right(row, group, answers),
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
    use crate::report::setting::Setting;

    /// A report of nothing.
    pub(in crate::report) fn empty() -> Report {
        Report {
            setting: Setting {
                scale: "smoke".to_owned(),
                day: "2026-01-01".to_owned(),
                cpu: "a processor".to_owned(),
                threads: 2,
                memory_gib: 1,
                kernel: "a system".to_owned(),
                rustc: "a compiler".to_owned(),
                commit: "0".to_owned(),
                real_time: false,
                versions: Vec::new(),
            },
            groups: Vec::new(),
            answers: Vec::new(),
            memory: Vec::new(),
            tails: Vec::new(),
            floods: Vec::new(),
            loads: Vec::new(),
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
}
