//! What functions return arrives as it is: arrays, texts, cells, lines and pictures.

mod support;

use runledger_context::value::{Array, Data, Dtype, Summary, Texts};
use support::{Folder, array};

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
