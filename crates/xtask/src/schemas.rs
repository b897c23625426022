use std::fs;

use anyhow::{Context, Result};
use foreshow_contract::{asyncapi, schema};

use crate::cargo::root;

/// Writes every schema, and the AsyncAPI document that refers to them, beside the crate that they are generated from. A test there keeps files and types equal.
pub(crate) fn write() -> Result<()> {
    let folder = root().join("crates/contract/schemas");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let document = (asyncapi::FILE, asyncapi::document());
    for (name, content) in schema::all().into_iter().chain([document]) {
        let path = folder.join(name);
        fs::write(&path, schema::render(&content))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
