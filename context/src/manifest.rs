//! What a context file declares, as the worker reports it.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::run::RunData;

/// One declared variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declaration {
    /// The function's name.
    pub name: String,
    /// What the table calls it.
    pub title: String,
    /// Its docstring, or what was given.
    pub description: Option<String>,
    /// Its tags; None where none were declared.
    pub tags: Option<Vec<String>>,
    /// The data it needs, promoted by its dependencies: `raw` or `proc`.
    pub data: RunData,
    /// Whether it asks for a whole node, promoted by its dependencies.
    pub cluster: bool,
    /// Whether its result is never stored.
    pub transient: bool,
    /// Physical units.
    pub units: Option<String>,
    /// The NumPy function that makes the summary.
    pub summary: Option<String>,
    /// The variables whose results it takes.
    pub dependencies: Vec<String>,
}

/// All variables of a context file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Manifest {
    /// In the order of the file.
    pub variables: Vec<Declaration>,
    /// Their names, dependencies first.
    pub order: Vec<String>,
    /// SHA-256 of the file as it was read.
    #[serde(default)]
    pub digest: String,
}

impl Manifest {
    /// The variable of this name.
    pub fn variable(&self, name: &str) -> Option<&Declaration> {
        self.variables.iter().find(|variable| variable.name == name)
    }

    /// The variables whose results are stored: those that are not transient.
    pub fn stored(&self) -> impl Iterator<Item = &Declaration> {
        self.variables.iter().filter(|variable| !variable.transient)
    }

    /// The first contradiction in what the worker says of itself, if any: names must be names and unique, each be
    /// in the order exactly once, and dependencies be declared.
    pub(crate) fn contradiction(&self) -> Option<String> {
        let mut all = self.variables.iter().map(|variable| &variable.name);
        if let Some(name) = all.find(|name| !is_variable_name(name)) {
            return Some(format!("{name:?} is no name of a variable"));
        }
        let names: BTreeSet<&str> = self.variables.iter().map(|v| v.name.as_str()).collect();
        let ordered: BTreeSet<&str> = self.order.iter().map(String::as_str).collect();
        if names.len() != self.variables.len() || ordered.len() != self.order.len() {
            return Some("a variable is declared twice".into());
        }
        if names != ordered {
            return Some("the order does not have the declared variables".into());
        }
        let unknown = |name: &&String| !names.contains(name.as_str());
        let mut needed = self.variables.iter().flat_map(|v| &v.dependencies);
        let first = needed.find(unknown);
        first.map(|name| format!("the dependency {name:?} is not declared"))
    }

    /// Name → declaration.
    pub(crate) fn by_name(&self) -> HashMap<&str, &Declaration> {
        let variables = self.variables.iter();
        variables
            .map(|variable| (variable.name.as_str(), variable))
            .collect()
    }
}

/// What could be the path of something else in a file, or could not be read by people, is none.
pub(crate) fn is_variable_name(name: &str) -> bool {
    let is_odd = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '/' | '"' | '\'');
    !name.is_empty() && !name.starts_with('.') && !name.contains(is_odd)
}

/// Something wrong with a context file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What.
    pub message: String,
    /// The file, where Python says.
    pub file: Option<String>,
    /// The line, counted from 1, where Python says.
    pub line: Option<u32>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, "{file}:{line}: {}", self.message),
            (Some(file), None) => write!(f, "{file}: {}", self.message),
            _ => f.write_str(&self.message),
        }
    }
}
