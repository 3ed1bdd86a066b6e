//! Functions of PostgreSQL that a query does not call.
//!
//! A read-only transaction does not stop them: they read files, wait, hold locks, end others' connections, run a text as SQL or reach other servers.
//! The list is a second wall. The first one is that of the database: name a user that may read what scripts need, and nothing else.

/// Names in lower case. One that ends with `*` stands for all that begin so.
const NAMES: [&str; 60] = [
    // Files of the server.
    "pg_read_file*",
    "pg_read_binary_file*",
    "pg_ls_*",
    "pg_stat_file*",
    "pg_file_*",
    "pg_logdir_ls*",
    "pg_current_logfile",
    "pg_hba_file_rules",
    "pg_ident_file_mappings",
    "pg_show_all_file_settings",
    // Large objects.
    "lo_*",
    "loread",
    "lowrite",
    // Waiting, and locks that outlive the query.
    "pg_sleep*",
    "pg_advisory_*",
    "pg_try_advisory_*",
    // Other connections, and the server itself.
    "pg_terminate_backend",
    "pg_cancel_backend",
    "pg_reload_conf",
    "pg_rotate_logfile*",
    "pg_promote",
    "pg_switch_wal",
    "pg_log_backend_memory_contexts",
    "pg_log_standby_snapshot",
    "pg_create_*",
    "pg_drop_*",
    "pg_copy_*",
    "pg_replication_*",
    "pg_logical_*",
    "pg_wal_replay_*",
    "pg_start_backup",
    "pg_stop_backup",
    "pg_backup_*",
    "pg_stat_reset*",
    "pg_stat_statements_reset",
    "pg_stat_force_next_flush",
    "pg_export_snapshot",
    "pg_import_system_collations",
    "pg_notify",
    "pg_prewarm*",
    "autoprewarm*",
    // Settings, sequences and transactions.
    "set_config",
    "nextval",
    "setval",
    "txid_current",
    "pg_current_xact_id",
    // Maintenance.
    "brin_summarize_*",
    "brin_desummarize_*",
    "gin_clean_pending_list",
    // A text that is run as SQL.
    "query_to_xml*",
    "cursor_to_xml*",
    "table_to_xml*",
    "schema_to_xml*",
    "database_to_xml*",
    "ts_stat",
    "ts_rewrite",
    "crosstab*",
    "connectby",
    // Other servers.
    "dblink*",
    "postgres_fdw_*",
];

/// Returns `true` for a function that is not called. The name is in lower case, without its schema.
pub(super) fn is_refused(name: &str) -> bool {
    NAMES.iter().any(|refused| refused.strip_suffix('*').map_or(*refused == name, |start| name.starts_with(start)))
}
