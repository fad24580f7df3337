//! New keys that find no slot in our table, by its load.

use super::figures::LoadFigures;
use crate::ours::Filling;

/// The loads that are measured, in per cent.
pub const LOADS: [u32; 5] = [60, 70, 80, 90, 95];

/// Fills a table of so many slots, and tells of each load how many new keys found no slot until then.
#[must_use]
pub fn loads(slots: usize) -> Vec<LoadFigures> {
    let Ok(mut table) = Filling::new(slots) else {
        return Vec::new();
    };
    let (mut came, mut refused) = (0, 0);
    let at = |table: &Filling, percent: u32| table.slots() * percent as usize / 100;
    LOADS
        .into_iter()
        .map(|load_percent| {
            let (before, after) = (at(&table, load_percent - 1), at(&table, load_percent));
            let (came_first, refused_first) = table.fill_to(before);
            let (came_last, refused_last) = table.fill_to(after);
            came += came_first + came_last;
            refused += refused_first + refused_last;
            LoadFigures {
                load_percent,
                came,
                refused,
                came_last,
                refused_last,
                bytes_per_key: table.bytes_per_key(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::loads;

    #[test]
    fn a_fuller_table_holds_more_keys_in_the_same_memory() {
        let loads = loads(20_000);
        assert!(
            loads
                .iter()
                .all(|load| load.came >= load.refused && load.came >= load.came_last)
        );
        assert!(loads.iter().all(|load| load.refused >= load.refused_last));
        assert!(loads.is_sorted_by(|a, b| a.bytes_per_key > b.bytes_per_key));
        // 16 bytes a slot, at 60 %.
        assert!((loads[0].bytes_per_key - 26.7).abs() < 0.1, "{loads:?}");
    }
}
