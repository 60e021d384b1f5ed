//! Notices that the machine's clock was set back: the Kafka library's threads wait until times of day, and would wait for
//! hours.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// How often the clock is looked at, and a step back that is too small to wait for.
const LOOK: Duration = Duration::from_secs(2);

/// Has `tell` called, in a thread of its own, each time that the clock was set back, as long as the client lives.
pub(super) fn watch_clock<T: Send + Sync + 'static>(
    client: &Arc<T>,
    tell: impl Fn(&T) + Send + 'static,
) {
    let client = Arc::downgrade(client);
    thread::spawn(move || {
        let mut clock = Clock::now();
        while client.strong_count() > 0 {
            thread::sleep(LOOK);
            let before = std::mem::replace(&mut clock, Clock::now());
            if clock.was_set_back_since(&before)
                && let Some(client) = client.upgrade()
            {
                tell(&client);
            }
        }
    });
}

/// A moment by the clock that people set, and by the one that only runs.
struct Clock {
    time: SystemTime,
    instant: Instant,
}

impl Clock {
    fn now() -> Self {
        Self {
            time: SystemTime::now(),
            instant: Instant::now(),
        }
    }

    fn was_set_back_since(&self, before: &Self) -> bool {
        let passed = self.instant.saturating_duration_since(before.instant);
        self.time + LOOK < before.time + passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_step_back_counts() {
        let before = Clock::now();
        let after = |ahead: u64, back: u64| Clock {
            time: before.time + Duration::from_secs(ahead) - Duration::from_secs(back),
            instant: before.instant + Duration::from_secs(10),
        };
        let was_set_back = |clock: Clock| clock.was_set_back_since(&before);
        assert!(!was_set_back(after(10, 0)) && !was_set_back(after(9, 0)));
        assert!(!was_set_back(after(3600, 0)));
        assert!(was_set_back(after(10, 3600)) && was_set_back(after(0, 0)));
    }
}
