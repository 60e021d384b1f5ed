//! Landlock: which paths may be read and written, and that nobody outside is signalled or connected to.

use std::path::PathBuf;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, Compatible, PathBeneath, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};

use crate::opened::{Kind, Places};
use crate::order::Order;
use crate::{Error, Part, Result};

/// The newest that we know; an older kernel keeps what it knows of it.
const KNOWN: ABI = ABI::V9;
/// Devices and folders of the system that are written.
pub(crate) const SHARED: [&str; 6] = [
    "/dev/full",
    "/dev/null",
    "/dev/random",
    "/dev/shm",
    "/dev/urandom",
    "/dev/zero",
];

/// From now on this process and its children are held to the rules.
pub(crate) fn hold(order: &Order, opened: &Places) -> Result<()> {
    let missing = |why: String| Error::Missing {
        part: Part::Landlock,
        why,
    };
    match restrict(order, opened) {
        Ok(RulesetStatus::NotEnforced) => Err(missing("this kernel does not have it".into())),
        Ok(_) => Ok(()),
        Err(why) => Err(missing(why.to_string())),
    }
}

fn restrict(order: &Order, opened: &Places) -> Result<RulesetStatus, RulesetError> {
    let mut rules = Ruleset::default()
        .set_compatibility(landlock::CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(KNOWN))?
        .scope(Scope::from_all(KNOWN))?;
    // A network of its own needs no rules.
    if !order.network && !order.has(Part::Namespaces) {
        rules = rules.handle_access(AccessNet::from_all(KNOWN))?;
    }
    let shared = SHARED.into_iter().map(PathBuf::from);
    let written = shared.chain([order.temporary()]);
    let looking: BitFlags<AccessFs> = AccessFs::from_read(KNOWN);
    let opened = opened.values().map(|place| {
        let access = match place.kind {
            Kind::Read | Kind::Data => looking,
            Kind::Write | Kind::Own => AccessFs::from_all(KNOWN),
        };
        Ok::<_, RulesetError>(PathBeneath::new(&place.file, access))
    });
    let looked_through = match order.has(Part::Namespaces) {
        // It has nothing but what may be read.
        true => vec!["/".into()],
        false => order.listed.clone(),
    };
    let status = rules
        .create()?
        .add_rules(path_beneath_rules(looked_through, AccessFs::ReadDir))?
        .add_rules(path_beneath_rules(["/proc"], looking))?
        .add_rules(opened)?
        .add_rules(path_beneath_rules(written, AccessFs::from_all(KNOWN)))?
        .restrict_self()?;
    Ok(status.ruleset)
}

/// The version of Landlock that the kernel has, found out in a thread that ends with that; None: it has none.
pub(crate) fn version() -> Option<i32> {
    let asked = std::thread::spawn(|| {
        let nothing = Ruleset::default().handle_access(AccessFs::Refer).ok()?;
        Some(nothing.create().ok()?.restrict_self().ok()?.landlock)
    });
    match asked.join().ok()?? {
        landlock::LandlockStatus::Available {
            effective_abi,
            kernel_abi,
        } => Some(kernel_abi.unwrap_or(effective_abi as i32)),
        _ => None,
    }
}
