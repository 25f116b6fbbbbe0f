//! Records of undos under the loss of power.

use std::path::Path;

use compensation::{
    CompensationStatus,
    records::{RecordRepository, UndoRecord},
};
use compensation_sqlite::{SqliteOptions, SqliteRecords};
use powercut::{Disk, VFS};
use tempfile::tempdir;

use crate::{IMAGES, assert_sound, losses, runtime, seeds};

/// How many of the acknowledged changes are lost: `2n` says that record n was saved, `2n + 1` that it was started.
fn lost(folder: &Path, told: &[u64]) -> usize {
    let path = folder.join("records.db");
    if !path.exists() {
        return told.len();
    }
    let records = SqliteRecords::open(&path).expect("records");
    let lost = runtime().block_on(async {
        let mut lost = 0;
        for change in told {
            let history = records.history(&format!("order-{}", change / 2)).await.expect("a look");
            let kept = match history.first() {
                None => false,
                Some(record) => change % 2 == 0 || record.status == CompensationStatus::Running,
            };
            lost += usize::from(!kept);
        }
        lost
    });
    drop(records);
    assert_sound(&path);
    lost
}

#[test]
fn records_that_were_acknowledged_survive_the_loss_of_power() {
    for seed in seeds() {
        let folder = tempdir().expect("a directory");
        let disk = Disk::watch(folder.path());
        let options = SqliteOptions::new().vfs(VFS);
        let path = folder.path().join("records.db");
        let records = std::sync::Arc::new(options.open_records(path).expect("records"));
        runtime().block_on(async {
            let mut tasks = Vec::new();
            for number in 0..24 {
                let (records, disk) = (records.clone(), disk.clone());
                tasks.push(tokio::spawn(async move {
                    let record = UndoRecord::new(format!("order-{number}"), "charge-card");
                    let saved = records.save(record).await.expect("a record");
                    disk.acknowledge(2 * number);
                    records.mark_started(saved.id).await.expect("a start");
                    disk.acknowledge(2 * number + 1);
                }));
            }
            for task in tasks {
                task.await.expect("no panic");
            }
        });
        drop(records);
        assert_eq!(losses(&disk, seed, IMAGES, lost), 0, "images with losses, in run {seed}");
    }
}
