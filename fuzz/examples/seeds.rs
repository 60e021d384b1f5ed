//! Makes the beginnings of the corpus from what our own parts write: `seeds FOLDER`.

use std::path::Path;

use runledger_context::run::{Proposal, RunData, RunId};
use runledger_context::value::{
    Array, Cell, Data, Dtype, Failure, Netcdf, NetcdfVariable, Outcome, Summary, Texts, Values,
};
use runledger_listener::job::{Job, Request};
use runledger_listener::ledger::Ledger;
use runledger_storage::fragment::{self, Fragment, FragmentWriter};
use runledger_storage::{CellValue, Database, Row, run_file};
use rusqlite::Connection;
use serde_json::{Value, json};

fn main() {
    let place = std::env::args().nth(1).expect("a folder");
    let put = |name: &str, bytes: &[u8]| {
        let file = Path::new(&place).join(name);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        std::fs::write(file, bytes).expect("a file");
    };
    texts(&put);
    frames(&put);
    results(&put);
    databases(&put);
    for (name, seed) in [("a", 3_u8), ("b", 41), ("c", 77)] {
        let bytes: Vec<u8> = (0..200).map(|n: u8| n.wrapping_mul(seed)).collect();
        put(&format!("built_fragments/{name}"), &bytes);
        put(&format!("drawing/array-{name}"), &bytes);
    }
}

type Put<'a> = &'a dyn Fn(&str, &[u8]);

fn texts(put: Put<'_>) {
    let raw =
        json!({"event": "migration_complete", "proposal": 1234, "run": "0007", "kind": [1, {}]});
    put("notifications/raw", raw.to_string().as_bytes());
    let other = json!({"event": "coffee", "proposal": -1, "run": 1e300});
    put("notifications/other", other.to_string().as_bytes());
    let submission = json!({"msg_kind": "file_submission", "data": {"damnit_dir": "/tmp",
        "new_file": "/tmp/extracted_data/p1234_r7.a.ready.h5", "proposal": 1234, "run": 7,
        "computed_by": {"hostname": "h", "username": "u"}}});
    put("submissions/fragment", submission.to_string().as_bytes());
    let update = json!({"msg_kind": "run_values_updated", "data": {"proposal": 1, "run": 2, "values": {"a": null}}});
    put("submissions/update", update.to_string().as_bytes());
    put(
        "configuration/example",
        include_bytes!("../../deploy/runledger.toml"),
    );
    let wrong = "profile = 'onc'\nspeed = 3\n[jobs]\nlocal_limt = 2\ntime_limit = 'soon'\n[notifications.events]\na = 'raw'\n";
    put("configuration/wrong", wrong.as_bytes());
    put("slurm/sbatch", b"Welcome!\n12;solaris\n");
    put(
        "slurm/squeue",
        b"2_2|PENDING|JobArrayTaskLimit|N/A|0b5e-2\n1|RUNNING|None|1795260438|a|b\nCLUSTER: s\n",
    );
    put("slurm/sacct", b"2_0|COMPLETED|0:0||1795260438|p1234-damnit\n2_0.batch|FAILED|0:9|1536K|1795260438|batch\n\
        2_[3,5-9%2]|CANCELLED by 0|0:0||1795260438|p1234-damnit|sbatch --comment 77aa\n");
}

/// A frame, with its buffers behind it.
fn frame(mut header: Value, buffers: &[&[u8]]) -> Vec<u8> {
    header["buffers"] = buffers.iter().map(|buffer| buffer.len()).collect();
    let header = header.to_string();
    let length = u32::try_from(header.len()).expect("a short header");
    [&length.to_le_bytes(), header.as_bytes(), &buffers.concat()].concat()
}

fn frames(put: Put<'_>) {
    let array = |dtype: Value, shape: &[usize], buffer: usize| json!({"kind": "array", "dtype": dtype, "shape": shape, "buffer": buffer});
    let eight = b"abcdefgh".as_slice();
    let cells = [
        json!({"data": array(json!("<i2"), &[4], 0), "summary": {"kind": "line", "x": null, "y": array(json!("<i2"), &[4], 0)}}),
        json!({"data": array(json!([["a", "<i4", []], ["b", "|u1", [2, 2]]]), &[1], 0), "summary": {"kind": "text", "buffer": 0}}),
        json!({"data": {"kind": "texts", "shape": [2], "buffer": 1}, "units": "mm", "bold": true, "background": [1, 2, 3]}),
        json!({"summary": {"kind": "picture", "pixels": array(json!("|u1"), &[2, 4], 0), "upwards": true}, "summary_method": "mean"}),
        json!({"summary": {"kind": "image", "array": array(json!("|u1"), &[1, 2, 4], 0)}, "spread_of": array(json!("<f4"), &[2], 0)}),
        json!({"data": {"kind": "encoded", "objtype": "series", "buffer": 0}, "summary": {"kind": "png", "buffer": 0}}),
        json!({"data": {"kind": "netcdf", "objtype": "dataarray", "dimensions": [["x", 2]], "attributes": [],
            "variables": [{"name": "d", "dims": ["x"], "values": array(json!("<f4"), &[2], 0), "is_data": true,
                "attributes": [["units", {"kind": "texts", "shape": [], "buffer": 2}]]}]}}),
    ];
    let buffers = [eight, br#"["a", "b"]"#, br#"["m"]"#];
    let results: Vec<u8> = cells
        .iter()
        .enumerate()
        .flat_map(|(number, cell)| {
            let name = format!("v{number}");
            frame(
                json!({"message": "result", "name": name, "seconds": 0.5, "cell": cell}),
                &buffers,
            )
        })
        .collect();
    let failed = frame(
        json!({"message": "failed", "name": "f", "seconds": 0.1, "class": "E", "text": "why"}),
        &[],
    );
    let head = frame(
        json!({"message": "submission", "protocol": 3, "database_dir": "/db",
        "proposal": 1234, "run": 7, "provenance": "me"}),
        &[],
    );
    let submitted = frame(json!({"message": "submitted"}), &[]);
    put(
        "results/all",
        &[&head[..], &results, &failed, &submitted].concat(),
    );
    let hello = frame(
        json!({"message": "hello", "protocol": 3, "python": "3.11.2", "pid": 1, "numpy": "2.0", "reason": null}),
        &[],
    );
    let variable = json!({"name": "v0", "title": "V", "description": null, "tags": ["t"], "data": "raw", "cluster": false,
        "transient": false, "units": null, "summary": "mean", "dependencies": []});
    let manifest = frame(
        json!({"message": "manifest", "variables": [variable], "order": ["v0"], "digest": "00"}),
        &[],
    );
    let steps = [
        json!({"message": "start-time", "seconds": 1.5e9}),
        json!({"message": "start", "name": "v0", "pid": 1}),
        json!({"message": "no-value", "name": "w", "seconds": 0.0, "held": true, "failure": {"class": "E", "text": "t"}}),
        json!({"message": "lost", "name": "w", "status": 9}),
    ];
    let steps: Vec<u8> = steps
        .into_iter()
        .flat_map(|step| frame(step, &[]))
        .collect();
    let end = frame(json!({"message": "finished"}), &[]);
    put(
        "worker/all",
        &[&hello[..], &manifest, &steps, &results, &failed, &end].concat(),
    );
    let invalid = json!({"message": "invalid", "problems": [{"message": "m", "file": "f", "line": 3}], "traceback": "t"});
    put(
        "worker/invalid",
        &[&hello[..], &frame(invalid, &[])].concat(),
    );
}

fn numbers(shape: &[usize]) -> Array {
    let count = shape.iter().product::<usize>();
    let bytes: Vec<u8> = (0..count).flat_map(|n| (n as f64).to_le_bytes()).collect();
    Array {
        dtype: Dtype::Plain("<f8".into()),
        shape: shape.to_vec(),
        bytes: bytes.into(),
    }
}

fn labelled() -> Data {
    let variable = |name: &str, dims: &[&str], values, is_data| NetcdfVariable {
        name: name.into(),
        dims: dims.iter().map(|dim| (*dim).to_owned()).collect(),
        values: Values::Array(values),
        attributes: vec![(
            "units".into(),
            Values::Texts(Texts {
                shape: vec![],
                texts: vec!["mm".into()],
            }),
        )],
        is_data,
    };
    Data::Netcdf(Netcdf {
        objtype: "dataarray".into(),
        dimensions: vec![("x".into(), 3), ("y".into(), 2)],
        variables: vec![
            variable("x", &["x"], numbers(&[3]), false),
            variable("d", &["x", "y"], numbers(&[3, 2]), true),
        ],
        attributes: Vec::new(),
    })
}

fn outcomes() -> Vec<(&'static str, Outcome)> {
    let cell = |data, summary| {
        Outcome::Cell(Box::new(Cell {
            data: Some(data),
            summary: Some(summary),
            spread_of: Some(numbers(&[3])),
            summary_method: Some("mean".into()),
            bold: Some(true),
            background: Some([1, 2, 3]),
            units: Some("mm".into()),
            ..Cell::default()
        }))
    };
    vec![
        ("x", cell(labelled(), Summary::Text("labelled".into()))),
        (
            "number",
            cell(Data::Array(numbers(&[])), Summary::Array(numbers(&[]))),
        ),
        (
            "line",
            cell(
                Data::Array(numbers(&[9])),
                Summary::Line {
                    x: None,
                    y: numbers(&[9]),
                },
            ),
        ),
        (
            "texts",
            cell(
                Data::Texts(Texts {
                    shape: vec![2],
                    texts: vec!["a".into(), "ö".into()],
                }),
                Summary::Text("2".into()),
            ),
        ),
        (
            "failed",
            Outcome::Failed(Failure {
                class: "ValueError".into(),
                message: "no".into(),
            }),
        ),
    ]
}

fn results(put: Put<'_>) {
    let run = RunId::new(1234, 7);
    let few = |count: usize| {
        let folder = tempfile::tempdir().expect("a folder");
        let mut writer =
            FragmentWriter::create(folder.path(), run, "a", "context.py").expect("a fragment");
        for (name, outcome) in outcomes().into_iter().take(count) {
            writer.save(name, &outcome).expect("it can be saved");
        }
        let writing = fragment::writing_path(folder.path(), run, "a");
        let before = std::fs::read(writing).unwrap_or_default();
        let path = writer.finish().expect("a fragment");
        let bytes = std::fs::read(&path).expect("a file");
        let fragment = Fragment { path, run };
        run_file::merge(folder.path(), run, &[fragment]).expect("it can be merged");
        let merged = std::fs::read(run_file::path(folder.path(), run)).expect("a file");
        (before, bytes, merged)
    };
    for (name, count) in [("empty", 0), ("labelled", 1), ("number", 2), ("all", 5)] {
        let (before, bytes, merged) = few(count);
        put(&format!("leftovers/{name}"), &before);
        put(&format!("fragments/{name}"), &bytes);
        put(&format!("run_files/{name}"), &merged);
    }
    let pixels = Array {
        dtype: Dtype::Plain("|u1".into()),
        shape: vec![2, 2, 4],
        bytes: vec![7; 16].into(),
    };
    if let runledger_storage::pictures::Drawn::Png(png) =
        runledger_storage::pictures::draw(&Summary::Figure(pixels))
    {
        put("drawing/png", &png.whole().expect("in memory"));
    }
}

fn databases(put: Put<'_>) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut database = Database::create(folder.path(), Proposal(1234)).expect("a database");
    let run = RunId::new(1234, 7);
    let row = |value| Row {
        value,
        summary_type: Some("complex".into()),
        ..Row::default()
    };
    let rows = [
        ("a".to_owned(), row(CellValue::Blob(vec![1; 16]))),
        ("b".to_owned(), row(CellValue::Text("text".into()))),
    ];
    let saved = database.save_cells(run, &rows, Some(1.5e9), "context.py");
    drop(saved.expect("cells"));
    let job = Job::new(run, RunData::Raw, folder.path().into(), Request::default());
    let mut ledger = Ledger::open(folder.path()).expect("a ledger");
    ledger.plan(None, &job).expect("a job");
    ledger
        .keep_messages(&[("t".into(), b"{}".to_vec())])
        .expect("a message");
    drop((database, ledger));
    for (file, name) in [
        ("runs.sqlite", "tables/new"),
        ("ledger.sqlite", "ledgers/new"),
    ] {
        let path = folder.path().join(file);
        let small = "PRAGMA journal_mode = DELETE; PRAGMA page_size = 512; VACUUM;";
        Connection::open(&path)
            .and_then(|file| file.execute_batch(small))
            .expect("a small file");
        put(name, &std::fs::read(path).expect("a file"));
    }
}
