//! Which run, and which part of its data.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A proposal's number, as the facility counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Proposal(pub u32);

/// A run's number within its proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunNumber(pub u32);

/// One run of one proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RunId {
    /// The proposal it was taken in.
    pub proposal: Proposal,
    /// Its number there.
    #[serde(rename = "run")]
    pub number: RunNumber,
}

impl RunId {
    /// A run from its two numbers.
    pub fn new(proposal: u32, run: u32) -> Self {
        Self {
            proposal: Proposal(proposal),
            number: RunNumber(run),
        }
    }
}

impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}", self.0)
    }
}

impl fmt::Display for RunNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.proposal, self.number)
    }
}

/// The part of a run's data that has arrived, or that a job is to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunData {
    /// As the detectors wrote it.
    Raw,
    /// After calibration.
    Proc,
    /// Both.
    All,
}

impl RunData {
    /// The word used in messages and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Proc => "proc",
            Self::All => "all",
        }
    }
}

impl fmt::Display for RunData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that names no part of a run's data.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not `raw`, `proc` or `all`")]
pub struct UnknownRunData(String);

impl FromStr for RunData {
    type Err = UnknownRunData;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "raw" => Ok(Self::Raw),
            "proc" => Ok(Self::Proc),
            "all" => Ok(Self::All),
            other => Err(UnknownRunData(other.into())),
        }
    }
}
