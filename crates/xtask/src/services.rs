//! A RabbitMQ and a Redis for working by hand: `eval "$(cargo xtask services start)"`, then run any test.
//!
//! A *keeper*, this program once more in the background, owns both servers and holds a lock as long as they run. So
//! whoever has the lock knows that nobody else's are up, and a process id in a file is only believed while its owner
//! holds the lock. If the keeper is killed, its servers go with it.

use std::{
    env,
    fmt::Write as _,
    fs::{self, File},
    io::Write as _,
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use clap::Subcommand;
use foreshow_servers::shared::Servers;
use rustix::process::{Pid, Signal, kill_process};

use crate::{cargo::target_dir, install, stop::Stop};

/// How long both may take to start or to stop.
const WITHIN: Duration = Duration::from_mins(4);

#[derive(Clone, Copy, Subcommand)]
pub(crate) enum Services {
    /// Install RabbitMQ and Redis, where they are missing; nothing is started.
    Install,
    /// Start both, private to this folder, and print what to set: `eval "$(cargo xtask services start)"`.
    Start,
    /// Stop both; their data goes.
    Stop,
    /// Say whether they run.
    Status,
    /// Own both until told to end.
    #[command(hide = true)]
    Keep,
}

impl Services {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let place = Place(target_dir().join("services"));
        match self {
            Self::Install => install::servers()?,
            Self::Start => say(&place.start()?)?,
            Self::Stop => say(if place.stop()? {
                "# stopped\n"
            } else {
                "# nothing runs\n"
            })?,
            Self::Status => {
                let Some(variables) = place.running()? else {
                    say("# nothing runs; start with: eval \"$(cargo xtask services start)\"\n")?;
                    return Ok(ExitCode::FAILURE);
                };
                say(&variables)?;
            }
            Self::Keep => place.keep()?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The folder of the services.
struct Place(PathBuf);

impl Place {
    fn start(&self) -> Result<String> {
        install::servers()?;
        if let Some(variables) = self.running()? {
            return Ok(variables);
        }
        let log = self.0.join("keeper.log");
        let output =
            File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut keeper = Command::new(env::current_exe()?)
            .args(["services", "keep"])
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .spawn()
            .context("cannot start the keeper of the services")?;
        let give_up_at = Instant::now() + WITHIN;
        loop {
            let ended = keeper.try_wait()?.is_some();
            if let Some(variables) = self.running()? {
                return Ok(variables);
            }
            let said = || fs::read_to_string(&log).unwrap_or_default();
            ensure!(!ended, "the services did not start:\n{}", said());
            ensure!(
                Instant::now() < give_up_at,
                "the services do not come up:\n{}",
                said()
            );
            thread::park_timeout(Duration::from_millis(50));
        }
    }

    /// Whether there was anything to stop.
    fn stop(&self) -> Result<bool> {
        let give_up_at = Instant::now() + WITHIN;
        let mut told = false;
        while self.try_lock()?.is_none() {
            // A keeper that is just starting has not written its id yet.
            let pid = fs::read_to_string(self.0.join("pid")).unwrap_or_default();
            if let Some(pid) = pid
                .trim()
                .parse()
                .ok()
                .and_then(Pid::from_raw)
                .filter(|_| !told)
            {
                kill_process(pid, Signal::TERM).context("cannot stop the services")?;
                told = true;
            }
            if Instant::now() > give_up_at {
                bail!(
                    "the services do not stop; see {}",
                    self.0.join("keeper.log").display()
                );
            }
            thread::park_timeout(Duration::from_millis(50));
        }
        Ok(told)
    }

    /// What names the running servers.
    fn running(&self) -> Result<Option<String>> {
        if self.try_lock()?.is_some() {
            return Ok(None);
        }
        Ok(fs::read_to_string(self.0.join("environment")).ok())
    }

    fn keep(&self) -> Result<()> {
        let Some(_lock) = self.try_lock()? else {
            bail!("they are already kept by another process");
        };
        self.forget();
        self.write("pid", &std::process::id().to_string())?;
        let runtime = tokio::runtime::Runtime::new()?;
        let kept = runtime.block_on(async {
            let mut stop = Stop::listen()?;
            // What an earlier keeper left behind, when it was killed.
            let data = self.0.join("data");
            fs::remove_dir_all(&data).ok();
            let Ok(servers) = stop.or(Servers::start(&data)).await else {
                return Ok(());
            };
            let servers = servers?;
            self.write("environment", &exports(&servers.variables()))?;
            stop.wait().await;
            self.forget();
            drop(servers);
            fs::remove_dir_all(&data).ok();
            Ok(())
        });
        self.forget();
        kept
    }

    /// The lock, where no keeper has it.
    fn try_lock(&self) -> Result<Option<File>> {
        fs::create_dir_all(&self.0).with_context(|| format!("cannot make {}", self.0.display()))?;
        let file = self.0.join("lock");
        let lock =
            File::create(&file).with_context(|| format!("cannot write {}", file.display()))?;
        Ok(lock.try_lock().is_ok().then_some(lock))
    }

    /// Written as a whole: who reads sees all of it or nothing.
    fn write(&self, name: &str, text: &str) -> Result<()> {
        let (new, file) = (self.0.join(format!("{name}.new")), self.0.join(name));
        let written = fs::write(&new, text).and_then(|()| fs::rename(&new, &file));
        written.with_context(|| format!("cannot write {}", file.display()))
    }

    fn forget(&self) {
        for name in ["environment", "pid"] {
            fs::remove_file(self.0.join(name)).ok();
        }
    }
}

fn exports(variables: &[(&str, String)]) -> String {
    variables
        .iter()
        .fold(String::new(), |mut text, (name, value)| {
            writeln!(text, "export {name}='{value}'").expect("a string takes everything");
            text
        })
}

fn say(text: &str) -> Result<()> {
    let mut stdout = std::io::stdout();
    stdout
        .write_all(text.as_bytes())
        .context("cannot write to standard output")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_runs_where_nobody_holds_the_lock_whatever_files_say() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place(folder.path().join("services"));
        assert_eq!(place.running().unwrap(), None);
        let text = exports(&[
            ("A", "amqp://u:p@h/%2F?x=1".to_owned()),
            ("B", "c".to_owned()),
        ]);
        place.write("environment", &text).unwrap();
        // The id of somebody else, who must not be told to end.
        place.write("pid", "1").unwrap();
        assert_eq!(place.running().unwrap(), None);
        assert!(!place.stop().unwrap());

        let keeper = place.try_lock().unwrap().unwrap();
        let told = place.running().unwrap();
        assert_eq!(
            told.as_deref(),
            Some("export A='amqp://u:p@h/%2F?x=1'\nexport B='c'\n")
        );
        drop(keeper);
        assert_eq!(place.running().unwrap(), None);
    }
}
