//! Every schema that a run table has had, as numbered steps, and how a database climbs them.
//!
//! A [`Chain`] is a list of steps and the place where a database keeps its version. The run table's
//! own chain is [`RUNS`]; the listener's database and the ledger have theirs beside their code and
//! use the same type. Steps are never edited once released: a new format is a new step.

mod backup;
mod chain;
mod error;
mod format;
mod inert;
mod intermediate;
mod opening;
mod runs;
mod schema;
mod version;
mod wide;

pub use backup::{backup, backup_path, draft_beside, free_path};
pub use chain::{Chain, Step};
pub use error::{Error, Result};
pub use format::{Format, format};
pub use intermediate::convert_intermediate;
pub use opening::{connect, foreign};
pub use runs::{LATEST, RUNS, Upgrade, create, upgrade, upgrade_with_backup, version};
pub use schema::schema;
pub use version::VersionPlace;
pub use wide::{Counts, Known, convert_wide, wide_variables};
