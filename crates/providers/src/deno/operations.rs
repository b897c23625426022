//! The calls that are made, as a closed list, and how Deno speaks.

use foreshow_engine::Failure;
use http::Method;
use serde_json::Value;

use crate::http::{Dialect, Operation, Words};

/// How Deno speaks.
pub(super) static DIALECT: Dialect = Dialect {
    provider: super::NAME,
    request_id: "x-deno-trace-id",
    // The document wraps them in `error`; the official clients read them flat. Nobody has said which is sent.
    words: |body| match body.get("error") {
        Some(nested @ Value::Object(_)) => Words::of(nested),
        _ => Words::of(body),
    },
    wait: |_, _, _| None,
    failure: |operation, refusal| {
        let is_passing = match refusal.status.as_u16() {
            // It was there a moment ago: somebody has removed it in between, and the next attempt makes it anew.
            404 => operation.path.contains('{'),
            409 | 423 => true,
            // What is not built, or not known everywhere yet, is not promoted.
            400 | 412 | 422 => operation.name == PROMOTE.name,
            _ => false,
        };
        is_passing.then_some(Failure::Retryable { after: None })
    },
};

pub(super) static LIST_APPS: Operation =
    Operation::harmless("list_apps", "list all deployments", Method::GET, "/v2/apps");
/// A name is taken once, so it would do no harm twice; but who has it is for the caller to look at.
pub(super) static CREATE_APP: Operation = Operation::once(
    "create_app",
    "create the context's app",
    Method::POST,
    "/v2/apps",
);
pub(super) static GET_APP: Operation = Operation::harmless(
    "get_app",
    "look up the context's app",
    Method::GET,
    "/v2/apps/{app}",
);
pub(super) static UPDATE_APP: Operation = Operation::harmless(
    "update_app",
    "set the app's environment",
    Method::PATCH,
    "/v2/apps/{app}",
)
.of_tenants_files();
/// Sent once: repeated in place, it could take along what came into the app meanwhile.
pub(super) static DELETE_APP: Operation = Operation::once(
    "delete_app",
    "delete the context's app",
    Method::DELETE,
    "/v2/apps/{app}",
);
pub(super) static DEPLOY: Operation = Operation::once(
    "deploy",
    "create a deployment",
    Method::POST,
    "/v2/apps/{app}/deploy",
)
.of_tenants_files();
pub(super) static LIST_REVISIONS: Operation = Operation::harmless(
    "list_revisions",
    "list deployments",
    Method::GET,
    "/v2/apps/{app}/revisions",
);
pub(super) static GET_REVISION: Operation = Operation::harmless(
    "get_revision",
    "look up a deployment",
    Method::GET,
    "/v2/revisions/{revision}",
);
pub(super) static DELETE_REVISION: Operation = Operation::harmless(
    "delete_revision",
    "delete a deployment",
    Method::DELETE,
    "/v2/revisions/{revision}",
);
pub(super) static CANCEL: Operation = Operation::harmless(
    "cancel_revision",
    "cancel a build",
    Method::POST,
    "/v2/revisions/{revision}/cancel",
);
pub(super) static BUILD_LOGS: Operation = Operation::harmless(
    "build_logs",
    "read a build's log",
    Method::GET,
    "/v2/revisions/{revision}/build_logs",
);
pub(super) static PROMOTE: Operation = Operation::harmless(
    "promote",
    "move an alias",
    Method::POST,
    "/v2/revisions/{revision}/promote",
);
pub(super) static ATTACH: Operation = Operation::harmless(
    "attach_domains",
    "move a domain",
    Method::PUT,
    "/v2/revisions/{revision}/domains",
);
pub(super) static DETACH: Operation = Operation::harmless(
    "detach_domain",
    "take a deployment off its host",
    Method::DELETE,
    "/v2/revisions/{revision}/domains/{hostname}",
);
pub(super) static GET_DOMAIN: Operation = Operation::harmless(
    "get_domain",
    "look up a domain",
    Method::GET,
    "/v2/domains/{domain}",
);
pub(super) static CREATE_DOMAIN: Operation =
    Operation::harmless("create_domain", "add a domain", Method::POST, "/v2/domains");
pub(super) static VERIFY_DOMAIN: Operation = Operation::harmless(
    "verify_domain",
    "verify a domain",
    Method::POST,
    "/v2/domains/{domain}/verify",
);
pub(super) static PROVISION: Operation = Operation::harmless(
    "provision_certificate",
    "get a certificate for a domain",
    Method::POST,
    "/v2/domains/{domain}/certificates/provision",
);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_shapes_of_an_error_are_read() {
        let expected = Words {
            code: Some("INVALID_TOKEN".into()),
            message: Some("no".into()),
        };
        let flat = json!({ "code": "INVALID_TOKEN", "message": "no" });
        assert_eq!((DIALECT.words)(&flat), expected);
        assert_eq!((DIALECT.words)(&json!({ "error": flat })), expected);
        let strange = json!({ "error": "no", "code": 7 });
        assert_eq!((DIALECT.words)(&strange), Words::default());
    }
}
