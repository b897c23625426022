//! The properties of copies: as they were, but for what would harm the copy.

use lapin::{BasicProperties, types::FieldTable};

/// Kept by the broker on disk.
pub(super) const PERSISTENT: u8 = 2;

/// The original's properties with other headers. Left out are its time to live (ours counts), and the user, whom the
/// broker would compare with us.
pub(super) fn copy(original: &BasicProperties, headers: FieldTable) -> BasicProperties {
    let mut copy = BasicProperties::default()
        .with_headers(headers)
        .with_delivery_mode(PERSISTENT);
    macro_rules! keep {
        ($($get:ident $with:ident),*) => {
            $(if let Some(value) = original.$get().clone() {
                copy = copy.$with(value);
            })*
        };
    }
    keep!(
        content_type with_content_type,
        content_encoding with_content_encoding,
        priority with_priority,
        correlation_id with_correlation_id,
        reply_to with_reply_to,
        message_id with_message_id,
        timestamp with_timestamp,
        kind with_type,
        app_id with_app_id
    );
    copy
}
