//! What is logged, and where: stderr for people, and the listener's `damnit.log`.

use std::fs::OpenOptions;
use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::failure::{Failure, Result};

/// How much to say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Loudness {
    /// How often `-v` was given.
    pub(crate) verbose: u8,
    /// Whether `-q` was given.
    pub(crate) quiet: bool,
}

impl Loudness {
    /// The arguments with which a process of ours is as loud.
    pub(crate) fn arguments(self) -> impl Iterator<Item = &'static str> {
        let quiet = self.quiet.then_some("--quiet");
        let verbose = std::iter::repeat_n("--verbose", self.verbose.into());
        quiet.into_iter().chain(verbose)
    }

    fn filter(self) -> Targets {
        let ours = match (self.quiet, self.verbose) {
            (true, _) => LevelFilter::ERROR,
            (_, 0) => LevelFilter::INFO,
            (_, 1) => LevelFilter::DEBUG,
            (_, _) => LevelFilter::TRACE,
        };
        Targets::new()
            .with_default(ours.min(LevelFilter::WARN))
            .with_targets(["runledger", "kafka"].map(|ours_too| (ours_too, ours)))
            .with_targets(
                ["context", "listener", "migrations", "storage"]
                    .map(|part| (format!("runledger_{part}"), ours)),
            )
    }
}

/// Logs to stderr, and to `file` as well where one is given.
///
/// # Errors
/// The file cannot be opened for appending.
pub(crate) fn start(loudness: Loudness, file: Option<&Path>) -> Result {
    let terminal = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // One filter for all: with one for each layer the first event is lost (tracing-subscriber 0.3.23).
    tracing_subscriber::registry()
        .with(loudness.filter())
        .with(terminal)
        .with(file.map(file_layer).transpose()?)
        .init();
    Ok(())
}

fn file_layer<S>(path: &Path) -> Result<impl Layer<S>>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(|e| Failure::new(format!("the log {} cannot be written: {e}", path.display())))?;
    Ok(tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(Arc::new(file)))
}
