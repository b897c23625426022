//! Making connections: to one server, to a cluster, or to the master that Sentinels name.
//!
//! Each try asks the Sentinels anew, and takes a server as the master only if it says so itself: just after a fail-over a
//! Sentinel may still name the old one.

use std::{sync::Once, time::Duration};

use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind,
    IntoConnectionInfo as _, RedisConnectionInfo, RedisError, RedisResult, TlsCertificates, Value,
    aio::{ConnectionLike, MultiplexedConnection, PubSub},
    cluster::ClusterClientBuilder,
    cluster_async::ClusterConnection,
    cmd,
    io::tcp::{TcpSettings, socket2::TcpKeepalive},
};

use super::{
    error::RedisStoreError,
    options::RedisOptions,
    url::{Host, Kind, RedisUrl},
};

/// An idle connection is probed after this long, and each such while again: three lost probes end it.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// How often a cluster's client follows a redirection or asks another node before it gives up; the call is timed too.
const CLUSTER_RETRIES: u32 = 4;

/// Where Redis is, and how to get there.
#[derive(Clone, Debug)]
pub(super) struct Target {
    url: RedisUrl,
    ca: Option<TlsCertificates>,
    connect_timeout: Duration,
    response_timeout: Duration,
}

/// A connection for commands. Cheap to clone: the clones share it, and what they send travels together.
#[derive(Clone)]
pub(super) enum Wire {
    Server(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Wire {
    pub(super) async fn ask(&mut self, command: &Cmd) -> RedisResult<Value> {
        let answer = match self {
            Self::Server(connection) => connection.req_packed_command(command).await,
            Self::Cluster(connection) => connection.req_packed_command(command).await,
        };
        answer.and_then(Value::extract_error)
    }
}

impl Target {
    pub(super) fn new(url: &RedisUrl, options: &RedisOptions) -> Result<Self, RedisStoreError> {
        options.check()?;
        let ca = match &options.ca_file {
            Some(path) => Some(TlsCertificates {
                client_tls: None,
                root_cert: Some(
                    std::fs::read(path).map_err(|source| RedisStoreError::CaFile {
                        path: path.display().to_string(),
                        source,
                    })?,
                ),
            }),
            None => None,
        };
        if url.tls {
            install_ring();
        }
        Ok(Self {
            url: url.clone(),
            ca,
            connect_timeout: options.connect_timeout,
            response_timeout: options.response_timeout,
        })
    }

    /// Its hosts, for messages.
    pub(super) fn server(&self) -> String {
        self.url.server()
    }

    /// Whether commands go to several nodes.
    pub(super) fn is_cluster(&self) -> bool {
        matches!(self.url.kind, Kind::Cluster)
    }

    /// A new connection for commands. The caller bounds the wait.
    pub(super) async fn connect(&self) -> RedisResult<Wire> {
        Ok(match &self.url.kind {
            Kind::Single => Wire::Server(self.open(&self.client(&self.url.hosts[0])?).await?),
            Kind::Sentinel { master } => Wire::Server(self.master(master).await?.1),
            Kind::Cluster => Wire::Cluster(self.cluster().await?),
        })
    }

    /// A new connection for notices. The caller bounds the wait.
    ///
    /// Of a cluster any node will do: notices are passed on to all of them. `turn` chooses where to begin.
    pub(super) async fn subscribe(&self, channel: &str, turn: usize) -> RedisResult<PubSub> {
        let client = match &self.url.kind {
            Kind::Single | Kind::Cluster => {
                self.client(&self.url.hosts[turn % self.url.hosts.len()])?
            }
            Kind::Sentinel { master } => self.master(master).await?.0,
        };
        let mut notices = client.get_async_pubsub().await?;
        notices.subscribe(channel).await?;
        Ok(notices)
    }

    async fn open(&self, client: &Client) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.connect_timeout))
            .set_response_timeout(Some(self.response_timeout));
        client
            .get_multiplexed_async_connection_with_config(&config)
            .await
    }

    async fn cluster(&self) -> RedisResult<ClusterConnection> {
        let hosts: Vec<ConnectionInfo> = self
            .url
            .hosts
            .iter()
            .map(|host| self.info(host, true))
            .collect::<Result<_, _>>()?;
        let mut builder = ClusterClientBuilder::new(hosts)
            .retries(CLUSTER_RETRIES)
            .connection_timeout(self.connect_timeout)
            .response_timeout(self.response_timeout)
            .tcp_settings(tcp());
        if let (true, Some(ca)) = (self.url.tls, &self.ca) {
            builder = builder.certs(ca.clone());
        }
        builder.build()?.get_async_connection().await
    }

    /// Asks one Sentinel after the other, each for its share of the time.
    async fn master(&self, name: &str) -> RedisResult<(Client, MultiplexedConnection)> {
        let share = self.connect_timeout / u32::try_from(self.url.hosts.len()).unwrap_or(u32::MAX);
        let mut last = None;
        for sentinel in &self.url.hosts {
            match tokio::time::timeout(share, self.master_by(sentinel, name)).await {
                Ok(Ok(found)) => return Ok(found),
                Ok(Err(error)) => last = Some(error),
                Err(_elapsed) => {
                    let told = format!("Sentinel {sentinel}, or the master that it names");
                    last = Some((ErrorKind::Io, "no answer from", told).into());
                }
            }
        }
        Err(last.expect("a URL has at least one host"))
    }

    async fn master_by(
        &self,
        sentinel: &Host,
        name: &str,
    ) -> RedisResult<(Client, MultiplexedConnection)> {
        let asked = self.build(self.info(sentinel, false)?)?;
        let mut connection = self.open(&asked).await?;
        let found: Option<(String, u16)> = cmd("SENTINEL")
            .arg("get-master-addr-by-name")
            .arg(name)
            .query_async(&mut connection)
            .await?;
        let Some((host, port)) = found else {
            let told = format!("Sentinel {sentinel} knows none of the name {name:?}");
            return Err((ErrorKind::MasterNameNotFoundBySentinel, "no master", told).into());
        };
        let host = Host { name: host, port };
        let client = self.client(&host)?;
        let mut connection = self.open(&client).await?;
        let role: Vec<Value> = cmd("ROLE").query_async(&mut connection).await?;
        if !matches!(role.first(), Some(Value::BulkString(role)) if role == b"master") {
            let told = format!("{host}, which Sentinel {sentinel} named");
            return Err((ErrorKind::Io, "not a master at the moment", told).into());
        }
        Ok((client, connection))
    }

    fn client(&self, host: &Host) -> RedisResult<Client> {
        self.build(self.info(host, true)?)
    }

    fn build(&self, info: ConnectionInfo) -> RedisResult<Client> {
        match &self.ca {
            Some(ca) if self.url.tls => Client::build_with_tls(info, ca.clone()),
            _ => Client::open(info),
        }
    }

    fn info(&self, host: &Host, with_credentials: bool) -> Result<ConnectionInfo, RedisError> {
        let (name, port) = (host.name.clone(), host.port);
        let address = if self.url.tls {
            ConnectionAddr::TcpTls {
                host: name,
                port,
                insecure: false,
                tls_params: None,
            }
        } else {
            ConnectionAddr::Tcp(name, port)
        };
        // It would be two more commands per connection, which a user of least privileges may not give.
        let mut settings = RedisConnectionInfo::default().set_skip_set_lib_name();
        if with_credentials {
            settings = settings.set_db(self.url.database);
            if let Some(user) = &self.url.user {
                settings = settings.set_username(user);
            }
            if let Some(password) = &self.url.password {
                settings = settings.set_password(password);
            }
        }
        Ok(address
            .into_connection_info()?
            .set_redis_settings(settings)
            .set_tcp_settings(tcp()))
    }
}

/// A peer that is gone without a word is noticed in half a minute, not in a quarter of an hour.
fn tcp() -> TcpSettings {
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE)
        .with_interval(KEEPALIVE);
    TcpSettings::default()
        .set_nodelay(true)
        .set_keepalive(keepalive)
}

/// TLS needs one provider of cryptography per process. Somebody else may have installed theirs before: that will do.
fn install_ring() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
    });
}
