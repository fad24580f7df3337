//! Where things stand on the page.

use std::error::Error;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::FontStyle;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::legend::Legend;
use super::time_axis::TimeAxis;
use super::{colours, requests, usage};
use crate::figures::{grouped, percent, shortened, span, utc};
use crate::report::Report;

const WIDTH: u32 = 1200;
/// Height of title and subtitle.
const TITLE: i32 = 76;
const REQUESTS: u32 = 300;
const USAGE: u32 = 170;
const FOOTER: u32 = 34;
/// The most limits that get a panel.
const PANELS: usize = colours::DISTINCT;

/// Space left of a panel's frame, for its figures, and right of it, for names of priority classes.
pub(super) const LEFT: u32 = 64;
pub(super) const RIGHT: u32 = 72;

pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// A limit with a panel: its place in the report and its colour.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown {
    pub(super) index: usize,
    pub(super) colour: RGBColor,
}

/// Draws the page.
pub(crate) fn render(report: &Report) -> Result<String, Box<dyn Error>> {
    let shown = busiest_limits(report);
    let panels = u32::try_from(shown.len())?;
    let legend = Legend::new(
        entries(report, &shown),
        i32::try_from(WIDTH - LEFT - RIGHT)?,
    );
    let header = u32::try_from(TITLE + legend.height() + 4)?;
    let height = header + REQUESTS + USAGE * panels + FOOTER;
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        root.fill(&WHITE)?;
        title(&root, report)?;
        legend.draw(&root, (i32::try_from(LEFT)?, TITLE))?;
        let first = report.timeline.iter().next().map_or(0, |(at, _)| at);
        let last = report.timeline.iter().next_back().map_or(0, |(at, _)| at);
        let axis = TimeAxis::new(first, last.saturating_add(report.timeline.width_ns()));
        let (_, rest) = root.split_vertically(header);
        let (top, mut rest) = rest.split_vertically(REQUESTS);
        requests::draw(&top, report, &shown, &axis)?;
        for limit in &shown {
            let (panel, below) = rest.split_vertically(USAGE);
            usage::draw(&panel, report, *limit, &axis)?;
            rest = below;
        }
        footer(&root, report, &shown, i32::try_from(height)?)?;
        root.present()?;
    }
    Ok(svg)
}

/// The limits that say most, in file order: those that refuse most, then those that are fullest.
fn busiest_limits(report: &Report) -> Vec<Shown> {
    let mut order: Vec<usize> = (0..report.limits.len()).collect();
    let fullest = |index: usize| {
        report
            .timeline
            .iter()
            .filter_map(|(_, bucket)| bucket.usage_ppm[index])
            .max()
    };
    order.sort_by_key(|index| std::cmp::Reverse((report.limits[*index].refused, fullest(*index))));
    order.truncate(PANELS);
    order.sort_unstable();
    let coloured = |(place, index)| Shown {
        index,
        colour: colours::of_limit(place),
    };
    order.into_iter().enumerate().map(coloured).collect()
}

fn title(root: &Area<'_>, report: &Report) -> Result<(), Box<dyn Error>> {
    let left = i32::try_from(LEFT)?;
    let title = ("sans-serif", 22)
        .into_font()
        .style(FontStyle::Bold)
        .color(&colours::INK);
    let all = report.requests();
    let text = format!(
        "{} requests: {} admitted ({}), {} refused ({})",
        grouped(all.into()),
        grouped(report.admitted.into()),
        percent(report.admitted, all),
        grouped(report.refused.into()),
        percent(report.refused, all),
    );
    root.draw(&Text::new(text, (left, 18), title))?;
    let plain = ("sans-serif", 14).into_font().color(&colours::FAINT_INK);
    let when = report.span_ns.map_or_else(String::new, |(first, last)| {
        let length = span(std::time::Duration::from_nanos(last.abs_diff(first)));
        format!(", {} UTC, {length}", utc(first, "%-d %B %Y %H:%M:%S"))
    });
    let [trace, policy] = [&report.trace, &report.policy].map(|name| shortened(name, 60));
    let text = format!("{trace} under {policy}{when}");
    root.draw(&Text::new(text, (left, 48), plain))?;
    Ok(())
}

/// What the colours of the upper panel mean.
fn entries(report: &Report, shown: &[Shown]) -> Vec<(String, RGBColor)> {
    let refusing = shown
        .iter()
        .filter(|limit| report.limits[limit.index].refused > 0);
    let mut entries = vec![("admitted".to_owned(), colours::ADMITTED)];
    entries.extend(refusing.map(|limit| {
        let name = short(&report.limits[limit.index].name);
        (format!("refused by {name}"), limit.colour)
    }));
    if requests::refused_by_others(report, shown) > 0 {
        entries.push(("refused by other limits".to_owned(), colours::OTHERS));
    }
    entries
}

fn footer(
    root: &Area<'_>,
    report: &Report,
    shown: &[Shown],
    height: i32,
) -> Result<(), Box<dyn Error>> {
    let left = i32::try_from(LEFT)?;
    let mut text = format!(
        "Each bar and point stands for {}. Usage is that of the busiest account that asked. Times are UTC.",
        span(std::time::Duration::from_nanos(
            report.timeline.width_ns().unsigned_abs()
        ))
    );
    let left_out = report.limits.len() - shown.len();
    if left_out > 0 {
        text.push_str(&format!(
            " The {} busiest limits are shown, {left_out} are not.",
            shown.len()
        ));
    }
    let style = ("sans-serif", 12)
        .into_font()
        .color(&colours::FAINT_INK)
        .pos(Pos::new(HPos::Left, VPos::Bottom));
    root.draw(&Text::new(text, (left, height - 8), style))?;
    Ok(())
}

/// A limit's name, short enough for a caption.
pub(super) fn short(name: &str) -> String {
    const LONGEST: usize = 28;
    shortened(name, LONGEST)
}
