//! A Redis Cluster of three masters, each with a third of the slots and no replica: what shows whether every script
//! keeps to one slot, and whether a client finds its way.

use std::{path::Path, time::Instant};

use anyhow::{Result, ensure};
use tokio::time::sleep;

use crate::{ASK_EVERY, Redis, RedisOptions, START_WITHIN, folder::Folder};

/// The slots of each node.
const SLOTS: [(&str, &str); 3] = [("0", "5460"), ("5461", "10922"), ("10923", "16383")];

/// Three nodes. Dropping it ends them.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<Redis>,
    folder: Option<Folder>,
}

impl RedisCluster {
    /// Starts and joins three nodes, each in a folder below this one. Every node knows every slot when this returns.
    ///
    /// # Errors
    /// Where Redis is not installed, or a node does not come up or join.
    pub async fn start(dir: &Path) -> Result<Self> {
        let mut nodes = Vec::new();
        for (number, (first, last)) in SLOTS.into_iter().enumerate() {
            let options = RedisOptions {
                appendonly: true,
                cluster: true,
                ..RedisOptions::default()
            };
            let node = Redis::start(&dir.join(format!("node-{number}")), options).await?;
            node.call(&["CLUSTER", "ADDSLOTSRANGE", first, last])
                .await?;
            let epoch = (number + 1).to_string();
            node.call(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch]).await?;
            nodes.push(node);
        }
        for node in &nodes[1..] {
            let (port, bus) = (node.port.number(), node.bus_port.number());
            let (port, bus) = (port.to_string(), bus.to_string());
            let meet = ["CLUSTER", "MEET", "127.0.0.1", &port, &bus];
            nodes[0].call(&meet).await?;
        }
        let cluster = Self {
            nodes,
            folder: None,
        };
        cluster.joined().await?;
        Ok(cluster)
    }

    /// Starts and joins three nodes in a temporary folder, which goes with them.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn temporary() -> Result<Self> {
        let folder = Folder::new()?;
        let mut cluster = Self::start(folder.path()).await?;
        cluster.folder = Some(folder);
        Ok(cluster)
    }

    /// Where clients connect: `redis+cluster://` and all three addresses.
    pub fn url(&self) -> String {
        let addresses: Vec<String> = self
            .nodes
            .iter()
            .map(|node| format!("127.0.0.1:{}", node.port()))
            .collect();
        format!("redis+cluster://{}", addresses.join(","))
    }

    /// The nodes.
    pub fn nodes(&self) -> &[Redis] {
        &self.nodes
    }

    /// One of the nodes, to kill and restart it.
    ///
    /// # Panics
    /// Where there is no such node.
    pub fn node_mut(&mut self, number: usize) -> &mut Redis {
        &mut self.nodes[number]
    }

    /// Waits until every node says that every slot is served, as after a restart.
    ///
    /// # Errors
    /// Where that does not come to pass.
    pub async fn joined(&self) -> Result<()> {
        let give_up_at = Instant::now() + START_WITHIN;
        for node in &self.nodes {
            loop {
                let state = node.call(&["CLUSTER", "INFO"]).await?.text();
                let says = |line: &str| state.lines().any(|said| said == line);
                if says("cluster_state:ok") && says("cluster_known_nodes:3") {
                    break;
                }
                ensure!(
                    Instant::now() < give_up_at,
                    "the Redis nodes do not join:\n{state}"
                );
                sleep(ASK_EVERY).await;
            }
        }
        Ok(())
    }

    /// Forgets everything, on every node.
    ///
    /// # Errors
    /// Where a node does not do it.
    pub async fn flush_all(&self) -> Result<()> {
        for node in &self.nodes {
            node.flush_all().await?;
        }
        Ok(())
    }
}

impl Drop for RedisCluster {
    fn drop(&mut self) {
        // Before the folder goes.
        self.nodes.clear();
        drop(self.folder.take());
    }
}
