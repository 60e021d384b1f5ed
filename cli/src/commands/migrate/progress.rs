//! How far it is: a bar for people, lines for those who read it later.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tracing::level_filters::LevelFilter;

use crate::arguments::Task;

/// How often the time that has passed is shown anew while nothing else happens.
const TICK: Duration = Duration::from_secs(1);
/// So many lines there are at most where nobody looks on.
const LINES: usize = 10;

/// How many files of how many are done.
pub(super) struct Progress {
    bar: ProgressBar,
    what: &'static str,
    count: usize,
    done: AtomicUsize,
    /// There is no bar.
    lines: bool,
}

impl Progress {
    /// Of so many files with which something is done.
    pub(super) fn of(count: usize, task: Task) -> Self {
        let what = match task {
            Task::Convert => "converted",
            Task::Survey | Task::Check => "looked at",
        };
        let is_quiet = LevelFilter::current() < LevelFilter::WARN;
        let is_watched = std::io::stderr().is_terminal();
        Self {
            bar: match is_watched && !is_quiet {
                true => bar(count, what),
                false => ProgressBar::hidden(),
            },
            what,
            count,
            done: AtomicUsize::new(0),
            lines: !is_watched && !is_quiet,
        }
    }

    /// Another one is done.
    pub(super) fn one_more(&self) {
        self.bar.inc(1);
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if self.lines && is_worth_a_line(done, self.count) {
            // Whoever does not listen keeps nothing from being done.
            let _ = writeln!(
                std::io::stderr(),
                "{done} of {} files {}",
                self.count,
                self.what
            );
        }
    }

    /// The bar goes.
    pub(super) fn end(self) {
        self.bar.finish_and_clear();
    }
}

/// Few files take no time.
fn is_worth_a_line(done: usize, count: usize) -> bool {
    count > LINES && done * LINES / count > (done - 1) * LINES / count
}

fn bar(count: usize, what: &str) -> ProgressBar {
    let style = format!("{{elapsed_precise}} {{wide_bar:.green}} {{pos}} of {{len}} files {what}");
    let style =
        ProgressStyle::with_template(&style).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(count as u64).with_style(style);
    bar.enable_steady_tick(TICK);
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_nobody_looks_on_there_is_a_line_for_every_tenth() {
        for (count, lines) in [(3, 0), (10, 0), (11, 10), (200, 10), (2_000, 10)] {
            let told = (1..=count).filter(|done| is_worth_a_line(*done, count));
            assert_eq!(told.clone().count(), lines, "{count}");
            assert!(lines == 0 || told.max() == Some(count), "{count}");
        }
    }
}
