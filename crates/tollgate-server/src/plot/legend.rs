//! Coloured squares with names, in lines.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::colours::INK;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Width of a letter at the legend's size, on average; SVG leaves the font to the reader.
const LETTER: i32 = 7;
const SQUARE: i32 = 12;
const LINE: i32 = 20;

/// Draws `entries` from `(x, y)` on, breaking lines at `right`; returns the height taken.
pub(super) fn draw(
    area: &Area<'_>,
    entries: &[(String, RGBColor)],
    (x, y): (i32, i32),
    right: i32,
) -> Result<i32, Box<dyn std::error::Error>> {
    let font = ("sans-serif", 13)
        .into_font()
        .color(&INK)
        .pos(Pos::new(HPos::Left, VPos::Center));
    let (mut at, mut line) = (x, y);
    for (name, colour) in entries {
        let letters = i32::try_from(name.chars().count()).unwrap_or(i32::MAX / LETTER / 2);
        let width = SQUARE + 6 + letters * LETTER + 18;
        if at > x && at + width > right {
            (at, line) = (x, line + LINE);
        }
        let corners = [(at, line), (at + SQUARE, line + SQUARE)];
        area.draw(&Rectangle::new(corners, colour.filled()))?;
        area.draw(&Text::new(
            name.as_str(),
            (at + SQUARE + 6, line + SQUARE / 2),
            font.clone(),
        ))?;
        at += width;
    }
    Ok(line - y + LINE)
}
