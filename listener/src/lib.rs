//! From a notification to a job, and from a finished job to an update.

mod backoff;
mod error;
mod journal;
mod resting;

pub mod combiner;
pub mod counting;
pub mod dispatch;
pub mod excerpt;
pub mod extraction;
pub mod job;
pub mod job_end;
pub mod kafka;
pub mod keeper;
pub mod ledger;
pub mod listen;
pub mod listener_db;
pub mod message;
pub mod monitor;
pub mod notification;
pub mod plan;
pub mod proposals;
pub mod publisher;
pub mod queue;
pub mod settings;
pub mod updates;

pub use error::{Error, Result};
