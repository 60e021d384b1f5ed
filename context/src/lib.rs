//! What a context file declares and what it yields.
//!
//! A *context file* is the users' Python: functions decorated with `@Variable`. This crate ships the
//! runtime that goes into the users' interpreter (`context/python`), speaks with it, and turns its
//! answers into plain values. It knows nothing of databases, files of results, or queues.

pub mod bytes;
pub mod error;
pub mod manifest;
pub mod run;
pub mod runtime;
pub mod selection;
pub mod text_file;
pub mod value;
pub mod worker;

pub use bytes::Bytes;
pub use error::{Error, Result};
