//! The extra fields of an entry: those of them that change what it is.

use super::{u16_at, u64_at};

const ZIP_64: u16 = 0x0001;
/// Info-ZIP's name in UTF-8, beside one in another encoding.
const UNICODE_NAME: u16 = 0x7075;

/// What an entry's extra fields say.
#[derive(Default)]
pub(super) struct Extra<'a> {
    zip_64: Option<&'a [u8]>,
}

impl<'a> Extra<'a> {
    /// # Errors
    /// What is wrong with them.
    pub(super) fn parse(fields: &'a [u8], name: &[u8]) -> Result<Self, &'static str> {
        const WRONG: &str = "its extra fields make no sense";
        let mut extra = Self::default();
        let mut rest = fields;
        while !rest.is_empty() {
            // Some tools pad with up to three zeros, in which no field fits.
            if rest.len() < 4 && rest.iter().all(|&byte| byte == 0) {
                break;
            }
            let (head, behind) = rest.split_at_checked(4).ok_or(WRONG)?;
            let (field, behind) = behind
                .split_at_checked(usize::from(u16_at(head, 2)))
                .ok_or(WRONG)?;
            rest = behind;
            match u16_at(head, 0) {
                ZIP_64 if extra.zip_64.is_some() => return Err(WRONG),
                ZIP_64 => extra.zip_64 = Some(field),
                // A version and a checksum come first.
                UNICODE_NAME if field.get(5..) != Some(name) => return Err("it has two names"),
                _ => {}
            }
        }
        Ok(extra)
    }

    /// Puts the large numbers in the places of those that say so, in their order.
    ///
    /// # Errors
    /// That they aren't there.
    pub(super) fn enlarge(&self, numbers: &mut [u64]) -> Result<(), &'static str> {
        let mut rest = self.zip_64.unwrap_or_default();
        for number in numbers {
            if *number == u64::from(super::SEE_64) {
                // Without a field at all, the number is what it says: a size just below what needs one.
                if self.zip_64.is_none() {
                    continue;
                }
                let (first, behind) = rest
                    .split_at_checked(8)
                    .ok_or("its zip64 field is too short")?;
                *number = u64_at(first, 0);
                rest = behind;
            }
        }
        Ok(())
    }
}
