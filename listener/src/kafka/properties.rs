//! Settings of the Kafka library, among which are passwords: they go to the library and nowhere else.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use serde::{Deserialize, Serialize};

/// What the names of secret settings have in common, those of the library's plugins included.
const SECRET: [&str; 6] = [
    "password",
    "passphrase",
    "secret",
    "key.pem",
    "oauthbearer.config",
    "jaas.config",
];

/// Settings of the Kafka library by name, as its documentation lists them (`CONFIGURATION.md` of
/// librdkafka). Their values are not printed.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Properties(BTreeMap<String, String>);

impl Properties {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// The names of those that nobody else should be able to read.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let names = self.0.keys().map(String::as_str);
        names.filter(|name| SECRET.iter().any(|word| name.contains(word)))
    }

    /// What the library says against any of them, by name and without the value; no broker is asked. It takes the same
    /// names for all its clients, and each passes over what is another kind's.
    pub fn problems(&self) -> Vec<String> {
        let problem = |(name, value): (&String, &String)| {
            let alone = ClientConfig::new().set(name, value).create_native_config();
            alone.err().map(|error| match error {
                KafkaError::Nul(_) => format!("{name:?}: there is a NUL character in it"),
                other => complaint(&other),
            })
        };
        self.0.iter().filter_map(problem).collect()
    }
}

impl Deref for Properties {
    type Target = BTreeMap<String, String>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<const N: usize> From<[(String, String); N]> for Properties {
    fn from(given: [(String, String); N]) -> Self {
        Self(given.into())
    }
}

impl FromIterator<(String, String)> for Properties {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(given: I) -> Self {
        Self(given.into_iter().collect())
    }
}

/// A site's password must not get into a log because somebody prints settings.
impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// What the library complains of, without the value of a setting: a misspelt name may have a password for its value.
pub(super) fn complaint(error: &KafkaError) -> String {
    match error {
        KafkaError::ClientConfig(_, why, name, value) if value.is_empty() => {
            format!("{name}: {why}")
        }
        KafkaError::ClientConfig(_, why, name, value) => {
            let why = why.replace(&format!("\"{value}\""), "its value");
            format!("{name}: {why}")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, value: &str) -> Properties {
        Properties::from([(name.to_owned(), value.to_owned())])
    }

    #[test]
    fn printing_them_tells_their_names_alone() {
        let printed = format!("{:?}", with("sasl.password", "canary"));
        assert_eq!(printed, r#"{"sasl.password"}"#);
    }

    #[test]
    fn those_that_have_to_be_kept_secret_are_known_by_their_names() {
        for name in [
            "sasl.password",
            "ssl.key.password",
            "ssl.keystore.password",
            "ssl.key.pem",
            "sasl.oauthbearer.client.secret",
            "sasl.oauthbearer.config",
            "sasl.oauthbearer.assertion.private.key.passphrase",
            "sasl.oauthbearer.assertion.private.key.pem",
        ] {
            let all: Vec<String> = with(name, "x").secrets().map(str::to_owned).collect();
            assert_eq!(all, [name]);
        }
        for name in ["ssl.key.location", "security.protocol", "sasl.username"] {
            assert_eq!(with(name, "x").secrets().count(), 0, "{name}");
        }
    }

    #[test]
    fn each_that_the_library_does_not_take_is_named_without_its_value() {
        let of = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let all = Properties::from([
            of("sasl.pasword", "canary"),
            of("security.protocol", "canary"),
            of("sasl.password", "canary\0"),
            of("sasl.username", "canary"),
            // One for each kind of client.
            of("session.timeout.ms", "6000"),
            of("linger.ms", "5"),
        ]);
        let found = all.problems();
        assert_eq!(found.len(), 3, "{found:#?}");
        for name in ["sasl.pasword", "security.protocol", "sasl.password"] {
            let about = found.iter().filter(|problem| problem.contains(name));
            assert_eq!(about.count(), 1, "{name}: {found:#?}");
        }
        assert!(!found.concat().contains("canary"), "{found:#?}");
    }

    #[test]
    fn a_complaint_names_the_setting_and_not_its_value() {
        for name in ["sasl.pasword", "security.protocol", "session.timeout.ms"] {
            let made = ClientConfig::new()
                .set(name, "canary")
                .create_native_config();
            let Err(error) = made else {
                panic!("{name} is taken")
            };
            let said = complaint(&error);
            assert!(said.contains(name) && !said.contains("canary"), "{said}");
        }
    }
}
