//! Which loose coordinate belongs to which dimension of an array: the one of its length, if there is no doubt.

/// The names of an array's dimensions, `dim_0` and so on where no coordinate fits, given its shape and the lengths of
/// its one-dimensional coordinates.
///
/// # Errors
/// Why it cannot be told.
pub(super) fn dimensions(
    shape: &[usize],
    coordinates: &[(String, usize)],
) -> Result<Vec<String>, String> {
    for (name, length) in coordinates {
        let fitting = shape.iter().filter(|of| *of == length).count();
        match fitting {
            1 => {}
            0 => {
                return Err(format!(
                    "no dimension has the length {length} of its coordinate {name}"
                ));
            }
            several => {
                return Err(format!(
                    "{several} dimensions have the length {length} of its coordinate {name}"
                ));
            }
        }
    }
    (0..)
        .zip(shape)
        .map(|(number, length)| name(number, *length, coordinates))
        .collect()
}

fn name(number: usize, length: usize, coordinates: &[(String, usize)]) -> Result<String, String> {
    let fitting: Vec<&str> = coordinates
        .iter()
        .filter(|(_, of)| *of == length)
        .map(|(name, _)| name.as_str())
        .collect();
    match fitting.as_slice() {
        [] => Ok(format!("dim_{number}")),
        [one] => Ok((*one).to_owned()),
        several => Err(format!(
            "its coordinates {} have the same length, {length}",
            several.join(", ")
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(shape: &[usize], coordinates: &[(&str, usize)]) -> Result<Vec<String>, String> {
        let coordinates: Vec<_> = coordinates
            .iter()
            .map(|(name, length)| ((*name).to_owned(), *length))
            .collect();
        dimensions(shape, &coordinates)
    }

    #[test]
    fn a_dimension_has_the_name_of_the_coordinate_of_its_length() {
        let found = of(&[3, 4, 5], &[("y", 5), ("x", 3)]).unwrap();
        assert_eq!(found, ["x", "dim_1", "y"]);
        assert_eq!(of(&[2, 2], &[]).unwrap(), ["dim_0", "dim_1"]);
    }

    #[test]
    fn what_could_be_in_two_ways_is_not_guessed() {
        for (shape, coordinates) in [
            (&[4, 4][..], &[("x", 4)][..]),
            (&[4, 4], &[("x", 4), ("y", 4)]),
            (&[4], &[("x", 4), ("y", 4)]),
            (&[4], &[("x", 5)]),
        ] {
            assert!(of(shape, coordinates).is_err(), "{shape:?} {coordinates:?}");
        }
    }
}
