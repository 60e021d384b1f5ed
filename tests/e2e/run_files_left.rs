//! Run files that could not be converted with their database: they are taken up later, and nothing is undone for it.

use std::fs::File;

use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use runledger_storage::{migrate, run_file};
use runledger_tests::{Service, Site, eventually};

/// Each past format of before the steps, and the command that leads on from it.
const PAST: [(&str, &str); 2] = [("0", "v0-to-v1"), ("intermediate", "intermediate-v1")];

/// HDF5's own lock on a run's file, as a program has it that writes.
fn in_use(site: &Site, name: &str) -> Flock<File> {
    let file = File::open(site.db().join("extracted_data").join(name)).unwrap();
    Flock::lock(file, FlockArg::LockExclusiveNonblock).unwrap()
}

#[test]
fn a_run_file_that_was_in_use_is_converted_when_it_is_free() {
    for (format, command) in PAST {
        let (site, whole) = (Site::of_format(format), Site::of_format(format));
        whole.run(&["migrate", command]).succeeded();
        let holder = in_use(&site, "p1234_r1.h5");
        let done = site.run(&["migrate", command]);
        assert!(done.stdout.contains("another program"), "{}", done.stdout);
        assert!(done.stdout.contains("keep both until"), "{}", done.stdout);
        let again = format!("`runledger migrate {command}` then takes up");
        done.failed(3, &["one run file stays as it is", &again]);
        assert_ne!(site.cells(), whole.cells());
        // Still in use.
        site.run(&["migrate"]).failed(3, &["one run file stays"]);
        drop(holder);
        let checked = site.run(&["migrate", "--check"]);
        let told = "the file of p1234 r1 still has the format";
        assert!(checked.stdout.contains(told), "{}", checked.stdout);
        checked.failed(1, &["one thing"]);
        let told = site.run(&["migrate", command, "--dry-run"]).succeeded();
        let told = told.stdout;
        assert!(told.contains("one run file is still to be"), "{told}");
        let told = site.run(&["migrate", command]).succeeded().stdout;
        assert!(told.contains("Now one run file is converted"), "{told}");
        assert_eq!(site.cells(), whole.cells());
        site.run(&["migrate", "--check"]).succeeded();
        let told = site.run(&["migrate", command]).succeeded().stdout;
        assert!(told.contains("nothing is to be done"), "{told}");
    }
}

/// The processes that convert files for a process.
fn converters(of: u32) -> Vec<Pid> {
    let converts = |pid: &i32| {
        let read =
            |name| std::fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
        let is_child = read("status")
            .lines()
            .any(|line| line == format!("PPid:\t{of}"));
        is_child && read("cmdline").contains("\0convert\0")
    };
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let processes = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    processes.filter(converts).map(Pid::from_raw).collect()
}

#[test]
fn a_process_that_dies_while_it_converts_a_file_costs_that_file() {
    let site = Site::of_format("0");
    let runs = migrate::runs_with_files(&site.db()).unwrap();
    // Whichever file a process has first, it waits for it.
    let busy: Vec<_> = runs
        .iter()
        .map(|run| run_file::lock(&site.db(), *run).unwrap())
        .collect();
    let command = &mut site.command(&site.db(), &["migrate"]);
    let mut migrating = Service::start(command, &site.path("migrate.log"));
    let id = migrating.id();
    eventually(
        "a process",
        || migrating.said(),
        || !converters(id).is_empty(),
    );
    let killed = converters(id)[0];
    kill(killed, Signal::SIGKILL).unwrap();
    drop(busy);
    assert_eq!(migrating.end(), Some(3), "{}", migrating.said());
    let said = migrating.said();
    assert!(
        said.contains("the process at work on it ended with signal: 9"),
        "{said}"
    );
    assert!(said.contains("2 run files were converted"), "{said}");
    let results = site.db().join("extracted_data");
    let originals = std::fs::read_dir(results.join("v0-backup")).unwrap();
    assert_eq!(originals.count(), 2, "the third is what it was");
    site.run(&["migrate"]).succeeded();
    site.run(&["migrate", "--check"]).succeeded();
}

#[test]
fn a_pipe_in_the_place_of_a_run_file_is_named_and_not_waited_for() {
    let site = Site::of_format("0");
    let file = site.db().join("extracted_data/p1234_r1.h5");
    std::fs::remove_file(&file).unwrap();
    nix::unistd::mkfifo(&file, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let commands = [(&["migrate", "--check"][..], 1), (&["migrate"], 3)];
    for (arguments, code) in commands {
        let done = site.run(arguments);
        assert!(done.stdout.contains("it is no file"), "{}", done.stdout);
        done.failed(code, &["one "]);
    }
}

#[test]
fn a_folder_of_results_that_cannot_be_written_is_told_before_anything_is_changed() {
    let site = Site::of_format("0");
    let results = site.db().join("extracted_data");
    std::fs::remove_dir_all(&results).unwrap();
    std::fs::write(&results, "no folder").unwrap();
    for arguments in [&["migrate"][..], &["migrate", "--dry-run"]] {
        site.run(arguments).failed(1, &["extracted_data: "]);
    }
    let told = site.run(&["migrate", "--check"]);
    told.failed(1, &["extracted_data: Not a directory"]);
}
