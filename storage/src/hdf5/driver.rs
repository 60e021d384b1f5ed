//! A file driver of the library's: it reads and writes through an [`Overlay`].
//!
//! The structures are those of `H5FDdevelop.h` in HDF5 2, which is linked in; the bindings have older ones. The
//! library refuses a class of another version than its own.

use std::ffi::{c_char, c_int, c_uint, c_ulong, c_void};
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use hdf5_metno_sys::h5fd::{
    H5FD_FEAT_AGGREGATE_METADATA, H5FD_FEAT_AGGREGATE_SMALLDATA, H5FD_FEAT_DATA_SIEVE,
    H5FD_FEAT_DEFAULT_VFD_COMPATIBLE, H5FDregister,
};
use hdf5_metno_sys::h5i::hid_t;
use hdf5_metno_sys::h5p::{H5Pget_driver_info, H5Pset_driver};

use super::Outcome;
use super::handle::call;
use super::overlay::Overlay;

/// An overlay, for the library and for us.
pub(super) type Shared = Arc<Mutex<Overlay>>;

const VERSION: c_uint = 1;
/// The library keeps numbers below 512 for itself.
const NUMBER: c_int = 4173;
const CLOSE_WEAK: c_int = 1;
const MOST: u64 = i64::MAX as u64;
/// Metadata apart from data, as in the library's own drivers.
const FREE_LISTS: [c_int; 7] = [1, 1, 1, 3, 3, 1, 1];
const FAILED: c_int = -1;

type Unused = Option<unsafe extern "C" fn()>;

/// `H5FD_class_t`.
#[repr(C)]
struct Class {
    version: c_uint,
    value: c_int,
    name: *const c_char,
    maxaddr: u64,
    fc_degree: c_int,
    terminate: Unused,
    sb: [Unused; 3],
    fapl_size: usize,
    fapl: [Unused; 3],
    dxpl_size: usize,
    dxpl: [Unused; 2],
    open: unsafe extern "C" fn(*const c_char, c_uint, hid_t, u64) -> *mut Opened,
    close: unsafe extern "C" fn(*mut Opened) -> c_int,
    cmp: Unused,
    query: unsafe extern "C" fn(*const Opened, *mut c_ulong) -> c_int,
    get_type_map: Unused,
    alloc: Unused,
    free: Unused,
    get_eoa: unsafe extern "C" fn(*const Opened, c_int) -> u64,
    set_eoa: unsafe extern "C" fn(*mut Opened, c_int, u64) -> c_int,
    get_eof: unsafe extern "C" fn(*const Opened, c_int) -> u64,
    get_handle: Unused,
    read: unsafe extern "C" fn(*mut Opened, c_int, hid_t, u64, usize, *mut c_void) -> c_int,
    write: unsafe extern "C" fn(*mut Opened, c_int, hid_t, u64, usize, *const c_void) -> c_int,
    many: [Unused; 4],
    flush: Unused,
    truncate: unsafe extern "C" fn(*mut Opened, hid_t, bool) -> c_int,
    others: [Unused; 4],
    free_lists: [c_int; 7],
}

/// `H5FD_t`, which the library fills.
#[repr(C)]
struct Public {
    driver_id: hid_t,
    class: *const Class,
    fileno: c_ulong,
    access_flags: c_uint,
    feature_flags: c_ulong,
    maxaddr: u64,
    base_addr: u64,
    threshold: u64,
    alignment: u64,
    paged_aggr: bool,
}

/// A file that the library has open.
#[repr(C)]
struct Opened {
    public: MaybeUninit<Public>,
    overlay: Shared,
}

/// Lets `access`, a list of properties for opening files, open this overlay, which outlives the opening.
pub(super) fn set(access: hid_t, overlay: &Shared) -> Outcome {
    let driver = registered()?;
    let place: *const Mutex<Overlay> = Arc::as_ptr(overlay);
    call!(
        "a file driver",
        H5Pset_driver(access, driver, (&raw const place).cast())
    )
    .map(drop)
}

fn registered() -> Outcome<hid_t> {
    static DRIVER: OnceLock<hid_t> = OnceLock::new();
    if let Some(known) = DRIVER.get() {
        return Ok(*known);
    }
    let class = class();
    let made = call!("a file driver", H5FDregister((&raw const class).cast()))?;
    Ok(*DRIVER.get_or_init(|| made))
}

fn class() -> Class {
    Class {
        version: VERSION,
        value: NUMBER,
        name: c"runledger-append".as_ptr(),
        maxaddr: MOST,
        fc_degree: CLOSE_WEAK,
        terminate: None,
        sb: [None; 3],
        fapl_size: size_of::<*const Mutex<Overlay>>(),
        fapl: [None; 3],
        dxpl_size: 0,
        dxpl: [None; 2],
        open,
        close,
        cmp: None,
        query,
        get_type_map: None,
        alloc: None,
        free: None,
        get_eoa,
        set_eoa,
        get_eof,
        get_handle: None,
        read,
        write,
        many: [None; 4],
        flush: None,
        truncate,
        others: [None; 4],
        free_lists: FREE_LISTS,
    }
}

/// The overlay of a file that the library has open.
///
/// # Safety
/// `file` is what [`open`] gave, and not closed yet.
unsafe fn of<'a>(file: *const Opened) -> MutexGuard<'a, Overlay> {
    // SAFETY: as the caller says.
    let overlay = unsafe { &(*file).overlay };
    overlay.lock().unwrap_or_else(PoisonError::into_inner)
}

unsafe extern "C" fn open(
    _name: *const c_char,
    _flags: c_uint,
    access: hid_t,
    _most: u64,
) -> *mut Opened {
    // SAFETY: the list is the one that `set` was called with, so what it has is the overlay's place or nothing;
    // its owner is opening it, so it is there.
    let overlay = unsafe {
        let place = H5Pget_driver_info(access).cast::<*const Mutex<Overlay>>();
        if place.is_null() {
            return ptr::null_mut();
        }
        Arc::increment_strong_count(*place);
        Arc::from_raw(*place)
    };
    let public = MaybeUninit::zeroed();
    Box::into_raw(Box::new(Opened { public, overlay }))
}

unsafe extern "C" fn close(file: *mut Opened) -> c_int {
    // SAFETY: the library closes once what `open` gave it.
    drop(unsafe { Box::from_raw(file) });
    0
}

unsafe extern "C" fn query(_file: *const Opened, flags: *mut c_ulong) -> c_int {
    // No gathering of writes: one of them could have old bytes in it.
    let all = H5FD_FEAT_AGGREGATE_METADATA
        | H5FD_FEAT_AGGREGATE_SMALLDATA
        | H5FD_FEAT_DATA_SIEVE
        | H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
    if !flags.is_null() {
        // SAFETY: the library's own place for them.
        unsafe { *flags = c_ulong::from(all) };
    }
    0
}

unsafe extern "C" fn get_eoa(file: *const Opened, _kind: c_int) -> u64 {
    // SAFETY: the library passes on what `open` gave.
    unsafe { of(file) }.end
}

unsafe extern "C" fn set_eoa(file: *mut Opened, _kind: c_int, end: u64) -> c_int {
    // SAFETY: the library passes on what `open` gave.
    unsafe { of(file) }.end = end;
    0
}

unsafe extern "C" fn get_eof(file: *const Opened, _kind: c_int) -> u64 {
    // SAFETY: the library passes on what `open` gave.
    unsafe { of(file) }.length
}

unsafe extern "C" fn read(
    file: *mut Opened,
    _kind: c_int,
    _how: hid_t,
    at: u64,
    length: usize,
    into: *mut c_void,
) -> c_int {
    // SAFETY: the library passes on what `open` gave, and a place for `length` bytes.
    let (overlay, bytes) = unsafe {
        ptr::write_bytes(into.cast::<u8>(), 0, length);
        let bytes = std::slice::from_raw_parts_mut(into.cast::<u8>(), length);
        (of(file), bytes)
    };
    match overlay.read(at, bytes) {
        Ok(()) => 0,
        Err(why) => failed(overlay, &why),
    }
}

unsafe extern "C" fn write(
    file: *mut Opened,
    _kind: c_int,
    _how: hid_t,
    at: u64,
    length: usize,
    from: *const c_void,
) -> c_int {
    // SAFETY: the library passes on what `open` gave, and `length` bytes.
    let (mut overlay, bytes) =
        unsafe { (of(file), std::slice::from_raw_parts(from.cast(), length)) };
    match overlay.write(at, bytes) {
        Ok(()) => 0,
        Err(why) => failed(overlay, &why),
    }
}

fn failed(mut overlay: MutexGuard<'_, Overlay>, why: &std::io::Error) -> c_int {
    overlay.trouble.get_or_insert(why.to_string());
    FAILED
}

unsafe extern "C" fn truncate(file: *mut Opened, _how: hid_t, _closing: bool) -> c_int {
    // SAFETY: the library passes on what `open` gave.
    let mut overlay = unsafe { of(file) };
    overlay.length = overlay.length.max(overlay.end);
    0
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_library_is_the_one_whose_structures_these_are() {
        // Of another one: compare them with its `H5FDdevelop.h`.
        let (major, minor, _) = hdf5_metno::library_version();
        assert_eq!((major, minor), (2, 2));
    }
}
