//! Plugins: scripts of the `skynet` interface, which watch all requests, count them, and ban clients.
