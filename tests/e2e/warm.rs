//! A Python that waits between jobs serves the next one, and the table is the same.

use std::time::{Duration, Instant};

use runledger_tests::Site;

const CONTEXT: &str = "
import os
import xml.dom.minidom
from damnit_ctx import Variable

@Variable(title='Value')
def value(run, number: 'meta#run_number'):
    return number * 10

@Variable(title='Forked')
def forked(run):
    with open(f'/proc/{os.getppid()}/cmdline') as file:
        return ' keep ' in file.read().replace('\\0', ' ')
";

fn job(site: &Site, run: u32) -> (Option<f64>, bool) {
    let number = run.to_string();
    site.run(&["extract", "1234", &number, "all", "--mock", "--update-vars"])
        .succeeded();
    let of = |name: &str| {
        site.number(&format!(
            "SELECT value FROM run_variables WHERE run={run} AND name='{name}'"
        ))
    };
    (of("value"), of("forked") == Some(1.0))
}

#[test]
fn the_second_job_finds_a_warm_python_where_the_settings_want_one() {
    let site = Site::quiet();
    site.init(CONTEXT);
    site.configure("[jobs]", "[jobs]\nwarm_python = \"10min\"");
    assert_eq!(job(&site, 1), (Some(10.0), false));
    let until = Instant::now() + Duration::from_secs(60);
    let mut run = 2;
    loop {
        let (value, was_forked) = job(&site, run);
        assert_eq!(value, Some(f64::from(run) * 10.0));
        if was_forked {
            return;
        }
        assert!(Instant::now() < until, "no job was warm");
        run += 1;
    }
}

#[test]
fn without_the_setting_nothing_stays_behind() {
    let site = Site::quiet();
    site.init(CONTEXT);
    assert_eq!(job(&site, 1), (Some(10.0), false));
    assert!(!site.path("cache/runledger/warm").exists());
}
