//! From text to a TOML table with places, past whatever syntax is broken.
//!
//! The `toml` crate goes on after a syntax mistake, but not past every one, and one open bracket swallows the
//! rest of the file. So a file that does not parse is taken apart at its `[[...]]` headers, each section is
//! parsed by itself, and the lines of each mistake are blanked until the rest of the section parses. Blanking
//! replaces byte by byte, so every place in what is left is its place in the file.

use std::ops::Range;

use toml::de::{DeTable, Error};
use toml_parser::Source;
use toml_parser::lexer::TokenKind;

use super::mistakes::Mistakes;

/// Most parts of one dotted key. The parser bounds nested brackets, 80 deep, but each key in them may make as many
/// tables as it has parts, and a tree of thousands cannot be dropped on a small stack.
const KEY_PARTS_MAX: usize = 8;

/// Bytes parsed again, in all, to find what else is wrong in a broken file.
const RECOVERY_BYTES_MAX: usize = 8 << 20;

/// The first syntax mistake of a text.
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) message: String,
    pub(super) remedy: String,
}

/// Parses a text of which nothing is broken.
pub(super) fn parse(text: &str) -> Result<DeTable<'_>, Fault> {
    bound_keys(text)?;
    match DeTable::parse(text) {
        Ok(table) => Ok(table.into_inner()),
        Err(error) => Err(fault(text, &error)),
    }
}

/// Tells the syntax mistakes of a text that does not parse, and returns the text without them.
pub(super) fn without_mistakes(text: &str, mistakes: &mut Mistakes) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut budget = RECOVERY_BYTES_MAX;
    for section in sections(text) {
        let start = clean.len();
        let (section, damaged) = clean_section(section, start, &mut budget, mistakes);
        clean.push_str(&section);
        if damaged {
            mistakes.damage(start..clean.len());
        }
    }
    clean
}

/// The section without its mistakes, all blank if what is left would be misread, and whether it had any.
fn clean_section(
    section: &str,
    start: usize,
    budget: &mut usize,
    mistakes: &mut Mistakes,
) -> (String, bool) {
    let mut clean = section.to_owned();
    let mut damaged = false;
    let mut readable = true;
    loop {
        let Some(left) = budget.checked_sub(clean.len()) else {
            // Nothing is said of what was not looked at, nor of what it might have held.
            damaged = true;
            readable = false;
            break;
        };
        *budget = left;
        let Err(fault) = parse(&clean) else { break };
        damaged = true;
        // What is missing at the end is missed where the text ends, not below the empty lines after it.
        mistakes.tell(
            start + fault.at.min(clean.trim_end().len()),
            fault.message,
            fault.remedy,
        );
        let mut lines = lines_of(&clean, fault.at);
        let statement = clean[lines.clone()].trim();
        if statement.is_empty() {
            readable = false;
            break;
        }
        if is_header(statement) {
            // The keys below it belong to nobody knows which table, so they are looked at apart.
            let below = lines.end..lines.end + start_of(&clean[lines.end..], is_header);
            clean_section(&clean[below.clone()], start + below.start, budget, mistakes);
            lines.end = below.end;
            // Tables below that header would become those of the section before.
            readable &= !is_section(statement);
        }
        blank(&mut clean, lines);
    }
    if !readable {
        let all = 0..clean.len();
        blank(&mut clean, all);
    }
    (clean, damaged)
}

/// The parts of a text that begin with a line that looks like the header of a `[[...]]`.
fn sections(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (section, after) = rest.split_at(start_of(rest, is_section));
        rest = after;
        (!section.is_empty()).then_some(section)
    })
}

/// Where the first line after the one at the start begins that looks like what is asked for, or the end.
fn start_of(text: &str, looks_right: impl Fn(&str) -> bool) -> usize {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if start > 0 && looks_right(line) {
            break;
        }
        start += line.len();
    }
    start
}

fn is_header(line: &str) -> bool {
    line.trim_start().starts_with('[')
}

fn is_section(line: &str) -> bool {
    line.trim_start().starts_with("[[")
}

/// The lines of the statement at `at`, as far as it is one: those from the bracket left open there, or those
/// of the string there, or else the line.
fn lines_of(text: &str, at: usize) -> Range<usize> {
    let mut open = Vec::new();
    let mut string = None;
    for token in Source::new(text).lex() {
        let (start, end) = (token.span().start(), token.span().end());
        if start >= at {
            break;
        }
        match token.kind() {
            TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket => open.push(start),
            TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => {
                open.pop();
            }
            TokenKind::MlBasicString | TokenKind::MlLiteralString if at <= end => {
                string = Some(start..end)
            }
            _ => {}
        }
    }
    let string = string.unwrap_or(at..at);
    let begin = open.first().copied().unwrap_or(at).min(string.start);
    let end = at.max(string.end);
    let start = text[..begin].rfind('\n').map_or(0, |newline| newline + 1);
    start
        ..text[end..]
            .find('\n')
            .map_or(text.len(), |newline| end + newline)
}

/// Puts spaces in place of everything but the ends of lines.
fn blank(text: &mut String, lines: Range<usize>) {
    let spaces: String = text[lines.clone()]
        .bytes()
        .map(|byte| {
            if matches!(byte, b'\r' | b'\n') {
                char::from(byte)
            } else {
                ' '
            }
        })
        .collect();
    text.replace_range(lines, &spaces);
}

/// Refuses keys of too many parts. Numbers have a dot as well, but only one.
fn bound_keys(text: &str) -> Result<(), Fault> {
    let mut dots = 0;
    for token in Source::new(text).lex() {
        match token.kind() {
            TokenKind::Dot => dots += 1,
            TokenKind::Whitespace
            | TokenKind::Atom
            | TokenKind::BasicString
            | TokenKind::LiteralString
            | TokenKind::MlBasicString
            | TokenKind::MlLiteralString => {}
            _ => dots = 0,
        }
        if dots == KEY_PARTS_MAX {
            return Err(Fault {
                at: token.span().start(),
                message: format!("a key of more than {KEY_PARTS_MAX} parts"),
                remedy: "no key of a policy has more than three".into(),
            });
        }
    }
    Ok(())
}

fn fault(text: &str, error: &Error) -> Fault {
    let (what, expected) = match error.message().split_once(", expected ") {
        Some((what, expected)) => (what, Some(expected)),
        None => (error.message(), None),
    };
    let remedy = match (what, expected) {
        ("duplicate key", _) => {
            "keep one of them; each [[limit]] begins with a header of its own".into()
        }
        ("string values must be quoted", _) => {
            "write the value as text in quotes, or as a number".into()
        }
        (_, Some("nothing")) => "remove it".into(),
        (_, Some(expected)) => format!("expected {expected}"),
        (_, None) => "see the grammar at toml.io".into(),
    };
    // The parser's places are bytes, which may stand within a character.
    let at = text.floor_char_boundary(error.span().map_or(0, |span| span.start));
    Fault {
        at,
        message: format!("broken TOML: {what}"),
        remedy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A thread of the test harness has 2 MiB of stack, as have those of most servers.
    #[test]
    fn keys_within_brackets_within_keys_overflow_no_stack() {
        let key = ["k"; KEY_PARTS_MAX].join(".");
        let deep = format!(
            "[{key}]\n{}{key} = 1{}",
            format!("{key} = {{").repeat(78),
            "}".repeat(78)
        );
        assert!(parse(&deep).is_ok());

        let key = ["k"; 79].join(".");
        let deeper = format!(
            "[{key}]\n{}{key} = 1{}",
            format!("{key} = {{").repeat(78),
            "}".repeat(78)
        );
        assert_eq!(
            parse(&deeper).err().map(|fault| fault.message),
            Some("a key of more than 8 parts".into())
        );
    }

    #[test]
    fn dots_within_strings_and_arrays_are_no_keys() {
        assert!(parse("a.b = \"a.b.c.d.e.f.g.h.i.j\"\n").is_ok());
        assert!(parse("a = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]\n").is_ok());
        assert!(parse("a . b . c . d . e . f . g . h = 1\n").is_ok());
        assert!(parse("a . b . c . d . e . f . g . h . i = 1\n").is_err());
    }

    #[test]
    fn sections_are_the_whole_text() {
        let text = "max = 1\n[[a]]\nx = 1\n  [[b]]\r\n[b.c]\n[[";
        let parts: Vec<_> = sections(text).collect();
        assert_eq!(
            parts,
            ["max = 1\n", "[[a]]\nx = 1\n", "  [[b]]\r\n[b.c]\n", "[["]
        );
        assert_eq!(sections("").count(), 0);
    }

    fn cleaned(text: &str) -> (String, usize) {
        let mut mistakes = Mistakes::new();
        let clean = without_mistakes(text, &mut mistakes);
        (clean, mistakes.into_errors(text).mistakes().len())
    }

    #[test]
    fn blanking_keeps_every_place() {
        let (clean, count) = cleaned("a = 1\r\nb = é\r\nc = 3\r\n");
        assert_eq!((clean.as_str(), count), ("a = 1\r\n      \r\nc = 3\r\n", 1));
    }

    #[test]
    fn an_open_bracket_is_one_mistake() {
        let (clean, count) =
            cleaned("[[limit]]\nby = [\"a\"\nmax = 3\nmode = 1\n[[limit]]\nmax = 4\n");
        let expected = format!(
            "[[limit]]\n{:9}\n{:7}\nmode = 1\n[[limit]]\nmax = 4\n",
            "", ""
        );
        assert_eq!((clean.as_str(), count), (expected.as_str(), 1));
    }

    #[test]
    fn an_open_string_is_one_mistake() {
        let (clean, count) = cleaned("[[limit]]\nmax = 1\nname = \"\"\"\nmode = \"on\"");
        let expected = format!("[[limit]]\nmax = 1\n{:10}\n{:11}", "", "");
        assert_eq!((clean, count), (expected, 1));
        let (clean, count) = cleaned("a = \"\"\"\n\\z\n\"\"\"\nb = 1\n");
        let expected = format!("{:7}\n{:2}\n{:3}\nb = 1\n", "", "", "");
        assert_eq!((clean, count), (expected, 1));
    }

    #[test]
    fn a_broken_header_takes_its_section_along() {
        let (clean, count) = cleaned("[[limit]\nmax = 3\nmode\n[[limit]]\nmax = 4\n");
        let expected = format!("{:8}\n{:7}\n{:4}\n[[limit]]\nmax = 4\n", "", "", "");
        assert_eq!((clean.as_str(), count), (expected.as_str(), 2));
    }
}
