//! `POST database_instances`. There is no way to list or delete one, so nothing is kept.

use http::StatusCode;
use serde_json::json;

use super::error::ApiError;
use super::{Asked, Reply, ids, rfc3339, slug};

pub(crate) fn create(asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let body = asked.fields()?;
    let slug = slug::checked(body.required_text("slug")?)?;
    let connection = body
        .object("connection")?
        .ok_or_else(|| body.invalid("connection"))?;
    let engine = connection.required_text("engine")?;
    let told = match engine {
        "denokv" => json!({ "engine": engine }),
        "prisma" => json!({
            "engine": engine,
            "project_id": ids::token(),
            "region": connection.required_text("region")?,
        }),
        "postgresql" => json!({
            "engine": engine,
            "hostname": connection.required_text("hostname")?,
            "port": connection.get("port"),
            "username": connection.text("username")?,
            "custom_certificate": connection.has("certificate"),
        }),
        _ => return Err(connection.invalid("engine")),
    };
    let instance = json!({
        "id": ids::uuid(),
        "slug": slug,
        "engine": engine,
        "connection": told,
        "databases": [],
        "created_at": rfc3339(asked.now),
    });
    Ok(Reply::Json(StatusCode::OK, instance))
}
