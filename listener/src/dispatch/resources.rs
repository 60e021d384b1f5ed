//! What a database's own settings say about its jobs.

use runledger_storage::Database;
use runledger_storage::database::SettingValue;

use crate::Result;
use crate::queue::Resources;

/// What its jobs may use; empty where the site's own settings hold.
pub(super) fn of_database(db: &Database) -> Result<Resources> {
    Ok(Resources {
        time: text(db, "slurm_time")?,
        cpus: text(db, "noncluster_cpus")?,
        memory: text(db, "noncluster_mem")?,
        reservation: text(db, "slurm_reservation")?,
        partition: text(db, "slurm_partition")?,
    })
}

/// How many tasks of an array run at once.
pub(super) fn concurrent(db: &Database, usual: usize) -> Result<usize> {
    let set = text(db, "concurrent_jobs")?;
    Ok(set
        .trim()
        .parse()
        .ok()
        .filter(|set| *set > 0)
        .unwrap_or(usual))
}

fn text(db: &Database, key: &str) -> Result<String> {
    let text = match db.setting(key)? {
        Some(SettingValue::Text(text)) => text,
        Some(SettingValue::Integer(number)) => number.to_string(),
        Some(SettingValue::Real(number)) => number.to_string(),
        _ => String::new(),
    };
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use runledger_context::run::Proposal;

    #[test]
    fn a_database_may_set_numbers_and_words() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = Database::create(folder.path(), Proposal(1234)).unwrap();
        assert_eq!(of_database(&db).unwrap(), Resources::default());
        assert_eq!(concurrent(&db, 15).unwrap(), 15);
        let mut set = |key, value| db.set_setting(key, &value).unwrap();
        set("noncluster_cpus", SettingValue::Integer(8));
        set("noncluster_mem", SettingValue::Text("50G".into()));
        set("concurrent_jobs", SettingValue::Integer(3));
        let resources = of_database(&db).unwrap();
        assert_eq!(
            (resources.cpus.as_str(), resources.memory.as_str()),
            ("8", "50G")
        );
        assert_eq!(concurrent(&db, 15).unwrap(), 3);
    }
}
