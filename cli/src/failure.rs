//! The rim where errors meet people: which thing, what is wrong, what to do next, and the exit code.

use std::fmt;
use std::io::Write as _;
use std::process::ExitCode;

use runledger_listener::queue::TRY_AGAIN;

/// Says something on stderr. Where that is a log on a disk that is full, nobody can be told, and the work goes on.
pub(crate) fn say(words: impl fmt::Display) {
    let _ = writeln!(std::io::stderr(), "{words}");
}

/// Why a command did not do all that it was asked to.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    message: String,
    hint: Option<String>,
    code: u8,
}

/// What a command gives back.
pub(crate) type Result<T = ()> = std::result::Result<T, Failure>;

impl Failure {
    /// It failed (exit code 1).
    pub(crate) fn new(message: impl fmt::Display) -> Self {
        Self::with_code(1, message)
    }

    /// It was asked for in a wrong way (exit code 2).
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self::with_code(2, message)
    }

    /// Some of it failed, the rest is done (exit code 3).
    pub(crate) fn partly(message: impl fmt::Display) -> Self {
        Self::with_code(3, message)
    }

    /// Nothing was run, because there is no sandbox for it (exit code 125).
    pub(crate) fn not_enclosed(message: impl fmt::Display) -> Self {
        Self::with_code(runledger_sandbox::FAILED, message)
    }

    fn with_code(code: u8, message: impl fmt::Display) -> Self {
        Self {
            message: message.to_string(),
            hint: None,
            code,
        }
    }

    /// Adds what to do next.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// It came to nothing because of a disk or another program, and may succeed later.
    pub(crate) fn for_now(mut self) -> Self {
        self.code = u8::try_from(TRY_AGAIN).unwrap_or(self.code);
        self
    }

    fn hinted(self, hint: Option<&str>) -> Self {
        match hint {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }

    /// For a log, in which an event is a line.
    pub(crate) fn in_one_line(&self) -> String {
        let words: Vec<&str> = self.message.split_whitespace().collect();
        words.join(" ")
    }

    /// Tells the user on stderr and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        say(format_args!("error: {}", self.message));
        if let Some(hint) = &self.hint {
            say(format_args!("hint: {hint}"));
        }
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<runledger_storage::Error> for Failure {
    fn from(error: runledger_storage::Error) -> Self {
        use runledger_storage::Error as E;
        let hint = match &error {
            E::NoDatabase { .. } => Some(
                "make one with `runledger init DIR --proposal NUMBER`, or go to the folder of another",
            ),
            E::NewerDatabase { .. } => {
                Some("use the program that wrote it, or a newer one; nothing was changed")
            }
            E::WrongVersion { .. } => Some(
                "nothing was changed; if the tables are whole, set it right: \
                 UPDATE metameta SET value = FORMAT WHERE key = 'data_format_version' (docs/formats.md says which is which); \
                 `runledger migrate --restore` goes back to a copy, if there is one",
            ),
            E::LegacyDatabase { .. } => Some(
                "nothing was changed; `runledger migrate --dry-run` tells what would be done to upgrade it",
            ),
            E::NotOfFormat { .. } => {
                Some("nothing was changed; `runledger migrate --check` tells what it needs")
            }
            E::BadProposal { .. } => {
                Some("set it in that folder with `runledger proposal NUMBER`; nothing was changed")
            }
            E::NoRoom { .. } => Some("nothing was changed; make room, and try again"),
            E::DatabaseBusy { .. } => Some("try again when that program is done, or end it"),
            E::NotADatabase { .. } => Some(
                "nothing was changed; `runledger migrate --restore` goes back to a copy, if there is one",
            ),
            _ => None,
        };
        Self::new(error).hinted(hint)
    }
}

impl From<runledger_context::Error> for Failure {
    fn from(error: runledger_context::Error) -> Self {
        use runledger_context::Error as E;
        let hint = match &error {
            E::NoPython { .. } | E::TooOld { .. } | E::NoNumpy { .. } | E::NoGreeting { .. } => {
                Some(
                    "name another for this database with `runledger db-config context-python PATH`, or for all as `[context] python` \
                     in runledger.toml; jobs read the one of whoever submits them, and RUNLEDGER_CONFIG names it from any folder",
                )
            }
            _ => None,
        };
        let traceback = match &error {
            E::ContextFile { traceback, .. } => traceback.clone(),
            _ => None,
        };
        match traceback {
            Some(traceback) => Self::new(format!("{error}\n\n{}", traceback.trim_end())),
            None => Self::new(&error),
        }
        .hinted(hint)
    }
}

impl From<runledger_listener::Error> for Failure {
    fn from(error: runledger_listener::Error) -> Self {
        use runledger_listener::Error as E;
        match error {
            E::Storage(error) => error.into(),
            E::Context(error) => error.into(),
            error => Self::new(&error).hinted(hint_for_own_database(&error)),
        }
    }
}

/// What to do about a ledger, or a listener's database, that cannot be used.
fn hint_for_own_database(error: &runledger_listener::Error) -> Option<&'static str> {
    use runledger_listener::Error as E;
    match error {
        error if error.is_newer() => {
            Some("use the program that wrote it, or a newer one; nothing was changed")
        }
        E::Ledger { .. } if error.is_damage() => Some(
            "nothing was changed. It has the jobs of this database, and no results: those are in runs.sqlite and extracted_data/. \
             Stop the listener, move it aside with its -wal and -shm if there are any, and a new one is made; jobs that waited are lost with it: \
             `runledger reprocess RUN` (docs/operating.md)",
        ),
        E::ListenerDb { .. } if error.is_damage() => Some(
            "nothing was changed. It has what is watched, the settings, and what was not handled yet, and no results. \
             Stop the listener, move it aside with its -wal and -shm if there are any, and a new one is made; then \
             `runledger listener add PROPOSAL` for each, and `runledger reprocess RUN` for what came last (docs/operating.md)",
        ),
        _ => None,
    }
}
