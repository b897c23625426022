//! A worker's name, as `why` and the history tell it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longer ones fill the lines of a table, and every lease's owner is stored with it.
const LONGEST: usize = 64;

/// Letters, digits, `.`, `_` and `-`: it stands in tables, in logs and before a slash in a lease's owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct WorkerName(String);

/// The text is no such name.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("it is not 1 to {LONGEST} letters, digits, dots, underscores and hyphens")]
pub(crate) struct WorkerNameError;

/// What to write.
pub(super) const WORKER_NAME_GRAMMAR: &str =
    "write 1 to 64 letters, digits, dots, underscores and hyphens, or leave it out";

fn may_stand_in_it(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-')
}

impl WorkerName {
    /// The nearest name to what a system calls itself; `None` where nothing is left of that.
    pub(crate) fn from_host(host: &str) -> Option<Self> {
        let name: String = host
            .trim()
            .chars()
            .map(|character| {
                if may_stand_in_it(character) {
                    character
                } else {
                    '-'
                }
            })
            .take(LONGEST)
            .collect();
        name.parse().ok()
    }
}

impl FromStr for WorkerName {
    type Err = WorkerNameError;

    fn from_str(text: &str) -> Result<Self, WorkerNameError> {
        if (1..=LONGEST).contains(&text.len()) && text.chars().all(may_stand_in_it) {
            Ok(Self(text.to_owned()))
        } else {
            Err(WorkerNameError)
        }
    }
}

impl TryFrom<String> for WorkerName {
    type Error = WorkerNameError;

    fn try_from(text: String) -> Result<Self, WorkerNameError> {
        text.parse()
    }
}

impl From<WorkerName> for String {
    fn from(name: WorkerName) -> Self {
        name.0
    }
}

impl fmt::Display for WorkerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_break_a_line_or_an_owner() {
        assert!("worker-1.eu_west".parse::<WorkerName>().is_ok());
        for name in ["", "a/b", "a b", "wörker", "a\nb", &"x".repeat(LONGEST + 1)] {
            assert!(name.parse::<WorkerName>().is_err(), "{name:?}");
        }
    }

    #[test]
    fn any_host_has_a_name_unless_it_says_none() {
        for (host, name) in [
            ("build-7.example.com\n", Some("build-7.example.com")),
            ("my mac", Some("my-mac")),
            (" \n", None),
        ] {
            let named = WorkerName::from_host(host).map(|name| name.to_string());
            assert_eq!(named.as_deref(), name, "{host:?}");
        }
        let long = WorkerName::from_host(&"x".repeat(300)).unwrap().to_string();
        assert_eq!(long.len(), LONGEST);
    }
}
