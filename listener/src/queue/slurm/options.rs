//! What `sbatch` is told: the options that DAMNIT passes, and our token.

use std::ffi::OsString;
use std::path::Path;

use super::settings::SlurmSettings;
use crate::job::Job;
use crate::queue::Batch;

/// The arguments of `sbatch` for a batch. `partition` is that of the user, where one is to be named.
pub(super) fn options(
    batch: &Batch,
    settings: &SlurmSettings,
    partition: Option<&str>,
    program: &Path,
) -> Vec<OsString> {
    let (first, _) = &batch.jobs[0];
    let mut all = vec!["--parsable".to_owned()];
    all.extend(place(batch, settings, partition));
    all.extend(log(batch));
    all.extend([
        "--job-name".into(),
        job_name(first, batch.handover.width.is_some()),
    ]);
    all.extend(["--comment".into(), batch.handover.token.clone()]);
    if let Some(width) = batch.handover.width {
        let tasks = format!("0-{}%{width}", batch.jobs.len() - 1);
        all.extend(["--array".into(), tasks]);
    }
    if let Some(after) = &batch.after {
        all.push(format!("--dependency=afterany:{}", after.id));
    }
    let further = match first.request.cluster {
        true => &settings.node_options,
        false => &settings.shared_options,
    };
    all.extend(further.iter().cloned());
    all.extend(["--wrap".into(), script(batch, program)]);
    all.into_iter().map(OsString::from).collect()
}

/// Which nodes, for how long, and how much of them.
fn place(batch: &Batch, settings: &SlurmSettings, partition: Option<&str>) -> Vec<String> {
    let or = |set: &str, default: &str| match set {
        "" => default.to_owned(),
        set => set.to_owned(),
    };
    let resources = &batch.resources;
    let cluster = batch.handover.cluster.clone().unwrap_or_default();
    let mut pairs = vec![
        ("--clusters", cluster),
        ("--time", or(&resources.time, &settings.time)),
    ];
    if batch.jobs[0].0.request.cluster {
        match resources.reservation.as_str() {
            "" => pairs.push((
                "--partition",
                or(&resources.partition, partition.unwrap_or("")),
            )),
            set => pairs.push(("--reservation", set.to_owned())),
        }
    } else {
        pairs.push(("--cpus-per-task", or(&resources.cpus, &settings.cpus)));
        pairs.push(("--mem", or(&resources.memory, &settings.memory)));
    }
    let named = pairs.into_iter().filter(|(_, value)| !value.is_empty());
    named
        .flat_map(|(option, value)| [option.to_owned(), value])
        .collect()
}

/// Slurm does not know a task's run: each task writes its run's log itself.
fn log(batch: &Batch) -> [String; 3] {
    let path = match batch.handover.width {
        Some(_) => "/dev/null".to_owned(),
        // In a file's name % stands for something.
        None => batch.jobs[0].0.log().to_string_lossy().replace('%', "%%"),
    };
    ["-o".into(), path, "--open-mode=append".into()]
}

/// The run comes first, so that it is visible in the width that `squeue` gives to names.
pub(super) fn job_name(job: &Job, is_array: bool) -> String {
    let (run, proposal) = (job.run.number.0, job.run.proposal.0);
    match is_array {
        true => format!("p{proposal}-damnit"),
        false => format!("r{run}-p{proposal}-damnit"),
    }
}

/// What the job runs, for a shell.
fn script(batch: &Batch, program: &Path) -> String {
    let (job, attempt) = &batch.jobs[0];
    let arguments = match batch.handover.width {
        Some(_) => vec!["extract-task".into(), batch.handover.token.clone().into()],
        None => job.arguments(*attempt),
    };
    let words =
        std::iter::once(program.as_os_str()).chain(arguments.iter().map(OsString::as_os_str));
    let quoted: Vec<String> = words.map(|word| quoted(&word.to_string_lossy())).collect();
    format!("exec {}", quoted.join(" "))
}

/// For a POSIX shell.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:@+".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Request;
    use crate::ledger::Handover;
    use crate::queue::{Resources, Ticket};
    use runledger_context::run::{RunData, RunId};

    fn batch(runs: &[u32], cluster: bool) -> Batch {
        let request = Request {
            cluster,
            matches: vec!["it's".into()],
            ..Request::default()
        };
        let job = |run: &u32| {
            let mut job = Job::new(
                RunId::new(1234, *run),
                RunData::Raw,
                "/db".into(),
                request.clone(),
            );
            job.processing_id = "id".into();
            (job, 1)
        };
        Batch {
            jobs: runs.iter().map(job).collect(),
            handover: Handover {
                queue: "slurm",
                token: "token".into(),
                cluster: Some(if cluster { "maxwell" } else { "solaris" }.into()),
                width: (runs.len() > 1).then_some(15),
                chain: None,
            },
            after: None,
            resources: Resources::default(),
        }
    }

    fn line(batch: &Batch, partition: Option<&str>) -> String {
        let settings = SlurmSettings::default();
        let options = options(batch, &settings, partition, Path::new("/bin/runledger"));
        let words: Vec<_> = options.iter().map(|word| word.to_string_lossy()).collect();
        words.join(" ")
    }

    #[test]
    fn an_ordinary_job_shares_a_node() {
        assert_eq!(
            line(&batch(&[7], false), None),
            "--parsable --clusters solaris --time 02:00:00 --cpus-per-task 4 --mem 25G \
             -o /db/process_logs/r7-p1234.out --open-mode=append --job-name r7-p1234-damnit --comment token \
             --wrap exec /bin/runledger extract 1234 7 raw --processing-id id --attempt 1 '--match=it'\\''s'"
        );
    }

    #[test]
    fn a_job_for_cluster_variables_has_a_node_of_the_users_partition() {
        let text = line(&batch(&[7], true), Some("upex"));
        assert!(
            text.starts_with("--parsable --clusters maxwell --time 02:00:00 --partition upex -o "),
            "{text}"
        );
        assert!(
            text.contains("--cluster-job") && !text.contains("--mem"),
            "{text}"
        );
    }

    #[test]
    fn the_databases_reservation_and_partition_come_before_the_users() {
        let mut reserved = batch(&[7], true);
        reserved.resources.partition = "beamline".into();
        assert!(line(&reserved, Some("upex")).contains("--partition beamline"));
        reserved.resources.reservation = "week7".into();
        let text = line(&reserved, Some("upex"));
        assert!(
            text.contains("--reservation week7") && !text.contains("--partition"),
            "{text}"
        );
    }

    #[test]
    fn several_go_as_an_array_behind_another_one() {
        let mut array = batch(&[7, 8, 9], false);
        array.after = Some(Ticket {
            id: "12".into(),
            cluster: None,
        });
        let text = line(&array, None);
        assert!(
            text.ends_with(
                "-o /dev/null --open-mode=append --job-name p1234-damnit --comment token --array 0-2%15 \
                 --dependency=afterany:12 --wrap exec /bin/runledger extract-task token"
            ),
            "{text}"
        );
    }

    #[test]
    fn a_site_without_clusters_names_none() {
        let mut lone = batch(&[7], false);
        lone.handover.cluster = None;
        assert!(!line(&lone, None).contains("--clusters"));
    }
}
