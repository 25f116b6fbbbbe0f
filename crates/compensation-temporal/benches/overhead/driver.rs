//! Drives one workflow without a worker: takes its commands, and answers each activity at once. It uses what the SDK
//! keeps for itself, which may change in any of its versions: only this benchmark depends on it.

use std::{cell::RefCell, mem, rc::Rc, task::Waker};

use temporalio_workflow::{
    __private::sdk::{
        GuestWorkflowInstance, MAIN_ROUTINE_ID, MainRoutineCompletion, RoutineCompletion,
        TerminalOutcome, WorkflowActivation, WorkflowHost, WorkflowImplementation, WorkflowInit,
    },
    BaseWorkflowContext,
    common::{
        WorkflowDefinition,
        data_converters::{DataConverter, PayloadConverter},
        protos::{
            coresdk::{
                activity_result::{
                    ActivityResolution, Failure as Failed, Success, activity_resolution::Status,
                },
                workflow_activation::{
                    InitializeWorkflow, ResolveActivity, WorkflowActivationJob,
                    workflow_activation_job::Variant,
                },
                workflow_commands::{ScheduleActivity, WorkflowCommand, workflow_command},
            },
            temporal::api::{
                common::v1::Payload,
                enums::v1::RetryState,
                failure::v1::{
                    ActivityFailureInfo, ApplicationFailureInfo, Failure, failure::FailureInfo,
                },
            },
        },
    },
};

use crate::workflows::{Plan, REFUSES};

/// How a workflow ended.
pub(crate) struct End {
    pub(crate) completed: bool,
    pub(crate) activities: u32,
}

#[derive(Default)]
struct Host(RefCell<Vec<WorkflowCommand>>);

impl WorkflowHost for Host {
    fn set_current_details(&self, _: String) {}

    fn push_command(&self, command: WorkflowCommand) {
        self.0.borrow_mut().push(command);
    }
}

/// Runs the workflow to its end.
pub(crate) fn drive<W>(plan: &Plan) -> End
where
    W: WorkflowImplementation,
    <W::Run as WorkflowDefinition>::Input: Send,
{
    let host = Rc::new(Host::default());
    let start = InitializeWorkflow {
        workflow_type: W::name().to_owned(),
        workflow_id: "bench".to_owned(),
        ..InitializeWorkflow::default()
    };
    let init = WorkflowInit {
        namespace: "default".to_owned(),
        task_queue: "bench".to_owned(),
        run_id: "run".to_owned(),
        initialize_workflow: start.clone(),
    };
    let context = BaseWorkflowContext::from_raw(
        init,
        DataConverter::default(),
        host.clone(),
        None,
        Vec::new(),
    );
    let input = vec![json(&serde_json::to_vec(plan).expect("plain data"))];
    let mut workflow =
        GuestWorkflowInstance::<W>::instantiate(input, PayloadConverter::default(), context)
            .expect("its input is read");
    let (mut jobs, mut activities) = (vec![Variant::InitializeWorkflow(start)], 0);
    for second in 1.. {
        let activation = WorkflowActivation {
            run_id: "run".to_owned(),
            timestamp: Some(std::time::SystemTime::UNIX_EPOCH.into()),
            history_length: second,
            jobs: mem::take(&mut jobs)
                .into_iter()
                .map(|variant| WorkflowActivationJob { variant: Some(variant) })
                .collect(),
            ..WorkflowActivation::default()
        };
        workflow.activate(activation, Waker::noop()).expect("it is taken");
        let polled = workflow.poll_routine(MAIN_ROUTINE_ID, Waker::noop()).expect("it is polled");
        if let Some(RoutineCompletion::Main(MainRoutineCompletion::Terminal(end))) =
            polled.completion
        {
            return End { completed: matches!(*end, TerminalOutcome::Completed(_)), activities };
        }
        for command in host.0.take() {
            if let Some(workflow_command::Variant::ScheduleActivity(activity)) = command.variant {
                activities += 1;
                jobs.push(Variant::ResolveActivity(answer(&activity)));
            }
        }
        assert!(!jobs.is_empty(), "it waits for something else than an activity");
    }
    unreachable!("numbers do not end")
}

fn answer(activity: &ScheduleActivity) -> ResolveActivity {
    let status = if activity.activity_type == REFUSES {
        Status::Failed(Failed { failure: Some(refusal()), ..Failed::default() })
    } else {
        Status::Completed(Success { result: Some(json(b"\"done\"")) })
    };
    ResolveActivity {
        seq: activity.seq,
        result: Some(ActivityResolution { status: Some(status) }),
        is_local: false,
    }
}

fn json(data: &[u8]) -> Payload {
    let metadata = [("encoding".to_owned(), b"json/plain".to_vec())].into();
    Payload { metadata, data: data.to_vec(), ..Payload::default() }
}

fn refusal() -> Failure {
    let said = ApplicationFailureInfo { non_retryable: true, ..ApplicationFailureInfo::default() };
    let said = Failure {
        message: "refused".to_owned(),
        failure_info: Some(FailureInfo::ApplicationFailureInfo(said)),
        ..Failure::default()
    };
    let info = ActivityFailureInfo {
        retry_state: RetryState::NonRetryableFailure.into(),
        ..ActivityFailureInfo::default()
    };
    Failure {
        message: "Activity task failed".to_owned(),
        failure_info: Some(FailureInfo::ActivityFailureInfo(info)),
        cause: Some(Box::new(said)),
        ..Failure::default()
    }
}
