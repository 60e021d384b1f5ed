//! A job: the evaluation of the context file for one run.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use runledger_context::run::{RunData, RunId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What is to be evaluated, where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its identity in updates, in the ledger and in the name of its fragment.
    pub processing_id: String,
    /// The run.
    pub run: RunId,
    /// The part of the run's data that has arrived, or that is asked for.
    pub data: RunData,
    /// The database's folder, absolute.
    pub database_dir: PathBuf,
    /// Which variables, and how.
    pub request: Request,
}

/// Which variables a job evaluates, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Request {
    /// The variables marked `cluster=True` instead of the others.
    pub cluster: bool,
    /// Parts of titles; empty: all variables.
    pub matches: Vec<String>,
    /// Exact names; not empty: only these.
    pub variables: Vec<String>,
    /// Values of `param#…` arguments.
    pub params: Vec<(String, String)>,
    /// A stand-in for the run's data.
    pub mock: bool,
    /// Bring the list of variables in the database up to date first.
    pub update_variables: bool,
}

impl Job {
    /// A job with a new identity.
    pub fn new(run: RunId, data: RunData, database_dir: PathBuf, request: Request) -> Self {
        Self {
            processing_id: Uuid::new_v4().to_string(),
            run,
            data,
            database_dir,
            request,
        }
    }

    /// The command line of `runledger` that does this job in the database's folder, as attempt `number`.
    pub fn arguments(&self, number: u32) -> Vec<OsString> {
        let mut all: Vec<String> = vec![
            "extract".into(),
            self.run.proposal.0.to_string(),
            self.run.number.0.to_string(),
            self.data.to_string(),
            "--processing-id".into(),
            self.processing_id.clone(),
            "--attempt".into(),
            number.to_string(),
        ];
        all.extend(self.request.options());
        all.into_iter().map(OsString::from).collect()
    }

    /// What tells the fragment of an attempt from all others: an earlier attempt that was given up may still write.
    pub fn token(&self, number: u32) -> String {
        match number {
            0 | 1 => self.file_name(),
            later => format!("{}-{later}", self.file_name()),
        }
    }

    /// Its identity for a file's name: what others wrote into the ledger must not become a path.
    pub(crate) fn file_name(&self) -> String {
        let is_odd = |c: char| !c.is_ascii_alphanumeric() && c != '-';
        self.processing_id.replace(is_odd, "_")
    }

    /// Where everything that the run's jobs print goes.
    pub fn log(&self) -> PathBuf {
        log_path(&self.database_dir, self.run)
    }
}

impl Request {
    fn options(&self) -> Vec<String> {
        let flags = [
            (self.cluster, "--cluster-job"),
            (self.mock, "--mock"),
            (self.update_variables, "--update-vars"),
        ];
        let set = flags.iter().filter(|(is_set, _)| *is_set);
        let lists = [("--match", &self.matches), ("--var", &self.variables)];
        let pairs = lists.into_iter().flat_map(|(option, values)| {
            values.iter().map(move |value| format!("{option}={value}"))
        });
        let params = self
            .params
            .iter()
            .map(|(name, value)| format!("--param={name}={value}"));
        set.map(|(_, flag)| (*flag).to_owned())
            .chain(pairs)
            .chain(params)
            .collect()
    }
}

/// The log of a run in a database's folder.
pub fn log_path(database_dir: &Path, run: RunId) -> PathBuf {
    database_dir
        .join("process_logs")
        .join(format!("r{}-p{}.out", run.number.0, run.proposal.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_becomes_the_command_line_that_users_know() {
        let request = Request {
            variables: vec!["a".into(), "-b".into()],
            params: vec![("x".into(), "1 = 2".into())],
            update_variables: true,
            ..Request::default()
        };
        let mut job = Job::new(RunId::new(1234, 7), RunData::Raw, "/db".into(), request);
        job.processing_id = "id".into();
        assert_eq!(
            job.arguments(2),
            [
                "extract",
                "1234",
                "7",
                "raw",
                "--processing-id",
                "id",
                "--attempt",
                "2",
                "--update-vars",
                "--var=a",
                "--var=-b",
                "--param=x=1 = 2"
            ]
            .map(OsString::from)
        );
        assert_eq!(job.log(), Path::new("/db/process_logs/r7-p1234.out"));
    }
}
