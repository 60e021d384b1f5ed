//! What the evaluation of one variable yields, as plain data.
//!
//! Everything here was computed by the users' Python and has crossed the worker's channel: it is data,
//! never code. `storage` writes it to HDF5 and makes the summaries that Python did not make itself.

use crate::bytes::Bytes;

/// The element type of an [`Array`], as NumPy describes it (`numpy.dtype.descr`), in the byte order
/// in which the bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dtype {
    /// NumPy's type string for a simple type: `<f8`, `>i4`, `|b1`, `<c16`, `|S5`, …
    Plain(String),
    /// A structured type: its fields in order, with each field's own shape (empty for a scalar).
    /// Fields are packed as NumPy's `descr` says; padding appears there as a field with an empty name.
    Structured(Vec<(String, Dtype, Vec<usize>)>),
}

/// An n-dimensional array of numbers, booleans, complex numbers, byte strings or structures, in C order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Array {
    /// The type of each element.
    pub dtype: Dtype,
    /// The length along each dimension; empty for a scalar.
    pub shape: Vec<usize>,
    /// The elements, `product(shape) × itemsize` bytes. Shared: one array can be both data and picture.
    pub bytes: Bytes,
}

/// An array of text, in C order; empty shape for a single text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts {
    /// The length along each dimension.
    pub shape: Vec<usize>,
    /// One text an element.
    pub texts: Vec<String>,
}

/// The values of an array or attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Values {
    /// Anything but text.
    Array(Array),
    /// Text.
    Texts(Texts),
}

/// A variable of a NetCDF group, as xarray's own encoder prepared it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetcdfVariable {
    /// Its name in the group.
    pub name: String,
    /// The names of its dimensions, in order.
    pub dims: Vec<String>,
    /// Its encoded values.
    pub values: Values,
    /// Its encoded attributes, in order (`_FillValue`, `units`, `calendar`, `coordinates`, …).
    pub attributes: Vec<(String, Values)>,
    /// Whether it is a data variable (compressed when it has a dimension) or a coordinate.
    pub is_data: bool,
}

/// An xarray object in the form of a NetCDF-4 group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Netcdf {
    /// `dataarray` or `dataset`: the value of `_damnit_objtype`.
    pub objtype: String,
    /// Dimension name → length, in order.
    pub dimensions: Vec<(String, usize)>,
    /// Coordinates and data variables.
    pub variables: Vec<NetcdfVariable>,
    /// The group's own attributes.
    pub attributes: Vec<(String, Values)>,
}

/// The full result of a variable, or its preview.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// A text.
    Text(String),
    /// Numbers.
    Array(Array),
    /// An array of texts (stored as variable-length strings).
    Texts(Texts),
    /// An xarray object.
    Netcdf(Netcdf),
    /// Bytes of another format with the word for `_damnit_objtype`: `series` and `dataframe` (Parquet),
    /// `PlotlyFigure` (JSON).
    Encoded {
        /// The value of `_damnit_objtype`.
        objtype: String,
        /// The bytes as they are.
        bytes: Bytes,
    },
    /// RGBA pixels of a figure, shape (rows, columns, 4), uint8; `_damnit_objtype` is `image`.
    Image(Array),
}

/// What the table is to show, or what to make it from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Summary {
    /// This text.
    Text(String),
    /// These numbers as they are (a scalar, or a small array).
    Array(Array),
    /// A PNG of any size.
    Png(Bytes),
    /// RGBA pixels of a figure, shape (rows, columns, 4), uint8.
    Figure(Array),
    /// A line to be drawn as a sparkline: y, and x where it is not 0, 1, 2, …; both one-dimensional,
    /// of equal length. x is float64 (times in seconds).
    Line {
        /// Positions, or None for 0, 1, 2, ….
        x: Option<Array>,
        /// Values.
        y: Array,
    },
    /// A two-dimensional array to be drawn as a thumbnail.
    Picture {
        /// Shape (rows, columns).
        pixels: Array,
        /// Whether row 0 is at the bottom (xarray's way of drawing) and not at the top (NumPy's).
        upwards: bool,
    },
}

/// A cell of the table with its full data: what a variable yields when it succeeds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cell {
    /// The full result; None for a cell that only has a summary.
    pub data: Option<Data>,
    /// What to show on a double click.
    pub preview: Option<Data>,
    /// What the table shows.
    pub summary: Option<Summary>,
    /// The NumPy function that was asked for, whether or not it made the summary.
    pub summary_method: Option<String>,
    /// The numeric array whose spread (largest minus smallest) goes into `max_diff`.
    pub spread_of: Option<Array>,
    /// Physical units.
    pub units: Option<String>,
    /// Whether the table shows it in bold.
    pub bold: Option<bool>,
    /// Background colour: red, green, blue.
    pub background: Option<[u8; 3]>,
}

/// Why a variable has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The exception's class name, without module.
    pub class: String,
    /// Its message; for a missing dependency the whole chain of causes.
    pub message: String,
}

/// What became of one variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It has a value.
    Cell(Box<Cell>),
    /// It failed or was skipped.
    Failed(Failure),
}
