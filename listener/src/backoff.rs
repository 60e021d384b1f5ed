//! How long to wait before another try: twice as long after each failure, up to a limit.

use std::time::Duration;

/// The wait after so many failures before this one.
pub(crate) fn wait(first: Duration, longest: Duration, failures: u32) -> Duration {
    let factor = 2_u32.saturating_pow(failures);
    first.saturating_mul(factor).min(longest)
}
