//! Three processes share one schema; one is killed, one is stopped for longer than it may be silent and goes on
//! then. Every saga is completed, and nothing runs again that is recorded as done.
//!
//! The test starts this program again as those processes: with the variable `STORE` set it runs an engine on that
//! database until its standard input ends.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "that is how a process says that it is ready")]

mod base;

use std::{
    env,
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Command, ExitCode, Stdio},
    time::Duration,
};

use base::{
    Base, connect,
    trip::{Shop, check, effects, id, make_effects, trip},
};
use compensation::{
    Engine, Status,
    repository::{Created, Repository as _},
};
use compensation_postgres::PostgresOptions;
use libtest_mimic::{Arguments, Trial};

const SAGAS: usize = 5_000;

/// How long a process may be silent before the others take its sagas.
const SILENCE: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    if let (Ok(url), Ok(schema)) = (env::var("STORE"), env::var("SCHEMA")) {
        run(&url, &schema);
        return ExitCode::SUCCESS;
    }
    let test = Trial::test("of_three_processes_one_is_killed_and_one_is_stopped", || {
        runtime().block_on(of_three_processes_one_is_killed_and_one_is_stopped());
        Ok(())
    });
    libtest_mimic::run(&Arguments::from_args(), vec![test]).exit_code()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime")
}

/// One of the processes.
fn run(url: &str, schema: &str) {
    runtime().block_on(async {
        let shop = Shop::new(url, schema);
        let store = PostgresOptions::new().schema(schema).silence(SILENCE).open(url).await;
        let engine = Engine::open(store.expect("a store"))
            .register(trip(&shop))
            .max_concurrent(100)
            .start()
            .await
            .expect("an engine");
        println!("ready");
        let ended = tokio::task::spawn_blocking(|| {
            let mut rest = Vec::new();
            std::io::stdin().lock().read_to_end(&mut rest)
        });
        ended.await.expect("no panic").expect("an end");
        engine.drain().await;
    });
}

struct Process(Child);

impl Process {
    fn start(base: &Base) -> Self {
        let program = env::current_exe().expect("this program");
        let mut child = Command::new(program)
            .env("STORE", base.url())
            .env("SCHEMA", base.schema())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let mut line = String::new();
        let out = child.stdout.take().expect("a pipe");
        BufReader::new(out).read_line(&mut line).expect("a line");
        assert_eq!(line, "ready\n");
        Self(child)
    }

    fn signal(&self, signal: &str) {
        let process = self.0.id().to_string();
        let sent = Command::new("kill").args([signal, &process]).status().expect("a signal");
        assert!(sent.success());
    }

    /// Lets it drain and end.
    fn end(mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().expect("an end").success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Only where the test has failed is it still there.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn of_three_processes_one_is_killed_and_one_is_stopped() {
    let base = Base::new();
    let url = base.url();
    let mut client = connect(&url).await.expect("a connection");
    make_effects(&client, base.schema()).await;
    let store = base.options().open(&url).await.expect("a store");
    let definition = trip(&Shop::new(&url, base.schema()));
    let all = client.transaction().await.expect("a transaction");
    for number in 0..SAGAS {
        let saga = definition.prepare(id(number), &1).expect("a saga");
        assert!(matches!(store.start_in(&all, saga).await, Ok(Created::New(_))));
    }
    let [first, second, third] = [(); 3].map(|()| Process::start(&base));
    all.commit().await.expect("a commit");

    let until = async |question: &str| {
        // The server waits, not the test.
        let asked = format!("SELECT ({question}), pg_sleep(0.05)");
        while !client.query_one(&asked, &[]).await.expect("an answer").get::<_, bool>(0) {}
    };
    let effects = effects(base.schema());
    until(&format!("SELECT count(DISTINCT process) = 3 AND count(*) > 500 FROM {effects}")).await;
    first.signal("-KILL");
    until(&format!("SELECT count(*) > 3000 FROM {effects}")).await;
    second.signal("-STOP");
    let schema = base.schema();
    until(&format!("SELECT count(*) = {SAGAS} FROM {schema}.saga WHERE status = 2")).await;
    second.signal("-CONT");
    second.end();
    third.end();
    drop(first);

    let counts = store.counts().await.expect("counts");
    assert_eq!(counts.get(Status::Completed), SAGAS as u64);
    check(&store, &client, base.schema(), SAGAS).await;
}
