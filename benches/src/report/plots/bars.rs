//! Lying bars on a logarithmic scale, the figure at the end of each.

use super::axes::{FAINT_INK, GRID, INK, Scale, text};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::error::Error;

const WIDTH: i32 = 1000;
/// Where bars begin: names stand left of it.
const LEFT: i32 = 270;
/// Room for the figure of the longest bar.
const RIGHT: i32 = 70;
const TITLE: i32 = 74;
const FOOTER: i32 = 34;
/// Height of one line of a bar.
const LINE: i32 = 13;
const GAP: i32 = 9;

/// One part of a bar.
pub(super) struct Line {
    pub(super) value: f64,
    pub(super) colour: RGBColor,
}

/// One row of the picture.
pub(super) struct Bar {
    pub(super) label: String,
    pub(super) bold: bool,
    pub(super) lines: Vec<Line>,
}

/// The picture.
pub(super) struct Bars<'a> {
    pub(super) title: &'a str,
    pub(super) subtitle: &'a str,
    pub(super) bars: Vec<Bar>,
}

/// Three digits that count.
fn figure(value: f64) -> String {
    match value {
        ..10.0 => format!("{value:.2}"),
        ..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

impl Bars<'_> {
    /// Draws it as SVG.
    pub(super) fn draw(&self) -> Result<String, Box<dyn Error>> {
        let lines: usize = self.bars.iter().map(|bar| bar.lines.len()).sum();
        let bars = i32::try_from(self.bars.len())?;
        let height = TITLE + i32::try_from(lines)? * LINE + bars * GAP + FOOTER;
        let values = || {
            self.bars
                .iter()
                .flat_map(|bar| &bar.lines)
                .map(|line| line.value)
        };
        let scale = Scale::over(values(), LEFT, WIDTH - RIGHT);
        let mut svg = String::new();
        {
            let size = (u32::try_from(WIDTH)?, u32::try_from(height)?);
            let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
            area.fill(&WHITE)?;
            let bold = text(20, &INK, HPos::Left);
            area.draw(&Text::new(self.title, (20, 24), bold))?;
            area.draw(&Text::new(
                self.subtitle,
                (20, 48),
                text(13, &FAINT_INK, HPos::Left),
            ))?;
            let bottom = height - FOOTER;
            for (value, mark) in scale.marks() {
                let x = scale.at(value);
                area.draw(&PathElement::new([(x, TITLE - 6), (x, bottom)], GRID))?;
                let style = text(12, &FAINT_INK, HPos::Center);
                area.draw(&Text::new(mark, (x, bottom + 14), style))?;
            }
            let mut y = TITLE;
            for bar in &self.bars {
                let tall = i32::try_from(bar.lines.len())? * LINE;
                let font = ("sans-serif", 14).into_font();
                let font = if bar.bold {
                    font.style(FontStyle::Bold)
                } else {
                    font
                };
                let style = font.color(&INK).pos(Pos::new(HPos::Right, VPos::Center));
                area.draw(&Text::new(
                    bar.label.as_str(),
                    (LEFT - 10, y + tall / 2),
                    style,
                ))?;
                for line in &bar.lines {
                    let end = scale.at(line.value);
                    area.draw(&Rectangle::new(
                        [(LEFT, y), (end.max(LEFT + 1), y + LINE - 1)],
                        line.colour.filled(),
                    ))?;
                    let style = text(12, &INK, HPos::Left);
                    area.draw(&Text::new(
                        figure(line.value),
                        (end + 6, y + LINE / 2),
                        style,
                    ))?;
                    y += LINE;
                }
                y += GAP;
            }
            area.present()?;
        }
        Ok(svg)
    }
}
