//! What is logged, and where: stderr for people, and the listener's `damnit.log`.

use std::fmt;
use std::fs::File;
use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::{Format, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::failure::{Failure, Result};
use crate::printable::in_a_line;

/// How much to say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Loudness {
    /// How often `-v` was given.
    pub(crate) verbose: u8,
    /// Whether `-q` was given.
    pub(crate) quiet: bool,
    /// Whether the command tells by itself what it does.
    pub(crate) tells: bool,
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
            (_, 0) if self.tells => LevelFilter::WARN,
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

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object a line, for programs
    Json,
}

impl LogFormat {
    /// The argument with which a process of ours logs in this way.
    pub(crate) fn argument(self) -> &'static str {
        match self {
            Self::Text => "--log-format=text",
            Self::Json => "--log-format=json",
        }
    }
}

/// Logs to stderr, and to `file` as well where one is given.
///
/// # Errors
/// The file cannot be opened for appending.
pub(crate) fn start(loudness: Loudness, format: LogFormat, file: Option<&Path>) -> Result {
    let is_terminal = std::io::stderr().is_terminal();
    let file = file.map(opened).transpose()?;
    // One filter for all: with one for each layer the first event is lost (tracing-subscriber 0.3.23).
    tracing_subscriber::registry()
        .with(loudness.filter())
        .with(layer(format, std::io::stderr, is_terminal))
        .with(file.map(|file| layer(format, Arc::new(file), false)))
        .init();
    Ok(())
}

fn layer<S, W>(format: LogFormat, writer: W, is_terminal: bool) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        // It would be told on stderr, and that panics where stderr is a log on the same full disk.
        .log_internal_errors(false);
    match format {
        LogFormat::Text if is_terminal => layer.boxed(),
        LogFormat::Text => layer.event_format(OneLine(Format::default())).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    }
}

/// An event is a line: a name or a message with a line's end in it cannot pretend to be another event.
struct OneLine(Format);

impl<S, N> FormatEvent<S, N> for OneLine
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &tracing::Event<'_>,
    ) -> fmt::Result {
        let mut text = String::new();
        self.0
            .format_event(context, Writer::new(&mut text), event)?;
        writeln!(writer, "{}", in_a_line(text.trim_end()))
    }
}

fn opened(path: &Path) -> Result<File> {
    let file = File::options().create(true).append(true).open(path);
    file.map_err(|e| Failure::new(format!("the log {} cannot be written: {e}", path.display())))
}
