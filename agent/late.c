#include "agent/late_priv.h"

#include <stddef.h>

// All that is called of them.
// clang-format off
#define CURL(F) \
    F(curl_easy_cleanup) \
    F(curl_easy_getinfo) \
    F(curl_easy_init) \
    F(curl_easy_reset) \
    F(curl_easy_setopt) \
    F(curl_easy_strerror) \
    F(curl_free) \
    F(curl_multi_add_handle) \
    F(curl_multi_cleanup) \
    F(curl_multi_info_read) \
    F(curl_multi_init) \
    F(curl_multi_perform) \
    F(curl_multi_poll) \
    F(curl_multi_remove_handle) \
    F(curl_slist_append) \
    F(curl_slist_free_all) \
    F(curl_url) \
    F(curl_url_cleanup) \
    F(curl_url_get) \
    F(curl_url_set)

#define ATSPI(F) \
    F(atspi_accessible_get_child_at_index) \
    F(atspi_accessible_get_child_count) \
    F(atspi_accessible_get_component_iface) \
    F(atspi_accessible_get_description) \
    F(atspi_accessible_get_index_in_parent) \
    F(atspi_accessible_get_name) \
    F(atspi_accessible_get_parent) \
    F(atspi_accessible_get_process_id) \
    F(atspi_accessible_get_role) \
    F(atspi_accessible_get_role_name) \
    F(atspi_accessible_get_state_set) \
    F(atspi_accessible_get_text_iface) \
    F(atspi_component_get_accessible_at_point) \
    F(atspi_component_get_extents) \
    F(atspi_event_listener_new) \
    F(atspi_event_listener_register) \
    F(atspi_get_desktop) \
    F(atspi_init) \
    F(atspi_role_get_name) \
    F(atspi_set_timeout) \
    F(atspi_state_set_contains) \
    F(atspi_text_get_character_count) \
    F(atspi_text_get_text) \
    F(g_free) \
    F(g_main_context_iteration) \
    F(g_main_loop_new) \
    F(g_main_loop_quit) \
    F(g_main_loop_run) \
    F(g_object_ref) \
    F(g_object_unref) \
    F(g_unix_fd_add)

#define ARCHIVE(F) \
    F(archive_entry_filetype) \
    F(archive_entry_free) \
    F(archive_entry_hardlink) \
    F(archive_entry_new) \
    F(archive_entry_pathname) \
    F(archive_entry_set_filetype) \
    F(archive_entry_set_mtime) \
    F(archive_entry_set_pathname) \
    F(archive_entry_set_perm) \
    F(archive_entry_set_size) \
    F(archive_error_string) \
    F(archive_read_data) \
    F(archive_read_free) \
    F(archive_read_new) \
    F(archive_read_next_header) \
    F(archive_read_open_filename) \
    F(archive_read_support_filter_zstd) \
    F(archive_read_support_format_tar) \
    F(archive_write_add_filter_zstd) \
    F(archive_write_close) \
    F(archive_write_data) \
    F(archive_write_free) \
    F(archive_write_header) \
    F(archive_write_new) \
    F(archive_write_open_filename) \
    F(archive_write_set_format_pax_restricted)
// clang-format on

CURL(DH_LATE_STUB)

static const char *const curl_names[] = { DH_SONAME_curl, NULL };
static const struct dh_late_row curl_rows[] = { CURL(DH_LATE_ROW){ 0 } };
const struct dh_late dh_late_curl = { "libcurl", curl_names, curl_rows };

ATSPI(DH_LATE_STUB)

static const char *const atspi_names[] = { DH_SONAME_atspi, DH_SONAME_glib,
                                           DH_SONAME_gobject, NULL };
static const struct dh_late_row atspi_rows[] = { ATSPI(DH_LATE_ROW){ 0 } };
const struct dh_late dh_late_atspi = { "AT-SPI", atspi_names, atspi_rows };

ARCHIVE(DH_LATE_STUB)

static const char *const archive_names[] = { DH_SONAME_archive, NULL };
static const struct dh_late_row archive_rows[] = { ARCHIVE(DH_LATE_ROW){ 0 } };
const struct dh_late dh_late_archive = { "libarchive", archive_names,
                                         archive_rows };
