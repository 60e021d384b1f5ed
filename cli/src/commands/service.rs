//! A service in the hands of an operator: signals, and the service manager (systemd) where there is one.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use runledger_listener::keeper::Keeper;
use sd_notify::NotifyState;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use tracing::{error, info, warn};

use super::stop;
use crate::failure::{Failure, Result};

/// How often the service manager is told how things are, where it asks for no more.
const STATUS_EVERY: Duration = Duration::from_secs(5);

/// Who keeps a service of this program.
pub(super) struct Attendant<Settings> {
    stop: Arc<AtomicBool>,
    reload: Arc<AtomicBool>,
    /// Reads the configuration again.
    read: Box<dyn Fn() -> Result<Settings>>,
    manager: Manager,
}

impl<Settings> Attendant<Settings> {
    /// SIGTERM and Ctrl-C stop the service; on SIGHUP it goes on with what `read` gives.
    pub(super) fn new(read: impl Fn() -> Result<Settings> + 'static) -> Result<Self> {
        let reload = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(SIGHUP, reload.clone()).map_err(stop::no_signals)?;
        Ok(Self {
            stop: stop::flag()?,
            reload,
            read: Box::new(read),
            manager: Manager::of_environment(),
        })
    }

    /// After a stop was asked for, the process ends within `limit`, whatever hangs: a file system that is away, a
    /// broker. Each step of the service can be repeated.
    pub(super) fn end_within(&self, limit: Duration) -> Result {
        let mut signals =
            signal_hook::iterator::Signals::new([SIGTERM, SIGINT]).map_err(stop::no_signals)?;
        std::thread::spawn(move || {
            if signals.forever().next().is_some() {
                std::thread::sleep(limit);
                warn!("something hangs; what it was at is done again after the next start");
                std::process::exit(0);
            }
        });
        Ok(())
    }
}

impl<Settings> Keeper<Settings> for Attendant<Settings> {
    fn stop(&self) -> &AtomicBool {
        &self.stop
    }

    fn news(&self) -> Option<Settings> {
        if !self.reload.swap(false, Ordering::Relaxed) {
            return None;
        }
        self.manager.reloading();
        info!("reading the configuration again");
        match (self.read)() {
            Ok(settings) => Some(settings),
            Err(why) => {
                error!("the settings stay as they were: {}", why.in_one_line());
                None
            }
        }
    }

    fn goes_on(&self, status: &dyn Fn() -> String) {
        self.manager.goes_on(status);
    }
}

impl<Settings> Drop for Attendant<Settings> {
    fn drop(&mut self) {
        self.manager.tell(&[NotifyState::Stopping]);
    }
}

/// The service manager, if this program was started by one (`Type=notify`).
struct Manager {
    is_there: bool,
    every: Duration,
    is_ready: Cell<bool>,
    told: Cell<Option<Instant>>,
}

impl Manager {
    fn of_environment() -> Self {
        // Twice in the time after which the manager would take us to hang.
        let watchdog = sd_notify::watchdog_enabled().map(|limit| limit / 2);
        Self {
            is_there: std::env::var_os("NOTIFY_SOCKET").is_some(),
            every: watchdog.map_or(STATUS_EVERY, |every| every.min(STATUS_EVERY)),
            is_ready: Cell::new(false),
            told: Cell::new(None),
        }
    }

    /// Told only from the service's own loop: a service that hangs is taken to hang.
    fn goes_on(&self, status: &dyn Fn() -> String) {
        let is_time = self
            .told
            .get()
            .is_none_or(|told| told.elapsed() >= self.every);
        if !self.is_there || (self.is_ready.get() && !is_time) {
            return;
        }
        let status = status();
        let mut news = vec![NotifyState::Watchdog, NotifyState::Status(&status)];
        if !self.is_ready.replace(true) {
            news.push(NotifyState::Ready);
        }
        self.tell(&news);
        self.told.set(Some(Instant::now()));
    }

    fn reloading(&self) {
        self.is_ready.set(false);
        if let Ok(now) = NotifyState::monotonic_usec_now() {
            self.tell(&[NotifyState::Reloading, now]);
        }
    }

    fn tell(&self, news: &[NotifyState<'_>]) {
        if self.is_there
            && let Err(why) = sd_notify::notify(news)
        {
            warn!("the service manager hears nothing: {why}");
        }
    }
}

/// For services whose configuration is read at their start only.
pub(super) fn nothing_to_read() -> Result<()> {
    Err(Failure::new(
        "this service reads its configuration when it starts",
    ))
}
