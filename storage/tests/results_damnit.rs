//! Files of results, read and merged by the real h5py, xarray and DAMNIT.

mod support;

use std::path::Path;
use std::process::Command;

use runledger_context::run::RunId;
use runledger_context::value::*;
use runledger_storage::fragment::{self, FragmentWriter, ready_fragments, salvage, summaries};
use runledger_storage::{CellValue, run_file};

fn py(dir: &Path, script: &str) -> String {
    let Some(python) = support::python() else {
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
fn arr(dtype: &str, shape: &[usize], bytes: Vec<u8>) -> Array {
    Array {
        dtype: Dtype::Plain(dtype.into()),
        shape: shape.to_vec(),
        bytes: bytes.into(),
    }
}
fn f64s(shape: &[usize], v: &[f64]) -> Array {
    arr(
        "<f8",
        shape,
        v.iter().flat_map(|x| x.to_le_bytes()).collect(),
    )
}
fn i64s(shape: &[usize], v: &[i64]) -> Array {
    arr(
        "<i8",
        shape,
        v.iter().flat_map(|x| x.to_le_bytes()).collect(),
    )
}
fn cell(data: Data, summary: Summary) -> Outcome {
    Outcome::Cell(Box::new(Cell {
        data: Some(data),
        summary: Some(summary),
        ..Cell::default()
    }))
}
fn run() -> RunId {
    RunId::new(1, 2)
}
fn text(t: &str) -> Values {
    Values::Texts(Texts {
        shape: vec![],
        texts: vec![t.into()],
    })
}
fn netcdf() -> Netcdf {
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
fn write(dir: &Path, token: &str, all: &[(&str, Outcome)]) {
    let mut w = FragmentWriter::create(dir, run(), token, "context.py").unwrap();
    for (n, o) in all {
        w.save(n, o).unwrap();
    }
    w.finish().unwrap();
}
fn merge(dir: &Path) {
    run_file::merge(dir, run(), &ready_fragments(dir, Some(run())).unwrap()).unwrap();
}
/// Python: `check(path, names)` compares with what `netcdf()` is.
const CHECK: &str = r#"
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

#[test]
fn an_xarray_object_is_identical_after_every_merge() {
    let d = tempfile::tempdir().unwrap();
    for (token, name) in [("a", "one"), ("b", "two"), ("c", "one"), ("d", "three")] {
        write(
            d.path(),
            token,
            &[(
                name,
                cell(Data::Netcdf(netcdf()), Summary::Text("x".into())),
            )],
        );
        merge(d.path());
        merge(d.path());
    }
    py(
        d.path(),
        &format!("{CHECK}\ncheck('extracted_data/p1_r2.h5',['one','two','three'])"),
    );
}

#[test]
fn damnits_combiner_and_ours_go_on_where_the_other_stopped() {
    let d = tempfile::tempdir().unwrap();
    write(
        d.path(),
        "a",
        &[
            (
                "one",
                cell(Data::Netcdf(netcdf()), Summary::Text("x".into())),
            ),
            (
                "n",
                cell(
                    Data::Array(i64s(&[], &[1])),
                    Summary::Array(i64s(&[], &[1])),
                ),
            ),
        ],
    );
    // theirs: run file from their own fragment, then ours into it
    py(
        d.path(),
        &format!(
            r#"{CHECK}
import sys, os, damnit.ctxsupport as c
sys.path.insert(0,list(c.__path__)[0])
from pathlib import Path
from damnit.context import Cell
from damnit.ctxsupport.damnit_writing import save_fragment
from damnit.backend.combine import combine
da=xr.DataArray(np.arange(6.).reshape(3,2),dims=('t','x'),coords={{'x':[1,2]}},name='q')
p=save_fragment(Path('.').absolute(),1,2,{{'theirs':Cell(da,summary_value='s'),'k':Cell(3)}},{{}},provenance='p')
run=Path('extracted_data/p1_r2.h5')
combine(p,run)
[ours]=[q for q in Path('extracted_data').glob('*.ready.h5')]
combine(ours,run)
check(run,['one'])
assert xr.load_dataarray(run,group='theirs',engine='h5netcdf').identical(da)
p=save_fragment(Path('.').absolute(),1,2,{{'later':Cell(da,summary_value='s'),'k':Cell(4)}},{{'n':ValueError('no')}},provenance='p')
"#
        ),
    );
    merge(d.path());
    py(
        d.path(),
        &format!(
            r#"{CHECK}
run='extracted_data/p1_r2.h5'
check(run,['one'])
da=xr.DataArray(np.arange(6.).reshape(3,2),dims=('t','x'),coords={{'x':[1,2]}},name='q')
assert xr.load_dataarray(run,group='theirs',engine='h5netcdf').identical(da)
assert xr.load_dataarray(run,group='later',engine='h5netcdf').identical(da)
with h5py.File(run) as f:
    assert f['k/data'][()]==4 and 'n' not in f and 'n' not in f['.reduced'] and 'n' in f['.errors']
"#
        ),
    );
}

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
fn objects_of_other_programs_stay_with_their_scales_and_links() {
    let d = tempfile::tempdir().unwrap();
    std::fs::create_dir(d.path().join("extracted_data")).unwrap();
    py(
        d.path(),
        r#"
import h5py,numpy as np
with h5py.File('extracted_data/p1_r2.h5','w') as f:
    for name in ('.extra/deep','flat'):
        g=f.create_group(name); g['x']=np.arange(3.); g['x'].make_scale('x'); g['a']=np.zeros((2,3)); g['a'].dims[1].attach_scale(g['x'])
    f['dangling']=h5py.SoftLink('/nowhere')
"#,
    );
    write(
        d.path(),
        "a",
        &[(
            "one",
            cell(Data::Array(f64s(&[], &[1.])), Summary::Text("x".into())),
        )],
    );
    merge(d.path());
    py(
        d.path(),
        r#"
import h5py
with h5py.File('extracted_data/p1_r2.h5') as f:
    assert isinstance(f.get('dangling',getlink=True),h5py.SoftLink)
    for g in ('.extra/deep','flat'):
        assert [[s.name for s in dim.values()] for dim in f[g]['a'].dims]==[[],[f'/{g}/x']]
"#,
    );
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
fn a_coordinate_of_two_dimensions_is_read_back() {
    let d = tempfile::tempdir().unwrap();
    let v = |name: &str, dims: &[&str], n: f64, is_data| NetcdfVariable {
        name: name.into(),
        dims: dims.iter().map(|d| (*d).into()).collect(),
        values: Values::Array(f64s(&[2, 2], &[n; 4])),
        attributes: vec![],
        is_data,
    };
    for first in [true, false] {
        let dims = if first { ["x", "y"] } else { ["y", "x"] };
        let nc = Netcdf {
            objtype: "dataset".into(),
            dimensions: vec![("x".into(), 2), ("y".into(), 2)],
            variables: vec![v("x", &dims, 1.0, false), v("a", &["x", "y"], 0.0, true)],
            attributes: vec![("coordinates".into(), text("x"))],
        };
        write(
            d.path(),
            &format!("k{first}"),
            &[(
                if first { "one" } else { "two" },
                cell(Data::Netcdf(nc), Summary::Text("s".into())),
            )],
        );
    }
    merge(d.path());
    merge(d.path());
    py(
        d.path(),
        r#"
import xarray as xr, numpy as np
for n,dims in (('one',('x','y')),('two',('y','x'))):
    want=xr.Dataset({'a':(('x','y'),np.zeros((2,2)))},coords={'x':(dims,np.ones((2,2)))})
    got=xr.load_dataset('extracted_data/p1_r2.h5',group=n,engine='h5netcdf'); got.attrs={}
    assert got.identical(want),n
"#,
    );
}

#[test]
fn thumbnails_and_spreads_are_damnits() {
    let d = tempfile::tempdir().unwrap();
    py(
        d.path(),
        r#"
import numpy as np
r=np.random.default_rng(1)
for n,a in dict(sq=r.normal(size=(512,512)),wide=r.normal(size=(7,1000)),small=np.arange(12.).reshape(3,4),tall=r.normal(size=(450,33))).items():
    a.astype('<f8').tofile(n+'.bin'); np.save(n+'.npy',a)
"#,
    );
    let mut w = FragmentWriter::create(d.path(), run(), "a", "context.py").unwrap();
    for (n, s) in [
        ("sq", [512, 512]),
        ("wide", [7, 1000]),
        ("small", [3, 4]),
        ("tall", [450, 33]),
    ] {
        let a = arr(
            "<f8",
            &s,
            std::fs::read(d.path().join(format!("{n}.bin"))).unwrap(),
        );
        for up in [false, true] {
            let c = Cell {
                spread_of: Some(a.clone()),
                summary: Some(Summary::Picture {
                    pixels: a.clone(),
                    upwards: up,
                }),
                ..Cell::default()
            };
            w.save(&format!("{n}{up}"), &Outcome::Cell(Box::new(c)))
                .unwrap();
        }
    }
    let z = arr(
        "<c16",
        &[2],
        [1f64, 0., 2., 5.]
            .iter()
            .flat_map(|x| x.to_le_bytes())
            .collect(),
    );
    w.save(
        "complex",
        &Outcome::Cell(Box::new(Cell {
            spread_of: Some(z),
            summary: Some(Summary::Text("c".into())),
            ..Cell::default()
        })),
    )
    .unwrap();
    w.finish().unwrap();
    py(
        d.path(),
        r#"
import numpy as np,h5py,io,glob,sys
from PIL import Image
import xarray as xr, damnit.ctxsupport as c
sys.path.insert(0,list(c.__path__)[0])
from damnit_writing import generate_thumbnail
from damnit_ctx import Cell
f=h5py.File(glob.glob('extracted_data/*.ready.h5')[0])
for n in 'sq wide small tall'.split():
    a=np.load(n+'.npy')
    for up in (False,True):
        t=np.asarray(Image.open(io.BytesIO(generate_thumbnail(xr.DataArray(a) if up else a).data))).astype(int)
        o=np.asarray(Image.open(io.BytesIO(f['.reduced/'+n+('true' if up else 'false')][()].tobytes()))).astype(int)
        assert t.shape==o.shape and np.mean(np.abs(t-o).max(-1)<=8)>0.99,(n,up)
assert np.isclose(Cell(np.array([1,2+5j]))._max_diff(),f['.reduced/complex'].attrs['max_diff'])
"#,
    );
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

#[test]
fn small_arrays_keep_their_type_and_byte_order_in_the_table() {
    if support::python().is_none() {
        return;
    }
    let d = tempfile::tempdir().unwrap();
    py(
        d.path(),
        r#"
import numpy as np, pathlib, sys, damnit.ctxsupport as c
sys.path.insert(0,list(c.__path__)[0])
from damnit_ctx import Cell
from damnit_writing import save_fragment
kinds='<f2 >f2 <f4 >f4 <f8 >f8 <c8 >c8 <c16 >c16 <i2 >i2 >i8 |i1 |b1 |u1 >u4 <u8 <f16 <c32'.split()
made={f'v{n}_{np.prod(s)}':np.arange(np.prod(s)).reshape(s).astype(k) for n,k in enumerate(kinds) for s in ((3,),(2,2),(0,4))}
made['zeros']=np.zeros((3,1,2),'>f2')
for n,a in made.items(): np.save(n+'.npy',a)
save_fragment(pathlib.Path('.'),1,2,{n:Cell(0,summary_value=a) for n,a in made.items()},{})
"#,
    );
    let fragment = fragment::ready_fragments(d.path(), None).unwrap();
    for (name, row) in summaries(&fragment[0].path).unwrap().rows {
        let CellValue::Blob(bytes) = row.value else {
            panic!("{name}: {row:?}");
        };
        // x above y is a line.
        let kind = match name.ends_with("_4") {
            true => "trendline",
            false => "numpy",
        };
        assert_eq!(row.summary_type.as_deref(), Some(kind), "{name}");
        std::fs::write(d.path().join(format!("{name}.found.npy")), bytes).unwrap();
    }
    py(
        d.path(),
        r#"
import numpy as np, glob
wanted=[n for n in glob.glob('*.npy') if 'found' not in n]
assert len(wanted)==61
for n in wanted:
    a,b=np.load(n),np.load(n.replace('.npy','.found.npy'))
    assert a.dtype.str==b.dtype.str and a.shape==b.shape and np.array_equal(a,b),n
"#,
    );
}

#[test]
fn large_variables_are_compressed_chunk_by_chunk() {
    if support::python().is_none() {
        return;
    }
    let d = tempfile::tempdir().unwrap();
    py(
        d.path(),
        r#"
import numpy as np
r=np.random.default_rng(1)
r.integers(0,256,3<<20).astype('u1').tofile('noise')
(np.arange(1500*1001)%777).astype('>f4').tofile('edges')
r.normal(size=(2,70_001,2)).tofile('complex')
r.choice([b'a',b'bcd'],800_000).tofile('bytes')
r.choice([False,True],(3,999_999)).tofile('truth')
"#,
    );
    let read = |name: &str| std::fs::read(d.path().join(name)).unwrap();
    let variables = [
        ("noise", "|u1", vec![3 << 20]),
        ("edges", ">f4", vec![1500, 1001]),
        ("complex", "<c16", vec![2, 70_001]),
        ("bytes", "|S3", vec![800_000]),
        ("truth", "|b1", vec![3, 999_999]),
    ];
    let mut dimensions = Vec::new();
    let variables = variables.map(|(name, dtype, shape)| {
        let dims: Vec<String> = (0..shape.len()).map(|n| format!("{name}{n}")).collect();
        dimensions.extend(dims.iter().cloned().zip(shape.iter().copied()));
        NetcdfVariable {
            name: name.into(),
            dims,
            values: Values::Array(arr(dtype, &shape, read(name))),
            attributes: vec![],
            is_data: true,
        }
    });
    let object = Netcdf {
        objtype: "dataset".into(),
        dimensions,
        variables: variables.into(),
        attributes: vec![],
    };
    let cell = Cell {
        data: Some(Data::Netcdf(object)),
        ..Cell::default()
    };
    let mut w = FragmentWriter::create(d.path(), run(), "a", "context.py").unwrap();
    w.save("v", &Outcome::Cell(Box::new(cell))).unwrap();
    w.finish().unwrap();
    py(
        d.path(),
        r#"
import numpy as np, glob, h5py
f=h5py.File(glob.glob('extracted_data/*.ready.h5')[0])['v']
for n in 'noise edges complex bytes truth'.split():
    a=f[n][()]
    assert a.tobytes()==open(n,'rb').read(),n
    assert f[n].compression=='gzip' and f[n].shuffle and f[n].id.get_num_chunks()>1,n
# What does not get smaller is stored as it is.
assert f['noise'].id.get_storage_size()==3<<20
assert f['truth'].id.get_storage_size()<1<<20
assert f['edges'].chunks==(261,1001)
"#,
    );
}
