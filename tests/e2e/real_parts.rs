//! The scripts in `deploy/` that start real components, and that they leave nothing behind.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use runledger_listener::kafka::{
    Consumer, ConsumerSettings, Producer, ProducerSettings, Properties, Start,
};
use runledger_listener::message::Message;
use runledger_tests::{Finished, Kafka, Slurm, eventually};

fn said(command: &mut Command) -> String {
    Finished::of(command).succeeded().stdout
}

#[test]
fn jobs_run_on_both_clusters_and_accounting_knows_them() {
    let Some(slurm) = Slurm::shared() else { return };
    for cluster in ["maxwell", "solaris"] {
        let options = ["--parsable", "--output=/dev/null", "--clusters", cluster];
        let mut submit = slurm.command("sbatch", &options);
        let answer = said(submit.args(["--wrap", "exit 3"]));
        let (id, named) = answer.trim().split_once(';').expect("ID;CLUSTER");
        assert_eq!(named, cluster);
        let query = ["-X", "-n", "-P", "-o", "State,ExitCode", "-j", id];
        let books = || said(slurm.command("sacct", &query).args(["-M", cluster]));
        eventually("the job's end is in the books", books, || {
            books().trim() == "FAILED|3:0"
        });
    }
}

#[test]
fn a_controller_that_was_killed_can_be_started_again() {
    let Some(slurm) = Slurm::start() else { return };
    let answers = || Finished::of(&mut slurm.command("sinfo", &["--noheader"])).code == Some(0);
    slurm.kill("slurmctld-maxwell");
    assert!(!answers());
    slurm.start_again();
    assert!(answers());
}

#[test]
fn a_broker_that_was_killed_comes_back_at_its_address_with_what_it_had_taken() {
    let Some(kafka) = Kafka::start(&["runs:2"]) else {
        return;
    };
    let send = |text: &str| {
        let producer = Producer::new(&ProducerSettings::to(&kafka.address)).expect("a producer");
        producer.send(1, "runs", text.as_bytes()).expect("sent");
        let left = producer.flush(Duration::from_secs(60));
        assert!(left.is_empty(), "the broker did not take it");
    };
    send("before");
    kafka.kill();
    kafka.start_again();
    send("after");
    let consumer = Consumer::new(ConsumerSettings {
        brokers: kafka.address.clone(),
        topics: vec!["runs".into()],
        group_id: "onlooker".into(),
        start: Start::Earliest,
        properties: Properties::new(),
    });
    let consumer = consumer.expect("a consumer");
    let heard = std::cell::RefCell::new(Vec::new());
    eventually(
        "both messages arrive",
        || format!("{:?}", heard.borrow()),
        || {
            let more = consumer.poll(Duration::from_millis(100), 10);
            let text = |message: &Message| String::from_utf8_lossy(&message.payload).into_owned();
            let mut heard = heard.borrow_mut();
            heard.extend(more.expect("messages").iter().map(text));
            heard.sort();
            *heard == ["after", "before"]
        },
    );
}

/// Processes whose command line names the folder.
fn processes_of(dir: &Path) -> Vec<String> {
    let all = said(Command::new("ps").args(["-eo", "args"]));
    let dir = dir.display().to_string();
    all.lines()
        .filter(|line| line.contains(&dir))
        .map(str::to_owned)
        .collect()
}

#[test]
fn all_of_it_ends_when_whoever_wanted_it_is_killed() {
    let Some(_installed) = Slurm::shared() else {
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().join("slurm");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/slurm/slurm.sh");
    // The shell holds the pipe; the script is the one at its other end.
    let holding = format!("sleep 100 | {script} run {} maxwell:all", dir.display());
    let mut holder = Command::new("setsid")
        .args(["bash", "-c", &holding])
        .stdout(Stdio::null())
        .spawn()
        .expect("a shell");
    let runs = || dir.join("env").exists() && processes_of(&dir).len() >= 3;
    eventually("it runs", || format!("{:?}", processes_of(&dir)), runs);
    let sleeper = said(Command::new("pgrep").args(["-P", &holder.id().to_string(), "sleep"]));
    said(Command::new("kill").args(["-KILL", sleeper.trim()]));
    eventually(
        "nothing of it is left",
        || format!("{:?}", processes_of(&dir)),
        || !dir.exists() && processes_of(&dir).is_empty(),
    );
    holder.wait().expect("the shell's end");
}
