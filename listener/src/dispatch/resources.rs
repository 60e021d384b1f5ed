//! What a database's own settings say about its jobs.

use runledger_storage::Database;
use runledger_storage::database::SettingValue;

use crate::Result;
use crate::queue::Resources;

/// As many tasks of an array run at once, where the database does not say.
const CONCURRENT: usize = 15;

/// What its jobs may use.
pub(super) fn of_database(db: &Database) -> Result<Resources> {
    Ok(Resources {
        time: text(db, "slurm_time", "02:00:00")?,
        cpus: text(db, "noncluster_cpus", "4")?,
        memory: text(db, "noncluster_mem", "25G")?,
        reservation: text(db, "slurm_reservation", "")?,
        partition: text(db, "slurm_partition", "")?,
    })
}

/// How many tasks of an array run at once.
pub(super) fn concurrent(db: &Database) -> Result<usize> {
    let set = text(db, "concurrent_jobs", "")?;
    Ok(set
        .trim()
        .parse()
        .ok()
        .filter(|set| *set > 0)
        .unwrap_or(CONCURRENT))
}

fn text(db: &Database, key: &str, default: &str) -> Result<String> {
    let text = match db.setting(key)? {
        Some(SettingValue::Text(text)) => text,
        Some(SettingValue::Integer(number)) => number.to_string(),
        Some(SettingValue::Real(number)) => number.to_string(),
        _ => default.to_owned(),
    };
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use runledger_context::run::Proposal;

    #[test]
    fn what_the_database_does_not_say_is_as_in_damnit() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = Database::create(folder.path(), Proposal(1234)).unwrap();
        let resources = of_database(&db).unwrap();
        let words = [&resources.time, &resources.cpus, &resources.memory];
        assert_eq!(words, ["02:00:00", "4", "25G"]);
        assert!(resources.reservation.is_empty() && resources.partition.is_empty());
        db.set_setting("noncluster_cpus", &SettingValue::Integer(8))
            .unwrap();
        db.set_setting("concurrent_jobs", &SettingValue::Integer(3))
            .unwrap();
        assert_eq!(of_database(&db).unwrap().cpus, "8");
        assert_eq!(concurrent(&db).unwrap(), 3);
    }
}
