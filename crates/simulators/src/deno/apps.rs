//! Apps: create, read, list, change, remove.

use http::StatusCode;
use serde_json::{Value, json};

use super::config::Config;
use super::env::Env;
use super::error::ApiError;
use super::labels::{Labels, filters};
use super::layers::{self, references};
use super::organization::Organization;
use super::page::Page;
use super::{Asked, Reply, ids, rfc3339, slug};

/// From when on production is held at a revision.
#[derive(Clone, Debug)]
pub(crate) struct Pin {
    pub(crate) revision: String,
    pub(crate) from: u64,
}

/// One app.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) number: u64,
    pub(crate) id: String,
    pub(crate) slug: String,
    pub(crate) labels: Labels,
    /// Ids of layers, in order.
    pub(crate) layers: Vec<String>,
    pub(crate) env: Env,
    pub(crate) config: Option<Config>,
    /// Promotions; the last one that is seen counts.
    pub(crate) pins: Vec<Pin>,
    created_at: u64,
    updated_at: u64,
}

impl App {
    fn list_item(&self, org: &Organization) -> Value {
        json!({
            "id": self.id,
            "slug": self.slug,
            "labels": self.labels.to_json(),
            "layers": references(org, &self.layers),
            "created_at": rfc3339(self.created_at),
            "updated_at": rfc3339(self.updated_at),
        })
    }

    pub(crate) fn to_json(&self, org: &Organization) -> Value {
        let mut told = self.list_item(org);
        told["env_vars"] = self.env.to_json();
        told["config"] = self
            .config
            .as_ref()
            .map_or_else(|| json!({}), |config| config.to_json().clone());
        told
    }
}

pub(crate) fn create(org: &mut Organization, asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let body = asked.fields()?;
    let slug = match body.text("slug")? {
        Some(slug) => slug::checked(slug)?,
        None => ids::slug(),
    };
    refuse_taken(org, &slug)?;
    let app = App {
        number: org.next_number(),
        id: ids::uuid(),
        slug,
        labels: Labels::read_of_app(&body)?.unwrap_or_default(),
        layers: layers::read(org, &body)?.unwrap_or_default(),
        env: Env::create(&body)?,
        config: Config::read(&body)?,
        pins: Vec::new(),
        created_at: asked.now,
        updated_at: asked.now,
    };
    let told = app.to_json(org);
    org.apps.push(app);
    Ok(Reply::Json(StatusCode::OK, told))
}

pub(crate) fn get(org: &Organization, asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let app = org.app(asked.param("app"))?;
    Ok(Reply::Json(StatusCode::OK, app.to_json(org)))
}

pub(crate) fn list(org: &Organization, asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let wanted = filters(asked.query.pairs());
    let layer = asked
        .query
        .get("layer")
        .map(|layer| layers::find(org, layer).map(|layer| layer.id.clone()))
        .transpose()?;
    let found = org
        .apps
        .iter()
        .filter(|app| {
            wanted
                .iter()
                .all(|(key, value)| app.labels.matches(key, value))
        })
        .filter(|app| {
            layer
                .as_ref()
                .is_none_or(|layer| app.layers.contains(layer))
        })
        .map(|app| (app.number, app));
    Page::of(asked.query, found, |app| app.list_item(org)).map(Reply::Page)
}

pub(crate) fn update(org: &mut Organization, asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let body = asked.fields()?;
    let mut app = org.app(asked.param("app"))?.clone();
    if let Some(slug) = body.text("slug")? {
        let slug = slug::checked(slug)?;
        if slug != app.slug {
            refuse_taken(org, &slug)?;
        }
        app.slug = slug;
    }
    if let Some(labels) = Labels::read_of_app(&body)? {
        app.labels = labels;
    }
    if let Some(layers) = layers::read(org, &body)? {
        app.layers = layers;
    }
    app.env = app.env.merge(&body)?;
    if let Some(config) = Config::read(&body)? {
        app.config = Some(config);
    }
    app.updated_at = asked.now;

    let organization = org.id.clone();
    for revision in org.revisions.iter_mut().filter(|one| one.app == app.id) {
        let id = revision.id.clone();
        for binding in &mut revision.bindings {
            binding.rename(super::hosts::Names {
                organization: &organization,
                app_id: &app.id,
                app_slug: &app.slug,
                revision: &id,
            });
        }
    }
    let told = app.to_json(org);
    let id = app.id.clone();
    *org.app_mut(&id)? = app;
    Ok(Reply::Json(StatusCode::OK, told))
}

/// Removes an app with all its revisions, routed and building ones too.
pub(crate) fn delete(org: &mut Organization, asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let id = org.app(asked.param("app"))?.id.clone();
    org.apps.retain(|app| app.id != id);
    org.revisions.retain(|revision| revision.app != id);
    Ok(Reply::Empty)
}

fn refuse_taken(org: &Organization, slug: &str) -> Result<(), ApiError> {
    if org.apps.iter().any(|app| app.slug == slug) {
        return Err(ApiError::conflict(
            "SLUG_ALREADY_IN_USE",
            format!("An app with the slug '{slug}' exists already"),
        ));
    }
    Ok(())
}
