//! A zip written field by field, for what no tool would write.

use flate2::Crc;

use crate::support::deflate;

/// One entry, in front of its bytes and in the directory. Whatever is changed here, the rest doesn't follow.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) name: Vec<u8>,
    pub(crate) local_name: Vec<u8>,
    pub(crate) flags: u16,
    pub(crate) local_flags: u16,
    pub(crate) method: u16,
    pub(crate) local_method: u16,
    pub(crate) crc: u32,
    pub(crate) local_crc: u32,
    pub(crate) packed: Vec<u8>,
    pub(crate) packed_bytes: u32,
    pub(crate) local_packed_bytes: u32,
    pub(crate) size_bytes: u32,
    pub(crate) local_size_bytes: u32,
    pub(crate) attributes: u32,
    pub(crate) extra: Vec<u8>,
    pub(crate) local_extra: Vec<u8>,
    pub(crate) behind: Vec<u8>,
    /// Where the directory says it is, if not where it is.
    pub(crate) at: Option<u32>,
}

pub(crate) fn crc(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

impl Entry {
    pub(crate) fn stored(name: &str, content: &[u8]) -> Self {
        Self::new(name, content, content.to_vec(), 0)
    }

    pub(crate) fn deflated(name: &str, content: &[u8]) -> Self {
        Self::new(name, content, deflate(content), 8)
    }

    fn new(name: &str, content: &[u8], packed: Vec<u8>, method: u16) -> Self {
        let crc = crc(content);
        let len = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap();
        Self {
            name: name.into(),
            local_name: name.into(),
            flags: 0,
            local_flags: 0,
            method,
            local_method: method,
            crc,
            local_crc: crc,
            packed_bytes: len(&packed),
            local_packed_bytes: len(&packed),
            packed,
            size_bytes: len(content),
            local_size_bytes: len(content),
            attributes: 0,
            extra: Vec::new(),
            local_extra: Vec::new(),
            behind: Vec::new(),
            at: None,
        }
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// Written by somebody who couldn't seek.
    pub(crate) fn streamed(self, signature: bool, wide: bool) -> Self {
        self.with(|entry| {
            entry.flags |= 8;
            entry.local_flags |= 8;
            entry.local_crc = 0;
            entry.local_packed_bytes = 0;
            entry.local_size_bytes = 0;
            if signature {
                entry.behind.extend_from_slice(b"PK\x07\x08");
            }
            entry.behind.extend(entry.crc.to_le_bytes());
            for size in [entry.packed_bytes, entry.size_bytes] {
                entry.behind.extend(size.to_le_bytes());
                if wide {
                    entry.behind.extend([0; 4]);
                }
            }
        })
    }

    /// With a mode of Unix.
    pub(crate) fn mode(self, mode: u32) -> Self {
        self.with(|entry| entry.attributes = mode << 16)
    }

    fn local(&self) -> Vec<u8> {
        let mut bytes = b"PK\x03\x04\x14\0".to_vec();
        for number in [self.local_flags, self.local_method, 0, 0x21] {
            bytes.extend(number.to_le_bytes());
        }
        for number in [
            self.local_crc,
            self.local_packed_bytes,
            self.local_size_bytes,
        ] {
            bytes.extend(number.to_le_bytes());
        }
        for part in [&self.local_name, &self.local_extra] {
            bytes.extend(u16::try_from(part.len()).unwrap().to_le_bytes());
        }
        for part in [
            &self.local_name,
            &self.local_extra,
            &self.packed,
            &self.behind,
        ] {
            bytes.extend_from_slice(part);
        }
        bytes
    }

    fn central(&self, at: u32) -> Vec<u8> {
        let mut bytes = b"PK\x01\x02\x1e\x03\x14\0".to_vec();
        for number in [self.flags, self.method, 0, 0x21] {
            bytes.extend(number.to_le_bytes());
        }
        for number in [self.crc, self.packed_bytes, self.size_bytes] {
            bytes.extend(number.to_le_bytes());
        }
        for part in [&self.name, &self.extra] {
            bytes.extend(u16::try_from(part.len()).unwrap().to_le_bytes());
        }
        // No comment, the first disk, no inner attributes.
        bytes.extend([0; 6]);
        bytes.extend(self.attributes.to_le_bytes());
        bytes.extend(self.at.unwrap_or(at).to_le_bytes());
        bytes.extend_from_slice(&self.name);
        bytes.extend_from_slice(&self.extra);
        bytes
    }
}

/// The whole.
#[derive(Clone, Default)]
pub(crate) struct Zip {
    entries: Vec<Entry>,
    pub(crate) before: Vec<u8>,
    pub(crate) between: Vec<u8>,
    pub(crate) comment: Vec<u8>,
    /// With a zip64 end, and what that is to claim instead of the truth.
    pub(crate) large: bool,
    pub(crate) claimed_entries: Option<u64>,
    pub(crate) claimed_at: Option<u32>,
    pub(crate) disk: u16,
}

impl Zip {
    /// Deflated files.
    pub(crate) fn of(files: &[(&str, &[u8])]) -> Vec<u8> {
        let entries = files.iter();
        let entries = entries.map(|(name, content)| Entry::deflated(name, content));
        Self {
            entries: entries.collect(),
            ..Self::default()
        }
        .bytes()
    }

    pub(crate) fn entry(mut self, entry: Entry) -> Self {
        self.entries.push(entry);
        self
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let at = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap();
        let mut bytes = self.before.clone();
        let mut directory = Vec::new();
        for entry in &self.entries {
            directory.extend(entry.central(at(&bytes)));
            bytes.extend(entry.local());
        }
        bytes.extend_from_slice(&self.between);
        let directory_at = self.claimed_at.unwrap_or(at(&bytes));
        bytes.extend_from_slice(&directory);
        let entries = self.claimed_entries.unwrap_or(self.entries.len() as u64);
        if self.large {
            let end_at = u64::from(at(&bytes));
            bytes.extend_from_slice(b"PK\x06\x06");
            bytes.extend(44_u64.to_le_bytes());
            bytes.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            for number in [
                entries,
                entries,
                directory.len() as u64,
                u64::from(directory_at),
            ] {
                bytes.extend(number.to_le_bytes());
            }
            bytes.extend_from_slice(b"PK\x06\x07\0\0\0\0");
            bytes.extend(end_at.to_le_bytes());
            bytes.extend(1_u32.to_le_bytes());
        }
        bytes.extend_from_slice(b"PK\x05\x06");
        let entries = u16::try_from(entries).unwrap_or(u16::MAX);
        for number in [self.disk, self.disk, entries, entries] {
            bytes.extend(number.to_le_bytes());
        }
        let (len, at) = if self.large {
            (u32::MAX, u32::MAX)
        } else {
            (at(&directory), directory_at)
        };
        bytes.extend(len.to_le_bytes());
        bytes.extend(at.to_le_bytes());
        bytes.extend(u16::try_from(self.comment.len()).unwrap().to_le_bytes());
        bytes.extend_from_slice(&self.comment);
        bytes
    }
}
