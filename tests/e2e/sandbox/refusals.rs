//! Where there is no sandbox as demanded, nothing is run; and nobody but the site switches one off.

use runledger_tests::{Finished, needs_sandbox};

use crate::stage::{ALL, Stage};

/// This command where the kernel lets nobody make namespaces.
fn without_namespaces(stage: &Stage, arguments: &[&str]) -> Finished {
    let order = serde_json::json!({"parts": ["seccomp"], "network": true, "read": [], "data": [], "write": [], "listed": [],
        "folder": stage.site.path(""), "home": null, "owner": null, "links": {},
        "trust": {"owners": [0, nix::unistd::geteuid().as_raw()], "account": 0, "written": []}});
    let inner = stage.site.command(&stage.site.db(), arguments);
    let order = order.to_string();
    let mut outer = stage
        .site
        .command(&stage.site.db(), &["sandbox", "enter", &order, "--"]);
    Finished::of(outer.arg(inner.get_program()).args(inner.get_args()))
}

#[test]
fn nothing_is_run_where_the_kernel_lacks_what_is_demanded() {
    if !needs_sandbox(&ALL) {
        return;
    }
    let stage = Stage::of(&ALL, "");
    stage.context(&[("ran", "return 1")]);
    let job = ["extract", "1234", "7", "all", "--mock", "--update-vars"];
    let refused = without_namespaces(&stage, &job);
    assert_eq!(refused.code, Some(1), "{refused:#?}");
    for word in ["namespaces", "sandbox check", "exit status 125"] {
        assert!(refused.stderr.contains(word), "{word}:\n{}", refused.stderr);
    }
    assert_eq!(stage.value("ran"), None);
    let check = without_namespaces(&stage, &["sandbox", "check"]);
    check.failed(1, &["demands namespaces"]);
    stage.extract().succeeded();
    assert_eq!(stage.value("ran").as_deref(), Some("1"));
}

#[test]
fn a_file_in_the_databases_folder_switches_nothing_off() {
    if !needs_sandbox(&ALL) {
        return;
    }
    let stage = Stage::of(&ALL, "");
    stage.context(&[(
        "secret",
        "return int(open(OUTSIDE + '/secret').read() == 'a key')",
    )]);
    // The configuration that the listener has passed on to its jobs is read, not this one.
    std::fs::write(
        stage.site.db().join("runledger.toml"),
        "[sandbox]\nmode = \"off\"\n",
    )
    .unwrap();
    stage.extract().succeeded();
    assert_eq!(stage.value("secret"), None);
}

#[test]
fn a_context_file_is_read_in_the_sandbox_too() {
    if !needs_sandbox(&ALL) {
        return;
    }
    let stage = Stage::of(&ALL, "");
    stage.context(&[("fine", "return 1")]);
    stage.site.run(&["read-context"]).succeeded();
    let curious = format!("open({:?})\n", stage.outside().join("secret"));
    std::fs::write(stage.site.db().join("context.py"), curious).unwrap();
    stage
        .site
        .run(&["read-context"])
        .failed(1, &["FileNotFoundError"]);
}

#[test]
fn no_python_waits_for_the_next_job_outside_of_a_sandbox() {
    if !needs_sandbox(&ALL) {
        return;
    }
    let stage = Stage::of(&ALL, "");
    stage
        .site
        .configure("[jobs]", "[jobs]\nwarm_python = \"10min\"");
    stage.context(&[("fine", "return 1")]);
    stage.extract().succeeded();
    assert!(!stage.site.path("cache/runledger/warm").exists());
    stage
        .site
        .run(&["config", "check"])
        .failed(1, &["warm_python", "sandbox"]);
}

#[test]
fn check_tells_what_is_barred_by_trying_it() {
    if !needs_sandbox(&ALL) {
        return;
    }
    let stage = Stage::open();
    stage.context(&[]);
    let check = stage.site.run(&["sandbox", "check", "--json"]).succeeded();
    let offer: serde_json::Value = serde_json::from_str(&check.stdout).unwrap();
    let got_through = offer["together"]["got_through"].as_object().unwrap();
    assert!(
        got_through.len() > 5 && got_through.values().all(|it| it == false),
        "{check:#?}"
    );
    let by_seccomp = &offer["parts"][2]["got_through"];
    assert!(
        by_seccomp["read"] == true && by_seccomp["network"] == false,
        "{check:#?}"
    );
    let text = stage.site.run(&["sandbox", "check"]).succeeded().stdout;
    for word in ["landlock: here", "barred", "possible", "the sandbox is off"] {
        assert!(text.contains(word), "{word}:\n{text}");
    }
}
