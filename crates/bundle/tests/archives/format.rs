//! What a file is, and what else it may be.

use crate::support::{Changed as _, accepted, gzip, refused, zstd};
use crate::tape::{site, tar};
use crate::zip_maker::Zip;

refused! {
    an_empty_file_is_called_that: b"" => "bundle_format", "is empty,";
    a_page_is_called_that: b"\n<!DOCTYPE html><title>Sign in</title>" => "bundle_format", "is an HTML page (a login";
    a_page_without_a_doctype_too: b"\xef\xbb\xbf<HTML><body>gone" => "bundle_format", "is an HTML page";
    an_error_of_an_object_store: b"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>" => "bundle_format", "is an XML document";
    an_error_in_json: b"{\"error\":\"not found\"}" => "bundle_format", "is a JSON document";
    a_text: b"404: Not Found" => "bundle_format", "is a text,";
    a_text_cut_within_a_character: format!("x{}", "\u{e9}".repeat(600)) => "bundle_format", "is a text,";
    a_7z: b"7z\xbc\xaf\x27\x1c\0\x04" => "bundle_format", "is a 7z archive";
    a_rar: b"Rar!\x1a\x07\x01\0" => "bundle_format", "is a rar archive";
    an_old_rar: b"Rar!\x1a\x07\0" => "bundle_format", "is a rar archive";
    an_xz: b"\xfd7zXZ\0\0\x04" => "bundle_format", "is an xz file";
    a_bzip2: b"BZh91AY&SY" => "bundle_format", "is a bzip2 file";
    an_lz4: b"\x04\x22\x4d\x18\x64" => "bundle_format", "is an lz4 file";
    a_compress: b"\x1f\x9d\x90" => "bundle_format", "is a compress (.Z) file";
    a_program_that_extracts_itself: b"MZ\x90\0".to_vec().and(&Zip::of(&[("a", b"a")])) => "bundle_format", "is a program";
    a_split_zip: b"PK\x07\x08PK\x03\x04" => "bundle_format", "is one part of a split zip";
    noise: [7; 2048] => "bundle_format", "is of no known format";
    a_page_within_gzip: gzip(b"<html>") => "bundle_format", "is an HTML page (a login or an error, perhaps) within gzip";
    nothing_within_gzip: gzip(b"") => "bundle_format", "is empty within gzip";
    gzip_within_gzip: gzip(&gzip(&site())) => "bundle_format", "is a gzip file within gzip";
    a_zip_within_zstd: zstd(&Zip::of(&[("a", b"a")])) => "bundle_format", "is a zip within zstd";
}

accepted! {
    a_tar_whose_first_name_begins_like_bzip2: tar().file("BZh9", b"a").bytes() => [("BZh9", b"a")];
    a_tar_whose_first_name_begins_like_a_page: tar().file("<html", b"a").bytes() => [("<html", b"a")];
    a_tar_whose_first_name_begins_like_a_document: tar().file("{}", b"a").bytes() => [("{}", b"a")];
}
