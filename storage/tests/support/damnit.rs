//! Results of every kind, and h5py, xarray and DAMNIT, which read them.

use std::path::Path;
use std::process::Command;

use runledger_context::run::RunId;
use runledger_context::value::*;
use runledger_storage::fragment::{FragmentWriter, ready_fragments};
use runledger_storage::run_file;

pub(crate) fn py(dir: &Path, script: &str) -> String {
    let Some(python) = super::python() else {
        return String::new();
    };
    let o = Command::new(python)
        .args(["-c", script])
        .current_dir(dir)
        .env("AMORE_BROKER", "127.0.0.1:1")
        .output()
        .unwrap();
    assert!(
        o.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&o.stdout),
        String::from_utf8_lossy(&o.stderr)
    );
    String::from_utf8_lossy(&o.stdout).into_owned()
}
pub(crate) fn arr(dtype: &str, shape: &[usize], bytes: Vec<u8>) -> Array {
    Array {
        dtype: Dtype::Plain(dtype.into()),
        shape: shape.to_vec(),
        bytes: bytes.into(),
    }
}
pub(crate) fn f64s(shape: &[usize], v: &[f64]) -> Array {
    arr(
        "<f8",
        shape,
        v.iter().flat_map(|x| x.to_le_bytes()).collect(),
    )
}
pub(crate) fn i64s(shape: &[usize], v: &[i64]) -> Array {
    arr(
        "<i8",
        shape,
        v.iter().flat_map(|x| x.to_le_bytes()).collect(),
    )
}
pub(crate) fn cell(data: Data, summary: Summary) -> Outcome {
    Outcome::Cell(Box::new(Cell {
        data: Some(data),
        summary: Some(summary),
        ..Cell::default()
    }))
}
pub(crate) fn run() -> RunId {
    RunId::new(1, 2)
}
pub(crate) fn text(t: &str) -> Values {
    Values::Texts(Texts {
        shape: vec![],
        texts: vec![t.into()],
    })
}
pub(crate) fn netcdf() -> Netcdf {
    let v = |name: &str,
             dims: &[&str],
             values: Values,
             attributes: Vec<(String, Values)>,
             is_data: bool| NetcdfVariable {
        name: name.into(),
        dims: dims.iter().map(|d| (*d).into()).collect(),
        values,
        attributes,
        is_data,
    };
    let nan = Values::Array(f64s(&[], &[f64::NAN]));
    Netcdf {
        objtype: "dataarray".into(),
        dimensions: vec![("t".into(), 3), ("x".into(), 2), ("z".into(), 0)],
        variables: vec![
            v(
                "t",
                &["t"],
                Values::Array(i64s(&[3], &[0, 1, 2])),
                vec![
                    ("units".into(), text("days since 2024-01-01 00:00:00")),
                    ("calendar".into(), text("proleptic_gregorian")),
                ],
                false,
            ),
            v(
                "label",
                &["x"],
                Values::Texts(Texts {
                    shape: vec![2],
                    texts: vec!["a".into(), "bé".into()],
                }),
                vec![],
                false,
            ),
            v(
                "ok",
                &["t"],
                Values::Array(arr("|i1", &[3], vec![1, 0, 1])),
                vec![("dtype".into(), text("bool"))],
                false,
            ),
            v("s", &[], Values::Array(i64s(&[], &[3])), vec![], false),
            v(
                "empty",
                &["z"],
                Values::Array(f64s(&[0], &[])),
                vec![("_FillValue".into(), nan.clone())],
                false,
            ),
            v(
                "temp",
                &["t", "x"],
                Values::Array(f64s(&[3, 2], &[0., 1., 2., 3., 4., 5.])),
                vec![
                    ("_FillValue".into(), nan),
                    ("units".into(), text("K")),
                    ("n".into(), Values::Array(i64s(&[], &[5]))),
                    ("coordinates".into(), text("label ok s empty")),
                ],
                true,
            ),
        ],
        attributes: vec![],
    }
}
pub(crate) fn write(dir: &Path, token: &str, all: &[(&str, Outcome)]) {
    let mut w = FragmentWriter::create(dir, run(), token, "context.py").unwrap();
    for (n, o) in all {
        w.save(n, o).unwrap();
    }
    w.finish().unwrap();
}
pub(crate) fn merge(dir: &Path) {
    run_file::merge(dir, run(), &ready_fragments(dir, Some(run())).unwrap()).unwrap();
}
/// Python: `check(path, names)` compares with what `netcdf()` is.
pub(crate) const CHECK: &str = r#"
import xarray as xr, numpy as np, glob, h5py, sys
def check(path,names):
    want=xr.DataArray(np.arange(6.).reshape(3,2),dims=('t','x'),coords={'t':np.array(['2024-01-01','2024-01-02','2024-01-03'],'M8[ns]'),'label':('x',['a','bé']),'ok':('t',[True,False,True]),'s':3},name='temp',attrs={'units':'K','n':5})
    for n in names:
        got=xr.load_dataset(path,group=n,engine='h5netcdf')
        assert got['temp'].drop_vars([c for c in got['temp'].coords if c=='empty']).identical(want),(n,got['temp'],want)
    with h5py.File(path) as f:
        ids=[]
        def visit(name,o):
            if isinstance(o,h5py.Dataset) and o.is_scale: ids.append(int(o.attrs['_Netcdf4Dimid']))
        f.visititems(visit); f['.preview'].visititems(visit)
        for n in names:
            for d in f[n].values():
                for dim in d.dims:
                    if not d.is_scale: assert len(dim)==1
"#;
