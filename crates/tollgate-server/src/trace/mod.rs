//! Reading a trace: the recorded requests that a replay feeds through a policy.
//!
//! Two formats, told apart by the first character: CSV with a header, or JSON lines (`{`).
//!
//! | Name | Meaning |
//! | --- | --- |
//! | `TIMESTAMP` | `YYYY-MM-DD HH:MM:SS`, with `T` or a space between, up to 9 decimals, and `Z`, `+hh:mm` or nothing (UTC) after it; years 1678 to 2261 |
//! | `ContextTokens` | input tokens |
//! | `GeneratedTokens` | output tokens |
//! | `CostMicroUsd` | optional: what it cost, in millionths of a dollar |
//! | `class` | optional: the priority class; empty is none |
//! | anything else | a scope value: `agent`, `provider`, `model`, ... |
//!
//! The names above are matched in any case, scope names as they stand. An empty CSV field is no scope
//! value at all, since CSV has no other way to say so; in JSON that is `null` or a missing member.
//!
//! Rows are numbered from 1, without the header and with the broken rows; empty lines are no rows.
//! Memory is bounded by the longest row, and a row by [`MAX_ROW_BYTES`].

mod csv;
mod json;
mod row;
mod timestamp;

use std::io::{self, BufRead, Chain, Cursor, Read};

pub use row::{MAX_AMOUNT, Row, Scopes};

use self::csv::CsvRows;
use self::json::JsonRows;

/// The longest row read, in bytes.
pub const MAX_ROW_BYTES: usize = 1 << 20;

pub(crate) const TIMESTAMP: &str = "TIMESTAMP";
pub(crate) const INPUT_TOKENS: &str = "ContextTokens";
pub(crate) const OUTPUT_TOKENS: &str = "GeneratedTokens";
pub(crate) const MICRO_USD: &str = "CostMicroUsd";
pub(crate) const CLASS: &str = "class";

/// Why a trace could not be read on.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// One row is broken; the next one can be read.
    #[error("{0}")]
    Row(BadRow),
    /// The header, or the lack of one.
    #[error("line {line}: {problem}")]
    Header {
        /// Where it stands, from 1.
        line: u64,
        /// What is wrong; what would be right.
        problem: String,
    },
    /// A row with a quote in it and without an end in sight: where the next one starts is not known.
    #[error(
        "row {row}, line {line}: is longer than {MAX_ROW_BYTES} bytes; is a quote left open there?"
    )]
    Endless {
        /// From 1, without the header.
        row: u64,
        /// Where it starts, from 1.
        line: u64,
    },
    /// The last row of the file ends within quotes, which may have taken in any number of rows.
    #[error(
        "row {row}, line {line}: a quote opens there and never closes; a closing one would be right"
    )]
    OpenQuote {
        /// From 1, without the header.
        row: u64,
        /// Where it starts, from 1.
        line: u64,
    },
    /// The input could not be read.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// A row that says something else than a request.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("row {row}, line {line}: {problem}")]
pub struct BadRow {
    /// From 1, without the header.
    pub row: u64,
    /// Where the row starts in the file, from 1.
    pub line: u64,
    /// What is wrong; what would be right.
    pub problem: String,
}

/// What a column or a member of a JSON object is for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Role {
    Timestamp,
    InputTokens,
    OutputTokens,
    MicroUsd,
    Class,
    Scope,
}

impl Role {
    fn of(name: &str) -> Self {
        let known = [
            (TIMESTAMP, Self::Timestamp),
            (INPUT_TOKENS, Self::InputTokens),
            (OUTPUT_TOKENS, Self::OutputTokens),
            (MICRO_USD, Self::MicroUsd),
            (CLASS, Self::Class),
        ];
        known
            .into_iter()
            .find(|(word, _)| name.eq_ignore_ascii_case(word))
            .map_or(Self::Scope, |(_, role)| role)
    }
}

/// What a row or a header lacks, if it does.
fn lacking(has: impl Fn(&Role) -> bool) -> Option<String> {
    let needed = [
        (TIMESTAMP, Role::Timestamp),
        (INPUT_TOKENS, Role::InputTokens),
        (OUTPUT_TOKENS, Role::OutputTokens),
    ];
    let (name, _) = needed.iter().find(|(_, role)| !has(role))?;
    Some(format!(
        "has no {name}; {TIMESTAMP}, {INPUT_TOKENS} and {OUTPUT_TOKENS} are needed"
    ))
}

type Start<R> = Chain<Cursor<Vec<u8>>, R>;

/// The rows of a trace, in file order.
#[derive(Debug)]
pub struct Trace<R> {
    rows: Rows<R>,
}

#[derive(Debug)]
enum Rows<R> {
    Csv(Box<CsvRows<Start<R>>>),
    Json(Box<JsonRows<Start<R>>>),
}

impl<R: BufRead> Trace<R> {
    /// Looks at the start of `input` and, for CSV, reads the header.
    ///
    /// # Errors
    /// [`TraceError::Header`] when there is none, or a column is missing or named twice.
    pub fn new(mut input: R) -> Result<Self, TraceError> {
        let mut start = Vec::with_capacity(3);
        input.by_ref().take(3).read_to_end(&mut start)?;
        if start == b"\xEF\xBB\xBF" {
            start.clear();
        }
        let mut input = Cursor::new(start).chain(input);
        let (lines, first) = skip_blank(&mut input)?;
        let rows = match first {
            None => {
                return Err(TraceError::Header {
                    line: 1,
                    problem: format!(
                        "the trace is empty; a header with {TIMESTAMP}, {INPUT_TOKENS} and \
                         {OUTPUT_TOKENS}, or JSON lines with these members, would be right"
                    ),
                });
            }
            Some(b'{') => Rows::Json(Box::new(JsonRows::new(input, lines))),
            Some(_) => Rows::Csv(Box::new(CsvRows::new(input, lines)?)),
        };
        Ok(Self { rows })
    }

    /// Reads the next row into `row`; `false` at the end.
    ///
    /// After [`TraceError::Row`] the next call reads the row after it.
    ///
    /// # Errors
    /// [`TraceError`]; any but a row's ends the trace.
    pub fn read(&mut self, row: &mut Row) -> Result<bool, TraceError> {
        match &mut self.rows {
            Rows::Csv(rows) => rows.read(row),
            Rows::Json(rows) => rows.read(row),
        }
    }

    /// Bytes read so far, for progress.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        match &self.rows {
            Rows::Csv(rows) => rows.bytes(),
            Rows::Json(rows) => rows.bytes(),
        }
    }
}

/// Leaves the first byte that is not blank as the next one; tells the lines passed.
fn skip_blank(input: &mut impl BufRead) -> io::Result<(u64, Option<u8>)> {
    let mut lines = 0;
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            return Ok((lines, None));
        }
        let blank = buffer
            .iter()
            .take_while(|b| b.is_ascii_whitespace())
            .count();
        lines += buffer[..blank]
            .iter()
            .map(|&b| u64::from(b == b'\n'))
            .sum::<u64>();
        let first = buffer.get(blank).copied();
        input.consume(blank);
        if first.is_some() {
            return Ok((lines, first));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All rows and all errors, until one that cannot be passed.
    fn read_all(text: &[u8]) -> (Vec<Row>, Vec<String>) {
        let (mut rows, mut errors) = (Vec::new(), Vec::new());
        let mut trace = match Trace::new(text) {
            Ok(trace) => trace,
            Err(error) => return (rows, vec![error.to_string()]),
        };
        let mut row = Row::default();
        loop {
            match trace.read(&mut row) {
                Ok(true) => rows.push(row.clone()),
                Ok(false) => return (rows, errors),
                Err(TraceError::Row(bad)) => errors.push(bad.to_string()),
                Err(other) => {
                    errors.push(other.to_string());
                    return (rows, errors);
                }
            }
        }
    }

    const LF: &str = "TIMESTAMP,ContextTokens,GeneratedTokens\n\
                      2023-11-16 18:15:46.6805900,374,44\n\
                      2023-11-16 18:15:50.9951690,396,109\n";

    #[test]
    fn line_ends_and_byte_order_mark_change_nothing() {
        let (expected, errors) = read_all(LF.as_bytes());
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(expected.len(), 2);
        assert_eq!(expected[0].number, 1);
        assert_eq!(expected[1].number, 2);
        assert_eq!((expected[0].line, expected[1].line), (2, 3));
        assert_eq!(expected[0].timestamp, "2023-11-16 18:15:46.6805900");
        assert_eq!(expected[0].wall_ns, 1_700_158_546_680_590_000);
        assert_eq!(
            (expected[1].input_tokens, expected[1].output_tokens),
            (396, 109)
        );
        let crlf = LF.replace('\n', "\r\n");
        for text in [
            LF.trim_end().to_owned(),
            crlf.clone(),
            crlf.trim_end().to_owned(),
            format!("\u{feff}{LF}"),
            LF.replace("TIMESTAMP,ContextTokens", " timestamp , contexttokens"),
        ] {
            assert_eq!(
                read_all(text.as_bytes()),
                (expected.clone(), vec![]),
                "{text:?}"
            );
        }
    }

    #[test]
    fn empty_lines_are_no_rows_but_count_as_lines() {
        for end in ["\n", "\r\n"] {
            let text = LF.replace("\n2023-11-16 18:15:50", "\n\n\n2023-11-16 18:15:50");
            let (rows, errors) = read_all(text.replace('\n', end).as_bytes());
            assert!(errors.is_empty());
            assert_eq!((rows[1].number, rows[1].line), (2, 5), "{end:?}");
        }
    }

    #[test]
    fn a_row_over_several_lines_is_told_by_its_first() {
        for end in ["\n", "\r\n"] {
            let text = "TIMESTAMP,ContextTokens,GeneratedTokens,agent\n\
                        2023-11-16 18:15:46,1,2,\"a\n\nb\"\n\
                        2023-11-16 18:15:46,1,2,\"c\nd\"\n\
                        2023-11-16 18:15:46,1,2,e";
            let (rows, _) = read_all(text.replace('\n', end).as_bytes());
            assert_eq!(rows.iter().map(|r| r.line).collect::<Vec<_>>(), [2, 5, 7]);
        }
    }

    #[test]
    fn further_columns_are_scope_values_in_any_order() {
        let text = "agent,GeneratedTokens,CLASS,model,TIMESTAMP,ContextTokens,costmicrousd\n\
                    a:1,2,batch,\"m,\"\"x\"\"\",2024-02-29T00:00:00Z,1,7\n\
                    ,2,,m,2024-02-29T00:00:00Z,1,0\n";
        let (rows, errors) = read_all(text.as_bytes());
        assert!(errors.is_empty(), "{errors:?}");
        let scopes: Vec<_> = rows[0].scopes.iter().collect();
        assert_eq!(scopes, [("agent", "a:1"), ("model", "m,\"x\"")]);
        assert_eq!(rows[0].class(), Some("batch"));
        assert_eq!(
            (
                rows[0].input_tokens,
                rows[0].output_tokens,
                rows[0].micro_usd
            ),
            (1, 2, 7)
        );
        assert_eq!(rows[1].scopes.iter().collect::<Vec<_>>(), [("model", "m")]);
        assert_eq!(rows[1].class(), None);
    }

    #[test]
    fn json_lines_say_the_same_as_csv() {
        let text = "{\"TIMESTAMP\":\"2023-11-16 18:15:46.6805900\",\"ContextTokens\":374,\"GeneratedTokens\":\"44\"}\r\n\
                    \n\
                    {\"agent\":\"a\\n1\",\"team\":7,\"gone\":null,\"vip\":true,\"timestamp\":\"2023-11-16T18:15:50.995169Z\",\"ContextTokens\":396,\"GeneratedTokens\":109,\"class\":\"batch\",\"CostMicroUsd\":5}";
        let (rows, errors) = read_all(text.as_bytes());
        assert!(errors.is_empty(), "{errors:?}");
        let (csv, _) = read_all(LF.as_bytes());
        let mut first = rows[0].clone();
        first.line = csv[0].line;
        assert_eq!(first, csv[0]);
        assert_eq!(rows[1].wall_ns, csv[1].wall_ns);
        assert_eq!((rows[1].number, rows[1].line), (2, 3));
        assert_eq!(
            rows[1].scopes.iter().collect::<Vec<_>>(),
            [("agent", "a\n1"), ("team", "7"), ("vip", "true")]
        );
        assert_eq!((rows[1].class(), rows[1].micro_usd), (Some("batch"), 5));
    }

    #[test]
    fn broken_csv_rows_say_where_what_and_what_would_be_right() {
        let text = "TIMESTAMP,ContextTokens,GeneratedTokens,agent\n\
                    yesterday,1,2,a\n\
                    2023-11-16 18:15:46,one,2,a\n\
                    2023-11-16 18:15:46,1,,a\n\
                    2023-11-16 18:15:46,1,2\n\
                    2023-11-16 18:15:46,1,2,a,b\n\
                    2023-11-16 18:15:46,1,2,a\n\
                    2023-11-16 18:15:46,1,-2,a\n";
        let (rows, errors) = read_all(text.as_bytes());
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].number, rows[0].line), (6, 7));
        assert_eq!(
            errors,
            [
                "row 1, line 2: TIMESTAMP is \"yesterday\"; YYYY-MM-DD HH:MM:SS with up to 9 decimals \
                 and Z or +hh:mm or nothing (UTC) after it would be right",
                "row 2, line 3: ContextTokens is \"one\"; a whole number from 0 to 1000000000000000 would be right",
                "row 3, line 4: GeneratedTokens is \"\"; a whole number from 0 to 1000000000000000 would be right",
                "row 4, line 5: has 3 fields; as many as the header, 4, would be right",
                "row 5, line 6: has 5 fields; as many as the header, 4, would be right",
                "row 7, line 8: GeneratedTokens is \"-2\"; a whole number from 0 to 1000000000000000 would be right",
            ]
        );
    }

    #[test]
    fn broken_json_rows_say_where_what_and_what_would_be_right() {
        let text = "{\"TIMESTAMP\":\"2023-11-16 18:15:46\",\"ContextTokens\":1}\n\
                    {\"TIMESTAMP\":\"2023-11-16 18:15:46\",\"ContextTokens\":1.5,\"GeneratedTokens\":1}\n\
                    {\"TIMESTAMP\":\"2023-11-16 18:15:46\",\n\
                    {\"TIMESTAMP\":\"2023-11-16 18:15:46\",\"ContextTokens\":1,\"GeneratedTokens\":1,\"agent\":[1]}\n\
                    {\"TIMESTAMP\":\"2023-11-16 18:15:46\",\"ContextTokens\":1,\"GeneratedTokens\":1,\"contexttokens\":1}\n\
                    {\"TIMESTAMP\":1700158546,\"ContextTokens\":1,\"GeneratedTokens\":1}\n\
                    [1]\n\
                    {\"TIMESTAMP\":\"2023-11-16 18:15:46\",\"ContextTokens\":1,\"GeneratedTokens\":1}\n";
        let (rows, errors) = read_all(text.as_bytes());
        assert_eq!(rows.iter().map(|r| r.number).collect::<Vec<_>>(), [8]);
        let expected = [
            "row 1, line 1: has no GeneratedTokens; TIMESTAMP, ContextTokens and GeneratedTokens are needed",
            "row 2, line 2: ContextTokens is \"1.5\"; a whole number from 0 to",
            "row 3, line 3: is no JSON object on one line: ",
            "row 4, line 4: is no JSON object on one line: ",
            "row 5, line 5: has \"contexttokens\" twice; once would be right",
            "row 6, line 6: TIMESTAMP is \"1700158546\"; YYYY-MM-DD HH:MM:SS with",
            "row 7, line 7: is no JSON object on one line: ",
        ];
        assert_eq!(errors.len(), expected.len(), "{errors:#?}");
        for (error, start) in errors.iter().zip(expected) {
            assert!(error.starts_with(start), "{error}");
        }
    }

    #[test]
    fn headers_that_cannot_be_used_are_refused_by_name() {
        let cases = [
            ("", "line 1: the trace is empty; a header with"),
            ("\n \n", "line 1: the trace is empty; a header with"),
            (
                "TIMESTAMP,ContextTokens\n",
                "line 1: the header has no GeneratedTokens; TIMESTAMP, ",
            ),
            (
                "TIMESTAMP,ContextTokens,GeneratedTokens,a,a\n",
                "line 1: the header has \"a\" twice; ",
            ),
            (
                "TIMESTAMP,ContextTokens,GeneratedTokens,\n",
                "line 1: column 4 has no name; ",
            ),
            (
                "2023-11-16 18:15:46,1,2\n",
                "line 1: the header has no TIMESTAMP",
            ),
        ];
        for (text, expected) in cases {
            let (rows, errors) = read_all(text.as_bytes());
            assert!(rows.is_empty());
            assert!(errors[0].starts_with(expected), "{text:?}: {errors:?}");
        }
    }

    #[test]
    fn text_that_is_not_utf8_is_a_broken_row() {
        let mut text = b"TIMESTAMP,ContextTokens,GeneratedTokens,agent\n".to_vec();
        text.extend(b"2023-11-16 18:15:46,1,2,\xff\n2023-11-16 18:15:46,1,2,a\n");
        let (rows, errors) = read_all(&text);
        assert_eq!(rows.len(), 1);
        assert_eq!(
            errors,
            ["row 1, line 2: column 4, \"agent\", is not UTF-8 text; UTF-8 would be right"]
        );
    }

    #[test]
    fn an_open_quote_does_not_eat_the_file() {
        let row = "2023-11-16 18:15:46,1,2,\"a\n";
        let text = format!(
            "TIMESTAMP,ContextTokens,GeneratedTokens,agent\n{row}{}",
            "2023-11-16 18:15:46,1,2,a\n".repeat(100_000)
        );
        let (rows, errors) = read_all(text.as_bytes());
        assert!(rows.is_empty());
        assert_eq!(
            errors,
            ["row 1, line 2: is longer than 1048576 bytes; is a quote left open there?"]
        );
    }

    #[test]
    fn a_quote_that_is_open_at_the_end_is_told_where_it_opens() {
        let header = "TIMESTAMP,ContextTokens,GeneratedTokens,agent\n";
        let row = "2023-11-16 18:15:46,1,2,a\n";
        for open in [
            "\"a\n",
            "\"a",
            "\"",
            "\"\n\n",
            "\"a\"\"",
            "\"a\"\"\r\n",
            "\"a\n\"\"\n",
        ] {
            for end in ["\n", "\r\n"] {
                let text =
                    format!("{header}{row}\n2023-11-16 18:15:46,1,2,{open}").replace('\n', end);
                for text in [text.clone(), format!("{text}{row}{row}")] {
                    let (rows, errors) = read_all(text.as_bytes());
                    assert_eq!(rows.len(), 1, "{text:?}");
                    assert_eq!(
                        errors,
                        [
                            "row 2, line 4: a quote opens there and never closes; a closing one would be right"
                        ],
                        "{text:?}"
                    );
                }
            }
        }
        let (_, errors) = read_all(b"TIMESTAMP,ContextTokens,\"GeneratedTokens\n1,2,3\n");
        assert_eq!(
            errors,
            ["line 1: a quote opens in the header and never closes; a closing one would be right"]
        );
    }

    #[test]
    fn quotes_that_close_and_quotes_within_a_field_are_none_the_worse() {
        let header = "TIMESTAMP,ContextTokens,GeneratedTokens,agent\n";
        for (written, agent) in [
            ("\"a\"", "a"),
            ("\"\"", ""),
            ("\"\"\"\"", "\""),
            ("\"a\n\"", "a\n"),
            ("5\" disk", "5\" disk"),
            ("a\"", "a\""),
        ] {
            for end in ["", "\n", "\r\n", "\n\n", "\r"] {
                let (rows, errors) =
                    read_all(format!("{header}2023-11-16 18:15:46,1,2,{written}{end}").as_bytes());
                assert!(
                    errors.is_empty() && rows.len() == 1,
                    "{written:?}{end:?}: {errors:?}"
                );
                assert_eq!(
                    rows[0].scopes.iter().next().map_or("", |(_, value)| value),
                    agent
                );
            }
        }
        // A row that looks like what is added behind the last one is a broken row like any other.
        for end in ["", "\n"] {
            let (rows, errors) = read_all(format!("{header}\"\"{end}").as_bytes());
            assert!(rows.is_empty());
            assert_eq!(
                errors,
                ["row 1, line 2: has 1 fields; as many as the header, 4, would be right"]
            );
        }
    }

    /// It used to end the replay, whatever was to become of bad rows, and was told to look for a quote.
    #[test]
    fn a_long_row_without_quotes_is_passed_over() {
        let header = "TIMESTAMP,ContextTokens,GeneratedTokens,agent\n";
        let good = "2023-11-16 18:15:46,1,2,\"a\"\n";
        let told = "row 2, line 3: is longer than 1048576 bytes; shorter would be right";
        for bytes in [MAX_ROW_BYTES, MAX_ROW_BYTES + 1, 3 * MAX_ROW_BYTES] {
            for end in ["\n", "\r\n"] {
                let long = format!("2023-11-16 18:15:46,1,2,{}\n", "a".repeat(bytes));
                let text = format!("{header}{good}{long}{good}{good}").replace('\n', end);
                let (rows, errors) = read_all(text.as_bytes());
                let places: Vec<_> = rows.iter().map(|row| (row.number, row.line)).collect();
                assert_eq!(places, [(1, 2), (3, 4), (4, 5)], "{bytes}{end:?}");
                assert_eq!(errors, [told], "{bytes}{end:?}");
                // As the last row, with and without a line end.
                for text in [
                    format!("{header}{good}{long}"),
                    format!("{header}{good}{}", long.trim_end()),
                ] {
                    let (rows, errors) = read_all(text.as_bytes());
                    assert_eq!((rows.len(), errors), (1, vec![told.to_owned()]));
                }
            }
        }
        let (_, errors) = read_all("a".repeat(3 * MAX_ROW_BYTES).as_bytes());
        assert_eq!(
            errors,
            ["line 1: the header is longer than 1048576 bytes; shorter would be right"]
        );
        let (_, errors) = read_all(format!("\"{}", "a".repeat(3 * MAX_ROW_BYTES)).as_bytes());
        assert_eq!(
            errors,
            ["line 1: the header is longer than 1048576 bytes; is a quote left open there?"]
        );
    }

    #[test]
    fn a_long_json_line_is_passed_over() {
        let good =
            "{\"TIMESTAMP\":\"2023-11-16 18:15:46\",\"ContextTokens\":1,\"GeneratedTokens\":1}\n";
        let text = format!("{good}{{{}\n{good}", " ".repeat(3 * MAX_ROW_BYTES));
        let (rows, errors) = read_all(text.as_bytes());
        assert_eq!(
            rows.iter().map(|r| (r.number, r.line)).collect::<Vec<_>>(),
            [(1, 1), (3, 3)]
        );
        assert_eq!(
            errors,
            ["row 2, line 2: is longer than 1048576 bytes; shorter would be right"]
        );
    }
}
