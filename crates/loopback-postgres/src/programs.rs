//! The server's programs: where they are, and as whom they run. A server refuses to be root.

use std::{
    env, fs,
    path::PathBuf,
    process::{Command, Stdio},
};

/// Where Debian and its children keep them, one directory for each version.
const VERSIONS: &str = "/usr/lib/postgresql";

const MISSING: &str = "no PostgreSQL server is installed (looked for initdb in PATH and in \
                       /usr/lib/postgresql/*/bin): apt-get install postgresql";

/// The programs of one version.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    pub(crate) folder: PathBuf,
    /// The user and group that they run as, where this process is root.
    pub(crate) user: Option<(u32, u32)>,
}

impl Programs {
    /// Finds the newest.
    pub(crate) fn find() -> Result<Self, String> {
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
        let installed = versions.into_iter().rev().map(|(_, folder)| folder);
        let path = env::var_os("PATH").unwrap_or_default();
        let mut places = installed.chain(env::split_paths(&path));
        let folder = places.find(|folder| folder.join("initdb").is_file()).ok_or(MISSING)?;
        Ok(Self { folder, user: user()? })
    }

    /// One of them, ready to be given its arguments.
    pub(crate) fn command(&self, name: &str) -> Command {
        let program = self.folder.join(name);
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
