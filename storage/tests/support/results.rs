//! Results of several kinds, and files of them.

use std::path::{Path, PathBuf};

use runledger_context::run::{RunId, RunNumber};
use runledger_context::value::{
    Array, Cell, Data, Dtype, Failure, Netcdf, NetcdfVariable, Outcome, Summary, Texts, Values,
};
use runledger_storage::fragment::{self, FragmentWriter, ready_fragments};
use runledger_storage::run_file;

/// The run that all of it is about.
pub(crate) const RUN: RunId = RunId {
    proposal: super::PROPOSAL,
    number: RunNumber(2),
};

/// A complete fragment.
pub(crate) fn fragment(dir: &Path, token: &str, outcomes: &[(String, Outcome)]) -> PathBuf {
    let mut writer = FragmentWriter::create(dir, RUN, token, "context.py").unwrap();
    for (name, outcome) in outcomes {
        writer.save(name, outcome).unwrap();
    }
    writer.finish().unwrap()
}

/// Merges what is ready as the combiner does.
pub(crate) fn merge_all(dir: &Path) {
    let _one_writer = run_file::lock(dir, RUN).unwrap();
    let ready = ready_fragments(dir, Some(RUN)).unwrap();
    run_file::merge(dir, RUN, &ready).unwrap();
    ready.iter().for_each(|one| fragment::remove(one).unwrap());
}

fn array(shape: &[usize], first: u64) -> Array {
    let count: usize = shape.iter().product();
    #[expect(clippy::cast_precision_loss, reason = "any numbers will do")]
    let numbers = (0..count as u64).map(|n| (first + n) as f64);
    Array {
        dtype: Dtype::Plain("<f8".into()),
        shape: shape.to_vec(),
        bytes: numbers
            .flat_map(f64::to_le_bytes)
            .collect::<Vec<u8>>()
            .into(),
    }
}

fn cell(data: Data, summary: Summary, preview: Option<Data>) -> Outcome {
    Outcome::Cell(Box::new(Cell {
        data: Some(data),
        summary: Some(summary),
        preview,
        ..Cell::default()
    }))
}

/// Numbers from `first` on.
pub(crate) fn numbers(count: usize, first: u64) -> Outcome {
    let summary = Summary::Array(array(&[], first));
    cell(Data::Array(array(&[count], first)), summary, None)
}

/// A text.
pub(crate) fn text(words: &str) -> Outcome {
    cell(Data::Text(words.into()), Summary::Text(words.into()), None)
}

/// A Dataset y(t, x), with a coordinate, texts, a scalar, and a dimension without coordinate.
pub(crate) fn labelled(rows: usize, columns: usize, first: u64) -> Data {
    let variable = |name: &str, dims: &[&str], values, attributes| NetcdfVariable {
        name: name.into(),
        dims: dims.iter().map(|dim| (*dim).into()).collect(),
        values,
        attributes,
        is_data: name == "y",
    };
    let words = |shape: &[usize]| {
        let count = shape.iter().product();
        let texts = (0..count).map(|n| format!("é{n} of {first}")).collect();
        Values::Texts(Texts {
            shape: shape.to_vec(),
            texts,
        })
    };
    let units = vec![("units".to_owned(), words(&[]))];
    Data::Netcdf(Netcdf {
        objtype: "dataset".into(),
        dimensions: vec![("t".into(), rows), ("x".into(), columns)],
        variables: vec![
            variable("t", &["t"], Values::Array(array(&[rows], 0)), vec![]),
            variable("label", &["t"], words(&[rows]), vec![]),
            variable("s", &[], Values::Array(array(&[], first)), vec![]),
            variable(
                "y",
                &["t", "x"],
                Values::Array(array(&[rows, columns], first)),
                units,
            ),
        ],
        attributes: vec![],
    })
}

/// A result of one of nine kinds.
pub(crate) fn any(kind: u64, first: u64) -> Outcome {
    let words = |word: &str| Summary::Text(format!("{word} {first}"));
    let texts = |count: u64| (0..count).map(|n| format!("{n} {first}")).collect();
    match kind {
        0 => numbers(1 + (first % 50) as usize, first),
        1 => text(&"long ".repeat(first as usize)),
        2 => cell(
            labelled(3, 4, first),
            words("small"),
            Some(labelled(2, 2, first)),
        ),
        3 => cell(labelled(300, 600, first), words("in chunks"), None),
        4 => Outcome::Failed(Failure {
            class: "ValueError".into(),
            message: format!("not {first}"),
        }),
        5 => {
            let texts = Texts {
                shape: vec![40],
                texts: texts(40),
            };
            cell(
                Data::Texts(texts),
                words("texts"),
                Some(Data::Text("all".into())),
            )
        }
        6 => {
            let complex = Array {
                dtype: Dtype::Plain("<c16".into()),
                ..array(&[10], first)
            };
            let halves = Array {
                shape: vec![5],
                ..complex
            };
            cell(Data::Array(halves), words("complex"), None)
        }
        7 => {
            let encoded = Data::Encoded {
                objtype: "PlotlyFigure".into(),
                bytes: vec![b'{'; 2000].into(),
            };
            cell(encoded.clone(), words("a figure"), Some(encoded))
        }
        _ => numbers(20_000, first),
    }
}
