//! What users' code prints, on its way into the run's log.
//!
//! It passes through us, so that a variable that prints without end does not fill the disk: of each variable
//! only so much is written, and how much more there was.

use std::io::{self, PipeWriter, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// So many bytes of each variable's output are written into the log.
pub(super) const LONGEST: u64 = 32 << 20;
/// How long what is left in the pipe may take after Python's end; somebody else may hold it open.
const FAREWELL: Duration = Duration::from_millis(500);

/// A thread that writes what comes out of a pipe to our stderr.
#[derive(Debug)]
pub(super) struct Printed {
    /// Counts up with each variable.
    turn: Arc<AtomicU64>,
    finished: Receiver<()>,
}

impl Printed {
    /// Starts the thread; what is written to the returned end is the log.
    pub(super) fn start() -> io::Result<(Self, PipeWriter)> {
        let (reader, writer) = io::pipe()?;
        let turn = Arc::new(AtomicU64::new(0));
        let (done, finished) = channel();
        let seen = Arc::clone(&turn);
        std::thread::spawn(move || {
            pass_on(reader, &seen, &mut io::stderr());
            // Nobody may wait any more.
            let _ = done.send(());
        });
        Ok((Self { turn, finished }, writer))
    }

    /// The next variable may print as much again.
    pub(super) fn begin_turn(&self) {
        self.turn.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits until all is written that was printed before the end of the process.
    pub(super) fn settle(&self) {
        // Somebody who holds the pipe open is not waited for.
        let _ = self.finished.recv_timeout(FAREWELL);
    }
}

fn pass_on(mut from: impl Read, turn: &AtomicU64, to: &mut impl Write) {
    let mut buffer = vec![0; 1 << 16];
    let mut allowance = Allowance::default();
    while let Ok(count) = from.read(&mut buffer) {
        allowance.renew(turn.load(Ordering::Relaxed), to);
        if count == 0 {
            break;
        }
        let written = allowance.take(count);
        // A log that cannot be written is no reason to stop the users' code.
        let _ = to.write_all(&buffer[..written]);
    }
    allowance.renew(u64::MAX, to);
}

/// What one variable may still print.
#[derive(Default)]
struct Allowance {
    turn: u64,
    used: u64,
    dropped: u64,
}

impl Allowance {
    fn take(&mut self, count: usize) -> usize {
        let left = usize::try_from(LONGEST - self.used).unwrap_or(usize::MAX);
        let taken = count.min(left);
        self.used += taken as u64;
        self.dropped += (count - taken) as u64;
        taken
    }

    fn renew(&mut self, turn: u64, log: &mut impl Write) {
        if turn == self.turn {
            return;
        }
        if self.dropped > 0 {
            let (dropped, longest) = (self.dropped, LONGEST >> 20);
            let _ = writeln!(
                log,
                "\n… {dropped} more bytes were printed and are left out: of each variable the log takes {longest} MiB"
            );
        }
        *self = Self {
            turn,
            ..Self::default()
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A thousandth of a gigabyte at a time, and the next variable's turn after `first`.
    struct Chatter<'a> {
        left: u64,
        first: u64,
        turn: &'a AtomicU64,
    }

    impl Read for Chatter<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            if self.left == self.first {
                self.turn.fetch_add(1, Ordering::Relaxed);
            }
            self.left = self.left.saturating_sub(1);
            into.fill(b'x');
            Ok(if self.left == 0 { 0 } else { into.len() })
        }
    }

    #[test]
    fn a_variable_that_prints_without_end_takes_its_share_and_no_more() {
        let turn = AtomicU64::new(0);
        let chatter = Chatter {
            left: 10_000,
            first: 3,
            turn: &turn,
        };
        let mut log = Vec::new();
        pass_on(chatter, &turn, &mut log);
        let expected = usize::try_from(LONGEST).unwrap() + 2 * (1 << 16);
        let text = String::from_utf8(log).unwrap();
        let printed = text.chars().filter(|c| *c == 'x').count();
        assert_eq!(printed, expected);
        assert!(text.contains("more bytes were printed"));
        assert!(text.ends_with('x'), "the next variable prints again");
    }
}
