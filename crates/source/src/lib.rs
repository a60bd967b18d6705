//! Where lines come from: files with rotation, the journal, standard input; cursors that survive a restart.
