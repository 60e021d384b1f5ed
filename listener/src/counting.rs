//! Numbers of things, as people say them.

/// `1 job`, `3 jobs`.
pub fn counted(count: usize, one: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        _ => format!("{count} {one}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_not_called_several() {
        let said = [0, 1, 2].map(|count| counted(count, "job"));
        assert_eq!(said, ["0 jobs", "1 job", "2 jobs"]);
    }
}
