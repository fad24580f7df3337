//! What all pictures have in common: inks, a logarithmic scale, and text beside it.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

pub(super) const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
pub(super) const FAINT_INK: RGBColor = RGBColor(0x60, 0x60, 0x60);
pub(super) const GRID: RGBColor = RGBColor(0xe4, 0xe4, 0xe4);

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

pub(super) fn text(size: i32, colour: &RGBColor, across: HPos) -> TextStyle<'static> {
    ("sans-serif", size)
        .into_font()
        .color(colour)
        .pos(Pos::new(across, VPos::Center))
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
