//! Letting an array begin that Slurm keeps waiting for another one.

use super::asking::number;
use super::{SlurmQueue, line::Row};
use crate::Result;
use crate::ledger::Attempt;

impl SlurmQueue {
    /// Drops what the array of this attempt waits for. False: it waits for no other job.
    pub(super) fn drop_dependency(&self, attempt: &Attempt) -> Result<bool> {
        let (cluster, array) = (attempt.cluster.as_deref(), number(attempt));
        let rows = self.queue(cluster, &[array].into())?;
        if !rows.iter().any(|row| waits_behind(row, attempt)) {
            return Ok(false);
        }
        let mut scontrol = self.about(&self.settings.scontrol, cluster);
        scontrol.args(["update", &format!("jobid={array}"), "dependency="]);
        self.ask(scontrol).map(|_| true)
    }
}

fn waits_behind(row: &Row, attempt: &Attempt) -> bool {
    row.token == attempt.token && row.state == "PENDING" && row.reason == "Dependency"
}
