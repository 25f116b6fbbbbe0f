//! The physical yardstick: an append log that does nothing but group commit. What waits is written in one
//! go, synced once, and acknowledged.

use std::{fs::File, io::Write as _, path::Path, thread};

use tokio::sync::{mpsc, oneshot};

/// Bytes of a record.
const RECORD: usize = 200;

/// Most records in one sync, as in the store.
const BATCH: usize = 256;

pub(crate) struct RawLog {
    queue: Option<mpsc::Sender<oneshot::Sender<()>>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl RawLog {
    pub(crate) fn create(path: &Path) -> Self {
        let mut file = File::create(path).expect("a log");
        let (queue, mut asked) = mpsc::channel::<oneshot::Sender<()>>(4_096);
        let thread = thread::spawn(move || {
            let mut batch = Vec::new();
            let record = [b'x'; RECORD];
            let mut block = Vec::new();
            while asked.blocking_recv_many(&mut batch, BATCH) > 0 {
                block.clear();
                batch.iter().for_each(|_| block.extend_from_slice(&record));
                file.write_all(&block).expect("a write");
                file.sync_data().expect("a sync");
                for reply in batch.drain(..) {
                    // Whoever waited may have gone.
                    let _ = reply.send(());
                }
            }
        });
        Self { queue: Some(queue), thread: Some(thread) }
    }

    /// Appends a record and waits until it is durable.
    pub(crate) async fn append(&self) {
        let (reply, done) = oneshot::channel();
        let queue = self.queue.as_ref().expect("open until it is dropped");
        queue.send(reply).await.expect("the log lives");
        done.await.expect("the log lives");
    }
}

impl Drop for RawLog {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the log did not panic");
        }
    }
}
