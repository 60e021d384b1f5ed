//! A progress bar below what is printed; where there is no terminal, only what is printed.

use std::io::{LineWriter, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// So often it shows that it is alive.
const TICK: Duration = Duration::from_millis(500);

/// How many of some jobs are over.
#[derive(Clone)]
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// Of so many jobs.
    pub(super) fn of(count: usize) -> Self {
        let bar = ProgressBar::new(count as u64);
        let style = "{elapsed_precise} {wide_bar:.green} {pos} of {len} jobs{msg}";
        bar.set_style(ProgressStyle::with_template(style).expect("a template that is tested"));
        bar.enable_steady_tick(TICK);
        Self(bar)
    }

    /// So many are over; `more` says how it goes: `, 2 running`.
    pub(super) fn set(&self, over: usize, more: String) {
        self.0.set_position(over as u64);
        self.0.set_message(more);
    }

    /// Does something that prints.
    pub(super) fn above<T>(&self, prints: impl FnOnce() -> T) -> T {
        self.0.suspend(prints)
    }

    /// Whether people see it.
    pub(super) fn is_visible(&self) -> bool {
        !self.0.is_hidden()
    }

    /// It goes away.
    pub(super) fn end(&self) {
        self.0.finish_and_clear();
    }

    /// A place for what others print: on stdout, above the bar.
    pub(super) fn screen(&self) -> impl Write + Send + 'static {
        // By whole lines: half of one would be wiped away with the bar.
        LineWriter::new(Above(self.clone()))
    }
}

struct Above(Progress);

impl Write for Above {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        let written = self.0.above(|| {
            let mut terminal = std::io::stdout();
            terminal.write_all(text).and_then(|()| terminal.flush())
        });
        written.map(|()| text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_terminal_there_is_no_bar_and_its_template_is_right() {
        let progress = Progress::of(3);
        progress.set(1, ", 2 running".into());
        assert_eq!(progress.above(|| 7), 7);
        progress.end();
    }
}
