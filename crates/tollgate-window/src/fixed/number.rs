/// The number of a period, and how far it lies from others.
///
/// Numbers grow from period to period, by any steps. A `u64` is the number of a row of periods without gaps: the index
/// of a window, say, or a year.
pub trait PeriodNumber: Copy {
    /// The number. `u64::MAX` is taken for the one below it.
    fn number(self) -> u64;

    /// How many periods later this one is than the one of the number `earlier`: one, if it follows it. A counter asks
    /// only where a debt is to be paid.
    fn periods_since(self, earlier: u64) -> u64;
}

impl PeriodNumber for u64 {
    fn number(self) -> u64 {
        self
    }

    fn periods_since(self, earlier: u64) -> u64 {
        self.saturating_sub(earlier)
    }
}
