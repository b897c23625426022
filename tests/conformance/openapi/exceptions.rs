//! What our requests have and the vendors' documents do not: each on purpose, each with its source.
//!
//! An exception is looked at only where the document itself does not know something, so one that the document has learned is
//! found to be of no use.

use std::fmt;

/// Something that a document does not have.
pub(crate) struct Exception {
    pub(crate) beyond: Beyond,
    pub(crate) why: &'static str,
}

/// What lies beyond a document. Operations are named as the document has them.
#[derive(Clone, Copy)]
pub(crate) enum Beyond {
    /// A path that is asked under another version than the document has.
    Path {
        method: &'static str,
        sent: &'static str,
        documented: &'static str,
    },
    /// A name in the query; one that ends in `*` stands for all that begin so.
    Query {
        method: &'static str,
        path: &'static str,
        name: &'static str,
    },
    /// A field of the body.
    Field {
        method: &'static str,
        path: &'static str,
        name: &'static str,
    },
}

/// Vercel's document of 2025-10 is a year older than the API that is asked.
pub(crate) const VERCEL: &[Exception] = &[
    Exception {
        beyond: Beyond::Path {
            method: "GET",
            sent: "/v7/deployments",
            documented: "/v6/deployments",
        },
        why: "`@vercel/sdk` 1.28 (2026-09) lists with version 7, the document of 2025-10 with 6",
    },
    Exception {
        beyond: Beyond::Query {
            method: "GET",
            path: "/v6/deployments",
            name: "meta-*",
        },
        why: "the filter of Vercel's own tool (`vercel list --meta`), which no document has; what is listed is read again for the tags",
    },
    Exception {
        beyond: Beyond::Query {
            method: "POST",
            path: "/v13/deployments",
            name: "withCache",
        },
        why: "`@vercel/client` sends it to build with the cache of earlier builds, no document has it",
    },
    Exception {
        beyond: Beyond::Field {
            method: "POST",
            path: "/v13/deployments",
            name: "env",
        },
        why: "Vercel's own tool and client send it (`vercel` 60, `@vercel/client` 18), the schema lists it not",
    },
    Exception {
        beyond: Beyond::Field {
            method: "POST",
            path: "/v13/deployments",
            name: "build",
        },
        why: "`build.env`, as `env`",
    },
    Exception {
        beyond: Beyond::Query {
            method: "GET",
            path: "/v2/teams/{teamId}",
            name: "teamId",
        },
        why: "the scope of every call of ours, here the same as in the path",
    },
];

/// Deno's document of 2026-09.
pub(crate) const DENO: &[Exception] = &[];

impl Beyond {
    /// Whether it is this name in the query of this operation.
    pub(crate) fn is_query(self, of: (&str, &str), sent: &str) -> bool {
        match self {
            Self::Query { method, path, name } => {
                let is_name = match name.strip_suffix('*') {
                    Some(beginning) => sent.starts_with(beginning),
                    None => sent == name,
                };
                (method, path) == of && is_name
            }
            Self::Path { .. } | Self::Field { .. } => false,
        }
    }

    /// Whether it is this field of the body of this operation.
    pub(crate) fn is_field(self, of: (&str, &str), sent: &str) -> bool {
        match self {
            Self::Field { method, path, name } => (method, path) == of && name == sent,
            Self::Path { .. } | Self::Query { .. } => false,
        }
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.beyond {
            Beyond::Path {
                method,
                sent,
                documented,
            } => write!(formatter, "{method} {sent}, documented as {documented}")?,
            Beyond::Query { method, path, name } => {
                write!(formatter, "{name} in the query of {method} {path}")?;
            }
            Beyond::Field { method, path, name } => {
                write!(formatter, "{name} in the body of {method} {path}")?;
            }
        }
        write!(formatter, ": {}", self.why)
    }
}
