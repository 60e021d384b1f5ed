//! `listen`.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, TryRecvError};
use std::time::Duration;

use runledger_context::run::{RunData, RunId};
use runledger_listener::listen::{ListenSettings, Listener};
use runledger_storage::folder;
use tracing::warn;

use super::service::Attendant;
use super::{Site, stop};
use crate::failure::{Failure, Result};

/// The listener's log, as DAMNIT names it.
const LOG: &str = "damnit.log";
/// What a listener holds in its folder as long as it lives.
pub(super) const LOCK: &str = ".listener.lock";
/// How long the listener may take to stop. A supervisor waits for five seconds or more.
const FAREWELL: Duration = Duration::from_millis(4500);
/// How long one round of `--test` takes.
const ROUND: Duration = Duration::from_millis(100);

/// The log of the listener in `dir`.
///
/// # Errors
/// There is no such folder.
pub(super) fn log(dir: &Path) -> Result<PathBuf> {
    if !dir.is_dir() {
        return Err(
            Failure::new(format!("there is no folder {}", dir.display()))
                .hint("make it first: the listener keeps its own files there"),
        );
    }
    Ok(dir.join(LOG))
}

/// Runs the listener in `dir` until it is asked to stop.
pub(super) fn run(dir: &Path, by_hand: bool, site: &Site) -> Result {
    let _only = only_one(dir)?;
    site.tell_of_exposure();
    let listener = Listener::open(settings(dir, site), site.dispatch()?)?;
    match by_hand {
        true => {
            let stop = stop::flag()?;
            listen_to_hands(listener, &stop)
        }
        false => Ok(listener.run(&kept(dir, site)?)?),
    }
}

fn settings(dir: &Path, site: &Site) -> ListenSettings {
    ListenSettings {
        dir: dir.to_path_buf(),
        notifications: site.config.notifications.clone(),
        data: site.config.data.clone(),
        publisher: site.publisher_settings(),
        dispatch: site.config.jobs.dispatch(),
        monitor: site.config.monitor.address.clone(),
    }
}

/// On SIGHUP the listener goes on with the configuration as it is then.
fn kept(dir: &Path, site: &Site) -> Result<Attendant<ListenSettings>> {
    let (dir, begun_with) = (dir.to_path_buf(), site.clone());
    let keeper = Attendant::new(move || {
        let site = begun_with.again(&dir)?;
        for name in waiting_for_a_restart(&begun_with, &site) {
            warn!("{name} has changed: that holds after a restart of the listener");
        }
        Ok(settings(&dir, &site))
    })?;
    keeper.end_within(FAREWELL)?;
    Ok(keeper)
}

/// What is different now and cannot be taken by a listener at work: where its jobs are.
fn waiting_for_a_restart(begun_with: &Site, now: &Site) -> Vec<&'static str> {
    let (old, new) = (&begun_with.config, &now.config);
    let changed = [
        ("`jobs.queue`", old.jobs.queue != new.jobs.queue),
        ("`[slurm]`", old.slurm != new.slurm),
        ("the configuration's place", begun_with.file != now.file),
    ];
    let changed = changed.into_iter().filter(|(_, is_new)| *is_new);
    changed.map(|(name, _)| name).collect()
}

/// Two listeners in one folder would both start jobs.
fn only_one(dir: &Path) -> Result<std::fs::File> {
    let path = dir.join(LOCK);
    let failed =
        |e: std::io::Error| Failure::new(format!("{} cannot be written: {e}", path.display()));
    let mut options = std::fs::File::options();
    options.create(true).truncate(false).read(true).write(true);
    let mut file = folder::open_file(&mut options, &path).map_err(failed)?;
    if file.try_lock().is_err() {
        let who = std::fs::read_to_string(&path).unwrap_or_default();
        return Err(Failure::new(format!(
            "another listener is at work in {}: {}",
            dir.display(),
            who.trim()
        ))
        .hint("stop that one first, or give this one a folder of its own"));
    }
    let who = format!(
        "process {} of {}\n",
        std::process::id(),
        runledger_listener::queue::submitter()
    );
    file.set_len(0).map_err(failed)?;
    file.write_all(who.as_bytes()).map_err(failed)?;
    Ok(file)
}

/// Lines from the terminal instead of Kafka; at their end, waits for the jobs.
fn listen_to_hands(mut listener: Listener, stop: &AtomicBool) -> Result {
    eprintln!(
        "Type `PROPOSAL RUN raw` or `PROPOSAL RUN proc`; Ctrl-D ends it when the jobs are done."
    );
    let lines = lines();
    let mut open = true;
    while !stop.load(Ordering::Relaxed) && (open || listener.left()? > 0) {
        loop {
            match lines.try_recv() {
                Ok(line) => take(&mut listener, &line)?,
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    open = false;
                    break;
                }
            }
        }
        listener.work()?;
        std::thread::sleep(ROUND);
    }
    Ok(())
}

fn lines() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in std::io::stdin()
            .lock()
            .lines()
            .map_while(std::result::Result::ok)
        {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

fn take(listener: &mut Listener, line: &str) -> Result {
    match typed(line) {
        Some((run, data)) => Ok(listener.hand_in(run, data)?),
        None if line.trim().is_empty() => Ok(()),
        None => {
            eprintln!("{line:?} is not `PROPOSAL RUN raw|proc`");
            Ok(())
        }
    }
}

fn typed(line: &str) -> Option<(RunId, RunData)> {
    let mut words = line.split_whitespace();
    let run = RunId::new(words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let data = words.next().map_or(Ok(RunData::Raw), str::parse).ok()?;
    (words.next().is_none() && data != RunData::All).then_some((run, data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typed_line_names_proposal_run_and_data() {
        assert_eq!(
            typed("1234 7 proc"),
            Some((RunId::new(1234, 7), RunData::Proc))
        );
        assert_eq!(
            typed(" 1234  7 "),
            Some((RunId::new(1234, 7), RunData::Raw))
        );
        for line in ["", "1234", "1234 -7 raw", "1234 7 all", "1234 7 raw more"] {
            assert_eq!(typed(line), None, "{line}");
        }
    }
}
