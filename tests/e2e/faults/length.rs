//! How long the killing goes on.

use std::time::{Duration, Instant};

const FEW_ROUNDS: u32 = 5;

/// A few rounds in the tests, many minutes in a soak.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Length {
    Rounds(u32),
    Time(Duration),
}

impl Length {
    pub(crate) fn wanted() -> Self {
        let Ok(minutes) = std::env::var("RUNLEDGER_SOAK_MINUTES") else {
            return Self::Rounds(FEW_ROUNDS);
        };
        let minutes: f64 = minutes.parse().expect("RUNLEDGER_SOAK_MINUTES is a number");
        Self::Time(Duration::from_secs_f64(60.0 * minutes))
    }

    /// So many rounds make a service as large as it will be; where nobody looks, none.
    pub(crate) fn warm_up(self) -> u32 {
        if self.is_short() { 0 } else { 3 }
    }

    /// Whether it is too short to say whether anything leaks.
    pub(crate) fn is_short(self) -> bool {
        matches!(self, Self::Rounds(_))
    }

    pub(crate) fn is_half_over(self, rounds: u32, begun: Instant) -> bool {
        match self {
            Self::Rounds(_) => self.is_over(rounds, begun),
            Self::Time(length) => begun.elapsed() > length / 2,
        }
    }

    pub(crate) fn is_over(self, rounds: u32, begun: Instant) -> bool {
        match self {
            Self::Rounds(all) => rounds >= all,
            Self::Time(length) => begun.elapsed() > length,
        }
    }
}
