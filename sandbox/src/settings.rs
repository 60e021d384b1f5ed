//! What a site can set about the sandbox: the group `[sandbox]` of the configuration.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::places::SYSTEM;

/// The group `[sandbox]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Whether context files are evaluated in the built-in sandbox.
    pub mode: Mode,
    /// What of the kernel it is made of. Each has to be there.
    pub parts: Vec<Part>,
    /// Whether context files reach the network.
    pub network: bool,
    /// Paths that they may read, beside the proposal's folder, the system and their Python. `{proposal}` in the
    /// beginning stands for the proposal's folder.
    pub read: Vec<String>,
    /// Paths that they may read and write, likewise.
    pub write: Vec<String>,
    /// Variables of the environment that they do not see, beside those whose names tell that they are secret; a `*` at
    /// the end stands for any rest.
    pub hide: Vec<String>,
    /// A command that runs what follows it, as DAMNIT's `sandbox_args`; empty: none.
    pub wrapper: String,
}

/// Whether something is in force.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// It is not.
    #[default]
    Off,
    /// It is, or nothing is run.
    On,
}

/// A part of the kernel that keeps processes from something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// A file system, processes and a network of its own, in a user namespace.
    Namespaces,
    /// Rules for paths, connections and signals.
    Landlock,
    /// System calls that are refused.
    Seccomp,
}

impl Part {
    /// All that there are.
    pub const ALL: [Self; 3] = [Self::Namespaces, Self::Landlock, Self::Seccomp];
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Namespaces => "namespaces",
            Self::Landlock => "landlock",
            Self::Seccomp => "seccomp",
        })
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mode: Mode::Off,
            parts: Part::ALL.to_vec(),
            network: false,
            read: Vec::new(),
            write: Vec::new(),
            hide: Vec::new(),
            wrapper: String::new(),
        }
    }
}

impl Settings {
    /// Whether the built-in sandbox is in force.
    pub fn is_on(&self) -> bool {
        self.mode == Mode::On
    }

    /// Whether a file lies in a place that every context file may read in the sandbox.
    pub fn lets_read(&self, file: &Path) -> bool {
        let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.into());
        let named = self.read.iter().chain(&self.write).map(String::as_str);
        let mut places = SYSTEM.into_iter().chain(named).map(Path::new);
        self.is_on() && places.any(|place| whole(file).starts_with(whole(place)))
    }

    /// Everything that makes no sense in it, each with what to do about it.
    pub fn problems(&self) -> Vec<String> {
        let mut found = Vec::new();
        if self.is_on() && self.parts.is_empty() {
            found.push(
                "`sandbox.mode` is \"on\" and `sandbox.parts` is empty; name at least one of \"namespaces\", \
                 \"landlock\" and \"seccomp\""
                    .into(),
            );
        }
        if let Err(why) = crate::Wrapper::parse(&self.wrapper) {
            found.push(format!("`sandbox.wrapper`: {why}"));
        }
        for (name, paths) in [("read", &self.read), ("write", &self.write)] {
            let relative = paths.iter().filter(|path| !is_whole(path));
            found.extend(relative.map(|path| {
                format!("`sandbox.{name}`: {path:?} is no path of something below the root, without \"..\"; write \"/…\" or \"{{proposal}}/…\"")
            }));
        }
        if self.write.iter().any(|path| is_proposal(path)) {
            found.push(
                "`sandbox.write`: \"{proposal}\" as a whole has the links to its data and the database's folder in it, which no \
                 job may change; name a folder in it, such as \"{proposal}/scratch\""
                    .into(),
            );
        }
        found
    }
}

fn is_proposal(path: &str) -> bool {
    let rest = path.strip_prefix("{proposal}");
    rest.is_some_and(|rest| rest.split('/').all(|part| part.is_empty() || part == "."))
}

/// Upwards it could lead to all that it says not to name.
fn is_whole(path: &str) -> bool {
    let rest = path.strip_prefix("{proposal}");
    let is_everything = path.chars().all(|c| c == '/' || c == '.');
    let is_absolute = path.starts_with('/') && !is_everything;
    let is_below = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    (is_absolute || is_below) && !path.split('/').any(|part| part == "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_that_makes_no_sense_is_named() {
        let settings = Settings {
            mode: Mode::On,
            parts: Vec::new(),
            read: ["here", "/", "/there", "{proposal}"].map(Into::into).into(),
            write: [
                "{proposal}s",
                "{proposal}/scratch",
                "{proposal}/../..",
                "{proposal}/.",
                "/there/..",
            ]
            .map(Into::into)
            .into(),
            wrapper: "sandbox 'without an end".into(),
            ..Settings::default()
        };
        assert_eq!(settings.problems().len(), 8, "{:#?}", settings.problems());
        assert_eq!(Settings::default().problems(), Vec::<String>::new());
    }

    #[test]
    fn what_is_in_the_systems_folders_or_in_those_that_are_named_can_be_read() {
        let dir = tempfile::tempdir().unwrap();
        let (named, other) = (dir.path().join("named"), dir.path().join("other"));
        for folder in [&named, &other] {
            std::fs::create_dir(folder).unwrap();
        }
        let linked = dir.path().join("linked.toml");
        std::os::unix::fs::symlink("/etc/passwd", &linked).unwrap();
        let mut settings = Settings {
            mode: Mode::On,
            read: vec![named.display().to_string()],
            ..Settings::default()
        };
        for file in [Path::new("/etc/site.toml"), &linked, &named.join("a.toml")] {
            assert!(settings.lets_read(file), "{}", file.display());
        }
        assert!(!settings.lets_read(&other.join("a.toml")));
        settings.mode = Mode::Off;
        assert!(!settings.lets_read(Path::new("/etc/site.toml")));
    }
}
