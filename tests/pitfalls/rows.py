"""What went wrong in other systems that replicate such state, and the tests that it does not here.

Numbers, pitfalls and cases are those of the survey that the design began with. A test is named by the file
below ``tests/`` without ``test_`` and ``.py``, and by its name without ``test_``.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Pitfall:
    """One of them."""

    number: int
    what: str
    elsewhere: str
    """Where it happened."""
    here: str
    """What keeps it from happening here."""
    tests: tuple[str, ...]


PITFALLS: Final = (
    Pitfall(
        1,
        "A sequence restarts, or begins with a clock",
        "conntrackd: `time(NULL)` and HELLO",
        "Each run has an incarnation and each management a term, both stored; no number comes from a clock.",
        (
            "pitfalls/clocks::a_router_that_restarts_with_its_clock_set_back_is_believed",
            "simulation/pitfalls::pitfall_1_a_manager_whose_clock_was_set_back_by_its_restart_is_followed",
            "device/links::an_incarnation_of_another_run_is_refused",
            "net/service::the_incarnation_and_the_terms_of_a_run_are_known_to_the_next",
        ),
    ),
    Pitfall(
        2,
        "One sequence for many senders",
        "conntrackd FT-FW",
        "A position is that of a feed in the term of one device.",
        (
            "device/merging::three_that_were_apart_end_with_what_each_made",
            "device/peers::each_manages_what_it_makes_and_all_have_all",
            "simulation/primary_backup::of_two_backups_one_takes_over_and_the_other_follows",
        ),
    ),
    Pitfall(
        3,
        "A sequence wraps",
        "conntrackd, osvbng `WrapAround`",
        "Sequences have 64 bits and begin at 0 with each term.",
        (
            "pitfalls/sequences::sequences_near_their_ends_and_beyond_32_bits_are_followed",
            "replication/sequences::the_last_numbers_of_a_sequence_are_used",
            "replication/sequences::a_term_begins_at_zero_wherever_the_one_before_ended",
            "replication/feeds::the_last_term_there_is_can_be_taken",
        ),
    ),
    Pitfall(
        4,
        "What is to be sent again overflows, and is lost silently",
        "conntrackd `rs_queue_purge_full`; VPP after 3 tries",
        "A queue that overflows is dropped whole, which is said; the member resumes, or gets a dump.",
        (
            "device/resync::an_overflow_drops_one_neighbors_queue_and_no_others",
            "device/resync::it_ends_equal",
            "replication/queues::an_overfull_queue_is_dropped_and_says_so",
            "simulation/silence::a_slow_reader_fills_the_window_then_the_queue_and_is_told_to_resync",
        ),
    ),
    Pitfall(
        5,
        "A resync does not remove",
        "conntrackd, measured",
        "A dump sweeps what it did not show.",
        (
            "replication/feeds::a_dump_removes_what_the_manager_does_not_have",
            "replication/dump::who_is_dumped_to_ends_equal_whatever_it_had",
        ),
    ),
    Pitfall(
        6,
        "Ownership is lost at a restart, and dead entries return",
        "conntrackd with direct injection, measured",
        "Entries carry who made them; a table of a snapshot is unsynchronised and answers for nothing.",
        (
            "pitfalls/groups::who_restarts_brings_nothing_back_that_was_deleted_meanwhile",
            "simulation/pitfalls::pitfall_6_what_the_owner_deleted_while_a_standby_restarted_does_not_return",
            "simulation/primary_backup::a_restarted_primary_never_empties_the_table",
            "net/service::a_neighbor_that_has_the_table_is_believed_and_not_the_snapshot",
        ),
    ),
    Pitfall(
        7,
        "A dump races with live changes",
        "SONiC/DASH; Check Point stores deltas",
        "Changes are compiled before each slice is cut, and share its order.",
        ("replication/feeds::a_dump_and_live_changes_in_any_order_end_equal",),
    ),
    Pitfall(
        8,
        "A late delete hits a port that was given again",
        "VPP has no order check",
        "A delete names the entry by its id and keys.",
        (
            "pitfalls/sequences::a_late_delete_spares_the_entry_that_has_the_port_now",
            "replication/sequences::a_delete_that_comes_late_spares_the_new_entry_of_a_port",
            "nat/table::a_reference_with_the_right_id_and_another_key_removes_nothing",
        ),
    ),
    Pitfall(
        9,
        "Failback too early",
        "loxilb#565, keepalived#1076, sonic#28820",
        "The role is claimed by who is proved equal, and taken after the last word of who had it.",
        (
            "simulation/primary_backup::the_returned_primary_pulls_verifies_and_takes_over_by_handover",
            "simulation/standby::who_comes_back_preempts_only_when_it_has_the_table",
            "device/module::who_comes_back_is_not_ready_before_it_has_the_table",
        ),
    ),
    Pitfall(
        10,
        "Changes of the role overlap, or arrive out of order",
        "nethsecurity#1547, keepalived#584",
        "What is to be is looked at, not what was heard in between.",
        (
            "simulation/standby::pitfall_10_a_word_that_changes_20_times_in_a_second_ends_with_the_last",
            "device/module::a_role_that_flaps_twenty_times_in_a_second_ends_where_the_module_says",
            "device/module::preemptions_that_flap_leave_one_manager",
            "redundancy/hsrp_preemption::an_object_that_flaps_twenty_times_in_a_second_ends_right",
        ),
    ),
    Pitfall(
        11,
        "A delayed job of the old role runs in the new one",
        "conntrackd 6abd0b7",
        "A role that ends takes its dumps, timers and repetitions along.",
        (
            "device/module::who_has_lost_the_role_ages_nothing_and_sends_nothing",
            "device/group::who_leaves_the_role_ends_its_dumps",
            "redundancy/hsrp_preemption::gratuitous_arp_of_an_old_role_is_not_said_in_the_new_one",
        ),
    ),
    Pitfall(
        12,
        "A bulk that fails is taken as done",
        "pfsync",
        "Only a digest that agrees makes a member synchronised.",
        (
            "replication/feeds::a_dump_cut_short_leaves_the_member_unsynchronised",
            "replication/receiver::a_dump_whose_end_does_not_agree_has_failed",
        ),
    ),
    Pitfall(
        13,
        "Demoted for ever, because the resync begins again and again",
        "opnsense#10858 (29 minutes)",
        "A configuration that says the same again concerns no session, and no dump.",
        (
            "pitfalls/resync::a_group_that_is_reconfigured_every_five_seconds_converges",
            "pitfalls/resync::a_dump_goes_on_while_the_group_is_reconfigured_again_and_again",
            "simulation/pitfalls::pitfall_13_a_group_that_is_configured_again_and_again_converges",
            "device/configure::what_is_said_again_anyway_concerns_no_session",
        ),
    ),
    Pitfall(
        14,
        "A storm of resyncs",
        "conntrackd 2cacd3a; pfsync UPD_REQ",
        "What was missed is resumed; repairs that fail wait longer each time, and who dials waits at random.",
        (
            "pitfalls/resync::one_message_in_twenty_is_lost_for_a_minute",
            "pitfalls/resync::tables_that_never_agree_are_dumped_ever_more_rarely",
            "simulation/pitfalls::pitfall_14_connections_that_break_all_the_time_make_no_storm_of_dumps",
            "replication/receiver::repairs_wait_longer_each_time_and_two_that_fail_are_divergence",
            "net/neighbor::the_delay_jitters_within_bounds",
        ),
    ),
    Pitfall(
        15,
        "An update that is refused was applied in part",
        "opnsense/src#327",
        "A message is decoded whole before anything of it is applied.",
        ("replication/feeds::a_malformed_message_changes_nothing",),
    ),
    Pitfall(
        16,
        "The wall clock in timers",
        "conntrackd cache-ct.c",
        "Below snat/net `now` is an argument, of a monotonic clock; nothing there may import the time.",
        (
            "pitfalls/clocks::the_reactor_s_clock_is_not_the_wall_clock",
            "pitfalls/clocks::only_what_is_dated_asks_the_wall_clock",
            "pitfalls/table::pitfall_16_nothing_below_the_net_asks_the_time",
            "simulation/pitfalls::pitfalls_16_and_17_clocks_that_differ_change_no_remaining_time",
            "device/snapshot::no_time_passes_backwards",
        ),
    ),
    Pitfall(
        17,
        "Clocks of nodes differ",
        "osvbng refuses over 60 s",
        "Times on the wire are relative. Every start in the simulation has a clock of its own.",
        (
            "pitfalls/clocks::routers_whose_clocks_differ_by_years_age_alike",
            "simulation/pitfalls::pitfalls_16_and_17_clocks_that_differ_change_no_remaining_time",
            "simulation/schedules::random_schedules_keep_all_invariants",
        ),
    ),
    Pitfall(
        18,
        "Half-open state is injected, or lost",
        "Linux 8a80c79; Juniper SRX",
        "An entry goes along from its first packet on; a SYN from its port begins it anew.",
        (
            "pitfalls/handshake::a_failover_amid_a_handshake",
            "simulation/pitfalls::pitfall_18_a_handshake_that_is_half_done_goes_on_after_a_takeover",
            "simulation/pitfalls::pitfall_18_a_half_open_entry_does_not_hinder_a_new_connection",
        ),
    ),
    Pitfall(
        19,
        "Silence in one direction",
        "opnsense/src#316, freifunk#96",
        "Keepalives on both links, and alarms within the hold time.",
        (
            "pitfalls/groups::silence_in_one_direction_is_an_alarm_within_three_keepalives",
            "simulation/silence::silence_in_one_direction_is_noticed_within_the_hold_time",
            "device/alarms::a_silent_neighbor_is_said_to_be_silent_and_no_more",
        ),
    ),
    Pitfall(
        20,
        "A queue is full, and drops",
        "Jool#410, osvbng#485",
        "Changes of an entry coalesce; a full queue is an explicit need of a resync; who reads waits.",
        (
            "replication/queues::updates_of_a_known_entry_collapse_into_one",
            "replication/queues::nothing_is_queued_for_a_neighbor_that_needs_a_resync_first",
            "net/service::a_choked_link_stops_the_neighbor_and_nothing_is_lost",
        ),
    ),
    Pitfall(
        21,
        "Encoder and decoder disagree, and tests are too kind",
        "osvbng#489",
        "Golden vectors, properties, and takeovers with flows that are alive.",
        (
            "simulation/silence::a_live_connection_goes_on_through_a_failover_to_its_end",
            "wire/vectors::the_encoder_makes_the_vector",
            "wire/properties::any_message_comes_back",
        ),
    ),
    Pitfall(
        22,
        "The allocator is not told of restored ports",
        "osvbng#485",
        "What is free is what the table does not have.",
        (
            "pitfalls/ports::a_taker_allocates_to_the_end_and_gives_no_port_twice",
            "simulation/pitfalls::pitfall_22_who_restarts_and_takes_over_gives_no_port_twice",
            "translate/takeover::the_taker_never_hands_out_ports_that_are_in_use",
        ),
    ),
    Pitfall(
        23,
        "A port is given twice in a split",
        "osvbng#485; joold keeps the old",
        "Each member has ports of its own; what collides all the same is told, and the lowest id leads.",
        (
            "nat/pool::members_have_disjoint_slots_that_cover_all",
            "simulation/primary_backup::both_sides_of_a_split_keep_what_either_made",
            "replication/pull::whatever_is_merged_ours_stays_and_no_port_is_given_to_two",
            "device/links::a_collision_is_told_to_the_manager_and_counted_on_both_sides",
        ),
    ),
    Pitfall(
        24,
        "Never compared with the data plane",
        "osvbng#480",
        "The table is the data plane. What the kernel has is compared with what it is to have.",
        (
            "system/kernel_live::a_restart_takes_over_what_a_killed_run_left",
            "system/kernel_restored::what_is_damaged_is_put_back_and_traffic_flows",
            "net/kernel_monitor::it_looks_after_changes_and_now_and_then",
        ),
    ),
    Pitfall(
        25,
        "Old packets in the queue of the new active",
        "dpservice#663",
        "A role begins with the packets that come then.",
        (
            "net/datapath::a_role_begins_with_the_packets_that_come_then",
            "simulation/silence::what_waited_for_a_paused_manager_makes_no_second_owner_of_a_port",
        ),
    ),
    Pitfall(
        26,
        "A length is cut on the way of what is sent again",
        "VPP `u8 data_len`",
        "What is sent again is the bytes that were.",
        (
            "pitfalls/lengths::what_is_sent_again_is_what_was_sent_whatever_its_length",
            "replication/sequences::what_is_sent_again_has_its_whole_length",
            "replication/journal::messages_are_as_they_were_and_terms_begin_in_their_place",
        ),
    ),
    Pitfall(
        27,
        "Messages longer than the MTU",
        "opnsense#4540",
        "The transport is a stream, of which any piece may come.",
        (
            "pitfalls/path::messages_cross_a_path_narrower_than_they_are",
            "wire/properties::a_stream_means_the_same_however_it_is_cut",
            "wire/header::the_longest_message_is_taken",
            "net/service::a_dump_of_20_000_entries_crosses_whole_past_full_buffers",
        ),
    ),
    Pitfall(
        28,
        "Head-of-line delay in TCP",
        "conntrackd's manual; Cisco added UDP",
        "Small messages; while a socket is full, changes of an entry coalesce.",
        (
            "pitfalls/path::adds_are_there_soon_at_loss_and_delay",
            "replication/queues::a_sender_fills_messages_up_to_one_tls_record",
            "replication/queues::updates_of_a_known_entry_collapse_into_one",
            "simulation/silence::bytes_that_could_not_get_through_arrive_afterwards_and_in_order",
        ),
    ),
    Pitfall(
        29,
        "One slow peer delays all",
        "Check Point, flush and ack",
        "Each link has its queue; packets are held back for a bounded time, and a bounded number.",
        (
            "simulation/pitfalls::pitfall_29_a_slow_member_delays_no_other",
            "device/peers::a_member_that_is_slow_delays_nobody_for_long",
            "device/peers::more_than_128_do_not_wait",
            "device/links::a_flood_on_one_link_does_not_hold_up_the_other",
        ),
    ),
    Pitfall(
        30,
        "Forged messages",
        "pfsync's manual",
        "TLS with certificates on both sides, in which the NAT ID stands.",
        (
            "net/identity::a_listener_refuses_whose_tls_does_not_verify",
            "net/identity::a_listener_refuses_who_shows_no_certificate",
            "net/identity::a_dialler_refuses_who_authenticates_as_another",
            "session/session::a_nat_id_that_is_not_the_certificates_is_refused",
        ),
    ),
    Pitfall(
        31,
        "Configurations differ",
        "Cisco mapping-id; osvbng; pfsync's checksum of rules",
        "Digests of the configuration are compared when a session begins; a difference is an alarm.",
        (
            "net/service::a_difference_between_two_configurations_is_an_alarm_and_the_link_stays",
            "device/digest::what_the_entries_depend_on",
        ),
    ),
    Pitfall(
        32,
        "Churn of short flows",
        "GLOBECOM 2008; DPVS; Check Point; F5",
        "A flow that ends before it is told costs nothing; `update-interval` makes that likelier.",
        (
            "pitfalls/churn::an_interval_saves_what_short_flows_would_cost",
            "replication/queues::an_add_and_its_delete_cancel_out",
            "replication/queues::a_short_connection_costs_at_most_four_items",
            "device/links::changes_leave_no_more_often_than_the_interval",
        ),
    ),
    Pitfall(
        33,
        "The address moves before the state is in",
        "keepalived#2254",
        "HSRP and keepalived are held back until the table is proved; HSRP preempts after the handover.",
        (
            "simulation/standby::who_comes_back_preempts_only_when_it_has_the_table",
            "simulation/standby::a_module_that_is_not_held_back_is_found",
            "redundancy/hsrp_preemption::preemption_waits_until_synchronised",
            "net/hsrp::who_is_held_back_is_not_active_before_it_may_be",
            "net/keepalived::the_track_file_follows_whether_it_is_ready",
        ),
    ),
    Pitfall(
        34,
        "A reload that is not idempotent",
        "opnsense#10858, keepalived#584",
        "A configuration that is there already changes nothing.",
        (
            "net/live::what_is_applied_twice_changes_no_session",
            "system/kernel_live::everything_can_be_done_twice",
        ),
    ),
    Pitfall(
        35,
        "A flood of errors in the log",
        "conntrackd 592bb16",
        "What others can cause is said once in a while, and counted in between.",
        (
            "net/log::a_line_is_said_once_in_a_while_and_counted_in_between",
            "net/log::a_party_that_chooses_its_words_cannot_fill_the_log",
            "system/refusals::a_neighbor_cannot_fill_the_log_with_texts_of_its_own",
        ),
    ),
)
