//! Links on the way to what the settings name: who owns them says where they lead, and so must be somebody who is trusted.

use std::os::unix::fs::{lchown, symlink};
use std::path::{Path, PathBuf};

use runledger_tests::{needs_root, needs_sandbox};

use crate::stage::{ALL, Stage};

const WITHOUT_NAMESPACES: [&str; 2] = ["landlock", "seccomp"];
/// Neither root nor the account.
const SOMEBODY: u32 = 54321;
const READ: (&str, &str) = (
    "read",
    "return int(open(OUTSIDE + '/secret').read() == 'a key')",
);
const WRITE: (&str, &str) = ("write", "open(OUTSIDE + '/new', 'w').close()\nreturn 1");

fn proposal(stage: &Stage) -> PathBuf {
    let proposal = stage.site.data_root().join("INST/202601/p001234");
    std::fs::create_dir_all(proposal.join("real")).unwrap();
    proposal
}

fn link_to_outside(stage: &Stage, link: &Path, owner: u32) {
    symlink(stage.outside(), link).unwrap();
    lchown(link, Some(owner), None).unwrap();
}

/// The job ends before anything is run, and says which link, and whose.
fn is_refused(stage: &Stage, link: &Path) {
    let name = link.to_str().unwrap();
    let owner = format!("user {SOMEBODY}");
    stage.extract().failed(1, &[name, &owner, "chown -h root"]);
    let values = [READ, WRITE].map(|(variable, _)| stage.value(variable));
    assert_eq!(values, [None, None]);
    assert!(!stage.outside().join("new").exists());
}

/// With root's link it can be read and written.
fn is_followed(stage: &Stage, link: &Path) {
    lchown(link, Some(0), None).unwrap();
    let finished = stage.extract().succeeded();
    let values = [READ, WRITE].map(|(variable, _)| stage.value(variable));
    let both = [Some("1".into()), Some("1".into())];
    assert_eq!(values, both, "{}", finished.stderr);
}

fn somebodys_link_is_not_followed(parts: &[&str], below_the_proposal: &str) {
    if !needs_sandbox(parts) || !needs_root() {
        return;
    }
    let named = format!("write = [\"{{proposal}}/{below_the_proposal}\"]\n");
    let stage = Stage::of(parts, &named);
    let link = proposal(&stage).join(below_the_proposal);
    stage.context(&[READ, WRITE]);
    link_to_outside(&stage, &link, SOMEBODY);
    is_refused(&stage, &link);
    is_followed(&stage, &link);
}

#[test]
fn somebodys_link_in_a_proposal_is_not_followed() {
    somebodys_link_is_not_followed(&ALL, "scratch");
}

#[test]
fn somebodys_link_in_a_proposal_is_not_followed_without_namespaces() {
    somebodys_link_is_not_followed(&WITHOUT_NAMESPACES, "scratch");
}

#[test]
fn somebodys_link_deeper_in_a_proposal_is_not_followed() {
    somebodys_link_is_not_followed(&ALL, "real/damnit");
    somebodys_link_is_not_followed(&["namespaces", "seccomp"], "real/damnit");
}

#[test]
fn somebodys_link_on_the_way_to_an_absolute_path_is_not_followed() {
    if !needs_sandbox(&ALL) || !needs_root() {
        return;
    }
    let stage = Stage::of(&ALL, "read = [\"LINK/secret\"]\n");
    let link = stage.site.path("link");
    stage.site.configure("LINK", link.to_str().unwrap());
    stage.context(&[READ, WRITE]);
    link_to_outside(&stage, &link, SOMEBODY);
    is_refused(&stage, &link);
    lchown(&link, Some(0), None).unwrap();
    stage.extract().succeeded();
    assert_eq!(stage.value("read").as_deref(), Some("1"));
}

/// The second job's settings name what the first one has made.
#[test]
fn a_link_that_a_job_has_made_is_not_followed_for_the_next() {
    if !needs_sandbox(&ALL) {
        return;
    }
    let stage = Stage::of(
        &ALL,
        "write = [\"{proposal}/real\", \"{proposal}/real/made\"]\n",
    );
    let link = proposal(&stage).join("real/made");
    let make = format!("os.symlink(OUTSIDE, {link:?})\nreturn 1");
    stage.context(&[("make", &make), WRITE]);
    stage.extract().succeeded();
    assert!(link.is_symlink());
    let name = link.to_str().unwrap();
    let words = [name, "context files may have made it"];
    stage.extract().failed(1, &words);
    assert!(!stage.outside().join("new").exists());
}

/// As where a user's folder of modules is named by way of a link in it.
#[test]
fn somebodys_link_on_the_way_to_modules_is_not_followed() {
    if !needs_sandbox(&ALL) || !needs_root() {
        return;
    }
    let stage = Stage::of(&ALL, "");
    let link = stage.site.path("modules");
    stage.context(&[READ, WRITE]);
    link_to_outside(&stage, &link, SOMEBODY);
    let job = ["extract", "1234", "7", "all", "--mock", "--update-vars"];
    let mut job = stage.site.command(&stage.site.db(), &job);
    let finished = runledger_tests::Finished::of(job.env("PYTHONPATH", &link));
    finished.failed(1, &[link.to_str().unwrap(), "chown -h root"]);
    assert_eq!(stage.value("read"), None);
}
