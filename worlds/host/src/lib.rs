//! The script host: receives exchange records from the workers of a server, and runs scripts beside requests; what all worlds of scripts share.
