//! Texts: what Kafka brings, what Slurm prints, what people write into the configuration.

use runledger_listener::combiner::Submission;
use runledger_listener::notification;
use runledger_listener::queue::{Records, job_number, queue_rows};
use runledger_listener::settings::{NotificationSettings, Profile};

/// What a facility says of its runs.
pub(crate) fn notification(bytes: &[u8]) {
    let settings = NotificationSettings::of(Profile::Maxwell);
    let _ = notification::parse(bytes, &settings);
}

/// What the combiner is asked to merge.
pub(crate) fn submission(bytes: &[u8]) {
    if let Ok(submission) = Submission::parse(bytes) {
        let _ = submission.check();
        submission.is_there();
    }
}

/// `runledger.toml`.
pub(crate) fn configuration(bytes: &[u8]) {
    runledger_cli::problems_of_configuration(&String::from_utf8_lossy(bytes));
}

/// What `sbatch`, `squeue` and `sacct` print.
pub(crate) fn slurm(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let number = job_number(&text);
    let records = Records::read(&text);
    let (name, token) = ("p1234-damnit", Some("77aa"));
    for row in queue_rows(&text) {
        row.state();
        records.find(&row.id, name, 0.0, token);
    }
    if let Some((id, _cluster)) = number {
        records.find(&id, name, 0.0, None);
    }
}
