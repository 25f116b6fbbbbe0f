//! The world outside: a list of what has happened, kept by the test, out of Temporal's reach. Activities tell it over a
//! socket, whatever process they run in, and wait there for the gates that the test opens.

use std::{collections::BTreeSet, io, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// Long enough for a busy machine; nothing is measured by it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What has happened, and which gates are open.
#[derive(Default)]
struct World {
    lines: Vec<String>,
    open: BTreeSet<String>,
}

impl World {
    fn count(&self, line: &str) -> usize {
        self.lines.iter().filter(|seen| *seen == line).count()
    }
}

/// The test's side.
pub(crate) struct Ledger {
    world: watch::Sender<World>,
    pub(crate) address: String,
}

impl Ledger {
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("bound").to_string();
        let world = watch::Sender::new(World::default());
        let told = world.clone();
        tokio::spawn(async move {
            while let Ok((activity, _)) = listener.accept().await {
                let told = told.clone();
                // An activity that is gone has nothing more to tell.
                tokio::spawn(async move { serve(activity, &told).await.unwrap_or_default() });
            }
        });
        Self { world, address }
    }

    /// What has happened, in order.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.world.borrow().lines.clone()
    }

    /// Waits until that has happened so often.
    pub(crate) async fn sees(&self, line: &str, times: usize) {
        let mut world = self.world.subscribe();
        let seen = world.wait_for(|world| world.count(line) >= times);
        let seen = tokio::time::timeout(PATIENCE, seen).await.map(|seen| seen.is_ok());
        assert_eq!(seen, Ok(true), "no `{line}` in {:?}", self.lines());
    }

    /// Waits until so much has happened.
    pub(crate) async fn sees_so_many(&self, lines: usize) {
        let mut world = self.world.subscribe();
        let seen = world.wait_for(|world| world.lines.len() >= lines);
        let seen = tokio::time::timeout(PATIENCE, seen).await.map(|seen| seen.is_ok());
        assert_eq!(seen, Ok(true), "no {lines} lines in {}", self.lines().len());
    }

    /// Lets an activity go on that waits.
    pub(crate) fn open(&self, word: &str) {
        self.world.send_modify(|world| {
            world.open.insert(word.to_owned());
        });
    }
}

/// One line of an activity: what has happened; with a `?` before it, what waits for its gate; with a `#`, how often
/// has it happened. The answer is a number.
async fn serve(mut activity: TcpStream, world: &watch::Sender<World>) -> io::Result<()> {
    let mut line = String::new();
    BufReader::new(&mut activity).read_line(&mut line).await?;
    let line = line.trim_end();
    let asked = line.strip_prefix('#');
    if asked.is_none() {
        world.send_modify(|world| world.lines.push(line.to_owned()));
    }
    if let Some(word) = line.strip_prefix('?') {
        let gate = word.split('(').next().unwrap_or(word);
        let mut seen = world.subscribe();
        seen.wait_for(|world| world.open.contains(gate)).await.map_err(io::Error::other)?;
    }
    let count = world.borrow().count(asked.unwrap_or(line));
    activity.write_all(count.to_string().as_bytes()).await
}

/// The activities' side: tells a line, and waits for the answer.
pub(crate) async fn tell(address: &str, line: &str) -> io::Result<u32> {
    let mut ledger = TcpStream::connect(address).await?;
    ledger.write_all(format!("{line}\n").as_bytes()).await?;
    let mut answer = String::new();
    ledger.read_to_string(&mut answer).await?;
    answer.parse().map_err(io::Error::other)
}
