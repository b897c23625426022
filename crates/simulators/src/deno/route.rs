//! The calls of the API, as a table.
//!
//! The service mounts one API twice: `/v2` on its API host and `/api/v2` on its console host, which is the one that the
//! vendor's own clients call. Both are the same here.

use http::Method;

use crate::core::{Matched, Route, find_route, operations};

operations! {
    /// The calls of the API, by the names that rules for faults and the ledger use.
    pub enum Operation {
        /// `GET apps`
        ListApps = "list_apps",
        /// `POST apps`
        CreateApp = "create_app",
        /// `GET apps/{app}`
        GetApp = "get_app",
        /// `PATCH apps/{app}`
        UpdateApp = "update_app",
        /// `DELETE apps/{app}`
        DeleteApp = "delete_app",
        /// `POST apps/{app}/deploy`
        Deploy = "deploy",
        /// `GET apps/{app}/analytics`
        Analytics = "analytics",
        /// `GET apps/{app}/logs`
        Logs = "logs",
        /// `GET apps/{app}/timelines`: called by the vendor's client, absent from the published document
        ListAppTimelines = "list_app_timelines",
        /// `GET apps/{app}/revisions`
        ListRevisions = "list_revisions",
        /// `GET revisions/{revision}`
        GetRevision = "get_revision",
        /// `PATCH revisions/{revision}`
        UpdateRevision = "update_revision",
        /// `DELETE revisions/{revision}`
        DeleteRevision = "delete_revision",
        /// `POST revisions/{revision}/cancel`
        CancelRevision = "cancel_revision",
        /// `GET revisions/{revision}/progress`
        Progress = "progress",
        /// `GET revisions/{revision}/build_logs`
        BuildLogs = "build_logs",
        /// `GET revisions/{revision}/timelines`
        Timelines = "timelines",
        /// `PUT revisions/{revision}/domains`
        AttachDomains = "attach_domains",
        /// `DELETE revisions/{revision}/domains/{hostname}`
        DetachDomain = "detach_domain",
        /// `POST revisions/{revision}/promote`
        Promote = "promote",
        /// `GET layers`
        ListLayers = "list_layers",
        /// `POST layers`
        CreateLayer = "create_layer",
        /// `GET layers/{layer}`
        GetLayer = "get_layer",
        /// `PATCH layers/{layer}`
        UpdateLayer = "update_layer",
        /// `DELETE layers/{layer}`
        DeleteLayer = "delete_layer",
        /// `GET layers/{layer}/apps`
        LayerApps = "layer_apps",
        /// `GET domains`
        ListDomains = "list_domains",
        /// `POST domains`
        CreateDomain = "create_domain",
        /// `GET domains/{domain}`
        GetDomain = "get_domain",
        /// `DELETE domains/{domain}`
        DeleteDomain = "delete_domain",
        /// `POST domains/{domain}/verify`
        VerifyDomain = "verify_domain",
        /// `GET domains/{domain}/certificates`
        ListCertificates = "list_certificates",
        /// `POST domains/{domain}/certificates`
        UploadCertificate = "upload_certificate",
        /// `POST domains/{domain}/certificates/provision`
        ProvisionCertificate = "provision_certificate",
        /// `POST database_instances`
        CreateDatabase = "create_database",
    }
}

const TABLE: &[Route<Operation>] = &[
    ("GET", "/v2/apps", Operation::ListApps),
    ("POST", "/v2/apps", Operation::CreateApp),
    ("GET", "/v2/apps/{app}", Operation::GetApp),
    ("PATCH", "/v2/apps/{app}", Operation::UpdateApp),
    ("DELETE", "/v2/apps/{app}", Operation::DeleteApp),
    ("POST", "/v2/apps/{app}/deploy", Operation::Deploy),
    ("GET", "/v2/apps/{app}/analytics", Operation::Analytics),
    ("GET", "/v2/apps/{app}/logs", Operation::Logs),
    (
        "GET",
        "/v2/apps/{app}/timelines",
        Operation::ListAppTimelines,
    ),
    ("GET", "/v2/apps/{app}/revisions", Operation::ListRevisions),
    ("GET", "/v2/revisions/{revision}", Operation::GetRevision),
    (
        "PATCH",
        "/v2/revisions/{revision}",
        Operation::UpdateRevision,
    ),
    (
        "DELETE",
        "/v2/revisions/{revision}",
        Operation::DeleteRevision,
    ),
    (
        "POST",
        "/v2/revisions/{revision}/cancel",
        Operation::CancelRevision,
    ),
    (
        "GET",
        "/v2/revisions/{revision}/progress",
        Operation::Progress,
    ),
    (
        "GET",
        "/v2/revisions/{revision}/build_logs",
        Operation::BuildLogs,
    ),
    (
        "GET",
        "/v2/revisions/{revision}/timelines",
        Operation::Timelines,
    ),
    (
        "PUT",
        "/v2/revisions/{revision}/domains",
        Operation::AttachDomains,
    ),
    (
        "DELETE",
        "/v2/revisions/{revision}/domains/{hostname}",
        Operation::DetachDomain,
    ),
    (
        "POST",
        "/v2/revisions/{revision}/promote",
        Operation::Promote,
    ),
    ("GET", "/v2/layers", Operation::ListLayers),
    ("POST", "/v2/layers", Operation::CreateLayer),
    ("GET", "/v2/layers/{layer}", Operation::GetLayer),
    ("PATCH", "/v2/layers/{layer}", Operation::UpdateLayer),
    ("DELETE", "/v2/layers/{layer}", Operation::DeleteLayer),
    ("GET", "/v2/layers/{layer}/apps", Operation::LayerApps),
    ("GET", "/v2/domains", Operation::ListDomains),
    ("POST", "/v2/domains", Operation::CreateDomain),
    ("GET", "/v2/domains/{domain}", Operation::GetDomain),
    ("DELETE", "/v2/domains/{domain}", Operation::DeleteDomain),
    (
        "POST",
        "/v2/domains/{domain}/verify",
        Operation::VerifyDomain,
    ),
    (
        "GET",
        "/v2/domains/{domain}/certificates",
        Operation::ListCertificates,
    ),
    (
        "POST",
        "/v2/domains/{domain}/certificates",
        Operation::UploadCertificate,
    ),
    (
        "POST",
        "/v2/domains/{domain}/certificates/provision",
        Operation::ProvisionCertificate,
    ),
    ("POST", "/v2/database_instances", Operation::CreateDatabase),
];

/// Finds the call.
pub(crate) fn find(method: &Method, path: &str) -> Option<Matched<Operation>> {
    find_route(TABLE, method, path.strip_prefix("/api").unwrap_or(path))
}

/// Whether the path is one of the API, only with other methods than this one.
pub(crate) fn takes_another_method(path: &str) -> bool {
    [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
    ]
    .iter()
    .any(|method| find(method, path).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_mounts_lead_to_the_same_call() {
        for path in ["/v2/apps/my-app/deploy", "/api/v2/apps/my-app/deploy"] {
            let found = find(&Method::POST, path).unwrap();
            assert_eq!(found.operation, Operation::Deploy);
            assert_eq!(found.params["app"], "my-app");
        }
    }

    #[test]
    fn a_template_in_a_path_is_decoded() {
        let path = "/v2/revisions/r1/domains/%7Bdeno.app.slug%7D-%7Bdeno.revision.id%7D.acme.localhost%3A4001";
        let found = find(&Method::DELETE, path).unwrap();
        assert_eq!(found.operation, Operation::DetachDomain);
        assert_eq!(
            found.params["hostname"],
            "{deno.app.slug}-{deno.revision.id}.acme.localhost:4001"
        );
    }

    #[test]
    fn a_wrong_method_is_told_from_a_wrong_path() {
        assert!(find(&Method::PUT, "/v2/apps").is_none() && takes_another_method("/v2/apps"));
        assert!(!takes_another_method("/v1/projects"));
    }
}
