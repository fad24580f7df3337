//! No text whatever makes the reader fail: it is read, or told what is wrong and where.

use super::{EVERYTHING, EXAMPLE};
use proptest::prelude::*;
use tollgate_policy::{Gate, PolicyFile};

/// Errors that can be shown: some, in order, at places of the text.
fn check_errors(text: &str) -> Result<(), TestCaseError> {
    let Err(errors) = PolicyFile::parse(text) else {
        return Ok(());
    };
    let mistakes = errors.mistakes();
    prop_assert!(!mistakes.is_empty() && mistakes.len() <= 100);
    prop_assert_eq!(
        errors.to_string().lines().count(),
        mistakes.len() + usize::from(errors.untold() > 0)
    );
    prop_assert!(mistakes.is_sorted_by_key(|error| (error.line, error.column)));
    let lines: Vec<_> = text.split('\n').map(|line| line.chars().count()).collect();
    for error in mistakes {
        prop_assert!((1..=lines.len()).contains(&error.line), "{}", error);
        prop_assert!(
            (1..=lines[error.line - 1] + 1).contains(&error.column),
            "{}",
            error
        );
        prop_assert!(!error.message.is_empty() && !error.remedy.is_empty());
    }
    Ok(())
}

/// Pieces of which policies are made, and a few that break them.
const PIECES: [&str; 40] = [
    "[[limit]]\n",
    "[[override]]\n",
    "[[priority]]\n",
    "[limit]\n",
    "[limit.when]\n",
    "name",
    "by",
    "unit",
    "max",
    "per",
    "where",
    "when",
    "algorithm",
    "limit",
    "share",
    " = ",
    "=",
    "\"usd\"",
    "\"requests\"",
    "\"1m\"",
    "\"month\"",
    "\"calendar\"",
    "'agent-rpm'",
    "0.5",
    "1_0",
    "-1",
    "1e9",
    "[",
    "]",
    "{",
    "}",
    ",",
    ".",
    "\"",
    "'''",
    "\n",
    "\r\n",
    "\\",
    "#",
    "é",
];

#[derive(Clone, Debug)]
enum Edit {
    Cut(prop::sample::Index, prop::sample::Index),
    Copy(
        prop::sample::Index,
        prop::sample::Index,
        prop::sample::Index,
    ),
    Insert(prop::sample::Index, &'static str),
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        (at(), at()).prop_map(|(from, to)| Edit::Cut(from, to)),
        (at(), at(), at()).prop_map(|(from, to, into)| Edit::Copy(from, to, into)),
        (at(), prop::sample::select(&PIECES[..]))
            .prop_map(|(into, piece)| Edit::Insert(into, piece)),
    ]
}

/// Edits a few characters here and there, wherever those stand.
fn edited(text: &str, edits: &[Edit]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for edit in edits {
        let place = |at: &prop::sample::Index| at.index(chars.len() + 1);
        let span = |from, to: &prop::sample::Index| {
            let from = place(from);
            from..chars.len().min(from + to.index(40))
        };
        match edit {
            Edit::Cut(from, to) => {
                let span = span(from, to);
                chars.drain(span);
            }
            Edit::Copy(from, to, into) => {
                let (span, into) = (span(from, to), place(into));
                let copied = chars[span].to_vec();
                chars.splice(into..into, copied);
            }
            Edit::Insert(into, piece) => {
                let into = place(into);
                chars.splice(into..into, piece.chars());
            }
        }
    }
    chars.into_iter().collect()
}

/// What a text reads as does not depend on how its lines end, and what is valid is fit for a gate.
fn check_valid(text: &str) -> Result<(), TestCaseError> {
    let Ok(file) = PolicyFile::parse(text) else {
        return Ok(());
    };
    prop_assert_eq!(
        PolicyFile::parse(&format!("\u{feff}{}", text)),
        Ok(file.clone())
    );
    // Within a text of several lines, their ends are part of it.
    if !text.contains("\"\"\"") && !text.contains("'''") {
        let dos = text.replace("\r\n", "\n").replace('\n', "\r\n");
        prop_assert_eq!(PolicyFile::parse(&dos), Ok(file));
    }
    let gate = Gate::builder().without_ledger().build(text);
    prop_assert!(gate.is_ok(), "{}\n{:?}", text, gate);
    Ok(())
}

/// Quoted texts, words, spaces, ends of lines, and all else by the character.
fn tokens(text: &str) -> Vec<&str> {
    let mut rest = text;
    let mut tokens = Vec::new();
    while let Some(first) = rest.chars().next() {
        let is_word = |letter: char| letter.is_alphanumeric() || "_-.".contains(letter);
        let end = match first {
            '"' | '\'' => rest[1..]
                .find([first, '\n'])
                .map_or(rest.len(), |at| at + 2),
            ' ' => rest.find(|letter| letter != ' ').unwrap_or(rest.len()),
            _ if is_word(first) => rest.find(|letter| !is_word(letter)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (token, after) = rest.split_at(end);
        tokens.push(token);
        rest = after;
    }
    tokens
}

#[derive(Clone, Debug)]
enum TokenEdit {
    Delete(prop::sample::Index),
    Double(prop::sample::Index, prop::sample::Index),
    Swap(prop::sample::Index, prop::sample::Index),
}

fn token_edit() -> impl Strategy<Value = TokenEdit> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        at().prop_map(TokenEdit::Delete),
        (at(), at()).prop_map(|(from, into)| TokenEdit::Double(from, into)),
        (at(), at()).prop_map(|(one, other)| TokenEdit::Swap(one, other)),
    ]
}

fn shuffled(text: &str, edits: &[TokenEdit]) -> String {
    let mut tokens = tokens(text);
    for edit in edits {
        let len = tokens.len();
        let place = |at: &prop::sample::Index| at.index(len);
        match edit {
            TokenEdit::Delete(at) => drop(tokens.remove(place(at))),
            TokenEdit::Double(from, into) => tokens.insert(place(into), tokens[place(from)]),
            TokenEdit::Swap(one, other) => tokens.swap(place(one), place(other)),
        }
    }
    tokens.concat()
}

/// The same policy with other space about its tokens, a comment at the end of each line, and the keys of each table
/// in another order.
fn written_otherwise(text: &str, spaces: &[&str], comment: &str, turn: usize) -> String {
    let mut spaces = spaces.iter().cycle();
    let mut tables: Vec<Vec<String>> = vec![vec![]];
    for line in text.lines().filter(|line| !line.is_empty()) {
        if line.starts_with('[') {
            tables.push(vec![]);
        }
        // What is a comment already may hold anything.
        let (said, _) = line.split_once("  ").unwrap_or((line, ""));
        let mut spaced = String::new();
        for token in tokens(said) {
            let bracket = line.starts_with('[') && "[]".contains(token);
            let space = if bracket { "" } else { spaces.next().unwrap() };
            spaced += token;
            // Words side by side would be one.
            spaced += space;
        }
        tables
            .last_mut()
            .unwrap()
            .push(format!("{spaced}#{comment}"));
    }
    for table in &mut tables {
        // A header stays the first line, and so does what stands above the first header.
        if let Some(keys) = table.get_mut(1..).filter(|keys| !keys.is_empty()) {
            let by = turn % keys.len();
            keys.rotate_left(by);
        }
    }
    tables.concat().join("\n")
}

proptest! {
    #[test]
    fn any_text_is_read_or_told_what_is_wrong(text in any::<String>()) {
        check_errors(&text)?;
    }

    #[test]
    fn any_bytes_are_read_or_told_what_is_wrong(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        check_errors(&String::from_utf8_lossy(&bytes))?;
        match PolicyFile::text(&bytes) {
            Ok(text) => prop_assert_eq!(text.as_bytes(), &bytes[..]),
            Err(errors) => {
                let mistake = &errors.mistakes()[0];
                let lines: Vec<_> = bytes.split(|byte| *byte == b'\n').collect();
                prop_assert!((1..=lines.len()).contains(&mistake.line));
                let before = lines[mistake.line - 1].utf8_chunks().next().map_or("", |chunk| chunk.valid());
                prop_assert_eq!(mistake.column, before.trim_start_matches('\u{feff}').chars().count() + 1);
            }
        }
    }

    #[test]
    fn any_pieces_are_read_or_told_what_is_wrong(
        pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..60),
    ) {
        check_errors(&pieces.concat())?;
    }

    #[test]
    fn a_policy_with_slips_is_read_or_told_what_is_wrong(
        text in prop::sample::select(vec![EXAMPLE, EVERYTHING]),
        edits in prop::collection::vec(edit(), 1..8),
    ) {
        check_errors(&edited(text, &edits))?;
    }

    #[test]
    fn a_policy_of_shuffled_tokens_is_read_or_told_what_is_wrong(
        text in prop::sample::select(vec![EXAMPLE, EVERYTHING]),
        edits in prop::collection::vec(token_edit(), 1..6),
    ) {
        let text = shuffled(text, &edits);
        check_errors(&text)?;
        check_valid(&text)?;
    }

    /// The order of keys and of words that stand for the same, and the space between, mean nothing.
    #[test]
    fn a_valid_policy_written_otherwise_is_the_same(
        text in prop::sample::select(vec![EXAMPLE, EVERYTHING]),
        spaces in prop::collection::vec(prop::sample::select(&["", " ", "\t", "  \t "][..]), 1..20),
        comment in "[ -~é]{0,10}",
        turn in 0_usize..20,
    ) {
        let otherwise = written_otherwise(text, &spaces, &comment, turn);
        let read = |text: &str| {
            let mut file = PolicyFile::parse(text).map_err(|errors| format!("{text}\n{errors}"))?;
            // Patterns are kept in the order of the file.
            file.limits.iter_mut().for_each(|limit| limit.when.sort_by(|one, other| one.0.cmp(&other.0)));
            Ok::<_, String>(file)
        };
        prop_assert_eq!(read(&otherwise), read(text));
        check_valid(&otherwise)?;
    }

    /// Whatever else is wrong in the file, what is wrong in a line that ends is told.
    #[test]
    fn slips_hide_no_mistake_before_them(edits in prop::collection::vec(edit(), 0..6)) {
        let slipped = edited(EVERYTHING, &edits);
        let text = format!("[[limit]]\nname = \"z\"\nunit = \"euro\"\nmax = 1\nper = \"1s\"\n{slipped}");
        let errors = PolicyFile::parse(&text).unwrap_err();
        let told = errors.mistakes().iter().any(|error| (error.line, error.column) == (3, 8));
        // Headers that are right by themselves and wrong together end the search.
        let contradiction = errors.mistakes().iter().any(|error| error.message.contains("duplicate key"));
        prop_assert!(told || contradiction, "{}\n{}", text, errors);
    }
}
