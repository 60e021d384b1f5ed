//! `combiner run`, `combiner now`.

use std::ffi::OsString;
use std::path::Path;

use runledger_listener::combiner::{
    ATTENDED, CombinerSettings, combine_folder, run_service, serve_requests,
};
use runledger_listener::counting::counted;
use runledger_listener::kafka::{ConsumerSettings, Start};
use runledger_listener::updates::FILE_SUBMISSIONS;
use runledger_storage::fragment;

use super::service::{self, Attendant};
use super::{Site, stop};
use crate::arguments::Combiner;
use crate::failure::{Failure, Result, say};
use crate::logging::{LogFormat, Loudness};
use crate::place;

/// All combiners share the work, also with DAMNIT's own.
const GROUP: &str = "xfel-da-damnit-combiner";

/// Runs the service, or merges one folder.
pub(super) fn run(
    here: &Path,
    what: Combiner,
    logging: (Loudness, LogFormat),
    site: &Site,
) -> Result {
    match what {
        Combiner::Run => serve(here, logging, site),
        Combiner::Now { db_dir } => now(&place::absolute(&db_dir)?, site),
        Combiner::Worker { tells } => work(tells),
    }
}

/// Does what the service asks for, until that has ended.
pub(super) fn work(tells: bool) -> Result {
    // Whoever ends the service's whole group ends the service: what is being merged may be finished.
    let _stop = stop::flag()?;
    serve_requests(std::io::stdin().lock(), std::io::stdout().lock(), tells).map_err(Failure::new)
}

/// This same program, as a process that merges for the service, and logs as it does.
fn worker((loudness, format): (Loudness, LogFormat), site: &Site) -> Result<Vec<OsString>> {
    let mut line = vec![site.local_jobs()?.program.into_os_string()];
    line.extend(loudness.arguments().map(OsString::from));
    line.extend([format.argument(), "combiner", "worker"].map(OsString::from));
    let tells = site.config.updates.broker().is_some();
    line.extend(tells.then(|| "--tells".into()));
    Ok(line)
}

fn serve(here: &Path, logging: (Loudness, LogFormat), site: &Site) -> Result {
    site.tell_of_exposure();
    let settings = CombinerSettings {
        consumer: site
            .config
            .updates
            .broker()
            .map(|brokers| ConsumerSettings {
                brokers,
                topics: vec![FILE_SUBMISSIONS.into()],
                group_id: GROUP.into(),
                // What was announced before our first start is merged too: it is harmless twice.
                start: Start::Earliest,
                properties: site.config.updates.properties.clone(),
            }),
        publisher: site.publisher_settings(),
        dir: here.to_path_buf(),
        worker: Some(worker(logging, site)?),
    };
    let keeper = Attendant::new(service::nothing_to_read)?;
    Ok(run_service(settings, &keeper)?)
}

fn now(dir: &Path, site: &Site) -> Result {
    let mut publisher = site.publisher()?;
    let combined = combine_folder(dir, ATTENDED, &mut publisher)?;
    publisher.close(super::FAREWELL);
    println!(
        "{} of {} merged",
        counted(combined.fragments.len(), "fragment"),
        counted(combined.runs.len(), "run")
    );
    tell_of_passed_over(dir);
    let broken = combined
        .broken
        .iter()
        .map(|(path, why)| format!("{}: {why}", path.display()));
    let waiting = combined
        .waiting
        .iter()
        .map(|(run, why)| format!("{run}: {why}"));
    let left: Vec<String> = broken.chain(waiting).collect();
    match left.is_empty() {
        true => Ok(()),
        false => Err(Failure::partly(format!(
            "not merged:\n  {}",
            left.join("\n  ")
        ))),
    }
}

/// What has the name of a fragment may have been meant as one.
fn tell_of_passed_over(dir: &Path) {
    let names = fragment::passed_over(dir);
    let names: Vec<String> = names.iter().map(|path| format!("{path:?}")).collect();
    if !names.is_empty() {
        say(format_args!(
            "warning: passed over, because a fragment is a file with the name p<proposal>_r<run>.<token>.ready.h5:\n  {}",
            names.join("\n  ")
        ));
    }
}
