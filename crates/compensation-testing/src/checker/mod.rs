//! The checker.
mod dice;
mod hook;
mod line;
mod log;
mod play;
mod schedule;
mod stage;
mod store;
mod watch;

pub use line::{Line, LineError};

#[cfg(test)]
mod tests {
    use super::{line::Names, play::Subject, schedule::*};
    use compensation::*;

    #[test]
    fn speed() {
        let subject = Subject {
            world: Box::new(|_| ()),
            saga: Box::new(|_: &()| {
                let mut saga = Saga::<u32>::builder("five");
                for step in ["a", "b", "c", "d", "e"] {
                    saga.step(step, |_: StepContext<u32>| async { Ok::<_, StepError>(7) })
                        .undo(|_: UndoContext<u32>, _| async { Ok::<_, StepError>(()) })
                        .add();
                }
                saga.build().expect("sound")
            }),
            input: 1,
            names: Names::default(),
        };
        let begun = std::time::Instant::now();
        let n = 2000;
        for i in 0..n {
            let how = [WriteHow::DieAfter, WriteHow::FailAfter][i % 2];
            let schedule = Schedule(vec![
                Fault::Call(Hit { site: Site { kind: SiteKind::Action, index: (i % 5) as u16 }, nth: 1, times: 1, how: How::LoseReply }),
                Fault::Write { nth: (i % 14) as u32, how },
            ]);
            let played = subject.play(&schedule, false).expect("a runtime");
            assert!(played.report.is_some(), "{:?}", played.error);
            let state = played.stage.state();
            assert!(state.watch.broken.is_empty(), "{schedule:?} {:?}", state.watch.broken);
        }
        println!("{} a second", n as f64 / begun.elapsed().as_secs_f64());
    }
}
