//! What other packages make (xarray, pandas, Matplotlib, Plotly) arrives in its own format.

mod support;

use runledger_context::value::{Data, Netcdf, NetcdfVariable, Summary, Values};
use runledger_context::worker::End;
use support::{Folder, array};

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
