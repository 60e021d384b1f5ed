//! What queues have in common: gathering, limits, retries, and what people want done with jobs.

mod support;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use runledger_listener::dispatch::{
    Dispatch, DispatchSettings, Dispatcher, Limits, Order, Queues, Sighting,
};
use runledger_listener::job::Job;
use runledger_listener::job_end::Retries;
use runledger_listener::ledger::{Claim, Ending, Entry, Ledger, State};
use runledger_listener::monitor::Numbers;
use runledger_listener::queue::{Account, Fault, JobState, Process, Recorder, Surroundings};
use support::*;

fn settings(limits: Limits) -> DispatchSettings {
    DispatchSettings {
        retries: Retries {
            limit: 2,
            first: Duration::from_millis(10),
            longest: Duration::from_millis(10),
        },
        limits,
        ..DispatchSettings::default()
    }
}

fn started(recorder: &Arc<Recorder>, limits: Limits) -> Dispatch {
    let queues = Queues::shared(recorder.clone());
    Dispatch::start(queues, settings(limits), publisher(Some(NOBODY)))
}

/// Without threads: one turn after the other.
fn by_hand(recorder: &Arc<Recorder>, limits: Limits) -> Dispatcher {
    let queues = Queues::shared(recorder.clone());
    Dispatcher::new(queues, settings(limits), publisher(Some(NOBODY)))
}

fn entry(job: &Job) -> Entry {
    let ledger = Ledger::open(&job.database_dir).unwrap();
    ledger.job(&job.processing_id).unwrap().unwrap()
}

fn planned_many(folder: &Path, count: u32) -> Vec<Job> {
    (1..=count).map(|run| planned(folder, run)).collect()
}

/// How many jobs each batch has, and how many of them run at once.
fn shape(recorder: &Recorder) -> Vec<(usize, Option<u32>)> {
    let batches = recorder.batches();
    let shape = batches
        .iter()
        .map(|batch| (batch.jobs.len(), batch.handover.width));
    shape.collect()
}

/// What a process finds that the recorder's queue has begun.
fn in_queue(id: &str) -> Surroundings {
    Surroundings {
        queue_id: Some(id.into()),
        cluster: Some("recorded".into()),
        restarts: 0,
    }
}

fn account(fault: Fault, words: &str) -> JobState {
    JobState::Ended(Account {
        ending: Ending::Unseen,
        fault,
        peak_memory: None,
        words: words.into(),
    })
}

#[test]
fn a_backlog_goes_as_arrays_one_after_the_other_and_a_lone_job_does_not_wait_behind_them() {
    let (folder, recorder) = (database(), Arc::new(Recorder::with_arrays_of(20)));
    planned_many(folder.path(), 58);
    let dispatcher = by_hand(&recorder, Limits::default());
    dispatcher.turn(folder.path(), Vec::new(), true).unwrap();
    assert_eq!(
        shape(&recorder),
        [(20, Some(15)), (20, Some(15)), (18, Some(15))]
    );
    let after: Vec<_> = recorder
        .batches()
        .into_iter()
        .map(|batch| batch.after.map(|ticket| ticket.id))
        .collect();
    assert_eq!(after, [None, Some("1".into()), Some("2".into())]);
    planned(folder.path(), 9000);
    dispatcher.turn(folder.path(), Vec::new(), true).unwrap();
    let lone = recorder.batches().pop().unwrap();
    assert_eq!((lone.jobs.len(), lone.after), (1, None));
}

#[test]
fn the_databases_own_number_of_concurrent_jobs_is_kept() {
    let (folder, recorder) = (database(), Arc::new(Recorder::default()));
    let mut db = runledger_storage::Database::open(folder.path()).unwrap();
    let three = runledger_storage::CellValue::Integer(3);
    db.set_setting("concurrent_jobs", &three).unwrap();
    planned_many(folder.path(), 10);
    by_hand(&recorder, Limits::default())
        .turn(folder.path(), Vec::new(), true)
        .unwrap();
    assert_eq!(shape(&recorder), [(10, Some(3))]);
}

#[test]
fn no_more_are_queued_than_the_limits_of_a_database_and_of_all_allow() {
    let (one, other, recorder) = (database(), database(), Arc::new(Recorder::default()));
    let limits = Limits {
        queued: Some(4),
        queued_total: Some(6),
        ..Limits::default()
    };
    let dispatcher = by_hand(&recorder, limits);
    for folder in [&one, &other] {
        planned_many(folder.path(), 10);
        let report = dispatcher.turn(folder.path(), Vec::new(), true).unwrap();
        assert!(report.next.is_some(), "the others have their turn later");
    }
    assert_eq!(shape(&recorder), [(4, Some(4)), (2, Some(2))]);
}

#[test]
fn where_one_may_run_many_go_as_an_array_of_which_one_runs() {
    let (folder, recorder) = (database(), Arc::new(Recorder::default()));
    let limits = Limits {
        running: Some(1),
        ..Limits::default()
    };
    planned_many(folder.path(), 5);
    let dispatcher = by_hand(&recorder, limits);
    dispatcher.turn(folder.path(), Vec::new(), true).unwrap();
    planned(folder.path(), 9);
    dispatcher.turn(folder.path(), Vec::new(), true).unwrap();
    assert_eq!(shape(&recorder), [(5, Some(1))]);
}

#[test]
fn what_ends_makes_room_for_what_waits() {
    let (folder, recorder) = (database(), Arc::new(Recorder::default()));
    let limits = Limits {
        queued: Some(1),
        ..Limits::default()
    };
    let jobs = planned_many(folder.path(), 2);
    let dispatch = started(&recorder, limits);
    dispatch.look_at(folder.path());
    eventually("the first one is submitted", || {
        recorder.batches().len() == 1
    });
    recorder.say(
        "1",
        account(Fault::Job, "its process ended with exit code 1"),
    );
    eventually("then the other one", || recorder.batches().len() == 2);
    assert_eq!(entry(&jobs[0]).state, State::Failed);
}

#[test]
fn a_refused_job_is_tried_again_and_then_it_has_failed() {
    let (folder, recorder) = (database(), Arc::new(Recorder::refusing()));
    let job = planned(folder.path(), 7);
    let dispatch = started(&recorder, Limits::default());
    dispatch.look_at(folder.path());
    eventually("it has failed", || entry(&job).state == State::Failed);
    let why = entry(&job).message.unwrap();
    assert!(
        why.contains("it refuses everything") && why.contains("3 times"),
        "{why}"
    );
    let told = Numbers::with(dispatch.numbers()).text().unwrap();
    assert!(told.contains("error=\"refused\"} 3"), "{told}");
    let ledger = Ledger::open(folder.path()).unwrap();
    assert_eq!(ledger.attempts(&job.processing_id).unwrap().len(), 3);
    drop(dispatch);
    recorder.refuses.store(false, Ordering::Relaxed);
    let ids = [job.processing_id.clone()];
    let again = by_hand(&recorder, Limits::default()).retry(folder.path(), &ids);
    assert_eq!(again.unwrap(), ids);
    assert_eq!(
        (entry(&job).state, entry(&job).failures),
        (State::Submitted, 0)
    );
}

#[test]
fn a_job_that_is_refused_while_somebody_asks_has_failed_at_once() {
    let (folder, recorder) = (database(), Arc::new(Recorder::refusing()));
    let (job, other) = (planned(folder.path(), 7), planned(folder.path(), 8));
    let dispatch = started(&recorder, Limits::default());
    let ids = [job.processing_id.clone()];
    dispatch.submit(folder.path(), &ids, Retries::NONE).unwrap();
    assert_eq!(entry(&job).state, State::Failed);
    let why = entry(&job).message.unwrap();
    assert!(why.contains("it refuses everything"), "{why}");
    assert_eq!(entry(&other).state, State::Planned);
}

#[test]
fn a_node_that_fails_costs_a_try_and_a_users_error_is_final() {
    let (folder, recorder) = (database(), Arc::new(Recorder::default()));
    let job = planned(folder.path(), 7);
    let dispatch = started(&recorder, Limits::default());
    dispatch.look_at(folder.path());
    eventually("it runs", || recorder.batches().len() == 1);
    let (mut ledger, here) = (
        Ledger::open(folder.path()).unwrap(),
        Surroundings::default(),
    );
    let claim = ledger.claim(&job.processing_id, Some(1), &Process::this(), &here);
    assert_eq!(claim.unwrap(), Claim::Granted(1));
    recorder.say("1", account(Fault::Queue, "its node failed"));
    recorder.say(
        "2",
        account(Fault::Job, "its process ended with exit code 1"),
    );
    eventually("it has failed", || entry(&job).state == State::Failed);
    assert_eq!(recorder.batches().len(), 2);
    assert_eq!(entry(&job).failures, 1);
    let ledger = Ledger::open(folder.path()).unwrap();
    let reasons: Vec<_> = ledger
        .attempts(&job.processing_id)
        .unwrap()
        .into_iter()
        .map(|attempt| attempt.reason.unwrap_or_default())
        .collect();
    assert_eq!(reasons[0], "its node failed");
}

#[test]
fn an_end_is_counted_once_by_the_listener_whoever_has_settled_it() {
    let (folder, recorder) = (database(), Arc::new(Recorder::default()));
    let jobs = planned_many(folder.path(), 2);
    let listener = by_hand(&recorder, Limits::default());
    listener.tell_of_ends();
    listener.turn(folder.path(), Vec::new(), true).unwrap();
    let mut ledger = Ledger::open(folder.path()).unwrap();
    for (job, task) in jobs.iter().zip(["1_0", "1_1"]) {
        let claim = ledger.claim(
            &job.processing_id,
            Some(1),
            &Process::this(),
            &in_queue(task),
        );
        assert_eq!(claim.unwrap(), Claim::Granted(1));
        recorder.say(
            task,
            account(Fault::Job, "its process ended with exit code 1"),
        );
    }
    // Somebody looks at the jobs before the listener asks the queue again.
    let looking = by_hand(&recorder, Limits::default());
    looking.refresh(folder.path()).unwrap();
    assert_eq!(entry(&jobs[0]).state, State::Failed);
    for _ in 0..2 {
        listener.refresh(folder.path()).unwrap();
        looking.refresh(folder.path()).unwrap();
    }
    assert_eq!(counted(&listener, "failed"), Some(2));
    assert_eq!(counted(&looking, "failed"), None);
}

/// How many jobs a monitor is told of that ended like this.
fn counted(dispatcher: &Dispatcher, state: &str) -> Option<u32> {
    let text = Numbers::with(dispatcher.numbers()).text().unwrap();
    let name = format!("runledger_job_duration_seconds_count{{state=\"{state}\"}} ");
    let count = text.lines().find_map(|line| line.strip_prefix(&name));
    count.map(|count| count.parse().unwrap())
}

#[test]
fn a_job_that_waits_for_ever_is_taken_out_and_submitted_anew() {
    let (folder, recorder) = (database(), Arc::new(Recorder::default()));
    let job = planned(folder.path(), 7);
    recorder.say("1", JobState::Stuck("DependencyNeverSatisfied".into()));
    let dispatch = started(&recorder, Limits::default());
    dispatch.look_at(folder.path());
    eventually("another one is submitted", || recorder.batches().len() == 2);
    assert_eq!(recorder.deleted(), ["1"]);
    eventually("it waits there", || entry(&job).state == State::Pending);
}

#[test]
fn a_job_that_was_taken_out_by_a_listener_that_died_just_then_is_submitted_anew() {
    let (folder, recorder) = (database(), Arc::new(Recorder::default()));
    let job = planned(folder.path(), 7);
    let dispatch = started(&recorder, Limits::default());
    dispatch.look_at(folder.path());
    eventually("it is submitted", || entry(&job).state == State::Pending);
    // What that one wrote down before it took the job out.
    let ledger = Ledger::open(folder.path()).unwrap();
    let waits = "it would have waited for ever in its queue: held";
    ledger.remark(&job.processing_id, waits).unwrap();
    recorder.say("1", account(Fault::Person, "cancelled in Slurm by root"));
    dispatch.look_at(folder.path());
    eventually("another one is submitted", || recorder.batches().len() == 2);
    eventually("it waits there", || entry(&job).state == State::Pending);
    // From now on it is a person who does so.
    recorder.say("2", account(Fault::Person, "cancelled in Slurm by root"));
    dispatch.look_at(folder.path());
    eventually("it is cancelled", || entry(&job).state == State::Cancelled);
}

#[test]
fn a_job_that_the_queue_forgot_is_lost_only_after_a_while_and_has_another_try() {
    let (folder, recorder) = (database(), Arc::new(Recorder::default()));
    planned(folder.path(), 7);
    recorder.say("1", JobState::Gone);
    let dispatch = started(&recorder, Limits::default());
    dispatch.look_at(folder.path());
    eventually("another one is submitted", || recorder.batches().len() == 2);
}

/// A job that was submitted, and that this process has begun.
fn begun_by(process: &Process, recorder: &Arc<Recorder>, folder: &Path) -> (Job, Dispatch) {
    let job = planned(folder, 7);
    let dispatch = started(recorder, Limits::default());
    dispatch.look_at(folder);
    eventually("it is submitted", || entry(&job).state == State::Pending);
    let mut ledger = Ledger::open(folder).unwrap();
    let claim = ledger.claim(&job.processing_id, Some(1), process, &in_queue("1"));
    assert_eq!(claim.unwrap(), Claim::Granted(1));
    (job, dispatch)
}

/// A process started for it a second time ends well, and has done nothing.
fn ended_well() -> JobState {
    account(Fault::Vanished, "its process ended with exit code 0")
}

#[test]
fn a_job_that_the_queue_forgot_or_started_twice_while_it_runs_is_not_lost() {
    for said in [JobState::Gone, ended_well()] {
        let (folder, recorder) = (database(), Arc::new(Recorder::default()));
        let (job, _dispatch) = begun_by(&Process::this(), &recorder, folder.path());
        recorder.say("1", said);
        let asked = recorder.asked();
        eventually("it was asked often", || recorder.asked() > asked + 50);
        assert_eq!(
            (entry(&job).state, recorder.batches().len()),
            (State::Running, 1)
        );
    }
}

#[test]
fn a_job_whose_process_is_seen_to_be_dead_has_another_try_at_once() {
    for said in [JobState::Gone, ended_well()] {
        let (folder, recorder) = (database(), Arc::new(Recorder::default()));
        let dead = Process {
            started: 1,
            ..Process::this()
        };
        let (_job, _dispatch) = begun_by(&dead, &recorder, folder.path());
        recorder.say("1", said);
        eventually("another one is submitted", || recorder.batches().len() == 2);
    }
}

#[test]
fn a_job_that_is_done_and_that_the_queue_would_do_again_is_taken_out_of_it() {
    let (folder, recorder) = (database(), Arc::new(Recorder::default()));
    let (job, dispatcher) = (
        planned(folder.path(), 7),
        by_hand(&recorder, Limits::default()),
    );
    dispatcher.turn(folder.path(), Vec::new(), true).unwrap();
    let mut ledger = Ledger::open(folder.path()).unwrap();
    let id = &job.processing_id;
    let claim = ledger.claim(id, Some(1), &Process::this(), &Surroundings::default());
    assert_eq!(claim.unwrap(), Claim::Granted(1));
    ledger.end(id, 1, State::Finished, None, None).unwrap();
    let attempt = ledger.last_attempt(id).unwrap().unwrap();
    let put_back = Sighting {
        is_requeued: true,
        state: JobState::Waiting("BeginTime".into()),
        attempt: attempt.into(),
    };
    let report = dispatcher
        .turn(folder.path(), vec![put_back], true)
        .unwrap();
    assert_eq!(recorder.deleted(), ["1"]);
    assert_eq!((entry(&job).state, report.open), (State::Finished, vec![]));
}

#[test]
fn a_queue_that_says_nothing_loses_nobody() {
    let (folder, recorder) = (database(), Arc::new(Recorder::default()));
    let job = planned(folder.path(), 7);
    recorder.say("1", JobState::Silent);
    let dispatch = started(&recorder, Limits::default());
    dispatch.look_at(folder.path());
    eventually("it was asked often", || recorder.asked() > 30);
    assert_eq!(
        (recorder.batches().len(), entry(&job).state),
        (1, State::Submitted)
    );
}

#[test]
fn a_word_that_we_do_not_know_is_shown_to_people() {
    let (folder, recorder) = (database(), Arc::new(Recorder::default()));
    let job = planned(folder.path(), 7);
    recorder.say("1", JobState::Other("EXPEDITING".into()));
    let dispatch = started(&recorder, Limits::default());
    dispatch.look_at(folder.path());
    eventually("it is in the ledger", || {
        entry(&job)
            .message
            .is_some_and(|message| message.contains("EXPEDITING"))
    });
}

#[test]
fn jobs_can_be_cancelled_stopped_and_killed_and_the_clients_hear_of_it() {
    let (folder, recorder) = (database(), Arc::new(Recorder::default()));
    let jobs = planned_many(folder.path(), 3);
    let dispatcher = by_hand(&recorder, Limits::default());
    dispatcher.turn(folder.path(), Vec::new(), true).unwrap();
    for (job, order) in jobs.iter().zip([Order::Cancel, Order::Stop, Order::Kill]) {
        let ids = [job.processing_id.clone()];
        let called_off = dispatcher.call_off(folder.path(), &ids, order).unwrap();
        assert_eq!(called_off.done, ids);
    }
    assert_eq!(recorder.deleted(), ["1_0", "1_1", "1_2"]);
    let states: Vec<_> = jobs
        .iter()
        .map(|job| (entry(job).state, entry(job).held))
        .collect();
    assert_eq!(
        states,
        [
            (State::Cancelled, false),
            (State::Planned, true),
            (State::Failed, false)
        ]
    );
    assert!(entry(&jobs[2]).message.unwrap().starts_with("killed by "));
    dispatcher.close(Duration::from_secs(1));
    let told = waiting(folder.path());
    let count = |kind: &str| told.iter().filter(|told| told["msg_kind"] == kind).count();
    assert_eq!(
        (count("processing_state_set"), count("processing_finished")),
        (3, 3)
    );
    let log = std::fs::read_to_string(jobs[0].log()).unwrap();
    assert!(log.contains("cancelled by "), "{log}");
}

#[test]
fn what_a_queue_does_not_give_up_goes_on_as_it_was_and_can_be_called_off_later() {
    let (folder, recorder) = (database(), Arc::new(Recorder::default()));
    let job = planned(folder.path(), 7);
    let dispatcher = by_hand(&recorder, Limits::default());
    dispatcher.turn(folder.path(), Vec::new(), true).unwrap();
    dispatcher.refresh(folder.path()).unwrap();
    let (before, ids) = (entry(&job), [job.processing_id.clone()]);
    recorder.denies.store(true, Ordering::Relaxed);
    for order in [Order::Cancel, Order::Stop, Order::Kill] {
        let refused = dispatcher.call_off(folder.path(), &ids, order).unwrap();
        assert_eq!((refused.done.len(), refused.denied.len()), (0, 1));
        assert_eq!(refused.denied[0].why, "it gives up nothing");
        assert_eq!(entry(&job), before);
    }
    let ledger = Ledger::open(folder.path()).unwrap();
    let attempt = ledger.last_attempt(&ids[0]).unwrap().unwrap();
    assert_eq!((attempt.ended_at, attempt.reason), (None, None));
    recorder.denies.store(false, Ordering::Relaxed);
    let called_off = dispatcher.call_off(folder.path(), &ids, Order::Cancel);
    assert_eq!(called_off.unwrap().done, ids);
    assert_eq!(
        (entry(&job).state, recorder.deleted()),
        (State::Cancelled, vec!["1".into()])
    );
}

#[test]
fn what_was_called_off_while_the_queue_did_not_answer_is_taken_off_it_later() {
    let (folder, recorder) = (database(), Arc::new(Recorder::default()));
    let job = planned(folder.path(), 7);
    recorder.say("1", JobState::Running);
    let dispatch = started(&recorder, Limits::default());
    dispatch.look_at(folder.path());
    eventually("it runs", || entry(&job).state == State::Running);
    let ids = [job.processing_id.clone()];
    let mut ledger = Ledger::open(folder.path()).unwrap();
    let cancelled = ledger.call_off(&ids, Some(State::Cancelled), "cancelled by me");
    assert_eq!(cancelled.unwrap().len(), 1);
    dispatch.look_at(folder.path());
    eventually("it is off the queue", || !recorder.deleted().is_empty());
}

#[test]
fn what_ended_well_without_a_word_was_called_off_just_then_and_is_done_again() {
    let (folder, recorder) = (database(), Arc::new(Recorder::default()));
    let job = planned(folder.path(), 7);
    recorder.say(
        "1",
        JobState::Ended(Account {
            ending: Ending::Exit(0),
            fault: Fault::Job,
            peak_memory: None,
            words: "its process ended with exit code 0".into(),
        }),
    );
    let dispatch = started(&recorder, Limits::default());
    dispatch.look_at(folder.path());
    eventually("it is submitted again", || recorder.batches().len() == 2);
    assert_eq!((entry(&job).failures, entry(&job).unbegun), (0, 1));
}

#[test]
fn what_is_stopped_stays_so_until_it_is_to_go_on() {
    let (folder, recorder) = (database(), Arc::new(Recorder::default()));
    let job = planned(folder.path(), 7);
    let dispatcher = by_hand(&recorder, Limits::default());
    let ids = [job.processing_id.clone()];
    dispatcher
        .call_off(folder.path(), &ids, Order::Stop)
        .unwrap();
    dispatcher.turn(folder.path(), Vec::new(), true).unwrap();
    assert!(recorder.batches().is_empty());
    dispatcher.retry(folder.path(), &ids).unwrap();
    assert_eq!(recorder.batches().len(), 1);
}
