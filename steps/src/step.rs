//! All steps, and what is on disk when each is reached.

/// Each step with its name for people and what is on disk there.
macro_rules! steps {
    ($($step:ident $name:literal $on_disk:literal,)*) => {
        /// A step between two effects that last.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Step {
            $(#[doc = $on_disk] $step,)*
        }

        impl Step {
            /// All of them, in the order in which data comes by.
            pub const ALL: &[Self] = &[$(Self::$step,)*];

            /// By which a test names it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$step => $name,)*
                }
            }

            /// What is on disk when it is reached, and what is not yet.
            pub fn on_disk(self) -> &'static str {
                match self {
                    $(Self::$step => $on_disk,)*
                }
            }
        }
    };
}

steps! {
    // The listener.
    InboxWritten "inbox-written" "the messages are in the inbox, Kafka has not heard of it",
    OffsetStored "offset-stored" "the client library knows that the messages are taken, the broker not yet",
    DatabaseWatched "database-watched" "a proposal's own database is among those that are watched, its run is not in it",
    RunsInTable "runs-in-table" "the runs have their rows, their jobs are in no ledger",
    JobsPlanned "jobs-planned" "the jobs are in the ledger, their notifications still count as not handled",
    NotificationsSettled "notifications-settled" "the notifications are handled",
    AttemptsInLedger "attempts-in-ledger" "the attempts are in the ledger, the queue knows nothing of them",
    JobSubmitted "job-submitted" "the queue has the job, the ledger does not know its number there",
    SubmissionNoted "submission-noted" "the ledger knows the job's number in the queue, the clients know nothing",
    JobsSetBack "jobs-set-back" "the attempts are given up, their jobs are planned again",
    LeftFragmentCompleted "left-fragment-completed" "what a dead job had finished is a complete fragment, nobody was told",
    AttemptEndNoted "attempt-end-noted" "how the attempt's process ended is in the ledger, its queue is still asked about it",
    AttemptSettled "attempt-settled" "nothing is asked about the attempt any more",
    EndsTaken "ends-taken" "the ends count as told, the log has no line of them",
    JobsCalledOff "jobs-called-off" "the ledger says that nobody wants the jobs, the queue still has them",
    JobTriedAgain "job-tried-again" "a job that had ended is planned, nobody looks at it",
    // A job.
    JobPlannedHere "job-planned-here" "the job and its attempt are in the ledger, no process was started",
    JobClaimed "job-claimed" "the attempt belongs to this process, nothing is evaluated",
    VariablesInTable "variables-in-table" "the variables of the context file are in the table, the clients know nothing",
    FragmentBegun "fragment-begun" "there is a fragment without results",
    ResultSaved "result-saved" "the fragment has a result more",
    FileSynced "file-synced" "a file is complete and on the disk, under the name of its draft",
    FileRenamed "file-renamed" "the file has its name, its folder may lose that in a power cut",
    FragmentAnnounced "fragment-announced" "the announcement of a complete fragment is on its way, or it is merged",
    HandedOver "handed-over" "the values for the job that follows are complete, that job is in no ledger",
    ValuesTaken "values-taken" "the values that an earlier job had left are removed, this job has not ended",
    JobEndInLedger "job-end-in-ledger" "the job's end is in the ledger, the clients know nothing",
    // The combiner.
    FolderRemembered "folder-remembered" "the folder will be looked through after a restart, too",
    BrokenTold "broken-told" "the log, the ledger and the cells say that a fragment is broken, it still has its name",
    BrokenSetAside "broken-set-aside" "a broken fragment is out of the way",
    MergeComposed "merge-composed" "the run's new file is complete beside the old one",
    DraftLinked "draft-linked" "the run's first file has its name, and that of its draft",
    DraftUnlinked "draft-unlinked" "the run's first file has its name only",
    MergeAppended "merge-appended" "what is new is written behind the content of the run's file, which is the old one",
    FileLengthened "file-lengthened" "the run's file is longer, its end is where it was",
    EndMoved "end-moved" "the end of the run's file is behind what is new, its content is the old one",
    BookNoted "book-noted" "the superblock has a note of the new content, which does not count yet",
    RootWritten "root-written" "the root names the new content, perhaps not yet on the disk",
    MergeSwitched "merge-switched" "the run's file has the new content, no room for the next one",
    RunFileDated "run-file-dated" "the run's file has the new results, the table has the old ones",
    RowsCommitted "rows-committed" "the rows are in the table, nobody noted how new they are or that there is news",
    MergeNoted "merge-noted" "how new the values are and the update about them are in the ledger, the fragments are there",
    FragmentRemoved "fragment-removed" "one of the merged fragments is gone",
    MessageKept "message-kept" "a message that no broker took waits in the outbox",
    MessageSent "message-sent" "a message is on its way to the broker",
    MessageDelivered "message-delivered" "the broker has messages that still are in the outbox",
    MessageForgotten "message-forgotten" "the outbox has no more what the broker has",
    // Databases: made, upgraded, and back.
    TableDrafted "table-drafted" "a new run table is complete under the name of its draft",
    TableNamed "table-named" "the new run table has its name",
    ContextDrafted "context-drafted" "a new context file is complete under the name of its draft",
    ContextNamed "context-named" "the new context file has its name, its folder may lose that in a power cut",
    BackupCopied "backup-copied" "the copy of the database is complete under the name of its draft",
    BackupMade "backup-made" "the copy of the database has its name, nothing is changed",
    VersionTaken "version-taken" "a step and its version are written, not committed",
    VersionCommitted "version-committed" "the database has the step's version",
    RunFileRewritten "run-file-rewritten" "the run's file of the present format is complete beside the old one",
    OriginalLinked "original-linked" "the run's old file has a second name among the originals",
    RunFileReplaced "run-file-replaced" "the run's file has the present format, the table has the old one",
    TableConverted "table-converted" "the converted table is written, not committed",
    TableCommitted "table-committed" "the table has the present format",
    LateFilesTold "late-files-told" "the table has what run files say that were converted after it",
    CopyCopied "copy-copied" "the database is what the copy is, its run files are not",
    PresentLinked "present-linked" "the run's present file has a second name aside, the original is not back",
    OriginalBack "original-back" "the run's original file has its name again",
    DamagedAside "damaged-aside" "what was no database has another name, the copy has not its name yet",
    CopyNamed "copy-named" "the copy has the database's name",
}

#[cfg(test)]
mod tests {
    use super::Step;
    use std::collections::BTreeSet;

    #[test]
    fn every_step_has_a_name_of_its_own_that_fits_a_command_line() {
        let names: BTreeSet<&str> = Step::ALL.iter().map(|step| step.name()).collect();
        assert_eq!(names.len(), Step::ALL.len());
        let is_plain = |name: &str| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        assert!(names.into_iter().all(is_plain));
    }
}
