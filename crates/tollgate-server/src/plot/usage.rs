//! A lower panel: the usage of one limit over time, as a share of what it allows.

use std::error::Error;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::colours;
use super::page::{Area, Shown, short};
use super::panel::{self, Chart, Panel, round_step};
use super::time_axis::TimeAxis;
use crate::figures::{grouped, percent, plain};
use crate::report::Report;

/// Usage is in millionths of the limit.
const FULL: u64 = 1_000_000;
const QUARTER: u64 = FULL / 4;
/// The most priority classes that get a line.
const CLASSES: usize = 3;
/// Letters of a class's name that fit beside the frame.
const CLASS_LETTERS: usize = 9;

pub(super) fn draw(
    area: &Area<'_>,
    report: &Report,
    shown: Shown,
    axis: &TimeAxis,
) -> Result<(), Box<dyn Error>> {
    let limit = &report.limits[shown.index];
    let points: Vec<(i64, u64)> = report
        .timeline
        .iter()
        .filter_map(|(at, bucket)| Some((at, bucket.usage_ppm[shown.index]?)))
        .collect();
    let highest = points.iter().map(|(_, ppm)| *ppm).max().unwrap_or(0);
    // Usage beyond the limit is debt; the frame grows for it, in steps of at least a quarter.
    let step = round_step(highest.div_ceil(5 * QUARTER)).max(1) * QUARTER;
    let steps = highest.max(FULL).div_ceil(step);
    let refused = match (limit.refused, limit.would_refuse) {
        (0, 0) => "refused nothing".to_owned(),
        (0, n) => format!("would have refused {}", grouped(n.into())),
        (n, _) => format!("refused {}", grouped(n.into())),
    };
    let panel = Panel {
        caption: &short(&limit.name),
        note: &limit.rule,
        figure: &format!("{refused}, highest usage {}", percent(highest, FULL)),
        // A little more, so that the line at 100 % is not the frame.
        top: (steps * step).saturating_add(FULL / 8),
        ticks: (0..=steps).map(|n| n * step).collect(),
    };
    let mut chart = panel::draw(area, axis, &panel, |y| format!("{} %", y / (FULL / 100)))?;
    let width = report.timeline.width_ns();
    for run in points.chunk_by(|a, b| a.0.saturating_add(width) == b.0) {
        let steps = run.iter().flat_map(|(at, ppm)| {
            [
                (axis.x(*at), *ppm),
                (axis.x(at.saturating_add(width)), *ppm),
            ]
        });
        let series = AreaSeries::new(steps, 0, shown.colour.mix(0.25));
        chart.draw_series(series.border_style(shown.colour.stroke_width(1)))?;
    }
    let line = [(0, FULL), (axis.width(), FULL)];
    chart.draw_series(DashedLineSeries::new(
        line,
        6,
        4,
        colours::FULL.stroke_width(1),
    ))?;
    class_lines(area, &mut chart, report, axis)?;
    if points.is_empty() {
        let style = ("sans-serif", 13)
            .into_font()
            .color(&colours::FAINT_INK)
            .pos(Pos::new(HPos::Center, VPos::Center));
        let middle = (axis.width() / 2, FULL / 2);
        chart.draw_series([Text::new("no request came under this limit", middle, style)])?;
    }
    Ok(())
}

/// A fainter line for what each priority class may use, with its name on the right.
fn class_lines(
    area: &Area<'_>,
    chart: &mut Chart<'_, '_>,
    report: &Report,
    axis: &TimeAxis,
) -> Result<(), Box<dyn Error>> {
    let style = ("sans-serif", 12)
        .into_font()
        .color(&colours::FAINT_INK)
        .pos(Pos::new(HPos::Left, VPos::Center));
    let lower = report
        .classes
        .iter()
        .filter(|(_, ppm)| u64::from(*ppm) < FULL);
    for (name, ppm) in lower.take(CLASSES) {
        let height = u64::from(*ppm);
        let line = [(0, height), (axis.width(), height)];
        chart.draw_series(DashedLineSeries::new(
            line,
            2,
            4,
            colours::FAINT_INK.stroke_width(1),
        ))?;
        let (x, y) = chart.backend_coord(&(axis.width(), height));
        let (left, top) = area.get_base_pixel();
        let name: String = plain(name).chars().take(CLASS_LETTERS).collect();
        area.draw(&Text::new(name, (x - left + 6, y - top), style.clone()))?;
    }
    Ok(())
}
