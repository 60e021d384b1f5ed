//! The content of a run's file: of each variable what the newest source has.

use std::collections::BTreeMap;

use super::SPECIAL;
use super::source::{Failure, Place, Source};
use crate::hdf5::{Addition, Composer, Outcome};

/// What is filled.
pub(super) enum Target {
    /// A new file.
    New(Composer),
    /// The first source, which gets new content.
    Same(Addition),
}

impl Target {
    pub(super) fn composer(&mut self) -> &mut Composer {
        match self {
            Self::New(composer) => composer,
            Self::Same(addition) => &mut addition.composer,
        }
    }

    /// Takes what a source has at `place`; `is_first`: what the first source has stays where it is if it can.
    fn take(&mut self, source: &Source, is_first: bool, place: &Place) -> Result<(), Failure> {
        let taken = match self {
            Self::Same(addition) if is_first => addition.keep(&place.path, &place.link),
            target => target.composer().take(&source.file, &place.path),
        };
        taken.map_err(|reason| (source.path.clone(), reason))
    }
}

/// Variable → the bytes that were written for it.
pub(super) type Sizes = BTreeMap<String, u64>;

/// Fills the target from sources, oldest first. Failures come with the file that they are about.
pub(super) fn fill(target: &mut Target, sources: &[Source]) -> Result<Sizes, Failure> {
    let Some(first) = sources.first() else {
        return Ok(Sizes::new());
    };
    let at_first = |reason| (first.path.clone(), reason);
    let composer = target.composer();
    composer.take_attributes(&first.file).map_err(at_first)?;
    make_groups(target).map_err(at_first)?;
    let mut sizes = Sizes::new();
    for (name, index) in newest(sources) {
        let before = target.composer().size();
        for place in &sources[index].variables[name] {
            target.take(&sources[index], index == 0, place)?;
        }
        sizes.insert(name.to_owned(), target.composer().size() - before);
    }
    Ok(sizes)
}

fn make_groups(target: &mut Target) -> Outcome {
    SPECIAL.iter().try_for_each(|name| match target {
        Target::New(composer) => composer.make_group(name),
        Target::Same(addition) => addition.make_group(name),
    })
}

/// Variable → the last source that has it.
pub(super) fn newest(sources: &[Source]) -> BTreeMap<&str, usize> {
    let all = sources.iter().enumerate();
    all.flat_map(|(index, source)| {
        source
            .variables
            .keys()
            .map(move |name| (name.as_str(), index))
    })
    .collect()
}
