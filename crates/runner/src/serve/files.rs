//! Which of a deployment's files answers a request.

use std::collections::BTreeMap;

use foreshow_contract::Sha256;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::path::Asked;
use crate::PreviewError;

/// A request, as far as files matter.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) path: Asked,
    /// Whether an unknown path may be answered with `/index.html`.
    pub(super) falls_back: bool,
}

/// A file of a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct File {
    pub(super) path: String,
    pub(super) sha256: Sha256,
    pub(super) size_bytes: u64,
}

/// What answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    File(File),
    /// Nothing is there, and the start page takes its place: the site routes in the browser.
    Fallback(File),
    /// Nothing is there, and the site has a page that says so.
    ErrorPage(File),
    /// A folder was asked for without its slash.
    Folder,
    /// A folder of a site that has no start page.
    Listing {
        folder: String,
        entries: BTreeMap<String, Entry>,
    },
    Nothing,
}

/// A line of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Folder,
    File { size_bytes: u64 },
}

/// Files that a listing looks at; a folder with more shows the first ones.
const LISTED_FILES: i64 = 5_000;

/// Finds the answer. All that is asked is asked of one state of the index.
pub(super) fn find(
    index: &Connection,
    deployment: i64,
    wanted: &Wanted,
) -> Result<Found, PreviewError> {
    let site = Site { index, deployment };
    let answer = match &wanted.path {
        Asked::Folder(folder) => {
            let prefix = folder
                .as_ref()
                .map(|folder| format!("{folder}/"))
                .unwrap_or_default();
            match site.file(&format!("{prefix}index.html"))? {
                Some(file) => Some(Found::File(file)),
                None => site.listing(&prefix)?,
            }
        }
        Asked::File(path) => match site.file(path.as_str())? {
            Some(file) => Some(Found::File(file)),
            None => site.folder_without_slash(path.as_str())?,
        },
    };
    if let Some(answer) = answer {
        return Ok(answer);
    }
    let last_part = match &wanted.path {
        Asked::File(path) | Asked::Folder(Some(path)) => path.file_name(),
        Asked::Folder(None) => "",
    };
    // With an extension it is a file that is missing: HTML in its place only hides that.
    if wanted.falls_back
        && !last_part.contains('.')
        && let Some(file) = site.file("index.html")?
    {
        return Ok(Found::Fallback(file));
    }
    Ok(site
        .file("404.html")?
        .map_or(Found::Nothing, Found::ErrorPage))
}

struct Site<'a> {
    index: &'a Connection,
    deployment: i64,
}

impl Site<'_> {
    fn file(&self, path: &str) -> Result<Option<File>, PreviewError> {
        let found: Option<([u8; 32], i64)> = self
            .index
            .prepare_cached(
                "SELECT b.sha256, b.size_bytes FROM files f JOIN blobs b ON b.row = f.blob
                 WHERE f.deployment = ?1 AND f.path = ?2",
            )?
            .query_row(params![self.deployment, path], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        Ok(found.map(|(sha256, size)| File {
            path: path.to_owned(),
            sha256: Sha256::from_bytes(sha256),
            size_bytes: u64::try_from(size).unwrap_or(0),
        }))
    }

    fn folder_without_slash(&self, path: &str) -> Result<Option<Found>, PreviewError> {
        let folder = format!("{path}/");
        if self.file(&format!("{folder}index.html"))?.is_some() || self.listing(&folder)?.is_some()
        {
            return Ok(Some(Found::Folder));
        }
        Ok(None)
    }

    /// The folder's entries, where the site has no start page: such a site is a folder to look into.
    fn listing(&self, prefix: &str) -> Result<Option<Found>, PreviewError> {
        if self.file("index.html")?.is_some() {
            return Ok(None);
        }
        let mut entries = BTreeMap::new();
        // All paths with this prefix: up to the next character after the slash, or all for the root.
        let end = prefix
            .strip_suffix('/')
            .map_or_else(|| char::MAX.to_string(), |folder| format!("{folder}0"));
        let mut below = self.index.prepare_cached(
            "SELECT f.path, b.size_bytes FROM files f JOIN blobs b ON b.row = f.blob
             WHERE f.deployment = ?1 AND f.path >= ?2 AND f.path < ?3 ORDER BY f.path LIMIT ?4",
        )?;
        let mut rows = below.query(params![self.deployment, prefix, end, LISTED_FILES])?;
        while let Some(row) = rows.next()? {
            let (path, size): (String, i64) = (row.get(0)?, row.get(1)?);
            let Some(rest) = path.strip_prefix(prefix) else {
                continue;
            };
            match rest.split_once('/') {
                Some((folder, _)) => entries.insert(folder.to_owned(), Entry::Folder),
                None => entries.insert(
                    rest.to_owned(),
                    Entry::File {
                        size_bytes: u64::try_from(size).unwrap_or(0),
                    },
                ),
            };
        }
        Ok((!entries.is_empty()).then(|| Found::Listing {
            folder: prefix.to_owned(),
            entries,
        }))
    }
}
