//! What is wrong with settings that are well-formed: the things they name do not exist or make no sense.

use std::path::{Path, PathBuf};

use runledger_listener::kafka::Properties;

use super::{Config, QueueChoice};

/// Every problem of a configuration, each with what to do about it.
pub(crate) fn problems(config: &Config) -> Vec<String> {
    let mut found = Vec::new();
    brokers(config, &mut found);
    notifications(config, &mut found);
    properties(
        "notifications",
        &config.notifications.properties,
        &mut found,
    );
    if config.updates.broker().is_some() {
        properties("updates", &config.updates.properties, &mut found);
    }
    data(config, &mut found);
    places(config, &mut found);
    context(config, &mut found);
    jobs(config, &mut found);
    limits(config, &mut found);
    sandbox(config, &mut found);
    monitor(config, &mut found);
    found
}

fn brokers(config: &Config, found: &mut Vec<String>) {
    for broker in &config.notifications.brokers {
        address("notifications.brokers", broker, found);
    }
    if let Some(broker) = config.updates.broker() {
        for one in broker.split(',') {
            address("updates.broker (or AMORE_BROKER)", one.trim(), found);
        }
    }
}

fn address(setting: &str, broker: &str, found: &mut Vec<String>) {
    let well_formed = broker
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|p| p > 0));
    if !well_formed {
        found.push(format!(
            "`{setting}`: {broker:?} is no broker's address; write host:port"
        ));
    }
}

fn notifications(config: &Config, found: &mut Vec<String>) {
    let n = &config.notifications;
    if n.brokers.is_empty() {
        found
            .push("`notifications.brokers` is empty; name at least one broker as host:port".into());
    }
    if n.topics.is_empty() {
        found
            .push("`notifications.topics` is empty; name the topics that announce new runs".into());
    }
    let fields = [&n.fields.event, &n.fields.proposal, &n.fields.run];
    if fields.iter().any(|field| field.is_empty()) {
        found.push(
            "`notifications.fields` has an empty name; `event`, `proposal` and `run` name the fields of a message"
                .into(),
        );
    }
    if n.events.is_empty() {
        found.push(
            "`notifications.events` is empty; name the events, for example run_closed = \"raw\""
                .into(),
        );
    }
}

/// What is published and what is read goes through the same library.
fn properties(section: &str, properties: &Properties, found: &mut Vec<String>) {
    for problem in properties.problems() {
        found.push(format!(
            "`{section}.properties`: {problem} (all names and values: CONFIGURATION.md of librdkafka)"
        ));
    }
}

fn data(config: &Config, found: &mut Vec<String>) {
    let root = &config.data.root;
    if !root.is_dir() {
        found.push(format!(
            "`data.root`: {} is no folder; set it to where the proposals are (databases outside of it can still be \
             watched with `runledger listener add`)",
            root.display()
        ));
    }
}

fn places(config: &Config, found: &mut Vec<String>) {
    let data = &config.data;
    if !["{proposal}", "{proposal:06}"]
        .iter()
        .any(|number| data.pattern.contains(number))
    {
        found.push(format!(
            "`data.pattern`: {:?} has neither {{proposal}} nor {{proposal:06}}, so all proposals would share a folder",
            data.pattern
        ));
    }
    if !data.database.is_relative() || data.database.as_os_str().is_empty() {
        found.push(format!(
            "`data.database`: {:?} is no path below a proposal's folder; write for example \"usr/Shared/amore\"",
            data.database.display().to_string()
        ));
    }
    let is_named = ["{run}", "{run:04}"]
        .iter()
        .any(|number| data.run.contains(number));
    if !data.run.is_empty() && (!is_named || data.run.starts_with('/')) {
        found.push(format!(
            "`data.run`: {:?} is no path below a proposal's folder with {{run}} or {{run:04}} in it; write for example \
             \"raw/r{{run:04}}\", or \"\" if runs have no folders of their own",
            data.run
        ));
    }
}

fn context(config: &Config, found: &mut Vec<String>) {
    let python = &config.context.python;
    if python.as_os_str().is_empty() {
        found.push(
            "`context.python` is empty, so no context file could be read; write \"python3\", or the full path of a Python 3.9 \
             or newer with NumPy"
                .into(),
        );
    } else if program(python).is_none() {
        found.push(format!(
            "`context.python`: no program {} can be run; give the full path of a Python 3.9 or newer with NumPy",
            python.display()
        ));
    }
    let opener = &config.context.opener;
    if !opener.is_empty() && !is_opener(opener) {
        found.push(format!(
            "`context.opener`: {opener:?} is not module:function"
        ));
    }
}

fn is_opener(text: &str) -> bool {
    let word = |part: &str| {
        !part.is_empty()
            && part
                .split('.')
                .all(|w| !w.is_empty() && w.chars().all(|c| c == '_' || c.is_alphanumeric()))
    };
    text.split_once(':')
        .is_some_and(|(module, function)| word(module) && word(function))
}

fn jobs(config: &Config, found: &mut Vec<String>) {
    if config.jobs.local_limit == 0 {
        found.push("`jobs.local_limit` is 0, so no job would ever run; set it to 1 or more".into());
    }
    if config.jobs.queue == QueueChoice::Slurm && program(&config.slurm.sbatch).is_none() {
        found.push(format!(
            "`jobs.queue` is \"slurm\", and no program {} can be run (`slurm.sbatch`); give its path, or set \"local\" to \
             run jobs on this machine",
            config.slurm.sbatch.display()
        ));
    }
    if config.slurm.array_size == 0 {
        found.push("`slurm.array_size` is 0, so no array could be submitted; 1000 is usual".into());
    }
    if config.jobs.context_workers == 0 {
        found.push("`jobs.context_workers` is 0; 1 evaluates one variable after the other".into());
    }
    if config.jobs.time_limit.is_zero() {
        found.push(
            "`jobs.time_limit` is 0, so every job would be ended at once; write for example \"2h\""
                .into(),
        );
    }
}

/// None of them set is no limit.
fn limits(config: &Config, found: &mut Vec<String>) {
    let jobs = &config.jobs;
    let limits = [
        ("max_running", jobs.max_running),
        ("max_queued", jobs.max_queued),
        ("max_running_total", jobs.max_running_total),
        ("max_queued_total", jobs.max_queued_total),
    ];
    for (name, _) in limits.iter().filter(|(_, limit)| *limit == Some(0)) {
        found.push(format!(
            "`jobs.{name}` is 0, so no job would ever run; set it to 1 or more, or leave it out for no limit"
        ));
    }
}

fn sandbox(config: &Config, found: &mut Vec<String>) {
    found.extend(config.sandbox.problems());
    let has_sandbox = config.sandbox.is_on() || !config.sandbox.wrapper.is_empty();
    if has_sandbox && !config.jobs.warm_python.is_zero() {
        found.push(
            "`jobs.warm_python` is set, and there is a sandbox: each job has one of its own, so that no Python can wait for \
             the next; set it to \"0s\""
                .into(),
        );
    }
}

fn monitor(config: &Config, found: &mut Vec<String>) {
    let address = &config.monitor.address;
    if !address.is_empty() && address.parse::<std::net::SocketAddr>().is_err() {
        found.push(format!(
            "`monitor.address`: {address:?} is no address and port of this machine; write for example \"127.0.0.1:9100\""
        ));
    }
}

/// Where a program is: the path itself, or the first place on `PATH` that has it.
fn program(name: &Path) -> Option<PathBuf> {
    if name.components().count() > 1 {
        return name.is_file().then(|| name.to_path_buf());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|candidate| candidate.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use runledger_listener::settings::Profile;

    fn sound() -> Config {
        let mut config = Config::of(Profile::Maxwell);
        config.data.root = "/".into();
        config.context.python = "/bin/sh".into();
        config.slurm.sbatch = "/bin/sh".into();
        config
    }

    #[test]
    fn a_sound_configuration_has_no_problem() {
        assert_eq!(problems(&sound()), Vec::<String>::new());
    }

    #[test]
    fn each_unusable_setting_is_named_at_once() {
        let mut config = sound();
        config.notifications.brokers = vec!["nowhere".into()];
        config.notifications.topics.clear();
        config.updates.broker = "host:notaport".into();
        config.data.root = "/no/such/folder".into();
        config.context.python = "no-such-python".into();
        config.context.opener = "opener".into();
        config.jobs.local_limit = 0;
        config.slurm.sbatch = "no-such-sbatch".into();
        config.monitor.address = "9100".into();
        config.notifications.fields.run.clear();
        config.data.pattern = "p".into();
        config.data.database = "/abs".into();
        config.data.run = "raw".into();
        let found = problems(&config);
        assert_eq!(found.len(), 13, "{found:#?}");
    }

    #[test]
    fn limits_of_zero_and_an_empty_python_are_no_choice() {
        let mut config = sound();
        config.context.python = "".into();
        config.jobs.max_running = Some(0);
        config.jobs.max_queued = Some(0);
        config.jobs.max_running_total = Some(0);
        config.jobs.max_queued_total = Some(0);
        let found = problems(&config);
        assert_eq!(found.len(), 5, "{found:#?}");
        assert!(found[0].contains("`context.python` is empty"), "{found:#?}");
    }

    #[test]
    fn what_the_kafka_library_does_not_take_is_named_by_its_section() {
        let mut config = sound();
        let misspelt = || Properties::from([("sasl.passwrod".to_owned(), "hunter2".to_owned())]);
        config.notifications.properties = misspelt();
        config.updates.properties = misspelt();
        let found = problems(&config);
        assert_eq!(found.len(), 2, "{found:#?}");
        for (problem, section) in found.iter().zip(["notifications", "updates"]) {
            assert!(problem.starts_with(&format!("`{section}.properties`: sasl.passwrod")));
            assert!(!problem.contains("hunter2"), "{problem}");
        }
        // Nothing is published: nobody would ever be told.
        config.updates.broker = "none".into();
        assert_eq!(problems(&config).len(), 1);
    }

    #[test]
    fn a_broker_may_be_switched_off() {
        let mut config = sound();
        config.updates.broker = "none".into();
        assert_eq!(problems(&config), Vec::<String>::new());
    }
}
