//! What the end-to-end tests share: a site in a temporary folder, and the real programs at work in it.

mod client;
mod clients;
mod evaluations;
mod faulty_disk;
mod kafka;
mod monitor;
mod mount;
mod on_slurm;
mod past;
mod preload;
mod process;
mod real_part;
mod sandbox;
mod site;
mod slurm;
mod supervised;
mod vitals;
mod wire;

pub use client::{needs_window, python, script};
pub use clients::{Clients, Told};
pub use evaluations::{WRITES_DOWN, evaluations};
pub use faulty_disk::FaultyDisk;
pub use kafka::{Frozen, Kafka};
pub use monitor::{monitor_address, numbers};
pub use mount::Mount;
pub use on_slurm::{OnSlurm, WAITING};
pub use preload::preload;
pub use process::{Finished, Service, limited, on_a_terminal, runledger};
pub use real_part::{needs, needs_root};
pub use sandbox::needs_sandbox;
pub use site::{Site, eventually};
pub use slurm::Slurm;
pub use supervised::Supervised;
pub use vitals::Vitals;
pub use wire::Cut;
