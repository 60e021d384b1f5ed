//! Files of results, read and merged by the real h5py, xarray and DAMNIT.

mod support;

use runledger_context::value::*;
use runledger_storage::fragment::FragmentWriter;
use support::damnit::*;

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
