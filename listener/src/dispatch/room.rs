//! How many jobs may be given to queues: per database, and in all.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::ledger::Load;

/// How many jobs queues may have; None: any number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Jobs of one database that run.
    pub running: Option<usize>,
    /// Jobs of one database that wait in a queue.
    pub queued: Option<usize>,
    /// Jobs that run.
    pub running_total: Option<usize>,
    /// Jobs that wait in a queue.
    pub queued_total: Option<usize>,
}

/// How much may be submitted now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    /// So many jobs.
    pub(super) jobs: usize,
    /// So many of them may run at once.
    pub(super) at_once: usize,
}

/// What queues have, of every database.
#[derive(Debug, Default)]
pub(super) struct Loads(BTreeMap<PathBuf, Load>);

impl Loads {
    /// What a database's jobs take now.
    pub(super) fn set(&mut self, database_dir: &Path, load: Load) {
        self.0.insert(database_dir.to_path_buf(), load);
    }

    /// The room that there is for further jobs of a database, at most for `wanted`. It is taken until the next
    /// [`set`](Self::set): others find so much less.
    pub(super) fn grant(
        &mut self,
        database_dir: &Path,
        wanted: usize,
        limits: &Limits,
        slots: Option<usize>,
    ) -> Room {
        let own = self.0.get(database_dir).copied().unwrap_or_default();
        let all = |part: fn(&Load) -> usize| self.0.values().map(part).sum::<usize>();
        let at_once = least([
            left(limits.running, own.at_once),
            left(limits.running_total, all(|load| load.at_once)),
            left(slots, all(|load| load.local)),
        ]);
        let jobs = match slots {
            // They run at once, none waits.
            Some(_) => at_once,
            None => least([
                left(limits.queued, own.queued),
                left(limits.queued_total, all(|load| load.queued)),
                if at_once == 0 { 0 } else { usize::MAX },
            ]),
        };
        let jobs = jobs.min(wanted);
        let at_once = at_once.min(jobs);
        let load = self.0.entry(database_dir.to_path_buf()).or_default();
        load.at_once += at_once;
        match slots {
            Some(_) => load.local += jobs,
            None => load.queued += jobs,
        }
        Room { jobs, at_once }
    }
}

fn left(limit: Option<usize>, taken: usize) -> usize {
    limit.map_or(usize::MAX, |limit| limit.saturating_sub(taken))
}

fn least<const N: usize>(numbers: [usize; N]) -> usize {
    numbers.into_iter().min().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(queued: usize, running: usize) -> Load {
        Load {
            queued,
            running,
            at_once: queued + running,
            local: 0,
        }
    }

    #[test]
    fn without_limits_there_is_room_for_all() {
        let room = Loads::default().grant(Path::new("/a"), 7, &Limits::default(), None);
        assert_eq!((room.jobs, room.at_once), (7, 7));
    }

    #[test]
    fn a_databases_own_limits_and_those_in_all_hold() {
        let limits = Limits {
            queued: Some(10),
            queued_total: Some(12),
            running: Some(5),
            ..Limits::default()
        };
        let mut loads = Loads::default();
        loads.set(Path::new("/a"), load(1, 1));
        let room = loads.grant(Path::new("/a"), 100, &limits, None);
        assert_eq!((room.jobs, room.at_once), (9, 3));
        // What was granted is taken.
        let other = loads.grant(Path::new("/b"), 100, &limits, None);
        assert_eq!((other.jobs, other.at_once), (2, 2));
    }

    #[test]
    fn where_nothing_more_may_run_nothing_more_is_queued() {
        let limits = Limits {
            running: Some(2),
            ..Limits::default()
        };
        let mut loads = Loads::default();
        loads.set(Path::new("/a"), load(0, 2));
        assert_eq!(loads.grant(Path::new("/a"), 9, &limits, None).jobs, 0);
    }

    #[test]
    fn a_machine_has_so_many_slots_for_all_databases() {
        let mut loads = Loads::default();
        let room = loads.grant(Path::new("/a"), 3, &Limits::default(), Some(4));
        assert_eq!(room.jobs, 3);
        let room = loads.grant(Path::new("/b"), 3, &Limits::default(), Some(4));
        assert_eq!(room.jobs, 1);
    }
}
