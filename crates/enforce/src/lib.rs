//! Bans in the kernel by netlink, and in a Postfix CIDR table.
