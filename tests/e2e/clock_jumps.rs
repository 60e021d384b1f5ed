//! The machine's clock is set, hours back and hours ahead, while the services are at work: nothing waits for the time
//! that was.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use runledger_listener::ledger::Ledger;
use runledger_tests::{Kafka, Service, Site, eventually, preload};

/// What a client says that begins anew.
const SET_BACK: &str = "clock was set back";

const CONTEXT: &str =
    "from damnit_ctx import Variable\n\n@Variable()\ndef energy(run):\n    return 1.5\n";
/// A supervisor may kill what takes longer.
const AT_MOST: Duration = Duration::from_secs(5);
const HOUR: i64 = 3600;

/// A site whose services see a clock that the test sets.
struct Clocked {
    site: Site,
    clock: PathBuf,
    library: PathBuf,
}

impl Clocked {
    /// None where there is no C compiler.
    fn new(site: Site) -> Option<Self> {
        let library = preload("clock", &site.path(""))?;
        let clocked = Self {
            clock: site.path("clock"),
            site: site.watching(CONTEXT),
            library,
        };
        clocked.set(0);
        Some(clocked)
    }

    /// Sets the clock so many hours ahead of what it is.
    fn set(&self, hours: i64) {
        use std::os::unix::fs::FileExt as _;
        let file = std::fs::File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&self.clock);
        let offset = (hours * HOUR).to_ne_bytes();
        file.and_then(|file| file.write_all_at(&offset, 0))
            .expect("the clock can be set");
    }

    fn service(&self, arguments: &[&str]) -> Service {
        let mut command = self.site.command(&self.site.listener(), arguments);
        command
            .env("LD_PRELOAD", &self.library)
            .env("CLOCK_OFFSET", &self.clock);
        Service::start(
            &mut command,
            &self.site.path(&format!("{}.log", arguments[0])),
        )
    }

    /// The hours between the first two notifications, as the listener's clock has it.
    fn between_the_first(&self) -> f64 {
        let inbox = rusqlite::Connection::open(self.site.listener().join("listener.sqlite"));
        let sql = "SELECT max(received_at) FILTER (WHERE id = 2) - min(received_at) FILTER (WHERE id = 1) FROM inbox";
        let seconds: f64 = inbox
            .and_then(|inbox| inbox.query_row(sql, [], |row| row.get(0)))
            .expect("two notifications");
        seconds / 3600.0
    }

    fn values(&self) -> f64 {
        let sql = "SELECT count(*) FROM run_variables WHERE name='energy' AND value=1.5";
        self.site.number(sql).expect("a count")
    }
}

fn stops_in_time(service: &mut Service) {
    let asked = Instant::now();
    assert_eq!(service.stop(), Some(0), "{}", service.said());
    let took = asked.elapsed();
    assert!(took < AT_MOST, "{took:?}\n{}", service.said());
}

#[test]
fn a_clock_that_is_set_back_and_ahead_by_hours_stalls_nothing() {
    let Some(clocked) = Clocked::new(Site::with_broker()) else {
        return;
    };
    let mut services = [
        clocked.service(&["listen", "."]),
        clocked.service(&["combiner", "run"]),
    ];
    let mut runs = 0;
    for hours in [0, -5, 5, -30, 0] {
        clocked.set(hours);
        runs += 1;
        clocked.site.announce("migration_complete", runs);
        let why = || {
            let said = services.each_ref().map(Service::said).join("\n---\n");
            format!("{hours} hours\n{said}")
        };
        eventually("the run is in the table", why, || {
            clocked.values() == f64::from(runs)
        });
    }
    let between = clocked.between_the_first();
    assert!(
        (-5.1..-4.9).contains(&between),
        "was the clock set? {between}"
    );
    // Back once more, and no message comes that would wake anybody.
    std::thread::sleep(Duration::from_secs(2));
    let began_anew = || {
        services
            .each_ref()
            .map(|one| one.said().matches(SET_BACK).count())
    };
    let before = began_anew();
    clocked.set(-3);
    let listener = &services[0];
    let said = || listener.said();
    eventually("it hears its keeper", said, || {
        listener.signal(Signal::SIGHUP);
        said().contains("the new settings are in force")
    });
    let all_said = || services.each_ref().map(Service::said).join("\n---\n");
    // Who is about to join has to wait for the broker.
    eventually("both are in their groups again", all_said, || {
        let is_in =
            |one: &Service| one.said().rfind("joined the group") > one.said().rfind(SET_BACK);
        began_anew()
            .iter()
            .zip(&before)
            .all(|(now, before)| now > before)
            && services.iter().all(is_in)
    });
    services.iter_mut().for_each(stops_in_time);
    for service in &services {
        let said = service.said();
        assert!(!said.contains("without the broker's answer"), "{said}");
    }
}

#[test]
fn a_clock_that_is_set_back_while_the_broker_is_away_keeps_nobody_from_it() {
    let Some(kafka) = Kafka::start(&[]) else {
        return;
    };
    let Some(clocked) = Clocked::new(Site::over(&kafka)) else {
        return;
    };
    let services = [
        clocked.service(&["listen", "."]),
        clocked.service(&["combiner", "run"]),
    ];
    let why = || services.each_ref().map(Service::said).join("\n---\n");
    let comes = |run: u32| {
        clocked.site.announce("migration_complete", run);
        eventually("the run is in the table", why, || {
            clocked.values() == f64::from(run)
        });
    };
    comes(1);
    kafka.kill();
    eventually("it is missed", why, || {
        services
            .iter()
            .all(|service| service.said().contains("does not answer"))
    });
    clocked.set(-5);
    kafka.start_again();
    comes(2);
    eventually("clients hear of all", why, || {
        let ledger = Ledger::open(&clocked.site.db());
        let waits = ledger.and_then(|ledger| ledger.has_waiting_messages());
        !waits.expect("the outbox")
    });
}
