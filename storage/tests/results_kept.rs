//! What is saved stays, whatever happens: kills, other programs, summaries that cannot be read.

mod support;

use std::path::Path;
use std::process::Command;

use runledger_context::value::*;
use runledger_storage::fragment::{self, FragmentWriter, ready_fragments, salvage, summaries};
use runledger_storage::run_file;
use support::damnit::*;

#[test]
fn what_was_saved_before_a_kill_is_salvaged() {
    if let Ok(dir) = std::env::var("RUNLEDGER_TEST_KILLED_IN") {
        let mut w = FragmentWriter::create(Path::new(&dir), run(), "k", "context.py").unwrap();
        for n in 0..50 {
            w.save(
                &format!("v{n}"),
                &cell(
                    Data::Array(f64s(&[3], &[1., 2., 3.])),
                    Summary::Array(f64s(&[], &[1.])),
                ),
            )
            .unwrap();
        }
        w.save(
            "da",
            &cell(Data::Netcdf(netcdf()), Summary::Text("x".into())),
        )
        .unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::this(), nix::sys::signal::Signal::SIGKILL)
            .unwrap();
    }
    let d = tempfile::tempdir().unwrap();
    let s = Command::new(std::env::current_exe().unwrap())
        .args(["what_was_saved_before_a_kill_is_salvaged", "--exact"])
        .env("RUNLEDGER_TEST_KILLED_IN", d.path())
        .output()
        .unwrap();
    assert!(!s.status.success());
    let w = fragment::writing_path(d.path(), run(), "k");
    let p = salvage(
        &w,
        &[(
            "gone".into(),
            Failure {
                class: "Killed".into(),
                message: "signal 9".into(),
            },
        )],
    )
    .unwrap();
    assert_eq!(summaries(&p).unwrap().rows.len(), 52);
    merge(d.path());
    py(
        d.path(),
        &format!("{CHECK}\ncheck('extracted_data/p1_r2.h5',['da'])"),
    );
}

#[test]
fn a_program_that_writes_into_the_runs_file_is_waited_for_and_readers_are_not() {
    let Some(python) = support::python() else {
        return;
    };
    let d = tempfile::tempdir().unwrap();
    write(
        d.path(),
        "a",
        &[(
            "one",
            cell(Data::Array(f64s(&[], &[1.])), Summary::Text("x".into())),
        )],
    );
    merge(d.path());
    for (mode, merges) in [("r", true), ("r+", false)] {
        let script = format!(
            "import h5py\nf = h5py.File('extracted_data/p1_r2.h5', '{mode}')\nprint('open', flush=True)\ninput()"
        );
        let mut other = Command::new(&python)
            .args(["-c", &script])
            .current_dir(d.path())
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Read::read_exact(other.stdout.as_mut().unwrap(), &mut [0; 5]).unwrap();
        let before = std::fs::read(run_file::path(d.path(), run())).unwrap();
        let merged = run_file::merge(d.path(), run(), &ready_fragments(d.path(), None).unwrap());
        other.kill().unwrap();
        other.wait().unwrap();
        assert_eq!(merged.is_ok(), merges, "{mode}: {merged:?}");
        if let Err(error) = merged {
            assert!(error.to_string().contains("p1_r2.h5"), "{error}");
            assert_eq!(
                std::fs::read(run_file::path(d.path(), run())).unwrap(),
                before
            );
        }
    }
}

#[test]
fn a_summary_that_cannot_be_read_costs_its_own_cell_only() {
    let d = tempfile::tempdir().unwrap();
    py(
        d.path(),
        r#"
import h5py
def make(name,change):
    with h5py.File(name,'w') as f:
        f.create_group('.errors'); f['.reduced/good']=1.0; change(f)
make('group',lambda f: f.create_group('.reduced/x'))
make('link',lambda f: f['.reduced'].__setitem__('x',h5py.SoftLink('/no')))
make('bytes',lambda f: f.create_dataset('.errors/x',data=b'caf\xe9',dtype=h5py.string_dtype()))
make('nothing',lambda f: f.create_dataset('.errors/x',(),dtype=h5py.string_dtype()))
"#,
    );
    if support::python().is_none() {
        return;
    }
    for name in ["group", "link", "bytes", "nothing"] {
        let found = summaries(&d.path().join(name)).unwrap();
        let names: Vec<&str> = found.rows.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["good", "x"], "{name}");
        let error = &found.rows[1].1.attributes.as_ref().unwrap()["error"];
        assert!(error.is_string(), "{name}");
        if name == "bytes" {
            assert_eq!(error, "caf\u{fffd}");
        }
    }
}

#[test]
fn a_summary_that_cannot_be_stored_costs_itself_only() {
    let d = tempfile::tempdir().unwrap();
    let mut writer = FragmentWriter::create(d.path(), run(), "a", "context.py").unwrap();
    let time = arr("<M8[ns]", &[], vec![0; 8]);
    writer
        .save(
            "x",
            &cell(Data::Array(f64s(&[], &[7.])), Summary::Array(time)),
        )
        .unwrap();
    let path = writer.finish().unwrap();
    let rows = summaries(&path).unwrap().rows;
    assert_eq!(
        rows[0].1.value,
        runledger_storage::CellValue::Text("<summary error>".into())
    );
    py(
        d.path(),
        "import h5py,glob\nassert h5py.File(glob.glob('extracted_data/*')[0])['x/data'][()]==7",
    );
}

#[test]
fn what_is_saved_again_is_new() {
    let d = tempfile::tempdir().unwrap();
    let mut writer = FragmentWriter::create(d.path(), run(), "a", "context.py").unwrap();
    for number in [1., 2.] {
        writer
            .save(
                "x",
                &cell(
                    Data::Array(f64s(&[], &[number])),
                    Summary::Array(f64s(&[], &[number])),
                ),
            )
            .unwrap();
    }
    let rows = summaries(&writer.finish().unwrap()).unwrap().rows;
    assert_eq!(rows[0].1.value, runledger_storage::CellValue::Real(2.));
}

#[test]
fn bytes_that_do_not_fill_the_shape_are_refused() {
    let d = tempfile::tempdir().unwrap();
    let mut writer = FragmentWriter::create(d.path(), run(), "a", "context.py").unwrap();
    let short = arr("<f8", &[1000], vec![0; 8]);
    let saved = writer.save("x", &cell(Data::Array(short), Summary::Text("s".into())));
    assert!(saved.unwrap_err().is_not_storable());
}

#[test]
fn a_process_that_was_started_meanwhile_does_not_keep_readers_away() {
    let d = tempfile::tempdir().unwrap();
    let writer = FragmentWriter::create(d.path(), run(), "a", "context.py").unwrap();
    let mut child = Command::new("sleep").arg("60").spawn().unwrap();
    let read = summaries(&writer.finish().unwrap());
    child.kill().unwrap();
    child.wait().unwrap();
    read.unwrap();
}
