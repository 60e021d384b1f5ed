//! Finding a proposal's folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use runledger_context::run::{Proposal, RunId};

use crate::settings::DataSettings;
use crate::{Error, Result};

/// Finds proposals' folders; one that was found is not looked for again.
#[derive(Debug)]
pub struct Proposals {
    settings: DataSettings,
    found: BTreeMap<Proposal, PathBuf>,
}

impl Proposals {
    /// Those below a site's root.
    pub fn new(settings: DataSettings) -> Self {
        Self {
            settings,
            found: BTreeMap::new(),
        }
    }

    /// The folder of a proposal; None where there is none.
    pub fn find(&mut self, proposal: Proposal) -> Option<PathBuf> {
        if let Some(known) = self.found.get(&proposal).filter(|folder| folder.is_dir()) {
            return Some(known.clone());
        }
        let folder = self.search(proposal)?;
        self.found.insert(proposal, folder.clone());
        Some(folder)
    }

    /// The folder above all proposals, where it is there just now: a file system may be away for a while, and that
    /// does not mean that it has no proposals.
    ///
    /// # Errors
    /// [`Error::NoDataRoot`].
    pub fn root(&self) -> Result<&Path> {
        let root = self.settings.root.as_path();
        match root.is_dir() {
            true => Ok(root),
            false => Err(Error::NoDataRoot(root.into())),
        }
    }

    /// Whether a run has raw data, as far as the settings tell where that would be.
    pub fn has_data(&mut self, run: RunId) -> bool {
        if self.settings.run.is_empty() {
            return true;
        }
        let number = run.number.0;
        let below = self
            .settings
            .run
            .replace("{run:04}", &format!("{number:04}"));
        let below = below.replace("{run}", &number.to_string());
        // A file by a folder's name is a stray one; at a facility with a file for each run, its name has an ending.
        let is_run =
            |place: PathBuf| place.is_dir() || (place.extension().is_some() && place.is_file());
        self.find(run.proposal)
            .is_some_and(|folder| is_run(folder.join(below)))
    }

    fn search(&self, proposal: Proposal) -> Option<PathBuf> {
        let root = glob::Pattern::escape(self.settings.root.to_str()?);
        let below = self
            .settings
            .pattern
            .replace("{proposal:06}", &format!("{:06}", proposal.0))
            .replace("{proposal}", &proposal.0.to_string());
        let mut places = glob::glob(&format!("{root}/{below}")).ok()?;
        places.find_map(|place| place.ok().filter(|place| place.is_dir()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn below(root: &std::path::Path, pattern: &str) -> Proposals {
        Proposals::new(DataSettings {
            root: root.into(),
            pattern: pattern.into(),
            ..DataSettings::default()
        })
    }

    #[test]
    fn a_proposal_is_found_whatever_its_instrument_and_cycle() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("SPB/202602/p001234");
        std::fs::create_dir_all(&folder).unwrap();
        let mut proposals = below(root.path(), "*/*/p{proposal:06}");
        assert_eq!(proposals.find(Proposal(1234)), Some(folder.clone()));
        assert_eq!(proposals.find(Proposal(1235)), None);
        std::fs::remove_dir(&folder).unwrap();
        assert_eq!(proposals.find(Proposal(1234)), None);
    }

    #[test]
    fn a_proposal_that_was_found_is_not_searched_for_again() {
        let root = tempfile::tempdir().unwrap();
        let folder = |instrument: &str| {
            let folder = root.path().join(instrument).join("202602/p001234");
            std::fs::create_dir_all(&folder).unwrap();
            folder
        };
        let mut proposals = below(root.path(), "*/*/p{proposal:06}");
        let found = folder("SPB");
        assert_eq!(proposals.find(Proposal(1234)), Some(found.clone()));
        // A search would find this one first.
        folder("FXE");
        assert_eq!(proposals.find(Proposal(1234)), Some(found));
    }

    #[test]
    fn another_facility_names_its_folders_in_its_own_way() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("visit-77");
        std::fs::create_dir_all(&folder).unwrap();
        assert_eq!(
            below(root.path(), "visit-{proposal}").find(Proposal(77)),
            Some(folder)
        );
    }
}
