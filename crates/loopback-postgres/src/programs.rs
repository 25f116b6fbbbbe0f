//! The server's programs: where they are, and as whom they run. A server refuses to be root.

use std::{
    env, fs,
    path::PathBuf,
    process::{Command, Stdio},
};

/// The variable that names the directory of the programs to use, of whichever version.
pub(crate) const CHOSEN: &str = "LOOPBACK_POSTGRES_BIN";

/// Where Debian and its children keep them, one directory for each version.
const VERSIONS: &str = "/usr/lib/postgresql";

const MISSING: &str = "no PostgreSQL server is installed (looked for initdb in PATH and in \
                       /usr/lib/postgresql/*/bin): apt-get install postgresql, or name the \
                       directory of its programs in LOOPBACK_POSTGRES_BIN";

/// The programs of one version.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    pub(crate) folder: PathBuf,
    /// Whether somebody chose them.
    pub(crate) chosen: bool,
    /// Where `psql` is: packages of a server alone have none, and that of any version will do.
    psql: PathBuf,
    /// The user and group that they run as, where this process is root.
    pub(crate) user: Option<(u32, u32)>,
}

impl Programs {
    /// Finds those that were chosen, or else the newest.
    pub(crate) fn find() -> Result<Self, String> {
        let chosen = env::var_os(CHOSEN).filter(|folder| !folder.is_empty()).map(PathBuf::from);
        Self::find_in(chosen, &installed())
    }

    fn find_in(chosen: Option<PathBuf>, installed: &[PathBuf]) -> Result<Self, String> {
        let has = |name: &'static str| move |folder: &&PathBuf| folder.join(name).is_file();
        let folder = match &chosen {
            // Not what is installed instead: somebody would believe in another version's tests.
            Some(folder) if !has("initdb")(&folder) => {
                return Err(format!("{CHOSEN} is {}, where no initdb is", folder.display()));
            }
            Some(folder) => folder,
            None => installed.iter().find(has("initdb")).ok_or(MISSING)?,
        };
        let psql = [folder].into_iter().chain(installed).find(has("psql")).unwrap_or(folder);
        Ok(Self {
            folder: folder.clone(),
            chosen: chosen.is_some(),
            psql: psql.join("psql"),
            user: user()?,
        })
    }

    /// One of them, ready to be given its arguments.
    pub(crate) fn command(&self, name: &str) -> Command {
        let program = if name == "psql" { self.psql.clone() } else { self.folder.join(name) };
        let mut command = match self.user {
            None => Command::new(program),
            Some((user, group)) => {
                let mut command = Command::new("setpriv");
                command.arg(format!("--reuid={user}")).arg(format!("--regid={group}"));
                command.args(["--clear-groups", "--"]).arg(program);
                command
            }
        };
        // Somebody's own settings are no concern of a test's server.
        for name in
            ["PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "PGOPTIONS", "PGDATA"]
        {
            command.env_remove(name);
        }
        command.current_dir("/");
        command
    }
}

/// Directories that may have the programs of a server: the newest version first, those of PATH last.
fn installed() -> Vec<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir(VERSIONS)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|version| {
            let number = version.file_name().to_str()?.parse().ok()?;
            Some((number, version.path().join("bin")))
        })
        .collect();
    versions.sort();
    let path = env::var_os("PATH").unwrap_or_default();
    versions.into_iter().rev().map(|(_, folder)| folder).chain(env::split_paths(&path)).collect()
}

/// Whom the server is to run as, where this process is root.
fn user() -> Result<Option<(u32, u32)>, String> {
    let id = |words: &[&str]| -> Result<u32, String> {
        let said = run(Command::new("id").args(words))?;
        said.trim().parse().map_err(|_| format!("`id` said `{}`", said.trim()))
    };
    if id(&["-u"])? != 0 {
        return Ok(None);
    }
    for name in ["postgres", "nobody"] {
        if let (Ok(user), Ok(group)) = (id(&["-u", name]), id(&["-g", name])) {
            return Ok(Some((user, group)));
        }
    }
    Err("a PostgreSQL server refuses to run as root, and there is no user `postgres` or `nobody`"
        .into())
}

/// Runs a program to its end. What it prints is its answer, or the reason of its failure.
pub(crate) fn run(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    // A server that is started in the background keeps what it inherits, so its output is no pipe.
    let starts = command.get_args().any(|word| word == "start");
    let output = if starts { Stdio::null() } else { Stdio::piped() };
    let errors = if starts { Stdio::null() } else { Stdio::piped() };
    command.stdin(Stdio::null()).stdout(output).stderr(errors);
    let ended = command.spawn().and_then(std::process::Child::wait_with_output);
    let ended = ended.map_err(|error| format!("{program} can't be run: {error}"))?;
    if ended.status.success() {
        return Ok(String::from_utf8_lossy(&ended.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&ended.stderr);
    let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
    Err(format!("{program} {} failed: {}", words.join(" "), said.trim()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    /// A directory with those programs.
    fn folder(names: &[&str]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a directory");
        for name in names {
            fs::write(folder.path().join(name), "").expect("a file");
        }
        let path = folder.path().to_owned();
        (folder, path)
    }

    #[test]
    fn the_programs_that_were_chosen_come_before_those_installed() {
        let (_one, chosen) = folder(&["initdb", "psql"]);
        let (_two, installed) = folder(&["initdb", "psql"]);
        let found = Programs::find_in(Some(chosen.clone()), &[installed]).expect("programs");
        assert_eq!(found.folder, chosen);
        assert_eq!(found.psql, chosen.join("psql"));
    }

    #[test]
    fn a_directory_that_was_chosen_and_has_no_server_is_refused() {
        let (_one, chosen) = folder(&[]);
        let (_two, installed) = folder(&["initdb", "psql"]);
        let refused = Programs::find_in(Some(chosen), &[installed]).expect_err("a refusal");
        assert!(refused.starts_with("LOOPBACK_POSTGRES_BIN is "), "{refused}");
    }

    #[test]
    fn a_server_without_a_psql_borrows_one() {
        let (_one, chosen) = folder(&["initdb"]);
        let (_two, installed) = folder(&["initdb", "psql"]);
        let found =
            Programs::find_in(Some(chosen), std::slice::from_ref(&installed)).expect("programs");
        assert_eq!(found.psql, installed.join("psql"));
    }
}
