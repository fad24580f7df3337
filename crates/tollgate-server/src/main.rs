//! The `tollgate` program; see the library of this package.

use std::process::ExitCode;

fn main() -> ExitCode {
    tollgate_server::main()
}
