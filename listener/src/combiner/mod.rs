//! One writer for the runs' files and the cells of the table: merges what jobs have left.

mod books;
mod broken;
mod folder_lock;
mod hearing;
mod known_folders;
mod leftovers;
mod limits;
mod merged;
mod merging;
mod news;
mod pauses;
mod positions;
mod request;
mod schedule;
mod service;
mod stale;
mod suspects;
mod work;
mod worker_process;
mod workers;

pub use merging::{ATTENDED, Combined, combine_folder, merge_run};
pub use request::{Refusal, Submission};
pub use service::{CombinerSettings, run_service};
pub use work::serve_requests;
