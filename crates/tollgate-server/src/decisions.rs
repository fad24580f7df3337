//! Every decision of a replay, as CSV.

use std::io::Write;
use std::time::Duration;

use crate::files::Failure;

/// Writes `row,timestamp,decision,limit,retry_after_ns`, one line a row of the trace.
///
/// `timestamp` is copied as it stands in the trace. `limit` is the binding limit; it and
/// `retry_after_ns` are empty when the request was admitted, `retry_after_ns` also when waiting
/// cannot help.
pub(crate) struct Decisions<W: Write> {
    name: String,
    csv: csv::Writer<W>,
}

impl<W: Write> Decisions<W> {
    /// Writes the header. Failures tell the output by its `name`.
    pub(crate) fn new(name: String, output: W) -> Result<Self, Failure> {
        let mut decisions = Self {
            name,
            csv: csv::Writer::from_writer(output),
        };
        decisions.write(["row", "timestamp", "decision", "limit", "retry_after_ns"])?;
        Ok(decisions)
    }

    pub(crate) fn admitted(&mut self, row: u64, timestamp: &str) -> Result<(), Failure> {
        self.write([&row.to_string(), timestamp, "admitted", "", ""])
    }

    pub(crate) fn refused(
        &mut self,
        row: u64,
        timestamp: &str,
        limit: &str,
        retry_after: Option<Duration>,
    ) -> Result<(), Failure> {
        let wait = retry_after.map_or_else(String::new, |wait| wait.as_nanos().to_string());
        self.write([&row.to_string(), timestamp, "refused", limit, &wait])
    }

    /// Writes out what is still in memory.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        self.csv
            .flush()
            .map_err(|error| Failure::with(&self.name, error))
    }

    fn write(&mut self, fields: [&str; 5]) -> Result<(), Failure> {
        self.csv
            .write_record(fields)
            .map_err(|error| Failure::with(&self.name, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("no space left"))
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_failure_names_the_file() {
        let decisions = Decisions::new("d.csv".into(), Full).unwrap();
        assert_eq!(decisions.finish().unwrap_err().0, "d.csv: no space left");
    }

    #[test]
    fn decisions_are_written_as_agreed() {
        let mut output = Vec::new();
        let mut decisions = Decisions::new("d.csv".into(), &mut output).unwrap();
        decisions
            .admitted(1, "2023-11-16 18:15:46.6805900")
            .unwrap();
        let wait = Some(Duration::new(61, 5));
        decisions
            .refused(3, "2023-11-16T18:15:47Z", "agent, \"rpm\"", wait)
            .unwrap();
        decisions
            .refused(4, "2023-11-16T18:15:47Z", "tpm", None)
            .unwrap();
        decisions.finish().unwrap();
        assert_eq!(
            String::from_utf8(output).unwrap(),
            "row,timestamp,decision,limit,retry_after_ns\n\
             1,2023-11-16 18:15:46.6805900,admitted,,\n\
             3,2023-11-16T18:15:47Z,refused,\"agent, \"\"rpm\"\"\",61000000005\n\
             4,2023-11-16T18:15:47Z,refused,tpm,\n"
        );
    }
}
