//! What is said about a job: states, times, places, and all of it as JSON.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use runledger_listener::ledger::{Attempt, Entry, State};
use serde_json::{Value, json};

use super::Job;
use crate::arguments::HELD;

/// So many letters of an id are shown.
pub(super) const SHORT: usize = 8;

/// As much of an id as people need.
pub(super) fn short(id: &str) -> &str {
    id.get(..SHORT).unwrap_or(id)
}

/// How far a job is, in one word.
pub(in crate::commands) fn state_word(entry: &Entry) -> &'static str {
    match entry.held {
        true => HELD,
        false => entry.state.as_str(),
    }
}

/// How far a job is; while it runs, with how many of its variables have had their turn.
pub(super) fn state(entry: &Entry) -> String {
    match &entry.progress {
        Some(progress) if entry.state == State::Running => {
            format!("running {}/{}", progress.done, progress.variables)
        }
        _ => state_word(entry).to_owned(),
    }
}

/// Where an attempt is: `local`, `maxwell 123_4`.
pub(in crate::commands) fn queue(attempt: &Attempt) -> String {
    let cluster = attempt.cluster.as_deref().filter(|name| !name.is_empty());
    match (attempt.queue.as_str(), &attempt.queue_id) {
        ("local", _) => "local".into(),
        (queue, Some(id)) => format!("{} {id}", cluster.unwrap_or(queue)),
        (queue, None) => cluster.unwrap_or(queue).to_owned(),
    }
}

/// Why a job is not finished, and what comes next.
pub(super) fn why(entry: &Entry, now: f64) -> String {
    let message = entry.message.clone().unwrap_or_default();
    let next = entry
        .next_try
        .filter(|next| entry.state == State::Planned && !entry.held && *next > now);
    match next {
        Some(next) => format!("{message}; next try in {}", span(next - now)),
        None => message,
    }
}

/// How long a job has been as it is; how long ago it ended.
pub(super) fn since(job: &Job, now: f64) -> String {
    let entry = &job.entry;
    let attempt = job.last();
    let begun = match entry.state {
        State::Running => attempt.and_then(|attempt| attempt.started_at),
        State::Submitted | State::Pending => attempt.map(|attempt| attempt.submitted_at),
        _ => None,
    };
    match entry.ended_at {
        Some(ended) => format!("{} ago", span(now - ended)),
        None => span(now - begun.unwrap_or(entry.planned_at)),
    }
}

/// A time span, roughly: `40 s`, `12 min`, `3 h`, `2 d`.
pub(in crate::commands) fn span(seconds: f64) -> String {
    let seconds = seconds.max(0.0);
    match seconds {
        s if s < 100.0 => format!("{s:.0} s"),
        s if s < 100.0 * 60.0 => format!("{:.0} min", s / 60.0),
        s if s < 48.0 * 3600.0 => format!("{:.0} h", s / 3600.0),
        s => format!("{:.0} d", s / 86400.0),
    }
}

/// Calendars end there.
const YEAR_9999: Duration = Duration::from_secs(253_402_300_799);

/// A moment: `2026-03-01 08:00:00 UTC`.
pub(super) fn moment(seconds: f64) -> String {
    let since = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    let since = since.min(YEAR_9999);
    let text = humantime::format_rfc3339_seconds(UNIX_EPOCH + since).to_string();
    format!("{} UTC", text.replace('T', " ").trim_end_matches('Z'))
}

/// Seconds since 1970.
pub(super) fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}

/// Everything about a job. Times are seconds since 1970, memory is in bytes.
pub(super) fn json(job: &Job) -> Value {
    let entry = &job.entry;
    let request = &entry.job.request;
    let progress = entry
        .progress
        .map(|progress| json!({"done": progress.done, "variables": progress.variables}));
    json!({
        "id": job.id(),
        "proposal": entry.job.run.proposal.0,
        "run": entry.job.run.number.0,
        "database": job.database(),
        "data": entry.job.data.as_str(),
        "request": request,
        "state": entry.state.as_str(),
        "held": entry.held,
        "message": entry.message,
        "progress": progress,
        "failures": entry.failures,
        "unbegun": entry.unbegun,
        "next_try": entry.next_try,
        "submitted_by": entry.submitted_by,
        "planned_at": entry.planned_at,
        "ended_at": entry.ended_at,
        "log": entry.job.log(),
        "attempts": job.attempts.iter().map(attempt_json).collect::<Vec<_>>(),
    })
}

fn attempt_json(attempt: &Attempt) -> Value {
    json!({
        "number": attempt.number,
        "queue": attempt.queue,
        "queue_id": attempt.queue_id,
        "cluster": attempt.cluster,
        "log": attempt.log,
        "submitted_at": attempt.submitted_at,
        "started_at": attempt.started_at,
        "ended_at": attempt.ended_at,
        "host": attempt.process.as_ref().map(|process| &process.host),
        "pid": attempt.process.as_ref().map(|process| process.pid),
        "exit_code": attempt.exit_code,
        "signal": attempt.signal,
        "peak_memory": attempt.peak_memory,
        "reason": attempt.reason,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_spans_are_told_roughly() {
        let spans = [0.2, 40.0, 130.0, 5400.0, 7200.0, 90000.0, 400_000.0].map(span);
        assert_eq!(
            spans,
            ["0 s", "40 s", "2 min", "90 min", "2 h", "25 h", "5 d"]
        );
        assert_eq!(span(-3.0), "0 s");
    }

    #[test]
    fn a_moment_says_that_it_is_in_utc() {
        assert_eq!(moment(0.0), "1970-01-01 00:00:00 UTC");
        assert_eq!(moment(1e18), "9999-12-31 23:59:59 UTC");
    }

    #[test]
    fn a_place_is_the_cluster_and_the_queues_own_name() {
        let attempt = |queue: &str, cluster: Option<&str>, id: Option<&str>| Attempt {
            queue: queue.into(),
            cluster: cluster.map(Into::into),
            queue_id: id.map(Into::into),
            ..Attempt::default()
        };
        assert_eq!(queue(&attempt("local", None, Some("4711"))), "local");
        let slurm = |cluster, id| queue(&attempt("slurm", cluster, id));
        assert_eq!(slurm(Some("maxwell"), Some("12_3")), "maxwell 12_3");
        assert_eq!(slurm(Some(""), Some("12")), "slurm 12");
        assert_eq!(slurm(Some("maxwell"), None), "maxwell");
    }
}
