//! Coloured squares with names, in lines.

use std::error::Error;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::colours::INK;
use super::page::Area;

/// Width of a letter at the legend's size, on average; SVG leaves the font to the reader.
const LETTER: i32 = 7;
const SQUARE: i32 = 12;
const LINE: i32 = 20;

/// Names and colours, each in its place.
pub(super) struct Legend {
    entries: Vec<(String, RGBColor)>,
    /// Where each entry stands, from the upper left corner.
    places: Vec<(i32, i32)>,
}

impl Legend {
    /// Lays out `entries` in lines of at most `width`, an entry that is longer alone in its line.
    pub(super) fn new(entries: Vec<(String, RGBColor)>, width: i32) -> Self {
        let (mut x, mut y) = (0, 0);
        let mut places = Vec::with_capacity(entries.len());
        for (name, _) in &entries {
            let letters = i32::try_from(name.chars().count()).unwrap_or(width / LETTER);
            let own = SQUARE + 6 + letters * LETTER + 18;
            if x > 0 && x + own > width {
                (x, y) = (0, y + LINE);
            }
            places.push((x, y));
            x += own;
        }
        Self { entries, places }
    }

    pub(super) fn height(&self) -> i32 {
        self.places.last().map_or(0, |(_, y)| y + LINE)
    }

    pub(super) fn draw(
        &self,
        area: &Area<'_>,
        (left, top): (i32, i32),
    ) -> Result<(), Box<dyn Error>> {
        let font = ("sans-serif", 13)
            .into_font()
            .color(&INK)
            .pos(Pos::new(HPos::Left, VPos::Center));
        for ((name, colour), (x, y)) in self.entries.iter().zip(&self.places) {
            let (x, y) = (left + x, top + y);
            area.draw(&Rectangle::new(
                [(x, y), (x + SQUARE, y + SQUARE)],
                colour.filled(),
            ))?;
            area.draw(&Text::new(
                name.as_str(),
                (x + SQUARE + 6, y + SQUARE / 2),
                font.clone(),
            ))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_before_they_are_too_long() {
        let entries = |count: usize| vec![("ten-letter".to_owned(), INK); count];
        assert_eq!(Legend::new(entries(0), 300).height(), 0);
        assert_eq!(Legend::new(entries(2), 300).height(), LINE);
        let legend = Legend::new(entries(5), 300);
        assert_eq!(legend.height(), 3 * LINE);
        assert_eq!(legend.places[3], (106, LINE));
        assert_eq!(Legend::new(entries(2), 10).places, [(0, 0), (0, LINE)]);
    }
}
