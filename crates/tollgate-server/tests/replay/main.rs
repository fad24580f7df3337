//! The program as its users run it: files in, report, decisions, plot and exit code out.

mod bad_input;
mod outputs;
mod program;
mod real_trace;
mod report;
