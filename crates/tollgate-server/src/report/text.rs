//! The report for people.

use std::fmt::Write as _;
use std::time::Duration;

use super::{LimitReport, Report, Verdict, Worst};
use crate::figures::{dollars, grouped, percent, plain, shortened, span, utc};
use crate::units;

/// Characters in a bar of usage over time.
const BAR: usize = 60;
/// The longest name shown whole.
const NAME: usize = 24;

pub(super) fn render(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut text, report);
    text
}

fn write(out: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(
        out,
        "{} under {}\n",
        plain(&report.trace),
        plain(&report.policy)
    )?;
    totals(out, report)?;
    limits(out, &report.limits)?;
    usage(out, report)?;
    details(out, report)?;
    laws(out, report)?;
    let rate = report.requests() as f64 / report.elapsed.as_secs_f64().max(1e-9);
    writeln!(
        out,
        "\n{} decisions in {}, {:.2} million a second",
        grouped(report.requests().into()),
        span(report.elapsed),
        rate / 1e6
    )
}

fn totals(out: &mut String, report: &Report) -> std::fmt::Result {
    let all = report.requests();
    let width = grouped(all.into()).len();
    let when = report.span_ns.map_or_else(String::new, |(first, last)| {
        let same_day = utc(first, "%F") == utc(last, "%F");
        let last_pattern = if same_day { "%T" } else { "%F %T" };
        format!(
            "{} to {} UTC, {}",
            utc(first, "%F %T"),
            utc(last, last_pattern),
            span(Duration::from_nanos(last.abs_diff(first)))
        )
    });
    let lines = [
        ("requests", all, when),
        ("admitted", report.admitted, percent(report.admitted, all)),
        ("refused", report.refused, percent(report.refused, all)),
        ("skipped", report.skipped_rows, "broken rows".into()),
    ];
    for (what, count, rest) in lines {
        if what != "skipped" || count > 0 {
            let line = format!("  {what:<10}{:>width$}   {rest}", grouped(count.into()));
            writeln!(out, "{}", line.trim_end())?;
        }
    }
    writeln!(out)
}

fn limits(out: &mut String, limits: &[LimitReport]) -> std::fmt::Result {
    let mut rows = vec![
        [
            "limit",
            "refused",
            "units admitted",
            "most in any window",
            "rule",
        ]
        .map(String::from),
    ];
    rows.extend(limits.iter().map(|limit| {
        let most = units::amount(limit.unit, limit.max_in_any_window);
        [
            short(&limit.name),
            grouped(limit.refused.into()),
            units::amount(limit.unit, limit.units_admitted),
            format!("{most} ({})", limit.window),
            limit.rule.clone(),
        ]
    }));
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths = [0, 1, 2, 3].map(width);
    for [name, refused, units, most, rule] in &rows {
        let [a, b, c, d] = widths;
        writeln!(
            out,
            "  {name:<a$}  {refused:>b$}  {units:>c$}  {most:>d$}  {rule}"
        )?;
    }
    Ok(())
}

/// One bar a limit: the highest usage in each part of the time.
fn usage(out: &mut String, report: &Report) -> std::fmt::Result {
    let Some((first, last)) = report.span_ns else {
        return Ok(());
    };
    if report.limits.is_empty() {
        return Ok(());
    }
    let name_width = report
        .limits
        .iter()
        .map(|l| short(&l.name).chars().count())
        .max()
        .unwrap_or(0);
    writeln!(
        out,
        "\n  usage over time, of the busiest account that asked, as a share of its limit (█ is full)"
    )?;
    let cell = |at: i64| {
        let (past, whole) = (
            i128::from(at) - i128::from(first),
            i128::from(last) - i128::from(first),
        );
        let cell = past.max(0) * BAR as i128 / (whole + 1);
        usize::try_from(cell).unwrap_or(0).min(BAR - 1)
    };
    for (index, limit) in report.limits.iter().enumerate() {
        let mut cells = [None; BAR];
        for (at, bucket) in report.timeline.iter() {
            let cell = &mut cells[cell(at)];
            *cell = (*cell).max(bucket.usage_ppm[index]);
        }
        let bar: String = cells.iter().map(|usage| level(*usage)).collect();
        let highest = cells.iter().flatten().max().copied().unwrap_or(0);
        writeln!(
            out,
            "  {:<name_width$}  {bar}  highest {}",
            short(&limit.name),
            percent(highest, 1_000_000)
        )?;
    }
    let ends = [first, last].map(|at| utc(at, "%R"));
    let gap = BAR - ends[0].len();
    writeln!(out, "  {:<name_width$}  {}{:>gap$}", "", ends[0], ends[1])
}

fn level(usage_ppm: Option<u64>) -> char {
    const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    match usage_ppm {
        None => ' ',
        // Only a full limit gets a full block.
        Some(ppm) => {
            let level = usize::try_from(ppm.saturating_mul(7) / 1_000_000).unwrap_or(usize::MAX);
            LEVELS[level.min(LEVELS.len() - 1)]
        }
    }
}

fn details(out: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(out)?;
    for (what, asked, used) in [
        (
            "input tokens",
            report.asked.input_tokens,
            report.used.input_tokens,
        ),
        (
            "output tokens",
            report.asked.output_tokens,
            report.used.output_tokens,
        ),
    ] {
        writeln!(
            out,
            "  {what:<14}  {} asked, {} admitted",
            grouped(asked),
            grouped(used)
        )?;
    }
    if report.asked.micro_usd > 0 {
        let [asked, used] = [report.asked.micro_usd, report.used.micro_usd].map(dollars);
        writeln!(out, "  {:<14}  {asked} asked, {used} admitted", "dollars")?;
    }
    let waits = &report.waits;
    if waits.count > 0 {
        writeln!(
            out,
            "  {:<14}  {} on average, {} at most, of {} refusals",
            "retry after",
            span(waits.mean()),
            span(waits.max),
            grouped(waits.count.into()),
        )?;
    }
    if waits.never > 0 {
        writeln!(
            out,
            "  {:<14}  {} refusals that no waiting helps",
            "never",
            grouped(waits.never.into())
        )?;
    }
    for limit in report.limits.iter().filter(|limit| limit.would_refuse > 0) {
        writeln!(
            out,
            "  {:<14}  {} would have refused {}",
            "shadow",
            short(&limit.name),
            grouped(limit.would_refuse.into())
        )?;
    }
    for limit in report.limits.iter().filter(|limit| limit.counted_later > 0) {
        writeln!(
            out,
            "  {:<14}  {} counted {} rows of an earlier {} in the one that had begun",
            "clock set back",
            short(&limit.name),
            grouped(limit.counted_later.into()),
            limit.window,
        )?;
    }
    worst(out, "worst second", &report.worst_second)?;
    worst(out, "worst minute", &report.worst_minute)
}

fn worst(out: &mut String, what: &str, worst: &Worst) -> std::fmt::Result {
    let (Some(requests), Some(tokens)) = (worst.requests, worst.tokens) else {
        return Ok(());
    };
    writeln!(
        out,
        "  {what:<14}  {} requests admitted (from {}), {} tokens (from {})",
        grouped(requests.units),
        utc(requests.start_ns, "%T"),
        grouped(tokens.units),
        utc(tokens.start_ns, "%T"),
    )
}

fn laws(out: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(out)?;
    let names = [
        "never over",
        "never needlessly under",
        "a denial changes nothing",
    ];
    for (name, (_, verdict)) in names.iter().zip(report.laws.all()) {
        let said = match verdict {
            Verdict::Held => "held".to_owned(),
            Verdict::Broken(detail) => format!("BROKEN: {}", plain(detail)),
            Verdict::NotChecked(reason) => format!("not checked: {}", plain(reason)),
        };
        writeln!(out, "  {name:<26}{said}")?;
    }
    Ok(())
}

fn short(name: &str) -> String {
    shortened(name, NAME)
}

#[cfg(test)]
mod tests {
    use super::super::made;

    #[test]
    fn a_person_finds_every_figure() {
        let text = made::report().to_text();
        let expected = [
            "trace.csv under policy.toml",
            "",
            "  requests  19,366   2023-11-16 18:15:46 to 19:15:46 UTC, 1 h",
            "  admitted  19,000   98.1 %",
            "  refused      366   1.9 %",
            "  skipped        2   broken rows",
            "",
            "  limit       refused  units admitted  most in any window  rule",
            "  agent-rpm       300          19,000             70 (1m)  60 requests per 1m, gcra, by agent",
            "  team \"usd\"       66      $24.999000    $24.999000 (day)  $25.00 per day, calendar",
            "",
            "  usage over time, of the busiest account that asked, as a share of its limit (█ is full)",
            "  agent-rpm   ▃▄▅▅▆▇▇▃▄▅▅▆▇▇▃▄▅▅▆▇▇▃▄▅▅▆▇▇▃▄▅▅▆▇▇▃▄▅▅▆▇▇▃▄▅▅▆▇▇▃▄▅▅▆▇▇▃▄▅▅  highest 90.0 %",
            "  team \"usd\"  ▇██████▇██████▇██████▇██████▇██████▇██████▇██████▇██████▇███  highest 140.0 %",
            "              18:15                                                  19:15",
            "",
            "  input tokens    2,000,000 asked, 1,900,000 admitted",
            "  output tokens   500,000 asked, 450,000 admitted",
            "  retry after     2 s on average, 9 s at most, of 360 refusals",
            "  never           6 refusals that no waiting helps",
            "  shadow          team \"usd\" would have refused 5",
            "  clock set back  team \"usd\" counted 3 rows of an earlier day in the one that had begun",
            "  worst second    12 requests admitted (from 18:15:46), 34,000 tokens (from 18:15:46)",
            "  worst minute    340 requests admitted (from 18:15:46), 340,000 tokens (from 18:15:46)",
            "",
            "  never over                held",
            "  never needlessly under    not checked: estimates differ",
            "  a denial changes nothing  BROKEN: row 7",
            "",
            "19,366 decisions in 40 ms, 0.48 million a second",
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }
}
