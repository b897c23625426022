//! Everything there is, for people and tests.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{aliases::Alias, project::Project, webhooks::Webhook, world::World};

impl World {
    /// Everything, for people and tests.
    pub(super) fn to_json(&self) -> Value {
        let deployments: Vec<_> = self
            .deployments
            .values()
            .map(|one| self.show(one))
            .collect();
        let projects: Vec<_> = self.projects.values().map(Project::to_json).collect();
        let domains: Vec<_> = self
            .projects
            .values()
            .flat_map(|project| {
                project
                    .domains
                    .values()
                    .map(|domain| domain.to_json(&project.id))
            })
            .collect();
        let aliases: Vec<_> = self.aliases.values().map(Alias::to_json).collect();
        let webhooks: Vec<_> = self.webhooks.values().map(Webhook::to_json).collect();
        let files: BTreeMap<_, _> = self
            .shelves
            .iter()
            .map(|(owner, shelf)| (owner, shelf.files.len()))
            .collect();
        json!({
            "deployments": deployments,
            "projects": projects,
            "domains": domains,
            "aliases": aliases,
            "webhooks": webhooks,
            "files": files,
        })
    }
}
