//! How large a revision is, and where its bytes are: what to look at when uploads take long.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The sizes of a revision's files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SizeReport {
    /// Files that are deployed.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The largest of them, the largest first; five at most.
    pub largest: Vec<SizedFile>,
    /// Files and folders that ignore rules left out; an ignored folder counts once.
    pub ignored: u64,
    /// The first of these, with the rule; five at most.
    pub ignored_first: Vec<IgnoredFile>,
    /// What is deployed and seldom has to be, the most bytes first; three at most.
    pub could_ignore: Vec<CouldIgnore>,
}

/// A file and its size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SizedFile {
    /// Where it is.
    pub path: String,
    /// Its size.
    pub bytes: u64,
}

/// A file or folder that is not deployed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IgnoredFile {
    /// Where it is; a folder ends with `/`.
    pub path: String,
    /// The rule, for people.
    pub reason: String,
}

/// A pattern for an ignore file, and what it would leave out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CouldIgnore {
    /// The pattern.
    pub pattern: String,
    /// How many files it matches.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}
