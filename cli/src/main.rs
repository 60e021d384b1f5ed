//! The `runledger` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    runledger_cli::run()
}
