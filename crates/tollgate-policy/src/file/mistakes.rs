//! Collects the mistakes of one file, so that all of them are told at once.
//!
//! A reader that meets a mistake tells it here and gets a [`Reported`] for its `Err`. Nobody else can make one,
//! so a value that could not be read proves that its mistake was told, and no rule is ever dropped in silence.

use std::ops::Range;

use super::error::{PolicyError, PolicyErrors, TOLD_MAX};

/// Mistakes held before the last ones are thrown away, which bounds memory and keeps pruning rare.
const HELD_MAX: usize = 10 * TOLD_MAX;

/// Searches for a similar name that one file may cost; each looks through at most `CANDIDATES_MAX` names.
const SUGGESTIONS_MAX: usize = TOLD_MAX;
const CANDIDATES_MAX: usize = 1_000;

/// Longest name, in bytes, that is compared with others: the comparison is quadratic.
const SUGGESTED_BYTES_MAX: usize = 40;

/// Proof that a mistake was told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reported(());

/// What was read, or the proof that it was told why not.
pub(super) type Read<T> = Result<T, Reported>;

struct Mistake {
    at: usize,
    message: String,
    remedy: String,
}

/// The mistakes found so far.
pub(super) struct Mistakes {
    held: Vec<Mistake>,
    thrown: usize,
    /// Sections whose syntax is broken, in order and apart.
    damaged: Vec<Range<usize>>,
    suggestions: usize,
}

impl Mistakes {
    pub(super) fn new() -> Self {
        Self {
            held: Vec::new(),
            thrown: 0,
            damaged: Vec::new(),
            suggestions: 0,
        }
    }

    /// Tells a mistake at byte `at` of the file.
    pub(super) fn tell(
        &mut self,
        at: usize,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Reported {
        if self.held.len() == HELD_MAX {
            self.prune();
        }
        self.held.push(Mistake {
            at,
            message: message.into(),
            remedy: remedy.into(),
        });
        Reported(())
    }

    /// Marks a section in which broken syntax was told, and whose tables therefore lack keys.
    pub(super) fn damage(&mut self, section: Range<usize>) {
        debug_assert!(!self.held.is_empty(), "damage is told first");
        self.damaged.push(section);
    }

    /// Whether the table whose header stands at `at` may lack keys that the file has: then nothing can be
    /// said about what is missing, or about how its keys go together.
    pub(super) fn damaged(&self, at: usize) -> Read<()> {
        let next = self.damaged.partition_point(|section| section.start <= at);
        match next.checked_sub(1).map(|index| &self.damaged[index]) {
            Some(section) if section.contains(&at) => Err(Reported(())),
            _ => Ok(()),
        }
    }

    /// Whether some table of the file could not be read at all, so that nothing can be said about what
    /// the file as a whole lacks.
    pub(super) fn any_damaged(&self) -> Read<()> {
        if self.damaged.is_empty() {
            Ok(())
        } else {
            Err(Reported(()))
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// The name most like `wanted`, if one is near enough to be a slip of the finger.
    pub(super) fn nearest<'n>(
        &mut self,
        wanted: &str,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Option<&'n str> {
        if wanted.len() > SUGGESTED_BYTES_MAX || self.suggestions == SUGGESTIONS_MAX {
            return None;
        }
        self.suggestions += 1;
        let near = (wanted.chars().count() / 3).max(1);
        names
            .into_iter()
            .take(CANDIDATES_MAX)
            .filter(|name| name.len() <= SUGGESTED_BYTES_MAX)
            .map(|name| (strsim::osa_distance(wanted, name), name))
            .filter(|(distance, _)| *distance <= near)
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, name)| name)
    }

    /// The errors of `text`, of which at least one was told.
    pub(super) fn into_errors(mut self, text: &str) -> PolicyErrors {
        self.prune();
        let mut place = Place::start(text);
        let told = self.held.into_iter().map(|mistake| {
            place.advance(mistake.at);
            PolicyError {
                line: place.line,
                column: place.column,
                message: mistake.message,
                remedy: mistake.remedy,
            }
        });
        PolicyErrors::new(told.collect(), self.thrown)
    }

    /// Keeps the mistakes that stand first in the file.
    fn prune(&mut self) {
        self.held.sort_by_key(|mistake| mistake.at);
        self.thrown += self.held.len().saturating_sub(TOLD_MAX);
        self.held.truncate(TOLD_MAX);
    }
}

/// A place in a text that only moves forward, so that all places together cost one pass.
struct Place<'t> {
    rest: &'t str,
    at: usize,
    line: usize,
    column: usize,
}

impl<'t> Place<'t> {
    fn start(text: &'t str) -> Self {
        // Editors show no byte order mark, so it takes no column.
        let rest = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self {
            rest,
            at: text.len() - rest.len(),
            line: 1,
            column: 1,
        }
    }

    fn advance(&mut self, to: usize) {
        let mut chars = self.rest.chars();
        while self.at < to {
            let Some(char) = chars.next() else { break };
            self.at += char.len_utf8();
            if char == '\n' {
                self.line += 1;
                self.column = 1;
            } else {
                self.column += 1;
            }
        }
        self.rest = chars.as_str();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(text: &str, at: &[usize]) -> Vec<(usize, usize)> {
        let mut place = Place::start(text);
        at.iter()
            .map(|at| {
                place.advance(*at);
                (place.line, place.column)
            })
            .collect()
    }

    #[test]
    fn columns_count_characters() {
        let text = "é=1\r\n\t\"日本\" = x\n";
        let x = text.find('x').unwrap();
        assert_eq!(
            places(text, &[0, 2, 6, x, text.len(), 999]),
            [(1, 1), (1, 2), (2, 1), (2, 9), (3, 1), (3, 1)]
        );
    }

    #[test]
    fn a_byte_order_mark_takes_no_column() {
        assert_eq!(places("\u{feff}ab", &[0, 3, 4]), [(1, 1), (1, 1), (1, 2)]);
    }

    #[test]
    fn the_first_hundred_by_place_survive_whatever_the_order_of_telling() {
        let text = "x".repeat(5_000);
        let mut mistakes = Mistakes::new();
        for at in (0..5_000).rev() {
            mistakes.tell(at, "m", "r");
        }
        let errors = mistakes.into_errors(&text);
        assert_eq!(errors.untold(), 4_900);
        let columns: Vec<_> = errors.mistakes().iter().map(|error| error.column).collect();
        assert_eq!(columns, (1..=100).collect::<Vec<_>>());
    }

    #[test]
    fn the_nearest_name_is_a_slip_away() {
        let mut mistakes = Mistakes::new();
        let names = ["requests", "tokens", "usd"];
        assert_eq!(mistakes.nearest("request", names), Some("requests"));
        assert_eq!(mistakes.nearest("tokesn", names), Some("tokens"));
        assert_eq!(mistakes.nearest("dollars", names), None);
        assert_eq!(mistakes.nearest(&"requests".repeat(1_000), names), None);
    }

    #[test]
    fn damage_covers_its_section_only() {
        let mut mistakes = Mistakes::new();
        assert!(mistakes.any_damaged().is_ok());
        mistakes.tell(12, "m", "r");
        mistakes.damage(10..20);
        mistakes.damage(30..40);
        let damaged = [0, 9, 10, 19, 20, 30, 39, 40].map(|at| mistakes.damaged(at).is_err());
        assert_eq!(
            damaged,
            [false, false, true, true, false, true, true, false]
        );
    }
}
