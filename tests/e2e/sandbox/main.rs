//! Context code in the built-in sandbox: what it gets out of it, which is nothing; and what it gets done all the same.

mod escapes;
mod needs;
mod refusals;
mod stage;
