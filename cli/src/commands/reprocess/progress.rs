//! A progress bar below what is printed; where there is no terminal, only what is printed.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::screen::Above;
use crate::printable::Printed;

/// So often it shows that it is alive.
const TICK: Duration = Duration::from_millis(500);

/// A line of which so much has come is shown above the bar without its end.
const LONGEST: usize = 64 * 1024;

/// How many of some jobs are over.
#[derive(Clone)]
pub(super) struct Progress {
    bar: ProgressBar,
    /// What was printed and has no end yet. On the terminal, the bar would wipe it away: it is a part of the bar.
    line: Arc<Mutex<Vec<u8>>>,
}

impl Progress {
    /// Of so many jobs.
    pub(super) fn of(count: usize) -> Self {
        let bar = ProgressBar::new(count as u64);
        bar.set_style(style(""));
        bar.enable_steady_tick(TICK);
        Self {
            bar,
            line: Arc::default(),
        }
    }

    /// So many are over; `more` says how it goes: `, 2 running`.
    pub(super) fn set(&self, over: usize, more: String) {
        self.bar.set_position(over as u64);
        self.bar.set_prefix(more);
    }

    /// Does something that prints.
    pub(super) fn above<T>(&self, prints: impl FnOnce() -> T) -> T {
        self.bar.suspend(prints)
    }

    /// Whether people see it.
    pub(super) fn is_visible(&self) -> bool {
        !self.bar.is_hidden()
    }

    /// It goes away.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }

    /// A place for what users' code prints: on stdout, above the bar. A terminal does not obey it.
    pub(super) fn screen(&self) -> Box<dyn Write + Send> {
        let above = Above(self.clone());
        match std::io::stdout().is_terminal() {
            true => Box::new(Printed::on(above)),
            false => Box::new(above),
        }
    }

    /// Prints text on stdout; of a terminal that has the bar, the whole lines.
    pub(super) fn print(&self, text: &[u8]) -> std::io::Result<()> {
        if !self.is_visible() || !std::io::stdout().is_terminal() {
            return self.put(text);
        }
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        line.extend_from_slice(text);
        if line.len() > LONGEST && !line.ends_with(b"\n") {
            line.push(b'\n');
        }
        let end = line.iter().rposition(|byte| *byte == b'\n');
        let whole: Vec<u8> = line.drain(..end.map_or(0, |end| end + 1)).collect();
        self.show_begun(&line);
        match whole.is_empty() {
            true => Ok(()),
            false => self.put(&whole),
        }
    }

    /// Nothing more comes of a line that has no end.
    pub(super) fn end_line(&self) {
        let is_begun = {
            let line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
            !line.is_empty()
        };
        if is_begun {
            let _ = self.print(b"\n");
        }
    }

    fn put(&self, text: &[u8]) -> std::io::Result<()> {
        self.above(|| {
            let mut terminal = std::io::stdout();
            terminal.write_all(text).and_then(|()| terminal.flush())
        })
    }

    /// What goes back to the beginning of its line is written over.
    fn show_begun(&self, line: &[u8]) {
        let mut parts = line.rsplit(|byte| *byte == b'\r');
        let seen = parts.find(|part| !part.is_empty()).unwrap_or_default();
        let seen = String::from_utf8_lossy(seen).into_owned();
        if seen != self.bar.message() {
            self.bar.set_style(style(&seen));
            self.bar.set_message(seen);
        }
    }
}

/// With a line that was begun, or without.
fn style(begun: &str) -> ProgressStyle {
    let bar = "{elapsed_precise} {wide_bar:.green} {pos} of {len} jobs{prefix}";
    let template = match begun {
        "" => bar.to_owned(),
        _ => format!("{{wide_msg}}\n{bar}"),
    };
    ProgressStyle::with_template(&template).expect("a template that is tested")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_terminal_there_is_no_bar_and_its_templates_are_right() {
        let progress = Progress::of(3);
        progress.set(1, ", 2 running".into());
        progress.show_begun(b"50 %\r60 %\r");
        assert_eq!(progress.bar.message(), "60 %");
        assert_eq!(progress.above(|| 7), 7);
        progress.end();
    }
}
