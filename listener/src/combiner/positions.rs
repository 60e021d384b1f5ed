//! Which messages are done with: the group's position moves behind what is done without a gap.

use std::collections::BTreeMap;

use crate::message::Message;

/// Topic and partition, and the place in it.
pub(super) type Place = (String, i32, i64);

/// The messages that were heard and whose position is not stored yet.
#[derive(Debug, Default)]
pub(super) struct Positions {
    /// Topic and partition → offset → whether it is done with.
    open: BTreeMap<(String, i32), BTreeMap<i64, bool>>,
}

impl Positions {
    /// A message was heard.
    pub(super) fn heard(&mut self, message: &Message) -> Place {
        let partition = (message.topic.clone(), message.partition);
        let offsets = self.open.entry(partition).or_default();
        offsets.insert(message.offset, false);
        (message.topic.clone(), message.partition, message.offset)
    }

    /// It is done with. Returns the place that the group can go on behind now, if that has moved.
    pub(super) fn done(&mut self, (topic, partition, offset): Place) -> Option<Place> {
        let offsets = self.open.get_mut(&(topic.clone(), partition))?;
        offsets.insert(offset, true);
        let mut last = None;
        while let Some(first) = offsets.first_entry().filter(|first| *first.get()) {
            last = Some(first.remove_entry().0);
        }
        last.map(|last| (topic, partition, last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_position_moves_behind_what_is_done_without_a_gap() {
        let mut positions = Positions::default();
        let mut hear = |offset| {
            positions.heard(&Message {
                topic: "t".into(),
                partition: 0,
                offset,
                timestamp: 0,
                payload: Vec::new(),
            })
        };
        let places: Vec<Place> = (3..6).map(&mut hear).collect();
        let mut done = |at: usize| positions.done(places[at].clone()).map(|place| place.2);
        assert_eq!(done(1), None);
        assert_eq!(done(0), Some(4));
        assert_eq!(done(2), Some(5));
    }
}
