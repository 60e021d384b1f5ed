//! Labelled arrays of format 0: their labels lie beside them, and nothing says what belongs to what.

use hdf5_metno::{Dataset, File, Group};
use runledger_context::value::{Array, Dtype, Netcdf, NetcdfVariable, Values};

use super::dimensions::dimensions;
use crate::hdf5::{self, OBJTYPE, Outcome, has_scales, own_dataset, words};

/// What xarray calls an array without a name.
const NAMELESS: &str = "__xarray_dataarray_variable__";
/// The array's own dataset.
const DATA: &str = "data";

/// Whether a group is such an array: a dataset `data`, others beside it, and no sign of a later format.
pub(super) fn is_loose(group: &Group) -> Outcome<bool> {
    let names = group.member_names().map_err(words)?;
    let has_data = names.len() > 1 && names.iter().any(|name| name == DATA);
    Ok(has_data && group.attr(OBJTYPE).is_err() && !has_scales(group)?)
}

/// The names of the dimensions of such an array, the group `variable` of a file.
///
/// # Errors
/// Why it has to stay as it is.
pub(super) fn dimensions_of(file: &File, variable: &str) -> Outcome<Vec<String>> {
    let data = own_dataset(file, variable, DATA)?;
    storable(&data)?;
    let mut lines = Vec::new();
    for (name, coordinate) in coordinates(file, variable)? {
        storable(&coordinate)?;
        if name.contains(char::is_whitespace) {
            return Err(format!("its coordinate {name:?} has a blank in its name"));
        }
        match coordinate.shape().as_slice() {
            [] => {}
            [length] => lines.push((name, *length)),
            _ => {
                return Err(format!("its coordinate {name} has more than one dimension"));
            }
        }
    }
    dimensions(&data.shape(), &lines)
}

/// Everything beside the array. What is a link, or has its data in another file, is not followed: the new file is
/// everybody's to read.
fn coordinates(file: &File, variable: &str) -> Outcome<Vec<(String, Dataset)>> {
    let names = file
        .group(variable)
        .and_then(|group| group.member_names())
        .map_err(words)?;
    let others = names.into_iter().filter(|name| name != DATA);
    others
        .map(|name| own_dataset(file, variable, &name).map(|dataset| (name, dataset)))
        .collect()
}

/// NetCDF-4 has whole numbers, floating-point numbers of two sizes, and texts.
fn storable(dataset: &Dataset) -> Outcome {
    use hdf5_metno::types::{FloatSize, TypeDescriptor as T};
    match hdf5::kind(dataset) {
        Ok(T::Integer(_) | T::Unsigned(_) | T::Boolean | T::VarLenUnicode | T::VarLenAscii) => {
            Ok(())
        }
        Ok(T::Float(FloatSize::U4 | FloatSize::U8)) => Ok(()),
        Ok(other) => Err(format!("it has values of the type {other}")),
        Err(why) => Err(why),
    }
}

/// The whole of it as xarray would store it.
///
/// # Errors
/// As for [`dimensions_of`], and that it cannot be read.
pub(super) fn object(file: &File, variable: &str) -> Outcome<Netcdf> {
    let dims = dimensions_of(file, variable)?;
    let data = own_dataset(file, variable, DATA)?;
    let mut variables = Vec::new();
    let mut scalars = Vec::new();
    for (name, coordinate) in coordinates(file, variable)? {
        let own = match coordinate.is_scalar() {
            true => Vec::new(),
            false => vec![name.clone()],
        };
        if coordinate.is_scalar() {
            scalars.push(name.clone());
        }
        variables.push(encoded(name, own, &coordinate)?);
    }
    let mut main = encoded(NAMELESS.into(), dims.clone(), &data)?;
    main.is_data = true;
    if !scalars.is_empty() {
        main.attributes
            .push(("coordinates".into(), text(&scalars.join(" "))));
    }
    variables.push(main);
    Ok(Netcdf {
        objtype: "dataarray".into(),
        dimensions: dims.into_iter().zip(data.shape()).collect(),
        variables,
        attributes: Vec::new(),
    })
}

fn encoded(name: String, dims: Vec<String>, dataset: &Dataset) -> Outcome<NetcdfVariable> {
    let mut values = hdf5::values(dataset)?;
    let mut attributes = Vec::new();
    if let Values::Array(array) = &mut values {
        attributes.extend(encode(array));
    }
    Ok(NetcdfVariable {
        name,
        dims,
        values,
        attributes,
        is_data: false,
    })
}

/// What xarray notes down of numbers: what stands for a missing one; which whole numbers are yes and no.
fn encode(array: &mut Array) -> Option<(String, Values)> {
    let Dtype::Plain(word) = &array.dtype else {
        return None;
    };
    let nan = match word.as_str() {
        "|b1" => {
            array.dtype = Dtype::Plain("|i1".into());
            return Some(("dtype".into(), text("bool")));
        }
        "<f4" => f32::NAN.to_le_bytes().to_vec(),
        ">f4" => f32::NAN.to_be_bytes().to_vec(),
        "<f8" => f64::NAN.to_le_bytes().to_vec(),
        ">f8" => f64::NAN.to_be_bytes().to_vec(),
        _ => return None,
    };
    let nan = Array {
        dtype: array.dtype.clone(),
        shape: vec![1],
        bytes: nan.into(),
    };
    Some(("_FillValue".into(), Values::Array(nan)))
}

fn text(text: &str) -> Values {
    Values::Texts(runledger_context::value::Texts {
        shape: Vec::new(),
        texts: vec![text.into()],
    })
}
