//! What the API can be asked, and by which paths.
//!
//! A path carries the version of its endpoint. Old versions go on answering (the official tools still call some), so every version
//! leads to the same operation; which one was meant is in the ledger's path. Paths without a version are answered too: the
//! reference has one, and the official tool calls others.

use http::Method;

use crate::core::{Matched, Route, find_route, operations};

operations! {
    /// What Vercel's API can be asked.
    pub enum VercelOperation {
        /// `POST /v2/files`
        UploadFile = "upload_file",
        /// `POST /v13/deployments`
        CreateDeployment = "create_deployment",
        /// `GET /v13/deployments/{idOrUrl}`
        GetDeployment = "get_deployment",
        /// `GET /v7/deployments`
        ListDeployments = "list_deployments",
        /// `PATCH /v12/deployments/{id}/cancel`
        CancelDeployment = "cancel_deployment",
        /// `DELETE /v13/deployments/{id}`
        DeleteDeployment = "delete_deployment",
        /// `GET /v3/deployments/{idOrUrl}/events`
        ListEvents = "list_events",
        /// `GET /v11/deployments/{id}/builds`
        ListBuilds = "list_builds",
        /// `GET /v1/projects/{projectId}/deployments/{deploymentId}/runtime-logs`
        ListRuntimeLogs = "list_runtime_logs",
        /// `GET /v6/deployments/{id}/files`
        ListDeploymentFiles = "list_deployment_files",
        /// `GET /v8/deployments/{id}/files/{fileId}`
        GetDeploymentFile = "get_deployment_file",
        /// `POST /v11/projects`
        CreateProject = "create_project",
        /// `GET /v10/projects`
        ListProjects = "list_projects",
        /// `GET /v9/projects/{idOrName}`
        GetProject = "get_project",
        /// `PATCH /v9/projects/{idOrName}`
        UpdateProject = "update_project",
        /// `DELETE /v9/projects/{idOrName}`
        DeleteProject = "delete_project",
        /// `GET /v10/projects/{idOrName}/env`
        ListEnv = "list_env",
        /// `POST /v10/projects/{idOrName}/env`
        CreateEnv = "create_env",
        /// `GET /v1/projects/{idOrName}/env/{id}`
        GetEnv = "get_env",
        /// `PATCH /v9/projects/{idOrName}/env/{id}`
        UpdateEnv = "update_env",
        /// `DELETE /v9/projects/{idOrName}/env/{id}`
        DeleteEnv = "delete_env",
        /// `DELETE /v1/projects/{idOrName}/env`
        DeleteEnvs = "delete_envs",
        /// `GET /v9/projects/{idOrName}/custom-environments`
        ListCustomEnvironments = "list_custom_environments",
        /// `POST /v2/deployments/{id}/aliases`
        AssignAlias = "assign_alias",
        /// `GET /v2/deployments/{id}/aliases`
        ListDeploymentAliases = "list_deployment_aliases",
        /// `GET /v4/aliases`
        ListAliases = "list_aliases",
        /// `GET /v4/aliases/{idOrAlias}`
        GetAlias = "get_alias",
        /// `DELETE /v2/aliases/{aliasId}`
        DeleteAlias = "delete_alias",
        /// `POST /v10/projects/{idOrName}/domains`
        AddDomain = "add_domain",
        /// `GET /v9/projects/{idOrName}/domains`
        ListDomains = "list_domains",
        /// `GET /v9/projects/{idOrName}/domains/{domain}`
        GetDomain = "get_domain",
        /// `PATCH /v9/projects/{idOrName}/domains/{domain}`
        UpdateDomain = "update_domain",
        /// `DELETE /v9/projects/{idOrName}/domains/{domain}`
        RemoveDomain = "remove_domain",
        /// `POST /v9/projects/{idOrName}/domains/{domain}/verify`
        VerifyDomain = "verify_domain",
        /// `GET /v6/domains/{domain}/config`
        GetDomainConfig = "get_domain_config",
        /// `PATCH /v1/projects/{idOrName}/protection-bypass`
        UpdateProtectionBypass = "update_protection_bypass",
        /// `PATCH /aliases/{id}/protection-bypass`
        UpdateShareLink = "update_share_link",
        /// `POST /v1/webhooks`
        CreateWebhook = "create_webhook",
        /// `GET /v1/webhooks`
        ListWebhooks = "list_webhooks",
        /// `GET /v1/webhooks/{id}`
        GetWebhook = "get_webhook",
        /// `DELETE /v1/webhooks/{id}`
        DeleteWebhook = "delete_webhook",
        /// `GET /v2/user`
        GetUser = "get_user",
        /// `GET /v2/teams`
        ListTeams = "list_teams",
        /// `GET /v2/teams/{teamId}`
        GetTeam = "get_team",
    }
}

use VercelOperation as Op;

/// What a call asks for.
pub(super) fn route(method: &Method, path: &str) -> Option<Matched<VercelOperation>> {
    find_route(ROUTES, method, path).or_else(|| find_route(ROUTES, method, &format!("/v1{path}")))
}

const ROUTES: &[Route<VercelOperation>] = &[
    ("POST", "/v*/files", Op::UploadFile),
    ("POST", "/v*/now/files", Op::UploadFile),
    ("POST", "/v*/deployments", Op::CreateDeployment),
    ("POST", "/v*/now/deployments", Op::CreateDeployment),
    ("GET", "/v*/deployments", Op::ListDeployments),
    ("GET", "/v*/now/deployments", Op::ListDeployments),
    ("GET", "/v*/deployments/{id}", Op::GetDeployment),
    ("GET", "/v*/now/deployments/{id}", Op::GetDeployment),
    ("PATCH", "/v*/deployments/{id}/cancel", Op::CancelDeployment),
    ("DELETE", "/v*/deployments/{id}", Op::DeleteDeployment),
    ("DELETE", "/v*/now/deployments/{id}", Op::DeleteDeployment),
    ("GET", "/v*/deployments/{id}/events", Op::ListEvents),
    ("GET", "/v*/now/deployments/{id}/events", Op::ListEvents),
    (
        "GET",
        "/v*/projects/{project}/deployments/{id}/runtime-logs",
        Op::ListRuntimeLogs,
    ),
    ("GET", "/v*/deployments/{id}/builds", Op::ListBuilds),
    ("GET", "/v*/deployments/{id}/files", Op::ListDeploymentFiles),
    (
        "GET",
        "/v*/deployments/{id}/files/{file}",
        Op::GetDeploymentFile,
    ),
    ("POST", "/v*/projects", Op::CreateProject),
    ("GET", "/v*/projects", Op::ListProjects),
    ("GET", "/v*/projects/{project}", Op::GetProject),
    ("PATCH", "/v*/projects/{project}", Op::UpdateProject),
    ("DELETE", "/v*/projects/{project}", Op::DeleteProject),
    ("GET", "/v*/projects/{project}/env", Op::ListEnv),
    ("POST", "/v*/projects/{project}/env", Op::CreateEnv),
    ("DELETE", "/v*/projects/{project}/env", Op::DeleteEnvs),
    ("GET", "/v*/projects/{project}/env/{env}", Op::GetEnv),
    ("PATCH", "/v*/projects/{project}/env/{env}", Op::UpdateEnv),
    ("DELETE", "/v*/projects/{project}/env/{env}", Op::DeleteEnv),
    (
        "GET",
        "/v*/projects/{project}/custom-environments",
        Op::ListCustomEnvironments,
    ),
    ("POST", "/v*/deployments/{id}/aliases", Op::AssignAlias),
    ("POST", "/v*/now/deployments/{id}/aliases", Op::AssignAlias),
    (
        "GET",
        "/v*/deployments/{id}/aliases",
        Op::ListDeploymentAliases,
    ),
    (
        "GET",
        "/v*/now/deployments/{id}/aliases",
        Op::ListDeploymentAliases,
    ),
    ("GET", "/v*/aliases", Op::ListAliases),
    ("GET", "/v*/now/aliases", Op::ListAliases),
    ("GET", "/v*/aliases/{alias}", Op::GetAlias),
    ("GET", "/v*/now/aliases/{alias}", Op::GetAlias),
    ("DELETE", "/v*/aliases/{alias}", Op::DeleteAlias),
    ("DELETE", "/v*/now/aliases/{alias}", Op::DeleteAlias),
    ("POST", "/v*/projects/{project}/domains", Op::AddDomain),
    ("GET", "/v*/projects/{project}/domains", Op::ListDomains),
    (
        "GET",
        "/v*/projects/{project}/domains/{domain}",
        Op::GetDomain,
    ),
    (
        "PATCH",
        "/v*/projects/{project}/domains/{domain}",
        Op::UpdateDomain,
    ),
    (
        "DELETE",
        "/v*/projects/{project}/domains/{domain}",
        Op::RemoveDomain,
    ),
    (
        "POST",
        "/v*/projects/{project}/domains/{domain}/verify",
        Op::VerifyDomain,
    ),
    ("GET", "/v*/domains/{domain}/config", Op::GetDomainConfig),
    (
        "PATCH",
        "/v*/projects/{project}/protection-bypass",
        Op::UpdateProtectionBypass,
    ),
    (
        "PATCH",
        "/v*/aliases/{alias}/protection-bypass",
        Op::UpdateShareLink,
    ),
    ("POST", "/v*/webhooks", Op::CreateWebhook),
    ("GET", "/v*/webhooks", Op::ListWebhooks),
    ("GET", "/v*/webhooks/{webhook}", Op::GetWebhook),
    ("DELETE", "/v*/webhooks/{webhook}", Op::DeleteWebhook),
    ("GET", "/v*/user", Op::GetUser),
    ("GET", "/v*/teams", Op::ListTeams),
    ("GET", "/v*/teams/{team}", Op::GetTeam),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_leads_to_the_same_call_and_none_does_too() {
        for path in ["/v9/projects/site", "/v1/projects/site", "/projects/site"] {
            let found = route(&Method::GET, path).map(|found| found.operation);
            assert_eq!(found, Some(Op::GetProject), "{path}");
        }
        assert!(route(&Method::GET, "/v9/nothing").is_none());
    }
}
