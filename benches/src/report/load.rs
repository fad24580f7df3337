//! New keys that find no slot in our table, by its load.

use super::figures::LoadFigures;
use crate::ours::Filling;

/// The loads that are measured, in per cent.
pub const LOADS: [u32; 5] = [60, 70, 80, 90, 95];

/// Fills so many tables of so many slots, one after another, and tells of each load how many new keys found no slot until
/// then, and on its last per cent.
#[must_use]
pub fn loads(slots: usize, tables: usize) -> Vec<LoadFigures> {
    let filled = (0..tables).map_while(|_| filled(slots));
    filled
        .reduce(|sums, more| sums.into_iter().zip(more).map(sum).collect())
        .unwrap_or_default()
}

fn sum((sum, more): (LoadFigures, LoadFigures)) -> LoadFigures {
    LoadFigures {
        came: sum.came + more.came,
        refused: sum.refused + more.refused,
        came_last: sum.came_last + more.came_last,
        refused_last: sum.refused_last + more.refused_last,
        ..sum
    }
}

fn filled(slots: usize) -> Option<Vec<LoadFigures>> {
    let mut table = Filling::new(slots).ok()?;
    let (mut came, mut refused) = (0, 0);
    let at = |table: &Filling, percent: u32| table.slots() * percent as usize / 100;
    let loads = LOADS.into_iter().map(|load_percent| {
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
    });
    Some(loads.collect())
}

#[cfg(test)]
mod tests {
    use super::loads;

    #[test]
    fn a_fuller_table_holds_more_keys_in_the_same_memory() {
        let loads = loads(20_000, 3);
        // Each key that is live came, in each table.
        assert!(
            loads[0].came >= 3 * 12_000 && loads[0].came_last >= 3 * 200,
            "{loads:?}"
        );
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
