//! Where people reach previews, as people write it.

use foreshow_runner::{PreviewOrigin, PreviewOriginError};
use serde::{Deserialize, Serialize};

/// An origin that labels are put before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct PreviewUrl(pub(crate) PreviewOrigin);

/// What to write.
pub(super) const PREVIEW_URL_GRAMMAR: &str = "write http://DOMAIN:PORT or https://DOMAIN, e.g. http://localhost:8080; an IP address has no room for labels";

impl TryFrom<String> for PreviewUrl {
    type Error = PreviewOriginError;

    fn try_from(text: String) -> Result<Self, PreviewOriginError> {
        text.parse().map(Self)
    }
}

impl From<PreviewUrl> for String {
    fn from(url: PreviewUrl) -> Self {
        url.0.to_string()
    }
}
