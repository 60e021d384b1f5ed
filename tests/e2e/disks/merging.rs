//! The combiner: what the disk does not take, or does not give, waits as a fragment until it does.

use std::path::PathBuf;

use runledger_context::run::RunId;
use runledger_context::value::{Array, Cell, Data, Dtype, Outcome, Summary};
use runledger_storage::fragment::FragmentWriter;
use runledger_tests::{FaultyDisk, Service, Site, eventually, python};

use crate::{is_there, left_over, meets, service_on, sum_in_file, value};

/// As much as is added to behind the content that is there, instead of being composed anew.
const MUCH: usize = 700_000;

fn numbers(value: f64, shape: Vec<usize>) -> Array {
    let count = shape.iter().product();
    Array {
        dtype: Dtype::Plain("<f8".into()),
        shape,
        bytes: value.to_le_bytes().repeat(count).into(),
    }
}

/// A complete fragment, whose `name` is this number so many times, and once in the table.
fn complete(site: &Site, run: u32, name: &str, value: f64, count: usize) -> PathBuf {
    let cell = Cell {
        data: Some(Data::Array(numbers(value, vec![count]))),
        summary: Some(Summary::Array(numbers(value, Vec::new()))),
        ..Cell::default()
    };
    let run = RunId::new(1234, run);
    let writer = FragmentWriter::create(&site.db(), run, name, "context.py");
    let mut writer = writer.expect("a fragment");
    let saved = writer.save(name, &Outcome::Cell(Box::new(cell)));
    saved.expect("a value in it");
    writer.finish().expect("its end")
}

fn hand_in(site: &Site, run: u32, name: &str, value: f64, count: usize) -> PathBuf {
    let file = complete(site, run, name, value, count);
    let update = serde_json::json!({"msg_kind": "file_submission", "data": {
        "damnit_dir": site.db(), "new_file": file, "proposal": 1234, "run": run,
        "computed_by": {"hostname": "h", "username": "u"}}});
    site.notify_on("test.damnit.file_submissions", &update.to_string());
    file
}

fn combining(disk: &FaultyDisk) -> (Site, Service) {
    let site = Site::with_broker();
    site.init("");
    let combiner = service_on(disk, &site, &["combiner", "run"]);
    (site, combiner)
}

#[test]
fn a_merge_that_the_disk_does_not_take_waits_and_is_whole_when_it_does() {
    let Some(disk) = FaultyDisk::new() else {
        return;
    };
    let (site, combiner) = combining(&disk);
    // Faults of the run's own files: all at the same time.
    let of_runs = [
        "write ENOSPC 0 p1234_r1.composing",
        "sync EIO 0 p1234_r2.composing",
        "name EDQUOT 0 p1234_r3.h5",
        "open EROFS 0 p1234_r4.composing",
        "read EIO 0 p1234_r5.energy.ready.h5",
    ];
    disk.begin(&of_runs);
    let files: Vec<_> = (1..=5)
        .map(|run| hand_in(&site, run, "energy", f64::from(run), 1000))
        .collect();
    (1..=5).for_each(|number| meets(&disk, number, &combiner));
    assert!(
        files.iter().all(|file| file.is_file()),
        "{:?}",
        left_over(&site)
    );
    disk.end();
    let said = || format!("{:?}\n{}", left_over(&site), combiner.said());
    for run in 1..=5 {
        eventually(of_runs[run as usize - 1], said, || {
            value(&site, run, "energy") == Some(f64::from(run))
        });
        let sum = 1000.0 * f64::from(run);
        assert_eq!(sum_in_file(&site, run, "energy"), Some(sum), "{run}");
    }
    eventually("nothing is left", said, || left_over(&site).is_empty());
}

#[test]
fn a_table_that_the_disk_does_not_take_keeps_its_fragments_waiting() {
    let Some(disk) = FaultyDisk::new() else {
        return;
    };
    let (site, combiner) = combining(&disk);
    for (run, fault) in (1..).zip([
        "write ENOSPC 0 runs.sqlite",
        "sync EIO 0 runs.sqlite",
        "write EIO 0 ledger.sqlite",
        "sync EIO 0 ledger.sqlite",
        "open EROFS 0 .combiner.lock",
        "open EROFS 0 .merging",
    ]) {
        disk.begin(&[fault]);
        let file = hand_in(&site, run, "energy", 1.5, 10);
        meets(&disk, 1, &combiner);
        assert!(file.is_file(), "{fault}");
        disk.end();
        let said = || format!("{fault}: {:?}\n{}", disk.met(), combiner.said());
        eventually("its value", said, || {
            value(&site, run, "energy") == Some(1.5)
        });
        assert_eq!(sum_in_file(&site, run, "energy"), Some(15.0), "{fault}");
        eventually("nothing is left", said, || left_over(&site).is_empty());
    }
}

#[test]
fn what_is_added_to_a_large_file_and_not_made_to_last_is_added_anew() {
    let Some(disk) = FaultyDisk::new() else {
        return;
    };
    let (site, combiner) = combining(&disk);
    let said = || format!("{:?}\n{}", disk.met(), combiner.said());
    hand_in(&site, 7, "large", 1.0, MUCH);
    eventually("the first value", said, || {
        value(&site, 7, "large") == Some(1.0)
    });
    let large = sum_in_file(&site, 7, "large");
    for (number, fault) in [
        "sync EIO 1 p1234_r7.h5",
        "sync EIO 2 p1234_r7.h5",
        "sync EIO 3 p1234_r7.h5",
        "write ENOSPC 3 p1234_r7.h5",
        "resize EDQUOT 1 p1234_r7.h5",
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("more_{number}");
        // Results that fill the room there is, so that the file has to become longer.
        disk.begin(&[fault]);
        let file = hand_in(&site, 7, &name, 2.0, MUCH);
        meets(&disk, 1, &combiner);
        eventually(fault, said, || !file.exists());
        assert_eq!(value(&site, 7, &name), Some(2.0), "{fault}");
        let sum = 2.0 * f64::from(u32::try_from(MUCH).expect("a small number"));
        assert_eq!(sum_in_file(&site, 7, &name), Some(sum), "{fault}");
        assert_eq!(sum_in_file(&site, 7, "large"), large, "{fault}");
    }
}

#[test]
fn a_reader_with_a_lock_on_a_runs_file_makes_no_merge_wait() {
    let site = Site::with_broker();
    site.init("");
    let combiner = site.service(&["combiner", "run"]);
    let said = || combiner.said();
    for (run, count) in [(1, 10), (2, MUCH)] {
        hand_in(&site, run, "old", 1.0, count);
        eventually("the first value", said, || {
            value(&site, run, "old") == Some(1.0)
        });
        let file = site.db().join(format!("extracted_data/p1234_r{run}.h5"));
        let mut reader = Holder::of(&file, "r");
        hand_in(&site, run, "new", 2.0, 10);
        eventually("its value", said, || value(&site, run, "new") == Some(2.0));
        assert_eq!(sum_in_file(&site, run, "new"), Some(20.0));
        reader.end();
    }
}

#[test]
fn a_merge_waits_for_a_program_that_writes_into_the_runs_file() {
    let site = Site::with_broker();
    site.init("");
    let combiner = site.service(&["combiner", "run"]);
    let said = || combiner.said();
    hand_in(&site, 1, "old", 1.0, 10);
    eventually("the first value", said, || {
        value(&site, 1, "old") == Some(1.0)
    });
    let mut writer = Holder::of(&site.db().join("extracted_data/p1234_r1.h5"), "r+");
    let file = hand_in(&site, 1, "new", 2.0, 10);
    eventually("it is told", said, || {
        combiner.said().contains("p1234_r1.h5")
    });
    assert!(file.is_file() && value(&site, 1, "new").is_none());
    writer.end();
    eventually("its value", said, || value(&site, 1, "new") == Some(2.0));
    assert_eq!(sum_in_file(&site, 1, "old"), Some(10.0));
    assert!(!is_there(&site.db().join("extracted_data"), ".broken"));
}

/// A program that has a file open with h5py, and HDF5's lock on it.
struct Holder(std::process::Child);

impl Holder {
    fn of(file: &std::path::Path, mode: &str) -> Self {
        use std::io::BufRead;
        let script = "import h5py, sys\nfile = h5py.File(sys.argv[1], sys.argv[2])\n\
                      print('open', flush=True)\nsys.stdin.read()";
        let mut program = std::process::Command::new(python());
        program.args(["-c", script]).arg(file).arg(mode);
        program.env("HDF5_USE_FILE_LOCKING", "TRUE");
        program.stdin(std::process::Stdio::piped());
        let child = program.stdout(std::process::Stdio::piped()).spawn();
        let mut child = child.expect("a program with h5py");
        let mut said = String::new();
        let output = child.stdout.take().expect("its output");
        let read = std::io::BufReader::new(output).read_line(&mut said);
        assert_eq!((read.ok(), said.as_str()), (Some(5), "open\n"));
        Self(child)
    }

    /// It ends when nobody listens to it any more.
    fn end(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.end();
    }
}
