//! What keeps context files to what they need: a wrapper of the site's, and what the kernel offers without root.
//!
//! Both are words before the users' Python on its command line: the wrapper's, then those of this program itself, which
//! gives up its rights step by step and then becomes the parent of that Python ([`enter`]).

mod attempts;
mod calls;
mod data;
mod database;
mod enclosure;
mod enter;
mod environment;
mod error;
mod loopback;
mod mounts;
mod namespaces;
mod opened;
mod order;
mod places;
mod rules;
mod settings;
mod trail;
mod trust;
mod view;
mod wrapper;

pub mod probe;

pub use enclosure::{Enclosure, Job};
pub use enter::{FAILED, enter, settle};
pub use error::{Error, Result};
pub use settings::{Mode, Part, Settings};
pub use wrapper::Wrapper;
