//! What an adapter can ask, read out of its source: a call that is added there has to be driven here.

use foreshow_simulators::core::Call;

use crate::{
    document::fits,
    exceptions::{self, Exception},
};

/// An adapter of ours.
pub(crate) struct Adapter {
    /// Where its operations are.
    source: &'static str,
    /// What its vendor's document is known not to have.
    pub(crate) exceptions: &'static [Exception],
    /// The call that is broken on purpose: one with a body.
    pub(crate) create: (&'static str, &'static str),
}

pub(crate) const VERCEL: Adapter = Adapter {
    source: include_str!("../../../crates/providers/src/vercel/client.rs"),
    exceptions: exceptions::VERCEL,
    create: ("POST", "/v13/deployments"),
};

pub(crate) const DENO: Adapter = Adapter {
    source: include_str!("../../../crates/providers/src/deno/operations.rs"),
    exceptions: exceptions::DENO,
    create: ("POST", "/v2/apps/{app}/deploy"),
};

impl Adapter {
    /// How many calls it has, and those of them that are not among these.
    pub(crate) fn compare(&self, calls: &[Call]) -> (usize, Vec<String>) {
        let operations = operations(self.source);
        let is_made = |(method, path): &(&str, &str)| {
            calls
                .iter()
                .any(|call| call.method == *method && fits(path, &call.path))
        };
        let mut missing: Vec<_> = operations
            .iter()
            .filter(|operation| !is_made(operation))
            .map(|(method, path)| format!("{method} {path} was not made"))
            .collect();
        if operations.is_empty() {
            missing
                .push("no calls were found in its source: it is written otherwise now".to_owned());
        }
        (operations.len(), missing)
    }
}

/// The methods and paths of `Operation`s: `Operation::…(…, Method::GET, "/v2/apps/{app}")`.
fn operations(source: &str) -> Vec<(&str, &str)> {
    let statics = source.split("Operation::").skip(1);
    statics
        .filter_map(|operation| {
            let (_, rest) = operation.split_once("Method::")?;
            let (method, rest) = rest.split_once(',')?;
            let (_, rest) = rest.split_once('"')?;
            let (path, _) = rest.split_once('"')?;
            Some((method, path))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_found_in_the_source_of_both_adapters() {
        let source = r#"
            static CREATE: Operation = Operation::once("create", "create it", Method::POST, "/v1/things").of_tenants_files();
            static GET: Operation =
                Operation::harmless(
                    "get",
                    "look it up",
                    Method::GET,
                    "/v1/things/{id}",
                );"#;
        assert_eq!(
            operations(source),
            [("POST", "/v1/things"), ("GET", "/v1/things/{id}")]
        );
        for adapter in [VERCEL, DENO] {
            let found = operations(adapter.source);
            assert_eq!(found.len(), adapter.source.matches(": Operation =").count());
            assert!(found.contains(&adapter.create));
            assert!(
                found.iter().all(|(_, path)| path.starts_with("/v")),
                "{found:?}"
            );
        }
    }

    #[test]
    fn a_call_that_was_not_made_is_named() {
        let (count, missing) = VERCEL.compare(&[]);
        assert_eq!(missing.len(), count);
        assert!(missing.contains(&"POST /v13/deployments was not made".to_owned()));
    }
}
