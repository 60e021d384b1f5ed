//! The site's configuration: one `runledger.toml`, with a default for everything in it.
//!
//! Which file: `--config`, else `$RUNLEDGER_CONFIG`, else `runledger.toml` in the folder at work, else none.
//! A setting in the environment (`AMORE_BROKER`, `XFEL_DATA_ROOT`, `EXTRA_DATA_DATA_ROOT`) wins over the file.

mod check;
mod exposed;
mod memory;
mod read;

use std::path::{Path, PathBuf};
use std::time::Duration;

use runledger_listener::dispatch::{DispatchSettings, Limits};
use runledger_listener::job_end::Retries;
use runledger_listener::kafka::Properties;
use runledger_listener::queue::{SlurmSettings, WRAPPER_VARIABLE};
use runledger_listener::settings::{DataSettings, NotificationSettings, Profile};
use serde::{Deserialize, Serialize};

pub(crate) use check::problems;
pub(crate) use exposed::exposed;
pub(crate) use memory::Memory;
pub(crate) use read::{all_problems, load, settled};

/// The file's name where no other is given.
pub(crate) const FILE_NAME: &str = "runledger.toml";
/// The environment variable that names the file.
pub(crate) const FILE_VARIABLE: &str = "RUNLEDGER_CONFIG";

/// Everything that a site can set.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Which set of built-in defaults: `maxwell` or `onc`.
    pub(crate) profile: Profile,
    /// Where word of new runs comes from.
    pub(crate) notifications: NotificationSettings,
    /// Where we tell others what is new.
    pub(crate) updates: UpdateSettings,
    /// Where the facility keeps its runs.
    pub(crate) data: DataSettings,
    /// How context files are evaluated.
    pub(crate) context: ContextSettings,
    /// The jobs.
    pub(crate) jobs: JobSettings,
    /// The site's Slurm.
    pub(crate) slurm: SlurmSettings,
    /// What keeps context files to what they need.
    pub(crate) sandbox: runledger_sandbox::Settings,
    /// Numbers for a monitor.
    pub(crate) monitor: MonitorSettings,
}

/// Numbers for a monitor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MonitorSettings {
    /// `host:port` at which Prometheus may ask; empty: nowhere.
    pub(crate) address: String,
}

/// Where we publish updates and file submissions.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateSettings {
    /// `host:port`, or `none` to publish nothing.
    pub(crate) broker: String,
    /// librdkafka properties (TLS, SASL, …), passed on as they are.
    pub(crate) properties: Properties,
}

impl UpdateSettings {
    /// The broker, unless there is to be none.
    pub(crate) fn broker(&self) -> Option<String> {
        (self.broker != "none").then(|| self.broker.clone())
    }
}

/// How context files are evaluated.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContextSettings {
    /// The interpreter of databases that name none in `context_python`.
    pub(crate) python: PathBuf,
    /// `module:function` that opens a run instead of `extra_data.open_run`; empty: extra_data.
    pub(crate) opener: String,
}

/// The jobs that evaluate runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobSettings {
    /// Where they run.
    pub(crate) queue: QueueChoice,
    /// How often a job is tried again that failed through no fault of its own; ten times as often if it never began.
    pub(crate) retries: u32,
    /// At most so many jobs of a database run at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max_running: Option<usize>,
    /// At most so many jobs of a database wait in the queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max_queued: Option<usize>,
    /// At most so many jobs run at once, of all databases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max_running_total: Option<usize>,
    /// At most so many jobs wait in the queue, of all databases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max_queued_total: Option<usize>,
    /// At most this many at once on this machine.
    pub(crate) local_limit: usize,
    /// A job that takes longer is ended; what it has finished by then is kept.
    #[serde(with = "humantime_serde")]
    pub(crate) time_limit: Duration,
    /// A variable that takes longer is ended, and the job goes on with the others.
    #[serde(
        default,
        with = "humantime_serde",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) variable_time_limit: Option<Duration>,
    /// So many variables of a job are evaluated at once, in forks; 1: one after the other.
    #[serde(default = "one")]
    pub(crate) context_workers: usize,
    /// So long a Python that has imported everything waits for a database's next job; zero: none does.
    #[serde(default, with = "humantime_serde")]
    pub(crate) warm_python: Duration,
    /// What the data of each of a job's Python processes may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) memory: Option<Memory>,
}

/// Where jobs run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum QueueChoice {
    /// On a cluster.
    Slurm,
    /// On this machine.
    Local,
}

fn one() -> usize {
    1
}

impl JobSettings {
    /// How they are submitted.
    pub(crate) fn dispatch(&self) -> DispatchSettings {
        DispatchSettings {
            retries: Retries {
                limit: self.retries,
                ..Retries::default()
            },
            limits: Limits {
                running: self.max_running,
                queued: self.max_queued,
                running_total: self.max_running_total,
                queued_total: self.max_queued_total,
            },
            concurrent: None,
            local: Some(self.local_limit),
        }
    }

    /// The limit of each variable; zero is none.
    pub(crate) fn variable_time_limit(&self) -> Option<Duration> {
        self.variable_time_limit.filter(|limit| !limit.is_zero())
    }

    /// How long a Python may wait for the next job. On a cluster the next one is elsewhere.
    pub(crate) fn keep_python(&self) -> Option<Duration> {
        let is_cluster = std::env::var_os("SLURM_JOB_ID").is_some();
        (!is_cluster && !self.warm_python.is_zero()).then_some(self.warm_python)
    }

    /// The limit for a job that runs here, in bytes: what is set, or what the queue gave to the job.
    pub(crate) fn memory(&self) -> Option<u64> {
        let given = || std::env::var("SLURM_MEM_PER_NODE").ok()?.parse().ok();
        self.memory
            .map(|Memory(bytes)| bytes)
            .or_else(|| given().map(|mib: u64| mib << 20))
    }
}

impl Config {
    /// The defaults of a profile.
    pub(crate) fn of(profile: Profile) -> Self {
        Self {
            profile,
            notifications: NotificationSettings::of(profile),
            updates: UpdateSettings {
                broker: "exflwgs06.desy.de:9091".into(),
                properties: Properties::new(),
            },
            data: DataSettings::default(),
            context: ContextSettings {
                python: "python3".into(),
                opener: String::new(),
            },
            jobs: JobSettings {
                queue: QueueChoice::Slurm,
                retries: Retries::default().limit,
                max_running: None,
                max_queued: None,
                max_running_total: None,
                max_queued_total: None,
                local_limit: half_the_cores(),
                time_limit: Duration::from_secs(2 * 3600),
                variable_time_limit: None,
                context_workers: one(),
                warm_python: Duration::ZERO,
                memory: None,
            },
            slurm: SlurmSettings::default(),
            sandbox: Default::default(),
            monitor: MonitorSettings::default(),
        }
    }

    /// What the environment says on top of the file.
    fn with_environment(mut self, get: impl Fn(&str) -> Option<String>) -> Self {
        if let Some(broker) = get("AMORE_BROKER") {
            self.updates.broker = broker;
        }
        if let Some(wrapper) = get(WRAPPER_VARIABLE) {
            // The listener that has started this job demands it.
            self.sandbox.wrapper = wrapper;
        }
        self.data = self.data.with_environment(get);
        self
    }
}

/// A variable of this process's environment; an empty one says nothing.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Half of this machine's cores, at least one and at most ten, as DAMNIT does.
fn half_the_cores() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (cores / 2).clamp(1, 10)
}

/// The file to read, if any: the one asked for, or the one in `dir`.
pub(crate) fn file(asked: Option<&Path>, dir: &Path) -> Option<PathBuf> {
    let named = asked.map(Path::to_path_buf).or_else(|| {
        std::env::var_os(FILE_VARIABLE)
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    });
    // Whoever reads it says what it is, if it is no file.
    let is_there = |path: &PathBuf| path.symlink_metadata().is_ok();
    named.or_else(|| Some(dir.join(FILE_NAME)).filter(is_there))
}
