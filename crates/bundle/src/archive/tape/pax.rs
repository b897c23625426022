//! A pax header's records: `<length> <key>=<value>\n`, the length counting all of it in decimal.

/// The path that the records give the next entry. Records that change what the entry's bytes mean are refused: readers
/// disagree about them.
///
/// # Errors
/// What is wrong with them.
pub(super) fn path(records: &[u8]) -> Result<Option<&[u8]>, &'static str> {
    let mut path = None;
    let mut rest = records;
    while !rest.is_empty() {
        let (key, value, behind) = record(rest).ok_or("a pax header that makes no sense")?;
        rest = behind;
        match key {
            b"path" if path.is_some() => return Err("two long names for one entry"),
            b"path" => path = Some(value),
            b"size" | b"linkpath" => {
                return Err("a pax header that changes an entry's size or target");
            }
            key if key.starts_with(b"GNU.sparse.") => {
                return Err("a sparse file: pack without --sparse");
            }
            key if key.starts_with(b"GNU.volume.") => {
                return Err("one volume of several");
            }
            _ => {}
        }
    }
    Ok(path)
}

/// The first record's key and value, and what comes behind it.
fn record(records: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = records.iter().position(|&byte| byte == b' ')?;
    let digits = &records[..space];
    // As many as the largest header's length has, and some: leading zeros are no crime.
    if digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let len: usize = std::str::from_utf8(digits).ok()?.parse().ok()?;
    if len <= space || len > records.len() {
        return None;
    }
    let (record, behind) = records.split_at(len);
    let record = record[space + 1..].strip_suffix(b"\n")?;
    let equals = record.iter().position(|&byte| byte == b'=')?;
    Some((&record[..equals], &record[equals + 1..], behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_may_hold_anything_and_only_its_length_ends_it() {
        let records = b"28 comment=x\n9 path=evil\n\n\n\n12 path=a=b\n";
        assert_eq!(records[..28].last(), Some(&b'\n'));
        assert_eq!(path(records), Ok(Some(&b"a=b"[..])));
        assert_eq!(path(b""), Ok(None));
    }

    #[test]
    fn records_that_do_not_add_up_are_refused() {
        for records in [
            &b"x"[..],
            b"9 path=a",
            b"0 path=a\n",
            b"1 path=a\n",
            b"8 path=a\n",
            b"99 path=a\n",
            b"-9 path=a\n",
            b"+10 path=a\n",
            b" 9 path=a\n",
            b"7 path\n",
            b"18446744073709551625 path=a\n",
            b"9 path=a\n\0",
        ] {
            assert!(path(records).is_err(), "{records:?}");
        }
        assert!(path(b"9 path=a\n9 path=b\n").is_err());
    }
}
