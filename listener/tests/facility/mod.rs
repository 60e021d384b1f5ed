//! A facility in a temporary folder, for tests of the listener.
#![allow(dead_code, reason = "each test file uses a part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use runledger_context::run::{Proposal, RunData, RunId};
use runledger_listener::dispatch::{Dispatch, DispatchSettings, Queues};
use runledger_listener::job::Job;
use runledger_listener::job_end::Retries;
use runledger_listener::kafka::{Properties, Start};
use runledger_listener::ledger::Ledger;
use runledger_listener::listen::{ListenSettings, Listener};
use runledger_listener::listener_db::ListenerDb;
use runledger_listener::plan::Site;
use runledger_listener::publisher::{Publisher, PublisherSettings};
use runledger_listener::queue::Recorder;
use runledger_listener::settings::{DataSettings, NotificationSettings, Profile, StartFrom};
use runledger_storage::Database;

pub(crate) const RAW: RunData = RunData::Raw;
pub(crate) const TOPIC: &str = "test.r2d2";
pub(crate) const LIMIT: Duration = Duration::from_secs(180);

/// A listener's folder, a data root, and databases.
pub(crate) struct Facility(pub(crate) tempfile::TempDir);

impl Facility {
    pub(crate) fn new() -> Self {
        let facility = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(facility.listener_dir()).unwrap();
        fs::create_dir_all(facility.root()).unwrap();
        facility
    }

    pub(crate) fn listener_dir(&self) -> PathBuf {
        self.0.path().join("listener")
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.0.path().join("exp")
    }

    pub(crate) fn db(&self) -> ListenerDb {
        ListenerDb::open(&self.listener_dir()).unwrap()
    }

    /// A database of its own folder, watched for `proposal`.
    pub(crate) fn watched(&self, proposal: u32) -> PathBuf {
        let dir = self.0.path().join(format!("db{proposal}"));
        fs::create_dir_all(&dir).unwrap();
        Database::create(&dir, Proposal(proposal)).unwrap();
        self.watch(proposal, &dir);
        dir
    }

    pub(crate) fn watch(&self, proposal: u32, dir: &Path) {
        let site = Site {
            proposal: Proposal(proposal),
            database_dir: dir.into(),
            official: false,
        };
        assert!(self.db().watch(&site).unwrap());
    }

    /// The proposal's own database, where a dynamic listener looks for it.
    pub(crate) fn usual(&self, proposal: u32) -> PathBuf {
        let dir = self
            .root()
            .join(format!("SPB/202602/p{proposal:06}/usr/Shared/amore"));
        fs::create_dir_all(&dir).unwrap();
        Database::create(&dir, Proposal(proposal)).unwrap();
        dir
    }

    pub(crate) fn settings(&self, brokers: &str) -> ListenSettings {
        self.settings_in(self.listener_dir(), brokers)
    }

    /// Of a listener in another folder.
    pub(crate) fn settings_in(&self, dir: PathBuf, brokers: &str) -> ListenSettings {
        ListenSettings {
            dir,
            notifications: NotificationSettings {
                brokers: vec![brokers.into()],
                start_from: StartFrom(Start::Earliest),
                ..NotificationSettings::of(Profile::Maxwell)
            },
            data: DataSettings {
                root: self.root(),
                ..DataSettings::default()
            },
            publisher: quiet(),
            dispatch: DispatchSettings::default(),
            monitor: String::new(),
        }
    }

    pub(crate) fn listener(&self) -> Listener {
        self.listener_with(Recorder::default())
    }

    pub(crate) fn listener_with(&self, queue: Recorder) -> Listener {
        Listener::open(self.settings("127.0.0.1:1"), dispatch(queue)).unwrap()
    }
}

/// Publishes nothing.
fn quiet() -> PublisherSettings {
    PublisherSettings {
        broker: None,
        properties: Properties::new(),
    }
}

pub(crate) fn dispatch(queue: Recorder) -> Dispatch {
    dispatch_to(Arc::new(queue))
}

pub(crate) fn dispatch_to(queue: Arc<Recorder>) -> Dispatch {
    let settings = DispatchSettings {
        retries: Retries {
            limit: 1000,
            first: Duration::from_millis(50),
            longest: Duration::from_millis(50),
        },
        ..DispatchSettings::default()
    };
    Dispatch::start(
        Queues::shared(queue),
        settings,
        Publisher::new(&quiet()).unwrap(),
    )
}

pub(crate) fn run(proposal: u32, number: u32) -> RunId {
    RunId::new(proposal, number)
}

pub(crate) fn jobs(dir: &Path) -> Vec<Job> {
    let entries = Ledger::open(dir).unwrap().jobs().unwrap();
    entries.into_iter().map(|entry| entry.job).collect()
}

pub(crate) fn runs(dir: &Path) -> Vec<RunId> {
    Database::open(dir).unwrap().runs().unwrap()
}

/// Works until `done`, at most for [`LIMIT`].
pub(crate) fn until(listener: &mut Listener, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < LIMIT, "it does not come to pass");
        listener.work().unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Holds a database's table until it is dropped.
pub(crate) fn locked(dir: &Path) -> rusqlite::Connection {
    let blocker = rusqlite::Connection::open(dir.join("runs.sqlite")).unwrap();
    blocker.execute_batch("BEGIN EXCLUSIVE").unwrap();
    blocker
}

/// A listener at the broker, in a thread of its own; and what stops it.
pub(crate) fn started(
    facility: &Facility,
    brokers: &str,
) -> (Arc<AtomicBool>, std::thread::JoinHandle<()>) {
    started_with(facility.settings(brokers))
}

pub(crate) fn started_with(
    settings: ListenSettings,
) -> (Arc<AtomicBool>, std::thread::JoinHandle<()>) {
    started_to(settings, dispatch(Recorder::default()))
}

pub(crate) fn started_to(
    settings: ListenSettings,
    dispatch: Dispatch,
) -> (Arc<AtomicBool>, std::thread::JoinHandle<()>) {
    let listener = Listener::open(settings, dispatch).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let seen = stop.clone();
    (
        stop,
        std::thread::spawn(move || listener.run(&seen).unwrap()),
    )
}

pub(crate) fn eventually(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < LIMIT, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

pub(crate) fn stopped((stop, thread): (Arc<AtomicBool>, std::thread::JoinHandle<()>)) -> Duration {
    let asked = Instant::now();
    stop.store(true, Ordering::Relaxed);
    thread.join().unwrap();
    asked.elapsed()
}
