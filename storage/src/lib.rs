//! The run table (SQLite), the runs' files and fragments (HDF5), and the pictures in the table.
//!
//! Everything is in the format that DAMNIT's clients read (format 4). One folder is one database.

pub mod database;
mod error;
pub mod file_system;
pub mod folder;
pub mod fragment;
mod hdf5;
pub mod migrate;
pub mod pictures;
mod plain_words;
mod results_dir;
pub mod row;
pub mod run_file;
pub mod sharing;
mod sqlite_words;

pub use database::Database;
pub use error::{Error, Result, is_of_the_disk};
pub use row::{CellValue, Row};
pub use sqlite_words::sqlite_words;
