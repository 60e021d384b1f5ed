//! Tries a target with the bytes of files, one after the other: `replay TARGET FILE…`.
//!
//! It ends as the first that does not come back ends: with 101 after a panic of ours, by a signal after a crash of C code.

use runledger_fuzz::Target;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    let target = Target::named(&name).unwrap_or_else(|| panic!("{name:?} is none of the targets"));
    for file in arguments {
        println!("{file}");
        (target.read)(&std::fs::read(&file).expect("a file that can be read"));
    }
}
