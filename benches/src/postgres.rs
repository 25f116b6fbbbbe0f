//! Durable sagas on a PostgreSQL server of the machine's own packages, which syncs its disk, against a raw
//! yardstick: the same rows by one batched statement on one connection, without engine, plans or owners. Each
//! round is measured in processes of their own, in turn, so that both see the same machine.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use compensation::{Engine, SagaId};
use compensation_postgres::PostgresRepository;
use loopback_postgres::{SUPERUSER, Server, Syncs};
use tokio::sync::{mpsc, oneshot};
use tokio_postgres::{Client, NoTls};

use crate::{
    Plan,
    durable::{drive, sagas},
    sagas::{Mode, saga},
    table::{Table, median, number},
};

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_millis(2_000);
const IN_FLIGHT: [usize; 4] = [1, 8, 64, 512];
const PROCESSES: [usize; 2] = [1, 3];

/// Most rows of the yardstick in one statement, as in the store.
const BATCH: usize = 256;

/// A process that is measured.
struct Worker {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// What a round of one or several processes gave.
struct Round {
    per_second: f64,
    sagas: f64,
    p50: f64,
    p99: f64,
}

impl Worker {
    fn start(what: &str, url: &str, in_flight: usize) -> Self {
        let program = std::env::current_exe().expect("this program");
        let mut child = Command::new(program)
            .args(["--worker", what, url, &in_flight.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let orders = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut worker = Self { child, orders, answers };
        assert_eq!(worker.hear(), "ready");
        worker
    }

    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("a line");
        line.trim().to_owned()
    }

    fn order(&mut self, span: Duration) {
        let orders = self.orders.as_mut().expect("open until the end");
        writeln!(orders, "{}", span.as_millis()).expect("a worker that listens");
    }

    fn end(mut self) {
        self.orders = None;
        self.child.wait().expect("an end");
    }
}

fn round(workers: &mut [Worker], span: Duration) -> Round {
    workers.iter_mut().for_each(|worker| worker.order(span));
    let told: Vec<Vec<f64>> = workers
        .iter_mut()
        .map(|worker| {
            let line = worker.hear();
            line.split(' ').map(|figure| figure.parse().expect("a figure")).collect()
        })
        .collect();
    Round {
        sagas: told.iter().map(|one| one[0]).sum(),
        per_second: told.iter().map(|one| one[1]).sum(),
        p50: median(told.iter().map(|one| one[2]).collect()),
        p99: told.iter().map(|one| one[3]).fold(0.0, f64::max),
    }
}

pub(crate) fn measure(plan: &Plan) -> Table {
    let columns = [
        "processes",
        "in flight",
        "sagas/s",
        "raw/s",
        "ratio",
        "p50 ms",
        "p99 ms",
        "raw p50 ms",
        "WAL bytes a saga",
        "raw WAL bytes",
    ];
    let mut table = Table::new("Durable: PostgreSQL on this machine, `fsync=on`", &columns);
    let span = Duration::from_millis(plan.scale(ROUND.as_millis() as u64).max(20));
    for in_flight in IN_FLIGHT {
        for processes in PROCESSES {
            if in_flight < processes {
                continue;
            }
            let server = Server::start_in(&plan.dir, Syncs::Yes).expect("a server");
            let url = server.url(SUPERUSER, "postgres");
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            let look = runtime.block_on(connect(&url));
            let written = || runtime.block_on(wal(&look));
            let share = |place| (in_flight + place) / processes;
            let mut ours: Vec<_> =
                (0..processes).map(|place| Worker::start("sagas", &url, share(place))).collect();
            let mut raw = [Worker::start("raw", &url, in_flight)];
            let (mut rounds, mut bytes) = (Vec::new(), Vec::new());
            for number in 0..=ROUNDS {
                let start = written();
                let one = round(&mut ours, span);
                let between = written();
                let two = round(&mut raw, span);
                // The first round warms both up.
                if number > 0 {
                    bytes.push(((between - start) / one.sagas, (written() - between) / two.sagas));
                    rounds.push((one, two));
                }
            }
            ours.into_iter().chain(raw).for_each(Worker::end);
            let of = |value: fn(&(Round, Round)) -> f64| median(rounds.iter().map(value).collect());
            table.row([
                processes.to_string(),
                in_flight.to_string(),
                number(of(|(ours, _)| ours.per_second)),
                number(of(|(_, raw)| raw.per_second)),
                format!("{:.2}", of(|(ours, raw)| ours.per_second / raw.per_second)),
                format!("{:.2}", of(|(ours, _)| ours.p50)),
                format!("{:.2}", of(|(ours, _)| ours.p99)),
                format!("{:.2}", of(|(_, raw)| raw.p50)),
                number(median(bytes.iter().map(|(ours, _)| *ours).collect())),
                number(median(bytes.iter().map(|(_, raw)| *raw).collect())),
            ]);
        }
    }
    table
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("a connection");
    tokio::spawn(connection);
    client
}

async fn wal(client: &Client) -> f64 {
    let place = "SELECT (pg_current_wal_insert_lsn() - '0/0')::float8";
    client.query_one(place, &[]).await.expect("a place").get(0)
}

/// The process that is measured: a round for each line that it is given.
pub(crate) fn work(what: &str, url: &str, in_flight: usize) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let round: Box<dyn Fn(Duration)> = match what {
        "sagas" => {
            let engine = runtime.block_on(async {
                let store = PostgresRepository::open(url).await.expect("a store");
                Engine::open(store).register(saga()).start().await.expect("an engine")
            });
            let runtime = runtime.handle().clone();
            Box::new(move |span| {
                told(runtime.block_on(sagas(&engine, Mode::Forward, in_flight, span)));
            })
        }
        _ => {
            let raw = Arc::new(runtime.block_on(Raw::start(url)));
            let runtime = runtime.handle().clone();
            Box::new(move |span| {
                let raw = raw.clone();
                let one = move |_| {
                    let raw = raw.clone();
                    async move { raw.saga().await }
                };
                told(runtime.block_on(drive(in_flight, span, one)));
            })
        }
    };
    println!("ready");
    for line in std::io::stdin().lock().lines() {
        let millis = line.expect("a line").parse().expect("milliseconds");
        round(Duration::from_millis(millis));
    }
}

fn told(rate: crate::durable::Rate) {
    println!("{} {} {} {}", rate.sagas, rate.per_second, rate.p50, rate.p99);
}

/// The yardstick: rows like the store's, written by one task in one statement for all that waits.
struct Raw {
    queue: mpsc::Sender<(Row, oneshot::Sender<()>)>,
}

#[derive(Clone, Copy)]
enum Row {
    Start(i64),
    Entry(i64, i32),
    Last(i64),
}

const RAW_TABLES: &str = "
CREATE TABLE IF NOT EXISTS raw_saga (key bigint PRIMARY KEY, created bigint, updated bigint, plan integer,
    owner integer, status smallint NOT NULL, id text COLLATE \"C\" UNIQUE, reason text, input text, start text);
CREATE TABLE IF NOT EXISTS raw_journal (saga bigint, at bigint, seq integer, body text, PRIMARY KEY (saga, seq))";

const RAW_WRITE: &str = "WITH started AS (
        INSERT INTO raw_saga (key, created, updated, plan, owner, status, id, input, start)
        SELECT key, 0, 0, 1, 1, 0, id, 'false', '[{\"e\":\"action_started\",\"s\":0}]'
        FROM unnest($1::int8[], $2::text[]) AS new (key, id)
    ), entries AS (
        INSERT INTO raw_journal (saga, at, seq, body)
        SELECT saga, 0, seq, '[{\"e\":\"action_done\",\"s\":0,\"output\":1},{\"e\":\"action_started\",\"s\":1}]'
        FROM unnest($3::int8[], $4::int4[]) AS new (saga, seq)
    )
    UPDATE raw_saga SET status = 2, owner = NULL WHERE key = ANY ($5::int8[])";

impl Raw {
    async fn start(url: &str) -> Self {
        let client = connect(url).await;
        client.batch_execute(RAW_TABLES).await.expect("tables");
        let settings = "SET jit TO off; SET enable_seqscan TO off; SET enable_hashjoin TO off";
        client.batch_execute(settings).await.expect("settings");
        let write = client.prepare(RAW_WRITE).await.expect("a statement");
        let (queue, mut asked) = mpsc::channel::<(Row, oneshot::Sender<()>)>(4_096);
        tokio::spawn(async move {
            let mut batch = Vec::new();
            while asked.recv_many(&mut batch, BATCH).await > 0 {
                let (mut keys, mut ids) = (Vec::new(), Vec::new());
                let (mut sagas, mut seqs, mut ends) = (Vec::new(), Vec::new(), Vec::new());
                for (row, _) in &batch {
                    match *row {
                        Row::Start(key) => {
                            keys.push(key);
                            ids.push(SagaId::random().to_string());
                        }
                        Row::Entry(saga, seq) => {
                            sagas.push(saga);
                            seqs.push(seq);
                        }
                        Row::Last(saga) => {
                            sagas.push(saga);
                            seqs.push(3);
                            ends.push(saga);
                        }
                    }
                }
                let written = client.execute(&write, &[&keys, &ids, &sagas, &seqs, &ends]).await;
                written.expect("rows");
                for (_, reply) in batch.drain(..) {
                    // Whoever waited may have gone.
                    let _ = reply.send(());
                }
            }
        });
        Self { queue }
    }

    async fn write(&self, row: Row) {
        let (reply, done) = oneshot::channel();
        assert!(self.queue.send((row, reply)).await.is_ok(), "a writer");
        done.await.expect("a writer");
    }

    async fn saga(&self) {
        use std::sync::atomic::{AtomicI64, Ordering};
        static KEYS: AtomicI64 = AtomicI64::new(1);
        let key = KEYS.fetch_add(1, Ordering::Relaxed);
        self.write(Row::Start(key)).await;
        self.write(Row::Entry(key, 1)).await;
        self.write(Row::Entry(key, 2)).await;
        self.write(Row::Last(key)).await;
    }
}
