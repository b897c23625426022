//! The HTTP side: preview hosts and the API.
