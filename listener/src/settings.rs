//! What a site can set about notifications and data, and the two built-in profiles.

use std::collections::BTreeMap;
use std::path::PathBuf;

use runledger_context::run::RunData;
use serde::{Deserialize, Serialize};

use crate::kafka::{Properties, Start};
use crate::queue::host_name;

/// A set of defaults for one of the European XFEL's clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// The offline cluster.
    Maxwell,
    /// The online cluster.
    Onc,
}

impl Profile {
    /// The one for this machine: hosts of the online cluster are named so.
    pub fn of_this_host() -> Self {
        if host_name().starts_with("exflonc") {
            Self::Onc
        } else {
            Self::Maxwell
        }
    }
}

/// Where word of new runs comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotificationSettings {
    /// Kafka brokers, `host:port`.
    pub brokers: Vec<String>,
    /// The topics to read.
    pub topics: Vec<String>,
    /// Which fields of a message tell what.
    pub fields: Fields,
    /// Event → the part of a run's data that it announces.
    pub events: BTreeMap<String, RunData>,
    /// The consumer group; empty: named after the listener's folder.
    pub group_id: String,
    /// Where the first start begins: `now`, `earliest`, or milliseconds since 1970.
    pub start_from: StartFrom,
    /// librdkafka properties, passed on as they are.
    pub properties: Properties,
}

/// Which fields of a message tell what; all others are passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fields {
    /// The event's name.
    pub event: String,
    /// The proposal's number.
    pub proposal: String,
    /// The run's number.
    pub run: String,
}

impl Default for Fields {
    fn default() -> Self {
        Self {
            event: "event".into(),
            proposal: "proposal".into(),
            run: "run".into(),
        }
    }
}

/// Where the first start begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StartFrom(pub Start);

impl TryFrom<String> for StartFrom {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        let moment = |word: &str| {
            humantime::parse_rfc3339_weak(word)
                .ok()?
                .duration_since(std::time::UNIX_EPOCH)
                .ok()
        };
        match word.as_str() {
            "now" => Ok(Self(Start::Now)),
            "earliest" => Ok(Self(Start::Earliest)),
            other => moment(other)
                .and_then(|since| i64::try_from(since.as_millis()).ok())
                .map(|ms| Self(Start::Moment(ms)))
                .ok_or_else(|| format!("{other:?} is not \"now\", \"earliest\" or a time like \"2026-03-01T08:00:00Z\"")),
        }
    }
}

impl From<StartFrom> for String {
    fn from(start: StartFrom) -> Self {
        match start.0 {
            Start::Now => "now".into(),
            Start::Earliest => "earliest".into(),
            Start::Moment(ms) => {
                let since = std::time::Duration::from_millis(u64::try_from(ms).unwrap_or(0));
                humantime::format_rfc3339_millis(std::time::UNIX_EPOCH + since).to_string()
            }
        }
    }
}

impl NotificationSettings {
    /// The defaults of a profile.
    pub fn of(profile: Profile) -> Self {
        let (topics, events) = match profile {
            Profile::Maxwell => (
                ["test.r2d2", "cal.offline-corrections"],
                [
                    ("migration_complete", RunData::Raw),
                    ("run_corrections_complete", RunData::Proc),
                ],
            ),
            Profile::Onc => (
                ["test.euxfel.hed.daq", "test.euxfel.hed.cal"],
                [
                    ("daq_run_complete", RunData::Raw),
                    ("online_correction_complete", RunData::Proc),
                ],
            ),
        };
        Self {
            brokers: vec!["exflwgs06:9091".into()],
            fields: Fields::default(),
            topics: topics.map(str::to_owned).to_vec(),
            events: events
                .into_iter()
                .map(|(event, data)| (event.to_owned(), data))
                .collect(),
            group_id: String::new(),
            start_from: StartFrom(Start::Now),
            properties: Properties::new(),
        }
    }
}

/// Where the facility keeps its runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSettings {
    /// The folder above all proposals.
    pub root: PathBuf,
    /// How a proposal's folder is found below it.
    pub pattern: String,
    /// Where a proposal's own database is, below the proposal's folder.
    pub database: PathBuf,
    /// Where a run's raw data is, below the proposal's folder; empty: that is not asked.
    pub run: String,
}

/// By these, extra_data and DAMNIT's programs find the root, and openers of a site may.
const ROOT_VARIABLES: [&str; 2] = ["EXTRA_DATA_DATA_ROOT", "XFEL_DATA_ROOT"];

impl DataSettings {
    /// Takes the root that the environment names, if it names one; `get` looks into it.
    pub fn with_environment(mut self, get: impl Fn(&str) -> Option<String>) -> Self {
        if let Some(root) = ROOT_VARIABLES.into_iter().find_map(get) {
            self.root = root.into();
        }
        self
    }

    /// What users' Python has to have in its environment, beside what is there, to find the root.
    pub fn environment(&self, get: impl Fn(&str) -> Option<String>) -> BTreeMap<String, String> {
        let missing = ROOT_VARIABLES
            .into_iter()
            .filter(|name| get(name).is_none());
        let root = self.root.to_string_lossy();
        missing
            .map(|name| (name.to_owned(), root.clone().into_owned()))
            .collect()
    }
}

impl Default for DataSettings {
    fn default() -> Self {
        Self {
            root: "/gpfs/exfel/exp".into(),
            pattern: "*/*/p{proposal:06}".into(),
            database: "usr/Shared/amore".into(),
            run: "raw/r{run:04}".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_environment_says_of_the_root_is_left_as_it_is() {
        let get = |name: &str| (name == "XFEL_DATA_ROOT").then(|| "/elsewhere".to_owned());
        let data = DataSettings::default().with_environment(get);
        assert_eq!(data.root, PathBuf::from("/elsewhere"));
        let missing = [("EXTRA_DATA_DATA_ROOT".to_owned(), "/elsewhere".to_owned())];
        assert_eq!(data.environment(get), missing.into());
    }

    #[test]
    fn a_start_is_a_word_or_a_time() {
        let start = |word: &str| StartFrom::try_from(word.to_owned()).map(|start| start.0);
        assert_eq!(start("now"), Ok(Start::Now));
        assert_eq!(start("1970-01-01T00:00:02Z"), Ok(Start::Moment(2000)));
        assert!(start("soon").is_err());
        assert_eq!(
            String::from(StartFrom(Start::Moment(2000))),
            "1970-01-01T00:00:02.000Z"
        );
    }
}
