//! A facility in a temporary folder: a broker, a database, a listener's folder, and no way out of it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use runledger_listener::kafka::{EmbeddedBroker, Producer, ProducerSettings};
use rusqlite::{Connection, OpenFlags};

use crate::process::{Finished, Service, command, runledger};
use crate::{Kafka, python};

/// The topic of notifications in the tests.
const RUNS: &str = "test.runs";

/// Machines can be slow, and have a lot to do.
const PATIENCE: Duration = Duration::from_secs(240);

const OPENER: &str =
    "def open_run(proposal, run, data):\n    return {'proposal': proposal, 'run': run}\n";

/// A facility of its own.
pub struct Site {
    folder: tempfile::TempDir,
    /// Lives as long as the site.
    _broker: Option<EmbeddedBroker>,
    /// Where publishing goes, `host:port` or `none`.
    pub broker_address: String,
}

impl Site {
    /// Without a broker.
    pub fn quiet() -> Self {
        let site = Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            _broker: None,
            broker_address: "none".into(),
        };
        site.furnish();
        site
    }

    /// With a broker that has the topic of notifications.
    pub fn with_broker() -> Self {
        let broker = EmbeddedBroker::start(&[RUNS, "test.damnit.file_submissions"]);
        let broker = broker.expect("a broker on a free port");
        let site = Self {
            broker_address: broker.address(),
            _broker: Some(broker),
            folder: tempfile::tempdir().expect("a temporary folder"),
        };
        site.furnish();
        site
    }

    /// With a real Kafka, which has the topic of notifications in four partitions.
    ///
    /// # Panics
    /// The topics cannot be made.
    pub fn over(kafka: &Kafka) -> Self {
        kafka.make_topics(&[&format!("{RUNS}:4"), "test.damnit.file_submissions"]);
        let site = Self {
            broker_address: kafka.address.clone(),
            _broker: None,
            folder: tempfile::tempdir().expect("a temporary folder"),
        };
        site.furnish();
        site
    }

    fn furnish(&self) {
        for dir in [self.data_root(), self.listener()] {
            std::fs::create_dir_all(dir).expect("a folder in a temporary folder");
        }
        self.write("runledger.toml", &self.configuration());
    }

    fn configuration(&self) -> String {
        let brokers = match self.broker_address.as_str() {
            "none" => "localhost:1",
            address => address,
        };
        format!(
            "[notifications]\nbrokers = [{brokers:?}]\ntopics = [{RUNS:?}]\nstart_from = \"earliest\"\n\
             [notifications.events]\nmigration_complete = \"raw\"\nrun_corrections_complete = \"proc\"\n\
             [notifications.properties]\n\"session.timeout.ms\" = \"6000\"\n\
             [updates]\nbroker = {:?}\n\
             [updates.properties]\n\"session.timeout.ms\" = \"6000\"\n\
             [data]\nroot = {:?}\n[context]\npython = {:?}\n[jobs]\nqueue = \"local\"\nlocal_limit = 2\ntime_limit = \"2m\"\n",
            self.broker_address,
            self.data_root(),
            python(),
        )
    }

    /// A path in the site's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file in the site's folder.
    ///
    /// # Panics
    /// It cannot.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("a file in a temporary folder");
    }

    /// Adds to the site's configuration: `from` becomes `to`.
    ///
    /// # Panics
    /// `from` is not there.
    pub fn configure(&self, from: &str, to: &str) {
        let old = std::fs::read_to_string(self.path("runledger.toml")).expect("the configuration");
        assert!(old.contains(from), "{from:?} is not in {old}");
        self.write("runledger.toml", &old.replace(from, to));
    }

    /// Where the facility keeps its runs.
    pub fn data_root(&self) -> PathBuf {
        self.path("data")
    }

    /// Lets EXtra-data write the runs of the demo, those of proposal 900123.
    ///
    /// # Panics
    /// It cannot.
    pub fn make_runs(&self) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/demo/make_runs.py");
        let mut make = Command::new(python());
        Finished::of(make.arg(script).arg(self.data_root())).succeeded();
    }

    /// The listener's folder.
    pub fn listener(&self) -> PathBuf {
        self.path("listener")
    }

    /// The database's folder.
    pub fn db(&self) -> PathBuf {
        self.path("db")
    }

    /// A database of proposal 1234 with this context file.
    pub fn init(&self, context: &str) {
        self.init_in("db", "1234", context);
    }

    /// Runs have no data: the opener is the site's own, in this database's folder, and gives
    /// `{"proposal": …, "run": …}`.
    ///
    /// # Panics
    /// A file cannot be written.
    pub fn open_runs_without_data(&self, database: &Path) {
        self.configure("[context]\n", "[context]\nopener = \"facility:open_run\"\n");
        std::fs::write(database.join("facility.py"), OPENER).expect("the opener");
    }

    /// Itself, with a database whose runs [have no data](Self::open_runs_without_data).
    ///
    /// # Panics
    /// A file cannot be written.
    pub fn opening(self, context: &str) -> Self {
        self.init(context);
        self.open_runs_without_data(&self.db());
        self
    }

    /// Itself, [`opening`](Self::opening) its runs, with a listener that watches their database.
    ///
    /// # Panics
    /// A file cannot be written.
    pub fn watching(self, context: &str) -> Self {
        let site = self.opening(context);
        site.watch_from(&site.listener());
        site
    }

    /// The listener in this folder watches the site's database.
    pub fn watch_from(&self, listener: &Path) {
        let db = self.db().display().to_string();
        let add = ["listener", "add", "1234", &db];
        Finished::of(&mut self.command(listener, &add)).succeeded();
    }

    /// The listener of a site that is [`watching`](Self::watching) has another proposal's database as well.
    ///
    /// # Panics
    /// A file cannot be written.
    pub fn watch_another(&self, folder: &str, proposal: &str, context: &str) {
        self.init_in(folder, proposal, context);
        let dir = self.path(folder);
        std::fs::write(dir.join("facility.py"), OPENER).expect("the opener");
        let add = ["listener", "add", proposal, &dir.display().to_string()];
        Finished::of(&mut self.command(&self.listener(), &add)).succeeded();
    }

    /// A database in a folder of the site.
    pub fn init_in(&self, folder: &str, proposal: &str, context: &str) {
        self.write("given.py", context);
        let (dir, given) = (self.path(folder), self.path("given.py"));
        let mut command = self.command(self.folder.path(), &["init"]);
        command.arg(dir).args(["--proposal", proposal]);
        Finished::of(command.arg("--context").arg(given)).succeeded();
    }

    /// The binary with these arguments, to be run in `dir`, in the site's environment.
    pub fn command<S: AsRef<std::ffi::OsStr>>(&self, dir: &Path, arguments: &[S]) -> Command {
        let mut command = command(&runledger(), arguments);
        command
            .current_dir(dir)
            .env("RUNLEDGER_CONFIG", self.path("runledger.toml"))
            .env("XDG_CACHE_HOME", self.path("cache"))
            // Where the data is, the configuration says.
            .env_remove("XFEL_DATA_ROOT")
            .env_remove("EXTRA_DATA_DATA_ROOT")
            .env("AMORE_BROKER", &self.broker_address);
        command
    }

    /// Runs the binary in the database's folder.
    pub fn run(&self, arguments: &[&str]) -> Finished {
        Finished::of(&mut self.command(&self.db(), arguments))
    }

    /// Starts a service of the binary in the listener's folder.
    pub fn service(&self, arguments: &[&str]) -> Service {
        let log = self.path(&format!("{}.log", arguments[0]));
        Service::start(&mut self.command(&self.listener(), arguments), &log)
    }

    /// Starts a listener in another folder of the site.
    pub fn listener_in(&self, folder: &str) -> Service {
        let mut command = self.command(&self.path(folder), &["listen", "."]);
        Service::start(&mut command, &self.path(&format!("{folder}.log")))
    }

    /// A Python program of the tests, to its end.
    pub fn python(&self, script: &str, arguments: &[&std::ffi::OsStr]) -> Finished {
        Finished::of(
            command(&python(), &[crate::script(script)])
                .args(arguments)
                .current_dir(self.folder.path())
                .env("XFEL_DATA_ROOT", self.data_root())
                .env("EXTRA_DATA_DATA_ROOT", self.data_root())
                .env("AMORE_BROKER", &self.broker_address),
        )
    }

    /// Sends one message to the topic of notifications.
    ///
    /// # Panics
    /// The broker does not take it.
    pub fn notify(&self, payload: &str) {
        self.notify_on(RUNS, payload);
    }

    /// Sends one message to any topic.
    ///
    /// # Panics
    /// The broker does not take it.
    pub fn notify_on(&self, topic: &str, payload: &str) {
        self.send(topic, [payload.to_owned()]);
    }

    /// Sends many messages to the topic of notifications.
    ///
    /// # Panics
    /// The broker does not take them.
    pub fn notify_all(&self, payloads: impl IntoIterator<Item = String>) {
        self.send(RUNS, payloads);
    }

    fn send(&self, topic: &str, payloads: impl IntoIterator<Item = String>) {
        let producer =
            Producer::new(&ProducerSettings::to(&self.broker_address)).expect("a producer");
        for (token, payload) in (0..).zip(payloads) {
            producer
                .send(token, topic, payload.as_bytes())
                .expect("a message for the broker");
        }
        let left = producer.flush(Duration::from_secs(20));
        assert!(left.is_empty(), "the broker did not take {left:?}");
    }

    /// Begins to announce runs with kafka-python, as the facility does.
    pub fn facility_announces(
        &self,
        runs: std::ops::RangeInclusive<u32>,
        pause: Duration,
    ) -> Service {
        self.facility_tells_of(runs, pause, &[])
    }

    /// As [`facility_announces`](Self::facility_announces), and says of each run that it is corrected, on another
    /// partition and of some before it says that they are there.
    pub fn facility_announces_and_corrects(
        &self,
        runs: std::ops::RangeInclusive<u32>,
        pause: Duration,
    ) -> Service {
        self.facility_tells_of(runs, pause, &["--corrected"])
    }

    /// As [`facility_announces`](Self::facility_announces), and tells of as many runs of other proposals before each.
    pub fn facility_announces_among(
        &self,
        runs: std::ops::RangeInclusive<u32>,
        strangers: u32,
    ) -> Service {
        let strangers = format!("--strangers={strangers}");
        self.facility_tells_of(runs, Duration::ZERO, &[&strangers])
    }

    fn facility_tells_of(
        &self,
        runs: std::ops::RangeInclusive<u32>,
        pause: Duration,
        more: &[&str],
    ) -> Service {
        let mut announce = command(&python(), &[crate::script("announce.py")]);
        announce.args([&self.broker_address, RUNS]);
        announce.args([runs.start(), runs.end()].map(u32::to_string));
        announce.arg(format!("--pause={}", pause.as_secs_f64()));
        Service::start(announce.args(more), &self.path("announce.log"))
    }

    /// Sends the notification of one event of proposal 1234.
    pub fn announce(&self, event: &str, run: u32) {
        self.notify(&format!(
            r#"{{"event": "{event}", "proposal": 1234, "run": {run}, "kind": "test"}}"#
        ));
    }

    /// `runs.sqlite`, for looking only.
    pub fn table(&self) -> Connection {
        let path = self.db().join("runs.sqlite");
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("the run table")
    }

    /// One number from the run table; None while there is none.
    pub fn number(&self, sql: &str) -> Option<f64> {
        self.table().query_row(sql, [], |row| row.get(0)).ok()
    }

    /// One text from the run table; None while there is none.
    pub fn text(&self, sql: &str) -> Option<String> {
        self.table().query_row(sql, [], |row| row.get(0)).ok()
    }

    /// The class and the message of a variable's error in the run table; None while there is none.
    ///
    /// # Panics
    /// Its cell has attributes that tell no error.
    pub fn error(&self, name: &str) -> Option<(String, String)> {
        let attributes = self.text(&format!(
            "SELECT attributes FROM run_variables WHERE name='{name}'"
        ))?;
        let json: serde_json::Value = serde_json::from_str(&attributes).expect("JSON");
        let text = |key: &str| json[key].as_str().expect("a text").to_owned();
        Some((text("error_cls"), text("error")))
    }

    /// A run's log.
    pub fn run_log(&self, run: u32) -> String {
        let path = self.db().join(format!("process_logs/r{run}-p1234.out"));
        std::fs::read_to_string(path).unwrap_or_default()
    }
}

/// Waits for something to become true.
///
/// # Panics
/// It does not, in a time that is far longer than it should take; `explain` tells what was there.
#[track_caller]
pub fn eventually(what: &str, explain: impl Fn() -> String, is_true: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_true() {
        assert!(
            Instant::now() < until,
            "never happened: {what}\n{}",
            explain()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}
