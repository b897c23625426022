//! The project that deployments belong to: made where it is missing, and set up as the settings say.
//!
//! Done once per process and project, before the first deployment, and again where Vercel no longer knows the project. Every
//! step can be made twice and by several workers at once: whoever comes second finds it done.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use foreshow_contract::{ContextKey, InstallationKey};
use serde_json::{Map, Value};
use tokio::sync::OnceCell;

use super::client::Api;
use super::settings::{Protection, VercelSettings};
use super::wire::Project;
use crate::http::ApiError;

/// Projects that are remembered. More contexts than that at a time cost a question each.
const REMEMBERED: usize = 10_000;
/// Characters of a label that tell contexts apart: its keyed end.
const TAIL: usize = 26;

pub(super) struct Projects {
    api: Api,
    settings: Arc<VercelSettings>,
    key: InstallationKey,
    known: Mutex<HashMap<String, Arc<OnceCell<String>>>>,
}

impl Projects {
    pub(super) fn new(api: Api, settings: Arc<VercelSettings>, key: InstallationKey) -> Self {
        Self {
            api,
            settings,
            key,
            known: Mutex::default(),
        }
    }

    /// The name of a context's project.
    pub(super) fn name_for(&self, key: &ContextKey) -> String {
        if !self.settings.project_per_context {
            return self.settings.project.clone();
        }
        let label = self.key.alias_label(key);
        let tail = &label.as_str()[label.as_str().len() - TAIL..];
        format!("{}-{tail}", self.settings.project)
    }

    /// The one project of all contexts, where there is one.
    pub(super) fn shared(&self) -> Option<&str> {
        (!self.settings.project_per_context).then_some(&*self.settings.project)
    }

    /// The id of the project of that name, made and set up.
    pub(super) async fn ensure(&self, name: &str) -> Result<String, ApiError> {
        let cell = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() >= REMEMBERED && !known.contains_key(name) {
                known.clear();
            }
            Arc::clone(known.entry(name.to_owned()).or_default())
        };
        // Others that need it wait for this one.
        cell.get_or_try_init(|| self.make(name)).await.cloned()
    }

    /// Vercel does not know it any more.
    pub(super) fn forget(&self, name: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(name);
    }

    /// Removes the project of a context whose last deployment went. A deployment that is being created meanwhile is
    /// refused, and makes the project anew.
    pub(super) async fn remove_if_empty(&self, id: &str) -> Result<(), ApiError> {
        if !self.settings.project_per_context || self.api.has_any(id).await? {
            return Ok(());
        }
        self.api.delete_project(id).await?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, cell| cell.get().is_none_or(|known| known != id));
        Ok(())
    }

    async fn make(&self, name: &str) -> Result<String, ApiError> {
        let project = match self.api.project(name).await? {
            Some(project) => project,
            None => match self.api.create_project(name).await {
                Ok(project) => project,
                Err(error) if error.is_status(409) => match self.api.project(name).await? {
                    Some(project) => project,
                    None => return Err(error),
                },
                Err(error) => return Err(error),
            },
        };
        let changes = self.changes(&project);
        if !changes.is_empty() {
            let changes = Value::Object(changes);
            self.api.update_project(&project.id, &changes).await?;
        }
        if let Some(secret) = &self.settings.protection_secret
            && !project.protection_bypass.contains_key(secret.expose())
        {
            self.api.add_bypass(&project.id, secret).await?;
        }
        Ok(project.id)
    }

    /// What has to change at a project.
    fn changes(&self, project: &Project) -> Map<String, Value> {
        let mut changes = Map::new();
        let is_protected = project
            .sso_protection
            .as_ref()
            .is_some_and(|it| !it.is_null());
        if self.settings.protection == Protection::Disable && is_protected {
            changes.insert("ssoProtection".to_owned(), Value::Null);
        }
        if let Some(machine) = self.settings.build_machine
            && project.resource_config.build_machine_type.as_deref() != Some(machine.word())
        {
            let config = serde_json::json!({ "buildMachineType": machine.word() });
            changes.insert("resourceConfig".to_owned(), config);
        }
        changes
    }
}
