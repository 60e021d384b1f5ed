//! Jobs in a real Slurm: submitted alone and as arrays, watched, settled, and called off.

use std::process::Command;

use runledger_listener::kafka::{Consumer, ConsumerSettings, Properties, Start};
use runledger_listener::ledger::State;
use runledger_tests::{Finished, OnSlurm, Site, Slurm};
use std::time::{Duration, Instant};

const CONTEXT: &str = r#"
import os, time
from damnit_ctx import Variable

@Variable(title="Energy")
def energy(run, n: "meta#run_number"):
    print("evaluating", n)
    return 1.5 * n

@Variable()
def trouble(run, x: "var#energy"):
    if os.path.exists("wait"):
        open("waits", "w").close()
        while os.path.exists("wait"):
            time.sleep(0.05)
    if os.path.exists("die"):
        os.kill(os.getppid(), 9)
        time.sleep(60)
    return 2

@Variable(cluster=True)
def heavy(run, x: "var#energy"):
    return x + 1
"#;

fn on_slurm(site: Site) -> Option<OnSlurm<'static>> {
    Some(OnSlurm::new(Slurm::shared()?, site.watching(CONTEXT), ""))
}

#[test]
fn a_lone_notification_becomes_a_job_on_shared_nodes_whose_clients_know_its_name() {
    let Some(on) = on_slurm(Site::with_broker()) else {
        return;
    };
    let listener = on.listener();
    let combiner = on.site.service(&["combiner", "run"]);
    on.site.announce("migration_complete", 7);
    let energy = "SELECT value FROM run_variables WHERE name='energy' AND run=7";
    on.until("its value in the table", &listener, || {
        on.site.number(energy) == Some(10.5)
    });
    on.until("it is settled", &listener, || {
        on.attempts()[0].exit_code == Some(0)
    });
    let attempt = &on.attempts()[0];
    assert_eq!(
        (attempt.queue.as_str(), attempt.cluster.as_deref()),
        ("slurm", Some("solaris"))
    );
    let id = attempt.queue_id.clone().expect("its name in Slurm");
    let states = told(&on.site, &attempt.processing_id);
    assert_eq!(
        states[0],
        ("PENDING".to_owned(), "solaris".to_owned(), id.clone())
    );
    assert_eq!(
        states[1],
        ("RUNNING".to_owned(), "solaris".to_owned(), id.clone())
    );
    assert!(
        on.site
            .run_log(7)
            .contains(&format!("job id: {id}, cluster: solaris"))
    );
    let heavy = "SELECT value FROM run_variables WHERE name='heavy' AND run=7";
    on.until("the cluster variable's value", &listener, || {
        on.site.number(heavy) == Some(11.5)
    });
    let jobs = on.jobs();
    assert_eq!(jobs.len(), 2, "{jobs:#?}");
    let follow_up = on.ledger().last_attempt(&jobs[1].job.processing_id);
    let follow_up = follow_up.expect("the ledger").expect("an attempt");
    assert_eq!(follow_up.cluster.as_deref(), Some("maxwell"));
    // Once over both jobs.
    assert_eq!(on.site.run_log(7).matches("evaluating 7").count(), 1);
    drop(combiner);
}

/// The states of a job that its clients heard of: status, cluster, id.
fn told(site: &Site, processing_id: &str) -> Vec<(String, String, String)> {
    let db_id = site
        .text("SELECT value FROM metameta WHERE key='db_id'")
        .expect("the database's id");
    let consumer = Consumer::new(ConsumerSettings {
        brokers: site.broker_address.clone(),
        topics: vec![format!("test.damnit.db-{db_id}")],
        group_id: "looks".into(),
        start: Start::Earliest,
        properties: Properties::new(),
    })
    .expect("a consumer");
    let mut states = Vec::new();
    let until = Instant::now() + Duration::from_secs(60);
    while states.len() < 2 {
        assert!(Instant::now() < until, "{states:?}");
        for message in consumer
            .poll(Duration::from_millis(200), 100)
            .expect("messages")
        {
            let told: serde_json::Value = serde_json::from_slice(&message.payload).expect("JSON");
            let data = &told["data"];
            let text = |key: &str| data[key].as_str().unwrap_or_default().to_owned();
            if told["msg_kind"] == "processing_state_set" && data["processing_id"] == processing_id
            {
                states.push((text("status"), text("slurm_cluster"), text("slurm_job_id")));
            }
        }
    }
    states
}

#[test]
fn many_jobs_go_as_one_array_whose_tasks_write_their_runs_logs() {
    let Some(on) = on_slurm(Site::quiet()) else {
        return;
    };
    on.plan(1..=12);
    let listener = on.listener();
    on.until("all have ended", &listener, || {
        on.ordinary()
            .iter()
            .all(|entry| entry.state == State::Finished)
    });
    let attempts = on.attempts();
    let arrays: std::collections::BTreeSet<_> = attempts
        .iter()
        .filter_map(|attempt| {
            attempt
                .queue_id
                .as_ref()?
                .split_once('_')
                .map(|(array, _)| array.to_owned())
        })
        .collect();
    assert_eq!((attempts.len(), arrays.len()), (12, 1), "{attempts:#?}");
    for run in 1..=12 {
        let log = on.site.run_log(run);
        assert!(log.contains(&format!("evaluating {run}\n")), "{run}: {log}");
    }
    on.until("their exit codes are known", &listener, || {
        on.attempts()
            .iter()
            .all(|attempt| attempt.exit_code == Some(0))
    });
}

#[test]
fn a_job_that_dies_has_failed_and_is_not_tried_again() {
    let Some(on) = on_slurm(Site::quiet()) else {
        return;
    };
    on.touch("die");
    on.plan(7..=7);
    let listener = on.listener();
    on.until_all_are(State::Failed, &listener);
    let entry = &on.jobs()[0];
    assert!(
        entry
            .message
            .as_ref()
            .is_some_and(|why| why.contains("SIGKILL")),
        "{entry:#?}"
    );
    assert!(on.site.run_log(7).contains("SIGKILL"));
    on.until("it is settled", &listener, || {
        on.attempts()[0].signal == Some(9)
    });
    assert_eq!(on.attempts().len(), 1);
}

#[test]
fn a_job_that_somebody_cancels_in_slurm_is_cancelled() {
    let Some(on) = on_slurm(Site::quiet()) else {
        return;
    };
    on.touch("wait");
    on.plan(7..=7);
    let listener = on.listener();
    on.until("it runs", &listener, || on.site.db().join("waits").exists());
    let attempt = &on.attempts()[0];
    let id = attempt.queue_id.clone().expect("its name in Slurm");
    let mut scancel: Command = on.slurm.command("scancel", &["--clusters", "solaris", &id]);
    Finished::of(&mut scancel).succeeded();
    on.until("its end is known", &listener, || {
        on.jobs()[0].state.is_final()
    });
    on.remove("wait");
    on.until("it is settled", &listener, || {
        on.ledger().open_attempts().expect("attempts").is_empty()
    });
}

#[test]
fn a_job_that_somebody_holds_waits_and_says_why_until_it_is_released() {
    let Some(on) = on_slurm(Site::quiet()) else {
        return;
    };
    on.site
        .configure("[slurm]\n", "[slurm]\nshared_options = [\"--hold\"]\n");
    on.plan(7..=7);
    let listener = on.listener();
    on.until("it says why it waits", &listener, || {
        let why = on.ordinary()[0].message.clone();
        why.is_some_and(|why| why.contains("its user holds it in Slurm (JobHeldUser)"))
    });
    let listed = Finished::of(
        on.site
            .command(&on.site.db(), &["jobs"])
            .envs(on.slurm.environment()),
    );
    assert!(listed.succeeded().stdout.contains("JobHeldUser"));
    let id = on.attempts()[0]
        .queue_id
        .clone()
        .expect("its name in Slurm");
    let release = ["--cluster", "solaris", "release", &id];
    Finished::of(&mut on.slurm.command("scontrol", &release)).succeeded();
    on.until("it has ended", &listener, || {
        on.ordinary()[0].state == State::Finished
    });
    let entry = &on.ordinary()[0];
    assert_eq!((entry.failures, entry.message.as_deref()), (0, None));
    assert_eq!(on.attempts().len(), 1);
}

#[test]
fn a_controller_that_is_killed_and_comes_back_costs_no_job_and_no_try() {
    // One after the other: two that start at once may want the same port.
    let Some(slurm) = Slurm::shared().and_then(|_| Slurm::start()) else {
        return;
    };
    let on = OnSlurm::new(&slurm, Site::quiet().watching(CONTEXT), "");
    on.touch("wait");
    on.plan(7..=7);
    let listener = on.listener();
    on.until("it runs", &listener, || on.site.db().join("waits").exists());
    // Slurm writes its state down every now and then only.
    on.until("the queue shows it", &listener, || {
        on.jobs()[0].state == State::Running
    });
    slurm.kill("slurmctld-solaris");
    on.plan(8..=8);
    on.until("Slurm is missed", &listener, || {
        listener
            .said()
            .contains("nothing is known about its jobs now")
    });
    on.remove("wait");
    on.until("the first one hands in what it has", &listener, || {
        on.ordinary()[0].state == State::Finished
    });
    // A node registers when it begins; one that goes on would be asked only minutes later.
    slurm.kill("slurmd-solaris");
    slurm.start_again();
    on.until("all have ended", &listener, || {
        on.ordinary()
            .iter()
            .all(|entry| entry.state == State::Finished)
    });
    assert!(
        on.jobs().iter().all(|entry| entry.failures == 0),
        "{}",
        on.explain(&listener)
    );
    assert_eq!(
        on.attempts()
            .iter()
            .filter(|attempt| attempt.started_at.is_some())
            .count(),
        2
    );
}
