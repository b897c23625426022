//! Adapters of the Broker port.
//!
//! | module | carries messages in |
//! | --- | --- |
//! | [`embedded`] | one SQLite file, shared by the processes of one machine |
//! | [`rabbitmq`] | RabbitMQ, for a fleet |

pub mod embedded;
pub mod rabbitmq;
