//! What the demo needs: example runs, a database, a broker, and the configuration that joins them.

use std::fs;
use std::io::{IsTerminal, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use runledger_context::run::{Proposal, RunNumber};
use runledger_listener::kafka::EmbeddedBroker;
use runledger_listener::updates::FILE_SUBMISSIONS;
use runledger_storage::{CellValue, Database};
use tempfile::TempDir;

use crate::arguments::Demo;
use crate::failure::{Failure, Result};
use crate::place;

/// The topic of the demo's notifications.
pub(super) const TOPIC: &str = "demo.runs";

const MAKE_RUNS: &str = include_str!("../../../../deploy/demo/make_runs.py");
const CONTEXT: &str = include_str!("../../../../deploy/demo/context.py");

/// A run of the demo.
#[derive(Debug, Clone, Copy)]
pub(super) struct DemoRun {
    pub(super) number: RunNumber,
    /// Whether it has calibrated data as well.
    pub(super) has_proc: bool,
}

/// Everything the demo works on.
pub(super) struct Stage {
    root: PathBuf,
    /// Removed at the end; None where the user keeps it.
    temporary: Option<TempDir>,
    python: PathBuf,
    pub(super) broker: EmbeddedBroker,
    pub(super) proposal: Proposal,
    pub(super) runs: Vec<DemoRun>,
    proposal_dir: PathBuf,
}

impl Stage {
    /// Sets everything up.
    pub(super) fn set(demo: &Demo) -> Result<Self> {
        let (root, temporary) = folder(demo.keep.as_deref())?;
        let python = interpreter(&demo.python)?;
        let proposal_dir = make_runs(&root, &python)?;
        let broker = EmbeddedBroker::start(&[TOPIC, FILE_SUBMISSIONS])?;
        let stage = Self {
            proposal: proposal_of(&proposal_dir)?,
            runs: runs_in(&proposal_dir)?,
            root,
            temporary,
            python,
            broker,
            proposal_dir,
        };
        stage.set_up_database()?;
        stage.set_up_listener()?;
        Ok(stage)
    }

    /// Where the run files are.
    pub(super) fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// The database's folder: the proposal's usual one.
    pub(super) fn db(&self) -> PathBuf {
        self.proposal_dir.join("usr/Shared/amore")
    }

    /// The listener's folder.
    pub(super) fn listener(&self) -> PathBuf {
        self.root.join("listener")
    }

    /// The configuration that everything here uses.
    pub(super) fn config(&self) -> PathBuf {
        self.listener().join(crate::config::FILE_NAME)
    }

    /// How many events the demo announces.
    pub(super) fn notifications(&self) -> usize {
        self.runs.len() + self.runs.iter().filter(|run| run.has_proc).count()
    }

    fn set_up_database(&self) -> Result {
        let mut db = Database::create(&self.db(), self.proposal)?;
        let python = CellValue::Text(self.python.display().to_string());
        db.set_setting("context_python", &python)?;
        write(&self.db().join("context.py"), CONTEXT)
    }

    fn set_up_listener(&self) -> Result {
        fs::create_dir_all(self.listener()).map_err(|e| unwritable(&self.listener(), &e))?;
        let broker = self.broker.address();
        let config = format!(
            "# The demo's own configuration; deploy/runledger.toml explains every setting.\n\
             [notifications]\nbrokers = [{broker:?}]\ntopics = [{TOPIC:?}]\nstart_from = \"earliest\"\n\n\
             [notifications.events]\nmigration_complete = \"raw\"\nrun_corrections_complete = \"proc\"\n\n\
             [updates]\nbroker = {broker:?}\n\n[data]\nroot = {:?}\n\n[context]\npython = {:?}\n\n\
             [jobs]\nqueue = \"local\"\n",
            self.data().display().to_string(),
            self.python.display().to_string(),
        );
        write(&self.config(), &config)
    }

    /// A command of this same program in the demo's own little world.
    pub(super) fn command(&self, arguments: &[&str]) -> Result<Command> {
        let program = std::env::current_exe()
            .map_err(|e| Failure::new(format!("this program does not find itself: {e}")))?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.listener())
            .env(crate::config::FILE_VARIABLE, self.config())
            .env("XFEL_DATA_ROOT", self.data())
            .env("EXTRA_DATA_DATA_ROOT", self.data())
            .env_remove("AMORE_BROKER")
            .stdin(Stdio::null())
            // Ctrl-C is for the demo, which then stops them in order.
            .process_group(0);
        Ok(command)
    }

    /// For messages.
    pub(super) fn where_logs_are(&self) -> String {
        format!(
            "the logs are in {} and {}",
            self.listener().display(),
            self.db().join("process_logs").display()
        )
    }

    /// Paths and commands, for the user to go on with.
    pub(super) fn tell_what_was_made(&self) {
        let db = self.db();
        let db = db.display();
        println!("  database   {db}");
        println!("  results    {db}/extracted_data/   (one HDF5 file per run)");
        println!(
            "  logs       {db}/process_logs/ and {}",
            self.listener().display()
        );
        println!("  run files  {}\n", self.proposal_dir.display());
        let program = program();
        println!("Look at it:");
        println!("  {program} table {db}");
        println!("  {program} table {db} --json");
        println!("  tail {db}/process_logs/r1-p{}.out", self.proposal.0);
        println!("Change {db}/context.py and evaluate again:");
        println!(
            "  EXTRA_DATA_DATA_ROOT={0} XFEL_DATA_ROOT={0} AMORE_BROKER=none \\\n    {program} reprocess all --in {db} --direct",
            self.data().display()
        );
    }

    /// Removes what is not to be kept, once nobody looks at it any more.
    pub(super) fn leave(self) {
        let Some(temporary) = self.temporary else {
            return;
        };
        if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
            print!("\nPress Enter to remove all of it (next time --keep DIR keeps it) … ");
            // Whatever is typed, even nothing at all, is the answer.
            let _ = std::io::stdout().flush();
            let _ = std::io::stdin().read_line(&mut String::new());
        } else {
            println!("\nIt is removed now; with --keep DIR it stays.");
        }
        if let Err(why) = temporary.close() {
            eprintln!("warning: {} is left: {why}", self.root.display());
        }
    }
}

/// How this program is called: by its name where that finds it.
fn program() -> String {
    let me = std::env::current_exe().unwrap_or_else(|_| "runledger".into());
    let found = |dir: PathBuf| {
        dir.join("runledger")
            .canonicalize()
            .is_ok_and(|found| found == me)
    };
    let on_path =
        std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(found));
    if on_path {
        "runledger".into()
    } else {
        me.display().to_string()
    }
}

fn folder(keep: Option<&Path>) -> Result<(PathBuf, Option<TempDir>)> {
    let Some(keep) = keep else {
        let temporary = tempfile::Builder::new().prefix("runledger-demo-").tempdir();
        let temporary =
            temporary.map_err(|e| Failure::new(format!("no temporary folder can be made: {e}")))?;
        return Ok((temporary.path().to_path_buf(), Some(temporary)));
    };
    fs::create_dir_all(keep).map_err(|e| unwritable(keep, &e))?;
    let mut entries = fs::read_dir(keep).map_err(|e| unwritable(keep, &e))?;
    if entries.next().is_some() {
        return Err(Failure::new(format!("{} is not empty", keep.display()))
            .hint("name a folder that is not there yet"));
    }
    Ok((place::absolute(keep)?, None))
}

/// The full path of the interpreter, which must be able to make run files.
fn interpreter(python: &Path) -> Result<PathBuf> {
    let asked = Command::new(python)
        .args([
            "-c",
            "import sys, extra_data, xarray; print(sys.executable)",
        ])
        .stdin(Stdio::null())
        .output()
        .map_err(|e| {
            Failure::new(format!(
                "the Python {} cannot be started: {e}",
                python.display()
            ))
        })?;
    if !asked.status.success() {
        let why = String::from_utf8_lossy(&asked.stderr).trim_end().to_owned();
        return Err(Failure::new(format!("{} lacks what the demo needs:\n{why}", python.display()))
            .hint("`./x demo` prepares one; or install the packages EXtra-data and xarray and give --python"));
    }
    Ok(String::from_utf8_lossy(&asked.stdout).trim().into())
}

/// Lets EXtra-data write the run files; returns the proposal's folder.
fn make_runs(root: &Path, python: &Path) -> Result<PathBuf> {
    let script = root.join("make_runs.py");
    write(&script, MAKE_RUNS)?;
    let made = Command::new(python)
        .arg(&script)
        .arg(root.join("data"))
        .stdin(Stdio::null())
        .output()
        .map_err(|e| Failure::new(format!("{} cannot be started: {e}", python.display())))?;
    if !made.status.success() {
        let why = String::from_utf8_lossy(&made.stderr).trim_end().to_owned();
        return Err(Failure::new(format!(
            "no example runs could be made:\n{why}"
        )));
    }
    let said = String::from_utf8_lossy(&made.stdout);
    Ok(said.lines().last().unwrap_or_default().trim().into())
}

fn proposal_of(dir: &Path) -> Result<Proposal> {
    let name = dir
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let number = name
        .strip_prefix('p')
        .and_then(|digits| digits.parse().ok());
    number
        .map(Proposal)
        .ok_or_else(|| Failure::new(format!("{} is no proposal's folder", dir.display())))
}

fn runs_in(proposal_dir: &Path) -> Result<Vec<DemoRun>> {
    let raw = proposal_dir.join("raw");
    let entries =
        fs::read_dir(&raw).map_err(|e| Failure::new(format!("{}: {e}", raw.display())))?;
    let names = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok());
    let mut runs: Vec<DemoRun> = names
        .filter_map(|name| {
            let number = name.strip_prefix('r')?.parse().ok()?;
            let has_proc = proposal_dir.join("proc").join(&name).is_dir();
            Some(DemoRun {
                number: RunNumber(number),
                has_proc,
            })
        })
        .collect();
    runs.sort_by_key(|run| run.number);
    Ok(runs)
}

fn write(path: &Path, text: &str) -> Result {
    fs::write(path, text).map_err(|e| unwritable(path, &e))
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("{} cannot be written: {error}", path.display()))
}
