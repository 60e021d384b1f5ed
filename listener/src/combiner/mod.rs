//! One writer for the runs' files and the cells of the table: merges what jobs have left.

mod merging;
mod request;
mod service;

pub use merging::{ATTENDED, Combined, combine_folder, merge_run};
pub use request::{Refusal, Submission};
pub use service::{CombinerSettings, run_service};
