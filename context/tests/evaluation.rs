//! What functions get and what their results become.

mod support;

use runledger_context::run::RunId;
use runledger_context::selection::Selection;
use runledger_context::value::{
    Array, Data, Dtype, Netcdf, NetcdfVariable, Summary, Texts, Values,
};
use runledger_context::worker::{End, Event};
use runledger_context::{Error, run::RunData};
use support::{Folder, mock_request, seconds};

/// A type, a shape and the bytes in hexadecimal.
fn array(array: &Array) -> (Dtype, &[usize], String) {
    let hex = array
        .bytes
        .in_memory()
        .unwrap()
        .iter()
        .map(|byte| format!("{byte:02x}"));
    (array.dtype.clone(), &array.shape, hex.collect())
}

fn plain(dtype: &str) -> Dtype {
    Dtype::Plain(dtype.into())
}

fn numbers(array: &Array) -> Vec<f64> {
    assert_eq!(array.dtype, plain("<f8"));
    let numbers = array.bytes.in_memory().unwrap().chunks_exact(8);
    numbers
        .map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap()))
        .collect()
}

#[test]
fn arrays_arrive_with_their_type_shape_and_bytes_in_c_order() {
    let evaluated = Folder::with(
        r#"
def of(value):
    name = f"v{len(made)}"
    def function(run): return value
    function.__name__ = name
    made.append(name)
    globals()[name] = Variable(function)
made = []
of(1); of(True); of(np.array([1, 2], '>i2')); of(np.arange(4, dtype='u1').reshape(2, 2).T)
of(np.float16(1)); of([]); of(np.array([b'ab', b'c'])); of(np.zeros((2, 0)))
of(np.arange(6, dtype='i1')[::-2]); of(np.array((1, (2, 3)), dtype=[('a', 'u1'), ('b', 'u1', (2,))]))
"#,
    )
    .evaluate();
    let data = |index: usize| match &evaluated.cell(&format!("v{index}")).data {
        Some(Data::Array(found)) => array(found),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        data(0),
        (plain("<i8"), [].as_slice(), "0100000000000000".into())
    );
    assert_eq!(data(1), (plain("|b1"), [].as_slice(), "01".into()));
    assert_eq!(data(2), (plain(">i2"), [2].as_slice(), "00010002".into()));
    assert_eq!(
        data(3),
        (plain("|u1"), [2, 2].as_slice(), "00020103".into())
    );
    assert_eq!(data(4), (plain("<f2"), [].as_slice(), "003c".into()));
    assert_eq!(data(5), (plain("<f8"), [0].as_slice(), String::new()));
    assert_eq!(data(6), (plain("|S2"), [2].as_slice(), "61626300".into()));
    assert_eq!(data(7), (plain("<f8"), [2, 0].as_slice(), String::new()));
    assert_eq!(data(8), (plain("|i1"), [3].as_slice(), "050301".into()));
    let fields = vec![
        ("a".into(), plain("|u1"), vec![]),
        ("b".into(), plain("|u1"), vec![2]),
    ];
    assert_eq!(
        data(9),
        (Dtype::Structured(fields), [].as_slice(), "010203".into())
    );
}

#[test]
fn texts_are_stored_as_they_are() {
    let evaluated = Folder::with(
        r#"
@Variable
def one(run): return "µm\n"
@Variable
def several(run): return [["a", "ü"]]
@Variable
def numpy(run): return np.str_("x")
"#,
    )
    .evaluate();
    assert_eq!(evaluated.cell("one").data, Some(Data::Text("µm\n".into())));
    assert_eq!(
        evaluated.cell("numpy").summary,
        Some(Summary::Text("x".into()))
    );
    let texts = Texts {
        shape: vec![1, 2],
        texts: vec!["a".into(), "ü".into()],
    };
    assert_eq!(evaluated.cell("several").data, Some(Data::Texts(texts)));
}

#[test]
fn a_type_that_cannot_be_stored_is_named_as_it_was_returned() {
    let evaluated = Folder::with(
        r#"
@Variable
def thing(run): return {"a": object()}
@Variable
def time(run): return np.datetime64("2020-01-01")
@Variable
def huge(run): return 2 ** 64
"#,
    )
    .evaluate();
    for (name, part) in [
        ("thing", "<class 'dict'>"),
        ("time", "datetime64[D]"),
        ("huge", "<class 'int'>"),
    ] {
        let failure = evaluated.failure(name);
        assert_eq!(failure.class, "TypeError");
        assert!(failure.message.contains(part), "{failure:?}");
    }
}

#[test]
fn a_cell_brings_what_the_table_shows() {
    let evaluated = Folder::with(
        r##"
@Variable(summary="max", units="mm")
def a(run):
    return Cell(np.array([1.0, 5.0]), bold=True, background="#ff8000", preview=np.zeros((2, 2)))
@Variable(summary="max")
def b(run): return Cell([1.0, 5.0], summary="min", background=(1, 2, 3), units="s", bold=False)
"##,
    )
    .evaluate();
    let a = evaluated.cell("a");
    assert_eq!(
        (a.bold, a.background, a.units.as_deref()),
        (Some(true), Some([255, 128, 0]), Some("mm"))
    );
    assert_eq!(a.summary_method.as_deref(), Some("max"));
    let Some(Summary::Array(largest)) = &a.summary else {
        panic!("a number");
    };
    assert_eq!(numbers(largest), [5.0]);
    assert_eq!(numbers(a.spread_of.as_ref().unwrap()), [1.0, 5.0]);
    assert!(matches!(&a.preview, Some(Data::Array(zeros)) if zeros.shape == [2, 2]));
    let b = evaluated.cell("b");
    assert_eq!(
        (b.bold, b.background, b.units.as_deref()),
        (Some(false), Some([1, 2, 3]), Some("s"))
    );
    assert_eq!(b.summary_method.as_deref(), Some("min"));
}

#[test]
fn a_line_has_its_coordinate_and_a_picture_its_direction() {
    let evaluated = Folder::with(
        r#"
import xarray as xr
def da(values, **coords): return xr.DataArray(values, dims=list(coords), coords=coords)
@Variable
def plain(run): return [3, 4]
@Variable
def numeric(run): return da([3, 4], x=[10, 20])
@Variable
def timed(run): return da([3, 4], t=np.array(["1970-01-01T00:00:01.5", "1970-01-02"], "M8[ns]"))
@Variable
def named(run): return da([3, 4], x=["a", "b"])
@Variable
def array(run): return np.zeros((2, 2))
@Variable
def image(run): return xr.DataArray(np.zeros((2, 2)))
@Variable
def descending(run): return da([[1, 2], [3, 4]], y=[5, 1], x=[9, 3])
"#,
    )
    .evaluate();
    let x = |name| match &evaluated.cell(name).summary {
        Some(Summary::Line { x, .. }) => x.as_ref().map(numbers),
        other => panic!("{other:?}"),
    };
    assert_eq!((x("plain"), x("named")), (None, None));
    assert_eq!(x("numeric"), Some(vec![10.0, 20.0]));
    assert_eq!(x("timed"), Some(vec![1.5, 86400.0]));
    let picture = |name| match &evaluated.cell(name).summary {
        Some(Summary::Picture { pixels, upwards }) => {
            (pixels.bytes.in_memory().unwrap()[0], *upwards)
        }
        other => panic!("{other:?}"),
    };
    assert!(!picture("array").1 && picture("image").1);
    assert_eq!(
        picture("descending"),
        (2, false),
        "columns are drawn from small to large"
    );
}

fn netcdf<'e>(evaluated: &'e support::Evaluated, name: &str) -> &'e Netcdf {
    match &evaluated.cell(name).data {
        Some(Data::Netcdf(group)) => group,
        other => panic!("{other:?}"),
    }
}

fn variable<'g>(group: &'g Netcdf, name: &str) -> &'g NetcdfVariable {
    group
        .variables
        .iter()
        .find(|variable| variable.name == name)
        .unwrap()
}

fn attribute(attributes: &[(String, Values)], name: &str) -> String {
    let found = attributes.iter().find(|(key, _)| key == name);
    match found {
        Some((_, Values::Texts(texts))) => texts.texts.join(","),
        Some((_, Values::Array(found))) => format!("{:?}", array(found)),
        None => "absent".into(),
    }
}

#[test]
fn xarrays_objects_arrive_as_netcdf_groups() {
    let evaluated = Folder::with(
        r#"
import xarray as xr
times = np.array(["2020-01-01", "2020-01-02"], "M8[ns]")
@Variable
def nameless(run):
    return xr.DataArray([1.5, 2.5], dims=["t"], coords={"t": times, "label": ("t", ["a", "b"]), "s": 3},
                        attrs={"units": "mm", "n": 4})
@Variable
def like_its_coordinate(run): return xr.DataArray([1, 2], dims=["x"], coords={"x": [1, 2]}, name="x")
@Variable
def dataset(run): return xr.Dataset({"a/b": ("x", [True, False]), "c": ((), 1)}, attrs={"title": "T"})
"#,
    )
    .evaluate();
    let group = netcdf(&evaluated, "nameless");
    assert_eq!(group.objtype, "dataarray");
    assert_eq!(group.dimensions, [("t".to_string(), 2)]);
    let data = variable(group, "__xarray_dataarray_variable__");
    assert!(data.is_data && data.dims == ["t"]);
    assert_eq!(attribute(&data.attributes, "units"), "mm");
    assert_eq!(attribute(&data.attributes, "coordinates"), "label s");
    assert!(
        attribute(&data.attributes, "n").contains("[1]"),
        "numbers have a dimension"
    );
    assert!(attribute(&data.attributes, "_FillValue").contains("<f8"));
    let time = variable(group, "t");
    assert!(!time.is_data && attribute(&time.attributes, "units").contains("since 2020-01-01"));
    assert!(
        matches!(&variable(group, "label").values, Values::Texts(texts) if texts.texts == ["a", "b"])
    );
    assert!(variable(group, "s").values.shape().is_empty());
    assert_eq!(evaluated.cell("nameless").units.as_deref(), Some("mm"));

    let group = netcdf(&evaluated, "like_its_coordinate");
    assert_eq!(
        attribute(&group.attributes, "__xarray_dataarray_name__"),
        "x"
    );

    let group = netcdf(&evaluated, "dataset");
    assert_eq!(group.objtype, "dataset");
    let data = variable(group, "a_b");
    assert_eq!(attribute(&data.attributes, "dtype"), "bool");
    assert_eq!(attribute(&group.attributes, "title"), "T");
}

#[test]
fn what_netcdf_cannot_hold_costs_one_variable() {
    let evaluated = Folder::with(
        r#"
import xarray as xr
x = xr.DataArray([1, 2], dims=["x"])
made = {
    "multi": lambda: x.expand_dims(y=[1]).stack(z=("x", "y")),
    "slash": lambda: x.rename(x="a/b"),
    "none": lambda: x.assign_attrs(a=None),
    "mapping": lambda: x.assign_attrs(a={}),
    "truth": lambda: x.assign_attrs(a=True),
    "int_name": lambda: x.rename(5),
    "things": lambda: xr.DataArray([object(), 1]),
    "surrogate": lambda: x.assign_attrs({"\ud800": 1}),
    "time_units": lambda: xr.DataArray(np.array(["2020-01-01"], "M8[ns]"), attrs={"units": "s"}),
}
for name, make in made.items():
    def function(run, make=make): return make()
    function.__name__ = name
    globals()[name] = Variable(function)
@Variable
def fine(run): return 1
"#,
    )
    .evaluate();
    for name in [
        "multi",
        "slash",
        "none",
        "mapping",
        "truth",
        "int_name",
        "things",
        "surrogate",
        "time_units",
    ] {
        assert!(!evaluated.failure(name).message.is_empty());
    }
    assert!(evaluated.cell("fine").data.is_some());
    assert_eq!(evaluated.end, End::Finished);
}

#[test]
fn figures_and_frames_arrive_in_their_own_formats() {
    let evaluated = Folder::with(
        r#"
import pandas as pd
from matplotlib.figure import Figure
@Variable
def figure(run):
    axes = Figure().add_subplot()
    axes.plot([1, 2])
    return axes
@Variable
def series(run): return pd.Series([1.0, 2.0], name="s")
@Variable
def frame(run): return pd.DataFrame({"a": [1]})
@Variable
def plotly(run):
    import plotly.graph_objs as go
    return go.Figure()
"#,
    )
    .evaluate();
    let figure = evaluated.cell("figure");
    assert!(matches!(&figure.data, Some(Data::Image(pixels)) if pixels.shape == [480, 640, 4]));
    assert!(
        matches!((&figure.summary, &figure.data), (Some(Summary::Figure(seen)), Some(Data::Image(drawn))) if seen == drawn)
    );
    let objtype = |name| match &evaluated.cell(name).data {
        Some(Data::Encoded { objtype, bytes }) => {
            (objtype.clone(), bytes.part(0, 1).unwrap().to_vec())
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(objtype("series"), ("series".into(), b"P".to_vec()));
    assert_eq!(objtype("frame"), ("dataframe".into(), b"P".to_vec()));
    assert_eq!(objtype("plotly"), ("PlotlyFigure".into(), b"{".to_vec()));
    assert!(matches!(
        evaluated.cell("series").summary,
        Some(Summary::Line { .. })
    ));
}

#[test]
fn a_summary_that_fails_costs_itself_only() {
    let evaluated = Folder::with(
        r#"
@Variable
def value(run): return Cell(5, summary_value="no\0text")
@Variable(summary="no_such_function")
def function(run): return np.arange(3)
"#,
    )
    .evaluate();
    let value = evaluated.cell("value");
    assert!(matches!(value.data, Some(Data::Array(_))));
    assert_eq!(value.summary, Some(Summary::Text("<summary error>".into())));
    let function = evaluated.cell("function");
    assert!(matches!(function.summary, Some(Summary::Line { .. })));
    assert_eq!(function.summary_method.as_deref(), Some("no_such_function"));
}

#[test]
fn a_plotly_figure_that_is_not_drawn_in_time_costs_its_picture_only() {
    let evaluated = Folder::with(
        r#"
import subprocess
import plotly.graph_objs as go
from runledger_runtime import figures
figures.PATIENCE = 0.5
class Drawn(go.Figure):
    def to_image(self, **_): return b"\x89PNG"
class Hanging(go.Figure):
    def to_image(self, **_): subprocess.run(["sleep", "600"])
class Failing(go.Figure):
    def to_image(self, **_): raise ValueError("no browser")
@Variable
def drawn(run): return Drawn()
@Variable
def failing(run): return Failing()
@Variable
def hanging(run): return Hanging()
@Variable
def later(run): return Hanging()
"#,
    )
    .evaluate();
    let drawn = &evaluated.cell("drawn").summary;
    assert_eq!(*drawn, Some(Summary::Png(b"\x89PNG".to_vec().into())));
    for name in ["failing", "hanging", "later"] {
        let cell = evaluated.cell(name);
        assert_eq!(cell.summary, Some(Summary::Text("Plotly figure".into())));
        assert!(
            matches!(&cell.data, Some(Data::Encoded { objtype, .. }) if objtype == "PlotlyFigure")
        );
    }
}

#[test]
fn what_returns_none_is_transient_or_lacks_a_parameter_leaves_no_cell() {
    let evaluated = Folder::with(
        r#"
@Variable
def nothing(run): return None
@Variable(transient=True)
def handle(run): return Cell(5)
@Variable(transient=True)
def broken(run): raise ValueError
@Variable
def unasked(run, p: "param#absent"): return 1
@Variable
def asked(run, p: "param#present", h: "var#handle"): return f"{p} {h}"
"#,
    )
    .evaluate_within(&seconds(60), |request| {
        request.params.insert("present".into(), "yes".into());
    });
    assert_eq!(
        evaluated.without_value(),
        ["nothing", "handle", "broken", "unasked"]
    );
    assert_eq!(
        evaluated.cell("asked").data,
        Some(Data::Text("yes 5".into()))
    );
}

#[test]
fn the_file_knows_where_it_is_and_finds_its_neighbours() {
    let folder = Folder::with(
        r#"
import os, sys, pickle
assert __name__ != "__main__"
from neighbour import value
import damnit.context, damnit_ctx
assert damnit.context.Variable is damnit_ctx.Variable is Variable
def helper(): return 1
@Variable
def a(run): return f"{value} {os.path.basename(__file__)} {len(sys.stdin.read())} {pickle.loads(pickle.dumps(helper))()}"
"#,
    );
    folder.write("neighbour.py", "value = 'near'\n");
    // Names that the runtime uses too.
    for name in [
        "damnit_ctx.py",
        "evaluation.py",
        "worker.py",
        "runledger_runtime.py",
    ] {
        folder.write(name, "raise SystemExit('not this one')\n");
    }
    let data = &folder.evaluate().cell("a").data.clone();
    assert_eq!(*data, Some(Data::Text("near context.py 0 1".into())));
}

#[test]
fn results_come_one_by_one_after_the_start_time() {
    let evaluated = Folder::with("@Variable\ndef a(run): return 1\n").evaluate();
    assert!(matches!(evaluated.events[0], Event::StartTime(seconds) if seconds > 1.7e9));
    assert_eq!(evaluated.events[1], Event::Started("a".into()));
    assert!(matches!(&evaluated.events[2], Event::Outcome { name, .. } if name == "a"));
}

/// An opener as a site may have: proc data is only there for run 2.
const SITE: &str = r#"
def opened(proposal, run, data="all"):
    if run == 3: raise OSError("the tape is torn")
    if data == "proc" and run != 2: raise FileNotFoundError("no proc")
    return (proposal, run, data)
"#;

fn with_the_sites_opener(run: u32) -> Result<(End, Vec<Event>), Error> {
    let folder = Folder::with(
        r#"
@Variable
def raw(run): return str(run)
@Variable(data="proc")
def proc(run): return "calibrated"
@Variable
def both(run, raw: "var#raw", proc: "var#proc"): return 1
"#,
    );
    folder.write("site_opener.py", SITE);
    let mut worker = folder.start()?;
    let mut request = mock_request(Selection::of(RunData::All).names(worker.manifest()));
    request.mock = false;
    request.opener = Some("site_opener:opened".into());
    request.run = RunId::new(7, run);
    let mut events = Vec::new();
    let end = worker.evaluate(&request, &seconds(60), &mut |event| events.push(event))?;
    Ok((end, events))
}

#[test]
fn without_proc_data_only_raw_variables_are_evaluated() {
    let (end, events) = with_the_sites_opener(1).unwrap();
    let evaluated = support::Evaluated { end, events };
    assert_eq!(evaluated.without_value(), ["proc", "both"]);
    let expected = Data::Text("(7, 1, 'all')".into());
    assert_eq!(evaluated.cell("raw").data, Some(expected));

    let (end, events) = with_the_sites_opener(2).unwrap();
    assert_eq!(support::Evaluated { end, events }.outcomes().len(), 3);
}

#[test]
fn a_run_that_cannot_be_opened_is_told_with_the_reason() {
    let why = with_the_sites_opener(3).unwrap_err();
    assert_eq!(
        why.to_string(),
        "cannot open p7 r3: OSError: the tape is torn"
    );
}

#[test]
fn a_real_run_is_opened_with_extra_data() {
    let folder = Folder::with(
        r#"
@Variable
def trains(run): return len(run.train_ids)
@Variable
def path(run, path: "meta#proposal_path"): return str(path)
@Variable
def gone(run): return run["NO/SUCH/SOURCE", "x"].ndarray()
@Variable
def after(run, gone: "var#gone"): return 1
"#,
    );
    folder.write(
        "site_opener.py",
        r#"
import os
from extra_data import open_run
from extra_data.tests.make_examples import make_fxe_run
root = os.path.join(os.getcwd(), "FXE/202601/p000007")
os.makedirs(root + "/raw/r0001")
make_fxe_run(root + "/raw/r0001")
os.environ["EXTRA_DATA_DATA_ROOT"] = os.getcwd()
"#,
    );
    let mut worker = folder.start().unwrap();
    let mut request = mock_request(worker.manifest().order.clone());
    request.mock = false;
    request.run = RunId::new(7, 1);
    request.opener = Some("site_opener:open_run".into());
    let evaluated = support::evaluate(&mut worker, &request, &seconds(120));
    let Event::StartTime(seconds) = evaluated.events[0] else {
        panic!("the start time comes first");
    };
    assert!(seconds > 1.5e9, "{seconds}");
    assert!(
        matches!(&evaluated.cell("trains").data, Some(Data::Array(count)) if count.bytes.in_memory().unwrap()[0] > 0)
    );
    let expected = folder
        .path()
        .canonicalize()
        .unwrap()
        .join("FXE/202601/p000007");
    assert_eq!(
        evaluated.cell("path").data,
        Some(Data::Text(expected.display().to_string()))
    );
    assert_eq!(evaluated.failure("gone").class, "SourceNameError");
    assert_eq!(
        evaluated.failure("after").class,
        "Skip",
        "nothing to look at is no error"
    );
}

#[test]
fn metadata_without_the_package_for_it_is_a_failure_that_names_the_package() {
    let evaluated = Folder::with(
        r#"
import sys
sys.modules["extra_proposal"] = None
@Variable
def kind(run, kind: "mymdc#run_type" = "unknown"): return kind
"#,
    )
    .evaluate();
    let failure = evaluated.failure("kind");
    assert_eq!(failure.class, "ModuleNotFoundError");
    assert!(
        failure.message.contains("the package extra_proposal"),
        "{failure:?}"
    );
}
