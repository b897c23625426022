//! What a revision consists of: its files, in the event itself or in a bundle elsewhere.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Sha256;

/// A revision's files, or where to find them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// The files themselves. Their paths are as upstream wrote them: whoever writes them to a disk checks them first.
    Files(Vec<InlineFile>),
    /// An archive that holds them.
    Bundle(BundleRef),
}

/// How an inline file's content is written in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// The content is the text. This is the default.
    #[default]
    Utf8,
    /// The content is standard base64 (RFC 4648, section 4), with or without padding.
    Base64,
}

/// A file inside an event. Its `Debug` form shows no content.
#[derive(Clone, PartialEq, Eq)]
pub struct InlineFile {
    /// The path below the site's root, unchecked.
    pub path: String,
    /// The content as it stands in JSON.
    pub content: String,
    /// How to read the content.
    pub encoding: Encoding,
}

/// An inline file's content is not what its encoding says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the content is not standard base64 (RFC 4648, section 4): encode the file again, without line breaks"
)]
pub struct ContentError;

/// Senders disagree on padding, and nothing is ambiguous without it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub(crate) fn decode_base64(text: &str) -> Result<Vec<u8>, ContentError> {
    BASE64.decode(text).map_err(|_| ContentError)
}

impl InlineFile {
    /// A text file.
    pub fn text(path: impl Into<String>, content: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            content: content.into(),
            encoding: Encoding::Utf8,
        }
    }

    /// A file of any bytes: as text where it is UTF-8, which is shorter, else in base64.
    pub fn from_bytes(path: impl Into<String>, bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Self::text(path, text),
            Err(error) => Self {
                path: path.into(),
                content: BASE64.encode(error.as_bytes()),
                encoding: Encoding::Base64,
            },
        }
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// [`ContentError`] for broken base64; a decoded event has none.
    pub fn decoded(&self) -> Result<Cow<'_, [u8]>, ContentError> {
        match self.encoding {
            Encoding::Utf8 => Ok(Cow::Borrowed(self.content.as_bytes())),
            Encoding::Base64 => decode_base64(&self.content).map(Cow::Owned),
        }
    }
}

impl fmt::Debug for InlineFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InlineFile")
            .field("path", &self.path)
            .field("encoded_bytes", &self.content.len())
            .field("encoding", &self.encoding)
            .finish()
    }
}

/// Where a bundle is, and what it must be once fetched. Its `Debug` form leaves out the URL's credentials and query,
/// where signed URLs have their secret.
#[derive(Clone, PartialEq, Eq)]
pub struct BundleRef {
    /// An `https` URL, or `foreshow-bundle:sha256-<hex>`; see [`local`](Self::local).
    pub url: String,
    /// The archive's SHA-256.
    pub sha256: Sha256,
}

/// The scheme of bundles that the installation itself keeps, named by their content.
pub(crate) const LOCAL_PREFIX: &str = "foreshow-bundle:";

impl BundleRef {
    /// A bundle in the installation's own storage.
    pub fn local(sha256: Sha256) -> Self {
        Self {
            url: format!("{LOCAL_PREFIX}sha256-{sha256}"),
            sha256,
        }
    }

    /// The URL without its credentials, query and fragment, where signed URLs have their secret.
    pub fn url_without_secrets(&self) -> String {
        without_secrets(&self.url)
    }

    /// The bundle's name in the installation's own storage, if that is where it is.
    pub fn as_local(&self) -> Option<Sha256> {
        let hex = self
            .url
            .strip_prefix(LOCAL_PREFIX)?
            .strip_prefix("sha256-")?;
        hex.parse().ok().filter(|sha256| *sha256 == self.sha256)
    }
}

impl fmt::Debug for BundleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BundleRef")
            .field("url", &self.url_without_secrets())
            .field("sha256", &self.sha256)
            .finish()
    }
}

fn without_secrets(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = authority.rsplit('@').next().unwrap_or_default();
            format!("{scheme}://{host}{path}")
        }
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_bundle_is_named_by_its_content() {
        let sha256 = Sha256::of(b"site");
        let bundle = BundleRef::local(sha256);
        assert_eq!(
            bundle.url,
            format!("foreshow-bundle:sha256-{}", sha256.to_hex())
        );
        assert_eq!(bundle.as_local(), Some(sha256));
        assert_eq!(
            BundleRef {
                sha256: Sha256::of(b"other"),
                ..bundle
            }
            .as_local(),
            None
        );
        assert_eq!(
            BundleRef {
                url: "https://x/site.zip".to_owned(),
                sha256
            }
            .as_local(),
            None
        );
    }

    #[test]
    fn debug_output_has_neither_content_nor_signatures() {
        let url = "https://user:pa@ss@cdn.example/site.zip?signature=s3cret#s3cret".to_owned();
        let shown = format!(
            "{:?}",
            BundleRef {
                url,
                sha256: Sha256::of(b"")
            }
        );
        assert!(
            shown.contains("\"https://cdn.example/site.zip\""),
            "{shown}"
        );
        assert!(!format!("{:?}", InlineFile::text("a", "s3cret")).contains("s3cret"));
    }

    #[test]
    fn bytes_survive_in_whatever_form_they_are_carried() {
        for bytes in [b"plain".to_vec(), vec![0xFF, 0, 1], vec![]] {
            assert_eq!(
                InlineFile::from_bytes("f", bytes.clone())
                    .decoded()
                    .unwrap(),
                bytes
            );
        }
        let unpadded = InlineFile {
            encoding: Encoding::Base64,
            ..InlineFile::text("f", "aGk")
        };
        assert_eq!(unpadded.decoded().unwrap(), b"hi".as_slice());
    }
}
