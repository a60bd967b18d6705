//! The control socket: HTTP and JSON between daemon and command line.
