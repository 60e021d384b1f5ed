//! The steps of the way from a notification to a published value, each between two effects that last: a test stops the
//! process at every one of them, starts it again, and checks the books.

mod step;
mod stopping;

pub use step::Step;
pub use stopping::{STOP_AT, STOPPED, reached};
