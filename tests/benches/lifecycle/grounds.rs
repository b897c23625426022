//! What is measured on: one file, or a RabbitMQ and a Redis of the run's own.

use foreshow_servers::shared::{self, Servers};
use foreshow_tests::{Foreshow, Ground};

pub(crate) enum Grounds {
    Sqlite,
    Fleet(Box<Servers>),
}

impl Grounds {
    pub(crate) async fn start(name: &str) -> Self {
        if name == "sqlite" {
            return Self::Sqlite;
        }
        let servers = Servers::temporary().await;
        Self::Fleet(Box::new(servers.expect("RabbitMQ and Redis start")))
    }

    pub(crate) fn words(&self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite, processes of one machine on the same files",
            Self::Fleet(_) => "RabbitMQ and Redis",
        }
    }

    /// A new installation.
    pub(crate) async fn foreshow(&self) -> Foreshow {
        match self {
            Self::Sqlite => Foreshow::embedded(),
            Self::Fleet(servers) => {
                let [(_, rabbitmq), (_, redis)] = servers.variables();
                let vhost = shared::rabbitmq_at(&rabbitmq).await;
                let vhost = vhost.expect("the run's RabbitMQ gives a vhost");
                let redis = shared::redis_at(&redis);
                Foreshow::on(Ground::Shared(Box::new(vhost), redis))
            }
        }
    }
}
