//! What was fetched before, in a folder that several processes may share.
//!
//! **By tenant and digest.** A digest is no secret, so a cache by digest alone would give everybody's files to whoever heard
//! their digest: a tenant finds what was fetched for that very tenant. A file's name is a digest of both, so that a listing of
//! the folder tells nothing.
//!
//! **A reader has a name of its own for the file** (a hard link, or a copy where there are none), which goes with its last
//! clone. So the cache never asks who reads: what it removes, or another process does, is gone from the cache and from nobody
//! else. Until the last reader is done the disk holds more than the bound.
//!
//! **It is believed for nothing.** A file whose digest is wrong is as good as none: it is removed, and fetched again. A file
//! appears whole, by a rename; two that store the same replace equal by equal. Trouble with the cache is a line in the log,
//! and a transfer.
//!
//! **The least recently used goes first**, by the file's time of modification, which a use sets. Two processes that make room
//! at once may remove more than they need to.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use foreshow_bundle::scratch;
use foreshow_contract::{Sha256, TenantId, Timestamp};
use foreshow_engine::BundleFile;
use sha2::Digest as _;
use tempfile::TempPath;
use tracing::{debug, warn};

/// Begins the name of every file that is kept.
const PREFIX: &str = "fetched-";

/// How much is read at a time.
const READ_BYTES: usize = 128 << 10;

/// How much is in a cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheSize {
    /// Bundles.
    pub bundles: usize,
    /// Their bytes together.
    pub bytes: u64,
}

/// How much is kept in `folder`, which need not be there. Blocking.
///
/// # Errors
/// What the file system answers.
pub fn cache_size(folder: &Path) -> io::Result<CacheSize> {
    let mut size = CacheSize::default();
    for kept in list(folder)? {
        size.bundles += 1;
        size.bytes += kept.bytes;
    }
    Ok(size)
}

/// The cache. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    folder: Arc<Path>,
    max_bytes: u64,
}

impl Cache {
    /// Keeps up to `max_bytes` in a folder that is there, and makes room where more was kept before. Blocking.
    pub(crate) fn open(folder: PathBuf, max_bytes: u64) -> io::Result<Self> {
        let cache = Self {
            folder: folder.into(),
            max_bytes,
        };
        cache.make_room()?;
        Ok(cache)
    }

    /// The bundle, if it was fetched for this tenant, is still here and is what it should be.
    pub(crate) async fn find(&self, tenant: &TenantId, sha256: Sha256) -> Option<BundleFile> {
        if self.max_bytes == 0 {
            return None;
        }
        let (cache, path) = (self.clone(), self.place(tenant, sha256));
        let found = blocking(move || cache.take(&path, sha256)).await;
        match found {
            Ok(found) => found.map(BundleFile::copied),
            Err(error) => {
                warn!(
                    error = &error as &dyn std::error::Error,
                    "a fetched bundle could not be read again"
                );
                None
            }
        }
    }

    /// Keeps what was received, and hands it to its reader in any case.
    pub(crate) async fn keep(
        &self,
        tenant: &TenantId,
        sha256: Sha256,
        received: TempPath,
    ) -> BundleFile {
        let file = BundleFile::copied(received);
        if self.max_bytes > 0 {
            let (cache, source) = (self.clone(), file.clone());
            let path = self.place(tenant, sha256);
            if let Err(error) = blocking(move || cache.store(&source, &path)).await {
                warn!(
                    error = &error as &dyn std::error::Error,
                    "a fetched bundle could not be kept: it is fetched again when it is needed"
                );
            }
        }
        file
    }

    /// Under this name the tenant's bundle is kept.
    fn place(&self, tenant: &TenantId, sha256: Sha256) -> PathBuf {
        let mut hasher = sha2::Sha256::new();
        hasher.update(sha256.as_bytes());
        hasher.update(tenant.as_str());
        let name = Sha256::from_bytes(hasher.finalize().into());
        self.folder.join(format!("{PREFIX}{name}"))
    }

    fn take(&self, path: &Path, sha256: Sha256) -> io::Result<Option<TempPath>> {
        let reader = match self.another(path) {
            Ok(reader) => reader,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let file = File::open(&reader)?;
        if digest(&file)? != sha256 {
            warn!("a fetched bundle was damaged on this disk: it is fetched again");
            fs::remove_file(path)?;
            return Ok(None);
        }
        if let Err(error) = used_now(path) {
            // Somebody removed it meanwhile, from the cache alone.
            debug!("a fetched bundle was not marked as used: {error}");
        }
        Ok(Some(reader))
    }

    fn store(&self, received: &Path, path: &Path) -> io::Result<()> {
        if fs::metadata(received)?.len() > self.max_bytes {
            return Ok(());
        }
        self.another(received)?.persist(path)?;
        used_now(path)?;
        self.make_room()
    }

    /// A second name for a file, or a copy where the file system has no such thing.
    fn another(&self, path: &Path) -> io::Result<TempPath> {
        match scratch::link(&self.folder, path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let copy = scratch::create(&self.folder)?.into_temp_path();
                fs::copy(path, &copy)?;
                Ok(copy)
            }
            linked => linked,
        }
    }

    fn make_room(&self) -> io::Result<()> {
        let mut kept = list(&self.folder)?;
        kept.sort_by_key(|one| one.used_at);
        let mut bytes: u64 = kept.iter().map(|one| one.bytes).sum();
        for one in kept {
            if bytes <= self.max_bytes {
                break;
            }
            match fs::remove_file(&one.path) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            bytes -= one.bytes;
        }
        Ok(())
    }
}

struct Kept {
    path: PathBuf,
    bytes: u64,
    used_at: SystemTime,
}

fn list(folder: &Path) -> io::Result<Vec<Kept>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut kept = Vec::new();
    for entry in entries {
        let entry = entry?;
        let is_kept = |name: &OsStr| name.to_str().is_some_and(|name| name.starts_with(PREFIX));
        if !is_kept(&entry.file_name()) {
            continue;
        }
        match entry.metadata() {
            Ok(metadata) => kept.push(Kept {
                path: entry.path(),
                bytes: metadata.len(),
                used_at: metadata.modified()?,
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(kept)
}

fn digest(mut file: &File) -> io::Result<Sha256> {
    let mut hasher = sha2::Sha256::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(Sha256::from_bytes(hasher.finalize().into())),
            Ok(read) => hasher.update(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn used_now(path: &Path) -> io::Result<()> {
    let now = Timestamp::now().as_micros().max(0).unsigned_abs();
    let file = File::options().write(true).open(path)?;
    file.set_modified(UNIX_EPOCH + Duration::from_micros(now))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(io::Error::other(error)))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn tenant(name: &str) -> TenantId {
        TenantId::try_new(name).unwrap()
    }

    /// A cache in a folder of its own.
    struct World {
        folder: tempfile::TempDir,
        cache: Cache,
    }

    impl World {
        fn with(max_bytes: u64) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let cache = Cache::open(folder.path().to_owned(), max_bytes).unwrap();
            Self { folder, cache }
        }

        async fn keep(&self, name: &str, content: &[u8]) -> BundleFile {
            let mut received = scratch::create(self.folder.path()).unwrap();
            received.write_all(content).unwrap();
            let received = received.into_temp_path();
            let tenant = tenant(name);
            self.cache
                .keep(&tenant, Sha256::of(content), received)
                .await
        }

        async fn find(&self, name: &str, content: &[u8]) -> Option<BundleFile> {
            self.cache.find(&tenant(name), Sha256::of(content)).await
        }

        async fn has(&self, content: &[u8]) -> bool {
            self.find("acme", content).await.is_some()
        }

        fn files(&self) -> usize {
            fs::read_dir(self.folder.path()).unwrap().count()
        }

        /// Says when a bundle was used last, in seconds of 1970: clocks of file systems are coarse.
        fn used_at(&self, content: &[u8], seconds: u64) {
            let path = self.cache.place(&tenant("acme"), Sha256::of(content));
            let file = File::options().write(true).open(path).unwrap();
            file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds))
                .unwrap();
        }
    }

    #[tokio::test]
    async fn a_tenant_finds_its_own_bundles_and_no_others() {
        let world = World::with(1000);
        assert!(world.find("acme", b"site").await.is_none());
        drop(world.keep("acme", b"site").await);
        let found = world.find("acme", b"site").await.unwrap();
        assert_eq!(fs::read(&*found).unwrap(), b"site");
        assert!(world.find("globex", b"site").await.is_none());
        drop(found);
        assert_eq!(world.files(), 1);
        let size = cache_size(world.folder.path()).unwrap();
        assert_eq!((size.bundles, size.bytes), (1, 4));
    }

    #[tokio::test]
    async fn what_was_used_longest_ago_makes_room() {
        let world = World::with(12);
        for content in [b"1111", b"2222", b"3333"] {
            drop(world.keep("acme", content).await);
        }
        for (content, seconds) in [(b"1111", 10), (b"2222", 20), (b"3333", 30)] {
            world.used_at(content, seconds);
        }
        assert!(world.has(b"1111").await, "and used now");
        drop(world.keep("acme", b"4444").await);
        assert!(!world.has(b"2222").await);
        for stays in [b"1111", b"3333", b"4444"] {
            assert!(world.has(stays).await, "{stays:?}");
        }
        drop(world.keep("acme", b"larger than all").await);
        assert!(!world.has(b"larger than all").await);
        assert!(world.has(b"4444").await, "and nothing made room for it");
    }

    #[tokio::test]
    async fn a_reader_keeps_its_file_whoever_removes_it() {
        let world = World::with(8);
        let reader = world.keep("acme", b"1111").await;
        let another = world.find("acme", b"1111").await.unwrap();
        drop(world.keep("acme", b"22222222").await);
        assert!(!world.has(b"1111").await);
        for reader in [&reader, &another] {
            assert_eq!(fs::read(&**reader).unwrap(), b"1111");
        }
        drop((reader, another));
        assert_eq!(world.files(), 1);
    }

    #[tokio::test]
    async fn a_damaged_file_is_none_and_goes() {
        let world = World::with(100);
        drop(world.keep("acme", b"site").await);
        let path = world.cache.place(&tenant("acme"), Sha256::of(b"site"));
        fs::write(&path, "sight").unwrap();
        assert!(!world.has(b"site").await);
        assert_eq!(world.files(), 0);
        drop(world.keep("acme", b"site").await);
        assert!(world.has(b"site").await);
    }

    #[tokio::test]
    async fn a_lower_bound_holds_from_the_next_start_and_none_keeps_nothing() {
        let world = World::with(100);
        for content in [b"1111", b"2222"] {
            drop(world.keep("acme", content).await);
        }
        world.used_at(b"1111", 10);
        Cache::open(world.folder.path().to_owned(), 4).unwrap();
        assert!(!world.has(b"1111").await && world.has(b"2222").await);
        let off = Cache::open(world.folder.path().to_owned(), 0).unwrap();
        assert_eq!(world.files(), 0);
        let off = World {
            cache: off,
            ..world
        };
        drop(off.keep("acme", b"3333").await);
        assert_eq!(off.files(), 0);
    }
}
