//! What a terminal must not obey: names, titles, errors and logs come from users' code, from messages and from other
//! people's folders, and could move the cursor, change the window's title or hide what is said.

use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::failure::say;

/// In a line: control characters, and those that turn the direction of writing, are shown by their numbers.
pub(crate) fn in_a_line(text: &str) -> String {
    shown(text, |_| false)
}

/// As [`in_a_line`], in text that may have several lines.
pub(crate) fn in_lines(text: &str) -> String {
    shown(text, |c| matches!(c, '\n' | '\t'))
}

/// What a program has printed for a terminal, which may go back to the beginning of a line.
pub(crate) fn printed(text: &str) -> String {
    shown(text, |c| matches!(c, '\n' | '\t' | '\r'))
}

/// Shows a program's output on a terminal as it comes, as [`printed`] does. Of a character that came in part only, that
/// part waits for the rest, at most until the end.
pub(crate) struct Printed<W: io::Write> {
    terminal: W,
    begun: Vec<u8>,
}

impl<W: io::Write> Printed<W> {
    /// On this terminal.
    pub(crate) fn on(terminal: W) -> Self {
        Self {
            terminal,
            begun: Vec::new(),
        }
    }

    fn show(&mut self, length: usize) -> io::Result<()> {
        let text: Vec<u8> = self.begun.drain(..length).collect();
        let text = printed(&String::from_utf8_lossy(&text));
        self.terminal.write_all(text.as_bytes())
    }
}

impl<W: io::Write> io::Write for Printed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.begun.extend_from_slice(bytes);
        self.show(self.begun.len() - in_part(&self.begun))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.terminal.flush()
    }
}

impl<W: io::Write> Drop for Printed<W> {
    fn drop(&mut self) {
        let _ = self.show(self.begun.len()).and_then(|()| self.flush());
    }
}

/// How many bytes at the end are the beginning of a character.
fn in_part(bytes: &[u8]) -> usize {
    let begins = |length: &usize| {
        let end = std::str::from_utf8(&bytes[bytes.len() - length..]);
        end.is_err_and(|e| e.valid_up_to() == 0 && e.error_len().is_none())
    };
    (1..=bytes.len().min(3)).find(begins).unwrap_or(0)
}

fn shown(text: &str, may: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match acts(c) && !may(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown
}

/// Control characters, and Unicode's marks, embeddings, overrides and isolates of direction.
fn acts(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns
}

/// Whether something that was to be printed is lost: the disk is full, say.
static LOST: AtomicBool = AtomicBool::new(false);

/// Prints a line on stdout. That it cannot does not stop the work: it is said once, and the exit code tells.
pub(crate) fn print(line: &str) {
    if let Err(why) = writeln!(io::stdout(), "{line}")
        && !LOST.swap(true, Ordering::Relaxed)
    {
        say(format_args!(
            "error: what is printed cannot be written: {why}"
        ));
    }
}

/// Whether all that was printed is there.
pub(crate) fn is_all_printed() -> bool {
    io::stdout().flush().is_ok() && !LOST.load(Ordering::Relaxed)
}

/// Prints a line for people.
macro_rules! println {
    ($($words:tt)*) => {
        $crate::printable::print(&$crate::printable::in_lines(&format!($($words)*)))
    };
}

/// Prints what is for programs, or has colours of our own, as it is.
macro_rules! println_as_is {
    ($($words:tt)*) => {
        $crate::printable::print(&format!($($words)*))
    };
}

/// As [`println!`], on stderr.
macro_rules! eprintln {
    ($($words:tt)*) => {
        $crate::failure::say($crate::printable::in_lines(&format!($($words)*)))
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown_by_its_number() {
        let title = "\x1b]0;title\x07 a\u{9b}2J \u{202e}gnp.exe\n\tb\r😀é";
        let shown = "\\u{1b}]0;title\\u{7} a\\u{9b}2J \\u{202e}gnp.exe";
        assert_eq!(in_a_line(title), format!("{shown}\\n\\tb\\r😀é"));
        assert_eq!(in_lines(title), format!("{shown}\n\tb\\r😀é"));
        assert_eq!(printed(title), format!("{shown}\n\tb\r😀é"));
    }

    #[test]
    fn output_is_shown_as_it_comes_and_whole_at_the_end() {
        let mut terminal = Vec::new();
        let mut output = Printed::on(&mut terminal);
        let so_far = |output: &Printed<&mut Vec<u8>>| {
            String::from_utf8_lossy(&*output.terminal).into_owned()
        };
        output.write_all(b"\x1b[31mred \xf0\x9f").unwrap();
        assert_eq!(so_far(&output), "\\u{1b}[31mred ");
        output.write_all(b"\x98\x80, no line \xe2\x82").unwrap();
        assert_eq!(so_far(&output), "\\u{1b}[31mred 😀, no line ");
        output.write_all(b"x\xff\xc3").unwrap();
        drop(output);
        let all = String::from_utf8(terminal).unwrap();
        assert_eq!(all, "\\u{1b}[31mred 😀, no line \u{fffd}x\u{fffd}\u{fffd}");
    }
}
