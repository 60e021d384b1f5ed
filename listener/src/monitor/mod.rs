//! Numbers for a monitor: what waits, what was done, what fails.

mod numbers;
mod serving;

pub use numbers::{Jobs, Lag, Numbers};
pub use serving::Monitor;
