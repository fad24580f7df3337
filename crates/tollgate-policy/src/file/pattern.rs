//! Patterns of `when`: text with stars.

use std::fmt;
use std::str::FromStr;

/// A pattern for the whole of a value: `*` is any run of characters, also an empty one.
///
/// Everything else stands for itself, and case counts. A backslash makes the star or the backslash after it
/// literal, and may stand nowhere else. A match costs time linear in the value for a fixed pattern, at most
/// the product of both lengths, and no allocation.
///
/// ```
/// use tollgate_policy::Pattern;
///
/// let pattern: Pattern = "gpt-4o*".parse().unwrap();
/// assert!(pattern.matches("gpt-4o"));
/// assert!(pattern.matches("gpt-4o-mini"));
/// assert!(!pattern.matches("GPT-4o"));
/// assert!(r"5\*".parse::<Pattern>().unwrap().matches("5*"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern {
    /// What the value begins with, or all of it where there is no star.
    head: String,
    /// What stands between the stars, in order, none of it empty.
    middle: Vec<String>,
    /// What the value ends with, if there is a star.
    tail: Option<String>,
}

impl Pattern {
    /// Whether the whole of `value` matches.
    pub fn matches(&self, value: &str) -> bool {
        let Some(tail) = &self.tail else {
            return value == self.head;
        };
        let Some(rest) = value.strip_prefix(self.head.as_str()) else {
            return false;
        };
        let Some(mut rest) = rest.strip_suffix(tail.as_str()) else {
            return false;
        };
        // The leftmost place for each part leaves the most room for the others, so no place is tried twice.
        self.middle
            .iter()
            .all(|part| match rest.find(part.as_str()) {
                Some(at) => {
                    rest = &rest[at + part.len()..];
                    true
                }
                None => false,
            })
    }
}

/// A pattern with a backslash that stands before neither a star nor a backslash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StrayBackslash {
    /// Where the backslash stands, in bytes from the pattern's start.
    pub at: usize,
}

impl fmt::Display for StrayBackslash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the backslash at byte {} stands before neither a star nor a backslash",
            self.at
        )
    }
}

impl std::error::Error for StrayBackslash {}

impl FromStr for Pattern {
    type Err = StrayBackslash;

    fn from_str(text: &str) -> Result<Self, StrayBackslash> {
        let mut parts = vec![String::new()];
        let mut chars = text.char_indices();
        while let Some((at, char)) = chars.next() {
            let literal = match char {
                '*' => {
                    parts.push(String::new());
                    continue;
                }
                '\\' => match chars.next() {
                    Some((_, escaped @ ('*' | '\\'))) => escaped,
                    _ => return Err(StrayBackslash { at }),
                },
                other => other,
            };
            if let Some(part) = parts.last_mut() {
                part.push(literal);
            }
        }
        let mut parts = parts.into_iter();
        let head = parts.next().unwrap_or_default();
        let tail = parts.next_back();
        let middle = parts.filter(|part| !part.is_empty()).collect();
        Ok(Self { head, middle, tail })
    }
}

impl fmt::Display for Pattern {
    /// Writes a pattern that matches the same values; stars beside each other become one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let escaped = |part: &str| part.replace('\\', r"\\").replace('*', r"\*");
        f.write_str(&escaped(&self.head))?;
        if let Some(tail) = &self.tail {
            for part in self.middle.iter().chain([tail]) {
                write!(f, "*{}", escaped(part))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> Pattern {
        text.parse().unwrap()
    }

    #[test]
    fn stars_stand_for_any_run() {
        for (text, value, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "anything/at:all", true),
            ("**", "", true),
            ("a*", "a", true),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("*b*", "abc", true),
            ("*ab*ab*", "abab", true),
            ("*ab*ab*", "aab", false),
            ("a*b*c", "abbc", true),
            ("a*c", "abcd", false),
            ("gpt-4o*", "Gpt-4o", false),
            ("*日*", "今日は", true),
            (r"\*", "*", true),
            (r"\*", "a", false),
            (r"\\*", r"\abc", true),
            (r"\\\*", r"\*", true),
            (r"a\*b*", "a*bc", true),
            (r"a\*b*", "axbc", false),
        ] {
            assert_eq!(
                pattern(text).matches(value),
                expected,
                "{text} against {value}"
            );
        }
    }

    #[test]
    fn a_stray_backslash_is_named() {
        assert_eq!(r"a\".parse::<Pattern>(), Err(StrayBackslash { at: 1 }));
        assert_eq!(r"é\d".parse::<Pattern>(), Err(StrayBackslash { at: 2 }));
    }

    /// The pattern that makes backtracking matchers take time exponential in its stars.
    #[test]
    fn many_stars_cost_little() {
        let pattern = pattern(&"*a".repeat(1_000));
        assert!(!pattern.matches(&format!("{}b", "a".repeat(50_000))));
        assert!(pattern.matches(&"a".repeat(50_000)));
    }

    /// The definition, with no thought for speed: what is left of the pattern against what is left of the value.
    fn matches_by_definition(pattern: &[char], value: &[char]) -> bool {
        match pattern {
            [] => value.is_empty(),
            ['*', rest @ ..] => {
                (0..=value.len()).any(|skip| matches_by_definition(rest, &value[skip..]))
            }
            ['\\', literal, rest @ ..] | [literal, rest @ ..] => {
                value.first() == Some(literal) && matches_by_definition(rest, &value[1..])
            }
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(
            text in r"([ab日*]|\\\*|\\\\){0,8}",
            value in r"[ab日*\\]{0,10}",
        ) {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            let expected = matches_by_definition(&chars(&text), &chars(&value));
            prop_assert_eq!(pattern(&text).matches(&value), expected);
            prop_assert_eq!(pattern(&pattern(&text).to_string()), pattern(&text));
        }
    }
}
