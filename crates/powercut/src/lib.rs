//! A disk that loses power: a file layer under SQLite that writes down all that is done to the files of a
//! directory, and shows what could be left of them had the power failed at any moment.
//!
//! `kill -9` proves little about a disk: what a dead process had written is still in the system's memory. Here what
//! was not synced is dropped, kept, or torn, sector by sector; syncs can be lost, and calls can fail as on a broken
//! or a full disk. Programs that are tested use real files meanwhile, through SQLite's own layer for the system.
//!
//! ```
//! use powercut::{Disk, VFS};
//! use rusqlite::{Connection, OpenFlags};
//!
//! let folder = tempfile::tempdir()?;
//! let disk = Disk::watch(folder.path());
//! let path = folder.path().join("a.db");
//! let db = Connection::open_with_flags_and_vfs(&path, OpenFlags::default(), VFS)?;
//! db.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t (n)")?;
//! db.execute("INSERT INTO t VALUES (1)", ())?;
//! disk.acknowledge(1); // its commit has returned, so it must survive from this moment on
//!
//! let image = tempfile::tempdir()?;
//! let now = disk.moment();
//! disk.cut(now, 7, image.path())?; // the power fails now; 7 is the seed of what is lost
//! let left = Connection::open(image.path().join("a.db"))?;
//! let rows: u32 = left.query_row("SELECT count(*) FROM t", (), |row| row.get(0))?;
//! assert_eq!(rows as usize, disk.acknowledged(now).len());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod disk;
mod image;
mod vfs;

pub use disk::{Disk, Fault, Kind};

/// The name under which SQLite knows the layer, once a [`Disk`] has been watched.
pub const VFS: &str = "powercut";
