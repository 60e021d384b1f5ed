//! From planned to a place in a queue; and what a queue that does not want a job means for it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use runledger_steps::{Step, reached};
use runledger_storage::Database;
use tracing::info;
use uuid::Uuid;

use super::dispatcher::{Dispatcher, PATIENCE};
use super::gather::{Group, gather};
use super::resources;
use super::room::Room;
use super::under_way::UnderWay;
use crate::Result;
use crate::job_end::Retries;
use crate::ledger::{Cost, Entry, Handover, Ledger, Open, Setback, State};
use crate::queue::{Batch, QueueManager, Ticket};
use crate::updates::Update;

/// More than this are not handled at once.
const AT_ONCE: usize = 20_000;
/// How soon a database is looked at again whose jobs found no room.
const NO_ROOM: Duration = Duration::from_secs(1);

/// The arrays of a database that wait for each other, and the last of them.
#[derive(Clone)]
pub(super) struct Chain {
    name: String,
    last: Ticket,
}

/// Whose turn it is to be submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope<'a> {
    /// Everything that is due.
    All,
    /// These jobs.
    Only(&'a [String]),
}

fn due_of(ledger: &Ledger, ids: &[String]) -> Result<Vec<Entry>> {
    let mut due = Vec::new();
    for id in ids {
        due.extend(
            ledger
                .job(id)?
                .filter(|entry| entry.state == State::Planned && !entry.held),
        );
    }
    Ok(due)
}

/// How often jobs have failed before, by their identities; those that never have are not in it.
pub(super) type Failures = HashMap<String, u32>;

fn failures(due: &[Entry]) -> Failures {
    due.iter()
        .filter(|entry| entry.failures > 0)
        .map(|entry| (entry.job.processing_id.clone(), entry.failures))
        .collect()
}

/// A database's submission under way.
pub(super) struct Hand<'a> {
    pub(super) ledger: &'a mut Ledger,
    pub(super) db: Database,
    pub(super) queue: &'a Arc<dyn QueueManager>,
    pub(super) concurrent: usize,
    /// Whoever asks may not want a refused job to be tried again.
    pub(super) retries: Retries,
    pub(super) chains: Vec<Chain>,
}

impl Dispatcher {
    /// Submits what is due, as far as there is room. Returns when to look again at what has to wait for room or for
    /// a queue that does not answer.
    pub(super) fn submit_due(
        &self,
        ledger: &mut Ledger,
        open: &[Open],
        scope: Scope<'_>,
        retries: Retries,
    ) -> Result<Option<Duration>> {
        let wanted = ledger.due_count()?.min(AT_ONCE);
        if wanted == 0 {
            return Ok(None);
        }
        let queue = match (self.queues.main.can_submit(), self.queues.stand_in()) {
            (false, Some(local)) => local,
            _ => &self.queues.main,
        };
        if let Some(rest) = self.rest_of(queue.name()) {
            return Ok(Some(rest));
        }
        let db = Database::open_with_timeout(ledger.database_dir(), PATIENCE)?;
        let room = self.grant(db.dir(), wanted, queue.limit());
        let due = match scope {
            Scope::All => ledger.due(room.jobs)?,
            Scope::Only(ids) => due_of(ledger, ids)?,
        };
        let mut hand = Hand {
            concurrent: match self.settings().concurrent {
                Some(set) => set,
                None => resources::concurrent(&db, queue.concurrent())?,
            },
            retries,
            chains: chains(open, queue.name()),
            ledger,
            db,
            queue,
        };
        let taken = self.submit_groups(&mut hand, due, room)?;
        let left = self.rest_of(queue.name());
        Ok(left.or((taken < wanted).then_some(NO_ROOM)))
    }

    pub(super) fn grant(&self, database_dir: &Path, wanted: usize, slots: Option<usize>) -> Room {
        let limits = self.settings().limits;
        let mut loads = self.loads.lock().unwrap_or_else(PoisonError::into_inner);
        loads.grant(database_dir, wanted, &limits, slots)
    }

    /// Returns for how many jobs a queue was asked.
    fn submit_groups(&self, hand: &mut Hand<'_>, due: Vec<Entry>, room: Room) -> Result<usize> {
        let failures = failures(&due);
        let jobs = due.into_iter().map(|entry| entry.job).collect();
        let groups = gather(jobs, room, hand.queue.array_size(), hand.concurrent);
        let mut asked = 0;
        for group in groups {
            if self.rest_of(hand.queue.name()).is_some() {
                break;
            }
            asked += group.jobs.len();
            self.hand_over(hand, group, &failures)?;
        }
        Ok(asked)
    }

    pub(super) fn hand_over(
        &self,
        hand: &mut Hand<'_>,
        group: Group,
        failures: &Failures,
    ) -> Result<()> {
        let first = &group.jobs[0].request;
        let cluster = hand.queue.cluster(first);
        let token = Uuid::new_v4().to_string();
        let _under_way = UnderWay::begin(&token);
        let behind = hand.chain_for(&group, cluster.as_deref());
        let handover = Handover {
            queue: hand.queue.name(),
            chain: group.width.map(|_| {
                behind
                    .as_ref()
                    .map_or(token.clone(), |chain| chain.name.clone())
            }),
            token,
            cluster,
            width: group.width,
        };
        let jobs = hand.ledger.take(&handover, group.jobs)?;
        if jobs.is_empty() {
            return Ok(());
        }
        let batch = Batch {
            jobs,
            handover,
            after: behind.map(|chain| chain.last),
            resources: resources::of_database(&hand.db)?,
        };
        match hand.queue.submit(&batch) {
            Ok(tickets) => {
                reached(Step::JobSubmitted);
                self.placed(hand, &batch, tickets)
            }
            Err(refusal) => self.refused(hand, &batch, refusal, failures),
        }
    }

    fn placed(&self, hand: &mut Hand<'_>, batch: &Batch, tickets: Vec<Ticket>) -> Result<()> {
        self.answered(hand.queue.name());
        let names = batch.jobs.iter().zip(&tickets);
        let placed: Vec<_> = names
            .clone()
            .map(|((job, number), ticket)| (job.processing_id.clone(), *number, ticket.clone()))
            .collect();
        hand.ledger.placed(&placed)?;
        hand.remember(batch, &tickets);
        // On this machine a job is announced when it is planned, and begins now.
        if hand.queue.limit().is_none() {
            let told: Vec<Update> = names
                .map(|((job, _), ticket)| Update::pending(job, Some(ticket)))
                .collect();
            self.tell_clients_of(&hand.db, &told);
        }
        let first = &batch.jobs[0].0.run;
        let (queue, count) = (hand.queue.name(), batch.jobs.len());
        let id = tickets.first().map_or("", |ticket| ticket.id.as_str());
        match count {
            1 => info!(
                proposal = first.proposal.0,
                run = first.number.0,
                queue,
                id,
                "job submitted"
            ),
            _ => info!(
                proposal = first.proposal.0,
                count, queue, id, "jobs submitted"
            ),
        }
        Ok(())
    }
}

impl Hand<'_> {
    pub(super) fn set_back(
        &mut self,
        batch: &Batch,
        why: &str,
        cost: Cost,
        next_try: Option<f64>,
    ) -> Result<()> {
        let attempts: Vec<_> = batch
            .jobs
            .iter()
            .map(|(job, number)| (job.processing_id.clone(), *number))
            .collect();
        let setback = Setback {
            reason: why.to_owned(),
            cost,
            next_try,
        };
        self.ledger.set_back(&attempts, &setback)
    }

    /// The arrays behind which a group waits: one that is larger than what may run at once. Small ones don't wait
    /// behind a backlog.
    fn chain_for(&self, group: &Group, cluster: Option<&str>) -> Option<Chain> {
        let is_large = group.width.is_some() && group.jobs.len() > self.concurrent;
        let of_cluster = |chain: &&Chain| chain.last.cluster.as_deref() == cluster;
        self.chains
            .iter()
            .filter(|_| is_large)
            .rfind(of_cluster)
            .cloned()
    }

    fn remember(&mut self, batch: &Batch, tickets: &[Ticket]) {
        if let (Some(name), Some(first)) = (&batch.handover.chain, tickets.first()) {
            self.chains.push(Chain {
                name: name.clone(),
                last: array_of(first),
            });
        }
    }
}

/// The arrays that a queue still has, oldest first.
fn chains(open: &[Open], queue: &str) -> Vec<Chain> {
    let arrays = open
        .iter()
        .filter(|open| !open.state.is_final() && open.attempt.queue == queue);
    let chain = |open: &Open| {
        Some(Chain {
            name: open.attempt.chain.clone()?,
            last: array_of(&open.attempt.ticket()?),
        })
    };
    let mut chains: Vec<Chain> = arrays.filter_map(chain).collect();
    chains.dedup_by(|one, other| one.last == other.last);
    chains
}

/// The array of a task.
fn array_of(task: &Ticket) -> Ticket {
    let (array, _) = task.id.split_once('_').unwrap_or((&task.id, ""));
    Ticket {
        id: array.to_owned(),
        cluster: task.cluster.clone(),
    }
}
