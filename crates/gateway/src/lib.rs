//! The HTTP side of Foreshow: the hosts of previews, and the gateway's own pages.
//!
//! One port serves both, told apart by the request's host: `<label>.localhost` is a preview, whose content is hostile;
//! `localhost` and `127.0.0.1`, or whatever name a client with the token uses, are the gateway itself, which tells about every
//! preview and takes bundles. Browsers treat them as different sites, and `guard` refuses what one site asks of the other. A
//! second port, which wants no token, is for probes and metrics.
//!
//! | room | idea |
//! | --- | --- |
//! | [`Gateway`] | binding, serving, stopping |
//! | `host`, `guard` | who is addressed, and who may ask |
//! | `previews`, `state` | a label's answer: its site, or why there is none |
//! | `overview`, [`PreviewSummary`] | the gateway's own pages, and what they tell of a context |
//! | [`bundles`](GatewayBundleService), [`GatewayBundles`] | the files of large events: taken, kept and sent, and the client for it |
//! | [`hooks`](ProviderHook) | what providers say of their deployments |
//! | [`AdminServer`] | a role's health, readiness and metrics |
//! | `pages`, `api` | templates, and how the API says no |
//! | `serving`, `linger` | sockets, answers that come early |

mod admin;
mod api;
mod bundles;
mod dispatch;
mod error;
mod guard;
mod hooks;
mod host;
mod linger;
mod overview;
mod pages;
mod previews;
mod server;
mod serving;
mod state;
mod summary;

#[cfg(test)]
mod tests;

pub use admin::{AdminServer, AdminServices, BoundAdmin, Health, ReadyCheck, check_within};
pub use bundles::{GatewayBundleService, GatewayBundles, GatewayBundlesError};
pub use error::GatewayError;
pub use hooks::{NotSigned, ProviderHook};
pub use server::{BoundGateway, Gateway, GatewayServices};
pub use summary::PreviewSummary;
