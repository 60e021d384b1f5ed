//! `listen --daemonize`: the listener under supervisord, as DAMNIT's operators run it.

mod conf;
mod supervisor;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use self::conf::Author;
use self::supervisor::{Status, Supervisor};
use super::Site;
use super::listen::LOCK;
use crate::failure::{Failure, Result};
use crate::logging::{LogFormat, Loudness};

/// The consumer group of DAMNIT's listener under supervisord: it is told `listen .`.
const DAMNITS_GROUP: &str = "xfel-da-damnit-.";

/// Starts supervisord, or only the listener under it; says how it is if it runs already.
pub(super) fn run(dir: &Path, site: &Site, loudness: Loudness, format: LogFormat) -> Result {
    if !dir.is_dir() {
        return Err(
            Failure::new(format!("there is no folder {}", dir.display()))
                .hint("make it first: the listener keeps its own files there"),
        );
    }
    let author = conf::author(dir)?;
    let supervisor = Supervisor::of(dir);
    match supervisor.status()? {
        Status::Unreachable => {
            nobody_else(dir)?;
            take_over(&author, site);
            conf::write(dir, &command(site, loudness, format)?)?;
            supervisor.launch()?;
        }
        Status::Unknown => return Err(not_ours(dir)),
        _ if author == Author::Damnit => return Err(damnits(dir)),
        Status::Stopped(_) => supervisor.start()?,
        Status::Running(how) => {
            println!("It runs already: {how}");
            return Ok(());
        }
        Status::Starting | Status::Failing(_) => {}
    }
    report(dir, supervisor.settled()?)
}

/// The one at work may be under the supervisord of another machine: its configuration must not be replaced.
fn nobody_else(dir: &Path) -> Result {
    let lock = dir.join(LOCK);
    let held = File::open(&lock)
        .is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)));
    if !held {
        return Ok(());
    }
    let who = std::fs::read_to_string(&lock).unwrap_or_default();
    Err(Failure::new(format!(
        "a listener is at work in {} already, and no supervisord of this machine has started it: {}",
        dir.display(),
        who.trim()
    ))
    .hint("stop that one first, or give this one a folder of its own"))
}

/// The listener in its folder, with the configuration that is in force now, logging as was asked for.
fn command(site: &Site, loudness: Loudness, format: LogFormat) -> Result<Vec<PathBuf>> {
    let mut words = vec![site.local_jobs()?.program];
    if let Some(file) = &site.file {
        words.extend(["--config".into(), file.clone()]);
    }
    if loudness.quiet {
        words.push("--quiet".into());
    }
    words.extend((0..loudness.verbose).map(|_| "--verbose".into()));
    words.extend([format.argument(), "listen", "."].map(Into::into));
    Ok(words)
}

/// Another group would not know how far DAMNIT's listener had come.
fn take_over(author: &Author, site: &Site) {
    if *author == Author::Damnit && site.config.notifications.group_id != DAMNITS_GROUP {
        eprintln!(
            "DAMNIT's listener was under supervisord here. To go on where it stopped, set group_id = \
             \"{DAMNITS_GROUP}\" in [notifications], and restart ours."
        );
    }
}

fn report(dir: &Path, status: Status) -> Result {
    let conf = conf::path(dir);
    match status {
        Status::Running(how) => {
            println!("{how}");
            println!(
                "See `supervisorctl -c {} status`, also start, stop, restart, shutdown.",
                conf.display()
            );
            Ok(())
        }
        Status::Failing(how) | Status::Stopped(how) => {
            Err(Failure::new(format!("the listener does not start: {how}")).hint(format!(
                "{} and damnit.out beside it say why; supervisord goes on trying while its state is BACKOFF",
                dir.join("damnit.log").display()
            )))
        }
        Status::Starting | Status::Unknown | Status::Unreachable => Err(Failure::new("supervisord does not say that the listener runs")
            .hint(format!("see {}", dir.join("supervisord.log").display()))),
    }
}

fn not_ours(dir: &Path) -> Failure {
    Failure::new(format!(
        "the supervisord of {} runs, but knows no program `damnit`",
        conf::path(dir).display()
    ))
    .hint("give the listener a folder of its own, or stop that supervisord first")
}

fn damnits(dir: &Path) -> Failure {
    Failure::new("DAMNIT's own supervisord is at work here, with DAMNIT's listener").hint(format!(
        "stop it first: supervisorctl -c {} shutdown",
        conf::path(dir).display()
    ))
}
