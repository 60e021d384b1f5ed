//! What `./x fuzz` runs: tries the target that `RUNLEDGER_FUZZ_TARGET` names with what libFuzzer thinks of.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use runledger_fuzz::Target;

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("RUNLEDGER_FUZZ_TARGET").unwrap_or_default();
    let target = Target::named(&name);
    target.unwrap_or_else(|| panic!("RUNLEDGER_FUZZ_TARGET={name} is none of the targets"))
});

fuzz_target!(|bytes: &[u8]| {
    (TARGET.read)(bytes);
});
