//! What a worker is called: a name that people know, and a tail that is new at every start.
//!
//! Nothing depends on it but people: leases and fences have their own ways to tell deliveries apart. The tail lets `why` and
//! the history show that the worker that held a context is gone, though one of the same name runs.

use crate::config::WorkerName;

/// The configured name, else the host's, and what tells this process from any other of that name.
pub(super) fn name(configured: Option<&WorkerName>, random: u64) -> String {
    let of_host = || {
        // The kernel's own on Linux; a file that many other systems have.
        ["/proc/sys/kernel/hostname", "/etc/hostname", "/etc/myname"]
            .into_iter()
            .find_map(|file| WorkerName::from_host(&std::fs::read_to_string(file).ok()?))
    };
    let name = configured.cloned().or_else(of_host);
    let name = name.map_or_else(|| "worker".to_owned(), |name| name.to_string());
    format!("{name}-{}", tail(random))
}

/// Four letters and digits, none of which is taken for another.
fn tail(random: u64) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let bytes = random.to_le_bytes().into_iter().take(4);
    bytes
        .map(|byte| char::from(ALPHABET[usize::from(byte % 32)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_workers_of_one_name_are_told_apart() {
        let configured = "eu-1".parse().unwrap();
        let name = |random| name(Some(&configured), random);
        assert_eq!(name(0), "eu-1-aaaa");
        assert_eq!(name(u64::MAX), "eu-1-9999");
        assert_ne!(name(1), name(2));
    }

    #[test]
    fn a_worker_that_nobody_named_has_a_name() {
        let name = name(None, 0);
        let host = name.strip_suffix("-aaaa").unwrap();
        assert!(host.parse::<WorkerName>().is_ok(), "{name}");
    }
}
