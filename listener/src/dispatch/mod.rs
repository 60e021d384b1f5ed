//! From the ledger to a queue and back: everything that is planned is submitted, watched and settled.
//!
//! The ledgers say what is to be done. [`Dispatcher`] does it for one database at a time, here and now;
//! [`Dispatch`] does so for many, in threads of its own, so that nobody waits for a queue.

mod agenda;
mod changing;
mod dispatcher;
mod ends;
mod gather;
mod ghosts;
mod orders;
mod queues;
mod recovery;
mod refusal;
mod resources;
mod room;
mod service;
mod submission;
mod telling;
mod under_way;
mod watch;

pub use dispatcher::{Dispatcher, Report};
pub use orders::{CalledOff, Order};
pub use queues::Queues;
pub use room::Limits;
pub use service::Dispatch;
pub use watch::Sighting;

use crate::job_end::Retries;

/// How jobs are submitted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DispatchSettings {
    /// What fails through no fault of the job is tried again.
    pub retries: Retries,
    /// How many jobs queues may have.
    pub limits: Limits,
    /// How many tasks of an array run at once, whatever the databases say; None: what they say.
    pub concurrent: Option<usize>,
    /// How many jobs run at once on this machine; None: as many as its queue was made for.
    pub local: Option<usize>,
}
