//! Fragments that a hostile author builds with HDF5 itself: sound files of odd content. The bytes say what is made.

use arbitrary::{Arbitrary, Unstructured};
use hdf5_metno::types::{CompoundField, CompoundType, EnumMember, EnumType, FloatSize, IntSize};
use hdf5_metno::types::{TypeDescriptor, VarLenUnicode};
use hdf5_metno::{Dataspace, Extents, File, Group, Location, Result, SimpleExtents};

use crate::fragments::{folder, read};

/// More is not needed for any oddity.
const STEPS: usize = 40;
/// Elements of an attribute.
const LARGEST_ATTRIBUTE: usize = 100_000;

const GROUPS: [&str; 8] = [
    "/",
    ".reduced",
    ".errors",
    ".preview",
    "x",
    "y",
    "x/deeper",
    ".reduced/deeper",
];
const NAMES: [&str; 8] = [
    "x",
    "y",
    "data",
    "start_time",
    ".reduced",
    "z\n",
    "größe",
    "deeper",
];
const ATTRIBUTES: [&str; 12] = [
    "max_diff",
    "summary_method",
    "summary_type",
    "type",
    "provenance",
    "units",
    "_Netcdf4Dimid",
    "_Netcdf4Coordinates",
    "DIMENSION_LIST",
    "REFERENCE_LIST",
    "CLASS",
    "_damnit_objtype",
];

const FILES: [&str; 3] = ["p1234_r7.a.ready.h5", "/dev/zero", "p1234_r7.h5"];

#[derive(Debug, Arbitrary)]
enum Step {
    Group {
        at: u8,
        name: u8,
    },
    Dataset {
        at: u8,
        name: u8,
        made: Made,
    },
    Text {
        at: u8,
        name: u8,
        text: String,
    },
    Attribute {
        at: u8,
        on: Option<u8>,
        name: u8,
        made: Made,
    },
    HardLink {
        from: u8,
        to: u8,
        name: u8,
    },
    SoftLink {
        at: u8,
        name: u8,
        to: u8,
    },
    ExternalLink {
        at: u8,
        name: u8,
        to: u8,
    },
    LongName {
        at: u8,
        length: u16,
    },
    Nest {
        at: u8,
        depth: u16,
    },
}

/// What a dataset or an attribute is; the latter has no chunks.
#[derive(Debug, Arbitrary)]
struct Made {
    kind: Kind,
    shape: Shape,
    chunk: Option<u16>,
    deflate: bool,
    fill: bool,
}

#[derive(Debug, Arbitrary)]
enum Kind {
    Float(bool),
    Integer(u8),
    Unsigned(u8),
    Boolean,
    Enumeration(u64),
    Fixed(u16),
    Text,
    Ascii,
    Complex(bool),
    Lists(u8),
    Compounds(u8),
}

#[derive(Debug, Arbitrary)]
enum Shape {
    Nothing,
    Scalar,
    Short(u8),
    Square(u8, u8),
    /// A power of two for each dimension.
    Huge(u8, u8),
}

/// A fragment that is built, then read as the combiner reads it.
pub(crate) fn built(bytes: &[u8]) {
    let folder = folder();
    let place = folder.path().join("extracted_data/p1234_r7.a.ready.h5");
    let mut source = Unstructured::new(bytes);
    {
        let file = File::create(&place).expect("a file");
        for group in &GROUPS[1..6] {
            file.create_group(group).expect("a group");
        }
        for _ in 0..STEPS {
            let Ok(step) = Step::arbitrary(&mut source) else {
                break;
            };
            // What HDF5 does not make cannot be in a file.
            let _ = step.take(&file);
        }
    }
    let _ = read(folder.path(), &place);
}

impl Step {
    fn take(&self, file: &File) -> Result<()> {
        match self {
            Self::Group { at, name } => group(file, *at)?
                .create_group(pick(&NAMES, *name))
                .map(drop),
            Self::Dataset { at, name, made } => {
                made.make(&group(file, *at)?, pick(&NAMES, *name)).map(drop)
            }
            Self::Text { at, name, text } => {
                let text: VarLenUnicode = text.parse().unwrap_or_default();
                let made = group(file, *at)?.new_dataset::<VarLenUnicode>();
                made.create(pick(&NAMES, *name))?.write_scalar(&text)
            }
            Self::Attribute { at, on, name, made } => {
                let (at, name) = (group(file, *at)?, pick(&ATTRIBUTES, *name));
                match on {
                    Some(on) => made.describe(&*at.dataset(pick(&NAMES, *on))?, name),
                    None => made.describe(&at, name),
                }
            }
            Self::HardLink { from, to, name } => {
                let target = format!("{}/{}", pick(&GROUPS, *to), pick(&NAMES, *name));
                file.link_hard(pick(&GROUPS, *from), &target)
            }
            Self::SoftLink { at, name, to } => {
                group(file, *at)?.link_soft(pick(&GROUPS, *to), pick(&NAMES, *name))
            }
            Self::ExternalLink { at, name, to } => {
                group(file, *at)?.link_external(pick(&FILES, *to), "/", pick(&NAMES, *name))
            }
            Self::LongName { at, length } => {
                let name = "n".repeat(usize::from(*length).max(1));
                group(file, *at)?.create_group(&name).map(drop)
            }
            Self::Nest { at, depth } => {
                let mut inner = group(file, *at)?;
                for _ in 0..depth % 1000 {
                    inner = inner.create_group("in")?;
                }
                Ok(())
            }
        }
    }
}

impl Made {
    fn make(&self, at: &Group, name: &str) -> Result<()> {
        let shape = self.shape.extents()?;
        let lengths: Vec<usize> = shape.dims();
        let mut made = at.new_dataset_builder();
        if let (Some(chunk), false) = (self.chunk, lengths.is_empty()) {
            let part = |length: &usize| (*length).clamp(1, usize::from(chunk).max(1));
            made = made.chunk(lengths.iter().map(part).collect::<Vec<_>>());
            made = if self.deflate { made.deflate(9) } else { made };
        }
        let kind = self.kind.descriptor();
        let dataset = made.empty_as(&kind).shape(shape).create(name)?;
        match lengths.iter().product::<usize>() {
            few @ ..10_000 if self.fill => dataset.write_raw(&vec![7_i32; few]),
            _ => Ok(()),
        }
    }

    fn describe(&self, of: &Location, name: &str) -> Result<()> {
        // HDF5 writes all of an attribute at once.
        if self.shape.extents()?.size() > LARGEST_ATTRIBUTE {
            return Ok(());
        }
        let kind = self.kind.descriptor();
        let made = of.new_attr_builder().empty_as(&kind);
        made.shape(self.shape.extents()?).create(name).map(drop)
    }
}

impl Kind {
    fn descriptor(&self) -> TypeDescriptor {
        use TypeDescriptor as T;
        let size = |number: u8| {
            [IntSize::U1, IntSize::U2, IntSize::U4, IntSize::U8][usize::from(number) % 4]
        };
        let float = |is_double| {
            T::Float(if is_double {
                FloatSize::U8
            } else {
                FloatSize::U4
            })
        };
        match self {
            Self::Float(is_double) => float(*is_double),
            Self::Integer(number) => T::Integer(size(*number)),
            Self::Unsigned(number) => T::Unsigned(size(*number)),
            Self::Boolean => T::Boolean,
            Self::Enumeration(value) => T::Enum(EnumType {
                size: IntSize::U8,
                signed: false,
                members: vec![EnumMember {
                    name: "A".into(),
                    value: *value,
                }],
            }),
            Self::Fixed(length) => T::FixedAscii(usize::from(*length).max(1)),
            Self::Text => T::VarLenUnicode,
            Self::Ascii => T::VarLenAscii,
            Self::Complex(is_double) => pair(["r", "i"], &float(*is_double)),
            Self::Lists(number) => T::VarLenArray(Box::new(T::Unsigned(size(*number)))),
            Self::Compounds(depth) => (0..depth % 40).fold(T::Integer(IntSize::U1), |inner, _| {
                pair(["r", "j"], &inner).into_smaller()
            }),
        }
    }
}

/// So that the depth does not double the size each time.
trait Smaller {
    fn into_smaller(self) -> TypeDescriptor;
}

impl Smaller for TypeDescriptor {
    fn into_smaller(self) -> TypeDescriptor {
        match self {
            Self::Compound(mut both) => {
                both.fields.truncate(1);
                both.size = both.fields[0].ty.size();
                Self::Compound(both)
            }
            other => other,
        }
    }
}

fn pair(names: [&str; 2], part: &TypeDescriptor) -> TypeDescriptor {
    let field = |index: usize| CompoundField {
        name: names[index].into(),
        ty: part.clone(),
        offset: index * part.size(),
        index,
    };
    TypeDescriptor::Compound(CompoundType {
        fields: vec![field(0), field(1)],
        size: 2 * part.size(),
    })
}

impl Shape {
    fn extents(&self) -> Result<Extents> {
        let simple = |lengths: &[usize]| Extents::Simple(SimpleExtents::fixed(lengths));
        let power = |power: u8| 1_usize << (power % 42);
        let extents = match self {
            Self::Nothing => Extents::Null,
            Self::Scalar => Extents::Scalar,
            Self::Short(length) => simple(&[usize::from(*length)]),
            Self::Square(rows, columns) => simple(&[usize::from(*rows), usize::from(*columns)]),
            Self::Huge(one, other) => simple(&[power(*one), power(*other % 20)]),
        };
        Dataspace::try_new(extents.clone()).map(|_| extents)
    }
}

fn group(file: &File, which: u8) -> Result<Group> {
    file.group(pick(&GROUPS, which))
}

fn pick<'a>(from: &[&'a str], which: u8) -> &'a str {
    from[usize::from(which) % from.len()]
}
