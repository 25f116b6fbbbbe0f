//! Ends all that a guard started, wherever those processes went.
//!
//! A process group is not enough: `timeout`, `setsid` and shells with job control make groups of their own.
//! A guard leads a session, and what leaves the session and loses its parent becomes the guard's child. So
//! as long as the guard lives, everything is in its session or descends from it.

use rustix::process::{Pid, Signal, kill_process_group};

/// Kills what that guard started, but not the guard. When this returns, nothing of it runs any more,
/// except what this user may not kill.
///
/// Where the system does not list its processes, `group` is killed.
pub(super) fn started_by(guard: Pid, group: Option<Pid>) {
    #[cfg(target_os = "linux")]
    if listed::kill(guard).is_ok() {
        return;
    }
    #[cfg(not(target_os = "linux"))]
    let _ = guard;
    if let Some(group) = group {
        // There may be nobody left.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// By the processes that `/proc` lists.
#[cfg(target_os = "linux")]
mod listed {
    use std::{collections::HashSet, fs, io, path::Path, thread, time::Duration};

    use rustix::{
        io::Errno,
        process::{Pid, Signal, getpid, kill_process},
    };

    /// How often it is looked whether anything is left.
    const ROUNDS: u32 = 400;

    /// What a killed process gets to end.
    const PAUSE: Duration = Duration::from_millis(2);

    /// A list is not of one moment: a process may have a child where it was looked at already, and end before
    /// it is looked at itself. So one list without anything proves nothing.
    const EMPTY_LISTS: u32 = 2;

    /// What is told of a process.
    #[derive(Debug, PartialEq, Eq)]
    pub(super) struct Listed {
        pub(super) id: i32,
        pub(super) parent: i32,
        pub(super) session: i32,
        pub(super) dead: bool,
    }

    pub(super) fn kill(guard: Pid) -> io::Result<()> {
        let mut empty = 0;
        for _ in 0..ROUNDS {
            let mut left = started_by(&list()?, guard.as_raw_nonzero().get());
            // What runs as another user is not ours to kill.
            left.retain(|&process| kill_process(process, Signal::KILL) != Err(Errno::PERM));
            if left.is_empty() {
                empty += 1;
                if empty == EMPTY_LISTS {
                    return Ok(());
                }
            } else {
                empty = 0;
                thread::sleep(PAUSE);
            }
        }
        Ok(())
    }

    /// What lives in the guard's session or descends from it.
    pub(super) fn started_by(all: &[Listed], guard: i32) -> Vec<Pid> {
        let mut ours = HashSet::from([guard]);
        ours.extend(all.iter().filter(|process| process.session == guard).map(|found| found.id));
        loop {
            let known = ours.len();
            let children = all.iter().filter(|process| ours.contains(&process.parent));
            let children: Vec<_> = children.map(|process| process.id).collect();
            ours.extend(children);
            if ours.len() == known {
                break;
            }
        }
        let alive = all.iter().filter(|process| !process.dead && process.id != guard);
        let left = alive.filter(|process| ours.contains(&process.id));
        left.filter_map(|process| Pid::from_raw(process.id)).collect()
    }

    fn list() -> io::Result<Vec<Listed>> {
        let me = getpid().as_raw_nonzero().to_string();
        if fs::read_link("/proc/self")? != Path::new(&me) {
            // It lists another namespace, where our numbers are other processes.
            return Err(io::ErrorKind::NotFound.into());
        }
        let mut all = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let entry = entry?;
            if entry.file_name().as_encoded_bytes().first().is_some_and(u8::is_ascii_digit) {
                // One that can't be read is gone.
                let stat = fs::read(entry.path().join("stat")).unwrap_or_default();
                all.extend(parse(&String::from_utf8_lossy(&stat)));
            }
        }
        Ok(all)
    }

    /// One `stat` file: `ID (NAME) STATE PARENT GROUP SESSION ...`; the name may hold anything.
    pub(super) fn parse(stat: &str) -> Option<Listed> {
        let (id, rest) = stat.split_once(' ')?;
        let (_, rest) = rest.rsplit_once(')')?;
        let rest: Vec<&str> = rest.split_ascii_whitespace().collect();
        let [state, parent, _, session, ..] = rest.as_slice() else { return None };
        // With more than one thread, it is only the first of them that has ended.
        let threads: u32 = rest.get(17)?.parse().ok()?;
        Some(Listed {
            id: id.parse().ok()?,
            parent: parent.parse().ok()?,
            session: session.parse().ok()?,
            dead: matches!(*state, "Z" | "X") && threads <= 1,
        })
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::listed::{Listed, parse, started_by};

    fn process(id: i32, parent: i32, session: i32) -> Listed {
        Listed { id, parent, session, dead: false }
    }

    fn left(all: &[Listed]) -> Vec<i32> {
        started_by(all, 10).into_iter().map(|left| left.as_raw_nonzero().get()).collect()
    }

    #[test]
    fn what_is_of_the_session_or_descends_from_the_guard_is_its_own() {
        let all = [
            process(1, 0, 1),
            process(10, 1, 10),
            process(11, 10, 10),
            // Its parent comes later in the list.
            process(12, 13, 12),
            process(13, 11, 13),
            // Of the session, though its parent is not.
            process(14, 1, 10),
            process(15, 1, 15),
        ];
        assert_eq!(left(&all), [11, 12, 13, 14]);
    }

    #[test]
    fn the_dead_are_not_left() {
        let dead = Listed { dead: true, ..process(11, 10, 10) };
        assert_eq!(left(&[process(10, 1, 10), dead]), [0; 0]);
    }

    #[test]
    fn a_name_may_look_like_the_fields_behind_it() {
        let stat = "12 (a) Z 1 1 1) S 10 12 9 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 99 100 1\n";
        assert_eq!(parse(stat), Some(process(12, 10, 9)));
    }

    #[test]
    fn a_process_whose_first_thread_alone_has_ended_lives() {
        let stat = |threads| format!("12 (a) Z 10 12 9 0 -1 0 0 0 0 0 0 0 0 0 20 0 {threads} 0 99");
        assert_eq!(parse(&stat(2)).map(|process| process.dead), Some(false));
        assert_eq!(parse(&stat(1)).map(|process| process.dead), Some(true));
    }
}
