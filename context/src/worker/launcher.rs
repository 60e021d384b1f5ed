//! What starts the interpreter in our place: a sandbox.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};

/// A program that runs the words after its own; it passes on stdin, stdout and stderr, and the exit code.
#[derive(Debug, Clone, Default)]
pub struct Launcher {
    /// Its own words; empty: the interpreter is started directly.
    pub words: Vec<OsString>,
    /// Variables that the environment of the interpreter does not have.
    pub hidden: Vec<OsString>,
}

impl Launcher {
    /// The program, if there is one.
    pub(super) fn program(&self) -> Option<&Path> {
        self.words.first().map(Path::new)
    }

    /// A command for the interpreter, whose arguments are still to come.
    pub(super) fn command(&self, python: &Path) -> Command {
        let mut command = match self.words.split_first() {
            None => Command::new(python),
            Some((program, rest)) => {
                let mut command = Command::new(program);
                command.args(rest).arg(python);
                command
            }
        };
        for name in &self.hidden {
            command.env_remove(name);
        }
        command
    }

    /// The end of the interpreter: of a signal a launcher tells as shells do.
    pub(super) fn understood(&self, status: ExitStatus) -> ExitStatus {
        match status.code() {
            Some(code @ 129..=192) if !self.words.is_empty() => ExitStatus::from_raw(code - 128),
            _ => status,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_understood_only_from_a_launcher() {
        let code = ExitStatus::from_raw(139 << 8);
        let launcher = Launcher {
            words: vec!["sandbox".into()],
            ..Launcher::default()
        };
        assert_eq!(launcher.understood(code).signal(), Some(11));
        assert_eq!(Launcher::default().understood(code), code);
        let exit = ExitStatus::from_raw(3 << 8);
        assert_eq!(launcher.understood(exit), exit);
    }
}
