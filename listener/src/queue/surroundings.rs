//! Where a job finds itself: in a queue's job, or in a plain process.

use std::collections::BTreeMap;

/// What the queue has told a job about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The job's name there, as `squeue` prints it: `123`, `123_4`; None: a plain process.
    pub queue_id: Option<String>,
    /// The cluster; None: a plain process.
    pub cluster: Option<String>,
    /// How often the queue has begun this job again.
    pub restarts: u32,
}

/// How a job tells its cluster: the variable that should say so is `(null)` at some sites.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Clusters {
    /// Partitions that are known to be a cluster's.
    pub by_partition: BTreeMap<String, String>,
    /// The cluster of all others; empty: what Slurm says.
    pub other: String,
}

impl Surroundings {
    /// What Slurm says in this process's environment.
    pub fn here(clusters: &Clusters) -> Self {
        Self::of(clusters, |name| {
            std::env::var(name).ok().filter(|value| !value.is_empty())
        })
    }

    fn of(clusters: &Clusters, get: impl Fn(&str) -> Option<String>) -> Self {
        let Some(job) = get("SLURM_JOB_ID") else {
            return Self::default();
        };
        let array = get("SLURM_ARRAY_JOB_ID").zip(get("SLURM_ARRAY_TASK_ID"));
        let partition = get("SLURM_JOB_PARTITION").unwrap_or_default();
        let cluster = match clusters.by_partition.get(&partition) {
            Some(cluster) => Some(cluster.clone()),
            None if clusters.other.is_empty() => get("SLURM_CLUSTER_NAME"),
            None => Some(clusters.other.clone()),
        };
        Self {
            queue_id: Some(array.map_or(job, |(job, task)| format!("{job}_{task}"))),
            cluster: Some(cluster.unwrap_or_default()),
            restarts: get("SLURM_RESTART_COUNT")
                .and_then(|count| count.parse().ok())
                .unwrap_or(0),
        }
    }

    /// The queue's name in the ledger.
    pub fn queue(&self) -> &'static str {
        match self.queue_id {
            Some(_) => "slurm",
            None => "local",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(variables: &[(&str, &str)]) -> Surroundings {
        let clusters = Clusters {
            by_partition: [("solcpu".into(), "solaris".into())].into(),
            other: "maxwell".into(),
        };
        Surroundings::of(&clusters, |name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_plain_process_has_no_queue() {
        assert_eq!(seen(&[]), Surroundings::default());
        assert_eq!(seen(&[]).queue(), "local");
    }

    #[test]
    fn the_partition_tells_the_cluster() {
        let job = ("SLURM_JOB_ID", "12");
        let on = |partition| seen(&[job, ("SLURM_JOB_PARTITION", partition)]);
        assert_eq!(on("solcpu").cluster.as_deref(), Some("solaris"));
        assert_eq!(on("upex").cluster.as_deref(), Some("maxwell"));
        assert_eq!(on("upex").queue_id.as_deref(), Some("12"));
    }

    #[test]
    fn a_task_is_named_as_squeue_prints_it() {
        let task = seen(&[
            ("SLURM_JOB_ID", "15"),
            ("SLURM_ARRAY_JOB_ID", "12"),
            ("SLURM_ARRAY_TASK_ID", "3"),
            ("SLURM_RESTART_COUNT", "2"),
        ]);
        assert_eq!(task.queue_id.as_deref(), Some("12_3"));
        assert_eq!(task.restarts, 2);
    }
}
