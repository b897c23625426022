//! What a provider calls, in words that logs, metrics and errors share; and how its vendor speaks.

use foreshow_contract::Timestamp;
use foreshow_engine::Failure;
use http::{HeaderMap, Method};
use serde_json::Value;
use std::time::Duration;

use super::Refusal;

/// One operation of an API. Each provider has a closed list of them, as statics.
#[derive(Debug)]
pub struct Operation {
    /// Its word in metrics, e.g. `create_deployment`.
    pub name: &'static str,
    /// What it does, as errors tell it: "could not …", e.g. `create a deployment`.
    pub does: &'static str,
    /// The method.
    pub method: Method,
    /// The path, with `{…}` where ids go: `/v13/deployments/{id}`.
    pub path: &'static str,
    /// Whether it may be sent again where nobody knows what became of it.
    pub repeat: Repeat,
    /// Whether a refusal is about what the tenant sent, so that the vendor's words are the tenant's to read.
    pub concerns_tenant: bool,
}

impl Operation {
    /// A question, or a change that comes to the same when it is made twice.
    pub const fn harmless(
        name: &'static str,
        does: &'static str,
        method: Method,
        path: &'static str,
    ) -> Self {
        Self {
            name,
            does,
            method,
            path,
            repeat: Repeat::Harmless,
            concerns_tenant: false,
        }
    }

    /// Something that exists twice when it is sent twice.
    pub const fn once(
        name: &'static str,
        does: &'static str,
        method: Method,
        path: &'static str,
    ) -> Self {
        let mut operation = Self::harmless(name, does, method, path);
        operation.repeat = Repeat::Never;
        operation
    }

    /// The same, where a refusal is about what the tenant sent.
    pub const fn of_tenants_files(mut self) -> Self {
        self.concerns_tenant = true;
        self
    }
}

/// Whether a call may be sent again where nobody knows what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Twice is as good as once.
    Harmless,
    /// Twice is one too many.
    Never,
}

/// How a vendor speaks: the same for all of its operations.
#[derive(Debug)]
pub struct Dialect {
    /// The provider's name, as in events and metrics.
    pub provider: &'static str,
    /// The header that names a request, for the vendor's support.
    pub request_id: &'static str,
    /// Reads the vendor's error shape.
    pub words: fn(&Value) -> Words,
    /// Reads the vendor's own hint how long to wait, where there is no `Retry-After`.
    pub wait: fn(&HeaderMap, Option<&Value>, Timestamp) -> Option<Duration>,
    /// What follows from a refusal, where it differs from what its status says anywhere.
    pub failure: fn(&Operation, &Refusal) -> Option<Failure>,
}

/// What an error's body says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// The vendor's code.
    pub code: Option<String>,
    /// The vendor's message.
    pub message: Option<String>,
}

impl Words {
    /// Reads `code` and `message` out of an object.
    pub fn of(error: &Value) -> Self {
        let text = |name: &str| Some(error.get(name)?.as_str()?.to_owned());
        Self {
            code: text("code"),
            message: text("message"),
        }
    }
}
