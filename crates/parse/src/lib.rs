//! Log lines into typed events: framing and a module per program.
