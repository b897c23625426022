//! The HTTP side of Foreshow: the hosts of previews, and the gateway's own pages.
//!
//! One port serves both, told apart by the request's host: `<label>.localhost` is a preview, whose content is hostile;
//! `localhost` and `127.0.0.1` are the gateway itself, which tells about every preview. Browsers treat them as different
//! sites, and `guard` refuses what one site asks of the other.
//!
//! | room | idea |
//! | --- | --- |
//! | [`Gateway`] | binding, serving, stopping |
//! | `host`, `guard` | who is addressed, and who may ask |
//! | `previews`, `state` | a label's answer: its site, or why there is none |
//! | `overview`, [`PreviewSummary`] | the gateway's own pages, and what they tell of a context |
//! | `pages` | templates |

mod dispatch;
mod error;
mod guard;
mod host;
mod overview;
mod pages;
mod previews;
mod server;
mod state;
mod summary;

#[cfg(test)]
mod tests;

pub use error::GatewayError;
pub use server::{BoundGateway, Gateway, GatewayServices};
pub use summary::PreviewSummary;
