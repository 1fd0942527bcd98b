//! RFC 9293, appendix B: its rows in our words, how we stand to each, and the tests that show it.

/// How we stand to a requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Met,
    Deviates,
    NotOffered,
}

/// A row.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) id: &'static str,
    pub(crate) what: &'static str,
    pub(crate) standing: Standing,
    pub(crate) note: &'static str,
    pub(crate) tests: &'static [&'static str],
}

const fn met(id: &'static str, what: &'static str, tests: &'static [&'static str]) -> Row {
    Row { id, what, standing: Standing::Met, note: "", tests }
}

const fn deviates(
    id: &'static str,
    what: &'static str,
    note: &'static str,
    tests: &'static [&'static str],
) -> Row {
    Row { id, what, standing: Standing::Deviates, note, tests }
}

const fn not_offered(
    id: &'static str,
    what: &'static str,
    note: &'static str,
    tests: &'static [&'static str],
) -> Row {
    Row { id, what, standing: Standing::NotOffered, note, tests }
}

/// The sections of the appendix in their order.
pub(crate) const SECTIONS: &[(&str, &[Row])] = &[
    ("Push", PUSH),
    ("Windows", WINDOWS),
    ("Urgent data", URGENT),
    ("TCP options", OPTIONS),
    ("Checksums", CHECKSUMS),
    ("Initial sequence numbers", NUMBERS),
    ("Opening", OPENING),
    ("Closing", CLOSING),
    ("Retransmission", RETRANSMISSION),
    ("Acknowledging", ACKNOWLEDGING),
    ("Sending", SENDING),
    ("Failing connections", FAILURES),
    ("Keep-alive", KEEP_ALIVE),
    ("IP options", IP_OPTIONS),
    ("ICMP", ICMP),
    ("Addresses", ADDRESSES),
    ("The application's side", APPLICATION),
    ("Security, ECN, congestion control", REST),
];

const PUSH: &[Row] = &[
    met(
        "MAY-16",
        "data without a push may be gathered",
        &["conformance::sending::small_writes_become_full_segments_with_one_push"],
    ),
    met(
        "SHLD-27",
        "pushes in a row become one",
        &["conformance::sending::small_writes_become_full_segments_with_one_push"],
    ),
    not_offered(
        "MAY-15",
        "a send call may ask for a push",
        "every write pushes, a cork holds back",
        &["tcp::flow::a_cork_holds_what_is_not_full"],
    ),
    met(
        "MUST-60",
        "without such a call nothing is held for ever",
        &[
            "conformance::sending::what_is_written_goes_out_without_a_push",
            "tcp::flow::a_cork_comes_out_by_itself",
        ],
    ),
    met(
        "MUST-61",
        "without such a call the last queued byte is pushed",
        &[
            "conformance::sending::what_is_written_goes_out_without_a_push",
            "tcp::flow::push_marks_the_last_byte_there_is",
        ],
    ),
    not_offered(
        "MAY-17",
        "the application may be told of a push",
        "every byte is told at once",
        &["conformance::sending::bytes_are_readable_with_or_without_a_push"],
    ),
    met(
        "SHLD-28",
        "segments are full whenever they can be",
        &["conformance::sending::small_writes_become_full_segments_with_one_push"],
    ),
];

const WINDOWS: &[Row] = &[
    met("MUST-1", "a window has no sign", &["conformance::windows::a_window_has_no_sign"]),
    met(
        "REC-1",
        "windows are 32 bits wide inside",
        &["tcp::opening::a_scale_above_fourteen_means_fourteen"],
    ),
    met(
        "SHLD-14",
        "our right edge never goes back",
        &["tcp::flow::the_right_edge_never_goes_back"],
    ),
    met(
        "SHLD-15",
        "nothing new beyond an edge the peer took back",
        &["conformance::windows::a_window_that_is_taken_back_is_borne"],
    ),
    met(
        "SHLD-16",
        "what is inside it is sent again as ever",
        &["conformance::windows::a_window_that_is_taken_back_is_borne"],
    ),
    met(
        "SHLD-17",
        "what is beyond it does not end the connection",
        &["conformance::windows::a_window_closed_over_the_flight_ends_nothing"],
    ),
    met(
        "MUST-34",
        "a peer that takes its window back is borne",
        &[
            "conformance::windows::a_window_that_is_taken_back_is_borne",
            "conformance::windows::a_window_closed_over_the_flight_ends_nothing",
        ],
    ),
    met(
        "MAY-8",
        "our window may stay closed as long as nobody reads",
        &["tcp::flow::data_beyond_a_closed_window_is_dropped_but_acknowledged"],
    ),
    met("MUST-35", "closed windows are probed", &["packetdrill::zero-window-probes"]),
    met(
        "MUST-36",
        "the sender probes",
        &["tcp::flow::a_closed_window_is_probed_for_ever", "packetdrill::window-update-lost"],
    ),
    met(
        "SHLD-29",
        "the first probe comes after a retransmission time-out",
        &["conformance::windows::probes_begin_after_a_time_out_and_become_rare"],
    ),
    met(
        "SHLD-30",
        "the time between probes doubles",
        &["conformance::windows::probes_begin_after_a_time_out_and_become_rare"],
    ),
    met(
        "MUST-37",
        "a window may stay closed for ever",
        &["tcp::flow::a_closed_window_is_probed_for_ever"],
    ),
    met(
        "MAY-7",
        "what is beyond the edge may be sent again",
        &["conformance::windows::a_window_closed_over_the_flight_ends_nothing"],
    ),
    met(
        "MUST-66",
        "resets and urgent pointers count with our window closed",
        &["conformance::windows::resets_and_urgent_pointers_count_with_the_window_closed"],
    ),
];

const IN_LINE: &str = "RFC 6093 asks that urgent bytes stay in line and new programs use none of it: the \
                       mark is not told";

const URGENT: &[Row] = &[
    deviates(
        "MUST-30",
        "the urgent pointer is there",
        IN_LINE,
        &["conformance::urgent::urgent_bytes_stay_in_line", "packetdrill::urgent-in-line"],
    ),
    met(
        "MUST-62",
        "the pointer is behind the urgent bytes and moves none",
        &["conformance::urgent::urgent_bytes_stay_in_line"],
    ),
    met(
        "MUST-31",
        "urgent data may be of any length",
        &["conformance::urgent::urgent_data_may_be_of_any_length"],
    ),
    deviates(
        "MUST-32",
        "the application is told at once",
        IN_LINE,
        &["conformance::urgent::urgent_bytes_stay_in_line"],
    ),
    deviates(
        "MUST-33",
        "the application can learn how much there is",
        IN_LINE,
        &["conformance::urgent::urgent_bytes_stay_in_line"],
    ),
    met("SHLD-13", "new programs use none", &["conformance::urgent::nothing_we_send_is_urgent"]),
];

const OPTIONS: &[Row] = &[
    met(
        "MUST-4",
        "end of list, no-operation and segment size",
        &["wire::tcp::options_stand_in_the_order_of_the_caller", "wire::roundtrip::tcp_segments"],
    ),
    met(
        "MUST-5",
        "options count in any segment",
        &["conformance::options::options_are_read_in_any_segment_at_any_place"],
    ),
    met(
        "MUST-6",
        "unknown options are passed over",
        &["conformance::options::options_are_read_in_any_segment_at_any_place"],
    ),
    met(
        "MUST-68",
        "all but two options have a length",
        &["conformance::options::options_are_read_in_any_segment_at_any_place"],
    ),
    met(
        "MUST-7",
        "lengths that cannot be do no harm",
        &[
            "conformance::options::impossible_option_lengths_end_the_list",
            "wire::tcp::malformed_options_are_kept_or_end_the_list",
            "packetdrill::option-length-zero",
        ],
    ),
    met(
        "MUST-64",
        "options stand at any byte",
        &["conformance::options::options_are_read_in_any_segment_at_any_place"],
    ),
    met(
        "MUST-14",
        "the segment size is told and heard",
        &[
            "conformance::options::the_segment_size_is_told_with_syns_only",
            "tcp::opening::options_count_only_when_both_ends_have_them",
        ],
    ),
    met(
        "SHLD-5",
        "it is told unless it is the default of the family",
        &["conformance::options::the_segment_size_is_told_with_syns_only"],
    ),
    met(
        "MAY-3",
        "it may be told always",
        &["conformance::options::the_segment_size_is_told_with_syns_only"],
    ),
    met(
        "MUST-15",
        "untold it is 536 over IPv4 and 1220 over IPv6",
        &[
            "conformance::options::untold_segment_sizes_depend_on_the_family",
            "tcp::opening::without_a_segment_size_it_is_536",
        ],
    ),
    met(
        "MUST-16",
        "segments are as long as peer and path allow, less the options",
        &["conformance::options::segments_are_no_longer_than_peer_and_path_allow"],
    ),
    met(
        "SHLD-6",
        "what is told follows the MTU of the path",
        &["stack::icmp::a_narrow_path_is_found_and_remembered"],
    ),
    met(
        "MUST-65",
        "it is told with a SYN and nothing else",
        &["conformance::options::the_segment_size_is_told_with_syns_only"],
    ),
    met(
        "MUST-67",
        "it is no more than what IP can take in",
        &["conformance::options::the_segment_size_is_told_with_syns_only"],
    ),
    met(
        "MUST-69",
        "headers are padded with zeros",
        &["conformance::options::headers_are_padded_with_zeros"],
    ),
];

const CHECKSUMS: &[Row] = &[
    met(
        "MUST-2",
        "everything sent has its checksum",
        &[
            "wire::tcp::checksum_intents",
            "stack::connections::data_flows_both_ways_over_either_family",
        ],
    ),
    met(
        "MUST-3",
        "everything received is checked",
        &["stack::martians::broken_checksums_and_source_routes_are_counted"],
    ),
];

const NUMBERS: &[Row] = &[
    met(
        "MUST-8",
        "a clock moves initial sequence numbers",
        &["src::interface::isn::numbers_grow_with_time_and_differ_by_tuple_and_seed"],
    ),
    met(
        "SHLD-1",
        "a keyed hash of the four-tuple is added",
        &["src::interface::isn::numbers_grow_with_time_and_differ_by_tuple_and_seed"],
    ),
    met(
        "MUST-9",
        "nobody outside can compute it",
        &["stack::strays::sequence_numbers_differ_by_peer_port_and_seed_and_grow"],
    ),
];

const OPENING: &[Row] = &[
    met(
        "MUST-10",
        "both ends may open at once",
        &[
            "tcp::opening::both_ends_may_open_at_once",
            "stack::connections::both_ends_may_open_at_once",
        ],
    ),
    met(
        "MUST-11",
        "SYN-RECEIVED knows whether it was LISTEN or SYN-SENT",
        &[
            "conformance::opening::syn_received_remembers_where_it_came_from",
            "stack::flood::a_reset_frees_the_slot_of_an_embryo",
        ],
    ),
    met(
        "MUST-41",
        "a passive open disturbs no connection",
        &["conformance::opening::listeners_of_one_port_do_not_disturb_each_other"],
    ),
    met(
        "MUST-42",
        "several may listen at one port",
        &["conformance::opening::listeners_of_one_port_do_not_disturb_each_other"],
    ),
    met(
        "MUST-44",
        "an open without a local address takes the route's",
        &["conformance::opening::the_local_address_is_the_named_the_routed_or_the_called_one"],
    ),
    met(
        "MUST-45",
        "a connection keeps its local address",
        &["conformance::opening::the_local_address_is_the_named_the_routed_or_the_called_one"],
    ),
];

const CLOSING: &[Row] = &[
    met("SHLD-2", "a reset may carry data", &["conformance::closing::a_reset_may_carry_data"]),
    met(
        "MUST-12",
        "an abort by the peer is told",
        &["stack::connections::an_abort_is_a_reset_at_the_other_end"],
    ),
    met(
        "MAY-1",
        "a close may end both directions",
        &[
            "tcp::closing::data_for_a_process_that_is_gone_resets",
            "stack::connections::half_closed_connections_carry_data_the_other_way",
        ],
    ),
    met(
        "SHLD-3",
        "then a reset says that data was lost",
        &["tcp::closing::closing_with_unread_data_resets", "packetdrill::close-unread"],
    ),
    met(
        "MUST-13",
        "TIME-WAIT lasts twice a segment's lifetime",
        &[
            "conformance::closing::time_wait_is_two_segment_lifetimes",
            "tcp::closing::time_wait_lasts_and_begins_anew_with_the_peers_fin",
        ],
    ),
    met(
        "MAY-2",
        "a later SYN may end it",
        &["stack::time_wait::a_later_syn_opens_anew_behind_the_old_numbers"],
    ),
    met(
        "SHLD-4",
        "timestamps tell which SYN is later",
        &[
            "tcp::closing::a_new_connection_may_take_the_place_of_time_wait",
            "packetdrill::time-wait-reuse",
        ],
    ),
];

const RETRANSMISSION: &[Row] = &[
    met(
        "MUST-19",
        "back-off, slow start and congestion avoidance",
        &[
            "tcp::loss::time_outs_double_and_end_the_connection",
            "tcp::loss::a_time_out_shrinks_the_window_to_one_segment",
            "tcp::loss::the_window_is_halved_once_a_recovery",
            "tcp_blocks::rtt::backs_off_and_comes_back",
        ],
    ),
    not_offered(
        "MAY-4",
        "the same bytes again may have the same IP identification",
        "each packet has its own",
        &["tcp::loss::the_same_bytes_are_never_other_bytes"],
    ),
    met(
        "MUST-18",
        "Karn's algorithm",
        &[
            "tcp::loss::a_retransmission_gives_no_sample",
            "tcp_blocks::rtt::follows_the_equations_of_rfc_6298",
        ],
    ),
];

const ACKNOWLEDGING: &[Row] = &[
    met(
        "MUST-58",
        "acknowledgements are gathered",
        &["conformance::sending::a_batch_has_one_acknowledgement"],
    ),
    met(
        "SHLD-31",
        "what is out of order is kept",
        &[
            "conformance::sending::out_of_order_segments_are_kept_and_acknowledged",
            "tcp::flow::the_whole_offered_window_takes_data_out_of_order",
        ],
    ),
    met(
        "MUST-59",
        "all that came is processed before the acknowledgement",
        &["conformance::sending::a_batch_has_one_acknowledgement"],
    ),
    met(
        "MAY-13",
        "what is out of order is acknowledged",
        &[
            "conformance::sending::out_of_order_segments_are_kept_and_acknowledged",
            "tcp::flow::disorder_is_acknowledged_at_once",
        ],
    ),
    met(
        "SHLD-18",
        "acknowledgements are delayed",
        &["tcp::flow::one_segment_is_acknowledged_a_little_later"],
    ),
    met(
        "MUST-40",
        "by less than half a second",
        &["conformance::sending::acknowledgements_are_held_back_for_less_than_half_a_second"],
    ),
    met(
        "SHLD-19",
        "every second full segment is acknowledged",
        &[
            "tcp::flow::every_second_full_segment_is_acknowledged_at_once",
            "tcp::flow::a_super_segment_counts_for_what_it_stands",
        ],
    ),
    met(
        "MUST-39",
        "silly windows are not offered",
        &["tcp::flow::our_window_grows_by_segments_only", "packetdrill::silly-window-receiver"],
    ),
];

const SENDING: &[Row] = &[
    met(
        "MUST-49",
        "the TTL can be set",
        &["conformance::network::hop_limit_and_traffic_class_are_the_applications"],
    ),
    met(
        "MUST-38",
        "silly windows are not used",
        &[
            "tcp::flow::the_peers_small_window_makes_no_small_segments",
            "packetdrill::silly-window-sender",
        ],
    ),
    met(
        "SHLD-7",
        "Nagle's algorithm",
        &["tcp::flow::nagle_holds_small_segments_while_something_is_out"],
    ),
    met("MUST-17", "which can be switched off", &["tcp::flow::without_nagle_nothing_is_held"]),
];

const FAILURES: &[Row] = &[
    deviates(
        "MUST-20",
        "at R1 IP is told that the path may be dead",
        "neighbours are probed by themselves when they stop confirming (RFC 4861, section 7.3)",
        &["stack::ethernet::who_has_moved_is_found_again"],
    ),
    met(
        "MUST-20",
        "at R2 the connection ends",
        &["tcp::loss::time_outs_double_and_end_the_connection"],
    ),
    met(
        "MUST-21",
        "the application sets R2",
        &[
            "conformance::failures::the_application_says_how_long_to_try",
            "tcp::loss::the_user_time_out_ends_what_waits_too_long",
        ],
    ),
    met(
        "SHLD-9",
        "between R1 and R2 the application can know",
        &["conformance::failures::time_outs_are_seen_before_the_end"],
    ),
    deviates(
        "SHLD-10",
        "R1 is at least three retransmissions",
        "there is no R1; time-outs are counted from the first",
        &["conformance::failures::time_outs_are_seen_before_the_end"],
    ),
    met(
        "SHLD-11",
        "R2 is at least 100 seconds",
        &["conformance::failures::data_is_tried_for_more_than_100_seconds"],
    ),
    met(
        "MUST-22",
        "SYNs are handled alike",
        &["tcp::opening::a_syn_is_sent_again_with_doubled_waits_and_then_given_up"],
    ),
    deviates(
        "MUST-23",
        "R2 of a SYN is at least three minutes",
        "presets end when their kernels do, at 127 and 75 seconds; an option makes it longer",
        &["conformance::failures::a_syn_may_be_tried_for_three_minutes"],
    ),
];

const KEEP_ALIVE: &[Row] = &[
    met(
        "MAY-5",
        "silent peers may be probed",
        &["tcp::security::a_silent_peer_is_probed_and_given_up"],
    ),
    met(
        "MUST-24",
        "the application switches it on and off",
        &["tcp::security::keep_alive_is_off_unless_asked_for"],
    ),
    met("MUST-25", "it is off", &["tcp::security::keep_alive_is_off_unless_asked_for"]),
    met(
        "MUST-26",
        "probes come only after silence",
        &["tcp::security::a_silent_peer_is_probed_and_given_up"],
    ),
    met(
        "MUST-27",
        "the interval can be set",
        &["tcp::security::a_silent_peer_is_probed_and_given_up"],
    ),
    met(
        "MUST-28",
        "it is two hours or more",
        &["tcp::security::keep_alive_is_off_unless_asked_for"],
    ),
    met(
        "MUST-29",
        "one lost answer is no dead peer",
        &["tcp::security::a_silent_peer_is_probed_and_given_up"],
    ),
    met(
        "SHLD-12",
        "probes carry no data",
        &["tcp::security::a_silent_peer_is_probed_and_given_up"],
    ),
    not_offered(
        "MAY-6",
        "probes may carry a byte of garbage",
        "no peer needs it any more",
        &["tcp::security::a_silent_peer_is_probed_and_given_up"],
    ),
];

const DROPPED: &str = "RFC 7126, section 4.3, drops packets with source routes, and so do kernels";

const IP_OPTIONS: &[Row] = &[
    met(
        "MUST-50",
        "IP options TCP does not know change nothing",
        &["conformance::network::ip_options_change_nothing"],
    ),
    not_offered(
        "MAY-10",
        "IP timestamps may be used",
        "nothing reads them",
        &["conformance::network::ip_options_change_nothing"],
    ),
    not_offered(
        "MAY-11",
        "recorded routes may be used",
        "nothing reads them",
        &["conformance::network::ip_options_change_nothing"],
    ),
    deviates(
        "MUST-51",
        "the application may name a source route",
        DROPPED,
        &["stack::martians::broken_checksums_and_source_routes_are_counted"],
    ),
    deviates(
        "MUST-52",
        "which overrides that of a datagram",
        DROPPED,
        &["stack::martians::broken_checksums_and_source_routes_are_counted"],
    ),
    deviates(
        "MUST-53",
        "a source route received leads back",
        DROPPED,
        &["stack::martians::broken_checksums_and_source_routes_are_counted"],
    ),
    deviates(
        "SHLD-24",
        "a later one replaces it",
        DROPPED,
        &["stack::martians::broken_checksums_and_source_routes_are_counted"],
    ),
];

const ICMP: &[Row] = &[
    met(
        "MUST-54",
        "ICMP errors reach the connection they are about",
        &[
            "stack::icmp::a_refused_connect_learns_it_from_icmp",
            "stack::icmp::a_narrow_path_is_found_and_remembered",
        ],
    ),
    met(
        "SHLD-25",
        "unreachable nets, hosts and routes are told: at once to who asks, and with the reason of the end",
        &["conformance::network::soft_errors_end_nothing"],
    ),
    met(
        "MUST-56",
        "they, exceeded times and bad parameters end nothing",
        &["conformance::network::soft_errors_end_nothing", "packetdrill::icmp-hard-is-soft"],
    ),
    deviates(
        "SHLD-26",
        "unreachable protocols and ports end the connection",
        "only while it opens: anybody can forge them (RFC 5927, section 5.2)",
        &[
            "conformance::network::hard_errors_end_opens_only",
            "tcp::opening::hard_icmp_errors_end_an_open_and_nothing_else",
        ],
    ),
    met(
        "MUST-55",
        "source quenches are dropped",
        &["conformance::network::soft_errors_end_nothing"],
    ),
];

const ADDRESSES: &[Row] = &[
    met(
        "MUST-46",
        "opens to groups, broadcasts and nobody are refused",
        &["stack::connections::connects_that_cannot_work_are_refused_at_once"],
    ),
    met(
        "MUST-63",
        "SYNs from them are dropped",
        &["stack::martians::syns_from_impossible_sources_touch_nothing"],
    ),
    met(
        "MUST-57",
        "SYNs to them are dropped silently",
        &["stack::martians::segments_to_groups_and_strangers_are_not_answered"],
    ),
];

const APPLICATION: &[Row] = &[
    met("MUST-47", "errors are reported", &["conformance::network::errors_are_told_to_who_asks"]),
    met(
        "SHLD-20",
        "who does not want them need not listen",
        &["conformance::network::errors_are_told_to_who_asks"],
    ),
    met(
        "MUST-48",
        "DiffServ can be set",
        &["conformance::network::hop_limit_and_traffic_class_are_the_applications"],
    ),
    met(
        "SHLD-22",
        "and comes to IP as it was set",
        &["conformance::network::hop_limit_and_traffic_class_are_the_applications"],
    ),
    met(
        "SHLD-21",
        "and can be changed while the connection runs",
        &["conformance::network::hop_limit_and_traffic_class_are_the_applications"],
    ),
    met(
        "SHLD-23",
        "nothing changes it by itself",
        &["conformance::network::hop_limit_and_traffic_class_are_the_applications"],
    ),
    not_offered(
        "MAY-9",
        "the peer's DiffServ may be told",
        "only its ECN bits are looked at",
        &["tcp::security::marks_are_echoed_until_the_sender_slows_down"],
    ),
    not_offered(
        "MAY-14",
        "a flush call",
        "an abort drops what is queued",
        &["tcp::closing::aborting_resets_once"],
    ),
    met(
        "MUST-43",
        "an open may name a local address",
        &["conformance::opening::the_local_address_is_the_named_the_routed_or_the_called_one"],
    ),
];

const REST: &[Row] = &[
    met(
        "MAY-12",
        "protection from blind resets, SYNs and data (RFC 5961)",
        &[
            "tcp::states::every_state_with_every_event",
            "tcp::security::challenges_are_counted_for_each_connection",
            "packetdrill::blind-reset",
            "packetdrill::blind-syn",
            "packetdrill::blind-data",
        ],
    ),
    met(
        "SHLD-8",
        "explicit congestion notification",
        &[
            "tcp::opening::ecn_is_agreed_by_two_flags_and_one",
            "tcp::security::marks_are_echoed_until_the_sender_slows_down",
        ],
    ),
    met(
        "MAY-18",
        "another congestion control that conforms (CUBIC)",
        &[
            "tcp_blocks::cubic::follows_the_cubic_function",
            "tcp_blocks::cubic::is_friendly_to_reno",
        ],
    ),
];
