//! Names for the kernel's numbers, from `linux/netfilter/nf_tables.h` and `nfnetlink.h`.

/// `NFNL_SUBSYS_NFTABLES`.
pub(crate) const SUBSYSTEM: u8 = 10;
/// `NFNLGRP_NFTABLES`: the multicast group that tells of every change.
pub(crate) const GROUP: u32 = 7;
/// `NFPROTO_INET`: a table for IPv4 and IPv6.
pub(crate) const INET: u8 = 1;

/// `NFNL_MSG_BATCH_BEGIN` and `_END`.
pub(crate) mod batch {
    pub(crate) const BEGIN: u16 = 0x10;
    pub(crate) const END: u16 = 0x11;
}

/// `NFT_MSG_*`.
pub(crate) mod msg {
    pub(crate) const NEW_TABLE: u8 = 0;
    pub(crate) const GET_TABLE: u8 = 1;
    pub(crate) const DEL_TABLE: u8 = 2;
    pub(crate) const NEW_CHAIN: u8 = 3;
    pub(crate) const GET_CHAIN: u8 = 4;
    pub(crate) const NEW_RULE: u8 = 6;
    pub(crate) const GET_RULE: u8 = 7;
    pub(crate) const DEL_RULE: u8 = 8;
    pub(crate) const NEW_SET: u8 = 9;
    pub(crate) const GET_SET: u8 = 10;
    pub(crate) const NEW_ELEMENT: u8 = 12;
    pub(crate) const GET_ELEMENT: u8 = 13;
    pub(crate) const DEL_ELEMENT: u8 = 14;
    pub(crate) const NEW_GENERATION: u8 = 15;
    pub(crate) const GET_GENERATION: u8 = 16;
}

/// `NFTA_LIST_ELEM`: the one attribute inside of lists.
pub(crate) const LIST_ITEM: u16 = 1;

/// `NFTA_GEN_ID`: how often the ruleset of the host was changed.
pub(crate) const GENERATION_ID: u16 = 1;

/// `NFTA_TABLE_*`. The table's name is attribute 1 in every message of the subsystem.
pub(crate) mod table {
    pub(crate) const NAME: u16 = 1;
    pub(crate) const FLAGS: u16 = 2;
    pub(crate) const USE: u16 = 3;
}

/// `NFTA_CHAIN_*` and `NFTA_HOOK_*`.
pub(crate) mod chain {
    pub(crate) const TABLE: u16 = 1;
    pub(crate) const NAME: u16 = 3;
    pub(crate) const HOOK: u16 = 4;
    pub(crate) const POLICY: u16 = 5;
    pub(crate) const TYPE: u16 = 7;
    pub(crate) const HOOK_NUMBER: u16 = 1;
    pub(crate) const HOOK_PRIORITY: u16 = 2;
    /// `NF_INET_PRE_ROUTING`.
    pub(crate) const PREROUTING: u32 = 0;
}

/// `NFTA_RULE_*`.
pub(crate) mod rule {
    pub(crate) const TABLE: u16 = 1;
    pub(crate) const CHAIN: u16 = 2;
    pub(crate) const EXPRESSIONS: u16 = 4;
}

/// `NFTA_SET_*`, and `NFT_SET_*` flags.
pub(crate) mod set {
    pub(crate) const TABLE: u16 = 1;
    pub(crate) const NAME: u16 = 2;
    pub(crate) const FLAGS: u16 = 3;
    pub(crate) const KEY_TYPE: u16 = 4;
    pub(crate) const KEY_LENGTH: u16 = 5;
    pub(crate) const ID: u16 = 10;
    pub(crate) const EXPRESSION: u16 = 17;
    pub(crate) const INTERVAL: u32 = 0x4;
    pub(crate) const TIMEOUT: u32 = 0x10;
}

/// `NFTA_SET_ELEM_LIST_*` and `NFTA_SET_ELEM_*`.
pub(crate) mod element {
    pub(crate) const TABLE: u16 = 1;
    pub(crate) const SET: u16 = 2;
    pub(crate) const ELEMENTS: u16 = 3;
    pub(crate) const KEY: u16 = 1;
    pub(crate) const FLAGS: u16 = 3;
    pub(crate) const TIMEOUT: u16 = 4;
    pub(crate) const EXPIRATION: u16 = 5;
    pub(crate) const EXPRESSION: u16 = 7;
    /// `NFT_SET_ELEM_INTERVAL_END`.
    pub(crate) const INTERVAL_END: u32 = 1;
}

/// `NFTA_EXPR_*`, `NFTA_DATA_*`, `NFTA_VERDICT_*` and the attributes of each expression that we use.
pub(crate) mod expr {
    pub(crate) const NAME: u16 = 1;
    pub(crate) const DATA: u16 = 2;
    pub(crate) const VALUE: u16 = 1;
    pub(crate) const VERDICT: u16 = 2;
    pub(crate) const VERDICT_CODE: u16 = 1;
    pub(crate) const META_TO: u16 = 1;
    pub(crate) const META_KEY: u16 = 2;
    pub(crate) const CMP_FROM: u16 = 1;
    pub(crate) const CMP_OP: u16 = 2;
    pub(crate) const CMP_DATA: u16 = 3;
    pub(crate) const PAYLOAD_TO: u16 = 1;
    pub(crate) const PAYLOAD_BASE: u16 = 2;
    pub(crate) const PAYLOAD_OFFSET: u16 = 3;
    pub(crate) const PAYLOAD_LENGTH: u16 = 4;
    pub(crate) const LOOKUP_SET: u16 = 1;
    pub(crate) const LOOKUP_FROM: u16 = 2;
    pub(crate) const LOOKUP_FLAGS: u16 = 5;
    pub(crate) const COUNTER_BYTES: u16 = 1;
    pub(crate) const COUNTER_PACKETS: u16 = 2;
    pub(crate) const IMMEDIATE_TO: u16 = 1;
    pub(crate) const IMMEDIATE_DATA: u16 = 2;
    pub(crate) const REJECT_TYPE: u16 = 1;
    /// `NFT_META_NFPROTO` and `NFT_META_L4PROTO`.
    pub(crate) const META_NFPROTO: u32 = 15;
    pub(crate) const META_L4PROTO: u32 = 16;
    /// `NFT_PAYLOAD_NETWORK_HEADER` and `_TRANSPORT_HEADER`.
    pub(crate) const NETWORK_HEADER: u32 = 1;
    pub(crate) const TRANSPORT_HEADER: u32 = 2;
    /// `NFT_REJECT_TCP_RST`.
    pub(crate) const TCP_RESET: u32 = 1;
}
