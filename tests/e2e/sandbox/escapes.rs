//! Attempts to get out, from within a context file. Each returns 1 when it got through.

use std::collections::BTreeSet;

use runledger_tests::needs_sandbox;

use crate::stage::{ALL, Stage};

/// What gets through where there is no sandbox.
const ATTEMPTS: [(&str, &str); 19] = [
    (
        "read_secret",
        "return int(open(OUTSIDE + '/secret').read() == 'a key')",
    ),
    (
        "read_by_helper",
        "return int(subprocess.run(['cat', OUTSIDE + '/secret']).returncode == 0)",
    ),
    (
        "read_by_link",
        "link = tempfile.mkdtemp() + '/link'\nos.symlink(OUTSIDE + '/secret', link)\nreturn len(open(link).read()) and 1",
    ),
    (
        "read_by_hard_link",
        "os.link('context.py', tempfile.mkdtemp() + '/link')\nreturn 1",
    ),
    (
        "write_outside",
        "open(OUTSIDE + '/new', 'w').close()\nreturn 1",
    ),
    (
        "write_table",
        "open('runs.sqlite', 'r+b').close()\nreturn 1",
    ),
    (
        "write_ledger",
        "open('ledger.sqlite', 'r+b').close()\nreturn 1",
    ),
    ("write_context", "open('context.py', 'a').close()\nreturn 1"),
    (
        "write_module",
        "open('numpy.py', 'w').close()\nos.unlink('numpy.py')\nreturn 1",
    ),
    (
        "forge_fragment",
        "open('extracted_data/p1234_r9.x.ready.h5.forged', 'w').close()\nreturn 1",
    ),
    (
        "change_fragment",
        "for name in os.listdir('extracted_data'):\n    open('extracted_data/' + name, 'r+b').close()\n    return 1",
    ),
    (
        "change_runtime",
        "import damnit_ctx\nopen(damnit_ctx.__file__, 'r+b').close()\nreturn 1",
    ),
    (
        "rename_folder",
        "os.rename('extracted_data', 'gone')\nos.rename('gone', 'extracted_data')\nreturn 1",
    ),
    (
        "tcp",
        "socket.create_connection(('127.0.0.1', PORT), 20)\nreturn 1",
    ),
    (
        "abstract_socket",
        "s = socket.socket(socket.AF_UNIX)\ns.connect('\\0' + OUTSIDE)\nreturn 1",
    ),
    ("signal", "os.kill(OTHER, 0)\nreturn 1"),
    (
        "ptrace",
        "return int(os.fork() == 0 and os._exit(libc.ptrace(0, 0, 0, 0) != 0) or os.wait()[1] == 0)",
    ),
    (
        "namespace",
        "return int(subprocess.run(['unshare', '-U', 'true']).returncode == 0)",
    ),
    (
        "environment",
        "return int('KAFKA_SASL_PASSWORD' in os.environ)",
    ),
];

/// What may be barred elsewhere, too; or what the parts without a file system of their own cannot bar.
const MORE: [(&str, &str); 12] = [
    (
        "socket_file",
        "s = socket.socket(socket.AF_UNIX)\ns.connect(OUTSIDE + '/socket')\nreturn 1",
    ),
    ("see_others", "return int(os.path.exists(f'/proc/{OTHER}'))"),
    (
        "memory",
        "open(f'/proc/{OTHER}/mem', 'rb').close()\nreturn 1",
    ),
    (
        "environ_of_parent",
        "return len(open(f'/proc/{OTHER}/environ', 'rb').read()) and 1",
    ),
    (
        "mount",
        "return int(libc.mount(b'x', tempfile.mkdtemp().encode(), b'tmpfs', 0, 0) == 0)",
    ),
    (
        "become_other",
        "if os.fork() == 0:\n    os.setuid(12345)\n    os._exit(3)\nreturn int(os.wait()[1] == 3 << 8)",
    ),
    (
        "device",
        "return int(os.path.exists('/dev/sda') or os.path.exists('/dev/vda') or os.path.exists('/dev/tty'))",
    ),
    (
        "services",
        "return int(os.path.exists('/run') or os.path.exists('/root/.ssh') or os.path.exists('/home'))",
    ),
    (
        "kernel_settings",
        "open('/proc/sys/kernel/core_pattern', 'r+b').close()\nreturn 1",
    ),
    (
        "sysrq",
        "open('/proc/sysrq-trigger', 'r+b').close()\nreturn 1",
    ),
    ("vsock", "socket.socket(40, socket.SOCK_STREAM)\nreturn 1"),
    // Kernels that do not have the other set of calls say so: ENOSYS, and not EPERM.
    (
        "other_set_of_calls",
        "libc.syscall(0x40000000 + 39)\nreturn int(ctypes.get_errno() != 1)",
    ),
];

/// The names of the attempts that got through.
fn got_through(stage: &Stage, attempts: &[(&str, &str)]) -> BTreeSet<String> {
    stage.context(attempts);
    let finished = stage.extract().succeeded();
    let names = attempts.iter().map(|(name, _)| *name);
    let had_its_turn = |name: &&str| {
        let is_said = finished.stderr.contains(&format!("Evaluating {name} "));
        assert!(is_said, "{name} had no turn:\n{}", finished.stderr);
        stage
            .value(name)
            .is_some_and(|value| value.starts_with('1'))
    };
    names.filter(had_its_turn).map(str::to_owned).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn where_there_is_no_sandbox_the_attempts_get_through() {
    let names: Vec<&str> = ATTEMPTS.iter().map(|(name, _)| *name).collect();
    // Who may not make a namespace outside cannot tell whether the sandbox bars it.
    let mut expected = set(&names);
    let mut found = got_through(&Stage::open(), &ATTEMPTS);
    expected.remove("namespace");
    found.remove("namespace");
    assert_eq!(found, expected);
}

#[test]
fn nothing_gets_out_of_a_sandbox_of_all_parts() {
    if !needs_sandbox(&ALL) {
        return;
    }
    let attempts = [&ATTEMPTS[..], &MORE].concat();
    assert_eq!(got_through(&Stage::of(&ALL, ""), &attempts), set(&[]));
}

#[test]
fn nothing_gets_out_of_a_sandbox_without_landlock() {
    let parts = ["namespaces", "seccomp"];
    if !needs_sandbox(&parts) {
        return;
    }
    let attempts = [&ATTEMPTS[..], &MORE].concat();
    assert_eq!(got_through(&Stage::of(&parts, ""), &attempts), set(&[]));
}

#[test]
fn files_the_network_and_processes_are_out_of_reach_without_namespaces_too() {
    let parts = ["landlock", "seccomp"];
    if needs_sandbox(&parts) {
        assert_eq!(got_through(&Stage::of(&parts, ""), &ATTEMPTS), set(&[]));
    }
}

#[test]
fn what_a_variable_returns_is_never_run_outside() {
    if !needs_sandbox(&ALL) {
        return;
    }
    let stage = Stage::of(&ALL, "");
    let evil =
        "class Evil:\n    def __reduce__(self):\n        return (open, (OUTSIDE + '/run', 'w'))\n";
    let bare = format!("{evil}return Evil()");
    let in_array =
        format!("import numpy\n{evil}return numpy.array([Evil(), Evil()], dtype=object)");
    let pickled = format!("import pickle\n{evil}return pickle.dumps(Evil())");
    stage.context(&[
        ("bare", &bare),
        ("in_array", &in_array),
        ("pickled", &pickled),
        ("fine", "return 1"),
    ]);
    stage.extract().succeeded();
    stage.site.run(&["table"]).succeeded();
    assert_eq!(stage.value("fine").as_deref(), Some("1"));
    assert!(!stage.outside().join("run").exists());
}

#[test]
fn a_job_saves_no_results_of_other_runs() {
    if !needs_sandbox(&ALL) {
        return;
    }
    let stage = Stage::of(&ALL, "");
    let save = |run: u32| {
        format!(
            "from damnit_ctx import Cell, save_fragment\n\
             return save_fragment(os.getcwd(), 1234, {run}, {{'forged': Cell({run})}}, {{}}) and 1"
        )
    };
    let (own, other) = (save(7), save(8));
    stage.context(&[("own", &own), ("other", &other)]);
    stage.extract().succeeded();
    let (class, why) = stage.site.error("other").unwrap();
    assert!(
        class == "NotSaved" && why.contains("sandbox"),
        "{class}: {why}"
    );
    let forged = "SELECT group_concat(run) FROM run_variables WHERE name='forged'";
    assert_eq!(stage.site.text(forged).as_deref(), Some("7"));
}
