//! Curves on two logarithmic scales, each named at its end.

use super::axes::{FAINT_INK, GRID, INK, Scale, grouped, text};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;
use std::error::Error;

const WIDTH: i32 = 1000;
const HEIGHT: i32 = 460;
const LEFT: i32 = 70;
/// Room for the names.
const RIGHT: i32 = 260;
const TOP: i32 = 80;
const BOTTOM: i32 = 50;
/// Names keep so far apart.
const APART: i32 = 17;

/// One curve.
pub(super) struct Curve {
    pub(super) label: String,
    pub(super) colour: RGBColor,
    pub(super) points: Vec<(f64, f64)>,
}

/// The picture.
pub(super) struct Lines<'a> {
    pub(super) title: &'a str,
    pub(super) subtitle: &'a str,
    pub(super) curves: Vec<Curve>,
}

impl Lines<'_> {
    /// Draws it as SVG.
    pub(super) fn draw(&self) -> Result<String, Box<dyn Error>> {
        let points = || self.curves.iter().flat_map(|curve| &curve.points);
        let across = Scale::over(points().map(|point| point.0), LEFT, WIDTH - RIGHT);
        let up = Scale::over(points().map(|point| point.1), HEIGHT - BOTTOM, TOP);
        let mut svg = String::new();
        {
            let size = (u32::try_from(WIDTH)?, u32::try_from(HEIGHT)?);
            let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
            area.fill(&WHITE)?;
            area.draw(&Text::new(self.title, (20, 24), text(20, &INK, HPos::Left)))?;
            area.draw(&Text::new(
                self.subtitle,
                (20, 48),
                text(13, &FAINT_INK, HPos::Left),
            ))?;
            for (value, mark) in up.marks() {
                let y = up.at(value);
                area.draw(&PathElement::new([(LEFT, y), (WIDTH - RIGHT, y)], GRID))?;
                area.draw(&Text::new(
                    mark,
                    (LEFT - 8, y),
                    text(12, &FAINT_INK, HPos::Right),
                ))?;
            }
            for (value, _) in across.marks() {
                let (x, mark) = (across.at(value), format!("{} keys", grouped(value)));
                area.draw(&PathElement::new([(x, TOP), (x, HEIGHT - BOTTOM)], GRID))?;
                let style = text(12, &FAINT_INK, HPos::Center);
                area.draw(&Text::new(mark, (x, HEIGHT - BOTTOM + 16), style))?;
            }
            for curve in &self.curves {
                let points: Vec<(i32, i32)> = curve
                    .points
                    .iter()
                    .map(|(x, y)| (across.at(*x), up.at(*y)))
                    .collect();
                area.draw(&PathElement::new(
                    points.clone(),
                    curve.colour.stroke_width(3),
                ))?;
                for point in points {
                    area.draw(&Circle::new(point, 4, curve.colour.filled()))?;
                }
            }
            for (curve, y) in self.named(&up) {
                let place = (WIDTH - RIGHT + 14, y);
                area.draw(&Text::new(
                    curve.label.as_str(),
                    place,
                    text(13, &curve.colour, HPos::Left),
                ))?;
            }
            area.present()?;
        }
        Ok(svg)
    }

    /// Where names stand: beside the last point, or below the name before.
    fn named(&self, up: &Scale) -> Vec<(&Curve, i32)> {
        let mut named: Vec<(&Curve, i32)> = self
            .curves
            .iter()
            .filter_map(|curve| Some((curve, up.at(curve.points.last()?.1))))
            .collect();
        named.sort_by_key(|(_, y)| *y);
        let mut least = i32::MIN;
        for (_, y) in &mut named {
            *y = (*y).max(least);
            least = *y + APART;
        }
        named
    }
}
