//! How far a migration is: a bar on a terminal, lines where there is none.

use runledger_tests::{Finished, Site};

/// A site with this many run files of format 0.
fn old(files: usize) -> Site {
    let site = Site::of_format("0");
    let results = site.db().join("extracted_data");
    for number in 3..files {
        let copy = results.join(format!("p1234_r{}.h5", number + 100));
        std::fs::copy(results.join("p1234_r1.h5"), copy).unwrap();
    }
    site
}

/// What a command of the site shows on a terminal.
fn on_a_terminal(site: &Site, arguments: &[&str]) -> String {
    let command = site.command(&site.db(), arguments);
    Finished::of(&mut runledger_tests::on_a_terminal(&command))
        .succeeded()
        .stdout
}

#[test]
fn a_terminal_shows_a_bar_which_goes_before_the_report() {
    let site = old(3);
    let shown = on_a_terminal(&site, &["migrate"]);
    let found = |words: &str| {
        shown
            .rfind(words)
            .unwrap_or_else(|| panic!("no {words:?} in {shown:?}"))
    };
    let (bar, report) = (
        found("of 3 files converted"),
        found("3 run files were converted"),
    );
    assert!(found("of 3 files looked at") < bar && bar < report);
    let cleared = shown[bar..report].contains("\u{1b}[2K");
    assert!(cleared, "{shown:?}");
}

#[test]
fn a_log_has_a_line_for_every_tenth_of_the_files_and_none_if_it_is_to_be_quiet() {
    let site = old(12);
    let log = site.run(&["migrate", "--dry-run"]).succeeded().stderr;
    assert_eq!(log.lines().count(), 10, "{log}");
    assert!(log.ends_with("12 of 12 files looked at\n"), "{log}");
    let quiet = site.run(&["migrate", "--quiet"]).succeeded();
    assert_eq!(quiet.stderr, "");
    assert!(!on_a_terminal(&old(12), &["--quiet", "migrate"]).contains("looked at"));
}
