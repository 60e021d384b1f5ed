//! The thread that publishes what merging has put into the outboxes.

use std::path::PathBuf;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::publisher::Publisher;

/// How often what was delivered and what was not is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// How long the last messages may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// Publishes what is in the outboxes of the folders that are named, until nobody names any more.
pub(super) fn start_telling(mut publisher: Publisher) -> (Sender<PathBuf>, JoinHandle<()>) {
    let (news, folders) = mpsc::channel::<PathBuf>();
    let thread = thread::spawn(move || {
        loop {
            match folders.recv_timeout(LOOK) {
                Ok(folder) => publisher.send_kept(&folder),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            }
            publisher.advance();
        }
        publisher.close(FAREWELL);
    });
    (news, thread)
}
