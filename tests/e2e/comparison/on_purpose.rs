//! Where what we store differs from what DAMNIT stores, and why.

/// What differs of some variables.
#[derive(Debug)]
pub(crate) struct Difference {
    /// The variables.
    of: &'static [&'static str],
    /// How each difference begins, in the words of `compare_databases.py`.
    what: &'static [&'static str],
    /// Why it is right.
    why: &'static str,
}

/// One variable, one of its differences, and why it is right.
pub(crate) type Subject = (&'static str, &'static str, &'static str);

impl Difference {
    /// Each of them is there, or is not named any more.
    pub(crate) fn subjects(&self) -> impl Iterator<Item = Subject> {
        let each = move |of| self.what.iter().map(move |what| (of, *what, self.why));
        self.of.iter().flat_map(move |of| each(*of))
    }
}

pub(crate) const ON_PURPOSE: &[Difference] = &[
    Difference {
        of: &["summary_of_a_matrix"],
        what: &[
            "cells summary_type",
            "file .reduced attributes summary_type",
            "file .reduced data",
        ],
        why: "two rows of which the first cannot be an x are a matrix and no line",
    },
    Difference {
        of: &["texts"],
        what: &["cells", "client", "file"],
        why: "DAMNIT refuses lists of texts",
    },
    Difference {
        of: &[
            "any_object",
            "no_result_type",
            "set_of_numbers",
            "generated",
            "exact",
            "moment",
            "moment_of_numpy",
            "moment_of_pandas",
            "too_large",
            "cell_in_a_cell",
        ],
        what: &["cells attributes error", "file .errors data"],
        why: "the message names the type that was returned, not that of the array it was made into",
    },
    Difference {
        of: &["summary_is_a_dict"],
        what: &["cells attributes error", "file .errors data"],
        why: "the message names the type that was given; DAMNIT's names None's",
    },
    Difference {
        of: &["changed_later"],
        what: &["client", "file /data data", "file .reduced data"],
        why: "a result is stored when it is returned, not when the last variable has changed it",
    },
    Difference {
        of: &["of_lines"],
        what: &["cells attributes error", "file .errors data"],
        why: "of a message that is longer than 100,000 characters, the rest is left out",
    },
    Difference {
        of: &["array_of_colour"],
        what: &["cells", "client", "file"],
        why: "three numbers are a colour in an array too",
    },
    Difference {
        of: &["wrong_bold"],
        what: &["cells attributes bold", "file .reduced attributes bold"],
        why: "`bold` is yes or no, whatever was given",
    },
    Difference {
        of: &["large_line", "large_picture"],
        what: &["cells max_diff", "file .reduced attributes max_diff"],
        why: "the spread is computed in double precision",
    },
    Difference {
        of: &["small_integers"],
        what: &["cells max_diff", "file .reduced attributes max_diff"],
        why: "the spread of small integers does not overflow",
    },
    Difference {
        of: &[
            "truths",
            "flags",
            "picture_of_truths",
            "sum_of_truths",
            "series_of_truths",
        ],
        what: &["cells max_diff", "file .reduced attributes max_diff"],
        why: "truths have a spread, which DAMNIT means to tell and does not",
    },
    Difference {
        of: &["picture_of_truths", "complex_picture"],
        what: &[
            "cells value",
            "client summary",
            "file .reduced data",
            "file .reduced layout",
        ],
        why: "they are drawn; DAMNIT's summary is an error's",
    },
    Difference {
        of: &["words"],
        what: &["cells value", "client summary", "file .reduced data"],
        why: "texts are described by type and shape; DAMNIT's summary is an error's",
    },
    Difference {
        of: &[
            "drawn",
            "drawn_as_preview",
            "of_pyplot",
            "axes",
            "axes_of_a_figure",
        ],
        what: &["client summary pixels", "file .reduced data pixels"],
        why: "a figure is drawn once and then shrunk, not drawn again; from afar it looks the same",
    },
    Difference {
        of: &[
            "no_elements",
            "empty",
            "only_gaps",
            "only_infinite",
            "maximum_of_nothing",
            "empty_preview",
            "series_of_gaps",
        ],
        what: &["file .reduced layout"],
        why: "what is empty could grow",
    },
    Difference {
        of: &["no_elements", "empty", "no_rows", "maximum_of_nothing"],
        what: &["file /data layout"],
        why: "what is empty could grow",
    },
    Difference {
        of: &["no_values"],
        what: &["file /__xarray_dataarray_variable__ attributes _Netcdf4Dimid"],
        why: "empty variables have the attribute like all others",
    },
    Difference {
        of: &["mixed_dataset"],
        what: &["file /nothing attributes _Netcdf4Dimid"],
        why: "empty variables have the attribute like all others",
    },
    Difference {
        of: &["empty_preview"],
        what: &["file .preview layout"],
        why: "what is empty could grow",
    },
    Difference {
        of: &["attributes_of_all_kinds"],
        what: &["file /__xarray_dataarray_variable__ attributes bytes"],
        why: "bytes are of their own length; both are read as a text",
    },
    Difference {
        of: &["waves"],
        what: &["file /_PFNC_DOUBLE_COMPLEX_TYPE"],
        why: "the type of complex numbers is in their dataset; it needs no name",
    },
];
