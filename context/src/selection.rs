//! Which variables a job evaluates: a plain decision about a [`Manifest`].

use std::collections::HashSet;

use crate::manifest::{Declaration, Manifest};
use crate::run::RunData;

/// What a job was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// The data that has arrived: variables that need other data wait. `All` takes every variable.
    pub data: RunData,
    /// Only variables that ask for a whole node (true), only the others (false), or both (None).
    pub cluster: Option<bool>,
    /// Parts of titles, in any case; empty means any title.
    pub matches: Vec<String>,
    /// Exact names; not empty, they override `matches`.
    pub names: Vec<String>,
}

impl Selection {
    /// Every variable that needs `data`.
    pub fn of(data: RunData) -> Self {
        Self {
            data,
            cluster: None,
            matches: Vec::new(),
            names: Vec::new(),
        }
    }

    /// The names of the selected variables and of everything that they depend on, dependencies first.
    pub fn names(&self, manifest: &Manifest) -> Vec<String> {
        self.names_beside(manifest, &|_| false)
    }

    /// As [`Self::names`], without what only those need whose values are `given`.
    pub fn names_beside(&self, manifest: &Manifest, given: &dyn Fn(&str) -> bool) -> Vec<String> {
        let picked = manifest.variables.iter().filter(|v| self.picks(v));
        let picked = picked.map(|v| v.name.as_str());
        let wanted = with_dependencies(manifest, picked, given);
        let is_wanted = |name: &&String| wanted.contains(name.as_str());
        manifest.order.iter().filter(is_wanted).cloned().collect()
    }

    /// What a light job with this selection leaves to a follow-up job on a whole node, if anything.
    pub fn cluster_variables_left(&self, manifest: &Manifest) -> Option<Self> {
        let follow_up = Self {
            cluster: Some(true),
            ..self.clone()
        };
        let leaves_some = manifest.variables.iter().any(|v| follow_up.picks(v));
        (self.cluster == Some(false) && leaves_some).then_some(follow_up)
    }

    /// The exact names that the context file does not have.
    pub fn unknown<'s>(&'s self, manifest: &Manifest) -> Vec<&'s str> {
        let names = self.names.iter().map(String::as_str);
        names
            .filter(|name| manifest.variable(name).is_none())
            .collect()
    }

    /// Whether a variable is asked for by itself, and not for the sake of others.
    pub fn picks(&self, variable: &Declaration) -> bool {
        let data_fits = self.data == RunData::All || self.data == variable.data;
        let size_fits = self
            .cluster
            .is_none_or(|cluster| cluster == variable.cluster);
        data_fits && size_fits && self.name_fits(variable)
    }

    fn name_fits(&self, variable: &Declaration) -> bool {
        if !self.names.is_empty() {
            return self.names.contains(&variable.name);
        }
        let title = match variable.title.as_str() {
            "" => &variable.name,
            title => title,
        }
        .to_lowercase();
        self.matches.is_empty()
            || self
                .matches
                .iter()
                .any(|part| title.contains(&part.to_lowercase()))
    }
}

/// `picked` and everything that they depend on; not what only the `given` ones do.
pub(crate) fn with_dependencies<'m>(
    manifest: &'m Manifest,
    picked: impl Iterator<Item = &'m str>,
    given: &dyn Fn(&str) -> bool,
) -> HashSet<&'m str> {
    let by_name = manifest.by_name();
    let mut pending: Vec<&str> = picked.collect();
    let mut found = HashSet::new();
    while let Some(name) = pending.pop() {
        if found.insert(name) && !given(name) {
            let needs = by_name.get(name).map(|v| v.dependencies.as_slice());
            pending.extend(needs.unwrap_or_default().iter().map(String::as_str));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str, data: RunData, cluster: bool, dependencies: &[&str]) -> Declaration {
        Declaration {
            name: name.into(),
            title: format!("Title of {name}"),
            description: None,
            tags: None,
            data,
            cluster,
            transient: false,
            units: None,
            summary: None,
            dependencies: dependencies.iter().map(ToString::to_string).collect(),
        }
    }

    /// counts ← mean ← fit (a node); corrected (proc) alone.
    fn manifest() -> Manifest {
        Manifest {
            variables: vec![
                variable("fit", RunData::Raw, true, &["mean"]),
                variable("mean", RunData::Raw, false, &["counts"]),
                variable("counts", RunData::Raw, false, &[]),
                variable("corrected", RunData::Proc, false, &[]),
            ],
            order: ["counts", "mean", "fit", "corrected"]
                .map(Into::into)
                .into(),
            digest: String::new(),
        }
    }

    #[test]
    fn what_is_selected_comes_with_its_dependencies_in_order() {
        let mut selection = Selection::of(RunData::All);
        selection.names = vec!["fit".into()];
        assert_eq!(selection.names(&manifest()), ["counts", "mean", "fit"]);
    }

    #[test]
    fn variables_that_need_other_data_wait() {
        let selection = Selection::of(RunData::Proc);
        assert_eq!(selection.names(&manifest()), ["corrected"]);
    }

    #[test]
    fn a_title_matches_by_a_part_in_any_case() {
        let mut selection = Selection::of(RunData::All);
        selection.matches = vec!["OF CORR".into()];
        assert_eq!(selection.names(&manifest()), ["corrected"]);
    }

    #[test]
    fn exact_names_override_parts_of_titles() {
        let mut selection = Selection::of(RunData::All);
        selection.matches = vec!["corrected".into()];
        selection.names = vec!["counts".into(), "absent".into()];
        assert_eq!(selection.names(&manifest()), ["counts"]);
        assert_eq!(selection.unknown(&manifest()), ["absent"]);
    }

    #[test]
    fn what_is_given_needs_nothing() {
        let mut selection = Selection::of(RunData::Raw);
        selection.cluster = Some(true);
        let names = selection.names_beside(&manifest(), &|name| name == "mean");
        assert_eq!(names, ["mean", "fit"]);
    }

    #[test]
    fn a_light_job_leaves_cluster_variables_to_a_follow_up_job() {
        let mut selection = Selection::of(RunData::Raw);
        selection.cluster = Some(false);
        assert_eq!(selection.names(&manifest()), ["counts", "mean"]);
        assert!(selection.cluster_variables_left(&manifest()).is_some());
        selection.names = vec!["mean".into()];
        assert!(selection.cluster_variables_left(&manifest()).is_none());
        selection.names.clear();
        selection.data = RunData::Proc;
        assert!(selection.cluster_variables_left(&manifest()).is_none());
    }
}
