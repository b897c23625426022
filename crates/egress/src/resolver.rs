//! Names become addresses here, and are checked in the same step.
//!
//! The client dials what this hands out and asks nobody else, so an answer counts for the connection it was asked for and for
//! no other.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::policy::Policy;
use crate::{Addrs, Name, Resolve, Resolving};

/// Whatever the system asks: its hosts file, its name servers.
pub(crate) struct System;

impl Resolve for System {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let addresses: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// Another resolver's answers, where each of their addresses is allowed.
pub(crate) struct Guard {
    pub(crate) policy: Arc<Policy>,
    pub(crate) resolver: Arc<dyn Resolve>,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = Arc::clone(&self.policy);
        let host = name.as_str().to_owned();
        let resolving = self.resolver.resolve(name);
        Box::pin(async move {
            let mut addresses: Vec<SocketAddr> = resolving.await?.collect();
            policy.check_addresses(&host, addresses.iter().map(SocketAddr::ip))?;
            for address in &mut addresses {
                // 0 is "the URL's port", the one that was checked: an answer has no say in it.
                address.set_port(0);
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EgressOptions;

    struct Answer(Vec<SocketAddr>);

    impl Resolve for Answer {
        fn resolve(&self, _: Name) -> Resolving {
            let addresses = self.0.clone();
            Box::pin(async move { Ok(Box::new(addresses.into_iter()) as Addrs) })
        }
    }

    async fn guarded(answer: &[&str]) -> Option<Vec<SocketAddr>> {
        let guard = Guard {
            policy: Arc::new(Policy::new(&EgressOptions::default())),
            resolver: Arc::new(Answer(
                answer
                    .iter()
                    .map(|address| address.parse().unwrap())
                    .collect(),
            )),
        };
        let resolved = guard.resolve("bundles.example".parse().unwrap()).await;
        resolved.ok().map(Iterator::collect)
    }

    #[tokio::test]
    async fn an_answers_ports_do_not_count() {
        let addresses = guarded(&["93.184.216.34:22", "[2606:2800:220:1::1]:6379"]).await;
        let expected = ["93.184.216.34:0", "[2606:2800:220:1::1]:0"];
        assert_eq!(
            addresses.unwrap(),
            expected.map(|address| address.parse().unwrap())
        );
    }

    #[tokio::test]
    async fn the_last_of_many_addresses_counts_like_the_first() {
        let mut answer = vec!["93.184.216.34:0"; 300];
        assert_eq!(guarded(&answer).await.map(|all| all.len()), Some(300));
        answer.push("10.0.0.1:0");
        assert_eq!(guarded(&answer).await, None);
    }
}
