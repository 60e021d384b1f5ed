//! In which circumstances each step is reached, and what is to be right after it.

use runledger_steps::Step;

use crate::databases::Models;
use crate::{combining, databases, evaluating, listening, notebook, orders};

/// What is going on when a process is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// A listener has heard of a run.
    Listening,
    /// The same, of a run whose database it does not know yet.
    ListeningDynamically,
    /// A listener takes note of a job that was killed.
    SettlingAKill,
    /// A queue does not take a job.
    Refused,
    /// A job is at work, and its listener sees it die.
    JobWatched,
    /// A job is at work, and nobody sees it die.
    JobUnseen,
    /// A job in Slurm leaves values for one that follows from it.
    JobsInSlurm,
    /// `reprocess --direct`.
    Direct,
    /// `jobs cancel`.
    Cancelling,
    /// `jobs retry`.
    Retrying,
    /// A combiner merges a run's first fragments.
    MergingFirst,
    /// A combiner merges into a small file.
    MergingAnew,
    /// A combiner merges into a large file.
    MergingBehind,
    /// A combiner finds a fragment that is broken.
    MergingBroken,
    /// A combiner finds what a dead process left.
    MergingLeft,
    /// A notebook saves results.
    Notebook,
    /// `init`.
    Making,
    /// `migrate`, from a format with steps.
    Upgrading,
    /// `migrate`, from format 0.
    Converting,
    /// `migrate`, of a run file that was in use when its table was converted.
    ConvertingLate,
    /// `migrate --restore`.
    Restoring,
    /// `migrate --restore` in the place of something that is no database.
    Replacing,
}

use Scenario::*;

impl Scenario {
    /// Stops somebody at a step, starts them again, and checks everything.
    pub(crate) fn play(self, step: Step, models: &Models) {
        match self {
            Listening => listening::a_run(step),
            ListeningDynamically => listening::a_run_of_a_new_database(step),
            SettlingAKill => listening::a_killed_job(step),
            Refused => listening::a_refused_job(step),
            JobWatched => evaluating::watched(step),
            JobUnseen => evaluating::unseen(step),
            JobsInSlurm => evaluating::in_slurm(step),
            Direct => evaluating::directly(step),
            Cancelling => orders::cancel(step),
            Retrying => orders::retry(step),
            MergingFirst => combining::first(step),
            MergingAnew => combining::anew(step),
            MergingBehind => combining::behind(step),
            MergingBroken => combining::broken(step),
            MergingLeft => combining::left(step),
            Notebook => notebook::save(step),
            Making => databases::make(step),
            Upgrading => databases::upgrade(step, models),
            Converting => databases::convert(step, models),
            ConvertingLate => databases::convert_late(step, models),
            Restoring => databases::restore(step, models),
            Replacing => databases::replace(step, models),
        }
    }
}

/// Each step is reached in at least one.
pub(crate) fn scenarios(step: Step) -> &'static [Scenario] {
    match step {
        Step::InboxWritten | Step::RunsInTable | Step::NotificationsSettled => &[Listening],
        Step::OffsetStored => &[Listening, MergingFirst],
        Step::DatabaseWatched => &[ListeningDynamically],
        Step::JobsPlanned => &[Listening, JobsInSlurm],
        Step::AttemptsInLedger | Step::SubmissionNoted => &[Listening],
        Step::JobSubmitted => &[Listening, Direct],
        Step::JobsSetBack => &[Refused],
        Step::LeftFragmentCompleted => &[SettlingAKill, MergingLeft],
        Step::AttemptEndNoted | Step::AttemptSettled => &[Listening, SettlingAKill],
        Step::EndsTaken => &[Listening],
        Step::JobsCalledOff => &[Cancelling],
        Step::JobTriedAgain => &[Retrying],
        Step::JobPlannedHere => &[JobUnseen, Direct],
        Step::JobClaimed | Step::VariablesInTable => &[JobWatched, JobUnseen],
        Step::FragmentBegun | Step::ResultSaved => &[JobWatched, JobUnseen, Notebook],
        Step::FileSynced | Step::FileRenamed => &[JobWatched, JobUnseen, Notebook, MergingAnew],
        Step::FragmentAnnounced => &[JobWatched, JobUnseen, Notebook],
        Step::HandedOver | Step::ValuesTaken => &[JobsInSlurm],
        Step::JobEndInLedger => &[JobWatched, JobUnseen, SettlingAKill],
        Step::FolderRemembered => &[MergingFirst],
        Step::BrokenTold | Step::BrokenSetAside => &[MergingBroken],
        Step::MergeComposed => &[MergingFirst, MergingAnew],
        Step::DraftLinked | Step::DraftUnlinked => &[MergingFirst],
        Step::MergeAppended | Step::FileLengthened | Step::EndMoved => &[MergingBehind],
        Step::BookNoted | Step::RootWritten | Step::MergeSwitched => &[MergingBehind],
        Step::RunFileDated | Step::RowsCommitted | Step::MergeNoted => &[MergingFirst],
        Step::FragmentRemoved => &[MergingFirst],
        Step::MessageKept => &[SettlingAKill],
        Step::MessageSent => &[Listening, MergingFirst],
        Step::MessageDelivered | Step::MessageForgotten => &[SettlingAKill, MergingFirst],
        Step::TableDrafted | Step::TableNamed => &[Making],
        Step::ContextDrafted | Step::ContextNamed => &[Making],
        Step::BackupCopied | Step::BackupMade => &[Upgrading, Converting, Restoring],
        Step::VersionTaken | Step::VersionCommitted => &[Upgrading],
        Step::RunFileRewritten | Step::OriginalLinked => &[Converting],
        Step::RunFileReplaced => &[Converting, ConvertingLate],
        Step::LateFilesTold => &[ConvertingLate],
        Step::TableConverted | Step::TableCommitted => &[Converting],
        Step::CopyCopied | Step::PresentLinked | Step::OriginalBack => &[Restoring],
        Step::DamagedAside | Step::CopyNamed => &[Replacing],
    }
}
