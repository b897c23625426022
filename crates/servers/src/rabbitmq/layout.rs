//! A node's folder, ports, configuration and environment.
//!
//! RabbitMQ's scripts read their settings from variables. All are stated, and those that the caller's shell may have set
//! are not passed on, so that a machine's own RabbitMQ does not shine through.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::{
    RabbitMqPrograms, ports::Port, rabbitmq::management::Management, rabbitmq::written, random_word,
};

use super::RabbitMqOptions;

/// The administrator's name.
const USER: &str = "foreshow";

#[derive(Debug)]
pub(super) struct Layout {
    dir: PathBuf,
    programs: RabbitMqPrograms,
    node_name: String,
    password: String,
    amqp: Port,
    distribution: Port,
    management: Port,
    epmd: Port,
}

impl Layout {
    pub(super) fn create(
        dir: &Path,
        programs: RabbitMqPrograms,
        options: &RabbitMqOptions,
    ) -> Result<Self> {
        fs::create_dir_all(dir.join("home"))
            .with_context(|| format!("cannot make {}", dir.display()))?;
        let dir = dir
            .canonicalize()
            .with_context(|| format!("cannot find {}", dir.display()))?;
        let layout = Self {
            dir,
            programs,
            node_name: format!("{}@localhost", random_word()),
            password: random_word(),
            amqp: Port::free()?,
            distribution: Port::free()?,
            management: Port::free()?,
            epmd: Port::free()?,
        };
        layout.write("rabbitmq.conf", &layout.configuration(options))?;
        let mut plugins = vec!["rabbitmq_management".to_owned()];
        plugins.extend(options.plugins.iter().cloned());
        layout.write("plugins", &format!("[{}].\n", plugins.join(",")))?;
        Ok(layout)
    }

    pub(super) fn node_name(&self) -> &str {
        &self.node_name
    }

    pub(super) fn amqp_port(&self) -> u16 {
        self.amqp.number()
    }

    pub(super) fn management(&self) -> Management {
        Management::new(
            self.amqp.number(),
            self.management.number(),
            USER,
            &self.password,
        )
    }

    /// The node's `epmd`, in the foreground: a daemon would outlive us.
    pub(super) fn epmd(&self) -> Result<Command> {
        let mut command = Command::new(&self.programs.epmd);
        self.settle(&mut command);
        let port = self.epmd.number().to_string();
        command
            .args(["-port", &port, "-address", "127.0.0.1"])
            .stdout(self.open("epmd.out")?)
            .stderr(self.open("epmd.out")?);
        Ok(command)
    }

    pub(super) fn server(&self) -> Result<Command> {
        // An old one would name a process that is gone.
        fs::remove_file(self.dir.join("pid")).ok();
        let mut command = Command::new(&self.programs.server);
        self.settle(&mut command);
        command.stdout(self.open("out")?).stderr(self.open("err")?);
        Ok(command)
    }

    /// A command of the caller's that finds `rabbitmqctl`, the real one, first.
    pub(super) fn command(&self, program: &str) -> Command {
        let folder = self.programs.ctl.parent().into_iter().map(Path::to_owned);
        let path = env::var_os("PATH").unwrap_or_default();
        let folders = env::join_paths(folder.chain(env::split_paths(&path)));
        let mut command = Command::new(program);
        self.settle(&mut command);
        if let Ok(folders) = folders {
            command.env("PATH", folders);
        }
        command
    }

    pub(super) fn pid(&self) -> Result<u32> {
        let file = self.dir.join("pid");
        let text =
            fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        text.trim()
            .parse()
            .with_context(|| format!("{} holds no process id", file.display()))
    }

    /// What the node wrote last.
    pub(super) fn said(&self) -> String {
        written(&["out", "err"].map(|name| self.dir.join(name)))
    }

    /// Whether a stranger was quicker to take a port.
    pub(super) fn lost_a_port(&self) -> bool {
        let log = format!("log/{}.log", self.node_name);
        let said = written(&["out", "err", "epmd.out", &log].map(|name| self.dir.join(name)));
        let said = said.to_lowercase();
        ["eaddrinuse", "address already in use", "already in use"]
            .iter()
            .any(|sign| said.contains(sign))
    }

    fn configuration(&self, options: &RabbitMqOptions) -> String {
        let mut lines = vec![
            "log.console = false".to_owned(),
            // A third of the disk that the default of 512 MB takes under load.
            "raft.wal_max_size_bytes = 67108864".to_owned(),
            "disk_free_limit.absolute = 200MB".to_owned(),
            "management.tcp.ip = 127.0.0.1".to_owned(),
            format!("management.tcp.port = {}", self.management.number()),
            "management_agent.disable_metrics_collector = true".to_owned(),
            format!("default_user = {USER}"),
            format!("default_pass = {}", self.password),
        ];
        lines.extend(
            options
                .consumer_timeout
                .map(|after| format!("consumer_timeout = {}", after.as_millis())),
        );
        lines.extend(options.config.iter().cloned());
        lines.join("\n") + "\n"
    }

    fn settle(&self, command: &mut Command) {
        for (name, _) in env::vars_os() {
            let shown = name.to_string_lossy();
            if shown.starts_with("RABBITMQ_") || shown.starts_with("ERL_") {
                command.env_remove(name);
            }
        }
        let at = |name: &str| self.dir.join(name);
        command
            .current_dir(&self.dir)
            .env_remove("NOTIFY_SOCKET")
            // The script then turns into the broker instead of watching over it: a child that we can wait for.
            .env("RUNNING_UNDER_SYSTEMD", "true")
            .env("HOME", at("home"))
            .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
            .env("RABBITMQ_NODENAME", &self.node_name)
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", self.amqp.number().to_string())
            .env("RABBITMQ_DIST_PORT", self.distribution.number().to_string())
            .env("RABBITMQ_MNESIA_BASE", at("mnesia"))
            .env("RABBITMQ_LOG_BASE", at("log"))
            .env("RABBITMQ_PID_FILE", at("pid"))
            // Without its ending: the scripts add `.conf`.
            .env("RABBITMQ_CONFIG_FILE", at("rabbitmq"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", at("plugins"))
            .env("ERL_EPMD_PORT", self.epmd.number().to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}",
            );
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        let file = self.dir.join(name);
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))
    }

    /// For what a process prints; kept over restarts.
    fn open(&self, name: &str) -> Result<File> {
        let file = self.dir.join(name);
        File::options()
            .create(true)
            .append(true)
            .open(&file)
            .with_context(|| format!("cannot write {}", file.display()))
    }
}
