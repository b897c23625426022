//! Layers: sets of environment variables that apps share.

use http::StatusCode;
use serde_json::{Value, json};

use super::env::Env;
use super::error::ApiError;
use super::fields::Fields;
use super::organization::Organization;
use super::page::Page;
use super::{Asked, Reply, ids, rfc3339, slug};

/// One layer.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    number: u64,
    pub(crate) id: String,
    slug: String,
    description: Option<String>,
    layers: Vec<String>,
    env: Env,
    created_at: u64,
    updated_at: u64,
}

impl Layer {
    pub(crate) fn to_json(&self, org: &Organization) -> Value {
        let app_count = org
            .apps
            .iter()
            .filter(|app| app.layers.contains(&self.id))
            .count();
        let mut told = json!({
            "id": self.id,
            "slug": self.slug,
            "layers": references(org, &self.layers),
            "env_vars": self.env.to_json(),
            "app_count": app_count,
            "created_at": rfc3339(self.created_at),
            "updated_at": rfc3339(self.updated_at),
        });
        if let Some(description) = &self.description {
            told["description"] = json!(description);
        }
        told
    }
}

/// The layer of an id or slug: an id holds `_`, a slug never does.
pub(crate) fn find<'a>(org: &'a Organization, id_or_slug: &str) -> Result<&'a Layer, ApiError> {
    org.layers
        .iter()
        .find(|layer| layer.id == id_or_slug || layer.slug == id_or_slug)
        .ok_or_else(|| ApiError::not_found("layer", id_or_slug))
}

/// Reads the field `layers` as ids; `None` where it was not sent.
pub(crate) fn read(org: &Organization, body: &Fields<'_>) -> Result<Option<Vec<String>>, ApiError> {
    body.texts("layers")?
        .map(|names| {
            names
                .iter()
                .map(|name| find(org, name).map(|layer| layer.id.clone()))
                .collect()
        })
        .transpose()
}

/// Layers as objects refer to them.
pub(crate) fn references(org: &Organization, ids: &[String]) -> Value {
    ids.iter()
        .filter_map(|id| find(org, id).ok())
        .map(|layer| json!({ "id": layer.id, "slug": layer.slug }))
        .collect()
}

pub(crate) fn create(org: &mut Organization, asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let body = asked.fields()?;
    let slug = slug::checked(body.required_text("slug")?)?;
    refuse_taken(org, &slug)?;
    let layer = Layer {
        number: org.next_number(),
        id: ids::layer(),
        slug,
        description: body.text("description")?.map(str::to_owned),
        layers: read(org, &body)?.unwrap_or_default(),
        env: Env::create(&body)?,
        created_at: asked.now,
        updated_at: asked.now,
    };
    let told = layer.to_json(org);
    org.layers.push(layer);
    Ok(Reply::Json(StatusCode::CREATED, told))
}

pub(crate) fn get(org: &Organization, asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let layer = find(org, asked.param("layer"))?;
    Ok(Reply::Json(StatusCode::OK, layer.to_json(org)))
}

pub(crate) fn list(org: &Organization, asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let search = asked.query.get("search").unwrap_or_default();
    let found = org
        .layers
        .iter()
        .filter(|layer| layer.slug.contains(search))
        .map(|layer| (layer.number, layer));
    Page::of(asked.query, found, |layer| layer.to_json(org)).map(Reply::Page)
}

pub(crate) fn update(org: &mut Organization, asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let body = asked.fields()?;
    let mut layer = find(org, asked.param("layer"))?.clone();
    if let Some(slug) = body.text("slug")? {
        let slug = slug::checked(slug)?;
        if slug != layer.slug {
            refuse_taken(org, &slug)?;
        }
        layer.slug = slug;
    }
    if let Some(description) = body.text("description")? {
        layer.description = Some(description.to_owned());
    }
    if let Some(layers) = read(org, &body)? {
        layer.layers = layers;
    }
    layer.env = layer.env.merge(&body)?;
    layer.updated_at = asked.now;
    if let Some(kept) = org.layers.iter_mut().find(|one| one.id == layer.id) {
        *kept = layer.clone();
    }
    Ok(Reply::Json(StatusCode::OK, layer.to_json(org)))
}

/// Removes a layer that no app and no other layer refers to.
pub(crate) fn delete(org: &mut Organization, asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let layer = find(org, asked.param("layer"))?;
    let id = layer.id.clone();
    let is_used = org.apps.iter().any(|app| app.layers.contains(&id))
        || org.layers.iter().any(|other| other.layers.contains(&id));
    if is_used {
        let message = format!("The layer '{}' is still in use", layer.slug);
        return Err(ApiError::conflict("LAYER_IN_USE", message));
    }
    org.layers.retain(|layer| layer.id != id);
    Ok(Reply::Empty)
}

/// The apps that refer to a layer.
pub(crate) fn apps(org: &Organization, asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let id = &find(org, asked.param("layer"))?.id;
    let found = org.apps.iter().filter_map(|app| {
        let position = app.layers.iter().position(|layer| layer == id)?;
        Some((app.number, (app, position)))
    });
    let page = Page::of(
        asked.query,
        found,
        |(app, position)| json!({ "id": app.id, "slug": app.slug, "layer_position": position }),
    );
    page.map(Reply::Page)
}

fn refuse_taken(org: &Organization, slug: &str) -> Result<(), ApiError> {
    if org.layers.iter().any(|layer| layer.slug == slug) {
        return Err(ApiError::conflict(
            "SLUG_ALREADY_IN_USE",
            format!("A layer with the slug '{slug}' exists already"),
        ));
    }
    Ok(())
}
