//! A PostgreSQL server of the machine's own packages, on a free port of the loopback interface and in a
//! directory of its own. For tests and benchmarks; it knows nothing of sagas.
//!
//! A server lives as long as somebody uses it. Users hold a lock that the operating system releases however
//! they die, and a small shell process waits for that lock and then clears everything away.
//!
//! Its programs are the newest that are installed, or those in the directory that the environment variable
//! `LOOPBACK_POSTGRES_BIN` names: that of a server of any version, such as `/usr/lib/postgresql/13/bin`.
//!
//! Any role may log in without a password, except `guarded`, whose password is [`PASSWORD`].

mod programs;

use std::{
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    io,
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use programs::{Programs, run};
use tempfile::TempDir;

/// The role that owns the server. It needs no password.
pub const SUPERUSER: &str = "tester";

/// The password of the role `guarded`, which holds everything that a careless program would trip over.
pub const PASSWORD: &str = "p@ss:w/o?rd#%41 'x\"\\=&";

/// How often another port is tried, where somebody else was faster.
const TRIES: u32 = 5;

/// Waits until nobody holds the lock, gives further users some seconds, and clears away.
const KEEPER: &str = r#"
while :; do
    flock --exclusive "$1/users" true || exit
    sleep "$2"
    flock --exclusive --nonblock "$1/users" sh -c '
        kill -QUIT "$(head -n 1 "$1/data/postmaster.pid")"
        rm -f "$1/port"
        rm -rf "$1/data" "$1/log"
        if test "$2" = 0; then rm -rf "$1"; fi
    ' keeper "$1" "$2" && exit
done
"#;

/// How much a server is to care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syncs {
    /// Whatever it says is written survives the death of its processes only. Fast, for tests.
    No,
    /// The disk is synced, as on a server that is meant. For measurements.
    Yes,
}

/// A server of its own, which ends with this value.
#[derive(Debug)]
pub struct Server {
    folder: PathBuf,
    port: u16,
    programs: Programs,
    /// Dropped last.
    _users: File,
    _owned: Option<TempDir>,
}

/// The server that all tests of a user share. It outlives this process for some seconds.
#[derive(Debug)]
pub struct Shared {
    port: u16,
    _users: File,
}

impl Server {
    /// Starts a server.
    ///
    /// # Errors
    /// One sentence, where no server is installed or it does not start.
    pub fn start(syncs: Syncs) -> Result<Self, String> {
        Self::start_in(&std::env::temp_dir(), syncs)
    }

    /// The same below that directory: the disk to be measured, or to be filled.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_in(place: &Path, syncs: Syncs) -> Result<Self, String> {
        let programs = Programs::find()?;
        let owned = tempfile::Builder::new()
            .prefix("loopback-postgres-")
            .tempdir_in(place)
            .map_err(|error| format!("no directory for a server: {error}"))?;
        let folder = owned.path().to_owned();
        let users = lock(&folder.join("users"))?;
        users.lock_shared().map_err(told("lock", &folder))?;
        let port = launch(&programs, &folder, syncs)?;
        keep(&folder, 0)?;
        Ok(Self { folder, port, programs, _users: users, _owned: Some(owned) })
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How that role reaches that database.
    #[must_use]
    pub fn url(&self, role: &str, database: &str) -> String {
        url(self.port, role, database)
    }

    /// The directory that it may fill.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Ends it without a farewell: its processes stop at once, and it recovers when it is started again.
    ///
    /// # Errors
    /// Where it was not running.
    pub fn crash(&self) -> Result<(), String> {
        self.control(&["-m", "immediate", "stop"])
    }

    /// Starts it again, on the same port.
    ///
    /// # Errors
    /// Where it does not start.
    pub fn start_again(&self) -> Result<(), String> {
        self.control(&["-l", &text(&self.folder.join("log")), "start"])
    }

    fn control(&self, words: &[&str]) -> Result<(), String> {
        let mut control = self.programs.command("pg_ctl");
        control.arg("-D").arg(self.folder.join("data")).arg("-w").args(words);
        run(&mut control).map(drop)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A test may have ended it before.
        let _ = self.crash();
    }
}

impl Shared {
    /// Finds the server, or starts it.
    ///
    /// # Errors
    /// One sentence, where no server is installed or it does not start.
    pub fn find() -> Result<Self, String> {
        let programs = Programs::find()?;
        let user = run(Command::new("id").arg("-u"))?;
        let mut name = format!("loopback-postgres-shared-{}", user.trim());
        if programs.chosen {
            // A server of another version may run beside it.
            let mut hasher = DefaultHasher::new();
            programs.folder.hash(&mut hasher);
            name = format!("{name}-{:016x}", hasher.finish());
        }
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).map_err(told("create", &folder))?;
        let users = lock(&folder.join("users"))?;
        users.lock_shared().map_err(told("lock", &folder))?;
        let starts = lock(&folder.join("starts"))?;
        starts.lock().map_err(told("lock", &folder))?;
        let known = fs::read_to_string(folder.join("port")).ok();
        let known = known.and_then(|port| port.trim().parse::<u16>().ok());
        let port = match known.filter(|&port| answers(port)) {
            Some(port) => port,
            None => {
                let port = launch(&programs, &folder, Syncs::No)?;
                fs::write(folder.join("port"), port.to_string()).map_err(told("write", &folder))?;
                keep(&folder, 20)?;
                port
            }
        };
        Ok(Self { port, _users: users })
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How that role reaches that database.
    #[must_use]
    pub fn url(&self, role: &str, database: &str) -> String {
        url(self.port, role, database)
    }

    /// Has the superuser run a statement in the database `postgres`. Returns its rows as text.
    ///
    /// # Errors
    /// As the server tells.
    pub fn execute(&self, sql: &str) -> Result<String, String> {
        execute(&Programs::find()?, self.port, sql)
    }

    /// Where the programs of the server's version are.
    ///
    /// # Errors
    /// Where they have been removed since.
    pub fn programs(&self) -> Result<PathBuf, String> {
        Ok(Programs::find()?.folder)
    }
}

fn url(port: u16, role: &str, database: &str) -> String {
    format!("postgres://{role}@127.0.0.1:{port}/{database}?sslmode=disable")
}

fn answers(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Makes a cluster in that folder and starts it. Returns its port.
fn launch(programs: &Programs, folder: &Path, syncs: Syncs) -> Result<u16, String> {
    let data = folder.join("data");
    for old in ["data", "log", "port"] {
        let old = folder.join(old);
        let _ = if old.is_dir() { fs::remove_dir_all(&old) } else { fs::remove_file(&old) };
    }
    fs::create_dir_all(&data).map_err(told("create", &data))?;
    if let Some((user, group)) = programs.user {
        for path in [folder, &data] {
            chown(path, Some(user), Some(group)).map_err(told("give away", path))?;
        }
    }
    run(programs
        .command("initdb")
        .args(["--no-sync", "--encoding=UTF8", "--locale=C.UTF-8", "--auth=trust"])
        .arg(format!("--username={SUPERUSER}"))
        .arg("-D")
        .arg(&data))?;
    let (rules, settings) = (data.join("pg_hba.conf"), data.join("postgresql.conf"));
    let trust = "host all guarded 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n";
    fs::write(&rules, trust).map_err(told("write", &rules))?;
    let before = fs::read_to_string(&settings).map_err(told("read", &settings))?;
    let mut last = String::new();
    for _ in 0..TRIES {
        let port = free_port()?;
        let fsync = if syncs == Syncs::Yes { "on" } else { "off" };
        let own = format!(
            "\nlisten_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = ''\n\
             max_connections = 200\nfsync = {fsync}\nlog_min_messages = fatal\n\
             password_encryption = 'scram-sha-256'\n"
        );
        fs::write(&settings, format!("{before}{own}")).map_err(told("write", &settings))?;
        let mut start = programs.command("pg_ctl");
        start.arg("-D").arg(&data).args(["-w", "-l"]).arg(folder.join("log")).arg("start");
        match run(&mut start) {
            Ok(_) => {
                let password = PASSWORD.replace('\'', "''");
                execute(
                    programs,
                    port,
                    &format!("CREATE ROLE guarded LOGIN PASSWORD '{password}'"),
                )?;
                return Ok(port);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Has the superuser run a statement in the database `postgres`. Returns its rows as text.
fn execute(programs: &Programs, port: u16, sql: &str) -> Result<String, String> {
    let mut psql = programs.command("psql");
    psql.args(["-X", "-q", "-A", "-t", "-h", "127.0.0.1", "-d", "postgres", "-U", SUPERUSER])
        .args(["-p", &port.to_string(), "-c", sql]);
    run(&mut psql)
}

fn free_port() -> Result<u16, String> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr());
    port.map(|address| address.port()).map_err(|error| format!("no free port: {error}"))
}

/// Starts the process that clears away. It belongs to no terminal and no test.
fn keep(folder: &Path, seconds: u32) -> Result<(), String> {
    let mut keeper = Command::new("setsid");
    keeper.args(["sh", "-c", KEEPER, "keeper"]).arg(folder).arg(seconds.to_string());
    keeper.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).current_dir("/");
    keeper.spawn().map(drop).map_err(|error| format!("no process that clears away: {error}"))
}

fn lock(path: &Path) -> Result<File, String> {
    File::options().create(true).append(true).open(path).map_err(told("open", path))
}

fn told<'a>(verb: &'a str, path: &'a Path) -> impl Fn(io::Error) -> String + 'a {
    move |error| format!("can't {verb} {}: {error}", path.display())
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
