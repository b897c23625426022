//! The words of a build: how it ends, how it and its stages stand.

/// How a build will end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Succeeds,
    /// In its last command, or in the preparation where it has none.
    Fails {
        log: Vec<String>,
    },
    /// Once it is built, when it is started: the detail's code and message.
    WarmupFails {
        code: &'static str,
        message: String,
    },
    TimesOut,
    Skipped,
    Cancelled,
    Never,
    /// In a status that nobody has heard of.
    Unheard(String),
}

/// How a build stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Queued,
    Building,
    Succeeded,
    Failed(Reason),
    Skipped,
    Unheard(String),
}

/// Why a build failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Error,
    Cancelled,
    TimedOut,
}

impl Status {
    pub(crate) fn word(&self) -> &str {
        match self {
            Self::Queued => "queued",
            Self::Building => "building",
            Self::Succeeded => "succeeded",
            Self::Failed(_) => "failed",
            Self::Skipped => "skipped",
            Self::Unheard(word) => word,
        }
    }

    pub(crate) fn failure_reason(&self) -> Option<&'static str> {
        match self {
            Self::Failed(Reason::Error) => Some("error"),
            Self::Failed(Reason::Cancelled) => Some("cancelled"),
            Self::Failed(Reason::TimedOut) => Some("timed_out"),
            Self::Skipped => Some("skipped"),
            Self::Queued | Self::Building | Self::Succeeded | Self::Unheard(_) => None,
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        !matches!(self, Self::Queued | Self::Building)
    }
}

/// The stages between the queue and the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    Preparing,
    Installing,
    Building,
    Deploying,
}

impl Stage {
    pub(crate) const ALL: [Self; 4] = [
        Self::Preparing,
        Self::Installing,
        Self::Building,
        Self::Deploying,
    ];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Preparing => "preparing",
            Self::Installing => "installing",
            Self::Building => "building",
            Self::Deploying => "deploying",
        }
    }

    /// Its share of a build's time.
    pub(super) fn weight(self) -> u64 {
        match self {
            Self::Preparing => 1,
            Self::Installing | Self::Deploying => 2,
            Self::Building => 3,
        }
    }
}

/// How a stage stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Pending,
    Skipped,
    Running { start: u64 },
    Over { start: u64, end: u64, how: How },
}

/// How a stage ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Succeeded,
    TimedOut,
    Cancelled,
    Errored,
}
