//! Colours that people with any kind of colour vision tell apart (Okabe and Ito).

use plotters::style::RGBColor;

pub(super) const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
pub(super) const FAINT_INK: RGBColor = RGBColor(0x60, 0x60, 0x60);
pub(super) const GRID: RGBColor = RGBColor(0xe4, 0xe4, 0xe4);
pub(super) const FRAME: RGBColor = RGBColor(0x99, 0x99, 0x99);
/// What passed.
pub(super) const ADMITTED: RGBColor = RGBColor(0xc2, 0xca, 0xd2);
/// The line at 100 %.
pub(super) const FULL: RGBColor = RGBColor(0x22, 0x22, 0x22);

const LIMITS: [RGBColor; 6] = [
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x00, 0x00, 0x00),
];

/// The limits that have no panel, together.
pub(super) const OTHERS: RGBColor = RGBColor(0x88, 0x88, 0x88);

/// The colour of the limit with this place among those shown.
pub(super) fn of_limit(place: usize) -> RGBColor {
    LIMITS.get(place).copied().unwrap_or(OTHERS)
}

/// How many limits have a colour of their own.
pub(super) const DISTINCT: usize = LIMITS.len();
