//! A password of the configuration goes to the Kafka library and nowhere else: not into a file, a log, the list of
//! processes, an environment, a job's script or an answer of ours.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use runledger_tests::{Finished, Kafka, OnSlurm, Service, Site, Slurm, Supervised, eventually};

/// Writes down what users' code finds in the environments and command lines on the way up from itself.
const CONTEXT: &str = r#"
import os, time
from pathlib import Path
from damnit_ctx import Variable

def way_up():
    process = os.getpid()
    while process > 1:
        yield Path(f"/proc/{process}")
        status = Path(f"/proc/{process}/status").read_text()
        process = int(status.split("PPid:")[1].split()[0])

def held():
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            yield os.readlink(f"/proc/self/fd/{descriptor}")
        except OSError:
            pass

def look(name):
    Path("held").write_text("\n".join(held()))
    with open(name, "ab") as seen:
        for process in way_up():
            for about in ("cmdline", "environ"):
                try:
                    seen.write((process / about).read_bytes() + b"\n")
                except OSError:
                    pass

@Variable()
def energy(run, n: "meta#run_number"):
    look("seen")
    while n == 7 and not os.path.exists("go on"):
        time.sleep(0.02)
    return 1.5

@Variable()
def failing(run):
    raise ValueError("on purpose")

@Variable(cluster=True)
def heavy(run):
    look("seen-by-cluster-job")
    return 2.5
"#;

const CANARY: &str = "canary-7c1f5e0d93";
const EVALUATED: &str = "SELECT count(*) FROM run_variables WHERE name='energy' AND value=1.5";

/// Secret settings of the Kafka library that are of no use without TLS and SASL, and what makes it say most.
const UNUSED: &str = r#""sasl.password" = "canary-7c1f5e0d93"
"ssl.key.password" = "canary-7c1f5e0d93"
"ssl.keystore.password" = "canary-7c1f5e0d93"
"debug" = "all"
"#;

/// Adds properties for both clients of the Kafka library.
fn add_properties(site: &Site, lines: &str) {
    let known = "\"session.timeout.ms\" = \"6000\"\n";
    site.configure(known, &format!("{known}{lines}"));
    close(&site.path("runledger.toml"));
}

fn close(file: &Path) {
    std::fs::set_permissions(file, PermissionsExt::from_mode(0o600)).expect("it is ours");
}

/// The files below a folder in which a text stands. It is no argument of a program's: others would see it there.
fn with_text(folder: &Path, text: &str) -> Vec<PathBuf> {
    let mut grep = Command::new("grep")
        .args([
            "--recursive",
            "--files-with-matches",
            "--fixed-strings",
            "--text",
            "--file=-",
        ])
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("grep");
    let mut asked = grep.stdin.take().expect("its input");
    writeln!(asked, "{text}").expect("it reads");
    drop(asked);
    let said = grep.wait_with_output().expect("it ends").stdout;
    let said = String::from_utf8(said).expect("paths");
    let mut found: Vec<PathBuf> = said.lines().map(PathBuf::from).collect();
    found.sort();
    found
}

/// The files below a folder that a shell would run. Others may have the text of a script as well: what the users' code
/// writes down is the command line of whoever started the tests, too.
fn scripts(folder: &Path) -> Vec<PathBuf> {
    let mut found = with_text(folder, "#!/bin");
    found.retain(|file| std::fs::read(file).is_ok_and(|content| content.starts_with(b"#!")));
    found
}

fn has(file: &Path, secret: &str) -> bool {
    let content = std::fs::read(file).unwrap_or_default();
    content
        .windows(secret.len())
        .any(|part| part == secret.as_bytes())
}

/// The processes of this machine that show a secret to others who look.
fn processes_with(secret: &str) -> Vec<String> {
    let all = std::fs::read_dir("/proc").expect("the processes");
    let about = all
        .flatten()
        .flat_map(|entry| ["cmdline", "environ"].map(|what| entry.path().join(what)));
    let telling = about.filter(|path| has(path, secret));
    telling.map(|path| path.display().to_string()).collect()
}

#[track_caller]
fn says_nothing(said: &Finished, secret: &str) {
    let all = format!("{}{}", said.stdout, said.stderr);
    assert!(!all.contains(secret), "{all}");
}

/// What the monitor's address answers.
fn ask(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the monitor");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").expect("it listens");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

/// Where the listener has said that its numbers are.
fn monitor(log: &str) -> Option<String> {
    let (_, after) = log.split_once("http://")?;
    Some(after.split_once("/metrics")?.0.to_owned())
}

/// One run, evaluated while all processes are looked at.
fn evaluate(site: &Site, secret: &str, why: &dyn Fn() -> String) {
    site.announce("migration_complete", 7);
    eventually("users' code looks around", why, || {
        site.db().join("seen").exists()
    });
    assert_eq!(processes_with(secret), Vec::<String>::new());
    std::fs::write(site.db().join("go on"), "").expect("a file in the database's folder");
    eventually("the run is in the table", why, || {
        site.number(EVALUATED) == Some(1.0)
    });
    nothing_is_inherited(site);
}

/// Users' code has its own channel, and neither a connection to a broker nor an open file of ours.
fn nothing_is_inherited(site: &Site) {
    let held = std::fs::read_to_string(site.db().join("held")).expect("what was held");
    let sockets = held.lines().filter(|what| what.starts_with("socket:"));
    assert_eq!(sockets.count(), 1, "{held}");
    let folder = site.path("").display().to_string();
    assert!(!held.contains(folder.trim_end_matches('/')), "{held}");
}

/// Everything that prints, in words and in JSON.
fn ask_everything(command: impl Fn(&Path, &[&str]) -> Finished, site: &Site, secret: &str) {
    for arguments in [
        &["jobs", "--all"][..],
        &["jobs", "--all", "--json"],
        &["jobs", "show", "--run", "7"],
        &["jobs", "log", "--run", "7"],
        &["table"],
        &["db-config"],
        &["read-context"],
        &["-vv", "reprocess", "8", "--direct", "--mock"],
    ] {
        says_nothing(&command(&site.db(), arguments), secret);
    }
    for arguments in [
        &["config", "check"][..],
        &["listener", "inbox", "--json"],
        &["listener", "dead-letters", "--json"],
        &["listener", "databases"],
        &["listener", "config"],
        &["jobs", "--json"],
    ] {
        says_nothing(&command(&site.listener(), arguments), secret);
    }
}

#[test]
fn a_password_is_in_the_configuration_and_nowhere_else() {
    let site = Site::with_broker().watching(CONTEXT);
    add_properties(&site, UNUSED);
    site.configure(
        "[jobs]\n",
        "[monitor]\naddress = \"127.0.0.1:0\"\n[jobs]\nwarm_python = \"1min\"\n",
    );
    close(&site.path("runledger.toml"));
    let supervised = Supervised::of(&site);
    supervised.daemonize_with(&["-vv"]).succeeded();
    let combiner = site.service(&["combiner", "run", "-vv"]);
    let why = || {
        format!(
            "{}\n{}\n{}",
            supervised.log(),
            combiner.said(),
            site.run_log(7)
        )
    };
    evaluate(&site, CANARY, &why);
    site.notify("not JSON");
    ask_everything(
        |dir, arguments| Finished::of(&mut site.command(dir, arguments)),
        &site,
        CANARY,
    );
    let address = monitor(&supervised.log()).expect("the monitor's address");
    assert!(address.starts_with("127.0.0.1:"), "{address}");
    for path in ["/", "/metrics"] {
        let answer = ask(&address, path);
        assert!(answer.starts_with("HTTP/1.1"), "{answer}");
        assert!(!answer.contains(CANARY), "{answer}");
    }
    let configuration = site.path("runledger.toml");
    assert_eq!(with_text(&site.path(""), CANARY), [configuration]);
    assert!(!supervised.log().contains("chmod"), "{}", supervised.log());
    let conf = std::fs::read_to_string(supervised.conf()).expect("supervisord's configuration");
    let password = conf.lines().find_map(|line| line.strip_prefix("password="));
    let password = password.expect("a password");
    assert_eq!(processes_with(password), Vec::<String>::new());
    assert_eq!(with_text(&site.path(""), password), [supervised.conf()]);
}

/// The mode of a file in which others than its owner may do what they should not; None where it is as documented.
fn wrong_mode(path: &Path, wanted: u32) -> Option<String> {
    let mode = path.metadata().expect("it is there").permissions().mode() & 0o777;
    (mode != wanted).then(|| format!("{}: {mode:o}", path.display()))
}

#[test]
fn what_is_made_has_the_mode_that_the_document_tells() {
    let site = Site::with_broker().watching(CONTEXT);
    let supervised = Supervised::of(&site);
    supervised.daemonize().succeeded();
    let combiner = site.service(&["combiner", "run"]);
    std::fs::write(site.db().join("go on"), "").expect("a file in the database's folder");
    site.announce("migration_complete", 7);
    let merged = || site.db().join("extracted_data/p1234_r7.h5").is_file();
    eventually("the run has its file", || combiner.said(), merged);
    let of_all = [
        "runs.sqlite",
        "ledger.sqlite",
        "context.py",
        "extracted_data/p1234_r7.h5",
    ];
    let of_all = of_all.into_iter().chain(["process_logs/r7-p1234.out"]);
    let folders = ["", "extracted_data", "process_logs"];
    let wrong = of_all.filter_map(|name| wrong_mode(&site.db().join(name), 0o666));
    let wrong = wrong.chain(
        folders
            .into_iter()
            .filter_map(|name| wrong_mode(&site.db().join(name), 0o777)),
    );
    let wrong = wrong.chain(wrong_mode(&supervised.conf(), 0o600));
    let wrong = wrong.chain(wrong_mode(&site.path("cache/runledger"), 0o700));
    assert_eq!(wrong.collect::<Vec<_>>(), Vec::<String>::new());
}

/// What is wrong with a configuration, and what is said of it.
const MISTAKES: [(&str, &str); 8] = [
    ("\"sasl.password\" = \"canary-7c1f5e0d93", "line "),
    ("\"sasl.password\" = canary-7c1f5e0d93", "line "),
    (
        "\"sasl.password\" = [\"canary-7c1f5e0d93\"]",
        "sasl.password",
    ),
    (
        "\"sasl.password\" = { value = \"canary-7c1f5e0d93\" }",
        "sasl.password",
    ),
    ("\"sasl.pasword\" = \"canary-7c1f5e0d93\"", "sasl.pasword"),
    (
        "\"security.protocol\" = \"canary-7c1f5e0d93\"",
        "security.protocol",
    ),
    (
        "\"sasl.oauthbearer.client.secret\" = \"canary-7c1f5e0d93\"",
        "sasl.oauthbearer.client.secret",
    ),
    (
        "\"ssl.key.pem\" = \"canary-7c1f5e0d93\"\n\"security.protocol\" = \"ssl\"",
        "ssl.key.pem",
    ),
];

#[test]
fn a_mistake_beside_a_password_is_told_without_it() {
    for (line, named) in MISTAKES {
        let site = Site::quiet();
        site.configure("broker = \"none\"", "broker = \"localhost:1\"");
        add_properties(&site, &format!("{line}\n"));
        for arguments in [&["listen", "."][..], &["combiner", "run"]] {
            let mut command = site.command(&site.listener(), arguments);
            let said = Finished::of(command.env_remove("AMORE_BROKER"));
            assert!(said.stderr.contains(named), "{line}: {}", said.stderr);
            assert!(said.code.is_some_and(|code| code > 0), "{}", said.stderr);
            says_nothing(&said, CANARY);
        }
        assert_eq!(
            with_text(&site.path(""), CANARY),
            [site.path("runledger.toml")]
        );
    }
}

#[test]
fn a_mistake_beside_a_password_is_not_taken_over_and_told_without_it() {
    let site = Site::with_broker();
    let listener = site.service(&["listen", "."]);
    let log = || listener.said();
    eventually("the listener listens", log, || {
        std::fs::metadata(site.listener().join("listener.sqlite")).is_ok() && !log().is_empty()
    });
    let sound = std::fs::read_to_string(site.path("runledger.toml")).expect("the configuration");
    for (count, (line, named)) in MISTAKES.iter().enumerate() {
        site.write("runledger.toml", &sound);
        add_properties(&site, &format!("{line}\n"));
        listener.signal(Signal::SIGHUP);
        eventually(line, log, || {
            let refusals = log().lines().filter(|told| told.contains(named)).count();
            refusals > 0 && log().matches("reading the configuration again").count() > count
        });
    }
    assert!(!log().contains(CANARY), "{}", log());
}

#[test]
fn a_broker_with_a_password_in_its_address_is_refused_without_repeating_it() {
    let site = Site::quiet();
    for arguments in [
        &["listen", "."][..],
        &["combiner", "run"],
        &["config", "check"],
    ] {
        let mut command = site.command(&site.listener(), arguments);
        let said = Finished::of(command.env("AMORE_BROKER", format!("me:{CANARY}@localhost:1")));
        says_nothing(&said, CANARY);
        assert!(
            said.failed(
                if arguments[0] == "config" { 1 } else { 2 },
                &["AMORE_BROKER", "sasl.password"]
            )
            .stdout
            .is_empty()
        );
    }
}

#[test]
fn a_configuration_that_others_can_read_is_told_of_if_there_is_a_password_in_it() {
    let site = Site::with_broker();
    add_properties(&site, UNUSED);
    let configuration = site.path("runledger.toml");
    let check = || Finished::of(&mut site.command(&site.listener(), &["config", "check"]));
    let before = check().stderr;
    assert!(!before.contains("chmod 600"), "{before}");
    std::fs::set_permissions(&configuration, PermissionsExt::from_mode(0o644)).expect("it is ours");
    let after = check().failed(1, &["chmod 600", "sasl.password"]);
    says_nothing(&after, CANARY);
    for arguments in [&["listen", "."][..], &["combiner", "run"]] {
        let service = site.service(arguments);
        eventually(
            "it is said",
            || service.said(),
            || service.said().contains("chmod 600"),
        );
        assert!(!service.said().contains(CANARY), "{}", service.said());
    }
}

/// A site at the side of the broker that asks for a password.
struct Guarded<'a> {
    on: OnSlurm<'a>,
    address: String,
}

impl Guarded<'_> {
    fn command(&self, dir: &Path, arguments: &[&str]) -> Command {
        let mut command = self.on.site.command(dir, arguments);
        command
            .env("AMORE_BROKER", &self.address)
            .envs(self.on.slurm.environment());
        command
    }

    fn service(&self, arguments: &[&str], log: &str) -> Service {
        let mut command = self.command(&self.on.site.listener(), arguments);
        Service::start(&mut command, &self.on.site.path(log))
    }
}

fn guarded<'a>(slurm: &'a Slurm, kafka: &Kafka, password: &str) -> Guarded<'a> {
    let site = Site::over(kafka).watching(CONTEXT);
    let (address, _) = kafka.guarded();
    site.configure(&kafka.address, &address);
    add_properties(
        &site,
        &format!(
            "\"security.protocol\" = \"sasl_plaintext\"\n\"sasl.mechanism\" = \"PLAIN\"\n\
             \"sasl.username\" = \"runledger\"\n\"sasl.password\" = \"{password}\"\n"
        ),
    );
    let on = OnSlurm::new(slurm, site, "");
    close(&on.site.path("runledger.toml"));
    Guarded { on, address }
}

#[test]
fn neither_kafka_nor_slurm_tell_others_the_brokers_password() {
    let (Some(slurm), Some(kafka)) = (Slurm::shared(), Kafka::start(&[])) else {
        return;
    };
    let (_, password) = kafka.guarded();
    let guarded = guarded(slurm, &kafka, &password);
    let site = &guarded.on.site;
    let listener = guarded.service(&["listen", ".", "-vv"], "listen.log");
    let combiner = guarded.service(&["combiner", "run", "-vv"], "combiner.log");
    let why = || {
        format!(
            "{}\n{}\n{}",
            listener.said(),
            combiner.said(),
            site.run_log(7)
        )
    };
    evaluate(site, &password, &why);
    eventually("the job for the cluster's variable is done", why, || {
        site.number("SELECT value FROM run_variables WHERE name='heavy'") == Some(2.5)
    });
    ask_everything(
        |dir, arguments| Finished::of(&mut guarded.command(dir, arguments)),
        site,
        &password,
    );
    assert_eq!(scripts(&site.db()), Vec::<PathBuf>::new());
    let of_ours = with_text(slurm.dir(), "runledger extract");
    assert!(!of_ours.is_empty(), "Slurm has nothing of our jobs");
    assert_eq!(with_text(slurm.dir(), &password), Vec::<PathBuf>::new());
    let configuration = site.path("runledger.toml");
    assert_eq!(with_text(&site.path(""), &password), [configuration]);
}

#[test]
fn a_password_that_the_broker_does_not_take_is_not_repeated() {
    let (Some(slurm), Some(kafka)) = (Slurm::shared(), Kafka::start(&[])) else {
        return;
    };
    let guarded = guarded(slurm, &kafka, CANARY);
    let listener = guarded.service(&["listen", ".", "-vv"], "listen.log");
    eventually(
        "the broker's refusal is told",
        || listener.said(),
        || listener.said().to_lowercase().contains("authentication"),
    );
    let site = &guarded.on.site;
    let configuration = site.path("runledger.toml");
    assert_eq!(with_text(&site.path(""), CANARY), [configuration]);
}
