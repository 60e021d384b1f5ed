//! The thread that is a member of the group: it only hears and tells, so that no merge costs it its membership.

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tracing::error;

use super::positions::Place;
use crate::Result;
use crate::kafka::{Consumer, ConsumerSettings};
use crate::message::Message;

/// How long one look at the broker takes.
const LOOK: Duration = Duration::from_millis(200);
/// How many messages are taken at once.
const AT_ONCE: usize = 500;

/// A member of the group, in a thread of its own. Dropped, it leaves without saying so.
pub(super) struct Hearing {
    done: Sender<Place>,
    thread: JoinHandle<Consumer>,
}

impl Hearing {
    /// Joins the group; what is heard goes through `heard`.
    ///
    /// # Errors
    /// The Kafka library refuses its settings.
    pub(super) fn start<E: Send + 'static>(
        settings: ConsumerSettings,
        heard: Sender<E>,
        event: fn(Result<Vec<Message>>) -> E,
    ) -> Result<Self> {
        let consumer = Consumer::new(settings)?;
        let (done, places) = mpsc::channel();
        let tell = move |messages| heard.send(event(messages)).is_ok();
        let thread = thread::spawn(move || hear(consumer, &places, tell));
        Ok(Self { done, thread })
    }

    /// The group goes on behind this place.
    pub(super) fn store(&self, place: Place) {
        // Where the thread has ended, the message is heard again.
        let _ = self.done.send(place);
    }

    /// Stores what is done and leaves the group.
    pub(super) fn close(self, patience: Duration) {
        drop(self.done);
        match self.thread.join() {
            Ok(consumer) => drop(consumer.close(patience)),
            Err(_) => error!("the thread that hears of fragments has panicked"),
        }
    }
}

/// Until nobody has anything to store any more.
fn hear(
    consumer: Consumer,
    done: &Receiver<Place>,
    tell: impl Fn(Result<Vec<Message>>) -> bool,
) -> Consumer {
    loop {
        match consumer.poll(LOOK, AT_ONCE) {
            Ok(messages) if messages.is_empty() => {}
            heard => {
                let is_over = heard.is_err();
                if !tell(heard) || is_over {
                    return consumer;
                }
            }
        }
        loop {
            match done.try_recv() {
                Ok(place) => consumer.store(&[at(place)]),
                Err(mpsc::TryRecvError::Empty) => break,
                Err(mpsc::TryRecvError::Disconnected) => return consumer,
            }
        }
    }
}

/// All that storing asks for.
fn at((topic, partition, offset): Place) -> Message {
    Message {
        topic,
        partition,
        offset,
        timestamp: -1,
        payload: Vec::new(),
    }
}
