//! Reading the file: every key that is unknown or of the wrong kind is found, not only the first.

use std::path::{Path, PathBuf};

use runledger_context::text_file;
use runledger_listener::settings::Profile;
use serde_path_to_error::Path as KeyPath;
use toml::{Table, Value};

use super::Config;

/// A configuration file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It cannot be opened.
    #[error("the configuration {} cannot be read: {source}", path.display())]
    Unreadable {
        path: PathBuf,
        source: std::io::Error,
    },
    /// It is not TOML.
    #[error("the configuration {} is not valid TOML: {message}", path.display())]
    Syntax { path: PathBuf, message: String },
    /// A broker's address tells more than where it is.
    #[error(
        "`{setting}` has something before an @, where Kafka knows host:port alone; name and password are properties: \
        \"sasl.username\" and \"sasl.password\""
    )]
    Password { setting: &'static str },
    /// Some of its settings are unknown or of the wrong kind.
    #[error("the configuration {} has {} problem{}:\n{}", path.display(), problems.len(),
        if problems.len() == 1 { "" } else { "s" }, bullets(problems))]
    Settings {
        path: PathBuf,
        problems: Vec<String>,
    },
}

pub(super) fn bullets(problems: &[String]) -> String {
    let lines: Vec<String> = problems.iter().map(|p| format!("  - {p}")).collect();
    lines.join("\n")
}

/// The configuration in `file`, or the defaults where there is none, with the environment on top.
pub(crate) fn load(file: Option<&Path>) -> Result<Config, Error> {
    let (config, unfit) = match file {
        Some(path) => from_file(path)?,
        None => (Config::of(Profile::of_this_host()), Vec::new()),
    };
    let config = config.with_environment(super::variable);
    match (file, with_password(&config)) {
        (Some(path), _) if !unfit.is_empty() => Err(Error::Settings {
            path: path.into(),
            problems: all_problems(&config, unfit),
        }),
        (_, Some(setting)) => Err(Error::Password { setting }),
        _ => Ok(config),
    }
}

/// What does not fit, and what makes no sense among the rest. What stands in the place of an unfit setting is nobody's
/// choice.
pub(crate) fn all_problems(config: &Config, unfit: Vec<String>) -> Vec<String> {
    if let Some(setting) = with_password(config) {
        return [unfit, vec![Error::Password { setting }.to_string()]].concat();
    }
    let of = |problem: &String| problem.split('`').nth(1).unwrap_or_default().to_owned();
    let replaced: Vec<String> = unfit.iter().map(of).collect();
    let is_chosen = |problem: &String| {
        let setting = of(problem);
        let is_in = |section: &String| {
            let rest = setting.strip_prefix(section.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', ' ']))
        };
        !replaced.iter().any(is_in)
    };
    let senseless = super::problems(config).into_iter().filter(is_chosen);
    unfit.into_iter().chain(senseless).collect()
}

/// The setting with a broker that is written as `USER:PASSWORD@HOST:PORT`: addresses are logged.
fn with_password(config: &Config) -> Option<&'static str> {
    let brokers = &config.notifications.brokers;
    match brokers.iter().any(|broker| broker.contains('@')) {
        true => Some("notifications.brokers"),
        false if config.updates.broker.contains('@') => Some("updates.broker (or AMORE_BROKER)"),
        false => None,
    }
}

fn from_file(path: &Path) -> Result<(Config, Vec<String>), Error> {
    let text = text_file::read(path).map_err(|source| Error::Unreadable {
        path: path.into(),
        source,
    })?;
    settled(&text).map_err(|message| Error::Syntax {
        path: path.into(),
        message,
    })
}

/// The configuration that a text gives, and what is wrong with its settings.
///
/// # Errors
/// It is not TOML.
pub(crate) fn settled(text: &str) -> Result<(Config, Vec<String>), String> {
    let given = text.parse::<Table>();
    Ok(settle(given.map_err(|error| located(&error, text))?))
}

/// Where and what, without the line itself: a password may stand in it.
fn located(error: &toml::de::Error, text: &str) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    let Some(before) = before else {
        return error.message().to_owned();
    };
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    format!("line {line}, column {column}: {}", error.message())
}

/// Lays the given settings over the profile's; a setting that does not fit is named and left out, and the
/// rest is tried again, so that all problems come to light in one go.
fn settle(mut given: Table) -> (Config, Vec<String>) {
    let mut problems = Vec::new();
    let profile = profile(&mut given, &mut problems);
    let base = Table::try_from(Config::of(profile)).expect("our own defaults are valid TOML");
    loop {
        let mut merged = base.clone();
        overlay(&mut merged, &given);
        let mut track = serde_path_to_error::Track::new();
        let attempt = serde_path_to_error::Deserializer::new(Value::Table(merged), &mut track);
        match <Config as serde::Deserialize>::deserialize(attempt) {
            Ok(config) => return (config, problems),
            Err(error) => {
                let path = track.path();
                problems.push(describe(&path, &error));
                if !remove(&mut given, &path, &error) {
                    return (Config::of(profile), problems);
                }
            }
        }
    }
}

fn profile(given: &mut Table, problems: &mut Vec<String>) -> Profile {
    match given.remove("profile").map(Value::try_into::<Profile>) {
        None => Profile::of_this_host(),
        Some(Ok(profile)) => profile,
        Some(Err(error)) => {
            problems.push(format!("`profile`: {}", error.message()));
            Profile::of_this_host()
        }
    }
}

/// Tables are laid over each other key by key, except those that are one value: a site that names its
/// events or properties names all of them.
fn overlay(base: &mut Table, given: &Table) {
    for (key, value) in given {
        match (base.get_mut(key), value) {
            (Some(Value::Table(below)), Value::Table(above)) if !is_one_value(key) => {
                overlay(below, above);
            }
            _ => {
                base.insert(key.clone(), value.clone());
            }
        }
    }
}

fn is_one_value(key: &str) -> bool {
    matches!(key, "events" | "properties" | "partition_clusters")
}

fn describe(path: &KeyPath, error: &toml::de::Error) -> String {
    let said = match may_hold_a_password(path) {
        true if error.message().starts_with("invalid type") => {
            "of the wrong kind; what stands there is not repeated, as a password may be in it"
        }
        _ => error.message(),
    };
    format!(
        "`{path}`: {}",
        said.replace("unknown field", "unknown setting")
    )
}

/// Whether what stands there may be a whole section, a property of the Kafka library, or a broker.
fn may_hold_a_password(path: &KeyPath) -> bool {
    let keys: Vec<String> = path.iter().filter_map(segment_key).collect();
    keys.len() < 2 || ["properties", "brokers", "broker"].contains(&keys[1].as_str())
}

/// Takes the setting that does not fit out of `given`; false if it cannot be found there.
fn remove(given: &mut Table, path: &KeyPath, error: &toml::de::Error) -> bool {
    let mut keys: Vec<String> = path.iter().filter_map(segment_key).collect();
    if let Some(unknown) = unknown_field(error.message())
        && keys.last().map(String::as_str) != Some(unknown)
    {
        keys.push(unknown.to_owned());
    }
    remove_at(given, &keys)
}

fn segment_key(segment: &serde_path_to_error::Segment) -> Option<String> {
    match segment {
        serde_path_to_error::Segment::Map { key } => Some(key.clone()),
        _ => None,
    }
}

fn unknown_field(message: &str) -> Option<&str> {
    message.strip_prefix("unknown field `")?.split('`').next()
}

fn remove_at(table: &mut Table, keys: &[String]) -> bool {
    match keys {
        [] => false,
        [last] => table.remove(last).is_some(),
        [first, rest @ ..] => match table.get_mut(first) {
            Some(Value::Table(inner)) => remove_at(inner, rest),
            // The whole section has the wrong kind.
            Some(_) => table.remove(first).is_some(),
            None => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(text: &str) -> (Config, Vec<String>) {
        super::settled(text).expect("test TOML")
    }

    #[test]
    fn nothing_given_gives_the_defaults_of_the_profile() {
        let (config, problems) = settled("profile = 'onc'");
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(
            config.notifications.topics,
            ["test.euxfel.hed.daq", "test.euxfel.hed.cal"]
        );
    }

    #[test]
    fn every_unknown_or_wrong_setting_is_named_at_once() {
        let (_, problems) = settled(
            "profile = 'maxwell'\nspeed = 3\n[jobs]\nlocal_limt = 2\ntime_limit = 'soon'\n[updates]\nbroker = 7\n",
        );
        let all = problems.join("\n");
        for word in ["speed", "local_limt", "jobs.time_limit", "updates.broker"] {
            assert!(all.contains(word), "{word} is not in:\n{all}");
        }
        assert_eq!(problems.len(), 4, "{all}");
    }

    #[test]
    fn what_makes_no_sense_is_named_beside_what_does_not_fit_but_for_what_stands_in_its_place() {
        let (config, unfit) = settled(
            "[jobs]\nlocal_limit = 0\nspeed = 3\n[data]\nroot = 7\n[context]\npython = '/bin/sh'\n[slurm]\nsbatch = '/bin/sh'\n",
        );
        let all = all_problems(&config, unfit);
        let named: Vec<&str> = all.iter().filter_map(|one| one.split('`').nth(1)).collect();
        assert_eq!(named.len(), 3, "{all:#?}");
        for name in ["jobs.speed", "data.root", "jobs.local_limit"] {
            assert!(named.contains(&name), "{all:#?}");
        }
    }

    #[test]
    fn a_password_in_an_address_is_not_repeated_beside_other_problems() {
        let (config, unfit) = settled("speed = 3\n[updates]\nbroker = 'me:271828@there'\n");
        let all = all_problems(&config, unfit);
        assert_eq!(all.len(), 2, "{all:#?}");
        assert!(!all.concat().contains("271828"), "{all:#?}");
    }

    #[test]
    fn an_unknown_profile_is_a_problem_beside_the_others() {
        let (_, problems) = settled("profile = 'moon'\n[data]\nroof = 1\n");
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].contains("moon"), "{problems:?}");
    }

    #[test]
    fn events_that_a_site_names_replace_the_built_in_ones() {
        let (config, problems) = settled("[notifications.events]\nrun_closed = 'raw'\n");
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(config.notifications.events.len(), 1);
    }

    #[test]
    fn the_documented_example_is_the_defaults() {
        let (example, problems) = settled(include_str!("../../../deploy/runledger.toml"));
        assert_eq!(problems, Vec::<String>::new());
        let mut defaults = Config::of(Profile::Maxwell);
        // Depends on the machine.
        defaults.jobs.local_limit = example.jobs.local_limit;
        assert_eq!(
            Table::try_from(&example).ok(),
            Table::try_from(&defaults).ok()
        );
    }

    #[test]
    fn what_is_wrong_is_told_without_what_may_be_a_password() {
        for text in [
            "[updates.properties]\n\"sasl.password\" = 271828\n",
            "[updates]\nproperties = \"sasl.password=271828\"\n",
            "updates = \"sasl.password=271828\"\n",
            "[notifications]\nbrokers = \"me:271828@here:1\"\n",
        ] {
            let (_, problems) = settled(text);
            assert_eq!(problems.len(), 1, "{text}");
            assert!(!problems[0].contains("271828"), "{}", problems[0]);
            assert!(problems[0].contains("wrong kind"), "{}", problems[0]);
        }
        for text in [
            "[updates.properties]\n\"sasl.password\" = \"271828\n",
            "[updates.properties]\n\"sasl.password\" = x271828\n",
            "[updates.properties]\n\"sasl.password\" = \"271828\"\n\"sasl.password\" = \"271828\"\n",
            "[updates.properties]\n\"sasl.password\" \"271828\"\n",
            "[updates.properties]\nsasl.password = '271828' '271828'\n",
        ] {
            let error = text.parse::<Table>().expect_err(text);
            let said = located(&error, text);
            assert!(said.starts_with("line "), "{said}");
            assert!(!said.contains("271828"), "{said}");
        }
    }

    #[test]
    fn a_broker_with_a_password_before_its_name_is_refused() {
        let (config, _) = settled("[updates]\nbroker = 'me:271828@there:1'\n");
        assert_eq!(
            with_password(&config),
            Some("updates.broker (or AMORE_BROKER)")
        );
        let (config, _) = settled("[notifications]\nbrokers = ['a:1', 'me:271828@b:1']\n");
        assert_eq!(with_password(&config), Some("notifications.brokers"));
        assert_eq!(with_password(&settled("").0), None);
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let (config, _) = settled("[updates]\nbroker = 'there:1'\n");
        let config =
            config.with_environment(|name| (name == "AMORE_BROKER").then(|| "here:2".into()));
        assert_eq!(config.updates.broker, "here:2");
    }
}
