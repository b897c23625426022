//! What is wrong with the configuration, said so that it can be mended.

use std::fmt;

/// One problem: where, what, why, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// `foreshow.toml:3`, an environment variable, or a flag.
    pub(crate) place: Option<String>,
    /// What is wrong, naming the key.
    pub(crate) what: String,
    /// The reader's own words, where they add something.
    pub(crate) because: Option<String>,
    /// What to do.
    pub(crate) help: Option<String>,
}

impl Problem {
    /// A problem without a place.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self {
            place: None,
            what: what.into(),
            because: None,
            help: None,
        }
    }

    /// Says where.
    pub(crate) fn at(mut self, place: impl fmt::Display) -> Self {
        self.place = Some(place.to_string());
        self
    }

    /// Says why.
    pub(crate) fn because(mut self, why: impl fmt::Display) -> Self {
        self.because = Some(why.to_string());
        self
    }

    /// Says what to do.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{place}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}
