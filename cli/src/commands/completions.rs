//! `completions`.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::arguments::Arguments;
use crate::failure::Result;

/// Prints the completion script of a shell.
pub(super) fn print(shell: Shell) -> Result {
    clap_complete::generate(
        shell,
        &mut Arguments::command(),
        "runledger",
        &mut std::io::stdout(),
    );
    Ok(())
}
