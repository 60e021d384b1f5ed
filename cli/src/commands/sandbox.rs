//! `sandbox`: what this machine offers for it, and the programs that one is made of.

use runledger_sandbox::probe::{self, ATTEMPTS, Offer, Tried};
use runledger_sandbox::{Part, Settings, enter, settle};

use super::Site;
use crate::arguments::Sandbox;
use crate::failure::{Failure, Result};

/// What each part is for, and what to do where it is not there.
fn remedy(part: Part) -> &'static str {
    match part {
        Part::Namespaces => {
            "the kernel must allow user namespaces to everybody (sysctl user.max_user_namespaces > 0; on Debian and Ubuntu \
             kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0), and a container must \
             not hide parts of /proc"
        }
        Part::Landlock => {
            "it takes Linux 5.13, and \"landlock\" in the kernel's list lsm= (6.12 for all that it keeps out)"
        }
        Part::Seccomp => "it takes a kernel with CONFIG_SECCOMP_FILTER on x86_64 or aarch64",
    }
}

/// Becomes one of the programs of a sandbox, if that is asked for: before there is a thread, and with no word to say.
pub(super) fn run_inner(what: &Sandbox) -> Option<Result> {
    let ended = match what {
        Sandbox::Check { .. } => return None,
        Sandbox::Enter { order, command } => enter(order, command),
        Sandbox::Settle { order, command } => settle(order, command),
        Sandbox::Attempt { bait } => probe::attempt(bait).map(|said| {
            println!("{said}");
            0
        }),
    };
    match ended {
        Ok(code) => std::process::exit(code.into()),
        Err(why) => Some(Err(Failure::not_enclosed(why))),
    }
}

/// Tells what this machine offers.
pub(super) fn check(json: bool, site: &Site) -> Result {
    let offer = probe::offer().map_err(Failure::new)?;
    match json {
        true => print_json(&offer)?,
        false => print(&offer, &site.config.sandbox),
    }
    verdict(&offer, &site.config.sandbox)
}

fn print_json(offer: &Offer) -> Result {
    let text = serde_json::to_string_pretty(offer).map_err(Failure::new)?;
    println!("{text}");
    Ok(())
}

fn print(offer: &Offer, settings: &Settings) {
    for tried in &offer.parts {
        print_part(tried, offer.landlock);
    }
    println!("\nTried from inside, with each by itself and with all that are there:\n");
    let columns = offer.parts.iter().chain([&offer.together]);
    let columns: Vec<&Tried> = columns.collect();
    println!(
        "{:<50}{:<12}{:<10}{:<10}all",
        "", "namespaces", "landlock", "seccomp"
    );
    for (name, what) in ATTEMPTS {
        let words: Vec<&str> = columns.iter().map(|tried| outcome(tried, name)).collect();
        println!(
            "{what:<50}{:<12}{:<10}{:<10}{}",
            words[0], words[1], words[2], words[3]
        );
    }
    let mode = if settings.is_on() { "on" } else { "off" };
    println!("\nThe configuration here says: the sandbox is {mode}.");
}

fn print_part(tried: &Tried, landlock: Option<i32>) {
    let part = tried.parts[0];
    match (&tried.missing, part, landlock) {
        (Some(why), ..) => println!("{part}: not here: {why}\n  {}", remedy(part)),
        (None, Part::Landlock, Some(version)) if version < 6 => println!(
            "{part}: here, version {version}: it keeps nobody from sending signals before version 6 (Linux 6.12)"
        ),
        (None, Part::Landlock, Some(version)) => println!("{part}: here, version {version}"),
        (None, ..) => println!("{part}: here"),
    }
}

fn outcome(tried: &Tried, attempt: &str) -> &'static str {
    match tried.got_through.get(attempt) {
        None => "-",
        Some(true) => "possible",
        Some(false) => "barred",
    }
}

/// Fails where a part is missing that the configuration demands; where it demands none, that any is missing is no
/// failure.
fn verdict(offer: &Offer, settings: &Settings) -> Result {
    let demanded = |part: &Part| settings.is_on() && settings.parts.contains(part);
    let missing = offer.parts.iter().filter(|tried| tried.missing.is_some());
    let missing: Vec<String> = missing
        .flat_map(|tried| &tried.parts)
        .filter(|part| demanded(part))
        .map(ToString::to_string)
        .collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Failure::new(format!(
            "the configuration demands {}, which this machine does not have: no job evaluates anything here",
            missing.join(" and ")
        ))
        .hint("`[sandbox] parts` names what is demanded")),
    }
}
