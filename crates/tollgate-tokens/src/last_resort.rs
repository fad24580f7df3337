//! Words times 1.3, for when nothing better is left.

/// Bytes after which a word counts again, so that text without blanks is not one word.
const WORD_BYTES: usize = 16;

/// Words times 1.3, rounded up; a word counts once for every sixteen bytes begun.
///
/// A poor rule: it fails for code, for languages without blanks and for long words. It is used in one place only, when
/// the vocabulary of an encoding cannot be loaded, and the estimate then says [`Basis::Words`](crate::Basis::Words).
pub(crate) fn count(text: &str) -> u64 {
    let words: u64 = text
        .split_whitespace()
        .map(|word| word.len().div_ceil(WORD_BYTES) as u64)
        .sum();
    words.saturating_mul(13).div_ceil(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_count_one_and_three_tenths_each() {
        assert_eq!(count(""), 0);
        assert_eq!(count(" \n\t "), 0);
        assert_eq!(count("one"), 2);
        assert_eq!(
            count("one two three four five six seven eight nine ten"),
            13
        );
    }

    #[test]
    fn text_without_blanks_is_not_one_word() {
        assert_eq!(count(&"a".repeat(1 << 20)), (1 << 16) * 13 / 10 + 1);
    }
}
