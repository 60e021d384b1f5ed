//! Follows the numbers of buffers in a message, and checks that sizes are what they say.

use serde_json::Value;

use super::message::{
    WireArray, WireCell, WireData, WireNetcdf, WireSummary, WireTexts, WireValues, WireVariable,
};
use crate::bytes::Bytes;
use crate::value::{Array, Cell, Data, Dtype, Netcdf, NetcdfVariable, Summary, Texts, Values};

/// What is wrong with a message, in words.
type Decoded<T> = Result<T, String>;

/// The buffers of one frame.
pub(super) struct Buffers(pub(super) Vec<Bytes>);

impl Buffers {
    pub(super) fn cell(&self, wire: WireCell) -> Decoded<Cell> {
        Ok(Cell {
            data: wire.data.map(|data| self.data(data)).transpose()?,
            preview: wire.preview.map(|data| self.data(data)).transpose()?,
            summary: wire
                .summary
                .map(|summary| self.summary(summary))
                .transpose()?,
            summary_method: wire.summary_method,
            spread_of: wire.spread_of.map(|array| self.array(array)).transpose()?,
            units: wire.units,
            bold: wire.bold,
            background: wire.background,
        })
    }

    fn data(&self, wire: WireData) -> Decoded<Data> {
        Ok(match wire {
            WireData::Text { buffer } => Data::Text(self.text(buffer)?),
            WireData::Array(array) => Data::Array(self.array(array)?),
            WireData::Texts(texts) => Data::Texts(self.texts(texts)?),
            WireData::Netcdf(group) => Data::Netcdf(self.netcdf(group)?),
            WireData::Encoded { objtype, buffer } => Data::Encoded {
                objtype,
                bytes: self.bytes(buffer)?,
            },
            WireData::Image { array } => Data::Image(self.image(array)?),
        })
    }

    fn summary(&self, wire: WireSummary) -> Decoded<Summary> {
        Ok(match wire {
            WireSummary::Text { buffer } => Summary::Text(self.text(buffer)?),
            WireSummary::Array(array) => Summary::Array(self.array(array)?),
            WireSummary::Png { buffer } => Summary::Png(self.bytes(buffer)?),
            WireSummary::Image { array } => Summary::Figure(self.image(array)?),
            WireSummary::Line { x, y } => self.line(x, y)?,
            WireSummary::Picture { pixels, upwards } => Summary::Picture {
                pixels: with_dimensions(self.array(pixels)?, 2)?,
                upwards,
            },
        })
    }

    fn line(&self, x: Option<WireArray>, y: WireArray) -> Decoded<Summary> {
        let y = with_dimensions(self.array(y)?, 1)?;
        let x = x.map(|x| self.array(x)).transpose()?;
        match x {
            Some(x) if x.shape != y.shape => Err("x and y of a line differ in length".into()),
            x => Ok(Summary::Line { x, y }),
        }
    }

    fn netcdf(&self, wire: WireNetcdf) -> Decoded<Netcdf> {
        let variables = wire
            .variables
            .into_iter()
            .map(|variable| self.variable(variable));
        Ok(Netcdf {
            objtype: wire.objtype,
            dimensions: wire.dimensions,
            variables: variables.collect::<Decoded<_>>()?,
            attributes: self.attributes(wire.attributes)?,
        })
    }

    fn variable(&self, wire: WireVariable) -> Decoded<NetcdfVariable> {
        let values = self.values(wire.values)?;
        if wire.dims.len() != values.shape().len() {
            return Err(format!(
                "{} has another number of dimensions than values",
                wire.name
            ));
        }
        Ok(NetcdfVariable {
            name: wire.name,
            dims: wire.dims,
            values,
            attributes: self.attributes(wire.attributes)?,
            is_data: wire.is_data,
        })
    }

    fn attributes(&self, wire: Vec<(String, WireValues)>) -> Decoded<Vec<(String, Values)>> {
        let decode = |(name, values)| Ok((name, self.values(values)?));
        wire.into_iter().map(decode).collect()
    }

    fn values(&self, wire: WireValues) -> Decoded<Values> {
        Ok(match wire {
            WireValues::Array(array) => Values::Array(self.array(array)?),
            WireValues::Texts(texts) => Values::Texts(self.texts(texts)?),
        })
    }

    fn image(&self, wire: WireArray) -> Decoded<Array> {
        let pixels = self.array(wire)?;
        match (&pixels.dtype, pixels.shape.as_slice()) {
            (Dtype::Plain(kind), [_, _, 4]) if kind == "|u1" => Ok(pixels),
            _ => Err("the pixels of a figure are not RGBA".into()),
        }
    }

    fn array(&self, wire: WireArray) -> Decoded<Array> {
        let dtype = dtype(&wire.dtype)?;
        let bytes = self.bytes(wire.buffer)?;
        let expected = itemsize(&dtype)?.checked_mul(elements(&wire.shape)?);
        if expected != Some(bytes.len()) {
            let (shape, found) = (wire.shape, bytes.len());
            return Err(format!(
                "{found} bytes for an array of {dtype:?} and shape {shape:?}"
            ));
        }
        Ok(Array {
            dtype,
            shape: wire.shape,
            bytes,
        })
    }

    fn texts(&self, wire: WireTexts) -> Decoded<Texts> {
        let content = self.bytes(wire.buffer)?;
        let content = content.whole().map_err(|why| why.to_string())?;
        let texts: Vec<String> = serde_json::from_slice(&content).map_err(|why| why.to_string())?;
        if texts.len() != elements(&wire.shape)? {
            return Err(format!(
                "{} texts for the shape {:?}",
                texts.len(),
                wire.shape
            ));
        }
        Ok(Texts {
            shape: wire.shape,
            texts,
        })
    }

    fn text(&self, buffer: usize) -> Decoded<String> {
        let bytes = self.bytes(buffer)?;
        let bytes = bytes.whole().map_err(|why| why.to_string())?;
        String::from_utf8(bytes.into_owned()).map_err(|why| why.to_string())
    }

    fn bytes(&self, buffer: usize) -> Decoded<Bytes> {
        let found = self.0.get(buffer).cloned();
        found.ok_or_else(|| format!("there is no buffer {buffer}"))
    }
}

fn with_dimensions(array: Array, count: usize) -> Decoded<Array> {
    if array.shape.len() == count {
        return Ok(array);
    }
    Err(format!(
        "{:?} where {count} dimensions were expected",
        array.shape
    ))
}

fn elements(shape: &[usize]) -> Decoded<usize> {
    let product = shape
        .iter()
        .try_fold(1_usize, |product, length| product.checked_mul(*length));
    product.ok_or_else(|| format!("the shape {shape:?} is too large"))
}

/// A type from its JSON: a string, or a list of `[name, type, shape]`.
fn dtype(wire: &Value) -> Decoded<Dtype> {
    let unknown = || format!("the type {wire}");
    match wire {
        Value::String(kind) => Ok(Dtype::Plain(kind.clone())),
        Value::Array(fields) => {
            let fields: Option<Vec<_>> = fields.iter().map(field).collect();
            fields.map(Dtype::Structured).ok_or_else(unknown)
        }
        _ => Err(unknown()),
    }
}

fn field(wire: &Value) -> Option<(String, Dtype, Vec<usize>)> {
    let [name, kind, shape] = wire.as_array()?.as_slice() else {
        return None;
    };
    let shape = serde_json::from_value(shape.clone()).ok()?;
    Some((name.as_str()?.into(), dtype(kind).ok()?, shape))
}

/// The bytes of one element.
fn itemsize(dtype: &Dtype) -> Decoded<usize> {
    match dtype {
        Dtype::Plain(kind) => plain_itemsize(kind).ok_or_else(|| format!("the type {kind:?}")),
        Dtype::Structured(fields) => {
            let size = |(_, dtype, shape): &(String, Dtype, Vec<usize>)| {
                let size = itemsize(dtype)?.checked_mul(elements(shape)?);
                size.ok_or_else(|| format!("the type {dtype:?} is too large"))
            };
            fields.iter().try_fold(0_usize, |sum, field| {
                let sum = sum.checked_add(size(field)?);
                sum.ok_or_else(|| format!("the type {dtype:?} is too large"))
            })
        }
    }
}

/// NumPy's type strings: byte order, kind, bytes (<https://numpy.org/doc/stable/reference/arrays.interface.html>).
fn plain_itemsize(kind: &str) -> Option<usize> {
    let rest = kind.strip_prefix(['<', '>', '|', '='])?;
    rest.strip_prefix(['b', 'i', 'u', 'f', 'c', 'S', 'V'])?
        .parse()
        .ok()
}

impl Values {
    /// The length along each dimension.
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::Array(array) => &array.shape,
            Self::Texts(texts) => &texts.shape,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn decode(cell: Value, buffers: &[&[u8]]) -> Decoded<Cell> {
        let owned = buffers.iter().map(|buffer| buffer.to_vec().into());
        let wire: WireCell = serde_json::from_value(cell).unwrap();
        Buffers(owned.collect()).cell(wire)
    }

    #[test]
    fn one_buffer_can_be_data_and_summary() {
        let array = json!({"kind": "array", "dtype": "<i2", "shape": [2], "buffer": 0});
        let line = json!({"kind": "line", "x": null, "y": array});
        let cell = decode(json!({"data": array, "summary": line}), &[b"abcd"]).unwrap();
        let (Some(Data::Array(data)), Some(Summary::Line { y, .. })) = (cell.data, cell.summary)
        else {
            panic!("an array and its line");
        };
        assert_eq!(data.bytes, y.bytes);
    }

    #[test]
    fn a_structured_type_keeps_its_fields() {
        let dtype = json!([["a", "<i4", []], ["b", [["x", "|u1", []]], [2, 2]]]);
        let array = json!({"kind": "array", "dtype": dtype, "shape": [1], "buffer": 0});
        let cell = decode(json!({ "data": array }), &[b"abcdefgh"]).unwrap();
        let Some(Data::Array(Array {
            dtype: Dtype::Structured(fields),
            ..
        })) = cell.data
        else {
            panic!("a structured array");
        };
        assert_eq!(fields[0], ("a".into(), Dtype::Plain("<i4".into()), vec![]));
        assert_eq!(fields[1].2, [2, 2]);
    }

    #[test]
    fn sizes_that_contradict_each_other_are_refused() {
        let array = |dtype: &str, shape: Value| json!({"kind": "array", "dtype": dtype, "shape": shape, "buffer": 0});
        let cases = [
            array("<i2", json!([3])),
            array("<i2", json!([u64::MAX, u64::MAX])),
            array("<O8", json!([])),
            array("é", json!([])),
            json!({"kind": "array", "dtype": "<i2", "shape": [2], "buffer": 1}),
            json!({"kind": "array", "dtype": [["a", "|u1", [1_u64 << 63]], ["b", "|u1", [1_u64 << 63]], ["c", "|u1", [4]]],
                "shape": [], "buffer": 0}),
            json!({"kind": "texts", "shape": [2], "buffer": 0}),
            json!({"kind": "image", "array": array("|u1", json!([4]))}),
        ];
        for data in cases {
            assert!(
                decode(json!({ "data": data }), &[b"abcd"]).is_err(),
                "{data}"
            );
        }
    }
}
