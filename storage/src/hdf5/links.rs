//! What a group has, without opening any of it.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

use hdf5_metno::Group;
use hdf5_metno_sys::h5::{H5_index_t, H5_iter_order_t};
use hdf5_metno_sys::h5i::hid_t;
use hdf5_metno_sys::h5l::{H5L_info2_t, H5L_type_t, H5Literate2};
use hdf5_metno_sys::h5t::H5T_cset_t;

use super::Outcome;
use super::handle::call;

/// A link of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    /// The name.
    pub(crate) name: String,
    /// Whether the file says that the name is in UTF-8.
    pub(super) is_utf8: bool,
    /// Where the object is in the same file; None for a link to another place.
    pub(super) object: Option<u64>,
}

impl Link {
    /// To an object in the same file.
    pub(super) fn to(name: String, object: u64) -> Self {
        Self {
            name,
            is_utf8: true,
            object: Some(object),
        }
    }
}

/// The links of a group, by name.
pub(crate) fn links(group: &Group) -> Outcome<Vec<Link>> {
    let mut found: Outcome<Vec<Link>> = Ok(Vec::new());
    call!(
        "the links of a group",
        H5Literate2(
            group.id(),
            H5_index_t::H5_INDEX_NAME,
            H5_iter_order_t::H5_ITER_NATIVE,
            ptr::null_mut(),
            Some(note),
            (&raw mut found).cast()
        )
    )?;
    found
}

unsafe extern "C" fn note(
    _group: hid_t,
    name: *const c_char,
    info: *const H5L_info2_t,
    found: *mut c_void,
) -> c_int {
    // SAFETY: the library's own name and structure, and the list that `links` waits with.
    let (name, found) = unsafe {
        let found = &mut *found.cast::<Outcome<Vec<Link>>>();
        (CStr::from_ptr(name), found)
    };
    match (name.to_str(), found) {
        (Ok(name), Ok(links)) => links.push(Link {
            name: name.to_owned(),
            // SAFETY: the library's own structure.
            is_utf8: unsafe { is_utf8(info) },
            // SAFETY: the same.
            object: unsafe { is_hard(info).then(|| place(info)) },
        }),
        (Err(_), found) => *found = Err(format!("the name {name:?} is no UTF-8")),
        (Ok(_), Err(_)) => {}
    }
    0
}

/// Whether a link leads to an object in the same file. A file can have links of any kind, also of such as the bindings have
/// no word for: so it is looked at as a number.
///
/// # Safety
/// `info` is a structure that the library has filled.
pub(super) unsafe fn is_hard(info: *const H5L_info2_t) -> bool {
    // SAFETY: as above; enumerations of C are as large as its numbers.
    let kind = unsafe { (&raw const (*info).type_).cast::<c_int>().read() };
    kind == H5L_type_t::H5L_TYPE_HARD as c_int
}

/// # Safety
/// As above.
unsafe fn is_utf8(info: *const H5L_info2_t) -> bool {
    // SAFETY: as above.
    let letters = unsafe { (&raw const (*info).cset).cast::<c_int>().read() };
    letters == H5T_cset_t::H5T_CSET_UTF8 as c_int
}

/// A token of a file on a disk is the object's place, in the order of bytes in which files have numbers.
///
/// # Safety
/// As above, and the link is a hard one: so the token is set.
unsafe fn place(info: *const H5L_info2_t) -> u64 {
    // SAFETY: as above; the token has 16 bytes.
    u64::from_le_bytes(unsafe { (&raw const (*info).u).cast::<[u8; 8]>().read() })
}

#[cfg(test)]
mod tests {
    use hdf5_metno::File;

    use super::super::netcdf::reference;
    use super::*;

    #[test]
    fn a_link_says_where_the_object_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = File::create(folder.path().join("file.h5")).unwrap();
        let one = file.create_group("one").unwrap();
        file.link_hard("one", "two").unwrap();
        file.link_soft("/elsewhere", "three").unwrap();
        let places = links(&file).unwrap().into_iter();
        let mut places: Vec<_> = places.map(|link| (link.name, link.object)).collect();
        places.sort();
        let place = Some(reference(&one, ".").unwrap());
        let expected = [("one", place), ("three", None), ("two", place)];
        assert_eq!(places, expected.map(|(name, at)| (name.to_owned(), at)));
    }
}
