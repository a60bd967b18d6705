//! Development only: a real mail host, its users and its attackers, in network namespaces.
