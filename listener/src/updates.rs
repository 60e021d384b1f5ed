//! What we tell others through Kafka: the messages of DAMNIT's clients and combiner, field for field.

use std::collections::BTreeMap;
use std::path::Path;

use runledger_context::run::{Proposal, RunData, RunId, RunNumber};
use serde::Serialize;
use serde_json::Value;

use crate::job::Job;
use crate::queue::{Surroundings, Ticket, host_name, user_name};

/// The topic on which fragments are announced.
pub const FILE_SUBMISSIONS: &str = "test.damnit.file_submissions";

/// A message that clients know. It is idempotent: heard twice, it changes nothing.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "msg_kind", content = "data", rename_all = "snake_case")]
pub enum Update {
    /// A variable is new or has changed.
    VariableSet(VariableSet),
    /// A job waits or runs.
    ProcessingStateSet(ProcessingState),
    /// A job has ended, however.
    ProcessingFinished {
        /// The job.
        processing_id: String,
    },
    /// A run has new values in the run table; they are to be read there.
    RunValuesUpdated {
        /// The run's proposal.
        proposal: Proposal,
        /// The run's number.
        run: RunNumber,
        /// Name → nothing.
        values: BTreeMap<String, ()>,
    },
    /// A fragment is complete and wants merging.
    FileSubmission {
        /// The database's folder.
        damnit_dir: String,
        /// The fragment.
        new_file: String,
        /// The run's proposal.
        proposal: Proposal,
        /// The run's number.
        run: RunNumber,
        /// Who made it.
        computed_by: Origin,
    },
}

/// A variable, as the window lists it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VariableSet {
    /// Its name.
    pub name: String,
    /// Its title.
    pub title: String,
    /// What it is.
    pub description: Option<String>,
    /// Its tags.
    pub tags: Option<Vec<String>>,
    /// Always null.
    pub attributes: Option<()>,
    /// Null: computed from the context file.
    #[serde(rename = "type")]
    pub kind: Option<String>,
}

/// A job, as the window shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProcessingState {
    /// The job.
    pub processing_id: String,
    /// The run's proposal.
    pub proposal: Proposal,
    /// The run's number.
    pub run: RunNumber,
    /// The part of its data.
    pub data: RunData,
    /// `PENDING` or `RUNNING`.
    pub status: &'static str,
    /// Where it runs; empty while it waits.
    pub hostname: String,
    /// Who runs it; empty while it waits.
    pub username: String,
    /// Null on this machine.
    pub slurm_cluster: Option<String>,
    /// Empty on this machine.
    pub slurm_job_id: String,
}

impl ProcessingState {
    fn of(job: &Job, status: &'static str) -> Self {
        Self {
            processing_id: job.processing_id.clone(),
            proposal: job.run.proposal,
            run: job.run.number,
            data: job.data,
            status,
            hostname: String::new(),
            username: String::new(),
            slurm_cluster: None,
            slurm_job_id: String::new(),
        }
    }
}

/// Who made a fragment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Origin {
    /// The host.
    pub hostname: String,
    /// The account.
    pub username: String,
}

impl Update {
    /// The job waits: on this machine, or for a cluster that has given it a name.
    pub fn pending(job: &Job, ticket: Option<&Ticket>) -> Self {
        Self::ProcessingStateSet(ProcessingState {
            slurm_cluster: ticket.map(|ticket| ticket.cluster.clone().unwrap_or_default()),
            slurm_job_id: ticket.map(|ticket| ticket.id.clone()).unwrap_or_default(),
            ..ProcessingState::of(job, "PENDING")
        })
    }

    /// The job runs, here.
    pub fn running(job: &Job, surroundings: &Surroundings) -> Self {
        Self::ProcessingStateSet(ProcessingState {
            hostname: host_name(),
            username: user_name(),
            slurm_cluster: surroundings.cluster.clone(),
            slurm_job_id: surroundings.queue_id.clone().unwrap_or_default(),
            ..ProcessingState::of(job, "RUNNING")
        })
    }

    /// The job has ended.
    pub fn finished(job: &Job) -> Self {
        Self::ProcessingFinished {
            processing_id: job.processing_id.clone(),
        }
    }

    /// A run has new values.
    pub fn values<'a>(run: RunId, names: impl IntoIterator<Item = &'a str>) -> Self {
        Self::RunValuesUpdated {
            proposal: run.proposal,
            run: run.number,
            values: names
                .into_iter()
                .map(|name| (name.to_owned(), ()))
                .collect(),
        }
    }

    /// A fragment made here wants merging.
    pub fn submission(database_dir: &Path, fragment: &Path, run: RunId) -> Self {
        Self::FileSubmission {
            damnit_dir: database_dir.to_string_lossy().into_owned(),
            new_file: fragment.to_string_lossy().into_owned(),
            proposal: run.proposal,
            run: run.number,
            computed_by: Origin {
                hostname: host_name(),
                username: user_name(),
            },
        }
    }

    /// The message as it travels.
    pub fn payload(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts, numbers and nulls are JSON")
    }
}

/// The message that a run has new values as two, each with half of the names; None for one of a single name, and for
/// all others.
pub(crate) fn halves(payload: &[u8]) -> Option<[Vec<u8>; 2]> {
    let mut first: Value = serde_json::from_slice(payload).ok()?;
    let values = first.pointer("/data/values")?.as_object()?;
    let mut names: Vec<String> = values.keys().cloned().collect();
    if names.len() < 2 || first["msg_kind"] != "run_values_updated" {
        return None;
    }
    names.sort_unstable();
    let middle = &names[names.len() / 2];
    let mut second = first.clone();
    retain(&mut first, |name| name < middle.as_str());
    retain(&mut second, |name| name >= middle.as_str());
    Some([first, second].map(|half| half.to_string().into_bytes()))
}

fn retain(update: &mut Value, is_wanted: impl Fn(&str) -> bool) {
    if let Some(values) = update["data"]["values"].as_object_mut() {
        values.retain(|name, _| is_wanted(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Request;
    use serde_json::json;

    fn job() -> Job {
        let mut job = Job::new(
            RunId::new(1234, 7),
            RunData::Proc,
            "/db".into(),
            Request::default(),
        );
        job.processing_id = "some-id".into();
        job
    }

    fn json_of(update: &Update) -> Value {
        serde_json::from_slice(&update.payload()).unwrap()
    }

    #[test]
    fn a_waiting_job_has_the_fields_that_the_window_reads() {
        assert_eq!(
            json_of(&Update::pending(&job(), None)),
            json!({"msg_kind": "processing_state_set", "data": {
                "processing_id": "some-id", "proposal": 1234, "run": 7, "data": "proc", "status": "PENDING",
                "hostname": "", "username": "", "slurm_cluster": null, "slurm_job_id": ""}})
        );
    }

    #[test]
    fn a_job_in_slurm_has_its_name_there() {
        let (id, cluster) = ("12_3".to_owned(), Some("solaris".to_owned()));
        let ticket = Ticket {
            id: id.clone(),
            cluster: cluster.clone(),
        };
        let surroundings = Surroundings {
            queue_id: Some(id),
            cluster,
            restarts: 0,
        };
        for update in [
            Update::pending(&job(), Some(&ticket)),
            Update::running(&job(), &surroundings),
        ] {
            let data = &json_of(&update)["data"];
            assert_eq!(data["slurm_cluster"], "solaris");
            assert_eq!(data["slurm_job_id"], "12_3");
        }
    }

    #[test]
    fn a_running_job_says_where_and_as_whom() {
        let running = json_of(&Update::running(&job(), &Surroundings::default()));
        assert_eq!(running["data"]["status"], "RUNNING");
        assert_eq!(running["data"]["hostname"], host_name());
        assert_eq!(running["data"]["username"], user_name());
    }

    #[test]
    fn new_values_are_named_without_being_told() {
        assert_eq!(
            json_of(&Update::values(RunId::new(1234, 7), ["b", "a"])),
            json!({"msg_kind": "run_values_updated", "data": {
                "proposal": 1234, "run": 7, "values": {"a": null, "b": null}}})
        );
    }

    #[test]
    fn news_of_many_values_can_be_told_in_two() {
        let all = Update::values(RunId::new(1234, 7), ["c", "a", "b"]).payload();
        let [first, second] = halves(&all)
            .unwrap()
            .map(|half| serde_json::from_slice::<Value>(&half).unwrap());
        assert_eq!(first["data"]["values"], json!({"a": null}));
        assert_eq!(second["data"]["values"], json!({"b": null, "c": null}));
        for half in [first, second] {
            assert_eq!(half["msg_kind"], "run_values_updated");
            assert_eq!(
                (&half["data"]["proposal"], &half["data"]["run"]),
                (&json!(1234), &json!(7))
            );
        }
        assert_eq!(
            halves(&Update::values(RunId::new(1, 1), ["a"]).payload()),
            None
        );
        assert_eq!(halves(&Update::finished(&job()).payload()), None);
    }

    #[test]
    fn a_variable_without_tags_says_null_and_a_finished_job_only_its_identity() {
        let variable = Update::VariableSet(VariableSet {
            name: "x".into(),
            title: "X".into(),
            description: None,
            tags: None,
            attributes: None,
            kind: None,
        });
        assert_eq!(
            json_of(&variable),
            json!({"msg_kind": "variable_set", "data": {"name": "x", "title": "X", "description": null,
                "tags": null, "attributes": null, "type": null}})
        );
        assert_eq!(
            json_of(&Update::finished(&job())),
            json!({"msg_kind": "processing_finished", "data": {"processing_id": "some-id"}})
        );
    }

    #[test]
    fn a_fragment_is_announced_as_damnits_combiner_reads_it() {
        let update = Update::submission(
            Path::new("/db"),
            Path::new("/db/extracted_data/f.ready.h5"),
            RunId::new(1, 2),
        );
        assert_eq!(
            json_of(&update),
            json!({"msg_kind": "file_submission", "data": {"damnit_dir": "/db",
                "new_file": "/db/extracted_data/f.ready.h5", "proposal": 1, "run": 2,
                "computed_by": {"hostname": host_name(), "username": user_name()}}})
        );
    }
}
