//! What fuzzing found, each with its story.

use tollgate_server::trace::{Row, Trace};

/// Whether a trace may have this time.
fn is_read(timestamp: &str) -> bool {
    let line =
        format!("{{\"TIMESTAMP\":\"{timestamp}\",\"ContextTokens\":1,\"GeneratedTokens\":1}}");
    let mut trace = Trace::new(line.as_bytes()).expect("JSON lines");
    trace.read(&mut Row::default()).is_ok()
}

/// The body `timestamp` parted from its own reading at `2000-01-01 00:00:00+0100`: the library that reads times knows more
/// forms than the page of the trace names, and they went through, among them a second 60, which it takes for 59.
#[test]
fn a_time_in_a_form_that_is_not_documented_is_refused() {
    assert!(is_read("2000-01-01 00:00:00+01:00"));
    for form in [
        "2000-01-01 00:00:00+0100",
        "2000-01-01 00:00:00+01",
        "2000-01-01 00:00:00+01:00:30",
        "2000-01-01 00:00:00,5",
        "2016-12-31 23:59:60",
    ] {
        assert!(!is_read(form), "{form}");
    }
}

/// The body `trace` parted at `EF BB BF EF BB BF ..`, read three bytes at a time: the CSV reader drops a byte order mark, and takes what
/// is left of a read that held nothing else for the end of the file.
#[test]
fn a_byte_order_mark_that_comes_alone_is_not_the_end() {
    let text = "\u{feff}\u{feff}TIMESTAMP,ContextTokens,GeneratedTokens\n2000-01-01 00:00:00,1,2\n";
    for piece in 1..8 {
        let input = std::io::BufReader::with_capacity(piece, text.as_bytes());
        let mut trace = Trace::new(input).expect("a header");
        let mut row = Row::default();
        assert!(
            trace.read(&mut row).expect("a row"),
            "{piece} bytes at a time"
        );
        assert_eq!((row.input_tokens, row.output_tokens), (1, 2));
    }
}
