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
