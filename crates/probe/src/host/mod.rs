//! The machine, or the container: sockets, processes, addresses, packages, space, queue.

mod backups;
mod names;
mod packages;
mod processes;
mod queue;
mod sockets;
mod space;

use std::collections::BTreeMap;
use std::time::Duration;

use mailward_audit::Known;
use mailward_audit::facts::{Host, Interface, Said};
use mailward_host::run::Limits;

use crate::files::{Files, Tree};
use crate::place::Place;

pub(crate) use backups::read as backups;
pub(crate) use names::Names;
pub(crate) use queue::{count_corrupt, read as queue};
pub(crate) use space::read as space;

/// Enough for a machine with thousands of processes and sockets.
const LIMITS: Limits = Limits { timeout: Duration::from_secs(5), max_output: 16 << 20 };

/// Looks at the machine. The parts do not wait for each other.
pub(crate) fn collect(
    tree: &Tree,
    names: &Names,
    said: &mut BTreeMap<String, Known<Said>>,
    files: &Files,
    deep: bool,
) -> Host {
    let place = tree.place();
    let installed = packages::installed(said);
    let (policy, mut host) = std::thread::scope(|scope| {
        let policy = scope.spawn(|| packages::policy(place, &installed, files, deep));
        let host = Host {
            listeners: sockets::read(place),
            processes: processes::read(place, names),
            addresses: addresses(place),
            space: space::read(tree, said, files),
            ..Host::default()
        };
        (policy.join().unwrap_or_default(), host)
    });
    host.packages = packages::with_candidates(installed, &policy);
    said.insert("apt-cache policy".to_owned(), policy);
    host
}

/// Sockets and addresses alone.
pub(crate) fn network(place: &Place) -> Host {
    Host { listeners: sockets::read(place), addresses: addresses(place), ..Host::default() }
}

/// `ip -j addr`: an interface has addresses.
#[derive(serde::Deserialize)]
struct Link {
    ifname: String,
    #[serde(default)]
    addr_info: Vec<Address>,
}

#[derive(serde::Deserialize)]
struct Address {
    local: Option<String>,
    prefixlen: Option<u8>,
}

fn addresses(place: &Place) -> Known<Vec<Interface>> {
    let text = match text(place, &["ip", "-j", "addr"]) {
        Ok(text) => text,
        Err(missing) => return missing,
    };
    let Ok(links) = serde_json::from_str::<Vec<Link>>(&text) else {
        return Known::Unread("`ip -j addr` printed no JSON".to_owned());
    };
    let interfaces = links.into_iter().flat_map(|link| {
        let Link { ifname, addr_info } = link;
        addr_info.into_iter().filter_map(move |address| {
            Some(Interface {
                name: ifname.clone(),
                network: format!("{}/{}", address.local?, address.prefixlen?),
            })
        })
    });
    Known::Is(interfaces.collect())
}

/// What a program printed that succeeded.
fn text<T>(place: &Place, words: &[&str]) -> Result<String, Known<T>> {
    let line = words.first().copied().unwrap_or_default();
    match place.raw(words, LIMITS) {
        Known::Is(output) if output.status.success() || !output.stdout.is_empty() => {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        Known::Is(output) if output.status.code() == Some(127) => Err(Known::Absent),
        Known::Is(output) => {
            let error = String::from_utf8_lossy(&output.stderr);
            Err(Known::Unread(format!(
                "`{line}` failed: {}",
                error.lines().next().unwrap_or("it said nothing")
            )))
        }
        Known::Absent => Err(Known::Absent),
        Known::Unread(why) => Err(Known::Unread(why)),
        Known::Unasked => Err(Known::Unasked),
    }
}
