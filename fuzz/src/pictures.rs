//! Pictures and arrays that are drawn for the table.

use runledger_context::value::{Array, Dtype, Summary};
use runledger_storage::pictures::draw;

const KINDS: [&str; 12] = [
    "<f8", ">f4", "<f2", "|u1", "|i1", "|b1", "<c8", "<i8", ">u2", "<f16", "|S3", "<u8",
];

/// A PNG; and the same bytes as an array of any type and shape, which two of them choose.
pub(crate) fn png(bytes: &[u8]) {
    draw(&Summary::Png(bytes.to_vec().into()));
    let [kind, columns, rest @ ..] = bytes else {
        return;
    };
    let kind = KINDS[usize::from(*kind) % KINDS.len()];
    let size: usize = kind[2..].parse().expect("a size");
    let elements = rest.len() / size;
    let array = |shape: Vec<usize>| Array {
        dtype: Dtype::Plain(kind.into()),
        bytes: rest[..shape.iter().product::<usize>() * size]
            .to_vec()
            .into(),
        shape,
    };
    let columns = usize::from(*columns);
    let rows = elements.checked_div(columns).unwrap_or(3);
    let y = array(vec![elements]);
    draw(&Summary::Line {
        x: None,
        y: y.clone(),
    });
    draw(&Summary::Line {
        x: Some(y.clone()),
        y,
    });
    for upwards in [false, true] {
        let pixels = array(vec![rows, columns]);
        draw(&Summary::Picture { pixels, upwards });
    }
}
