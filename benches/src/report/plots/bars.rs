//! Lying bars on a logarithmic scale, the figure at the end of each.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::error::Error;

pub(super) const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
pub(super) const FAINT_INK: RGBColor = RGBColor(0x60, 0x60, 0x60);
pub(super) const GRID: RGBColor = RGBColor(0xe4, 0xe4, 0xe4);

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

/// A logarithmic scale over whole powers of ten.
pub(super) struct Scale {
    first: i32,
    last: i32,
    from: i32,
    to: i32,
}

impl Scale {
    /// From the power of ten below half the least value, which is then seen, to that above the largest, over these pixels.
    pub(super) fn over(values: impl Iterator<Item = f64>, from: i32, to: i32) -> Self {
        let finite = values.filter(|value| value.is_finite() && *value > 0.0);
        let (least, most) = finite.fold((f64::INFINITY, 0.0_f64), |(least, most), value| {
            (least.min(value), most.max(value))
        });
        let (least, most) = if most > 0.0 {
            (least, most)
        } else {
            (1.0, 10.0)
        };
        let first = power((least / 2.0).log10().floor());
        Self {
            first,
            last: power(most.log10().ceil()).max(first + 1),
            from,
            to,
        }
    }

    /// The pixel of a value.
    #[expect(clippy::cast_possible_truncation, reason = "pixels of a picture")]
    pub(super) fn at(&self, value: f64) -> i32 {
        let share = (value.max(f64::MIN_POSITIVE).log10() - f64::from(self.first))
            / f64::from(self.last - self.first);
        self.from + (f64::from(self.to - self.from) * share.clamp(0.0, 1.0)).round() as i32
    }

    /// The powers of ten, and how they are written.
    pub(super) fn marks(&self) -> impl Iterator<Item = (f64, String)> {
        (self.first..=self.last).map(|power| {
            let value = 10_f64.powi(power);
            (value, grouped(value))
        })
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a power of ten of a time")]
fn power(value: f64) -> i32 {
    value as i32
}

/// A thousand is 1k, a million 1M.
pub(super) fn grouped(value: f64) -> String {
    match value {
        1e6.. => format!("{}M", value / 1e6),
        1e3.. => format!("{}k", value / 1e3),
        _ => value.to_string(),
    }
}

/// Three digits that count.
fn figure(value: f64) -> String {
    match value {
        ..10.0 => format!("{value:.2}"),
        ..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

pub(super) fn text(size: i32, colour: &RGBColor, across: HPos) -> TextStyle<'static> {
    ("sans-serif", size)
        .into_font()
        .color(colour)
        .pos(Pos::new(across, VPos::Center))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_ends_at_powers_of_ten() {
        let scale = Scale::over([0.7, 120.0].into_iter(), 0, 400);
        assert_eq!(
            (scale.at(0.1), scale.at(10.0), scale.at(1_000.0)),
            (0, 200, 400)
        );
        let marks: Vec<String> = scale.marks().map(|(_, mark)| mark).collect();
        assert_eq!(marks, ["0.1", "1", "10", "100", "1k"]);
    }
}
