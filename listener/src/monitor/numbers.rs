//! The numbers themselves, kept by whoever knows them and read at any time.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::Error;
use runledger_storage::Error as StorageError;

/// A label and its value.
type Label = [(&'static str, String); 1];
type Gauges<const N: usize> = Family<[(&'static str, String); N], Gauge>;
type Counters = Family<Label, Counter>;
type Histograms = Family<Label, Histogram, fn() -> Histogram>;

/// How far the group is behind, in messages: `(topic, partition, messages)`.
pub type Lag = Vec<(String, i32, i64)>;

/// In seconds, from a trivial context file to a job's usual time limit.
const DURATIONS: [f64; 12] = [
    1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0,
];

/// A listener's numbers. A clone has the same ones.
#[derive(Debug, Clone)]
pub struct Numbers {
    registry: Arc<Registry>,
    lag: Gauges<2>,
    missed: Counter,
    inbox: Gauge,
    oldest: Gauge<f64, AtomicU64>,
    dead: Gauge,
    events: Counters,
    retries: Counters,
    jobs: Jobs,
}

/// The numbers of jobs, kept by whoever hands them to a queue.
#[derive(Debug, Clone)]
pub struct Jobs {
    now: Gauges<1>,
    durations: Histograms,
    troubles: Family<[(&'static str, String); 2], Counter>,
}

impl Numbers {
    /// All of them, with those of jobs that somebody else keeps.
    pub fn with(jobs: Jobs) -> Self {
        let mut numbers = Self {
            registry: Arc::default(),
            lag: Family::default(),
            missed: Counter::default(),
            inbox: Gauge::default(),
            oldest: Gauge::default(),
            dead: Gauge::default(),
            events: Family::default(),
            retries: Family::default(),
            jobs,
        };
        numbers.registry = Arc::new(numbers.registered());
        numbers
    }
}

impl Default for Numbers {
    fn default() -> Self {
        Self::with(Jobs::default())
    }
}

impl Default for Jobs {
    fn default() -> Self {
        Self {
            now: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(DURATIONS)),
            troubles: Family::default(),
        }
    }
}

impl Numbers {
    /// Everything as a monitor reads it.
    fn registered(&self) -> Registry {
        let mut all = Registry::with_prefix("runledger");
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        all.register("build", "The program at work", version);
        all.register(
            "consumer_lag",
            "Messages that the group has not read yet",
            self.lag.clone(),
        );
        all.register(
            "missed",
            "Messages that the broker removed before they were read",
            self.missed.clone(),
        );
        all.register(
            "inbox",
            "Notifications to which something is still to be done",
            self.inbox.clone(),
        );
        all.register_with_unit(
            "inbox_oldest",
            "For how long the oldest of these has waited",
            Unit::Seconds,
            self.oldest.clone(),
        );
        all.register(
            "dead_letters",
            "Messages that could not be understood",
            self.dead.clone(),
        );
        all.register(
            "events",
            "Notifications by what followed",
            self.events.clone(),
        );
        all.register(
            "retries",
            "Notifications put off, by what was wrong",
            self.retries.clone(),
        );
        all.register("jobs", "Unfinished jobs by state", self.jobs.now.clone());
        all.register_with_unit(
            "job_duration",
            "How long jobs took, by how they ended",
            Unit::Seconds,
            self.jobs.durations.clone(),
        );
        all.register(
            "queue_errors",
            "Submissions that a queue refused, and times that it did not answer",
            self.jobs.troubles.clone(),
        );
        all
    }

    /// The text that Prometheus reads (OpenMetrics 1.0).
    ///
    /// # Errors
    /// None that is known: formatting into a text.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }

    /// Of the jobs.
    pub fn jobs(&self) -> &Jobs {
        &self.jobs
    }

    /// How far the group is behind, in each partition that this listener reads.
    pub(crate) fn set_lag(&self, lag: &Lag) {
        self.lag.clear();
        for (topic, partition, messages) in lag {
            let labels = [
                ("topic", topic.clone()),
                ("partition", partition.to_string()),
            ];
            self.lag.get_or_create(&labels).set(*messages);
        }
    }

    /// So many messages more were removed by the broker before they were read.
    pub(crate) fn missed(&self, messages: u64) {
        self.missed.inc_by(messages);
    }

    /// How many notifications wait, the oldest for how long; and how many dead letters there are.
    pub(crate) fn set_inbox(&self, depth: u32, oldest: Duration, dead: u32) {
        self.inbox.set(depth.into());
        self.oldest.set(oldest.as_secs_f64());
        self.dead.set(dead.into());
    }

    /// Something followed from notifications: `job`, `coalesced`, `known`, `nothing` or `dead`.
    pub(crate) fn event(&self, followed: &'static str) {
        let label = [("followed", followed.to_owned())];
        self.events.get_or_create(&label).inc();
    }

    /// So many notifications were put off for this reason.
    pub(crate) fn retries(&self, why: &Error, notifications: usize) {
        let label = [("reason", reason(why).to_owned())];
        self.retries
            .get_or_create(&label)
            .inc_by(notifications as u64);
    }
}

impl Jobs {
    /// So many jobs are in this state now.
    pub fn set(&self, state: &str, jobs: usize) {
        let label = [("state", state.to_owned())];
        let jobs = i64::try_from(jobs).unwrap_or(i64::MAX);
        self.now.get_or_create(&label).set(jobs);
    }

    /// A queue has `refused` a submission, or is `silent`.
    pub fn trouble(&self, queue: &str, trouble: &str) {
        let labels = [("queue", queue.to_owned()), ("error", trouble.to_owned())];
        self.troubles.get_or_create(&labels).inc();
    }

    /// A job has ended in this state, having run for so long.
    pub fn ended(&self, state: &str, took: Duration) {
        let label = [("state", state.to_owned())];
        self.durations
            .get_or_create(&label)
            .observe(took.as_secs_f64());
    }
}

/// Few words, so that a monitor can count by them.
fn reason(why: &Error) -> &'static str {
    match why {
        Error::Storage(StorageError::DatabaseBusy { .. }) => "locked",
        Error::Storage(StorageError::NoDatabase { .. }) => "no database",
        Error::Storage(StorageError::DatabaseFull { .. }) => "disk full",
        Error::Storage(StorageError::DatabaseReadOnly { .. }) => "read-only",
        Error::Storage(_) => "database",
        Error::Ledger { .. } => "ledger",
        Error::Queue(_) => "queue",
        Error::NoDataRoot(_) => "no data root",
        Error::Resting { .. } => "left alone",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_monitor_reads_every_number_with_its_labels() {
        let numbers = Numbers::default();
        numbers.set_lag(&vec![("test.r2d2".into(), 0, 12)]);
        numbers.missed(6);
        numbers.set_inbox(3, Duration::from_millis(1500), 2);
        numbers.event("job");
        numbers.retries(&Error::Queue("full".into()), 4);
        numbers.jobs().set("running", 5);
        numbers.jobs().ended("finished", Duration::from_secs(7));
        numbers.jobs().trouble("slurm", "silent");
        let text = numbers.text().unwrap();
        for line in [
            "runledger_queue_errors_total{queue=\"slurm\",error=\"silent\"} 1",
            concat!(
                "runledger_build_info{version=\"",
                env!("CARGO_PKG_VERSION"),
                "\"} 1"
            ),
            "runledger_consumer_lag{topic=\"test.r2d2\",partition=\"0\"} 12",
            "runledger_missed_total 6",
            "runledger_inbox 3",
            "runledger_inbox_oldest_seconds 1.5",
            "runledger_dead_letters 2",
            "runledger_events_total{followed=\"job\"} 1",
            "runledger_retries_total{reason=\"queue\"} 4",
            "runledger_jobs{state=\"running\"} 5",
            "runledger_job_duration_seconds_sum{state=\"finished\"} 7.0",
            "runledger_job_duration_seconds_bucket{le=\"5.0\",state=\"finished\"} 0",
            "runledger_job_duration_seconds_bucket{le=\"10.0\",state=\"finished\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn a_partition_that_went_to_another_member_has_no_lag_here() {
        let numbers = Numbers::default();
        numbers.set_lag(&vec![("t".into(), 0, 12)]);
        numbers.set_lag(&vec![("t".into(), 1, 3)]);
        let text = numbers.text().unwrap();
        assert!(!text.contains("partition=\"0\""), "{text}");
    }
}
