//! Small arrays in the table, and large ones in the run's file.

mod support;

use runledger_context::value::*;
use runledger_storage::CellValue;
use runledger_storage::fragment::{self, FragmentWriter, summaries};
use support::damnit::*;

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
