//! Reading whole datasets of older files, as what they are written again as.

use hdf5_metno::Dataset;
use hdf5_metno::types::{TypeDescriptor, VarLenAscii, VarLenUnicode};
use runledger_context::value::{Array, Dtype, Texts, Values};

use super::npy::elements;
use super::scalars::kind;
use super::{Outcome, words};

/// The numbers or texts of a dataset.
///
/// # Errors
/// It has neither, or cannot be read.
pub(crate) fn values(dataset: &Dataset) -> Outcome<Values> {
    let kind = kind(dataset);
    let texts = match kind {
        Ok(TypeDescriptor::VarLenUnicode) => {
            let texts = dataset.read_raw::<VarLenUnicode>().map_err(words)?;
            texts.iter().map(|text| decoded(text.as_bytes())).collect()
        }
        Ok(TypeDescriptor::VarLenAscii) => {
            let texts = dataset.read_raw::<VarLenAscii>().map_err(words)?;
            texts.iter().map(|text| decoded(text.as_bytes())).collect()
        }
        _ => return array(dataset).map(Values::Array),
    };
    Ok(Values::Texts(Texts {
        shape: dataset.shape(),
        texts,
    }))
}

/// Python writes what it could not decode as bytes that are no UTF-8.
fn decoded(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The numbers of a dataset.
///
/// # Errors
/// It has none, or cannot be read.
pub(crate) fn array(dataset: &Dataset) -> Outcome<Array> {
    let (descr, bytes) = elements(dataset, usize::MAX)?;
    Ok(Array {
        dtype: Dtype::Plain(descr.into()),
        shape: dataset.shape(),
        bytes: bytes.into(),
    })
}
