//! Frames on the socket to the worker; the layout is in `docs/worker-protocol.md`.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;

use super::Stop;
use crate::bytes::Bytes;

/// Longer headers are refused; large things travel in buffers.
const LONGEST_HEADER: u32 = 64 << 20;
/// Longer frames are refused: no machine of ours holds so much.
const LONGEST_FRAME: u64 = 1 << 42;
/// As many buffers a frame may have: each takes some memory of ours, however short it is.
const MOST_BUFFERS: usize = 1 << 20;
/// So many bytes of a frame are held in memory; what comes after them goes to a file.
const HELD: u64 = 8 << 20;
/// Bytes on their way to a file.
const PIECE: usize = 1 << 20;
/// How long a read may be without news before we look whether the worker still lives.
const TICK: Duration = Duration::from_millis(250);

/// A received message: its header without the lengths, and its buffers.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) header: Value,
    pub(super) buffers: Vec<Bytes>,
}

/// Why no frame was received.
#[derive(Debug)]
pub(super) enum NoFrame {
    /// The worker has closed the channel, or ended.
    Ended,
    /// The deadline has passed.
    TimedOut,
    /// Somebody asked for the end.
    Stopped,
    /// What came is no frame.
    Nonsense(String),
    /// A large result does not fit into this folder.
    NoRoom(PathBuf, io::Error),
    /// The system's own error.
    Failed(io::Error),
}

/// How long we wait for a frame.
pub(super) struct Patience<'a> {
    pub(super) deadline: Option<Instant>,
    pub(super) stop: &'a Stop,
}

/// Our end of the socket.
#[derive(Debug)]
pub(super) struct Channel {
    stream: UnixStream,
    /// Where there is room for results.
    folder: PathBuf,
}

impl Channel {
    /// `folder` is where large results wait, in files without names.
    pub(super) fn new(stream: UnixStream, folder: &Path) -> io::Result<Self> {
        stream.set_read_timeout(Some(TICK))?;
        Ok(Self {
            stream,
            folder: folder.into(),
        })
    }

    /// Sends one header without buffers.
    pub(super) fn send(&mut self, header: &Value) -> io::Result<()> {
        let header = header.to_string().into_bytes();
        let length = u32::try_from(header.len()).map_err(io::Error::other)?;
        self.stream
            .write_all(&[&length.to_le_bytes(), header.as_slice()].concat())
    }

    /// The next frame. `is_alive` tells whether the worker still runs: a child process that it has
    /// left behind may hold the channel open.
    pub(super) fn receive(
        &mut self,
        patience: &Patience<'_>,
        is_alive: &mut dyn FnMut() -> bool,
    ) -> Result<Frame, NoFrame> {
        let mut source = Patient {
            stream: &self.stream,
            patience,
            is_alive,
        };
        match receive(&mut source, &self.folder) {
            Err(NoFrame::TimedOut) if patience.stop.is_raised() => Err(NoFrame::Stopped),
            other => other,
        }
    }
}

/// A reader that waits until the deadline, as long as the worker lives and nobody asks for the end.
struct Patient<'a> {
    stream: &'a UnixStream,
    patience: &'a Patience<'a>,
    is_alive: &'a mut dyn FnMut() -> bool,
}

impl Patience<'_> {
    fn is_over(&self) -> bool {
        let is_late = |deadline| Instant::now() >= deadline;
        self.stop.is_raised() || self.deadline.is_some_and(is_late)
    }
}

impl Read for Patient<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut was_alive = true;
        loop {
            if self.patience.is_over() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            match self.stream.read(into) {
                Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                // What a worker wrote before its end is read first: only silence after it counts.
                Err(why) if why.kind() == io::ErrorKind::WouldBlock && !was_alive => return Ok(0),
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => {
                    was_alive = (self.is_alive)()
                }
                other => return other,
            }
        }
    }
}

#[derive(Deserialize)]
struct Lengths {
    buffers: Vec<u64>,
}

/// The next frame from any source; `folder` has room for what is large.
pub(super) fn receive(source: &mut impl Read, folder: &Path) -> Result<Frame, NoFrame> {
    let mut length = [0; 4];
    source.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length);
    if length > LONGEST_HEADER {
        return Err(NoFrame::Nonsense(format!("a header of {length} bytes")));
    }
    let header = read_into_memory(source, length.into())?;
    let header: Value = serde_json::from_slice(&header)?;
    let lengths = Lengths::deserialize(&header)?.buffers;
    let total = lengths
        .iter()
        .try_fold(0_u64, |sum, length| sum.checked_add(*length));
    let count = lengths.len();
    if count > MOST_BUFFERS {
        return Err(NoFrame::Nonsense(format!("{count} buffers")));
    }
    if total.is_none_or(|total| total > LONGEST_FRAME) {
        let largest = lengths.iter().max().unwrap_or(&0);
        return Err(NoFrame::Nonsense(format!(
            "{count} buffers of up to {largest} bytes"
        )));
    }
    Ok(Frame {
        buffers: receive_buffers(source, &lengths, folder)?,
        header,
    })
}

fn receive_buffers(
    source: &mut impl Read,
    lengths: &[u64],
    folder: &Path,
) -> Result<Vec<Bytes>, NoFrame> {
    let mut held = 0;
    let mut overflow = None;
    let receive = |length: &u64| {
        if held + length <= HELD {
            held += length;
            return read_into_memory(source, *length).map(Bytes::from);
        }
        let overflow = match &mut overflow {
            Some(overflow) => overflow,
            none => none.insert(Overflow::new(folder)?),
        };
        overflow.take(source, *length)
    };
    lengths.iter().map(receive).collect()
}

/// A file without a name for what is not held in memory: it goes with the last who uses it.
struct Overflow<'a> {
    file: Arc<File>,
    folder: &'a Path,
    length: u64,
}

impl<'a> Overflow<'a> {
    fn new(folder: &'a Path) -> Result<Self, NoFrame> {
        let file = tempfile::tempfile_in(folder);
        Ok(Self {
            file: file
                .map_err(|why| NoFrame::NoRoom(folder.into(), why))?
                .into(),
            folder,
            length: 0,
        })
    }

    fn take(&mut self, source: &mut impl Read, length: u64) -> Result<Bytes, NoFrame> {
        let wanted = usize::try_from(length).map_err(io::Error::other)?;
        let start = self.length;
        let mut piece = vec![0; PIECE.min(wanted)];
        let mut left = wanted;
        while left > 0 {
            let part = &mut piece[..left.min(PIECE)];
            source.read_exact(part)?;
            let written = self.file.as_ref().write_all(part);
            written.map_err(|why| NoFrame::NoRoom(self.folder.into(), why))?;
            left -= part.len();
        }
        self.length += length;
        Ok(Bytes::in_file(Arc::clone(&self.file), start, wanted))
    }
}

/// Exactly `length` bytes; memory that cannot be had is an error, not an abort.
fn read_into_memory(source: &mut impl Read, length: u64) -> Result<Vec<u8>, NoFrame> {
    let out_of_memory = || NoFrame::Failed(io::ErrorKind::OutOfMemory.into());
    let wanted = usize::try_from(length).map_err(|_| out_of_memory())?;
    let mut buffer = Vec::new();
    buffer
        .try_reserve_exact(wanted)
        .map_err(|_| out_of_memory())?;
    source.take(length).read_to_end(&mut buffer)?;
    if buffer.len() < wanted {
        return Err(NoFrame::Ended);
    }
    Ok(buffer)
}

impl From<io::Error> for NoFrame {
    fn from(why: io::Error) -> Self {
        match why.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => Self::Ended,
            io::ErrorKind::TimedOut => Self::TimedOut,
            _ => Self::Failed(why),
        }
    }
}

impl From<serde_json::Error> for NoFrame {
    fn from(why: serde_json::Error) -> Self {
        Self::Nonsense(format!("a header that is no message: {why}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(header: &str, rest: &[u8]) -> Vec<u8> {
        let length = u32::try_from(header.len()).unwrap().to_le_bytes();
        [&length, header.as_bytes(), rest].concat()
    }

    #[test]
    fn buffers_follow_the_header_in_order() {
        let bytes = frame(r#"{"message": "result", "buffers": [2, 0, 1]}"#, b"abc");
        let found = receive(&mut bytes.as_slice(), Path::new(".")).unwrap();
        let texts: Vec<&[u8]> = found
            .buffers
            .iter()
            .map(|buffer| buffer.in_memory().unwrap())
            .collect();
        assert_eq!(texts, [b"ab".as_slice(), b"", b"c"]);
        assert_eq!(found.header["message"], "result");
    }

    #[test]
    fn what_does_not_fit_into_memory_waits_in_a_file_without_a_name() {
        let folder = tempfile::tempdir().unwrap();
        let large = usize::try_from(HELD).unwrap() - 1;
        let mut bytes = frame(
            &format!(r#"{{"buffers": [2, {large}, 3, {large}, 1]}}"#),
            b"ab",
        );
        for (length, letter) in [(large, b'c'), (3, b'd'), (large, b'e'), (1, b'f')] {
            bytes.extend(std::iter::repeat_n(letter, length));
        }
        let found = receive(&mut bytes.as_slice(), folder.path()).unwrap();
        let held = found.buffers.iter().map(|b| b.in_memory().is_some());
        assert!(held.eq([true, false, true, false, true]));
        for (buffer, letter) in found.buffers.iter().zip(b"acdef") {
            let whole = buffer.whole().unwrap();
            assert!(whole[0] == *letter && whole[1..].iter().all(|b| b == letter || *b == b'b'));
        }
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn a_frame_that_breaks_off_is_the_end() {
        for bytes in [
            b"\x05".to_vec(),
            frame(r#"{"buffers": [9]}"#, b"abc"),
            Vec::new(),
        ] {
            assert!(matches!(
                receive(&mut bytes.as_slice(), Path::new(".")),
                Err(NoFrame::Ended)
            ));
        }
    }

    #[test]
    fn what_is_no_frame_is_refused_without_taking_memory() {
        let huge = format!(r#"{{"buffers": [{}, {}]}}"#, u64::MAX, u64::MAX);
        let cases = [
            b"print() into the channel".to_vec(),
            frame("[1, 2", b""),
            frame(r#"{"message": "no lengths"}"#, b""),
            frame(r#"{"buffers": [-1]}"#, b""),
            frame(&huge, b""),
            frame(
                &format!(r#"{{"buffers": [0{}]}}"#, ",0".repeat(MOST_BUFFERS)),
                b"",
            ),
        ];
        for bytes in cases {
            assert!(matches!(
                receive(&mut bytes.as_slice(), Path::new(".")),
                Err(NoFrame::Nonsense(_))
            ));
        }
    }
}
