//! What the worker says, as JSON; the numbers of buffers are not yet followed here.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use crate::manifest::{Manifest, Problem};
use crate::run::RunId;
use crate::value::Failure;

/// The first message, from any interpreter that can run a script at all.
#[derive(Debug, Deserialize)]
pub(super) struct Hello {
    pub(super) protocol: u32,
    /// The interpreter's version.
    pub(super) python: String,
    /// The worker's process, as it sees itself.
    pub(super) pid: i32,
    /// NumPy's version.
    pub(super) numpy: Option<String>,
    /// Why there is no NumPy.
    pub(super) reason: Option<String>,
}

/// The answer to the context file.
#[derive(Debug, Deserialize)]
#[serde(tag = "message", rename_all = "kebab-case")]
pub(super) enum Reading {
    Manifest(Manifest),
    Invalid {
        problems: Vec<Problem>,
        traceback: Option<String>,
    },
}

/// What happens during an evaluation.
#[derive(Debug, Deserialize)]
#[serde(tag = "message", rename_all = "kebab-case")]
pub(super) enum Progress {
    StartTime {
        seconds: f64,
    },
    Start {
        name: String,
        /// The process in which that happens: the worker's own, or a fork.
        pid: i32,
    },
    Result {
        name: String,
        seconds: f64,
        cell: Box<WireCell>,
    },
    Failed {
        name: String,
        seconds: f64,
        class: String,
        text: String,
    },
    NoValue {
        name: String,
        #[serde(default)]
        held: bool,
        #[serde(default)]
        failure: Option<WireFailure>,
    },
    /// A fork has ended before it came to the end of this variable.
    Lost {
        name: String,
        /// As wait(2) gives it.
        status: i32,
    },
    Unopened {
        class: String,
        text: String,
    },
    Finished,
}

/// The beginning of results that users' code hands in by itself.
#[derive(Debug, Deserialize)]
pub(super) struct SubmissionHead {
    pub(super) protocol: u32,
    pub(super) database_dir: PathBuf,
    #[serde(flatten)]
    pub(super) run: RunId,
    pub(super) provenance: String,
}

/// What follows it.
#[derive(Debug, Deserialize)]
#[serde(tag = "message", rename_all = "kebab-case")]
pub(super) enum HandedIn {
    Result {
        name: String,
        cell: Box<WireCell>,
    },
    Failed {
        name: String,
        class: String,
        text: String,
    },
    Submitted,
}

/// Why a transient variable failed.
#[derive(Debug, Deserialize)]
pub(super) struct WireFailure {
    class: String,
    text: String,
}

impl From<WireFailure> for Failure {
    fn from(wire: WireFailure) -> Self {
        Self {
            class: wire.class,
            message: wire.text,
        }
    }
}

/// A cell whose arrays and texts are buffers of the same frame.
#[derive(Debug, Deserialize)]
pub(super) struct WireCell {
    pub(super) data: Option<WireData>,
    pub(super) preview: Option<WireData>,
    pub(super) summary: Option<WireSummary>,
    pub(super) summary_method: Option<String>,
    pub(super) spread_of: Option<WireArray>,
    pub(super) units: Option<String>,
    pub(super) bold: Option<bool>,
    pub(super) background: Option<[u8; 3]>,
}

#[derive(Debug, Deserialize)]
pub(super) struct WireArray {
    /// A type string, or `numpy.dtype.descr` as lists.
    pub(super) dtype: Value,
    pub(super) shape: Vec<usize>,
    pub(super) buffer: usize,
}

#[derive(Debug, Deserialize)]
pub(super) struct WireTexts {
    pub(super) shape: Vec<usize>,
    /// A JSON array of strings.
    pub(super) buffer: usize,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum WireValues {
    Array(WireArray),
    Texts(WireTexts),
}

#[derive(Debug, Deserialize)]
pub(super) struct WireVariable {
    pub(super) name: String,
    pub(super) dims: Vec<String>,
    pub(super) values: WireValues,
    pub(super) attributes: Vec<(String, WireValues)>,
    pub(super) is_data: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct WireNetcdf {
    pub(super) objtype: String,
    pub(super) dimensions: Vec<(String, usize)>,
    pub(super) variables: Vec<WireVariable>,
    pub(super) attributes: Vec<(String, WireValues)>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum WireData {
    Text { buffer: usize },
    Array(WireArray),
    Texts(WireTexts),
    Netcdf(WireNetcdf),
    Encoded { objtype: String, buffer: usize },
    Image { array: WireArray },
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum WireSummary {
    Text { buffer: usize },
    Array(WireArray),
    Png { buffer: usize },
    Image { array: WireArray },
    Line { x: Option<WireArray>, y: WireArray },
    Picture { pixels: WireArray, upwards: bool },
}
