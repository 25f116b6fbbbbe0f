//! The layer under SQLite: each call goes to SQLite's own layer for the system, and is written down. This is the
//! only file of the project with `unsafe` code: SQLite calls its layers through C function pointers.
//!
//! What holds for all of it: SQLite calls these functions with the pointers that it got from [`open`], on memory
//! of `szOsFile` bytes that it gave for the file, from one thread at a time for each file
//! (<https://sqlite.org/c3ref/io_methods.html>, <https://sqlite.org/c3ref/vfs.html>).

use std::{
    ffi::{CStr, c_char, c_int, c_void},
    path::Path,
    ptr, slice,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use rusqlite::ffi::{
    self, SQLITE_FULL, SQLITE_IOERR_FSYNC, SQLITE_IOERR_READ, SQLITE_IOERR_WRITE, SQLITE_OK,
    SQLITE_OPEN_CREATE, sqlite3_file, sqlite3_int64, sqlite3_io_methods, sqlite3_vfs,
};

use crate::disk::{Disk, Kind, Op};

/// A file: this, and behind it the memory of the system's layer for the same file.
#[repr(C)]
struct Watched {
    /// What SQLite looks at; first, so that a pointer to this is one to a `sqlite3_file`.
    base: sqlite3_file,
    /// From `Box::into_raw`; null where nobody watches.
    place: *mut Place,
}

struct Place {
    disk: Arc<Disk>,
    file: String,
    /// Its first sync is one of its directory too, as SQLite's layer for Unix has it: its name must be there.
    syncs_folder: AtomicBool,
}

/// Files whose names SQLite relies on.
const NAMED: c_int =
    ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_SUPER_JOURNAL | ffi::SQLITE_OPEN_WAL;

/// The system's layer.
struct Real(*mut sqlite3_vfs);

// SAFETY: SQLite's layers are static, and made to be called from any thread.
unsafe impl Send for Real {}
// SAFETY: as above; nothing writes through the pointer.
unsafe impl Sync for Real {}

static REAL: OnceLock<Real> = OnceLock::new();

/// Makes the layer known to SQLite, once.
#[allow(clippy::panic, reason = "for tests only, which fail by panicking")]
pub(crate) fn register() {
    REAL.get_or_init(|| {
        // SAFETY: both may be called at any time; the name is found by `NULL`, which means the default.
        let real = unsafe {
            ffi::sqlite3_initialize();
            ffi::sqlite3_vfs_find(ptr::null())
        };
        assert!(!real.is_null(), "SQLite has a layer for this system");
        // SAFETY: it is not null, and a layer that is registered stays.
        let mut layer = unsafe { *real };
        // Of the layer's later versions only the clock is needed.
        layer.iVersion = 2;
        layer.szOsFile += size_of::<Watched>() as c_int;
        layer.pNext = ptr::null_mut();
        layer.zName = c"powercut".as_ptr();
        layer.xOpen = Some(open);
        layer.xDelete = Some(delete);
        // SAFETY: the layer lives for ever, for it is leaked. What was copied from the system's layer (paths, time,
        // randomness) does not look at which layer it is called with.
        let code = unsafe { ffi::sqlite3_vfs_register(Box::into_raw(Box::new(layer)), 0) };
        assert!(code == SQLITE_OK, "SQLite refused the layer with code {code}");
        Real(real)
    });
}

fn system() -> *mut sqlite3_vfs {
    REAL.get().map_or(ptr::null_mut(), |real| real.0)
}

/// The memory of the system's layer for the same file.
///
/// # Safety
/// `file` is one that SQLite got memory for by this layer's `szOsFile`.
unsafe fn inner(file: *mut sqlite3_file) -> *mut sqlite3_file {
    // SAFETY: `szOsFile` has room for both, one behind the other; `Watched` is as aligned as its neighbour needs.
    unsafe { file.cast::<Watched>().add(1).cast() }
}

/// # Safety
/// As [`inner`], and the file is open.
unsafe fn place<'a>(file: *mut sqlite3_file) -> Option<&'a Place> {
    // SAFETY: `open` has set it to null or to a box, which `close` alone frees.
    unsafe { (*file.cast::<Watched>()).place.as_ref() }
}

/// Calls the system's layer for an open file.
macro_rules! pass {
    ($file:ident . $method:ident ( $($argument:expr),* ) or $missing:expr) => {{
        // SAFETY: SQLite calls methods of files that `open` has opened, and only those see this memory.
        unsafe {
            let inner = inner($file);
            match (*(*inner).pMethods).$method {
                Some(method) => method(inner, $($argument),*),
                None => $missing,
            }
        }
    }};
}

fn path_of<'a>(name: *const c_char) -> Option<&'a Path> {
    if name.is_null() {
        return None;
    }
    // SAFETY: SQLite gives names that end with a NUL and outlive the call.
    unsafe { CStr::from_ptr(name) }.to_str().ok().map(Path::new)
}

unsafe extern "C" fn open(
    _: *mut sqlite3_vfs,
    name: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    let path = path_of(name);
    let new = flags & SQLITE_OPEN_CREATE != 0 && path.is_some_and(|path| !path.exists());
    let real = system();
    // SAFETY: SQLite gave memory of `szOsFile` bytes, and the system's layer gets its own part of it. The name is
    // passed on as it came, for SQLite keeps more behind it.
    let code = unsafe {
        (*file).pMethods = ptr::null();
        (*file.cast::<Watched>()).place = ptr::null_mut();
        (*inner(file)).pMethods = ptr::null();
        match (*real).xOpen {
            Some(open) => open(real, name, inner(file), flags, out),
            None => ffi::SQLITE_CANTOPEN,
        }
    };
    if code != SQLITE_OK {
        return code;
    }
    let syncs_folder = flags & SQLITE_OPEN_CREATE != 0 && flags & NAMED != 0;
    let found = path.and_then(Disk::of).map(|(disk, file)| Place {
        disk,
        file,
        syncs_folder: AtomicBool::new(syncs_folder),
    });
    if let (Some(place), true) = (&found, new) {
        place.disk.done(Op::Create { file: place.file.clone() });
    }
    // SAFETY: as above; the file is open now, so that `close` will be called.
    unsafe {
        (*file.cast::<Watched>()).place =
            found.map_or(ptr::null_mut(), |place| Box::into_raw(Box::new(place)));
        (*file).pMethods = &raw const METHODS;
    }
    SQLITE_OK
}

unsafe extern "C" fn delete(_: *mut sqlite3_vfs, name: *const c_char, sync: c_int) -> c_int {
    let real = system();
    // SAFETY: the arguments are passed on as they came.
    let code = unsafe {
        match (*real).xDelete {
            Some(delete) => delete(real, name, sync),
            None => ffi::SQLITE_ERROR,
        }
    };
    if let (SQLITE_OK, Some((disk, file))) = (code, path_of(name).and_then(Disk::of)) {
        disk.done(Op::Delete { file });
        if sync != 0 {
            disk.done(Op::SyncFolder);
        }
    }
    code
}

static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    // Without version 3 nothing is mapped into memory, so that every read and write comes by here.
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    let code = pass!(file.xClose() or SQLITE_OK);
    // SAFETY: `open` has set it, and nothing uses the file after this.
    unsafe {
        let place = ptr::replace(&raw mut (*file.cast::<Watched>()).place, ptr::null_mut());
        if !place.is_null() {
            drop(Box::from_raw(place));
        }
    }
    code
}

unsafe extern "C" fn read(
    file: *mut sqlite3_file,
    into: *mut c_void,
    amount: c_int,
    at: sqlite3_int64,
) -> c_int {
    // SAFETY: the file is open.
    if let Some(place) = unsafe { place(file) }
        && place.disk.fails(Kind::Read).is_some()
    {
        return SQLITE_IOERR_READ;
    }
    pass!(file.xRead(into, amount, at) or SQLITE_IOERR_READ)
}

unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    from: *const c_void,
    amount: c_int,
    at: sqlite3_int64,
) -> c_int {
    // SAFETY: the file is open.
    let place = unsafe { place(file) };
    match place.and_then(|place| place.disk.fails(Kind::Write)) {
        Some(Kind::Full) => return SQLITE_FULL,
        Some(_) => return SQLITE_IOERR_WRITE,
        None => {}
    }
    let code = pass!(file.xWrite(from, amount, at) or SQLITE_IOERR_WRITE);
    if let (SQLITE_OK, Some(place)) = (code, place) {
        // SAFETY: SQLite gives so many bytes to be written.
        let bytes = unsafe { slice::from_raw_parts(from.cast::<u8>(), amount as usize) };
        let (file, bytes) = (place.file.clone(), bytes.to_vec());
        place.disk.done(Op::Write { file, at: at as u64, bytes });
    }
    code
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, size: sqlite3_int64) -> c_int {
    let code = pass!(file.xTruncate(size) or ffi::SQLITE_IOERR_TRUNCATE);
    // SAFETY: the file is open.
    if let (SQLITE_OK, Some(place)) = (code, unsafe { place(file) }) {
        place.disk.done(Op::Truncate { file: place.file.clone(), size: size as u64 });
    }
    code
}

/// Nothing is really synced: the image is what tells, and tests are faster so.
unsafe extern "C" fn sync(file: *mut sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: the file is open.
    let Some(place) = (unsafe { place(file) }) else {
        return pass!(file.xSync(flags) or SQLITE_OK);
    };
    let file = place.file.clone();
    if place.disk.fails(Kind::Sync).is_some() {
        return SQLITE_IOERR_FSYNC;
    }
    place.disk.done(Op::Sync { file });
    if place.syncs_folder.swap(false, Ordering::Relaxed) {
        place.disk.done(Op::SyncFolder);
    }
    SQLITE_OK
}

unsafe extern "C" fn file_size(file: *mut sqlite3_file, size: *mut sqlite3_int64) -> c_int {
    pass!(file.xFileSize(size) or ffi::SQLITE_IOERR_FSTAT)
}

unsafe extern "C" fn lock(file: *mut sqlite3_file, level: c_int) -> c_int {
    pass!(file.xLock(level) or SQLITE_OK)
}

unsafe extern "C" fn unlock(file: *mut sqlite3_file, level: c_int) -> c_int {
    pass!(file.xUnlock(level) or SQLITE_OK)
}

unsafe extern "C" fn check_reserved_lock(file: *mut sqlite3_file, out: *mut c_int) -> c_int {
    pass!(file.xCheckReservedLock(out) or SQLITE_OK)
}

unsafe extern "C" fn file_control(
    file: *mut sqlite3_file,
    what: c_int,
    with: *mut c_void,
) -> c_int {
    pass!(file.xFileControl(what, with) or ffi::SQLITE_NOTFOUND)
}

unsafe extern "C" fn sector_size(file: *mut sqlite3_file) -> c_int {
    pass!(file.xSectorSize() or 0)
}

unsafe extern "C" fn device_characteristics(file: *mut sqlite3_file) -> c_int {
    pass!(file.xDeviceCharacteristics() or 0)
}

unsafe extern "C" fn shm_map(
    file: *mut sqlite3_file,
    page: c_int,
    size: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    pass!(file.xShmMap(page, size, extend, out) or ffi::SQLITE_IOERR_SHMMAP)
}

unsafe extern "C" fn shm_lock(
    file: *mut sqlite3_file,
    offset: c_int,
    count: c_int,
    flags: c_int,
) -> c_int {
    pass!(file.xShmLock(offset, count, flags) or ffi::SQLITE_IOERR_SHMLOCK)
}

unsafe extern "C" fn shm_barrier(file: *mut sqlite3_file) {
    pass!(file.xShmBarrier() or ())
}

unsafe extern "C" fn shm_unmap(file: *mut sqlite3_file, delete: c_int) -> c_int {
    pass!(file.xShmUnmap(delete) or SQLITE_OK)
}
