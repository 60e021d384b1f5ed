//! Where a job's output goes while people look on.

use std::io::Write;

use super::progress::Progress;

/// On stdout, above a progress bar; with its end, a line that has none is shown as it is.
pub(super) struct Above(pub(super) Progress);

impl Write for Above {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.print(text).map(|()| text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for Above {
    fn drop(&mut self) {
        self.0.end_line();
    }
}
