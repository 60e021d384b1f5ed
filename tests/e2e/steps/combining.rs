//! A combiner is stopped on the way from fragments to published values.

use std::fs::File;
use std::time::{Duration, SystemTime};

use runledger_context::value::{Array, Cell, Data, Dtype, Outcome, Summary};
use runledger_listener::kafka::{Producer, ProducerSettings};
use runledger_listener::updates::{FILE_SUBMISSIONS, Update};
use runledger_steps::Step;
use runledger_storage::fragment::{Fragment, FragmentWriter};
use runledger_storage::run_file;
use runledger_tests::Site;

use crate::books::{Books, CONTEXT, VALUES, in_file, in_table, run};
use crate::notebook;
use crate::stop::{Stop, names_in};

/// So many bytes make a file large enough to be added to, and need more than the room behind it.
const LARGE: usize = 5 << 20;
const MUCH: usize = 3 << 20;

/// A number, with so many bytes of data.
fn number(value: f64, bytes: usize) -> Outcome {
    let array = |shape: Vec<usize>, times| Array {
        dtype: Dtype::Plain("<f8".into()),
        shape,
        bytes: value.to_le_bytes().repeat(times).into(),
    };
    let times = (bytes / 8).max(1);
    Outcome::Cell(Box::new(Cell {
        data: Some(Data::Array(array(vec![times], times))),
        summary: Some(Summary::Array(array(Vec::new(), 1))),
        ..Cell::default()
    }))
}

/// A complete fragment of one variable.
fn fragment(site: &Site, token: &str, (name, value): (&str, f64), bytes: usize) -> Fragment {
    let writer = FragmentWriter::create(&site.db(), run(), token, "context.py");
    let mut writer = writer.expect("a fragment");
    writer
        .save(name, &number(value, bytes))
        .expect("a value in it");
    let path = writer.finish().expect("its end");
    Fragment::of(&path).expect("a fragment")
}

fn announce(site: &Site, fragment: &Fragment) {
    let producer = Producer::new(&ProducerSettings::to(&site.broker_address)).expect("a producer");
    let update = Update::submission(&site.db(), &fragment.path, run());
    let sent = producer.send(1, FILE_SUBMISSIONS, &update.payload());
    sent.expect("a message for the broker");
    assert!(producer.flush(Duration::from_secs(20)).is_empty());
}

/// With what the run's file has already: other values of these variables, and one that stays, of so many bytes.
fn site_with(kept: Option<usize>) -> Site {
    let site = Site::with_broker();
    site.init(CONTEXT);
    if let Some(bytes) = kept {
        let old = VALUES.map(|(name, value)| (name, value + 100.0, 8));
        for (name, value, bytes) in [("kept", 9.0, bytes)].into_iter().chain(old) {
            let fragment = fragment(&site, name, (name, value), bytes);
            let merged = run_file::merge(&site.db(), run(), std::slice::from_ref(&fragment));
            merged.expect("its values in a file");
            std::fs::remove_file(fragment.path).expect("a fragment");
        }
    }
    site
}

/// A combiner merges two fragments, is stopped, and another one goes on.
fn merge(site: &Site, step: Step, bytes: usize) {
    let (stop, books) = (Stop::at(site, step), Books::of(site));
    for (name, value) in VALUES {
        let new = fragment(site, name, (name, value), bytes);
        announce(site, &new);
    }
    let before = in_file(site);
    let mut combiner = stop.service(site, &["combiner", "run"]);
    let who = stop.wait(|| combiner.said());
    assert!(who.contains(" combiner "), "it was {who}");
    combiner.end();
    let between = in_file(site);
    let is_whole = |name: &str| between.get(name).is_some_and(|value| *value < 100.0);
    assert!(
        between == before || VALUES.iter().any(|(name, _)| is_whole(name)),
        "{between:?}"
    );
    let combiner = site.service(&["combiner", "run"]);
    books.close(true, || combiner.said());
}

pub(crate) fn first(step: Step) {
    let site = site_with(None);
    merge(&site, step, 8);
    Books::of(&site).have_all_values();
}

pub(crate) fn anew(step: Step) {
    let site = site_with(Some(80));
    merge(&site, step, 8);
    has_old_and_new(&site);
}

pub(crate) fn behind(step: Step) {
    let site = site_with(Some(LARGE));
    merge(&site, step, MUCH);
    has_old_and_new(&site);
}

fn has_old_and_new(site: &Site) {
    let mut in_file = in_file(site);
    assert_eq!(in_file.remove("kept"), Some(9.0));
    assert_eq!(in_file, in_table(site));
    let all = VALUES.map(|(name, value)| (name.to_owned(), value));
    assert_eq!(in_file, all.into());
}

/// Everybody hears of it, and the run's other fragment is merged.
pub(crate) fn broken(step: Step) {
    let site = site_with(None);
    let broken = fragment(&site, "broken", VALUES[0], 8);
    std::fs::write(&broken.path, "nonsense").expect("a file");
    announce(&site, &fragment(&site, "sound", VALUES[1], 8));
    let stop = Stop::at(&site, step);
    let mut combiner = stop.service(&site, &["combiner", "run"]);
    stop.wait(|| combiner.said());
    combiner.end();
    let combiner = site.service(&["combiner", "run"]);
    let done = || match in_table(&site).contains_key("charge") && !broken.path.exists() {
        true => Ok(()),
        false => Err(format!("{:?}", names_in(&site.db().join("extracted_data")))),
    };
    crate::stop::until("the other one is merged", || combiner.said(), done);
    let left = names_in(&site.db().join("extracted_data"));
    for name in ["p1234_r7.broken.broken.h5", "p1234_r7.broken.broken.txt"] {
        assert!(left.iter().any(|left| left == name), "{left:?}");
    }
    let log = site.run_log(7);
    assert!(log.contains("runledger reprocess 7"), "{log}");
}

/// What was saved before is older than what was computed since, whoever was stopped while handing it in.
pub(crate) fn left(step: Step) {
    let site = Site::with_broker();
    site.init(CONTEXT);
    let writing = notebook::leave_half(&site);
    fragment(&site, "since", ("width", 77.0), 8);
    site.run(&["combiner", "now", "."]).succeeded();
    let file = File::options().write(true).open(&writing);
    let an_hour_ago = SystemTime::now() - Duration::from_secs(3600);
    let aged = file.and_then(|file| file.set_modified(an_hour_ago));
    aged.expect("a time");
    site.watch_from(&site.listener());
    let (stop, books) = (Stop::at(&site, step), Books::of(&site));
    let mut combiner = stop.service(&site, &["combiner", "run"]);
    stop.wait(|| combiner.said());
    combiner.end();
    let combiner = site.service(&["combiner", "run"]);
    books.close(true, || combiner.said());
    assert_eq!(in_table(&site).get("width"), Some(&77.0));
    assert_eq!(in_file(&site).get("width"), Some(&77.0));
}
