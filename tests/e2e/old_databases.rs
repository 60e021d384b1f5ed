//! `migrate`, as people use it on databases of past formats.

use runledger_tests::{Site, python};

#[test]
fn an_old_database_is_checked_brought_to_the_present_format_and_back() {
    let site = Site::of_format("2");
    let told = site.run(&["migrate", "--check"]).succeeded().stdout;
    assert!(
        told.contains("has format v2; to be done: → v3 tags, → v4"),
        "{told}"
    );
    let told = site.run(&["migrate", "--dry-run"]).succeeded().stdout;
    assert!(told.contains("Nothing was changed"), "{told}");
    let told = site.run(&["migrate", "--to", "4"]).succeeded().stdout;
    assert!(told.contains("had format v2 and has v4 now"), "{told}");
    let told = site.run(&["migrate"]).succeeded().stdout;
    assert!(told.contains("nothing is to be done"), "{told}");
    site.run(&["migrate", "--restore"])
        .failed(2, &["nothing is done", "--yes"]);
    let told = site
        .run(&["migrate", "--restore", "--yes"])
        .succeeded()
        .stdout;
    assert!(
        told.contains("format v2") && told.contains("runs.v4-backup.sqlite"),
        "{told}"
    );
    // Now there are two.
    site.run(&["migrate", "--restore", "--yes"])
        .failed(2, &["several copies", "runs.v2-backup.sqlite (v2)"]);
    site.run(&["migrate", "--restore", "runs.v3-backup.sqlite", "--yes"])
        .failed(1, &["there is no copy", "runs.v3-backup.sqlite"]);
    site.run(&["migrate", "--restore", "runs.v4-backup.sqlite", "--yes"])
        .succeeded();
    let checked = site
        .run(&["migrate", "--check", "--json"])
        .succeeded()
        .stdout;
    let checked: serde_json::Value = serde_json::from_str(&checked).unwrap();
    assert_eq!(checked["format"], "v4");
    assert_eq!(checked["problems"], serde_json::json!([]));
}

#[test]
fn what_is_wrong_with_a_database_is_listed_and_the_command_fails() {
    let site = Site::of_format("3");
    std::fs::write(site.db().join("extracted_data/p1234_r1.h5"), "torn").unwrap();
    let checked = site.run(&["migrate", "--check"]);
    assert!(
        checked
            .stdout
            .contains("the file of p1234 r1 cannot be read"),
        "{}",
        checked.stdout
    );
    checked.failed(1, &["one thing is wrong"]);
    site.run(&["migrate", "--to", "3"])
        .failed(2, &["format 4 only"]);
}

/// Every file of the database's folder with its size and time.
fn listing(site: &Site) -> Vec<String> {
    let listed = std::process::Command::new("find")
        .arg(site.db())
        .args(["-type", "f", "-printf", "%P %s %T@\n"])
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let mut files: Vec<String> = listed.lines().map(str::to_owned).collect();
    files.sort();
    files
}

#[test]
fn a_dry_run_on_format_0_tells_everything_and_changes_nothing() {
    let site = Site::of_format("0");
    let before = listing(&site);
    let told = site
        .run(&["migrate", "--dry-run", "v0-to-v1"])
        .succeeded()
        .stdout;
    for words in [
        "has format v0",
        "p1234 r1: labelled as NetCDF-4: bare, flags, spectrum; drawn as thumbnails: figure, image",
        "p1234 r3: square stays as it is: 2 dimensions have the length 4",
        "Without a file of results",
        "p1234 r2",
        "Nothing was changed",
    ] {
        assert!(told.contains(words), "{words:?} is not in:\n{told}");
    }
    assert_eq!(listing(&site), before);
    site.run(&["migrate", "intermediate-v1"])
        .failed(1, &["has format v0, not intermediate v1"]);
    site.run(&["table"])
        .failed(1, &["legacy format v0", "migrate --dry-run"]);
    assert_eq!(listing(&site), before);
}

#[test]
fn migrate_brings_every_format_to_the_present_one_and_back() {
    for format in ["0", "intermediate"] {
        let site = Site::of_format(format);
        let told = site.run(&["migrate", "--to", "4"]).succeeded().stdout;
        assert!(told.contains("has v4 now: 4 runs"), "{told}");
        site.run(&["migrate", "--check"]).succeeded();
        let table = site.run(&["table", "--json"]).succeeded().stdout;
        assert!(table.contains("10.25"), "{table}");
        let told = site
            .run(&["migrate", "--restore", "--yes"])
            .succeeded()
            .stdout;
        assert!(told.contains("3 run files are what they were"), "{told}");
        site.run(&["migrate"]).succeeded();
    }
}

#[test]
fn run_files_that_are_broken_or_in_use_are_named_and_the_rest_is_done() {
    let site = Site::of_format("0");
    let results = site.db().join("extracted_data");
    let whole = std::fs::read(results.join("p1234_r1.h5")).unwrap();
    std::fs::write(results.join("p1234_r1.h5"), &whole[..whole.len() / 2]).unwrap();
    std::fs::write(results.join("p5678_r1.h5"), "no HDF5").unwrap();
    let done = site.run(&["migrate", "v0-to-v1"]);
    for words in [
        "p1234 r1: ",
        "p5678 r1: ",
        "4 runs",
        "one run file was converted",
    ] {
        assert!(
            done.stdout.contains(words),
            "{words:?} is not in:\n{}",
            done.stdout
        );
    }
    done.failed(3, &["2 run files stay as they are", "the rest is done"]);
    let kept = std::fs::read(results.join("p1234_r1.h5")).unwrap();
    assert_eq!(kept, whole[..whole.len() / 2]);
    let cells = "SELECT count(*) FROM run_variables WHERE timestamp IS NOT NULL AND run <> 2";
    assert_eq!(site.number(cells), Some(27.0));
}

#[test]
fn a_run_file_that_another_program_writes_is_named_and_stays() {
    let site = Site::of_format("0");
    let script = "import h5py, sys
file = h5py.File('extracted_data/p1234_r1.h5', 'r+', locking=True)
print('open', flush=True)
sys.stdin.read()";
    let mut holder = std::process::Command::new(python())
        .args(["-c", script])
        .current_dir(site.db())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    let mut out = std::io::BufReader::new(holder.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut out, &mut said).unwrap();
    let done = site.run(&["migrate", "v0-to-v1"]);
    // It ends when nobody listens to it any more.
    drop(holder.stdin.take());
    holder.wait().unwrap();
    assert!(done.stdout.contains("p1234 r1: "), "{}", done.stdout);
    done.failed(3, &["one run file stays as it is", "takes up what is left"]);
    let told = site
        .run(&["migrate", "--restore", "--yes"])
        .succeeded()
        .stdout;
    assert!(told.contains("2 run files are what they were"), "{told}");
    let told = site.run(&["migrate"]).succeeded().stdout;
    assert!(told.contains("3 run files were converted"), "{told}");
}
