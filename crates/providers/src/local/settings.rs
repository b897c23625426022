//! How the local provider behaves.

use std::time::Duration;

use foreshow_engine::CreateRequest;
use foreshow_runner::Build;
use serde::{Deserialize, Serialize};

/// Settings of the local provider. Static files need no build: these make it look as if they did, for tests and demos.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LocalSettings {
    /// How long a build takes, in milliseconds. Default 0: ready at once. Beyond the engine's build timeout every build
    /// fails as timed out. A build under way keeps the time that it was created with.
    pub build_ms: u64,
    /// Ids of contexts, of any tenant, whose builds fail, with a build log as a provider would give it. Default none.
    pub fail_contexts: Vec<String>,
}

impl LocalSettings {
    /// How the build of this request goes.
    pub(super) fn build_of(&self, request: &CreateRequest<'_>) -> Build {
        let fails = self
            .fail_contexts
            .iter()
            .any(|context| context == request.key.context.as_str());
        Build {
            duration: Duration::from_millis(self.build_ms),
            failure: fails.then(|| self.log_of(request)),
        }
    }

    fn log_of(&self, request: &CreateRequest<'_>) -> Vec<String> {
        let (files, bytes) = (request.tree.files().len(), request.tree.total_bytes());
        let first = request
            .tree
            .files()
            .first()
            .map_or("index.html", |file| file.path.as_str());
        let command = request.app.build_command.as_deref().unwrap_or("static");
        vec![
            format!(
                "Received revision {} of {}: {files} files, {bytes} bytes",
                request.revision, request.key.context
            ),
            format!("Running build command: {command}"),
            format!("{first}:1:1: error: the build of this context is set to fail"),
            "hint: remove the context from `fail_contexts` of the local provider's settings"
                .to_owned(),
            format!(
                "Build failed after {} ms: command exited with code 1",
                self.build_ms
            ),
        ]
    }
}
