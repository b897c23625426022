//! Adapters of the Provider port, a folder each.
