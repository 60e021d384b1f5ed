//! What context files need, and get in a sandbox, too.

use std::os::unix::fs::symlink;

use runledger_tests::{Finished, needs_sandbox};

use crate::stage::{ALL, Stage};

const NEEDS: [(&str, &str); 12] = [
    (
        "numpy",
        "import numpy\nreturn int(numpy.ones((500, 500)).dot(numpy.ones(500))[0] == 500)",
    ),
    ("module", "import mine\nreturn mine.ONE"),
    (
        "temporary_file",
        "with tempfile.NamedTemporaryFile() as file:\n    file.write(b'x' * 1000)\nreturn 1",
    ),
    (
        "home",
        "os.makedirs(os.path.expanduser('~/.config/matplotlib'))\nreturn 1",
    ),
    (
        "process_pool",
        "import multiprocessing\nwith multiprocessing.Pool(2) as pool:\n    return int(pool.map(abs, [-1, 1]) == [1, 1])",
    ),
    (
        "manager",
        "import multiprocessing\nwith multiprocessing.Manager() as manager:\n    return manager.list([1])[0]",
    ),
    (
        "shared_memory",
        "from multiprocessing import shared_memory\nmemory = shared_memory.SharedMemory(create=True, size=100)\nmemory.close()\nmemory.unlink()\nreturn 1",
    ),
    (
        "threads",
        "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(2) as pool:\n    return max(pool.map(abs, [-1, 0]))",
    ),
    (
        "helper",
        "return int(subprocess.run(['sh', '-c', 'echo $((1 + 1))'], capture_output=True).stdout == b'2\\n')",
    ),
    (
        "own_program",
        "path = tempfile.mkdtemp() + '/run'\nopen(path, 'w').write('#!/bin/sh\\nexit 3\\n')\nos.chmod(path, 0o700)\nreturn int(subprocess.call([path]) == 3)",
    ),
    (
        "signals",
        "import signal\nchild = subprocess.Popen(['sleep', '600'])\nchild.terminate()\nreturn int(child.wait() == -signal.SIGTERM)",
    ),
    (
        "user",
        "import getpass\nreturn int(os.getuid() == os.stat('context.py').st_uid and bool(getpass.getuser()))",
    ),
];

fn all_work(stage: &Stage, needs: &[(&str, &str)]) {
    stage.context(needs);
    std::fs::write(stage.site.db().join("mine.py"), "ONE = 1\n").unwrap();
    let finished = stage.extract().succeeded();
    let told = finished.stderr.contains("variables in a sandbox");
    assert!(told, "{}", finished.stderr);
    for (name, _) in needs {
        let value = stage.value(name);
        assert!(
            value.as_deref().is_some_and(|value| value.starts_with('1')),
            "{name}: {value:?}\n{}",
            finished.stderr
        );
    }
}

#[test]
fn what_context_files_do_works_in_a_sandbox_of_all_parts() {
    if needs_sandbox(&ALL) {
        let own_network = "server = socket.create_server(('127.0.0.1', 0))\nsocket.create_connection(server.getsockname())\nreturn 1";
        let needs = [&NEEDS[..], &[("own_network", own_network)]].concat();
        all_work(&Stage::of(&ALL, ""), &needs);
    }
}

#[test]
fn what_context_files_do_works_without_namespaces_too() {
    let parts = ["landlock", "seccomp"];
    if needs_sandbox(&parts) {
        all_work(&Stage::of(&parts, ""), &NEEDS);
    }
}

#[test]
fn the_network_is_there_where_the_settings_say_so() {
    if needs_sandbox(&ALL) {
        let connect = "socket.create_connection(('127.0.0.1', PORT), 20)\nreturn 1";
        all_work(&Stage::of(&ALL, "network = true\n"), &[("tcp", connect)]);
    }
}

#[test]
fn what_the_settings_name_can_be_read_and_written_and_the_rest_cannot() {
    if !needs_sandbox(&ALL) {
        return;
    }
    let stage = Stage::of(
        &ALL,
        "read = [\"OUTSIDE/secret\"]\nwrite = [\"{proposal}/scratch\"]\n",
    );
    stage
        .site
        .configure("OUTSIDE", stage.outside().to_str().unwrap());
    let proposal = stage.site.data_root().join("INST/202601/p001234");
    std::fs::create_dir_all(proposal.join("scratch")).unwrap();
    let scratch = proposal.join("scratch/new");
    let write = format!("open({scratch:?}, 'w').write('x')\nreturn 1");
    let elsewhere = format!("open({:?}, 'w')\nreturn 1", proposal.join("new"));
    stage.context(&[
        (
            "named",
            "return int(open(OUTSIDE + '/secret').read() == 'a key')",
        ),
        ("beside", "return os.listdir(OUTSIDE)[1:] and 1"),
        ("write", &write),
        ("elsewhere", &elsewhere),
    ]);
    let finished = stage.extract().succeeded();
    assert_eq!(
        stage.value("named").as_deref(),
        Some("1"),
        "{}",
        finished.stderr
    );
    assert_eq!(
        stage.value("write").as_deref(),
        Some("1"),
        "{}",
        finished.stderr
    );
    assert!(scratch.is_file());
    assert_eq!(
        [stage.value("beside"), stage.value("elsewhere")],
        [None, None]
    );
}

/// `raw` is a link to another file system, as at the European XFEL, and the run in it to yet another.
#[test]
fn a_runs_data_is_read_through_links() {
    if !needs_sandbox(&ALL) {
        return;
    }
    let stage = Stage::of(&ALL, "");
    let folder = |name: &str| {
        let path = stage.site.path(name);
        std::fs::create_dir_all(&path).unwrap();
        path
    };
    let proposal = folder("data/INST/202601/p001234");
    let (raw, run) = (folder("far/raw"), folder("farther/r0007"));
    std::fs::write(run.join("data"), "1").unwrap();
    symlink(&raw, proposal.join("raw")).unwrap();
    symlink(&run, raw.join("r0007")).unwrap();
    stage.context(&[
        (
            "data",
            "import glob\nroot = os.environ['XFEL_DATA_ROOT']\n\
          return int(open(glob.glob(root + '/*/*/p001234')[0] + '/raw/r0007/data').read())",
        ),
        ("others", "return os.listdir(OUTSIDE)"),
    ]);
    let finished = stage.extract().succeeded();
    assert_eq!(
        stage.value("data").as_deref(),
        Some("1"),
        "{}",
        finished.stderr
    );
    assert_eq!(stage.value("others"), None);
}

#[test]
fn the_real_openers_run_is_read_in_the_sandbox() {
    if !needs_sandbox(&ALL) {
        return;
    }
    let stage = Stage::of(&ALL, "");
    stage.site.make_runs();
    let context = "from damnit_ctx import Variable\n\n@Variable()\ndef trains(run):\n    return len(run.train_ids)\n";
    stage.site.init_in("db", "900123", context);
    let run = std::fs::read_dir(find(&stage, "raw"))
        .unwrap()
        .flatten()
        .next()
        .unwrap();
    let number = run.file_name().into_string().unwrap()[1..]
        .parse::<u32>()
        .unwrap()
        .to_string();
    let finished = stage
        .site
        .run(&["extract", "900123", &number, "all"])
        .succeeded();
    let trains = stage
        .site
        .number("SELECT value FROM run_variables WHERE name='trains'");
    assert!(
        trains.is_some_and(|trains| trains > 0.0),
        "{}",
        finished.stderr
    );
}

/// A folder of the example proposal.
fn find(stage: &Stage, name: &str) -> std::path::PathBuf {
    let pattern = stage.site.data_root().join("*/*/p900123").join(name);
    let listed = Finished::of(
        std::process::Command::new("sh").args(["-c", &format!("echo {}", pattern.display())]),
    );
    listed.stdout.trim().into()
}
