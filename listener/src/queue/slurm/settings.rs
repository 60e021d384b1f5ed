//! What a site can set about its Slurm; the defaults are Maxwell's.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::queue::Clusters;

/// A site's Slurm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlurmSettings {
    /// The cluster of ordinary jobs, which share nodes; empty: no cluster is named to Slurm.
    pub shared_cluster: String,
    /// The cluster of jobs for `cluster=True` variables, which have whole nodes; empty: no cluster is named.
    pub node_cluster: String,
    /// Where a job is if its partition does not say it, and Slurm did not answer with a cluster's name.
    pub other_cluster: String,
    /// Partitions by which a job knows its cluster.
    pub partition_clusters: BTreeMap<String, String>,
    /// The partition of users' jobs for whole nodes, by their netgroup; the first that fits.
    pub netgroups: Vec<Netgroup>,
    /// The partition of all other users; empty: none is named.
    pub other_partition: String,
    /// Further options of `sbatch` for ordinary jobs.
    pub shared_options: Vec<String>,
    /// Further options of `sbatch` for jobs with whole nodes.
    pub node_options: Vec<String>,
    /// `--time` of databases that don't set `slurm_time`.
    pub time: String,
    /// `--cpus-per-task` of databases that don't set `noncluster_cpus`.
    pub cpus: String,
    /// `--mem` of databases that don't set `noncluster_mem`.
    pub memory: String,
    /// Tasks of an array that run at once, of databases that don't set `concurrent_jobs`.
    pub concurrent_jobs: usize,
    /// Tasks of an array; Slurm's `MaxArraySize` is one more.
    pub array_size: usize,
    /// Whether `sacct` knows about jobs that have left the queue.
    pub accounting: bool,
    /// How often Slurm is asked about its jobs.
    #[serde(with = "duration")]
    pub every: Duration,
    /// A job that neither the queue nor the accounts know for so long is lost.
    #[serde(with = "duration")]
    pub gone_after: Duration,
    /// How long one of Slurm's commands may take.
    #[serde(with = "duration")]
    pub patience: Duration,
    /// Slurm's commands: names, or paths.
    pub sbatch: PathBuf,
    /// Tells what is in the queue.
    pub squeue: PathBuf,
    /// Tells what has left it.
    pub sacct: PathBuf,
    /// Takes jobs out of it.
    pub scancel: PathBuf,
    /// Changes jobs that wait in it.
    pub scontrol: PathBuf,
    /// Tells whether a user is in a netgroup.
    pub getent: PathBuf,
}

/// Users who have a partition of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Netgroup {
    /// The netgroup.
    pub name: String,
    /// Its users' partition.
    pub partition: String,
}

impl Default for SlurmSettings {
    fn default() -> Self {
        let netgroup = |name: &str, partition: &str| Netgroup {
            name: name.into(),
            partition: partition.into(),
        };
        Self {
            shared_cluster: "solaris".into(),
            node_cluster: "maxwell".into(),
            other_cluster: "maxwell".into(),
            partition_clusters: [("solcpu".into(), "solaris".into())].into(),
            netgroups: vec![
                netgroup("exfel-wgs-users", "exfel"),
                netgroup("upex-users", "upex"),
            ],
            other_partition: "all".into(),
            shared_options: Vec::new(),
            node_options: Vec::new(),
            time: "02:00:00".into(),
            cpus: "4".into(),
            memory: "25G".into(),
            concurrent_jobs: 15,
            array_size: 1000,
            accounting: true,
            every: Duration::from_secs(10),
            gone_after: Duration::from_secs(120),
            patience: Duration::from_secs(30),
            sbatch: "sbatch".into(),
            squeue: "squeue".into(),
            sacct: "sacct".into(),
            scancel: "scancel".into(),
            scontrol: "scontrol".into(),
            getent: "getent".into(),
        }
    }
}

impl SlurmSettings {
    /// How a job tells its cluster.
    pub fn clusters(&self) -> Clusters {
        Clusters {
            by_partition: self.partition_clusters.clone(),
            other: self.other_cluster.clone(),
        }
    }

    /// Whether Slurm's commands are told a cluster's name.
    pub(super) fn names_clusters(&self) -> bool {
        !self.shared_cluster.is_empty() || !self.node_cluster.is_empty()
    }
}

/// Durations as people write them: `10s`, `2min`.
mod duration {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&humantime::format_duration(*time))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(from)?;
        humantime::parse_duration(&text).map_err(serde::de::Error::custom)
    }
}
