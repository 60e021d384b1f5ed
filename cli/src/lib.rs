//! The command line: reads what is asked for, wires the parts, and decides nothing itself.

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

/// Does what the arguments of this process ask for.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    match commands::run(arguments) {
        Ok(()) if printable::is_all_printed() => ExitCode::SUCCESS,
        Ok(()) => ExitCode::FAILURE,
        Err(failure) => failure.report(),
    }
}

/// All that is wrong with the text of a configuration file, as `config check` and a reload would say it.
pub fn problems_of_configuration(text: &str) -> Vec<String> {
    match config::settled(text) {
        Ok((config, unfit)) => config::all_problems(&config, unfit),
        Err(syntax) => vec![syntax],
    }
}
