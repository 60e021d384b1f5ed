//! How far a job is: planned → submitted → pending → running → finished, failed, cancelled or lost.

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Written down; no queue has it.
    Planned,
    /// It was given to a queue.
    Submitted,
    /// The queue was seen to let it wait.
    Pending,
    /// It is being evaluated.
    Running,
    /// Done: what it computed was handed in.
    Finished,
    /// It ended and says why.
    Failed,
    /// Somebody did not want it any more.
    Cancelled,
    /// It ended and nobody knows why.
    Lost,
}

impl State {
    /// All of them, in the order of a job's life.
    pub const ALL: [Self; 8] = [
        Self::Planned,
        Self::Submitted,
        Self::Pending,
        Self::Running,
        Self::Finished,
        Self::Failed,
        Self::Cancelled,
        Self::Lost,
    ];

    /// The word in the ledger, and for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Submitted => "submitted",
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Lost => "lost",
        }
    }

    /// The state that a word means.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// What the ledger says; a newer program's word is nothing that we could go on with.
    pub(super) fn of(word: &str) -> Self {
        Self::named(word).unwrap_or(Self::Lost)
    }

    /// Whether nothing will follow.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            Self::Finished | Self::Failed | Self::Cancelled | Self::Lost
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_found_again_by_its_word() {
        for state in State::ALL {
            assert_eq!(State::named(state.as_str()), Some(state));
        }
        assert_eq!(State::of("dreaming"), State::Lost);
    }
}
