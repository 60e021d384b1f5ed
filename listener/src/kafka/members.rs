//! Says who else is in the group: what is on their partitions never comes here.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::groups::GroupInfo;
use tracing::{debug, info, warn};

use super::PATIENCE;
use crate::excerpt::excerpt;

/// By this our own members are known, unless a site says otherwise.
pub(super) const CLIENT_ID: &str = "runledger";

/// Time between two tries to ask it.
const AGAIN: Duration = Duration::from_secs(10);

/// Who is in the group, as far as it was said.
#[derive(Debug)]
pub(super) struct Members {
    group: String,
    /// When the broker is to be asked: the partitions were given out anew, so others may have come or gone.
    due: Mutex<Option<Instant>>,
    told: Mutex<Vec<String>>,
}

impl Members {
    pub(super) fn of(group: &str) -> Self {
        Self {
            group: group.into(),
            due: Mutex::default(),
            told: Mutex::default(),
        }
    }

    /// The partitions were given out anew.
    pub(super) fn changed(&self) {
        self.look_at(Instant::now());
    }

    fn look_at(&self, when: Instant) {
        *self.due.lock().unwrap_or_else(PoisonError::into_inner) = Some(when);
    }

    fn is_due(&self) -> bool {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        due.take_if(|when| *when <= Instant::now()).is_some()
    }

    /// Asks the broker, until it has answered after each change.
    pub(super) fn look<C: ConsumerContext>(&self, consumer: &BaseConsumer<C>) {
        if !self.is_due() {
            return;
        }
        match consumer.fetch_group_list(Some(&self.group), PATIENCE) {
            Ok(groups) => groups.groups().iter().for_each(|group| self.tell(group)),
            Err(why) => {
                debug!(target: "kafka", group = self.group, "who else is in it is not known: {why}");
                self.look_at(Instant::now() + AGAIN);
            }
        }
    }

    fn tell(&self, group: &GroupInfo) {
        let all = group.members().iter();
        let all = all.map(|member| (member.client_id(), member.client_host()));
        let others = others(all.collect());
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if *told == others {
            return;
        }
        let (group, is_ours) = (&self.group, |other: &String| other.starts_with(CLIENT_ID));
        let names = others.join(", ");
        let names = excerpt(&names);
        match others.iter().all(is_ours) {
            _ if others.is_empty() => {
                info!(target: "kafka", group, "nobody else is in the group any more")
            }
            true => info!(target: "kafka", group, "shares the group with {names}"),
            false => warn!(
                target: "kafka", group,
                "another program is in the group: {names}. What is on its partitions does not come here"
            ),
        }
        *told = others;
    }
}

/// All but one of ours, with where they are.
fn others(mut all: Vec<(&str, &str)>) -> Vec<String> {
    if let Some(own) = all.iter().position(|(client, _)| *client == CLIENT_ID) {
        all.remove(own);
    }
    let mut others: Vec<String> = all
        .iter()
        .map(|(client, host)| format!("{client} at {}", host.trim_start_matches('/')))
        .collect();
    others.sort_unstable();
    others
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_of_ours_one_is_this_one() {
        let (ours, theirs) = ((CLIENT_ID, "/10.0.0.1"), ("kafka-python-2", "/10.0.0.2"));
        assert!(others(vec![ours]).is_empty());
        assert_eq!(
            others(vec![ours, theirs, ours]),
            ["kafka-python-2 at 10.0.0.2", "runledger at 10.0.0.1"]
        );
    }
}
