//! Preview hosting: static sites, served from a content-addressed folder.
//!
//! One folder holds every deployment of an installation: file contents as *blobs*, named by their SHA-256 and stored
//! once however many deployments have them, and `index.db`, which says who has which file. Several processes may open
//! the same folder. [`PreviewHost`] is the handle to it.
//!
//! | room | idea |
//! | --- | --- |
//! | [`PreviewHost`] | the folder: open, collect what nothing uses |
//! | `create`, `record`, `remove`, `lookup`, `aliases` | what can be done with deployments, each with its argument why nothing is lost |
//! | `blobs`, `scratch`, `private` | files on disk: written whole or not at all, in folders for this user alone |
//! | `schema` | the index's tables |
//! | `serve` | a deployment's answer to an HTTP request, whichever server asks |
//! | [`PreviewOrigin`] | labels, host names and URLs |
//!
//! Times are parameters: this crate reads no clock.

mod aliases;
mod blobs;
mod create;
mod deployment;
mod error;
mod host;
mod lookup;
mod origin;
mod private;
mod record;
mod remove;
mod schema;
mod scratch;
mod serve;

#[cfg(test)]
mod tests;

pub use create::{Build, Created, NewDeployment};
pub use deployment::{DeploymentState, PreviewDeployment, Resolved};
pub use error::PreviewError;
pub use host::{Collected, PreviewHost, TOMBSTONES_KEPT};
pub use origin::{Addressed, PreviewOrigin, PreviewOriginError};
pub use serve::{BodyError, DEPLOYMENT_HEADER, PreviewBody, REVISION_HEADER};
