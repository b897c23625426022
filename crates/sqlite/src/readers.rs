//! Connections for reading, opened when first needed.
//!
//! They are `query_only`: a write that strays into a read fails and changes nothing. Each read runs in a deferred
//! transaction, so all its statements see the same commit; readers neither wait for the writer nor hold it up.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use deadpool_sqlite::{Config, Hook, HookError, Pool, PoolError, Runtime};
use rusqlite::Connection;
use tokio::runtime::Handle;

use crate::connection::prepare_reader;
use crate::error::on_file;
use crate::{DatabaseError, Options};

pub(crate) struct Readers {
    file: Arc<Path>,
    pool: Pool,
    /// Connections are closed on the runtime's threads, also where the last handle is dropped outside of it.
    runtime: Handle,
}

impl Readers {
    pub(crate) fn new(
        file: Arc<Path>,
        options: &Options,
        runtime: Handle,
    ) -> Result<Self, DatabaseError> {
        let busy_timeout = options.busy_timeout;
        let set_up = Hook::async_fn(move |connection, _| {
            Box::pin(async move {
                connection
                    .interact(move |connection| prepare_reader(connection, busy_timeout))
                    .await
                    .map_err(|error| HookError::message(error.to_string()))?
                    .map_err(HookError::Backend)
            })
        });
        let closed = || DatabaseError::Closed {
            file: Arc::clone(&file),
        };
        let pool = Config::new(file.as_ref())
            .builder(Runtime::Tokio1)
            .map_err(|_| closed())?
            .max_size(options.readers.get())
            .post_create(set_up)
            .build()
            .map_err(|_| closed())?;
        Ok(Self {
            file,
            pool,
            runtime,
        })
    }

    pub(crate) async fn read<T, E, F>(&self, closure: F) -> Result<T, E>
    where
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
    {
        let connection = self
            .pool
            .get()
            .await
            .map_err(|error| self.pool_error(error))?;
        let file = Arc::clone(&self.file);
        let answer = connection
            .interact(move |connection| on_file(&file, || in_snapshot(connection, &file, closure)))
            .await;
        answer.unwrap_or_else(|_| Err(self.closed().into()))
    }

    fn pool_error(&self, error: PoolError) -> DatabaseError {
        match error {
            PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => {
                DatabaseError::from_sqlite(&self.file, error)
            }
            PoolError::PostCreateHook(HookError::Message(_))
            | PoolError::Timeout(_)
            | PoolError::Closed
            | PoolError::NoRuntimeSpecified => self.closed(),
        }
    }

    fn closed(&self) -> DatabaseError {
        DatabaseError::Closed {
            file: Arc::clone(&self.file),
        }
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        let _inside = self.runtime.enter();
        self.pool.close();
    }
}

/// Runs `closure` on one commit's state. A panic is answered as an error and costs the pool no connection.
fn in_snapshot<T, E, F>(connection: &Connection, file: &Arc<Path>, closure: F) -> Result<T, E>
where
    F: FnOnce(&Connection) -> Result<T, E>,
    E: From<DatabaseError>,
{
    let snapshot = connection
        .unchecked_transaction()
        .map_err(|error| DatabaseError::from_sqlite(file, error))?;
    // Unwind safe: nothing was written, and dropping the transaction ends the read.
    catch_unwind(AssertUnwindSafe(|| closure(&snapshot)))
        .unwrap_or_else(|panic| Err(DatabaseError::panicked(file, panic.as_ref()).into()))
}
