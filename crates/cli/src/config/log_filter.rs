//! What is logged, as people write it.

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

/// Directives such as `warn,foreshow=debug`, known to be sound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct LogFilter(String);

/// What to write.
pub(crate) const LOG_FILTER_GRAMMAR: &str =
    "write directives such as `info` or `warn,foreshow=debug`";

impl LogFilter {
    /// The directives.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for LogFilter {
    type Error = ParseError;

    fn try_from(directives: String) -> Result<Self, ParseError> {
        EnvFilter::builder()
            .parse(&directives)
            .map(|_| Self(directives))
    }
}

impl From<LogFilter> for String {
    fn from(filter: LogFilter) -> Self {
        filter.0
    }
}
