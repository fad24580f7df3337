//! The upper panel: requests over time, one bar a bucket.

use std::error::Error;
use std::time::Duration;

use plotters::prelude::*;

use super::colours;
use super::page::{Area, Shown};
use super::panel::{self, Panel, round_step};
use super::time_axis::TimeAxis;
use crate::figures::{grouped, span};
use crate::report::Report;
use crate::timeline::Bucket;

pub(super) fn draw(
    area: &Area<'_>,
    report: &Report,
    shown: &[Shown],
    axis: &TimeAxis,
) -> Result<(), Box<dyn Error>> {
    let requests = |bucket: &Bucket| bucket.admitted + bucket.refused.iter().sum::<u64>();
    let highest = report
        .timeline
        .iter()
        .map(|(_, b)| requests(b))
        .max()
        .unwrap_or(0);
    let step = round_step(highest.div_ceil(6));
    let steps = highest.div_ceil(step).max(1);
    let width = report.timeline.width_ns();
    let panel = Panel {
        caption: &format!(
            "Requests per {}",
            span(Duration::from_nanos(width.unsigned_abs()))
        ),
        note: "",
        figure: &format!("highest {}", grouped(highest.into())),
        top: steps * step,
        ticks: (0..=steps).map(|n| n * step).collect(),
    };
    let mut chart = panel::draw(area, axis, &panel, |y| grouped((*y).into()))?;
    let mut bars = Vec::new();
    for (start, bucket) in report.timeline.iter() {
        let (from, to) = (axis.x(start), axis.x(start.saturating_add(width)));
        let mut base = 0;
        for (height, colour) in parts(bucket, shown) {
            let corners = [(from, base), (to, base + height)];
            bars.push(Rectangle::new(corners, colour.filled()));
            base += height;
        }
    }
    chart.draw_series(bars)?;
    Ok(())
}

/// The parts of a bar from the bottom up.
fn parts(bucket: &Bucket, shown: &[Shown]) -> impl Iterator<Item = (u64, RGBColor)> {
    let by_shown: u64 = shown.iter().map(|limit| bucket.refused[limit.index]).sum();
    let others = bucket.refused.iter().sum::<u64>() - by_shown;
    [(bucket.admitted, colours::ADMITTED)]
        .into_iter()
        .chain(
            shown
                .iter()
                .map(|limit| (bucket.refused[limit.index], limit.colour)),
        )
        .chain([(others, colours::OTHERS)])
        .filter(|(height, _)| *height > 0)
}

/// Refusals by limits that have no panel.
pub(super) fn refused_by_others(report: &Report, shown: &[Shown]) -> u64 {
    let all: u64 = report.limits.iter().map(|limit| limit.refused).sum();
    all - shown
        .iter()
        .map(|limit| report.limits[limit.index].refused)
        .sum::<u64>()
}
