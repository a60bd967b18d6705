//! Network namespaces, links, addresses and routes.
//!
//! Users and attackers do not list their addresses: whole prefixes are local to their namespaces (a `local` route, the
//! kernel's AnyIP), so a socket may bind to any of them.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context as _, Result, anyhow};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::process::{run, run_with};
use crate::topology::{DNS4, MAIL4, MAIL6, NEIGHBOUR, Place, ROUTER4, ROUTER6};

pub(crate) const IP: &str = "/usr/sbin/ip";

/// The namespace's name.
pub(crate) fn name(prefix: &str, place: Place) -> String {
    format!("{prefix}-{}", place.name())
}

fn handle(prefix: &str, place: Place) -> PathBuf {
    PathBuf::from("/run/netns").join(name(prefix, place))
}

/// Those of the lab's namespaces that exist.
fn existing(prefix: &str) -> Vec<Place> {
    Place::ALL.into_iter().filter(|place| handle(prefix, *place).exists()).collect()
}

/// Whether any process is in one of them. After a crash of this machine, or of everything that ran the lab, nobody is.
pub(crate) fn in_use(prefix: &str) -> Result<bool> {
    let names: Vec<_> =
        existing(prefix).into_iter().filter_map(|place| identity(&handle(prefix, place))).collect();
    let processes = fs::read_dir("/proc").context("reading /proc")?;
    Ok(processes
        .flatten()
        .filter_map(|process| identity(&process.path().join("ns/net")))
        .any(|network| names.contains(&network)))
}

/// What tells one namespace from another (namespaces(7)).
fn identity(handle: &Path) -> Option<(u64, u64)> {
    let metadata = fs::metadata(handle).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// Moves the calling thread into a namespace for good. Sockets that it opens from now on belong there.
///
/// # Errors
/// When the namespace does not exist or the caller is not root.
pub fn enter(prefix: &str, place: Place) -> Result<()> {
    let path = handle(prefix, place);
    let file = fs::File::open(&path)
        .with_context(|| format!("no namespace {}; say: cargo xtask lab up", path.display()))?;
    use std::os::fd::AsFd as _;
    move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
        .with_context(|| format!("entering {}", path.display()))
}

/// Runs something in a thread of that namespace.
pub(crate) fn within<T: Send>(
    prefix: &str,
    place: Place,
    work: impl FnOnce() -> Result<T> + Send,
) -> Result<T> {
    thread::scope(|scope| {
        scope
            .spawn(|| {
                enter(prefix, place)?;
                work()
            })
            .join()
            .map_err(|_| anyhow!("a thread in {} panicked", name(prefix, place)))?
    })
}

/// Makes the namespaces and connects them.
pub(crate) fn up(prefix: &str) -> Result<()> {
    for place in Place::ALL {
        run(IP, &["netns", "add", &name(prefix, place)])?;
        within(prefix, place, || settings(place))?;
        batch(prefix, place, &["link set lo up".to_owned()])?;
    }
    connect_mail(prefix)?;
    connect_users(
        prefix,
        Place::Good,
        2,
        &["203.0.113.0/24", &format!("{}/32", NEIGHBOUR.address)],
        &["2001:db8:600d::/48"],
    )?;
    connect_users(
        prefix,
        Place::Bad,
        3,
        &["192.0.2.0/24", "198.18.0.0/16"],
        &["2001:db8:bad::/48", "2001:db8:bad1::/48"],
    )
}

/// Removes what is there of them.
pub(crate) fn down(prefix: &str) -> Result<()> {
    for place in existing(prefix) {
        run(IP, &["netns", "del", &name(prefix, place)])?;
    }
    Ok(())
}

/// New links inherit these: no duplicate address detection, so that addresses are usable at once, and no reverse path
/// filter in the way of the address pools.
fn settings(place: Place) -> Result<()> {
    let set = |key: &str, value: &str| {
        fs::write(format!("/proc/sys/net/{key}"), value).with_context(|| format!("setting net/{key}"))
    };
    set("ipv6/conf/default/accept_dad", "0")?;
    set("ipv6/conf/default/accept_ra", "0")?;
    set("ipv4/conf/all/rp_filter", "0")?;
    set("ipv4/conf/default/rp_filter", "0")?;
    // IPv6 binds to an address of a local prefix only so; IPv4 does by itself.
    set("ipv6/ip_nonlocal_bind", "1")?;
    if place == Place::Net {
        set("ipv4/ip_forward", "1")?;
        set("ipv6/conf/all/forwarding", "1")?;
    }
    Ok(())
}

fn batch(prefix: &str, place: Place, commands: &[String]) -> Result<()> {
    let input = commands.join("\n") + "\n";
    run_with(IP, &["-n", &name(prefix, place), "-batch", "-"], &input).map(drop)
}

/// A link from the router to eth0 of another machine.
fn link(prefix: &str, place: Place) -> Result<()> {
    let (here, there) = (name(prefix, Place::Net), name(prefix, place));
    let command = format!("link add eth0 netns {there} type veth peer name {} netns {here}", place.name());
    batch(prefix, Place::Net, &[command])
}

/// The mail host sits in an ordinary network behind the router.
fn connect_mail(prefix: &str) -> Result<()> {
    link(prefix, Place::Mail)?;
    batch(
        prefix,
        Place::Net,
        &[
            "link set mail up".to_owned(),
            format!("addr add {ROUTER4}/24 dev mail"),
            format!("addr add {DNS4}/24 dev mail"),
            format!("addr add {ROUTER6}/64 dev mail nodad"),
        ],
    )?;
    batch(
        prefix,
        Place::Mail,
        &[
            "link set eth0 up".to_owned(),
            format!("addr add {MAIL4}/24 dev eth0"),
            format!("addr add {MAIL6}/64 dev eth0 nodad"),
            format!("route add default via {ROUTER4}"),
            format!("route add default via {ROUTER6}"),
        ],
    )
}

/// Users and attackers sit behind a transit link, from which the router reaches their prefixes.
fn connect_users(prefix: &str, place: Place, n: u8, v4: &[&str], v6: &[&str]) -> Result<()> {
    link(prefix, place)?;
    let dev = place.name();
    let (here4, there4) = (format!("198.19.{n}.1"), format!("198.19.{n}.2"));
    let (here6, there6) = (format!("2001:db8:fff{n}::1"), format!("2001:db8:fff{n}::2"));
    let mut router = vec![
        format!("link set {dev} up"),
        format!("addr add {here4}/30 dev {dev}"),
        format!("addr add {here6}/64 dev {dev} nodad"),
    ];
    router.extend(v4.iter().map(|net| format!("route add {net} via {there4}")));
    router.extend(v6.iter().map(|net| format!("route add {net} via {there6}")));
    batch(prefix, Place::Net, &router)?;
    let mut users = vec![
        "link set eth0 up".to_owned(),
        format!("addr add {there4}/30 dev eth0"),
        format!("addr add {there6}/64 dev eth0 nodad"),
        format!("route add default via {here4}"),
        format!("route add default via {here6}"),
    ];
    users.extend(v4.iter().chain(v6).map(|net| format!("route add local {net} dev lo")));
    batch(prefix, place, &users)
}
