//! Context code in the built-in sandbox: what it gets out of it, which is nothing; and what it gets done all the same.

mod escapes;
mod leftovers;
mod links;
mod needs;
mod on_slurm;
mod refusals;
mod stage;
