//! Which jobs go to a queue together: a plain decision about values.

use super::room::Room;
use crate::job::Job;

/// Jobs that go together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    /// At least one, all for the same kind of node.
    pub(super) jobs: Vec<Job>,
    /// So many of them run at once; None: a lone job.
    pub(super) width: Option<u32>,
}

/// A lone job goes alone; several go as arrays of at most `array_size`, of which `concurrent` tasks run at once.
/// Jobs for cluster nodes and others don't mix.
pub(super) fn gather(
    jobs: Vec<Job>,
    room: Room,
    array_size: usize,
    concurrent: usize,
) -> Vec<Group> {
    let jobs = jobs.into_iter().take(room.jobs);
    let (cluster, shared): (Vec<Job>, Vec<Job>) = jobs.partition(|job| job.request.cluster);
    let mut at_once = room.at_once;
    let mut groups = Vec::new();
    for jobs in [shared, cluster] {
        let width = concurrent.min(at_once).min(jobs.len());
        let added = arrays(jobs, width, array_size);
        at_once -= width;
        groups.extend(added);
    }
    groups
}

fn arrays(jobs: Vec<Job>, width: usize, array_size: usize) -> Vec<Group> {
    if width == 0 {
        return Vec::new();
    }
    let group = |jobs: &[Job]| Group {
        width: (jobs.len() > 1).then(|| u32::try_from(width.min(jobs.len())).unwrap_or(u32::MAX)),
        jobs: jobs.to_vec(),
    };
    jobs.chunks(array_size.max(1)).map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Request;
    use runledger_context::run::{RunData, RunId};

    const ALL: Room = Room {
        jobs: usize::MAX,
        at_once: usize::MAX,
    };

    fn jobs(count: u32, cluster: bool) -> Vec<Job> {
        let request = Request {
            cluster,
            ..Request::default()
        };
        let job = |run| {
            Job::new(
                RunId::new(1, run),
                RunData::Raw,
                "/db".into(),
                request.clone(),
            )
        };
        (1..=count).map(job).collect()
    }

    fn shape(groups: &[Group]) -> Vec<(usize, Option<u32>)> {
        groups
            .iter()
            .map(|group| (group.jobs.len(), group.width))
            .collect()
    }

    #[test]
    fn one_goes_alone_and_many_as_arrays_of_bounded_size() {
        assert_eq!(shape(&gather(jobs(1, false), ALL, 1000, 15)), [(1, None)]);
        assert_eq!(
            shape(&gather(jobs(2500, false), ALL, 1000, 15)),
            [(1000, Some(15)), (1000, Some(15)), (500, Some(15))]
        );
        assert_eq!(
            shape(&gather(jobs(2, false), ALL, 1000, 15)),
            [(2, Some(2))]
        );
    }

    #[test]
    fn cluster_jobs_go_by_themselves() {
        let mixed = jobs(3, false).into_iter().chain(jobs(2, true)).collect();
        let groups = gather(mixed, ALL, 1000, 15);
        assert_eq!(shape(&groups), [(3, Some(3)), (2, Some(2))]);
        assert!(groups[1].jobs.iter().all(|job| job.request.cluster));
    }

    #[test]
    fn no_more_run_at_once_than_there_is_room_for() {
        let room = Room {
            jobs: 40,
            at_once: 6,
        };
        assert_eq!(
            shape(&gather(jobs(50, false), room, 1000, 15)),
            [(40, Some(6))]
        );
        let none = Room {
            jobs: 40,
            at_once: 0,
        };
        assert!(gather(jobs(50, false), none, 1000, 15).is_empty());
    }

    #[test]
    fn a_queue_without_arrays_gets_one_after_the_other() {
        let room = Room {
            jobs: 2,
            at_once: 2,
        };
        assert_eq!(
            shape(&gather(jobs(5, false), room, 1, 15)),
            [(1, None), (1, None)]
        );
    }
}
