//! The same inner addresses, as nobody would write them who means well; and names with a public face.

use crate::case::{ADDRESS, Way, cases};

cases! { SPELLINGS
    loopback_as_decimal: Way::Url("http://2130706433:{port}/") => ADDRESS;
    loopback_as_hex: Way::Url("http://0x7f000001:{port}/") => ADDRESS;
    loopback_as_upper_case_hex: Way::Url("http://0X7F000001:{port}/") => ADDRESS;
    loopback_as_octal: Way::Url("http://017700000001:{port}/") => ADDRESS;
    loopback_as_dotted_octal: Way::Url("http://0177.0.0.1:{port}/") => ADDRESS;
    loopback_as_long_octal: Way::Url("http://0000000177.0.0.01:{port}/") => ADDRESS;
    loopback_as_dotted_hex: Way::Url("http://0x7f.0x0.0x0.0x1:{port}/") => ADDRESS;
    loopback_as_mixed_numbers: Way::Url("http://0x7f.0.0.01:{port}/") => ADDRESS;
    loopback_in_two_parts: Way::Url("http://127.1:{port}/") => ADDRESS;
    loopback_in_three_parts: Way::Url("http://127.0.1:{port}/") => ADDRESS;
    loopback_with_a_trailing_dot: Way::Url("http://127.0.0.1.:{port}/") => ADDRESS;
    loopback_as_decimal_with_a_trailing_dot: Way::Url("http://2130706433.:{port}/") => ADDRESS;
    zero_as_decimal: Way::Url("http://0:{port}/") => ADDRESS;
    zero_as_empty_hex: Way::Url("http://0x:{port}/") => ADDRESS;
    loopback_with_full_width_dots: Way::Url("http://127\u{ff0e}0\u{ff0e}0\u{ff0e}1:{port}/") => ADDRESS;
    loopback_with_ideographic_dots: Way::Url("http://127\u{3002}0\u{3002}0\u{3002}1:{port}/") => ADDRESS;
    loopback_with_half_width_dots: Way::Url("http://127\u{ff61}0\u{ff61}0\u{ff61}1:{port}/") => ADDRESS;
    loopback_in_full_width_digits: Way::Url("http://\u{ff11}\u{ff12}\u{ff17}.0.0.\u{ff11}:{port}/") => ADDRESS;
    loopback_in_circled_digits: Way::Url("http://\u{2460}\u{2461}\u{2466}.0.0.\u{2460}:{port}/") => ADDRESS;
    loopback_in_mathematical_digits: Way::Url("http://\u{1d7cf}\u{1d7d0}\u{1d7d5}.0.0.1:{port}/") => ADDRESS;
    loopback_with_a_soft_hyphen: Way::Url("http://127.0.0.\u{ad}1:{port}/") => ADDRESS;
    loopback_with_a_zero_width_space: Way::Url("http://127.0\u{200b}.0.1:{port}/") => ADDRESS;
    loopback_percent_encoded: Way::Url("http://%31%32%37.0.0.1:{port}/") => ADDRESS;
    loopback_with_percent_encoded_dots: Way::Url("http://127%2e0%2e0%2e1:{port}/") => ADDRESS;
    loopback_with_an_upper_case_scheme: Way::Url("HTTP://127.0.0.1:{port}/") => ADDRESS;
    loopback_with_a_tab_in_it: Way::Url("http://127.0.\t0.1:{port}/") => ADDRESS;
    loopback_with_a_line_in_its_scheme: Way::Url("ht\ntp://127.0.0.1:{port}/") => ADDRESS;
    loopback_after_spaces: Way::Url("  http://127.0.0.1:{port}/  ") => ADDRESS;
    loopback_after_backslashes: Way::Url("http:\\\\127.0.0.1:{port}\\") => ADDRESS;
    loopback_without_slashes: Way::Url("http:127.0.0.1:{port}") => ADDRESS;
    loopback_after_many_slashes: Way::Url("http://///127.0.0.1:{port}/") => ADDRESS;
    loopback_before_a_public_host_in_the_path: Way::Url("http://127.0.0.1:{port}\\@public.example/") => ADDRESS;
    loopback_before_a_public_host_in_the_query: Way::Url("http://127.0.0.1:{port}?@public.example/") => ADDRESS;
    loopback_before_a_public_host_in_the_fragment: Way::Url("http://127.0.0.1:{port}#@public.example/") => ADDRESS;
    loopback_after_an_empty_user: Way::Url("http://@127.0.0.1:{port}/") => ADDRESS;
    metadata_as_decimal: Way::Url("http://2852039166:{port}/latest/meta-data/") => ADDRESS;
    metadata_as_hex: Way::Url("http://0xa9fea9fe:{port}/") => ADDRESS;
    metadata_as_octal: Way::Url("http://0251.0376.0251.0376:{port}/") => ADDRESS;
    metadata_in_two_parts: Way::Url("http://169.16689662:{port}/") => ADDRESS;
    private_as_decimal: Way::Url("http://167772161:{port}/") => ADDRESS;
    mapped_in_hex: Way::Url("http://[::ffff:7f00:1]:{port}/") => ADDRESS;
    mapped_in_upper_case: Way::Url("http://[::FFFF:127.0.0.1]:{port}/") => ADDRESS;
    mapped_in_full: Way::Url("http://[0000:0000:0000:0000:0000:ffff:7f00:0001]:{port}/") => ADDRESS;
    loopback_v6_in_full: Way::Url("http://[0:0:0:0:0:0:0:1]:{port}/") => ADDRESS;
    loopback_v6_with_a_dotted_end: Way::Url("http://[::0.0.0.1]:{port}/") => ADDRESS;
    compatible_in_hex: Way::Url("http://[::7f00:1]:{port}/") => ADDRESS;
    metadata_v6_in_upper_case: Way::Url("http://[FD00:EC2::254]:{port}/") => ADDRESS;

    one_inner_record_after_public_ones: Way::Name("mixed.example", &["93.184.216.34", "93.184.216.35", "10.0.0.1"]) => ADDRESS;
    one_inner_record_before_public_ones: Way::Name("mixed.example", &["127.0.0.1", "93.184.216.34", "93.184.216.35"]) => ADDRESS;
    a_public_and_aaaa_loopback: Way::Name("dual.example", &["93.184.216.34", "::1"]) => ADDRESS;
    a_public_and_aaaa_private: Way::Name("dual.example", &["93.184.216.34", "fd00:ec2::254"]) => ADDRESS;
    aaaa_public_and_a_loopback: Way::Name("dual.example", &["2606:2800:220:1::1", "127.0.0.1"]) => ADDRESS;
    a_public_and_the_same_mapped: Way::Name("dual.example", &["93.184.216.34", "::ffff:93.184.216.34"]) => ADDRESS;
    localhost: Way::Name("localhost", &["127.0.0.1", "::1"]) => ADDRESS;
    localhost_with_a_trailing_dot: Way::Name("localhost.", &["127.0.0.1"]) => ADDRESS;
    a_label_of_our_own_network: Way::Name("redis", &["172.18.0.3"]) => ADDRESS;
    a_metadata_name: Way::Name("metadata.google.internal", &["169.254.169.254"]) => ADDRESS;
    a_name_that_spells_an_inner_address: Way::Name("10.0.0.1.nip.example", &["10.0.0.1"]) => ADDRESS;
    an_international_name: Way::Name("xn--bcher-kva.example", &["192.168.1.1"]) => ADDRESS;
}
