//! A notebook's results are being saved when the program is stopped: the notebook hears that, and does it again.

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime};

use runledger_steps::Step;
use runledger_tests::{Finished, Site, python, runledger, script};

use crate::books::{Books, in_file, in_table};
use crate::stop::{Stop, names_in};

fn notebook(site: &Site) -> Command {
    let home = site.path("");
    let path = Finished::of(&mut site.command(&home, &["python-path"])).succeeded();
    let binary = runledger();
    let folder = binary.parent().expect("the binary is in a folder");
    let known = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(folder.to_path_buf()).chain(std::env::split_paths(&known));
    let mut command = Command::new(python());
    command
        .arg(script("notebook.py"))
        .arg(site.db())
        .args(["1234", "7"])
        .current_dir(&home)
        .env("PYTHONPATH", path.stdout.trim_end())
        .env("PATH", std::env::join_paths(folders).expect("a path"))
        .env("RUNLEDGER_CONFIG", site.path("runledger.toml"))
        .env("AMORE_BROKER", &site.broker_address);
    command
}

/// The fragment that is being written.
fn writing(site: &Site) -> Option<PathBuf> {
    let results = site.db().join("extracted_data");
    let mut names = names_in(&results).into_iter();
    let name = names.find(|name| name.ends_with(".writing.h5"))?;
    Some(results.join(name))
}

/// Stopped with one result saved: the fragment that nobody writes any more.
pub(crate) fn leave_half(site: &Site) -> PathBuf {
    Stop::at(site, Step::ResultSaved).run(&mut notebook(site));
    writing(site).expect("a fragment")
}

pub(crate) fn save(step: Step) {
    let site = Site::quiet();
    site.init("");
    let books = Books::of(&site);
    Stop::at(&site, step).run(&mut notebook(&site));
    Finished::of(&mut notebook(&site)).succeeded();
    if let Some(left) = writing(&site) {
        // After a while it counts as abandoned.
        let file = File::options().write(true).open(left);
        let an_hour_ago = SystemTime::now() - Duration::from_secs(3600);
        let aged = file.and_then(|file| file.set_modified(an_hour_ago));
        aged.expect("a time");
    }
    let said = site.run(&["-v", "combiner", "now", "."]).succeeded();
    let at_end = || match writing(&site) {
        None => Ok(()),
        Some(left) => Err(format!("{} is left", left.display())),
    };
    crate::stop::until("nothing is left", || said.stderr.clone(), at_end);
    drop(books);
    let all = [("area".to_owned(), 6.25), ("width".to_owned(), 2.5)];
    assert_eq!(in_table(&site), all.clone().into());
    assert_eq!(in_file(&site), all.into());
}
