use std::fs;

use anyhow::{Context, Result};
use foreshow_contract::schema;

use crate::cargo::root;

/// Writes every schema beside the crate that they are generated from. A test there keeps files and types equal.
pub(crate) fn write() -> Result<()> {
    let folder = root().join("crates/contract/schemas");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for (name, schema) in schema::all() {
        let path = folder.join(name);
        fs::write(&path, schema::render(&schema))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
