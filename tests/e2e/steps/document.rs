//! `docs/RELIABILITY.md` has every step, with what is on disk there.

use std::path::Path;

use runledger_steps::Step;

#[test]
fn the_document_tells_of_every_step_what_is_on_disk_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let document = std::fs::read_to_string(root.join("docs/RELIABILITY.md")).expect("the document");
    for step in Step::ALL {
        let line = format!("| `{}` | {} |", step.name(), step.on_disk());
        assert!(
            document.contains(&line),
            "there is no line that begins with\n{line}"
        );
    }
}
