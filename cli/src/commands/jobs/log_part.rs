//! The part of a run's log that one job has printed: logs are the run's, and jobs follow each other there.

use crate::commands::extract::{HEAD, mark};

/// Passes on the lines of a job, or of one of its attempts.
///
/// Each job begins with a line for people ([`HEAD`]) and one that names it; what follows is its own until the next one
/// begins.
#[derive(Debug)]
pub(super) struct Part {
    id: String,
    attempt: Option<u32>,
    /// A line that begins somebody's part: the next one tells whose.
    head: Option<String>,
    is_in: bool,
    /// Whether anything was passed on.
    pub(super) is_found: bool,
}

impl Part {
    /// Of a job, or only of this attempt.
    pub(super) fn of(id: &str, attempt: Option<u32>) -> Self {
        Self {
            id: id.to_owned(),
            attempt,
            head: None,
            is_in: false,
            is_found: false,
        }
    }

    fn is_own(&self, line: &str) -> bool {
        let number = line.trim_end().rsplit(' ').next();
        let number = number.and_then(|number| number.parse().ok());
        number.is_some_and(|number| {
            line.trim_end() == mark(&self.id, number)
                && self.attempt.is_none_or(|own| own == number)
        })
    }

    /// What is to be shown now that the log goes on with `line` (with its end).
    pub(super) fn next(&mut self, line: &str) -> String {
        if line.starts_with(HEAD) {
            self.is_in = false;
            self.head = Some(line.to_owned());
            return String::new();
        }
        let head = self.head.take();
        if head.is_some() {
            self.is_in = self.is_own(line);
        }
        if !self.is_in {
            return String::new();
        }
        self.is_found = true;
        format!("{}{line}", head.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> String {
        let part = |id: &str, number, text: &str| {
            format!(
                "\n{HEAD}r7 (p1234) as me on here (subprocess) -----\n{}\n{text}\n",
                mark(id, number)
            )
        };
        let old = format!("\n{HEAD}r7 (p1234) as me on there -----\nold\n");
        [
            old,
            part("a", 1, "one"),
            part("b", 1, "two"),
            part("a", 2, "three"),
        ]
        .concat()
    }

    fn shown(part: &mut Part) -> String {
        log()
            .split_inclusive('\n')
            .map(|line| part.next(line))
            .collect()
    }

    #[test]
    fn a_job_has_the_parts_of_its_attempts_and_no_others() {
        let text = shown(&mut Part::of("a", None));
        assert!(text.contains("one") && text.contains("three"), "{text}");
        assert!(!text.contains("old") && !text.contains("two"), "{text}");
        assert_eq!(text.matches(HEAD).count(), 2, "{text}");
        let second = shown(&mut Part::of("a", Some(2)));
        assert!(
            !second.contains("one") && second.contains("three"),
            "{second}"
        );
    }

    #[test]
    fn a_job_that_is_not_named_in_the_log_is_not_found() {
        let mut part = Part::of("c", None);
        assert!(shown(&mut part).is_empty() && !part.is_found);
    }
}
