//! What all panels share: caption, frame, grid and the times below.

use std::error::Error;

use plotters::coord::combinators::WithKeyPoints;
use plotters::coord::types::RangedCoordu64;
use plotters::prelude::*;
use plotters::style::FontStyle;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::colours;
use super::page::{Area, LEFT, RIGHT};
use super::time_axis::TimeAxis;
use crate::figures::shortened;

type Axis = WithKeyPoints<RangedCoordu64>;
pub(super) type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Axis, Axis>>;

/// Height of the caption, and of the times and dates below.
const CAPTION: u32 = 30;
const TIMES: u32 = 40;

/// The words and measures of a panel.
pub(super) struct Panel<'a> {
    /// What it shows, in bold.
    pub(super) caption: &'a str,
    /// More about it, beside the caption.
    pub(super) note: &'a str,
    /// What to remember, on the right.
    pub(super) figure: &'a str,
    /// The upper end of the frame.
    pub(super) top: u64,
    /// Where the grid has lines.
    pub(super) ticks: Vec<u64>,
}

/// Draws all but the data.
pub(super) fn draw<'a, 'b>(
    area: &'a Area<'b>,
    axis: &TimeAxis,
    panel: &Panel<'_>,
    label: impl Fn(&u64) -> String,
) -> Result<Chart<'a, 'b>, Box<dyn Error>> {
    words(area, panel)?;
    let times = axis.ticks();
    let places: Vec<u64> = times.iter().map(|at| axis.x(*at)).collect();
    let mut chart = ChartBuilder::on(area)
        .margin_top(CAPTION)
        .margin_right(RIGHT)
        .set_label_area_size(LabelAreaPosition::Left, LEFT)
        .set_label_area_size(LabelAreaPosition::Bottom, TIMES)
        .build_cartesian_2d(
            (0..axis.width()).with_key_points(places.clone()),
            (0..panel.top).with_key_points(panel.ticks.clone()),
        )?;
    let time = |x: &u64| {
        let tick = places.iter().position(|place| place == x);
        tick.map_or_else(String::new, |tick| axis.label(times[tick]))
    };
    let font = || ("sans-serif", 12).into_font().color(&colours::FAINT_INK);
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(colours::GRID)
        .axis_style(colours::FRAME)
        .x_labels(places.len().max(1))
        .y_labels(panel.ticks.len().max(1))
        .x_label_formatter(&time)
        .y_label_formatter(&label)
        .label_style(font())
        .draw()?;
    let below = font().pos(Pos::new(HPos::Center, VPos::Top));
    for (at, place) in times.iter().zip(&places) {
        if let Some(date) = axis.date(*at) {
            let (x, y) = chart.backend_coord(&(*place, 0));
            let (left, top) = area.get_base_pixel();
            area.draw(&Text::new(date, (x - left, y - top + 23), below.clone()))?;
        }
    }
    Ok(chart)
}

fn words(area: &Area<'_>, panel: &Panel<'_>) -> Result<(), Box<dyn Error>> {
    let left = i32::try_from(LEFT)?;
    let base = i32::try_from(CAPTION)? - 9;
    let at = |side| Pos::new(side, VPos::Bottom);
    let bold = ("sans-serif", 14)
        .into_font()
        .style(FontStyle::Bold)
        .color(&colours::INK);
    let plain = ("sans-serif", 13).into_font().color(&colours::FAINT_INK);
    area.draw(&Text::new(
        panel.caption,
        (left, base),
        bold.pos(at(HPos::Left)),
    ))?;
    let (width, _) = area.dim_in_pixel();
    let right = i32::try_from(width - RIGHT)?;
    area.draw(&Text::new(
        panel.figure,
        (right, base),
        plain.clone().pos(at(HPos::Right)),
    ))?;
    // The reader's font is not known, so room for letters is left generously.
    let letters = |text: &str| i32::try_from(text.chars().count());
    let beside = left + letters(panel.caption)? * 8 + 12;
    let room = (right - beside) / 7 - letters(panel.figure)? - 2;
    let note = shortened(panel.note, usize::try_from(room).unwrap_or(0));
    area.draw(&Text::new(note, (beside, base), plain.pos(at(HPos::Left))))?;
    Ok(())
}

/// The least of 1, 2, 5, 10, 20, 50, ... that is not below `least`.
pub(super) fn round_step(least: u64) -> u64 {
    let mut power = 1_u64;
    loop {
        for step in [1, 2, 5] {
            match power.checked_mul(step) {
                Some(step) if step < least => {}
                Some(step) => return step,
                None => return least,
            }
        }
        match power.checked_mul(10) {
            Some(next) => power = next,
            None => return least,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::round_step;

    #[test]
    fn steps_are_round() {
        let steps = [0, 1, 2, 3, 6, 11, 400, 999].map(round_step);
        assert_eq!(steps, [1, 1, 2, 5, 10, 20, 500, 1000]);
        assert_eq!(round_step(u64::MAX), u64::MAX);
    }
}
