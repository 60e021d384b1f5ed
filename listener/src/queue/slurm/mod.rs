//! Jobs in Slurm, by its own commands.
//!
//! Submitted as DAMNIT does; asked about all together, once per cluster. A number alone does not name a job (it is
//! used again when Slurm has lost its state): our token, its comment, does.

mod accounts;
mod answer;
mod asking;
mod cancelling;
mod command;
mod line;
mod netgroup;
mod options;
mod releasing;
mod settings;
mod task;
mod waiting;
mod words;

pub use accounts::Records;
pub use answer::number as job_number;
pub use line::{Row as QueueRow, rows as queue_rows};
pub use settings::{Netgroup, SlurmSettings};
pub use task::task_command;

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{
    Batch, Denied, JobState, Pace, QueueManager, Refusal, Ticket, inherited, open_log, user_name,
    wrapped::Wrapped,
};
use crate::Result;
use crate::job::Request;
use crate::ledger::Attempt;

/// A site's Slurm.
pub struct SlurmQueue {
    settings: SlurmSettings,
    /// The `runledger` binary, on the nodes.
    program: PathBuf,
    /// The configuration that the jobs read.
    config: Option<PathBuf>,
    wrapped: Wrapped,
}

impl SlurmQueue {
    /// Jobs run `program` with this configuration.
    pub fn new(settings: SlurmSettings, program: PathBuf, config: Option<PathBuf>) -> Self {
        Self {
            settings,
            program,
            config,
            wrapped: Wrapped::default(),
        }
    }
}

impl QueueManager for SlurmQueue {
    fn name(&self) -> &'static str {
        "slurm"
    }

    fn can_submit(&self) -> bool {
        is_program(&self.settings.sbatch)
    }

    fn limit(&self) -> Option<usize> {
        None
    }

    fn wrap_in(&self, words: &str) {
        self.wrapped.set(words);
    }

    fn array_size(&self) -> usize {
        self.settings.array_size
    }

    fn concurrent(&self) -> usize {
        self.settings.concurrent_jobs.max(1)
    }

    fn cluster(&self, request: &Request) -> Option<String> {
        let cluster = match request.cluster {
            true => &self.settings.node_cluster,
            false => &self.settings.shared_cluster,
        };
        Some(cluster.clone()).filter(|cluster| !cluster.is_empty())
    }

    fn pace(&self) -> Pace {
        Pace {
            every: self.settings.every,
            gone_after: self.settings.gone_after,
        }
    }

    fn submit(&self, batch: &Batch) -> std::result::Result<Vec<Ticket>, Refusal> {
        if !self.can_submit() {
            let sbatch = self.settings.sbatch.display();
            return Err(Refusal::Unavailable(format!(
                "there is no {sbatch} on this machine; `[jobs] queue = \"local\"` in the configuration, or \
                 `runledger listener config allow-local-processing 1`, lets jobs run here"
            )));
        }
        let (first, _) = &batch.jobs[0];
        if batch.handover.width.is_none() {
            // Slurm would make it for its owner alone, and follow links.
            open_log(first).map_err(|why| Refusal::NotNow(why.to_string()))?;
        }
        let partition = match first.request.cluster {
            true => netgroup::partition(&self.settings),
            false => None,
        };
        let mut sbatch = command::slurm(&self.settings.sbatch);
        sbatch
            .args(options::options(
                batch,
                &self.settings,
                partition.as_deref(),
                &self.program,
            ))
            .current_dir(&first.database_dir);
        inherited::keep_from(&mut sbatch);
        if let Some(config) = &self.config {
            sbatch.env("RUNLEDGER_CONFIG", config);
        }
        self.wrapped.pass_to(&mut sbatch);
        let (id, cluster) = answer::submitted(command::ask(sbatch, self.settings.patience))?;
        let asked = batch.handover.cluster.clone();
        let cluster = cluster
            .or(asked)
            .unwrap_or_else(|| self.settings.other_cluster.clone());
        Ok(tickets(batch, &id, &cluster))
    }

    fn find(&self, attempts: &[Attempt]) -> Result<Vec<Option<Ticket>>> {
        let mut found = vec![None; attempts.len()];
        for (cluster, places) in by_cluster(attempts) {
            let mut squeue = self.squeue(cluster);
            squeue.arg(format!("--user={}", user_name()));
            let rows = line::rows(&self.ask(squeue)?);
            for place in places {
                let attempt = &attempts[place];
                let row = rows
                    .iter()
                    .find(|row| row.token == attempt.token && task(&row.id) == attempt.task);
                found[place] = row.map(|row| Ticket {
                    id: row.id.clone(),
                    cluster: attempt.cluster.clone(),
                });
            }
        }
        Ok(found)
    }

    fn states(&self, attempts: &[Arc<Attempt>]) -> Result<Vec<JobState>> {
        let mut states = vec![JobState::Silent; attempts.len()];
        let clusters = by_cluster(attempts);
        // A cluster that does not answer keeps nobody from hearing about the others.
        let said = std::thread::scope(|scope| {
            let ask = |(cluster, places): (Option<&str>, Vec<usize>)| {
                let some: Vec<&Attempt> = places.iter().map(|place| &*attempts[*place]).collect();
                let cluster = cluster.map(str::to_owned);
                scope.spawn(move || (places, self.states_of(cluster.as_deref(), &some)))
            };
            let asked: Vec<_> = clusters.into_iter().map(ask).collect();
            asked
                .into_iter()
                .filter_map(|thread| thread.join().ok())
                .collect::<Vec<_>>()
        });
        let mut trouble = None;
        let mut answers = 0;
        for (places, said) in said {
            match said {
                Ok(said) => {
                    answers += 1;
                    places
                        .into_iter()
                        .zip(said)
                        .for_each(|(place, state)| states[place] = state);
                }
                Err(why) => trouble = Some(why),
            }
        }
        match trouble {
            Some(why) if answers == 0 => Err(why),
            _ => Ok(states),
        }
    }

    fn release(&self, attempt: &Attempt) -> Result<bool> {
        self.drop_dependency(attempt)
    }

    fn delete(&self, attempts: &[Attempt]) -> Result<Vec<Denied>> {
        let mut denied = Vec::new();
        for (cluster, places) in by_cluster(attempts) {
            let some: Vec<&Attempt> = places.iter().map(|place| &attempts[*place]).collect();
            denied.extend(self.cancel(cluster, &some)?);
        }
        Ok(denied)
    }
}

fn tickets(batch: &Batch, id: &str, cluster: &str) -> Vec<Ticket> {
    let name = |task: usize| match batch.handover.width {
        Some(_) => format!("{id}_{task}"),
        None => id.to_owned(),
    };
    let ticket = |task| Ticket {
        id: name(task),
        cluster: Some(cluster.to_owned()),
    };
    (0..batch.jobs.len()).map(ticket).collect()
}

/// The places of the attempts of each cluster.
fn by_cluster<A: Borrow<Attempt>>(attempts: &[A]) -> BTreeMap<Option<&str>, Vec<usize>> {
    let mut clusters: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (place, attempt) in attempts.iter().enumerate() {
        clusters
            .entry(attempt.borrow().cluster.as_deref())
            .or_default()
            .push(place);
    }
    clusters
}

fn task(id: &str) -> Option<u32> {
    id.split_once('_')?.1.parse().ok()
}

fn is_program(name: &Path) -> bool {
    if name.components().count() > 1 {
        return name.is_file();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(name).is_file())
}
