//! The `runledger` binary: reads the command line, wires the parts, and decides nothing itself.

#[macro_use]
mod printable;

mod arguments;
mod asking;
mod commands;
mod config;
mod failure;
mod logging;
mod place;

use std::process::ExitCode;

use clap::Parser;

use arguments::Arguments;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match commands::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
