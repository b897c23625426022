//! Gives back what the dead held.
//!
//! Runs once when a broker is opened, and then every [`EVERY`] in each handle that consumes: redelivery after a crash takes
//! a second at most, and none where the crashed process is simply started again.
//!
//! Dead means: we hold its lock ([`super::session`]). While we do, no other reaper acts on the same session, and its owner
//! can't come back, for names are random and never reused. Die half-way and the lock is free again: the next one finds the row as
//! it was, or gone with only the file left.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use foreshow_engine::Queue;
use foreshow_sqlite::{Database, DatabaseError, rusqlite::Connection};
use tokio::time::MissedTickBehavior;
use tracing::{debug, info, warn};

use super::{
    bells::Bells,
    session::{Probe, Session, SessionError, lock_path, probe},
};

/// How often the living look for the dead. Costs one small read, and a look at one file per other living session.
const EVERY: Duration = Duration::from_secs(1);

/// Runs until its task is aborted.
pub(super) async fn keep(db: Database, dir: PathBuf, bells: Arc<Bells>, own: Arc<Session>) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match reap(&db, &dir, Some(&own)).await {
            Ok(0) => {}
            Ok(_) => Queue::ALL.into_iter().for_each(|queue| bells.ring(queue)),
            Err(error) => debug!(
                error = &error as &dyn std::error::Error,
                "could not look for ended processes; trying on"
            ),
        }
    }
}

struct Found {
    number: i64,
    path: PathBuf,
}

/// Gives back the messages of every session that is dead; answers how many.
pub(super) async fn reap(
    db: &Database,
    dir: &Path,
    own: Option<&Arc<Session>>,
) -> Result<usize, SessionError> {
    let own_number = own.map_or(0, |own| own.number);
    let sessions = db
        .read(move |connection| list(connection, own_number))
        .await?;
    let sessions: Vec<Found> = sessions
        .into_iter()
        .map(|(number, name)| Found {
            number,
            path: lock_path(dir, &name),
        })
        .collect();
    if sessions.is_empty() && own.is_none() {
        return Ok(0);
    }
    let own = own.cloned();
    let dead = tokio::task::spawn_blocking(move || {
        if let Some(own) = own
            && let Err(error) = own.mend()
        {
            warn!(
                error = &error as &dyn std::error::Error,
                "the lock of this process's session is gone and can't be made again"
            );
        }
        sessions
            .into_iter()
            .filter_map(take_if_dead)
            .collect::<Vec<_>>()
    })
    .await
    .map_err(|_| SessionError::Stopping)?;
    if dead.is_empty() {
        return Ok(0);
    }
    let numbers: Vec<i64> = dead.iter().map(|(found, _)| found.number).collect();
    let given_back = db.write(move |tx| give_back(tx, &numbers)).await?;
    if given_back > 0 {
        info!("{given_back} deliveries of a process that ended are given back");
    }
    // Last, and with the locks held: a file that is left behind names no row any more.
    tokio::task::spawn_blocking(move || {
        for (found, _lock) in dead {
            remove(&found.path);
        }
    })
    .await
    .map_err(|_| SessionError::Stopping)?;
    Ok(given_back)
}

fn list(connection: &Connection, own: i64) -> Result<Vec<(i64, String)>, DatabaseError> {
    let mut sessions =
        connection.prepare_cached("SELECT session, name FROM sessions WHERE session <> ?1")?;
    let rows = sessions.query_map([own], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn take_if_dead(found: Found) -> Option<(Found, Option<File>)> {
    match probe(&found.path) {
        Ok(Probe::Dead(lock)) => Some((found, lock)),
        Ok(Probe::Alive) => None,
        Err(error) => {
            debug!(
                error = &error as &dyn std::error::Error,
                "cannot tell whether the owner of {} lives",
                found.path.display()
            );
            None
        }
    }
}

fn give_back(connection: &Connection, sessions: &[i64]) -> Result<usize, DatabaseError> {
    let mut given_back = 0;
    for session in sessions {
        given_back += connection
            .prepare_cached(
                "UPDATE messages SET session = NULL, consumer = NULL, tag = NULL, redelivered = 1 WHERE session = ?1",
            )?
            .execute([session])?;
        connection
            .prepare_cached(
                "UPDATE dead_letters SET session = NULL, walk = NULL WHERE session = ?1",
            )?
            .execute([session])?;
        connection
            .prepare_cached("DELETE FROM consumers WHERE session = ?1")?
            .execute([session])?;
        connection
            .prepare_cached("DELETE FROM sessions WHERE session = ?1")?
            .execute([session])?;
    }
    Ok(given_back)
}

/// Removes files that no row names: of processes that died before they wrote their row, or of reapers that died before
/// they removed the file.
///
/// A file whose owner is just starting is locked, or will find its name gone and take another.
pub(super) async fn remove_strays(db: &Database, dir: &Path) -> Result<(), SessionError> {
    let folder = dir.to_owned();
    let locked = tokio::task::spawn_blocking(move || {
        let Ok(entries) = fs::read_dir(&folder) else {
            return Vec::new();
        };
        let locks = entries.flatten().filter_map(|entry| {
            let path = entry.path();
            let is_lock = path
                .extension()
                .is_some_and(|extension| extension == "lock");
            let name = path.file_stem()?.to_str()?.to_owned();
            match is_lock.then(|| probe(&path))? {
                Ok(Probe::Dead(Some(lock))) => Some((name, path, lock)),
                Ok(Probe::Dead(None) | Probe::Alive) | Err(_) => None,
            }
        });
        locks.collect()
    })
    .await
    .map_err(|_| SessionError::Stopping)?;
    if locked.is_empty() {
        return Ok(());
    }
    // Read after the locks are held: whoever got his row in before is listed, and no one else can.
    let named = db.read(|connection| list(connection, 0)).await?;
    tokio::task::spawn_blocking(move || {
        for (name, path, _lock) in locked {
            if !named.iter().any(|(_, session)| *session == name) {
                remove(&path);
            }
        }
    })
    .await
    .map_err(|_| SessionError::Stopping)
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        debug!(
            error = &error as &dyn std::error::Error,
            "could not remove {}",
            path.display()
        );
    }
}
