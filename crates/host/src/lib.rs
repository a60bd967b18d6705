//! The machine: files, processes, clock.
