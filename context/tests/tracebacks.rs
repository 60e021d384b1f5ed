//! What went wrong is shown with the users' own lines, in the run's log.

mod support;

use support::{Folder, python, seconds};

/// What a job with this file writes into its log.
fn log_of(code: &str) -> String {
    let folder = Folder::with(code);
    folder.write(
        "neighbour.py",
        "def divide(a, b):\n    return a / b  # the line itself\n",
    );
    let python = format!("exec '{}' \"$@\" 2>log", python().display());
    let setup = folder.setup_with(folder.script(&python));
    folder.evaluate_all(setup, &seconds(60));
    std::fs::read_to_string(folder.path().join("log")).unwrap()
}

#[test]
fn the_traceback_of_a_function_has_the_files_own_lines_and_none_of_ours() {
    let log = log_of(
        r#"
from neighbour import divide
@Variable
def broken(run):
    return divide(1, 0)  # asked for here
"#,
    );
    for part in [
        "Could not get data for broken",
        "/context.py\", line 7, in broken",
        "return divide(1, 0)  # asked for here",
        "/neighbour.py\", line 2, in divide",
        "return a / b  # the line itself",
        "ZeroDivisionError: division by zero",
    ] {
        assert!(log.contains(part), "{part}\nis not in\n{log}");
    }
    assert!(!log.contains("runledger_runtime"), "{log}");
}

#[test]
fn the_traceback_of_a_groups_method_has_the_files_own_lines() {
    let log = log_of(
        r#"
from damnit_ctx import Group
@Group
class Detector:
    @Variable
    def broken(self, run):
        raise KeyError("gone")  # in the class
detector = Detector()
"#,
    );
    assert!(
        log.contains("Could not get data for detector.broken"),
        "{log}"
    );
    assert!(
        log.contains("line 9, in broken\n    raise KeyError(\"gone\")  # in the class"),
        "{log}"
    );
}

#[test]
fn an_error_in_an_error_is_shown_with_both() {
    let log = log_of(
        r#"
@Variable
def broken(run):
    try:
        {}["first"]
    except KeyError as error:
        raise OSError("second") from error
"#,
    );
    assert!(
        log.contains("{}[\"first\"]") && log.contains("direct cause"),
        "{log}"
    );
    assert!(log.contains("OSError: second"), "{log}");
}
