//! Each command: from its arguments to the parts that do the work.

mod combiner;
mod completions;
mod config_check;
mod daemonize;
mod database;
mod demo;
mod extract;
mod init;
mod jobs;
mod key_value;
mod letters;
mod listen;
mod listener;
mod migrate;
mod notebook;
mod read_context;
mod reprocess;
mod sandbox;
mod service;
mod stop;
mod table;

use std::path::{Path, PathBuf};
use std::time::Duration;

use runledger_context::worker::Stop;
use runledger_listener::dispatch::{Dispatch, Dispatcher, Queues};
use runledger_listener::extraction::ExtractionSettings;
use runledger_listener::publisher::{Publisher, PublisherSettings};
use runledger_listener::queue::{GRACE, LocalQueue, LocalSettings, SlurmQueue, Surroundings};
use tracing::warn;

use crate::arguments::{Arguments, Combiner, Command, Jobs, JobsCommand, Migrate, Sandbox};
use crate::config::{self, Config, QueueChoice};
use crate::failure::{Failure, Result};
use crate::logging::{self, Loudness};
use crate::place;

/// How long the last messages of a command may take.
const FAREWELL: Duration = Duration::from_secs(10);

/// What every command is given beside its own arguments.
#[derive(Clone)]
pub(crate) struct Site {
    /// The settings in force.
    pub(crate) config: Config,
    /// The file they came from, for the jobs that are started.
    pub(crate) file: Option<PathBuf>,
    /// The sandbox's wrapper that this command was given; empty: what the configuration says holds.
    pub(crate) wrapper: String,
}

impl Site {
    /// The site as configured for work in `dir`.
    fn load(asked: Option<&Path>, dir: &Path) -> Result<Self> {
        let file = config::file(asked, dir)
            .map(|path| place::absolute(&path))
            .transpose()?;
        let config = config::load(file.as_deref()).map_err(|e| {
            Failure::usage(e).hint("`deploy/runledger.toml` lists every setting with its meaning")
        })?;
        Ok(Self {
            config,
            file,
            wrapper: String::new(),
        })
    }

    /// The same place, where context files are evaluated in this wrapper; empty: in that of the configuration.
    fn wrapped_in(mut self, wrapper: Option<&str>) -> Self {
        if let Some(words) = wrapper.filter(|words| !words.is_empty()) {
            self.config.sandbox.wrapper = words.to_owned();
            self.wrapper = words.to_owned();
        }
        self
    }

    /// The same place with the configuration as it is now.
    ///
    /// # Errors
    /// It is not sound: everything that is wrong with it.
    fn again(&self, dir: &Path) -> Result<Self> {
        let site = Self::load(self.file.as_deref(), dir)?;
        let problems = config::problems(&site.config);
        match problems.is_empty() {
            true => {
                site.tell_of_exposure();
                Ok(site)
            }
            false => Err(Failure::new(problems.join("; "))),
        }
    }

    /// Says in the log what others can do with the configuration that should be for its owner to do.
    fn tell_of_exposure(&self) {
        for what in config::exposed(&self.config, self.file.as_deref()) {
            warn!("{what}");
        }
    }

    /// How jobs evaluate context files.
    fn extraction(&self) -> ExtractionSettings {
        let opener = &self.config.context.opener;
        ExtractionSettings {
            python: self.config.context.python.clone(),
            opener: (!opener.is_empty()).then(|| opener.clone()),
            environment: self.config.data.environment(config::variable),
            time_limit: self.config.jobs.time_limit,
            context_workers: self.config.jobs.context_workers.max(1),
            keep_python: self.config.jobs.keep_python(),
            variable_time_limit: self.config.jobs.variable_time_limit(),
            memory: self.config.jobs.memory(),
            sandbox: self.config.sandbox.clone(),
            data: self.config.data.clone(),
            stop: Stop::default(),
            surroundings: Surroundings::here(&self.config.slurm.clusters()),
        }
    }

    /// Where news goes.
    fn publisher_settings(&self) -> PublisherSettings {
        PublisherSettings {
            broker: self.config.updates.broker(),
            properties: self.config.updates.properties.clone(),
        }
    }

    fn publisher(&self) -> Result<Publisher> {
        Ok(Publisher::new(&self.publisher_settings())?)
    }

    /// Sees to the jobs that are planned.
    fn dispatch(&self) -> Result<Dispatch> {
        let settings = self.config.jobs.dispatch();
        Ok(Dispatch::start(self.queues()?, settings, self.publisher()?))
    }

    /// Sees to the jobs of one database at a time, here and now.
    fn dispatcher(&self) -> Result<Dispatcher> {
        let settings = self.config.jobs.dispatch();
        Ok(Dispatcher::new(self.queues()?, settings, self.publisher()?))
    }

    /// Where jobs go.
    fn queues(&self) -> Result<Queues> {
        let local = LocalQueue::new(self.local_jobs()?);
        let queues = match self.config.jobs.queue {
            QueueChoice::Local => Queues::only(local),
            QueueChoice::Slurm => {
                let settings = self.config.slurm.clone();
                let slurm = SlurmQueue::new(settings, program()?, self.file.clone());
                Queues::only(slurm).beside(local)
            }
        };
        queues.wrap_in(&self.wrapper);
        Ok(queues)
    }

    /// How jobs run on this machine: as this same program, with the same configuration.
    fn local_jobs(&self) -> Result<LocalSettings> {
        Ok(LocalSettings {
            program: program()?,
            config: self.file.clone(),
            limit: self.config.jobs.local_limit,
            time_limit: self.config.jobs.time_limit,
            grace: GRACE,
        })
    }
}

/// This program, which jobs run as well.
fn program() -> Result<PathBuf> {
    std::env::current_exe()
        .map_err(|e| Failure::new(format!("this program does not find itself: {e}")))
}

/// Whether a command only prints: `runledger table | head` ends it when `head` has seen enough.
fn only_prints(command: &Command) -> bool {
    use Command as C;
    matches!(
        command,
        C::Table(_)
            | C::Completions { .. }
            | C::Config(_)
            | C::DbConfig(_)
            | C::Jobs(Jobs {
                what: None | Some(JobsCommand::Show { .. } | JobsCommand::Log { .. }),
                ..
            })
            | C::Listener(_)
            | C::Proposal { .. }
            | C::Migrate(Migrate { check: true, .. })
            | C::PythonPath
            | C::Sandbox(Sandbox::Check { .. })
    )
}

/// Does what the command line says.
pub(crate) fn run(arguments: Arguments) -> Result {
    if only_prints(&arguments.command) {
        sigpipe::reset();
    }
    if let Command::Sandbox(what) = &arguments.command
        && let Some(ended) = sandbox::run_inner(what)
    {
        return ended;
    }
    let loudness = Loudness {
        verbose: arguments.verbose,
        quiet: arguments.quiet,
        tells: matches!(
            arguments.command,
            Command::Jobs(_) | Command::Reprocess(_) | Command::Migrate(_)
        ),
    };
    let format = arguments.log_format;
    let here = place::here()?;
    let dir = match &arguments.command {
        Command::Listen(listen) => place::absolute(&listen.dir)?,
        _ => here.clone(),
    };
    if let Command::Completions { shell } = arguments.command {
        return completions::print(shell);
    }
    if matches!(arguments.command, Command::PythonPath) {
        return notebook::python_path();
    }
    if !matches!(arguments.command, Command::Listen(_)) {
        logging::start(loudness, format, None)?;
    }
    if let Command::Combiner(Combiner::Worker { tells }) = arguments.command {
        return combiner::work(tells);
    }
    let asked = arguments.config.as_deref();
    if matches!(arguments.command, Command::Config(_)) {
        return config_check::run(asked, &dir);
    }
    let site = Site::load(asked, &dir)?;
    match arguments.command {
        Command::Init(init) => init::run(&init, &site),
        Command::DbConfig(change) => database::settings(&here, &change),
        Command::Proposal { proposal } => database::proposal(&here, proposal),
        Command::NewId { db_dir } => database::new_id(&db_dir),
        Command::Migrate(migrate) => migrate::run(&here, &migrate),
        Command::ReadContext => read_context::run(&here, &site),
        Command::Listener(what) => listener::run(&here, what, &site),
        Command::Listen(listen) if listen.daemonize => {
            daemonize::run(&dir, &site, loudness, format)
        }
        Command::Listen(listen) => {
            logging::start(loudness, format, Some(&listen::log(&dir)?))?;
            listen::run(&dir, listen.test, &site)
        }
        Command::ExtractTask { token } => extract::run_task(&here, &token),
        Command::Extract(extract) => {
            let site = site.wrapped_in(extract.sandbox_args.as_deref());
            extract::run(&here, extract, &site)
        }
        Command::Reprocess(reprocess) => reprocess::run(&here, reprocess, &site),
        Command::Jobs(jobs) => jobs::run(&here, jobs, &site),
        Command::Combiner(what) => combiner::run(&here, what, (loudness, format), &site),
        Command::Sandbox(what) => match what {
            Sandbox::Check { json } => sandbox::check(json, &site),
            _ => Ok(()),
        },
        Command::Table(table) => table::run(&table),
        Command::Demo(demo) => demo::run(&demo),
        Command::SaveResults => notebook::save_results(&site),
        Command::Config(_) | Command::Completions { .. } | Command::PythonPath => Ok(()),
    }
}
